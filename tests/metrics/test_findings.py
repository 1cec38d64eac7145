"""Pools are judged by their largest supplement against base and all controls; drawn pools by what
is true of them.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm
from lib.metrics.answers import supplement_sentences
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import BASE, effects
from lib.metrics.findings import (
    answer_effects,
    effect_table,
    pool_verdicts,
    truth_sentences,
    truth_table,
    undecided_table,
    verdict_counts,
)

N = 1500
LABELS, CLUSTERS = np.arange(N) % 7, np.arange(N)
POOLS = ["drawn-faithful", "drawn-narrow", "drawn-mislabelled", "dcgan"]
FAITHFUL, NARROW, MISLABELLED = (Arm("supplement", pool, 0.5) for pool in POOLS[:3])
CONTROLS = {
    replace(FAITHFUL, kind="shuffled", control_of="supplement"): 0.6,
    Arm("duplicate", share=0.5, control_of="supplement"): 0.6,
}


def made_arm(accuracy: float, seed: int, seeds: tuple = (0, 1, 2, 3, 4)) -> ArmPredictions:
    """Runs that are right on a known share of images."""
    rng = np.random.default_rng(seed)
    # The same images are easy for every arm.
    difficulty = np.random.default_rng(0).random(N) + 0.005 * rng.normal(size=(len(seeds), N))
    predicted = np.where(difficulty < accuracy, LABELS, (LABELS + 1) % 7)
    return ArmPredictions(seeds, (0.1 + np.eye(7, dtype=np.float32)[predicted]) / 1.7)


def study(faithful: float, narrow: float, mislabelled: float) -> dict:
    accuracies = {BASE: 0.6, FAITHFUL: faithful, NARROW: narrow, MISLABELLED: mislabelled}
    arms = {}
    for place, (arm, accuracy) in enumerate((accuracies | CONTROLS).items()):
        arms[arm, "small"] = made_arm(accuracy, place)
    return arms


def judged(arms: dict) -> pd.DataFrame:
    return effects(arms, LABELS, CLUSTERS, margin=0.005)


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [((0.7, 0.62, 0.5), "yes"), ((0.5, 0.5, 0.6), "no")],
)
def test_the_truth_about_drawn_pools_is_found_or_missed(accuracies, expected):
    truth = truth_table(study(*accuracies), LABELS, CLUSTERS, margin=0.005)
    if expected == "yes":
        assert truth["correct"].tolist() == ["yes", "yes", "yes"]
    else:
        assert truth["correct"].tolist() == ["no", "no", "no"]
    assert truth["reference"].tolist() == ["base", FAITHFUL.name, "base"]


def test_a_study_too_small_to_see_the_truth_says_so():
    arms = {key: predictions.of_seeds([0]) for key, predictions in study(0.7, 0.6, 0.5).items()}
    truth = truth_table(arms, LABELS, CLUSTERS, margin=0.005)
    assert truth["correct"].tolist() == ["not seen"] * 3


def test_studies_without_drawn_pools_have_no_known_truth():
    arms = {(BASE, "small"): made_arm(0.6, 0), (Arm("supplement", "dcgan", 0.5), "small"): None}
    assert not len(truth_table(arms, LABELS, CLUSTERS, margin=0.005))


def test_known_truths_are_counted_in_one_sentence():
    assert truth_sentences(pd.DataFrame({"correct": []})) == []
    (sentence,) = truth_sentences(pd.DataFrame({"correct": ["yes", "not seen", "yes"]}))
    assert "found 2, was too small to see 1, and contradicted 0." in sentence


def test_pools_are_judged_against_base_and_controls():
    verdicts = pool_verdicts(judged(study(0.7, 0.6, 0.5)), POOLS)
    assert verdicts["pool"].tolist() == POOLS[:3]
    assert verdicts["verdict"].tolist() == ["helps", "equivalent", "hurts"]
    assert verdicts["beyond_controls"].tolist() == ["yes", "no", "no"]
    assert "against real images repeated (helps)" in verdicts["controls"].iloc[0]


def test_the_largest_supplement_of_a_pool_decides():
    small = replace(FAITHFUL, share=0.1)
    arms = study(0.7, 0.6, 0.5) | {(small, "small"): made_arm(0.5, 9)}
    verdicts = pool_verdicts(judged(arms), POOLS[:1])
    assert verdicts["arm"].tolist() == [FAITHFUL.name]


def test_the_answer_is_printed_from_the_verdicts():
    verdicts = pool_verdicts(judged(study(0.7, 0.6, 0.5)), POOLS)
    sentences = [sentence.text for sentence in supplement_sentences(verdicts, data="drawn")]
    assert "1 of 3 kinds of generated images help" in sentences[0]
    assert "drawings" in sentences[0]
    assert "beats every control" in sentences[1]
    assert "5 seeds, 1,500 test images" in sentences[1]
    assert "accuracy falls" in sentences[3]


def test_a_pool_without_controls_is_said_to_have_none():
    arms = {key: own for key, own in study(0.7, 0.6, 0.5).items() if not key[0].is_control}
    verdicts = pool_verdicts(judged(arms), POOLS[:1])
    assert verdicts["beyond_controls"].tolist() == ["no control was run"]


def test_the_table_for_reading_names_seeds_where_arms_differ_in_them():
    arms = study(0.7, 0.6, 0.5)
    table = effect_table(judged(arms), margin=0.005)
    assert "seeds" not in table
    assert {"difference", "low", "high", "verdict", "to show 0.5 points takes"} <= set(table)
    assert "against" in table and not table["against"].str.contains("duplicate-").any()

    fewer = arms | {(NARROW, "small"): arms[NARROW, "small"].of_seeds([0, 2])}
    by_arm = effect_table(judged(fewer), margin=0.005).drop_duplicates("arm").set_index("arm")
    assert (by_arm.loc[NARROW.name, "seeds"], by_arm.loc[FAITHFUL.name, "seeds"]) == (2, 5)


def test_undecided_comparisons_are_listed_with_what_would_decide():
    arms = {key: predictions.of_seeds([0]) for key, predictions in study(0.7, 0.6, 0.5).items()}
    table = undecided_table(judged(arms), margin=0.005)
    assert len(table) == len(judged(arms))
    assert table["to show 0.5 points takes"].eq("5 seeds at least").all()
    assert "verdict" not in table


def test_the_figure_shows_the_largest_supplements():
    small = replace(FAITHFUL, share=0.1)
    table = judged(study(0.7, 0.6, 0.5) | {(small, "small"): made_arm(0.5, 9)})
    shown = answer_effects(table, pool_verdicts(table, POOLS))
    assert shown["arm"].tolist() == [FAITHFUL.name, NARROW.name, MISLABELLED.name]
    assert shown["reference"].eq("base").all()


def test_a_study_without_supplements_shows_the_arms_that_it_has():
    alone = Arm("synthetic", "dcgan", 1.0)
    shuffled = replace(alone, kind="shuffled", control_of="synthetic")
    arms = {(arm, "small"): made_arm(0.5, seed) for seed, arm in enumerate((BASE, alone, shuffled))}
    table = judged(arms)
    shown = answer_effects(table, pool_verdicts(table, ["dcgan"]))
    assert shown["arm"].tolist() == [alone.name]


def test_verdicts_are_counted_by_role():
    counts = verdict_counts(judged(study(0.7, 0.6, 0.5))).set_index("role")
    assert counts.loc["base"].sum() == 5
    assert counts.loc["base", "undecided"] == 0
