"""The reported numbers are those of the three studies, and ours stand beside them where the arms
correspond.
"""

import pandas as pd
import pytest

from lib.faces.arms import Arm
from lib.metrics.reported import load_reported, reported_beside_ours
from lib.study.errors import StudyError


def result(arm: Arm, seed: int, value: float, metric: str = "accuracy") -> dict:
    fields = {"kind": arm.kind, "pool": arm.pool, "share": arm.share}
    fields |= {"control_of": arm.control_of, "only": arm.only, "generation": arm.generation}
    about = {"arm": arm.name, "classifier": "small", "seed": seed, "split": "test", "class": ""}
    return fields | about | {"metric": metric, "value": value}


@pytest.fixture
def results() -> pd.DataFrame:
    folder = Arm("supplement", "folder", 0.0712)
    others = [
        Arm("shuffled", "folder", 0.0712, control_of="supplement"),
        Arm("filtered", "folder", 0.0712, only="blur"),
        Arm("supplement", "folder", 0.0712, generation=2),
        Arm("supplement", "dcgan", 0.0712),
    ]
    rows = [result(folder, seed, 0.6 + seed / 100) for seed in range(3)]
    rows += [result(other, 0, 0.1) for other in others]
    return pd.DataFrame(rows)


def test_accuracies_of_s1_are_as_reported():
    s1 = load_reported().query("study == 'S1' and metric == 'accuracy'")["value"]
    assert s1.tolist() == [0.5788, 0.5856, 0.5712, 0.5754]
    assert s1.std() == pytest.approx(0.0061, abs=5e-5)


def test_numbers_of_s2_are_as_reported():
    table = load_reported()
    assert len(table.query("report == 'proposal'")) == 30
    f1 = table.query("report == 'final report' and metric == 'f1_macro'")["value"]
    assert (len(f1), f1.min(), f1.max()) == (21, 0.1746, 0.2533)


def test_difficult_frames_have_classes_and_counts_their_total():
    table = load_reported()
    frames = table[table["metric"].isin([f"frame_{number}" for number in range(1, 5)])]
    assert len(frames) == 8
    assert frames["actual"].tolist()[:4] == ["surprise", "fear", "disgust", "fear"]
    false = table[table["metric"] == "false_detections"]
    assert false["of"].tolist() == [1323, 435, 523, 1686, 1283]


def test_our_mean_and_range_stand_beside_the_arm_that_corresponds(results):
    table = reported_beside_ours(load_reported(), results).query("study == 'S1'")
    table = table.set_index(["arm", "metric"])
    row = table.loc[("+ 2,209", "accuracy")]
    assert row["our_arm"] == "supplement-0.0712-folder"
    assert (row["ours"], row["n_seeds"]) == (pytest.approx(0.61), 3)
    assert (row["low"], row["high"]) == (pytest.approx(0.6), pytest.approx(0.62))
    assert pd.isna(table.loc[("+ 5,096", "accuracy"), "ours"])


def test_ours_is_empty_where_the_data_say_nothing_about_the_studies(results):
    table = reported_beside_ours(load_reported(), results, why_not="these data are drawn")
    assert table["ours"].isna().all()
    whole = reported_beside_ours(load_reported(), results)
    assert len(table) == len(whole)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{study: S1}", "S1, \\?: key 'report' is missing"),
        ("{studie: S1}", "key is 'studie', did you mean 'study'"),
        ("values: {accurcy: 1}", "values is 'accurcy', did you mean 'accuracy'"),
        ("ours: {kind: supplement, share: 0.07, pools: [folder]}", "ours.share is 0.07"),
        ("ours: {kind: supplement, share: 0.5, pools: [stable-diffusion]}", "ours.pools is"),
    ],
)
def test_an_entry_that_nothing_corresponds_to_is_refused(tmp_path, entry, message):
    file = tmp_path / "reported.yaml"
    required = "study: S1, report: paper, arm: base"
    if not entry.startswith("{"):
        values = "" if entry.startswith("values") else ", values: {accuracy: 1}"
        entry = f"{{{required}, {entry}{values}}}"
    file.write_text(f"reports:\n- {entry}\n")
    with pytest.raises(StudyError, match=message) as raised:
        load_reported(file)
    assert str(file) in str(raised.value)
