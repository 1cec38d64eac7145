"""Injected faults: as many as asked for, recognisable, and counted right."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.injected_faults import (
    COST,
    PRECISION,
    RECALL,
    TARGETS,
    inject_faults,
    quality_of_steps,
    split_without_copies,
    step_quality,
)
from lib.curation.steps import StepInputs
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet
from lib.study.params import load_params

PARAMS = load_params("quick")


def textures(n, seed, name, classes=EMOTIONS):
    rng = np.random.default_rng(seed)
    images = rng.integers(20, 230, (n, 12, 12), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    table = {
        "id": [f"{name}{k}" for k in range(n)],
        "class": np.array(classes)[rng.integers(0, len(classes), n)],
        "split": "train",
        "source": "test",
    }
    return FaceSet(images, pd.DataFrame(table), classes)


@pytest.fixture
def faulty():
    return inject_faults(
        textures(400, 0, "i"),
        share=0.05,
        seed=1,
        train=textures(50, 2, "t"),
        held_out=textures(50, 3, "h"),
    )


def test_each_kind_is_injected_as_often_as_asked(faulty):
    counts = faulty.table["injected"].value_counts()
    assert set(counts[counts.index != ""]) == {20} and len(counts) == 11
    assert len(faulty) == 400 and faulty.table["id"].is_unique


def test_the_images_that_get_faults_hold_no_copies():
    faces = textures(100, 0, "i").with_columns(
        cluster=np.arange(100) // 2, leaked=np.arange(100) < 20
    )
    clean, others = split_without_copies(faces, n=30, seed=0)
    assert len(clean) == 30 and len(others) == 100 - 2 * 30
    assert clean.table["cluster"].is_unique and not clean.table["leaked"].any()
    assert not set(clean.table["cluster"]) & set(others.table["cluster"])


@pytest.mark.parametrize(("n", "sizes"), [(30, [30, 70]), (500, [50, 50])])
def test_half_of_the_images_stay_to_take_faults_from(n, sizes):
    parts = split_without_copies(textures(100, 0, "i"), n=n, seed=0)
    assert [len(part) for part in parts] == sizes


def test_same_seed_same_faults():
    faces = textures(100, 0, "i")
    a, b, c = (inject_faults(faces, share=0.05, seed=s).digest() for s in (1, 1, 2))
    assert a == b != c


def test_untouched_images_and_wrong_labels_are_what_they_say(faulty):
    before = textures(400, 0, "i").table.set_index("id")["class"]
    after = faulty.table.set_index("id")
    wrong = after["injected"] == "wrong label"
    changed = after["class"] != before.reindex(after.index)
    assert changed.equals(wrong.rename(changed.name))


def test_wrong_labels_are_classes_of_the_set():
    classes = ("no", "perhaps", "yes")
    faulty = inject_faults(textures(200, 0, "i", classes), share=0.05, seed=1)
    before = textures(200, 0, "i", classes).table.set_index("id")["class"]
    wrong = faulty.table[faulty.table["injected"] == "wrong label"].set_index("id")["class"]
    assert set(wrong) <= set(classes) and (wrong != before.reindex(wrong.index)).all()
    assert faulty.classes == classes


def test_copies_stand_behind_their_originals(faulty):
    kinds = faulty.table["injected"].to_numpy()
    clean = {image.tobytes(): i for i, image in enumerate(faulty.images) if kinds[i] == ""}
    for i in np.flatnonzero(kinds == "exact copy"):
        assert clean[faulty.images[i].tobytes()] < i


def test_certain_steps_find_all_and_only_their_faults(faulty):
    quality = step_quality(faulty, ["blank", "exact_copy"], PARAMS)
    share = quality.set_index(["step", "measure", "fault"])["share"]
    assert share["blank", RECALL, "blank"] == 1.0
    assert share["blank", COST, ""] == 0.0
    assert share["exact_copy", PRECISION, ""] == 1.0
    # Twenty of twenty do not prove all.
    assert 0.8 < quality.query("fault == 'blank'")["low"].item() < 1.0


@pytest.mark.parametrize("are_faces", [True, False])
def test_every_step_that_finds_faults_is_measured(are_faces):
    inputs = StepInputs(
        held_out=textures(200, 0, "i"),
        train=textures(60, 2, "t"),
        features=lambda images: images.reshape(len(images), -1).astype(np.float32),
        are_faces=are_faces,
    )

    def classify(images):
        return np.full((len(images), 7), 1 / 7, np.float32)

    quality = quality_of_steps(PARAMS, inputs, classify)
    expected = [step for step in TARGETS if are_faces or step != "face"]
    assert quality["step"].unique().tolist() == expected
    # A hundred clean images, 4% of which get each of ten kinds of fault, eight without faces.
    cost = quality[(quality["step"] == "blank") & (quality["measure"] == COST)]
    assert cost["n"].item() == (60 if are_faces else 68)
