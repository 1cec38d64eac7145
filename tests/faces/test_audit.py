"""The audit's tables on sets made by hand, where every number can be counted."""

import numpy as np
import pandas as pd
import pytest

from lib.faces import audit
from lib.faces.classes import EMOTIONS
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import FaceSet
from lib.faces.loading import limited


def faces_of(images, names, splits, classes=EMOTIONS, **columns):
    table = pd.DataFrame(
        {
            "id": [str(i) for i in range(len(images))],
            "class": names,
            "split": splits,
            "source": "made",
            **columns,
        }
    )
    return FaceSet(np.asarray(images, np.uint8), table, classes)


def noise(n):
    return np.random.default_rng(0).integers(0, 256, (n, 24, 24), dtype=np.uint8)


def test_class_counts_have_every_class_and_a_total():
    names, splits = ["happy", "happy", "sad", "happy"], ["train", "test", "train", "train"]
    counts = audit.class_counts(faces_of(noise(4), names, splits)).set_index("class")
    assert list(counts.index) == [*EMOTIONS, "all"] and list(counts.columns) == ["train", "test"]
    assert counts.loc["happy"].tolist() == [2, 1] and counts.loc["angry"].tolist() == [0, 0]
    assert counts.loc["all"].tolist() == [3, 1]
    pets = faces_of(noise(2), "dog", "train", ("cat", "dog"))
    assert audit.class_counts(pets)["class"].tolist() == ["cat", "dog", "all"]


def test_copies_are_counted():
    a, b, c = np.clip(noise(3), 10, 240)
    blank = np.full_like(a, 7)
    images = [a, a, b, b + 1, blank, c, a]
    names = ["happy", "sad", "fear", "fear", "angry", "sad", "happy"]
    splits = ["train", "test", "train", "val", "train", "test", "train"]
    faces = faces_of(images, names, splits)
    numbers = audit.copies(mark_copies(faces, 2.0)).set_index("measure")["images"]
    assert numbers.to_dict() == {
        "images": 7,
        "different images": 5,
        "groups of identical images": 1,
        "groups of identical images with conflicting labels": 1,
        "different images, near-copies counted once": 4,
        "blank images (standard deviation under 5)": 1,
        "test images with an exact copy in training": 1,
        "test images with an exact or near copy in training": 1,
        "validation images with an exact copy in training": 0,
        "validation images with an exact or near copy in training": 1,
    }


def test_picture_statistics_equal_numpys():
    images = noise(5)
    images[0] = 100
    faces = faces_of(images, "sad", ["train"] * 3 + ["test"] * 2)
    table = audit.picture_statistics(faces).set_index(["measure", "split"])
    spread = images[:3].std(axis=(1, 2))
    assert table.loc[("brightness", "test"), "mean"] == pytest.approx(images[3:].mean())
    assert table.loc[("contrast", "train"), "max"] == pytest.approx(spread.max())
    assert table.loc[("sharpness", "train"), "min"] == 0
    assert table.loc[("sharpness", "test"), "min"] > 1000


def test_agreement_counts_pluralities_alone():
    names = ["happy", "happy", "sad", "fear", "fear"]
    plurality = ["happy", "sad", "sad", None, ""]
    faces = faces_of(noise(5), names, "train", plus_class=plurality)
    table = audit.annotator_agreement(faces).set_index("class")
    assert table.loc["happy"].tolist() == [2, 0.5] and table.loc["sad"].tolist() == [1, 1.0]
    assert table.loc["all"].tolist() == [3, pytest.approx(2 / 3)]
    assert np.isnan(table.loc["fear", "agreement"])


def test_label_noise_by_split():
    names, splits = ["happy", "sad", "sad", "fear"], ["train", "train", "test", "test"]
    true = ["happy", "fear", "sad", "fear"]
    table = audit.label_noise(faces_of(noise(4), names, splits, true_class=true))
    table = table.set_index("split")
    assert table.loc["train"].tolist() == [2, 0.5] and table.loc["test"].tolist() == [2, 0.0]


def test_labels_are_compared_with_the_best_truth_that_is_known():
    names, splits = ["happy", "sad"], ["train", "test"]
    nothing = faces_of(noise(2), names, splits)
    assert audit.label_quality(nothing).empty
    voted = nothing.with_columns(plus_class=["happy", None])
    assert audit.label_quality(voted).equals(audit.annotator_agreement(voted))
    drawn = nothing.with_columns(source="drawn", true_class=["happy", "fear"])
    assert audit.label_quality(drawn).equals(audit.label_noise(drawn))


def test_limits_keep_class_shares_and_are_repeatable():
    names = ["happy"] * 60 + ["sad"] * 20 + ["happy"] * 30 + ["fear"] * 10
    faces = faces_of(noise(120), names, ["train"] * 80 + ["test"] * 40)
    small = limited(faces, 20, 0, 3)
    assert small.split("train").counts()[["happy", "sad"]].tolist() == [15, 5]
    assert len(small.split("test")) == 40
    assert small.digest() == limited(faces, 20, 0, 3).digest() != limited(faces, 20, 0, 4).digest()
    assert len(limited(faces, 0, 8, 3).split("test")) == 8 and len(limited(faces, 0, 0, 3)) == 120
