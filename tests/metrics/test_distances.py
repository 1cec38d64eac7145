"""Distances equal independent implementations, obey their theorems, and tell a collapsed set from a shifted one."""

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from vendi_score import vendi as published_vendi

from lib.metrics import distances as module
from lib.metrics.distances import density_coverage, distances, frechet, kernel_distance, neighbour_distances, precision_recall, vendi
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
    real, synth = pair[0][:500], pair[1]
    # one subset that holds everything: no draw can make a difference
    ours = kernel_distance(real, synth, subset=500, subsets=1)["kd"]
    theirs = kid_features_to_metric(
        torch.tensor(real, dtype=torch.float64), torch.tensor(synth, dtype=torch.float64), kid_subsets=1, kid_subset_size=500, verbose=False
    )
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)


def test_precision_and_recall_equal_torch_fidelity(pair):
    real, synth = pair
    theirs = prc_features_to_metric(torch.tensor(synth), torch.tensor(real), verbose=False)
    ours = precision_recall(real, synth)
    assert ours["precision"] == pytest.approx(theirs["precision"], abs=1e-4)
    assert ours["recall"] == pytest.approx(theirs["recall"], abs=1e-4)


def test_neighbourhoods_equal_prdc(pair, capsys):
    real, synth = pair
    theirs = compute_prdc(real_features=real, fake_features=synth, nearest_k=5)
    ours = precision_recall(real, synth, k=5) | density_coverage(real, synth, k=5)
    for name in ("precision", "recall", "density", "coverage"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-4), name


def test_vendi_equals_the_published_code(pair):
    unit = pair[0] / np.linalg.norm(pair[0], axis=1, keepdims=True)
    assert vendi(pair[0]) == pytest.approx(published_vendi.score_dual(unit.astype(np.float64)), rel=1e-4)
    assert vendi(pair[0]) == pytest.approx(published_vendi.score_K(unit.astype(np.float64) @ unit.T.astype(np.float64)), rel=1e-4)


def test_identity():
    x = np.random.default_rng(0).normal(size=(300, 16))
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)
    assert precision_recall(x, x) == {"precision": 1, "recall": 1}
    assert density_coverage(x, x)["coverage"] == 1


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(0)
    values = [kernel_distance(rng.normal(size=(100, 8)), rng.normal(size=(100, 8)), subsets=1)["kd"] for _ in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)  # unbiased: within three standard errors of 0


def test_symmetry(pair):
    real, synth = pair
    assert frechet(real, synth) == pytest.approx(frechet(synth, real), rel=1e-9)
    forth, back = precision_recall(real, synth), precision_recall(synth, real)
    assert forth["precision"] == back["recall"] and forth["recall"] == back["precision"]


def test_frechet_of_gaussians_has_its_closed_form():
    # d^2 = |m|^2 + sum (s1 - s2)^2 = 9 + 8 * 1 for a shift of 3 and standard deviations 1 and 2; the error of 40,000 draws is about 1 %
    rng = np.random.default_rng(0)
    real, synth = rng.normal(size=(40_000, 8)), 2 * rng.normal(size=(40_000, 8))
    synth[:, 0] += 3
    assert frechet(real, synth) == pytest.approx(17, rel=0.02)


def test_distances_grow_with_the_shift(pair):
    real, _ = pair
    for function in (frechet, lambda a, b: kernel_distance(a, b, subset=300)["kd"]):
        values = [function(real[:300], real[300:] + shift) for shift in (0, 1, 2, 4)]
        assert values == sorted(values)


def test_convention_collapsed_set_has_precision_but_no_recall():
    rng = np.random.default_rng(0)
    real, collapsed = rng.normal(size=(500, 8)), 0.05 * rng.normal(size=(500, 8))
    found = precision_recall(real, collapsed) | density_coverage(real, collapsed)
    assert found["precision"] > 0.95 and found["recall"] < 0.05 and found["coverage"] < 0.2
    assert vendi(real) > 4 and vendi(1 + collapsed) < 1.2


def test_blocks_do_not_change_results(pair, monkeypatch):
    real, synth = pair
    whole = precision_recall(real, synth) | density_coverage(real, synth)
    monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr(module.squared_distances, "__defaults__", (64,))
    assert precision_recall(real, synth) | density_coverage(real, synth) == whole


def test_neighbours_survive_a_common_offset():
    x = np.random.default_rng(0).normal(size=(200, 8))
    near, far = neighbour_distances(x, x, 4), neighbour_distances(x + 1000, x + 1000, 4)
    assert np.allclose(near[:, 1:], far[:, 1:], rtol=1e-2)


def test_keys_carry_the_protocol_and_the_seed_governs(pair):
    real, synth = pair
    first = distances(real, synth, n=400, seed=0, space="classifier")
    assert set(first) == {f"{name}_classifier_n400" for name in ("fd", "kd", "precision", "recall", "density", "coverage", "vendi")}
    assert first == distances(real, synth, n=400, seed=0, space="classifier")
    assert first != distances(real, synth, n=400, seed=1, space="classifier")
    assert "fd_classifier_n500" in distances(real, synth, n=5000, seed=0, space="classifier")


def test_refusals_say_what_to_do():
    x = np.zeros((10, 4))
    with pytest.raises(StudyError, match="same one"):
        frechet(x, np.zeros((10, 5)))
    with pytest.raises(StudyError, match="at least 6 images"):
        density_coverage(x, x[:5])
    with pytest.raises(StudyError, match="NaN"):
        frechet(x, x * np.nan)
