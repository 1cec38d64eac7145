"""The simulation study: pools are what their truth says, and verdicts are counted as correct,
undecided or wrong."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.drawn import drawn_study
from lib.faces.mixing import synthetic_count
from lib.metrics import simulation_study
from lib.metrics.simulation_study import (
    COLUMNS,
    CONDITIONS,
    RECORD,
    SHARE,
    TRUTHS,
    WRONG,
    pools_of,
    rates,
    recorded_rates,
    run_study,
    simulated_predictions,
)


@pytest.fixture(scope="module")
def real():
    return drawn_study(60, 0, 0, 0.1, 1003).split("train")


def test_all_pools_are_as_large_as_the_supplement_takes(real):
    sizes = {len(pool) for pool in pools_of(real, 3).values()}
    assert sizes == {synthetic_count(60, SHARE)}


def test_the_harmless_pool_holds_nothing_new_and_the_helping_one_nothing_known(real):
    pools = pools_of(real, 3)
    known = {image.tobytes() for image in real.images}
    assert all(image.tobytes() in known for image in pools["harmless"].images)
    assert not any(image.tobytes() in known for image in pools["helping"].images)


def test_the_helping_pool_has_right_labels_and_the_harmful_one_mostly_wrong_ones(real):
    pools = pools_of(real, 3)
    helping, harmful = pools["helping"].table, pools["harmful"].table
    assert (helping["true_class"] == helping["class"]).all()
    wrong = (harmful["true_class"] != harmful["class"]).mean()
    assert wrong == pytest.approx(WRONG, abs=0.12)


def test_a_study_gives_a_verdict_for_every_truth(monkeypatch):
    small = {"TRAIN": 60, "TEST": 60, "SEEDS": 2, "STEPS": 3, "LABEL_CLASSIFIER_STEPS": 3}
    for name, value in small.items():
        monkeypatch.setattr(simulation_study, name, value)
    verdicts = run_study(0)
    assert set(verdicts) == set(TRUTHS)
    for pool in ("helping", "harmless", "harmful"):
        assert verdicts[pool] in ("helps", "hurts", "equivalent", "undecided")
    assert verdicts["in order"] == "not stopped"


def test_an_undecided_verdict_is_neither_correct_nor_wrong():
    studies = [TRUTHS, TRUTHS | {"helping": "undecided"}, TRUTHS | {"helping": "hurts"}, TRUTHS]
    table = rates(pd.DataFrame(studies)).set_index("pool")
    assert table.loc["helping", "correct"] == 0.5
    assert table.loc["helping", "wrong"] == 1
    assert (table.drop("helping")["correct"] == 1).all()
    assert (table["low"] <= table["correct"]).all()
    assert (table["correct"] <= table["high"] + 1e-9).all()


def test_without_a_record_there_are_no_rates(tmp_path):
    table = recorded_rates(tmp_path / "none.csv")
    assert list(table) == [*COLUMNS, *CONDITIONS]
    assert not len(table)


@pytest.mark.skipif(not RECORD.exists(), reason="no simulation study is recorded yet")
def test_the_record_is_of_forty_studies_and_the_verdicts_were_mostly_right():
    table = recorded_rates()
    assert list(table) == [*COLUMNS, *CONDITIONS]
    assert list(table["pool"]) == list(TRUTHS)
    assert (table["studies"] >= 40).all()
    assert np.all(table["wrong"] / table["studies"] <= 0.1)


def test_simulated_copies_are_classified_alike():
    a, b, clusters = simulated_predictions(
        np.random.default_rng(0), n_seeds=3, n_clusters=400, effect=0.0, seed_sd=0.0, copies=0.5
    )
    assert a.shape == b.shape == (3, len(clusters))
    for arm in (a, b):
        first = arm[:, np.unique(clusters, return_index=True)[1]]
        assert np.array_equal(arm, first[:, clusters])


def test_the_simulated_effect_is_the_true_one():
    # The standard error of the difference of 100 runs on 2,000 images is about 0.002.
    a, b, _ = simulated_predictions(
        np.random.default_rng(0), n_seeds=100, n_clusters=2000, effect=0.05, seed_sd=0.0
    )
    assert b.mean() - a.mean() == pytest.approx(0.05, abs=0.006)
