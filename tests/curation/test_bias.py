"""Bias: images are grouped by what is known of them; only differences beyond chance are named."""

import numpy as np
import pandas as pd

from lib.curation.attributes import group
from lib.curation.bias import bias_table, strongest_bias
from lib.curation.injected_faults import RECALL
from lib.curation.summary import class_shift, findings
from lib.faces.faceset import FaceSet


def faces_of(n, **columns):
    table = {
        "id": [f"i{k}" for k in range(n)],
        "class": np.array(["happy", "sad"])[np.arange(n) % 2],
        "split": "train",
        "source": "test",
        **columns,
    }
    return FaceSet(np.zeros((n, 8, 8), np.uint8), pd.DataFrame(table))


def test_rejections_are_counted_by_attribute():
    faces = faces_of(6, glasses=[0, 0, 0, 1, 1, 1])
    table = bias_table(faces, np.array([True, True, False, False, False, False]))
    glasses = table.query("attribute == 'glasses'").set_index("value")
    assert glasses.index.tolist() == ["0", "1"]
    assert glasses["rejected"].tolist() == [1, 3]
    assert np.isclose(glasses.loc["0", "share"], 1 / 3)


def test_many_numbers_are_cut_into_groups_of_one_size():
    values = pd.Series([-0.5, 0.1, 0.2, 0.3, -0.4, 0.6, np.nan, 0.0, 0.7], index=range(10, 19))
    assert sorted(group(values, "skin").value_counts()) == [2, 3, 3]
    assert group(values, "skin").isna().tolist()[6]


def test_turns_are_grouped_by_how_far_and_not_by_the_side():
    values = pd.Series([-0.5, 0.1, 0.2, 0.3, -0.4, 0.6, np.nan, 0.0, 0.7], index=range(10, 19))
    groups = group(values, "yaw")
    lowest, *_, highest = groups.cat.categories
    assert lowest.startswith("0 to") and highest.endswith("0.7")
    assert groups[10] == highest and groups[14] not in (lowest, highest)


def test_only_attributes_that_vary_are_in_the_table():
    turn = np.linspace(-1, 1, 60)
    faces = faces_of(60, glasses=np.arange(60) % 2 == 0, yaw=turn, beard=0.0)
    table = bias_table(faces, np.abs(turn) < 0.6)
    # A beard of 0 everywhere tells nothing.
    assert set(table["attribute"]) == {"class", "glasses", "yaw"}
    yaw = table[table["attribute"] == "yaw"]
    assert yaw["share"].tolist()[0] == 0 and yaw["share"].tolist()[-1] == 1


def test_many_equal_values_are_cut_into_none_and_some():
    beard = np.where(np.arange(60) < 40, 0.0, np.linspace(0.1, 1, 60))
    table = bias_table(faces_of(60, beard=beard), np.ones(60, bool))
    assert table.query("attribute == 'beard'")["n"].tolist() == [40, 20]


def test_only_biases_beyond_the_intervals_are_named():
    numbers = np.arange(200)
    faces = faces_of(200, glasses=numbers % 2 == 0, hidden=numbers % 4 < 2)
    faces = faces.with_columns(**{"class": "happy"})
    keep = ~((numbers % 2 == 0) & (numbers < 160))
    strongest = strongest_bias(bias_table(faces, keep))
    assert strongest["attribute"].tolist() == ["glasses"]
    columns = ["highest", "highest_share", "lowest", "lowest_share"]
    assert strongest.iloc[0][columns].tolist() == ["yes", 0.8, "no", 0.0]


def test_the_findings_name_steps_and_attributes_in_words_and_numbers_with_commas():
    rejected = np.arange(2000) < 1200
    verdicts = pd.DataFrame({"id": np.arange(2000).astype(str), "step": "near_copy"})
    verdicts = verdicts.assign(keep=~rejected, score=0.0, reason="", relabel="")
    faces = faces_of(2000, age_lines=rejected)
    faces = faces.with_columns(id=verdicts["id"].to_numpy())
    columns = ["step", "measure", "fault", "share", "low", "high", "n"]
    quality = pd.DataFrame([("leak", RECALL, "copy", 0.5, 0.3, 0.7, 20)], columns=columns)
    shift = class_shift(faces, verdicts)
    sentences = findings("p", faces, verdicts, shift, bias_table(faces, ~rejected), quality)
    assert sentences[:2] == [
        "p: 1,200 of 2,000 images rejected, 60.0% (95% interval 57.8% to 62.1%)",
        "most of them by the step “near-copy” (1,200 images)",
    ]
    bias = "100.0% are rejected where it is yes, 0.0% where it is no"
    assert f"the detector's bias by age lines: {bias}" in sentences
    weakest = "“copy of a test image” finds 50% of the injected faults “copy” (30% to 70%, n 20)"
    assert sentences[-1] == f"weakest step: {weakest}"
