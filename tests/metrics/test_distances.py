"""Distances equal independent implementations, obey their theorems, and separate a collapsed set
from a shifted one."""

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from vendi_score import vendi as published_vendi

from lib.compute.neighbours import squared_distances
from lib.metrics.distances import (
    all_distances,
    density_coverage,
    frechet,
    kernel_distance,
    precision_recall,
    vendi,
)
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(24, 24))
    real = rng.normal(size=(600, 24)) @ mixing
    synth = (0.8 * rng.normal(size=(500, 24)) + 0.3) @ mixing
    return real.astype(np.float32), synth.astype(np.float32)


def test_frechet_equals_torch_fidelity(pair):
    real, synth = (features.astype(np.float64) for features in pair)
    statistics = [{"mu": x.mean(0), "sigma": np.cov(x, rowvar=False)} for x in (real, synth)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet(real, synth) == pytest.approx(expected, rel=1e-4)


def test_kernel_distance_equals_torch_fidelity(pair):
    # One subset that holds everything: no draw can make a difference.
    real, synth = pair[0][:500], pair[1]
    measured = kernel_distance(real, synth, subset=500, subsets=1)["kd"]
    expected = kid_features_to_metric(
        torch.tensor(real, dtype=torch.float64),
        torch.tensor(synth, dtype=torch.float64),
        kid_subsets=1,
        kid_subset_size=500,
        verbose=False,
    )
    assert measured == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)


def test_precision_and_recall_equal_torch_fidelity(pair):
    real, synth = pair
    expected = prc_features_to_metric(torch.tensor(synth), torch.tensor(real), verbose=False)
    measured = precision_recall(real, synth)
    assert measured["precision"] == pytest.approx(expected["precision"], abs=1e-4)
    assert measured["recall"] == pytest.approx(expected["recall"], abs=1e-4)


def test_neighbourhoods_equal_prdc(pair, capsys):
    real, synth = pair
    expected = compute_prdc(real_features=real, fake_features=synth, nearest_k=5)
    measured = precision_recall(real, synth, k=5) | density_coverage(real, synth, k=5)
    for name in ("precision", "recall", "density", "coverage"):
        assert measured[name] == pytest.approx(expected[name], abs=1e-4), name


def test_vendi_equals_the_published_code(pair):
    unit = pair[0] / np.linalg.norm(pair[0], axis=1, keepdims=True)
    unit = unit.astype(np.float64)
    assert vendi(pair[0]) == pytest.approx(published_vendi.score_dual(unit), rel=1e-4)
    assert vendi(pair[0]) == pytest.approx(published_vendi.score_K(unit @ unit.T), rel=1e-4)


def test_identity():
    x = np.random.default_rng(0).normal(size=(300, 16))
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)
    assert precision_recall(x, x) == {"precision": 1, "recall": 1}
    assert density_coverage(x, x)["coverage"] == 1


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(0)
    values = []
    for _ in range(200):
        real, synth = rng.normal(size=(100, 8)), rng.normal(size=(100, 8))
        values.append(kernel_distance(real, synth, subsets=1)["kd"])
    # Unbiased: within three standard errors of 0.
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)


def test_symmetry(pair):
    real, synth = pair
    assert frechet(real, synth) == pytest.approx(frechet(synth, real), rel=1e-9)
    forth, back = precision_recall(real, synth), precision_recall(synth, real)
    assert forth["precision"] == back["recall"]
    assert forth["recall"] == back["precision"]


def test_frechet_of_gaussians_has_its_closed_form():
    # d^2 = |m|^2 + sum (s1 - s2)^2 = 9 + 8 * 1 for a shift of 3 and standard deviations 1 and 2;
    # the error of 40,000 draws is about 1%.
    rng = np.random.default_rng(0)
    real, synth = rng.normal(size=(40_000, 8)), 2 * rng.normal(size=(40_000, 8))
    synth[:, 0] += 3
    assert frechet(real, synth) == pytest.approx(17, rel=0.02)


@pytest.mark.parametrize(
    "distance", [frechet, lambda a, b: kernel_distance(a, b, subset=300)["kd"]], ids=["fd", "kd"]
)
def test_distances_grow_with_the_shift(pair, distance):
    real, _ = pair
    values = [distance(real[:300], real[300:] + shift) for shift in (0, 1, 2, 4)]
    assert values == sorted(values)


def test_convention_collapsed_set_has_precision_but_no_recall():
    rng = np.random.default_rng(0)
    real, collapsed = rng.normal(size=(500, 8)), 0.05 * rng.normal(size=(500, 8))
    values = precision_recall(real, collapsed) | density_coverage(real, collapsed)
    assert values["precision"] > 0.95
    assert values["recall"] < 0.05
    assert values["coverage"] < 0.2
    assert vendi(real) > 4
    assert vendi(1 + collapsed) < 1.2


def test_blocks_do_not_change_results(pair, monkeypatch):
    real, synth = pair
    whole = precision_recall(real, synth) | density_coverage(real, synth)
    monkeypatch.setattr(squared_distances, "__defaults__", (64,))
    assert precision_recall(real, synth) | density_coverage(real, synth) == whole


def test_the_seed_governs_the_subsets(pair):
    real, synth = pair
    first = kernel_distance(real, synth, subset=100, seed=0)
    assert first == kernel_distance(real, synth, subset=100, seed=0)
    assert first != kernel_distance(real, synth, subset=100, seed=1)


def test_all_distances_have_their_names(pair):
    names = ("fd", "kd", "precision", "recall", "density", "coverage", "vendi")
    assert tuple(all_distances(*pair)) == names


@pytest.mark.parametrize(
    ("measure", "real", "synth", "words"),
    [
        (frechet, np.zeros((10, 4)), np.zeros((10, 5)), "same one"),
        (density_coverage, np.zeros((10, 4)), np.zeros((5, 4)), "at least 6 images"),
        (frechet, np.zeros((10, 4)), np.full((10, 4), np.nan), "NaN"),
    ],
)
def test_refusals_name_the_remedy(measure, real, synth, words):
    with pytest.raises(StudyError, match=words):
        measure(real, synth)
