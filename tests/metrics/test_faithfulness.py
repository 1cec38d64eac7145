"""Faithfulness by attribute: a judge's agreement, prompts read into attributes, diversity at equal numbers; the blind spot check."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.attributes import groups_of, standing_out
from lib.faces.drawn import draw_faces
from lib.faces.faceset import CLASSES, FaceSet
from lib.generators.prompts import prompt_of, read_prompts
from lib.metrics import spotcheck
from lib.metrics.faithfulness import extremes, faithfulness, worst_prompts


def prompted(n: int = 560) -> FaceSet:
    words, labels = read_prompts(), np.arange(n) % 7
    told = [prompt_of(words, int(label), number // 8, balanced=False) for number, label in enumerate(np.repeat(labels[: n // 8], 8))]
    labels = np.repeat(labels[: n // 8], 8)
    table = pd.DataFrame({"id": [f"s{i}" for i in range(n)], "class": np.array(CLASSES)[labels], "split": "train", "source": "made"})
    return FaceSet(np.zeros((n, 8, 8), np.uint8), table.assign(prompt=told))


def judge(faces: FaceSet, wrong: np.ndarray) -> np.ndarray:
    return np.eye(7)[np.where(wrong, (faces.labels + 1) % 7, faces.labels)]


def test_prompts_are_read_into_their_attributes():
    faces = prompted()
    found = groups_of(faces.table)
    assert set(found) == {"class", "age", "ethnicity", "sex"}
    for text, age, sex in zip(faces.table["prompt"], found["age"], found["sex"]):
        assert f" {age} " in text and f" {sex}, " in text
    assert found["age"].notna().all() and "young adult" in set(found["age"])


def test_the_attribute_that_fails_is_named():
    faces = prompted()
    women = groups_of(faces.table)["sex"] == "female"
    features = np.random.default_rng(0).normal(size=(len(faces), 16))
    features[women] = features[0]  # all alike
    table = faithfulness({"stable": faces}, {"stable": judge(faces, women.to_numpy())}, {"stable": features}, seed=0)
    of = table[table["attribute"] == "sex"].set_index("value")
    assert of.loc["female", "shown"] == 0 and of.loc["male", "shown"] == 1 and of["n"].sum() == len(faces)
    assert of.loc["female", "vendi"] == pytest.approx(1) and of.loc["male", "vendi"] > 10
    assert of["vendi_n"].nunique() == 1
    apart = standing_out(table, "shown", ["pool", "attribute"])
    assert apart.iloc[0][["pool", "attribute", "highest", "lowest"]].tolist() == ["stable", "sex", "male", "female"]
    assert extremes(table)["name"].iloc[:2].tolist() == ["stable, sex: male", "stable, sex: female"]


def test_the_worst_combinations_come_first():
    faces = prompted()
    first = faces.table["prompt"] == faces.table["prompt"].iloc[0]
    worst = worst_prompts(faces, judge(faces, first.to_numpy()), most=3)
    assert worst.iloc[0]["shown"] == 0 and worst.iloc[0]["class"] == faces.table["class"].iloc[0] and (worst["shown"].iloc[1:] == 1).all()
    assert len(worst_prompts(draw_faces(np.arange(7), np.arange(7)), np.eye(7))) == 0


def test_drawn_faces_are_told_by_what_is_known_of_them():
    found = groups_of(draw_faces(np.arange(70) % 7, np.arange(70)).table)
    assert {"class", "glasses", "yaw"} <= set(found) and found["yaw"].nunique() == 3


def test_the_spot_check_hides_labels_and_counts_what_was_seen(tmp_path):
    pools = {name: draw_faces(np.arange(21) % 7, start + np.arange(21)) for name, start in (("a", 0), ("b", 100))}
    drawn = spotcheck.sample(pools, per_class=2, seed=0)
    assert len(drawn) == 28 and drawn["pool"].nunique() == 2 and drawn["pool"].iloc[:14].nunique() == 2
    file = tmp_path / "spot_check.csv"
    for _, row in drawn.iterrows():
        spotcheck.answer(file, row, row["class"] if row["pool"] == "a" else CLASSES[0])
    spotcheck.answer(file, drawn.iloc[0], drawn["class"].iloc[0])  # once more: counts once
    whole = spotcheck.told(file).query("`class` == 'all'").set_index("pool")
    assert whole.loc["a", "n"] == 14 and whole.loc["a", "shown"] == 1 and whole.loc["b", "shown"] < 0.3
    assert len(spotcheck.told(tmp_path / "none.csv")) == 0


def test_the_panel_writes_each_answer(tmp_path, capsys):
    pytest.importorskip("ipywidgets")
    pools, file = {"a": draw_faces(np.arange(14) % 7, np.arange(14))}, tmp_path / "spot_check.csv"
    panel = spotcheck.spot_check(pools, file, per_class=1, interactive=True)
    panel.children[2].children[3].click()
    panel.children[3].value = "1"
    panel.children[3].value = "12x"
    assert spotcheck.read_answers(file)["said"].tolist() == ["happy", "angry", "disgust"] and panel.children[0].value == 3
    assert spotcheck.spot_check(pools, file, interactive=False) is None and "JupyterLab" in capsys.readouterr().out
