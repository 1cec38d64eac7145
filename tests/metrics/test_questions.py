"""One table of questions: each finds its comparisons by the fields of arm and reference."""

from dataclasses import asdict, replace

import pandas as pd
import pytest

from lib.faces.arms import KINDS, UNFILTERED, Arm, controls
from lib.metrics.contrasts import BASE
from lib.metrics.questions import BY_KEY, QUESTIONS

SUPPLEMENT = Arm("supplement", "a", 0.5)
FILTERED = Arm("filtered", "a", 0.5, only="blur")


def comparison(reference: Arm, arm: Arm) -> dict:
    against = {"reference_kind": reference.kind, "reference_control_of": reference.control_of}
    return {"reference": reference.name, "arm": arm.name, **asdict(arm), **against}


def every_comparison() -> pd.DataFrame:
    """Every kind of arm of two pools and two shares, with base and all its controls."""
    kinds = [kind for kind in KINDS if kind != "filtered" and controls(Arm(kind, "a", 0.5))]
    arms = [Arm(kind, pool, share) for kind in kinds for pool in "ab" for share in (0.25, 0.5)]
    arms += [FILTERED, replace(FILTERED, only=UNFILTERED)]
    rows = []
    for arm in arms:
        rows.append(comparison(BASE, arm))
        rows += [comparison(BASE, control) for control in controls(arm)]
        rows += [comparison(control, arm) for control in controls(arm)]
    return pd.DataFrame(rows).drop_duplicates()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)
def test_a_question_finds_arms_of_one_kind_against_references_of_one_kind(question):
    rows = question.rows(every_comparison())
    assert len(rows)
    assert rows["kind"].eq(question.kind).all()
    assert rows["reference_kind"].eq(question.reference_kind).all()
    # Controls answer no question themselves.
    assert rows["control_of"].eq("").all()


def test_keys_and_comparisons_are_unique():
    assert len(BY_KEY) == len(QUESTIONS)
    assert len({(q.kind, q.reference_kind) for q in QUESTIONS}) == len(QUESTIONS)


def test_added_faces_are_compared_with_base_and_with_fewer_steps():
    table = every_comparison()
    added = BY_KEY["added"].rows(table)
    at_equal_steps = BY_KEY["added_at_equal_real_steps"].rows(table)
    assert added["arm"].tolist() == at_equal_steps["arm"].tolist()
    assert added["reference"].eq("base").all()
    expected = [f"fewer_steps-{share}" for share in added["share"]]
    assert at_equal_steps["reference"].tolist() == expected


def test_one_filter_is_compared_with_no_filter():
    rows = BY_KEY["filtered"].rows(every_comparison())
    assert rows["only"].tolist() == ["blur"]
    assert rows["reference"].tolist() == [replace(FILTERED, only=UNFILTERED).name]


@pytest.mark.parametrize(
    ("key", "shares"),
    [("added", [0.5, 0.5]), ("scarce", [0.25, 0.25]), ("in_place", [0.5, 0.5]), ("filtered", [])],
)
def test_the_headline_takes_one_amount_of_each_pool(key, shares):
    question = BY_KEY[key]
    rows = question.at_headline(question.rows(every_comparison()))
    assert rows["share"].tolist() == shares
    assert rows["pool"].nunique() == len(shares)


@pytest.mark.parametrize(
    ("key", "share", "words"),
    [
        ("added", 0.1178, "12% of the training images"),
        ("in_place", 0.1, "90% of the training images"),
        ("alone", 1.0, "as many as real ones"),
        ("alone", 2.0, "2 times as many as real ones"),
        ("scarce", 0.1, "10% of the real faces kept"),
        ("balance", 0.0, "rare classes filled up"),
    ],
)
def test_amounts_are_written_in_words(key, share, words):
    assert BY_KEY[key].amount(share) == words
