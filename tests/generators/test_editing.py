"""Image to image as a pool, and training on pictures without labels."""

import cv2
import numpy as np
import pytest
from small_generators import small_generator

from lib.faces.classes import EMOTIONS
from lib.faces.drawn import drawn_study
from lib.faces.faceset import load_faces
from lib.faces.kinds import kind_of_images
from lib.generators.editing import edited_sources, with_editing
from lib.generators.pools import make_pool
from lib.generators.source import read_pictures, training_faces
from lib.study.errors import StudyError
from lib.study.params import load_params

POOL = load_params("quick") | {
    "generator": "diffusion",
    "pool": "diffusion-edited",
    "pool_images": 14,
}


@pytest.fixture(scope="module")
def real():
    return drawn_study(60, 7, 7, 0.0, 0).split("train")


def test_an_edited_pool_starts_from_real_faces_of_other_classes(real, tmp_path):
    editor = with_editing(small_generator("diffusion"), real, 0.5)
    pool = make_pool(editor, POOL, tmp_path)
    table = pool.table
    classes = real.table.set_index("id")["class"]
    assert (classes[table["edited_from"]].to_numpy() == table["edited_class"]).all()
    assert (table["edited_class"] != table["class"]).all()
    assert table["edited_from"].nunique() > 7

    # Each image depends on its own label and seed.
    labels, seeds = pool.labels, table["seed"].to_numpy()
    assert np.array_equal(editor.sample(labels[5:7], seeds[5:7]).images, pool.images[5:7])

    # The faces before are found again.
    sources = edited_sources(pool, real)
    rows = editor.source_rows(labels, seeds)
    assert np.array_equal(sources.images, real.resized(16).images[rows])
    with pytest.raises(StudyError, match="name a face that is not among the real ones"):
        edited_sources(pool, real.select(np.arange(3)))

    # An edited photograph is shown as one.
    assert kind_of_images(load_faces(tmp_path).table) == "photographs"


def test_a_finished_edited_pool_is_kept(real, tmp_path, monkeypatch):
    editor = with_editing(small_generator("diffusion"), real, 0.5)
    first = make_pool(editor, POOL, tmp_path)
    monkeypatch.setattr("lib.generators.pools.sample_pool", None)  # would fail if it were called
    assert make_pool(editor, POOL, tmp_path).digest() == first.digest()


def test_an_edited_pool_records_what_it_edits(real):
    generator = small_generator("diffusion")
    facts = with_editing(generator, real, 0.5).facts()
    assert facts["settings"] == generator.settings | {
        "edit_strength": 0.5,
        "edits": real.digest()[:16],
    }


def test_the_less_strength_the_nearer_to_the_face(real):
    labels, seeds = np.arange(7), np.arange(7)
    generator = small_generator("diffusion", diffusion_sample_steps=4)
    rows = with_editing(generator, real, 0.5).source_rows(labels, seeds)
    start = real.resized(16).images[rows]
    likeness = []
    for strength in (0.25, 0.5, 1.0):  # one, two and all of four steps
        images = with_editing(generator, real, strength).sample(labels, seeds).images
        likeness.append(np.corrcoef(images.ravel(), start.ravel())[0, 1])
    assert likeness[0] > likeness[1] > likeness[2]


def test_generators_that_cannot_edit_say_so(real):
    generator = small_generator("dcgan")
    assert with_editing(generator, real, 0.0) is generator
    message = "edit_strength is 0.5, but dcgan.*choose diffusion or stable"
    with pytest.raises(StudyError, match=message):
        with_editing(generator, real, 0.5).sample(np.arange(2), np.arange(2))
    with pytest.raises(StudyError, match=message):
        small_generator("dcgan", edit_strength=0.5)


def test_real_faces_of_one_class_cannot_be_edited_to_it(real):
    happy = real.select(real.table["class"] == "happy")
    with pytest.raises(StudyError, match="all of one class"):
        with_editing(small_generator("diffusion"), happy, 0.5).sample(
            happy.labels[:1], np.arange(1)
        )


def test_pictures_of_any_size_are_labelled_by_the_classifier(real, tmp_path):
    # A grey square in the middle of each picture, black around it.
    (tmp_path / "more").mkdir()
    for number, (height, width) in enumerate(((200, 160), (64, 64), (30, 90))):
        picture = np.zeros((height, width, 3), np.uint8)
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        picture[top : top + side, left : left + side] = 50 * (number + 1)
        cv2.imwrite(str(tmp_path / ("more" if number else ".") / f"{number}.png"), picture)
    classified = []

    def classify(images):
        classified.append(images)
        return np.eye(7)[[1, 3, 5]]

    faces = training_faces(str(tmp_path), 32, real, classify)
    assert faces.images.shape == (3, 32, 32)
    assert np.array_equal(classified[0], faces.images)

    # The middle square alone is left.
    levels = np.array([50, 100, 150])[:, None, None]
    assert np.abs(faces.images.astype(int) - levels).max() <= 1
    assert faces.table["class"].tolist() == [EMOTIONS[1], EMOTIONS[3], EMOTIONS[5]]
    assert set(faces.table["split"]) == {"train"}
    assert training_faces("", 32, real, classify) is real

    log = small_generator("dcgan", gan_steps=2, gan_batch=4).fit(faces, folder=tmp_path / "fit")
    assert log["step"].tolist() == [2]


def test_a_source_without_pictures_is_named(tmp_path):
    with pytest.raises(StudyError, match="gan_source.*no such file or folder"):
        read_pictures(tmp_path / "nowhere", 16)
    with pytest.raises(StudyError, match="gan_source.*holds no pictures"):
        read_pictures(tmp_path, 16)
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(StudyError, match="a.png"):
        read_pictures(tmp_path, 16)
