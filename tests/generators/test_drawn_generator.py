"""Drawn and ready-made pools: their known properties are what their settings say."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet
from lib.generators import folder
from lib.generators.contract import make_generator
from lib.generators.drawn import DrawnGenerator
from lib.generators.pools import make_pool, plan_pool
from lib.study.errors import StudyError
from lib.study.params import load_params

FOLDER = {"generator": "folder", "pool": "folder", "pool_images": 0}


def pool_of(name, n=350, classes=EMOTIONS):
    params = load_params("quick", pool=name) | {"pool_images": n}
    generator = make_generator(params, classes)
    return generator.sample(*plan_pool(params, classes))


def test_the_faithful_pool_has_right_labels_and_a_new_person_an_image():
    table = pool_of("drawn-faithful").table
    assert (table["class"] == table["true_class"]).all()
    assert table["identity"].is_unique


def test_the_narrow_pool_draws_from_eight_people():
    assert pool_of("drawn-narrow").table["identity"].nunique() == 8


def test_the_mislabelled_pool_has_the_stated_share_of_wrong_labels():
    table = pool_of("drawn-mislabelled").table
    share = (table["class"] != table["true_class"]).mean()
    assert abs(share - 0.6) < 0.08  # three standard errors of 350


def test_a_drawn_image_depends_on_its_class_and_seed_alone():
    seeds = np.arange(7) + 10**12
    every = DrawnGenerator(px=48, classes=EMOTIONS).sample(np.arange(7), seeds)
    some = DrawnGenerator(px=48, classes=("fear", "neutral")).sample(np.array([1]), seeds[4:5])
    assert EMOTIONS[4] == "neutral"
    assert np.array_equal(every.images[4:5], some.images)


def test_a_pool_of_some_emotions_states_and_draws_no_others():
    classes = ("fear", "happy", "sad")
    pool = pool_of("drawn-mislabelled", 90, classes)
    assert pool.classes == classes
    assert pool.counts().tolist() == pytest.approx([30, 30, 30], abs=20)  # wrong labels move some
    assert set(pool.table["true_class"]) == set(pool.table["class"]) == set(classes)


def test_classes_that_cannot_be_drawn_are_named():
    with pytest.raises(StudyError, match="cannot show 'contempt'; they show angry, .*surprise"):
        pool_of("drawn-faithful", classes=("angry", "contempt"))


@pytest.fixture
def ready_made():
    names = ["fear/10.png", "happy/9.png", "sad/new.png", "fear/img_2.png"]
    table = pd.DataFrame(
        {
            "id": names,
            "class": [name.split("/")[0] for name in names],
            "split": "train",
            "source": "synthetic",
            "file": names,
            "seed": np.arange(4),
        }
    )
    images = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    return FaceSet(images, table)


def write_pictures(place, names):
    for name in names:
        (place / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(place / name), np.full((8, 8), 100, np.uint8))


def test_ready_made_images_come_in_order_of_generation(ready_made):
    assert folder.generation_order(ready_made.table["file"]).tolist() == [3, 1, 0, 2]


def test_ready_made_images_keep_their_labels(ready_made, tmp_path):
    generator = folder.FolderGenerator(ready_made, "there")
    pool = make_pool(generator, FOLDER, tmp_path)
    assert pool.table["class"].tolist() == ["fear", "happy", "sad", "fear"]
    assert np.array_equal(pool.images, ready_made.images)
    with pytest.raises(StudyError, match=f"image 0 is fear, not {EMOTIONS[0]}"):
        generator.sample(np.array([0]), np.array([0]))


def test_more_ready_made_images_than_there_are_is_named(ready_made, tmp_path):
    generator = folder.FolderGenerator(ready_made, "there")
    with pytest.raises(StudyError, match="9 images asked for, 4 there"):
        make_pool(generator, FOLDER | {"pool_images": 9}, tmp_path)
    with pytest.raises(StudyError, match="9 images asked for, 4 there"):
        generator.sample(np.array([0]), np.array([8]))
    with pytest.raises(StudyError, match="--synthetic PATH"):
        folder.read_folder("", EMOTIONS)


def test_ready_made_images_have_the_class_list_of_the_real_faces(tmp_path):
    write_pictures(tmp_path, ["happy/2.png", "sad/1.png"])
    generator = folder.read_folder(str(tmp_path), ("fear", "happy", "sad"))
    assert generator.classes == ("fear", "happy", "sad")
    assert generator.ready_made_labels.tolist() == [2, 1]
    assert generator.facts()["learnt_from"]["kind"] == "external"


def test_ready_made_images_of_emotions_that_are_not_studied_are_left_out(tmp_path, capsys):
    write_pictures(tmp_path, ["happy/2.png", "sad/1.png", "fear/3.png"])
    generator = folder.read_folder(str(tmp_path), ("fear", "happy"))
    assert generator.faces.table["class"].tolist() == ["happy", "fear"]
    announced = capsys.readouterr().out
    assert "left out" in announced and "sad (1)" in announced


def test_a_folder_that_names_no_class_is_named_with_the_classes_there_are(tmp_path):
    write_pictures(tmp_path, ["happy/2.png", "cat/1.png"])
    with pytest.raises(StudyError, match="cat.*Classes are fear, happy"):
        folder.read_folder(str(tmp_path), ("fear", "happy"))


def test_a_pool_records_its_classes_and_that_it_learnt_from_elsewhere(tmp_path):
    generator = DrawnGenerator(px=16, classes=("fear", "happy"))
    facts = json.loads(generator.save(tmp_path).read_text())
    assert facts["classes"] == ["fear", "happy"]
    external = {"kind": "external", "images": 0, "digest": "", "class_counts": []}
    assert facts["learnt_from"] == external


COUNTERS = {
    "a counter and a seed": ["00039-{s}.png", "angry/00039-{s}.png", "{n:05d}-{s}-a face.png"],
    "a prompt with numbers": ["{n:05d}-{s}-a person of {a} years.png"],
    "a date": ["2024-05-01-{n:04d}.png", "20240501_{n}.png"],
    "a total": ["image_{n}_of_40.png"],
    "a seed by name": ["img{n}_seed{s}.png", "seed-{s} {n}.png", "{n}-seed_{s}.png"],
    "a counter alone": ["{n}.png", "happy_{n:03d}.png", "ComfyUI_{n:05d}_.png", "seed{n:04d}.png"],
    "a size": ["face_48x48_{n}.png", "{n}_48x48.png"],
}


@pytest.mark.parametrize("pattern", [one for group in COUNTERS.values() for one in group])
def test_images_come_in_the_order_of_their_counter_whatever_else_is_numbered(pattern):
    rng = np.random.default_rng(0)
    pattern = pattern.replace("00039", "{n:05d}")
    counters = rng.permutation(40)
    names = [
        f"happy/{pattern.format(n=n, s=rng.integers(10**9), a=rng.integers(20, 70))}"
        for n in counters
    ]
    assert counters[folder.generation_order(names)].tolist() == list(range(40))


def test_counters_that_begin_anew_in_each_class_are_found(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"{kind}/{n:05d}-{rng.integers(10**9)}.png" for kind in "abc" for n in range(9)]
    ordered = [names[i] for i in folder.generation_order(names)]
    assert [name.split("/")[1][:5] for name in ordered] == sorted(
        name.split("/")[1][:5] for name in names
    )


def test_ready_made_images_in_a_table_are_in_its_order(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    rows = [f"{3 + i % 2},{' '.join(map(str, image.ravel()))}" for i, image in enumerate(images)]
    (tmp_path / "made.csv").write_text("\n".join(["emotion,pixels", *rows]))
    generator = folder.read_folder(str(tmp_path / "made.csv"), EMOTIONS)
    assert (generator.faces.images == images).all()
    assert generator.faces.table["class"].tolist() == ["happy", "sad"] * 3
