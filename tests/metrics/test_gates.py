"""What must not pass unnoticed is flagged: accuracies that no honest result has, labels that the
reference classifier disagrees with. The gate for permuted labels is tested in tests/curation."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.metrics.gates import (
    accuracy_warnings,
    check_arms,
    copies_agreement,
    label_agreement_of_pools,
)

LABELS = np.array([0, 0, 1, 2, 2, 2])


@pytest.mark.parametrize(
    ("accuracy", "ceiling", "words"),
    [
        (0.3, 1.0, "under chance (50.0%, the largest class)"),
        (0.97, 0.96, "above what copies agree on (96.0%)"),
    ],
)
def test_an_implausible_accuracy_is_flagged(accuracy, ceiling, words):
    assert accuracy_warnings(accuracy, LABELS, ceiling=ceiling) == [words]


def test_a_plausible_accuracy_is_not_flagged():
    assert accuracy_warnings(0.7, LABELS, ceiling=0.96) == []


def test_copies_agree_by_pairs():
    labels, clusters = np.array([0, 0, 1, 2, 3, 3, 3]), np.array([9, 9, 4, 4, 5, 5, 5])
    assert copies_agreement(labels, clusters) == (pytest.approx(4 / 5), 5)


def test_without_copies_there_is_no_ceiling():
    assert np.isnan(copies_agreement(np.array([0, 1]), np.array([0, 1]))[0])


@pytest.mark.parametrize("clusters", [None, [0, 0, 1, 1], [0, 1, 2, 3]])
def test_arms_are_held_to_chance_and_to_the_ceiling_of_copies(clusters):
    names = ["angry", "angry", "angry", "fear"]
    columns = {"id": list("abcd"), "class": names, "split": "test", "source": "made"}
    if clusters:
        columns["cluster"] = clusters
    faces = FaceSet(np.zeros((4, 8, 8), np.uint8), pd.DataFrame(columns))
    arms = {"arm": ["low", "good", "chance"], "kind": ["synthetic"] * 2 + ["shuffled"]}
    levels = pd.DataFrame(arms | {"classifier": "small", "value": [0.2, 0.9, 0.2]})
    sentences = check_arms(levels, faces)

    # Of the two pairs of copies one agrees.
    expected = ["low (small): under chance (75.0%, the largest class)"]
    if clusters == [0, 0, 1, 1]:
        expected.append("good (small): above what copies agree on (50.0%)")
    assert sentences == expected


def test_the_class_that_agrees_least_is_named():
    pool = draw_faces(np.arange(70) % 7, np.arange(70))
    predicted = np.where(pool.labels == 2, 3, pool.labels)
    probabilities = {"pool": np.eye(7)[predicted]}
    row = label_agreement_of_pools({"pool": pool}, probabilities, {"accuracy_test": 0.6}).iloc[0]
    assert row["n"] == 70
    assert row["agreement"] == pytest.approx(6 / 7)
    assert (row["lowest_class"], row["lowest_agreement"]) == ("fear", 0)
    assert row["agreement_on_real"] == 0.6
