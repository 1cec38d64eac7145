"""Faithfulness by attribute: agreement with a classifier, prompts read into attributes, diversity
at equal numbers."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.attributes import groups_of, standing_out
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.faces.prompts import prompt_of, read_prompts
from lib.metrics.faithfulness import extremes, faithfulness, worst_prompts

PER_PROMPT = 8  # images of one prompt, as in S1


def prompted(n: int = 560) -> FaceSet:
    """Make n faces of prompts, PER_PROMPT of each."""
    labels = np.repeat(np.arange(n // PER_PROMPT) % 7, PER_PROMPT)
    words = read_prompts()
    prompts = []
    for i, label in enumerate(labels):
        prompts.append(prompt_of(words, int(label), i // PER_PROMPT, balanced=False))
    columns = {
        "id": [f"s{i}" for i in range(n)],
        "class": np.array(EMOTIONS)[labels],
        "split": "train",
        "source": "made",
        "prompt": prompts,
    }
    return FaceSet(np.zeros((n, 8, 8), np.uint8), pd.DataFrame(columns))


def classify(faces: FaceSet, wrong: np.ndarray) -> np.ndarray:
    """Give the probabilities of a classifier that is wrong on some images, float (N, 7)."""
    return np.eye(7)[np.where(wrong, (faces.labels + 1) % 7, faces.labels)]


def test_prompts_are_read_into_their_attributes():
    faces = prompted()
    groups = groups_of(faces.table)
    assert set(groups) == {"class", "age", "ethnicity", "sex"}
    for text, age, sex in zip(faces.table["prompt"], groups["age"], groups["sex"], strict=True):
        assert f" {age} " in text
        assert f" {sex}, " in text
    assert groups["age"].notna().all()
    assert "young adult" in set(groups["age"])


@pytest.fixture
def one_sex_fails():
    """The table of a pool whose women show another emotion, and are all alike."""
    faces = prompted()
    women = (groups_of(faces.table)["sex"] == "female").to_numpy()
    features = np.random.default_rng(0).normal(size=(len(faces), 16))
    features[women] = features[0]
    probabilities = {"stable": classify(faces, women)}
    return faithfulness({"stable": faces}, probabilities, {"stable": features}, seed=0)


def test_the_share_that_shows_its_emotion_is_measured_by_value(one_sex_fails):
    by_sex = one_sex_fails[one_sex_fails["attribute"] == "sex"].set_index("value")
    assert by_sex.loc["female", "shown"] == 0
    assert by_sex.loc["male", "shown"] == 1
    assert by_sex["n"].sum() == 560


def test_diversity_is_measured_at_equal_numbers(one_sex_fails):
    by_sex = one_sex_fails[one_sex_fails["attribute"] == "sex"].set_index("value")
    assert by_sex.loc["female", "vendi"] == pytest.approx(1)
    assert by_sex.loc["male", "vendi"] > 10
    assert by_sex["vendi_n"].nunique() == 1


def test_the_attribute_that_fails_is_named(one_sex_fails):
    first = standing_out(one_sex_fails, "shown", ["pool", "attribute"]).iloc[0]
    named = first[["pool", "attribute", "highest", "lowest"]].tolist()
    assert named == ["stable", "sex", "male", "female"]
    names = extremes(one_sex_fails)["name"].iloc[:2].tolist()
    assert names == ["Stable Diffusion: male", "Stable Diffusion: female"]


def test_where_no_attribute_matters_there_are_no_extremes():
    faces = prompted()
    probabilities = {"stable": classify(faces, np.zeros(len(faces), bool))}
    features = {"stable": np.random.default_rng(0).normal(size=(len(faces), 16))}
    assert not len(extremes(faithfulness({"stable": faces}, probabilities, features, seed=0)))


def test_the_worst_combinations_come_first():
    faces = prompted()
    first = (faces.table["prompt"] == faces.table["prompt"].iloc[0]).to_numpy()
    worst = worst_prompts(faces, classify(faces, first), most=3)
    assert worst.iloc[0]["shown"] == 0
    assert worst.iloc[0]["class"] == faces.table["class"].iloc[0]
    assert (worst["shown"].iloc[1:] == 1).all()


def test_without_prompts_there_are_no_worst_ones():
    assert len(worst_prompts(draw_faces(np.arange(7), np.arange(7)), np.eye(7))) == 0


def test_drawn_faces_are_grouped_by_how_they_were_drawn():
    groups = groups_of(draw_faces(np.arange(70) % 7, np.arange(70)).table)
    assert {"class", "glasses", "yaw"} <= set(groups)
    assert groups["yaw"].nunique() == 3
