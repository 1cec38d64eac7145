"""Behaviour in use, on answers that are known."""

import numpy as np
import pandas as pd
import pytest

from lib.application import behaviour
from lib.faces.classes import EMOTIONS


def answers(labels, right, seed):
    """Probabilities of three seeds that are right with the given chance per image."""
    rng = np.random.default_rng(seed)
    said = np.where(rng.random((6, len(labels))) < right, labels, (labels + 1) % 7)
    return (0.6 * np.eye(7)[said] + 0.4 / 7).astype(np.float32)


@pytest.mark.parametrize("kind", behaviour.DISTURBANCES)
def test_the_first_amount_changes_nothing_and_the_last_changes_most_images(kind):
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    amounts = behaviour.DISTURBANCES[kind]
    assert np.array_equal(behaviour.disturb(images, kind, amounts[0]), images)
    change = [
        np.abs(behaviour.disturb(images, kind, a).astype(int) - images).mean() for a in amounts
    ]
    assert change[-1] > 5 and change[-1] == max(change)


def test_a_sweep_finds_where_a_model_that_reads_brightness_fails():
    images = np.full((60, 48, 48), 200, np.uint8)
    labels = np.full(60, 3)

    def bright(found):
        return np.where((found.mean((1, 2)) > 120)[:, None], np.eye(7)[3], np.eye(7)[0])

    table = behaviour.sweep({"bright": bright}, images, labels)
    dark = table.query("disturbance == 'darkness'").set_index("amount")
    assert dark.loc[0.25, "accuracy"] == 1 and dark.loc[0.5, "accuracy"] == 0
    assert (table["low"] <= table["accuracy"]).all() and (table["accuracy"] <= table["high"]).all()
    # Always sure: right at first, then wrong.
    assert dark.loc[0.25, "ece_high"] == 0 and dark.loc[0.5, "ece_15"] == 1


def test_the_interval_of_the_calibration_error_is_as_wide_as_it_varies():
    rng = np.random.default_rng(0)
    tables = []
    for _ in range(40):
        # 80% sure and 50% right: the error is 0.3, its standard error 0.029.
        right = rng.random(300) < 0.5
        said = np.where(right, 0, 1)
        found = np.full((300, 7), 0.2 / 6)
        found[np.arange(300), said] = 0.8
        tables.append(behaviour._calibration_standard_error(found, np.zeros(300, int), 0))
    assert np.mean(tables) == pytest.approx(0.5 / np.sqrt(300), rel=0.1)


def test_flips_are_counted_within_a_face_only():
    said = ["sad", "happy", "happy", "happy", "sad", np.nan]
    table = pd.DataFrame(
        {"frame": [0, 0, 1, 1, 2, 3], "face": [0, 1, 0, 1, 0, np.nan], "class": said}
    )
    found = behaviour.flips(table).set_index("face")
    assert found["flips"].to_dict() == {0: 2, 1: 0} and found.loc[0, "flips_per_100"] == 100
    assert behaviour.time_per_class(table, EMOTIONS)["happy"] == pytest.approx(0.6)


def test_agreement_of_a_model_with_itself_and_with_its_opposite():
    a = np.eye(7)[np.arange(70) % 7]
    assert behaviour.agreement(a, a)["agreement"] == 1
    assert behaviour.agreement(a, np.roll(a, 1, axis=1))["agreement"] == 0


def test_difficult_images_are_found_and_a_better_model_is_named():
    labels = np.arange(400) % 7
    right = np.where(np.arange(400) < 100, 0.3, 0.95)
    better = right + 0.3 * (right < 0.5)
    runs = {
        "base": answers(labels, better, 0),
        "same": answers(labels, better, 1),
        "worse": answers(labels, right, 2),
    }
    assert (behaviour.hardest(runs, labels, most=50) < 100).mean() > 0.9
    table = behaviour.hardest_quarter(runs, labels, base="base", margin=0.01).set_index("arm")
    assert table.loc["worse", "verdict"] == "hurts" and table.loc["worse", "high"] < 0
    assert table.loc["same", "low"] < 0 < table.loc["same", "high"]
    assert list(table.index) == ["same", "worse"] and (table["n_images"] == 100).all()
    sentences = behaviour.hardest_sentences(table.reset_index())
    assert sentences[1].startswith("On the hardest quarter worse against all real images: \u2212")
    assert sentences[1].endswith("n = 100 images, 3 seeds: hurts.")
    shown = behaviour.difficult_table(runs, labels, np.array([0, 399]), EMOTIONS)
    assert list(shown["true"]) == [EMOTIONS[0], EMOTIONS[399 % 7]]
    assert shown["base"].str.endswith(" right").all() and "worse" in shown
