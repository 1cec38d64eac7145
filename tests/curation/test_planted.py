"""Planted failures: as many as asked for, recognisable, and counted right."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.attributes import group
from lib.curation.bias import bias_table, strongest_bias
from lib.curation.planted import plant_failures, step_quality, without_copies
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.params import load_params

PARAMS = load_params("quick")


def textures(n, seed, name):
    rng = np.random.default_rng(seed)
    images = rng.integers(20, 230, (n, 12, 12), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    table = pd.DataFrame(
        {"id": [f"{name}{k}" for k in range(n)], "class": np.array(CLASSES)[rng.integers(0, 7, n)], "split": "train", "source": "test"}
    )
    return FaceSet(images, table)


@pytest.fixture
def planted():
    return plant_failures(textures(400, 0, "i"), share=0.05, seed=1, train=textures(50, 2, "t"), held_out=textures(50, 3, "h"))


def test_each_kind_is_planted_as_often_as_asked(planted):
    counts = planted.table["planted"].value_counts()
    assert set(counts[counts.index != ""]) == {20} and len(counts) == 11
    assert len(planted) == 400 and planted.table["id"].is_unique


def test_what_faults_are_planted_into_holds_no_copies():
    faces = textures(100, 0, "i")
    faces = FaceSet(faces.images, faces.table.assign(cluster=np.arange(100) // 2, leaked=np.arange(100) < 20))
    base, others = without_copies(faces, n=30, seed=0)
    assert len(base) == 30 and base.table["cluster"].is_unique and not base.table["leaked"].any()
    assert not set(base.table["cluster"]) & set(others.table["cluster"]) and len(others) == 100 - 2 * 30
    plain = textures(100, 0, "i")
    assert [len(part) for part in without_copies(plain, n=30, seed=0)] == [30, 70]
    assert [len(part) for part in without_copies(plain, n=500, seed=0)] == [50, 50]


def test_same_seed_same_faults():
    faces = textures(100, 0, "i")
    a, b, c = (plant_failures(faces, share=0.05, seed=s) for s in (1, 1, 2))
    assert a.digest() == b.digest() != c.digest()


def test_untouched_images_and_wrong_labels_are_what_they_say(planted):
    before = textures(400, 0, "i").table.set_index("id")
    after = planted.table.set_index("id")
    wrong = after["planted"] == "wrong label"
    assert (after.loc[wrong, "class"] != before.loc[wrong[wrong].index, "class"]).all()
    assert (after.loc[~wrong, "class"] == before.loc[after.index[~wrong], "class"]).all()


def test_copies_stand_behind_their_originals(planted):
    kinds = planted.table["planted"].to_numpy()
    clean = {image.tobytes(): i for i, image in enumerate(planted.images) if kinds[i] == ""}
    assert all(clean[planted.images[i].tobytes()] < i for i in np.flatnonzero(kinds == "exact copy"))


def test_certain_steps_find_all_and_only_their_faults(planted):
    quality = step_quality(planted, ["blank", "exact_copy"], PARAMS).set_index(["step", "measure"])
    assert quality.loc[("blank", "recall of blank"), "share"] == 1.0
    assert quality.loc[("blank", "clean images rejected"), "share"] == 0.0
    assert quality.loc[("exact_copy", "precision"), "share"] == 1.0
    assert 0.8 < quality.loc[("blank", "recall of blank"), "low"] < 1.0  # twenty of twenty do not prove all


def test_rejections_by_attribute():
    faces = textures(6, 0, "i")
    faces = FaceSet(faces.images, faces.table.assign(glasses=[0, 0, 0, 1, 1, 1]))
    table = bias_table(faces, np.array([True, True, False, False, False, False])).query("attribute == 'glasses'").set_index("value")
    assert table.index.tolist() == ["0", "1"]
    assert table["rejected"].tolist() == [1, 3] and np.isclose(table.loc["0", "share"], 1 / 3)


def test_many_numbers_are_cut_into_groups_of_one_size_and_turns_by_how_far():
    values = pd.Series([-0.5, 0.1, 0.2, 0.3, -0.4, 0.6, np.nan, 0.0, 0.7], index=range(10, 19))
    assert group(values, "skin", bins=2).value_counts().tolist() == [4, 4] and group(values, "skin").isna().tolist()[6]
    lowest, *_, highest = group(values, "yaw", bins=4).cat.categories
    assert group(values, "yaw", bins=4)[10] not in (lowest, highest) and lowest.startswith("0 to") and highest.endswith("0.7")


def test_bias_table_takes_the_attributes_that_there_are():
    faces = textures(60, 0, "i")
    faces = FaceSet(faces.images, faces.table.assign(glasses=np.arange(60) % 2 == 0, yaw=np.linspace(-1, 1, 60), beard=0.0))
    table = bias_table(faces, np.abs(np.linspace(-1, 1, 60)) < 0.6)
    assert set(table["attribute"]) == {"class", "glasses", "yaw"}  # a beard of 0 everywhere tells nothing
    yaw = table[table["attribute"] == "yaw"]
    assert yaw["share"].tolist()[0] == 0 and yaw["share"].tolist()[-1] == 1  # turned either way


def test_many_equal_values_are_cut_into_none_and_some():
    faces = textures(60, 0, "i")
    faces = FaceSet(faces.images, faces.table.assign(beard=np.where(np.arange(60) < 40, 0.0, np.linspace(0.1, 1, 60))))
    assert bias_table(faces, np.ones(60, bool)).query("attribute == 'beard'")["n"].tolist() == [40, 20]


def test_only_biases_that_the_intervals_bear_out_are_named():
    faces = textures(200, 0, "i")
    faces = FaceSet(faces.images, faces.table.assign(glasses=np.arange(200) % 2 == 0, hidden=np.arange(200) % 4 < 2))
    keep = ~((np.arange(200) % 2 == 0) & (np.arange(200) < 160))
    strongest = strongest_bias(bias_table(faces, keep))
    assert strongest["attribute"].tolist() == ["glasses"]
    assert strongest.iloc[0][["highest", "highest_share", "lowest", "lowest_share"]].tolist() == ["True", 0.8, "False", 0.0]
