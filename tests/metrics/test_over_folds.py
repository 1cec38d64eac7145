"""Held-out predictions of all folds together are one run as long as the data."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.folds import assign_folds
from lib.metrics.evidence import over_folds
from lib.metrics.simulation_study import simulated_predictions
from lib.metrics.statistics import compare
from lib.study.errors import StudyError

FOLD = np.array([1, 2, 2, 1, 3])


@pytest.fixture
def runs() -> pd.DataFrame:
    rows = [("base", "small", seed, fold) for seed in (0, 1) for fold in (1, 2, 3)]
    return pd.DataFrame(rows, columns=["arm", "classifier", "seed", "fold"])


@pytest.fixture
def predictions(runs) -> list[np.ndarray]:
    """Ten times the seed plus the fold, for each image of the fold."""
    made = []
    for seed, fold in zip(runs["seed"], runs["fold"]):
        made.append(np.full(((FOLD == fold).sum(), 7), 10 * seed + fold, np.float32))
    return made


def test_held_out_predictions_of_all_folds_become_one_run(runs, predictions):
    joined, whole = over_folds(runs, predictions, FOLD)
    assert joined["seed"].tolist() == [0, 1]
    assert whole[1][:, 0].tolist() == [11, 12, 12, 11, 13]


def test_a_seed_that_lacks_a_fold_is_left_out(runs, predictions):
    joined, _ = over_folds(runs.iloc[:5], predictions, FOLD)
    assert joined["seed"].tolist() == [0]


def test_a_run_of_another_number_of_images_is_refused(runs):
    with pytest.raises(StudyError, match="fold 1 predicts 5 images, the fold has 2"):
        over_folds(runs, [np.zeros((5, 7), np.float32)] * 6, FOLD)


def test_another_seed_shares_images_out_otherwise():
    clusters = np.repeat(np.arange(400), 1 + np.arange(400) % 3)
    first = assign_folds(clusters, 5, seed=0)
    assert (first == assign_folds(clusters, 5, seed=0)).all()
    assert (first != assign_folds(clusters, 5, seed=1)).any()


def test_folds_together_see_smaller_differences_and_cover():
    rng = np.random.default_rng(2)
    design = {"n_seeds": 5, "n_clusters": 500, "effect": 0.0, "seed_sd": 0.01, "copies": 0.0}
    fold = assign_folds(np.arange(1500), 3, seed=0)
    inside, narrower = 0, 0
    for _ in range(300):
        parts = [simulated_predictions(rng, **design)[:2] for _ in range(3)]
        a, b = np.empty((2, 5, 1500))
        for number, (base, arm) in enumerate(parts):
            a[:, fold == number], b[:, fold == number] = base, arm
        together, one = compare(a, b), compare(*parts[0])
        inside += together.low <= 0 <= together.high
        narrower += together.se < one.se
    assert 0.91 < inside / 300 < 0.99
    assert narrower > 270
