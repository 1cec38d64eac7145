"""Worlds whose truth is known: what each kind of pool is, and how words are held against it."""

import numpy as np
import pandas as pd
import pytest

from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.verdict import known_truth
from lib.verdict.known_truth import KINDS, SIZES, STOPPED, drawn_inputs, is_wrong, rates, summary

MARGIN = 0.005


@pytest.fixture(scope="module")
def worlds():
    """The real faces and the pool of every kind, 60 of each."""
    patched = pytest.MonkeyPatch()
    patched.setattr(known_truth, "SIZES", (60,))
    inputs = {kind: drawn_inputs(number) for number, kind in enumerate(KINDS)}
    yield {kind: (one.real, one.pools[0].faces) for kind, one in inputs.items()}
    patched.undo()


def test_every_kind_stands_beside_every_number_of_real_images_equally_often():
    count = 2 * len(KINDS) * len(SIZES)
    worlds = pd.Series([known_truth.world(number) for number in range(count)])
    assert set(worlds.value_counts()) == {2} and worlds.nunique() == len(KINDS) * len(SIZES)


def test_a_pool_repeats_no_real_image_except_where_it_copies_them(worlds):
    for kind, (real, pool) in worlds.items():
        assert len(real) == len(pool) == 60
        apart = np.abs(pool.images[:, None].astype(int) - real.images[None]).mean((2, 3)).min(1)
        assert (apart.max() < 3) if kind == "copied" else (apart.min() > 3), kind


def test_labels_are_wrong_as_often_as_the_kind_says(worlds):
    wrong = {
        kind: (pool.table["class"] != pool.table["true_class"]).mean()
        for kind, (_, pool) in worlds.items()
        if "true_class" in pool.table and kind != "copied"
    }
    assert wrong["helping"] == wrong["narrow"] == 0 and wrong["permuted"] == 1
    assert 0.1 < wrong["noisy"] < 0.4 < wrong["mislabelled"] < 0.8


def test_a_shifted_pool_has_most_of_what_the_real_images_have_least(worlds):
    real, pool = worlds["shifted"]
    counts = pd.DataFrame({"real": real.counts(), "pool": pool.counts()})
    assert counts.corr(method="spearman").loc["real", "pool"] < -0.5


def test_a_word_is_wrong_where_the_truth_contradicts_it():
    assert not is_wrong(HELPS, "helping", 0.02, MARGIN) and is_wrong(HELPS, "noisy", -0.01, MARGIN)
    assert not is_wrong(HURTS, "noisy", -0.01, MARGIN) and is_wrong(HURTS, "helping", 0.0, MARGIN)
    assert is_wrong(EQUIVALENT, "helping", 0.006, MARGIN)
    assert not is_wrong(EQUIVALENT, "helping", -0.004, MARGIN)
    assert not is_wrong(UNDECIDED, "helping", 0.1, MARGIN)


def test_permuted_names_must_stop_the_verdict_and_nothing_else_may():
    assert not is_wrong(STOPPED, "permuted", np.nan, MARGIN)
    assert is_wrong(HELPS, "permuted", np.nan, MARGIN)
    assert is_wrong(STOPPED, "helping", np.nan, MARGIN)


def test_words_are_counted_by_world_against_the_mean_truth_of_its_verdicts():
    one = {"kind": "helping", "size": 300, "probe": 1.0, "seconds": 9.0}
    found = [
        one | {"word": HELPS, "truth": 0.05},
        one | {"word": UNDECIDED, "truth": 0.03, "probe": -1.0, "seconds": 11.0},
        one | {"word": HURTS, "truth": 0.04},
        {"kind": "permuted", "size": 300, "word": STOPPED, "seconds": 1.0},
    ]
    table = rates(pd.DataFrame(found), MARGIN).set_index("kind")
    helping = table.loc["helping"]
    assert helping["truth"] == pytest.approx(0.04)
    assert (helping["wrong"], helping["undecided"], helping["probe_right"]) == (1, 1, 2)
    assert helping["seconds"] == 11 and table.loc["permuted", "wrong"] == 0
    line = summary(table.reset_index())
    assert line.startswith("4 verdicts: 1 wrong words (25.0%")
    assert "of the 3 with a true effect of 2 points or more 33% undecided" in line
    assert "the probe has the sign of 67%" in line
