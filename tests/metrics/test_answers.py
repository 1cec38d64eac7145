"""The answer of a study in sentences."""

import pandas as pd

from lib.metrics.answers import answers, other_answers, tally
from lib.metrics.findings import pool_verdicts


def effects(*rows):
    fixed = {
        "classifier": "small",
        "low": -0.02,
        "high": 0.02,
        "n_seeds": 5,
        "n_images": 100,
        "smallest_visible": 0.02,
        "advice": "9 more runs",
        "p_holm": 0.5,
    }
    names = ("reference", "arm", "role", "difference", "verdict")
    return pd.DataFrame([fixed | dict(zip(names, row)) for row in rows])


ALONE = ("base", "synthetic-1x-dcgan", "base", -0.3, "hurts")
BETTER = ("base", "synthetic-1x-diffusion", "base", -0.2, "hurts")
SHUFFLED = ("base", "synthetic-1x-dcgan-shuffled", "base", 0.4, "helps")


def test_the_best_pool_is_named_and_all_are_counted_but_controls():
    (sentence,) = other_answers(effects(ALONE, BETTER, SHUFFLED))
    assert "diffusion hurts, −20.0 points" in sentence and sentence.endswith("; both hurt.")


def test_scarce_arms_are_read_against_as_few_real_faces_and_filters_against_no_filter():
    table = effects(
        ("base", "scarce-0.1-a", "base", -0.1, "hurts"), ("scarce-0.1", "scarce-0.1-a", "control", 0.05, "helps"),
        ("base", "supplement-0.5-a-only_face", "base", 0.01, "undecided"),
        ("base", "supplement-0.5-a-only_none", "base", 0.01, "undecided"),
        ("supplement-0.5-a-only_none", "supplement-0.5-a-only_face", "control", 0.0, "equivalent"),
    )  # fmt: skip
    scarce, filtered = other_answers(table)
    assert "a helps, +5.0 points" in scarce
    assert "a-only_face is equivalent" in filtered and "at best" not in filtered


def test_added_faces_are_also_read_against_as_many_steps_on_real_faces_alone():
    table = effects(
        ("base", "supplement-0.5-a", "base", -0.03, "hurts"), ("fewer-0.5", "supplement-0.5-a", "control", 0.01, "equivalent"),
        ("base", "fewer-0.5", "base", -0.04, "hurts"),
    )  # fmt: skip
    (told,) = other_answers(table)
    assert "for the steps that those have beside them" in told and "a is equivalent, +1.0 points" in told


def test_verdicts_are_counted_in_plain_words():
    assert tally(pd.Series(["hurts"] * 3)) == "all 3 hurt"
    assert tally(pd.Series(["undecided", "helps", "undecided"])) == "1 of 3 helps, 2 are undecided"
    assert tally(pd.Series(["equivalent"])) == "1 of 1 is equivalent"


def test_a_study_without_supplements_answers_its_own_question_first():
    table = effects(ALONE)
    first, second = answers(pool_verdicts(table, ["dcgan"]), table, drawn=False)
    assert first.endswith("1 of 1 hurts.") and "instead of real ones" in second
    added = effects(("base", "supplement-0.5-dcgan", "base", 0.02, "helps"), ALONE)
    told = answers(pool_verdicts(added, ["dcgan"]), added, drawn=False)
    assert "1 of 1 synthetic pools help" in told[0] and "instead of real ones" in told[-1]
