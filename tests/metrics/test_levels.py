"""Generations as a level of their own, and test sets of several folds: intervals cover, copies stay together, wrong shapes are refused."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.folds import fold_of
from lib.metrics.arms import ArmPredictions, level
from lib.metrics.contrasts import effects, generation_range, over_generations
from lib.metrics.levels import compare_generations, over_folds
from lib.metrics.simulation import simulated_study
from lib.metrics.statistics import compare
from lib.study.errors import StudyError


def generations(rng, *, n: int, n_seeds: int, n_images: int, sd: float, seed_sd: float, effect: float = 0.0):
    """Arms of which each generation is better or worse as a whole, and which see the same seeds and images."""
    base = rng.normal(0, seed_sd, (n_seeds, 1)) + rng.normal(0, 0.3, n_images) + rng.normal(0, 0.3, (n_seeds, n_images))
    own = rng.normal(effect, sd, (n, 1, 1)) + rng.normal(0, seed_sd, (n, n_seeds, 1)) + rng.normal(0, 0.05, n_images)
    return base, own + rng.normal(0, 0.3, (n, n_seeds, n_images))


@pytest.mark.parametrize(("sd", "seed_sd"), [(0.04, 0.01), (0.0, 0.01), (0.0, 0.0)])
def test_intervals_over_generations_cover(sd, seed_sd):
    rng, inside, blind = np.random.default_rng(4), 0, 0
    for _ in range(200):
        a, b = generations(rng, n=4, n_seeds=5, n_images=100, sd=sd, seed_sd=seed_sd)
        found, one = compare_generations(a[None], b), compare(a, b[0])
        inside += found.low <= 0 <= found.high
        blind += one.low <= 0 <= one.high
    assert inside / 200 > 0.91  # 95 % less 2.6 standard errors; wider where a level is noise alone
    if sd:
        assert blind / 200 < 0.85  # one generation knows nothing of another


LABELS = np.arange(700) % 7


def arm(rng, accuracy: float, seeds=(0, 1, 2)) -> ArmPredictions:
    right = rng.random((len(seeds), 700)) < accuracy
    return ArmPredictions(seeds, np.eye(7, dtype=np.float32)[np.where(right, LABELS, (LABELS + 1) % 7)])


def test_generations_of_a_pool_are_one_arm():
    rng = np.random.default_rng(0)
    named = {"base": 0.5, "supplement-0.5-dcgan": 0.7, "supplement-0.5-dcgan-generation2": 0.6, "supplement-0.5-acgan": 0.6,
             "shuffled-0.5-dcgan": 0.4, "shuffled-0.5-dcgan-generation2": 0.4}  # fmt: skip
    arms = {(name, "small"): arm(rng, value) for name, value in named.items()}
    joined = over_generations(arms)
    assert list(joined) == [(name, "small") for name in named if "generation" not in name]
    judged = effects(joined, LABELS, np.arange(700), margin=0.005)
    rows = generation_range(arms, joined, judged, LABELS)
    assert rows["arm"].tolist() == ["supplement-0.5-dcgan", "shuffled-0.5-dcgan"]
    row = rows.iloc[0]
    assert (row["generations"], row["n_seeds"]) == (2, 3) and row["lowest"] < row["difference"] < row["highest"]
    assert row["lowest"] == pytest.approx(0.1, abs=0.05) and row["highest"] == pytest.approx(0.2, abs=0.05)
    assert row["verdict"] == "undecided"  # two generations that lie this far apart
    assert "generations" in judged.query("reference == 'base' and arm == 'supplement-0.5-dcgan'")["advice"].item()
    control = judged.query("reference == 'shuffled-0.5-dcgan'")
    assert len(control) == 1 and control["generations"].item() == 2  # each generation against its own shuffled copy
    assert judged.query("arm == 'supplement-0.5-acgan'")["generations"].tolist() == [1]


def test_an_arm_that_was_made_once_stays_what_it_was():
    rng = np.random.default_rng(1)
    arms = {("base", "small"): arm(rng, 0.5), ("supplement-0.5-dcgan", "small"): arm(rng, 0.6)}
    for key, found in over_generations(arms).items():
        assert found.again == () and found.probabilities is not None and (found.probabilities == arms[key].probabilities).all()


def test_generations_take_the_seeds_that_all_have_and_masks_reach_all():
    rng = np.random.default_rng(2)
    arms = {("synthetic-1x-a-shuffled", "small"): arm(rng, 0.5), ("synthetic-1x-a-generation2-shuffled", "small"): arm(rng, 0.5, (1, 2, 3))}
    found = over_generations(arms)["synthetic-1x-a-shuffled", "small"]
    assert found.seeds == (1, 2) and len(found.again) == 1
    assert found.images(LABELS < 3).again[0].shape == (2, 300, 7)
    assert level(found, LABELS, clusters=np.arange(700)).generations == 2


def test_copies_lie_in_one_fold_and_folds_are_of_one_size():
    clusters = np.repeat(np.arange(400), 1 + np.arange(400) % 3)
    fold = fold_of(clusters, 5, seed=0)
    assert all(len(set(fold[clusters == name])) == 1 for name in range(400))
    assert np.ptp(np.bincount(fold)) <= 1
    assert (fold == fold_of(clusters, 5, seed=0)).all() and (fold != fold_of(clusters, 5, seed=1)).any()


def test_folds_together_see_smaller_differences_and_cover():
    rng, inside, narrower = np.random.default_rng(2), 0, 0
    fold = fold_of(np.arange(1500), 3, seed=0)
    for _ in range(300):
        parts = [simulated_study(rng, n_seeds=5, n_clusters=500, effect=0.0, seed_sd=0.01, copies=0.0)[:2] for _ in range(3)]
        a, b = np.empty((2, 5, 1500))
        for number, part in enumerate(parts):
            a[:, fold == number], b[:, fold == number] = part
        found, one = compare(a, b), compare(*parts[0])
        inside += found.low <= 0 <= found.high
        narrower += found.se < one.se
    assert 0.91 < inside / 300 < 0.99 and narrower > 270


def test_held_out_predictions_of_all_folds_become_one_run():
    fold = np.array([1, 2, 2, 1, 3])
    runs = pd.DataFrame([{"arm": "base", "classifier": "small", "seed": s, "fold": f} for s in (0, 1) for f in (1, 2, 3)])
    said = [np.full(((fold == f).sum(), 7), 10 * s + f, np.float32) for s, f in zip(runs["seed"], runs["fold"])]
    whole, predictions = over_folds(runs, said, fold)
    assert whole["seed"].tolist() == [0, 1]
    assert predictions[1][:, 0].tolist() == [11, 12, 12, 11, 13]
    assert over_folds(runs.iloc[:5], said, fold)[0]["seed"].tolist() == [0]  # seed 1 lacks a fold
    with pytest.raises(StudyError, match="fold 1 answers for 5"):
        over_folds(runs, [np.zeros((5, 7), np.float32)] * 6, fold)


def test_refusals():
    with pytest.raises(StudyError, match="generations, seeds, images"):
        compare_generations(np.zeros((3, 9)), np.zeros((1, 3, 9)))
    with pytest.raises(StudyError, match="cannot be shared out"):
        fold_of(np.zeros(5, int), 2, seed=0)
