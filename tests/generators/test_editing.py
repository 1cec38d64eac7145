"""Image to image as a pool, and training on pictures without labels."""

import cv2
import numpy as np
import pytest

from lib.faces.drawn import drawn_study
from lib.faces.faceset import CLASSES, load_faces
from lib.faces.kinds import kind_of_images
from lib.generators.contract import make_generator
from lib.generators.editing import before, edited
from lib.generators.pools import make_pool
from lib.generators.source import read_pictures, training_faces
from lib.study.errors import StudyError
from lib.study.params import load_params

SMALL = {
    "generator": "diffusion",
    "pool": "diffusion-edited",
    "pool_images": 14,
    "gan_px": 16,
    "gan_width": 8,
    "diffusion_sample_steps": 4,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def real():
    return drawn_study(60, 7, 7, 0.0, 0).split("train")


def test_an_edited_pool_starts_from_real_faces_of_other_classes(real, tmp_path):
    params = load_params("quick") | SMALL
    editor = edited(make_generator(params), real, 0.5)
    pool = make_pool(editor, params, tmp_path)
    classes = real.table.set_index("id")["class"]
    assert (classes[pool.table["edited_from"]].to_numpy() == pool.table["edited_class"]).all()
    assert (pool.table["edited_class"] != pool.table["class"]).all() and pool.table["edited_from"].nunique() > 7
    labels, seeds = pool.labels, pool.table["seed"].to_numpy()
    assert np.array_equal(editor.sample(labels[5:7], seeds[5:7]).images, pool.images[5:7])
    faces = before(pool, real)
    assert faces.images.shape == pool.images.shape and np.array_equal(faces.images, real.resized(16).images[editor.starts(labels, seeds)])
    with pytest.raises(StudyError, match="name a face that is not among the real ones"):
        before(pool, real.select(np.arange(3)))
    assert kind_of_images(load_faces(tmp_path).table) == "photographs", "an edited photograph is shown as one"


def test_the_less_strength_the_nearer_to_the_face(real):
    labels, seeds, generator = np.arange(7), np.arange(7), make_generator(load_params("quick") | SMALL)
    start = real.resized(16).images[edited(generator, real, 0.5).starts(labels, seeds)]
    made = (edited(generator, real, strength).sample(labels, seeds).images for strength in (0.25, 0.5, 1.0))
    alike = [np.corrcoef(images.ravel(), start.ravel())[0, 1] for images in made]
    assert alike[0] > alike[1] > alike[2]


def test_generators_that_cannot_edit_say_so(real):
    generator = make_generator(load_params("quick") | SMALL | {"generator": "dcgan"})
    assert edited(generator, real, 0.0) is generator
    with pytest.raises(StudyError, match="edit_strength is 0.5, but dcgan.*choose diffusion or stable"):
        edited(generator, real, 0.5).sample(np.arange(2), np.arange(2))
    happy = real.select(real.labels == CLASSES.index("happy"))
    with pytest.raises(StudyError, match="all of one class"):
        edited(generator, happy, 0.5).sample(happy.labels[:1], np.arange(1))


def test_pictures_of_any_size_are_labelled_by_the_judge(real, tmp_path):
    (tmp_path / "more").mkdir()
    for number, (height, width) in enumerate(((200, 160), (64, 64), (30, 90))):
        picture = np.zeros((height, width, 3), np.uint8)
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        picture[top : top + side, left : left + side] = 50 * (number + 1)
        cv2.imwrite(str(tmp_path / ("more" if number else ".") / f"{number}.png"), picture)
    seen = []

    def judge(images):
        seen.append(images)
        return np.eye(7)[[1, 3, 5]]

    faces = training_faces(str(tmp_path), 32, real, judge)
    assert faces.images.shape == (3, 32, 32) and np.array_equal(seen[0], faces.images)
    assert np.abs(faces.images.astype(int) - np.array([50, 100, 150])[:, None, None]).max() <= 1, "the middle square alone"
    assert faces.table["class"].tolist() == [CLASSES[1], CLASSES[3], CLASSES[5]] and set(faces.table["split"]) == {"train"}
    assert training_faces("", 32, real, judge) is real
    log = make_generator(load_params("quick") | SMALL | {"generator": "dcgan", "gan_steps": 2, "gan_batch": 4}).fit(
        faces, folder=tmp_path / "training"
    )
    assert log["step"].tolist() == [2]


def test_a_source_without_pictures_is_named(tmp_path):
    with pytest.raises(StudyError, match="gan_source.*is no folder"):
        read_pictures(tmp_path / "nowhere", 16)
    with pytest.raises(StudyError, match="gan_source.*holds no pictures"):
        read_pictures(tmp_path, 16)
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(StudyError, match="a.png"):
        read_pictures(tmp_path, 16)
