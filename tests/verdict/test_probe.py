"""The probe: which labels are doubted, what a linear classifier gains, permuted labels."""

from dataclasses import replace

import numpy as np
import pytest

from lib.faces.drawn import draw_faces
from lib.study.errors import StudyError
from lib.verdict import probe as module
from lib.verdict.inputs import Inputs, beside_real
from lib.verdict.probe import AS_GIVEN, doubted_labels, refuse_permuted, run_probe, signs
from lib.verdict.protocol import Protocol

CLASSES = ("happy", "sad", "surprise")


def probabilities(rng, labels, strength):
    """Draw class probabilities that favour the labels."""
    scores = rng.normal(size=(len(labels), 3)) + strength * np.eye(3)[labels]
    return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


@pytest.mark.parametrize("strength", [0.3, 1.0, 3.0])
def test_of_right_labels_one_in_twenty_is_doubted_however_weak_the_networks_are(strength):
    rng = np.random.default_rng(1)
    real, pool = rng.integers(0, 3, 1500), rng.integers(0, 3, 4000)
    folds = np.arange(1500) % 3
    of_real = probabilities(rng, real, strength)
    by_network = [probabilities(rng, pool, strength) for _ in range(3)]
    doubted = doubted_labels(by_network, pool, of_real, real, folds)
    assert doubted.mean() <= 0.06


def test_wrong_labels_are_doubted_more_the_better_the_networks_are():
    rng = np.random.default_rng(2)
    real, shown = rng.integers(0, 3, 1500), rng.integers(0, 3, 1000)
    wrong = (shown + 1) % 3
    shares = []
    for strength in (0.5, 2.0, 4.0):
        of_real = probabilities(rng, real, strength)
        by_network = [probabilities(rng, shown, strength)] * 3
        doubted = doubted_labels(by_network, wrong, of_real, real, np.arange(1500) % 3)
        shares.append(doubted.mean())
    assert shares == sorted(shares) and shares[0] > 0.07 and shares[-1] > 0.9


@pytest.fixture(scope="module")
def found():
    """Probe three pools of drawn faces: right, half wrong, permuted."""
    patched = pytest.MonkeyPatch()
    patched.setattr(module, "LEAST_SEEN", 10_000)
    real = draw_faces(np.arange(240) % 3, np.arange(240), classes=CLASSES)
    real = real.with_columns(cluster=np.arange(240))
    labels = np.arange(150) % 3
    good = draw_faces(labels, 10_000 + np.arange(150), classes=CLASSES)
    wrong = draw_faces(labels, 20_000 + np.arange(150), classes=CLASSES, mislabelled_share=0.6)
    names = np.array(CLASSES)[(good.labels + 1) % 3]
    pools = {"good": good, "wrong": wrong, "permuted": good.with_columns(**{"class": names})}
    beside = tuple(beside_real(name, pool, real, 1.0) for name, pool in pools.items())
    yield run_probe(Inputs(real, beside, ()), Protocol())
    patched.undo()


def test_wrong_labels_are_doubted_and_cost_a_linear_classifier(found):
    good, wrong, _ = found.pools
    assert found.agreement > 0.5
    assert wrong.doubted.mean() > 2 * good.doubted.mean()
    assert good.gains[AS_GIVEN].difference > wrong.gains[AS_GIVEN].difference
    assert set(signs(found)) == {"good", "wrong", "permuted"}


def test_permuted_labels_are_refused_with_the_pairing_that_looks_right(found):
    assert found.pools[0].renamed == found.pools[1].renamed == {}
    expected = "permuted look permuted; .* happy -> surprise, sad -> happy, surprise -> sad"
    with pytest.raises(StudyError, match=expected):
        refuse_permuted(found)
    refuse_permuted(replace(found, pools=found.pools[:2]))
