"""Drawn and ready-made pools: what the study plants in them is what it says."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.faceset import CLASSES, FaceSet
from lib.generators import drawn, folder
from lib.study.errors import StudyError
from lib.study.params import load_params


def pool_of(name, n=350):
    from lib.generators.contract import make_generator
    from lib.generators.pools import plan_pool

    params = load_params("quick", pool=name) | {"pool_images": n}
    return make_generator(params).sample(*plan_pool(params))


def test_the_faithful_pool_has_right_labels_and_a_new_person_an_image():
    table = pool_of("drawn-faithful").table
    assert (table["class"] == table["true_class"]).all() and table["identity"].is_unique


def test_the_narrow_pool_draws_from_eight_people():
    assert pool_of("drawn-narrow").table["identity"].nunique() == 8


def test_the_mislabelled_pool_has_the_stated_share_of_wrong_labels():
    table = pool_of("drawn-mislabelled").table
    assert abs((table["class"] != table["true_class"]).mean() - 0.6) < 0.08  # three standard errors of 350


def test_a_drawn_image_depends_on_its_label_and_seed_alone():
    generator, labels, seeds = drawn.Drawn(), np.arange(7), np.arange(7) + 10**12
    assert np.array_equal(generator.sample(labels, seeds).images[4:5], generator.sample(labels[4:5], seeds[4:5]).images)


@pytest.fixture
def ready_made():
    names = ["fear/10.png", "happy/9.png", "sad/new.png", "fear/img_2.png"]
    table = pd.DataFrame(
        {"id": names, "class": [name.split("/")[0] for name in names], "split": "train", "source": "synthetic", "file": names}
    )
    images = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    return FaceSet(images, table)


def test_ready_made_images_come_in_order_of_generation(ready_made):
    faces = ready_made
    assert folder.generation_order(faces.table["file"]).tolist() == [3, 1, 0, 2]


def test_ready_made_images_keep_their_labels(ready_made, tmp_path):
    from lib.generators.pools import make_pool

    faces = ready_made
    generator = folder.Folder(FaceSet(faces.images, faces.table.assign(seed=np.arange(4))), "there")
    pool = make_pool(generator, {"generator": "folder", "pool": "folder", "pool_images": 0}, tmp_path)
    assert pool.table["class"].tolist() == ["fear", "happy", "sad", "fear"] and np.array_equal(pool.images, faces.images)
    with pytest.raises(StudyError, match="9 images asked for, 4 there"):
        make_pool(generator, {"generator": "folder", "pool": "folder", "pool_images": 9}, tmp_path / "more")
    with pytest.raises(StudyError, match=f"image 0 is fear, not {CLASSES[0]}"):
        generator.sample(np.array([0]), np.array([0]))
    with pytest.raises(StudyError, match="--synthetic PATH"):
        folder.read_folder("")
