"""Whole studies at numbers of real images, trained on drawn faces whose truth is known: added faces
help beside few real ones, and hurt or help beside many."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from lib.classifiers.recipes import TrainingPlan, recipe_of
from lib.classifiers.training import train
from lib.faces.arms import REAL_SHARES, Arm
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import FaceSet
from lib.faces.mixing import build_arm
from lib.metrics.crossing import CROSSES, LASTS
from lib.metrics.predictions import Predictions
from lib.metrics.simulated_amounts import found_crossing

SIZES, ADDED, DRAWS, STEPS, MARGIN = (35, 140, 560), 600, 4, 60, 0.01
LENGTHS = (1.0, 3.0)
NOISE = 0.05  # share of wrong labels among real faces


def pool(wrong: float) -> FaceSet:
    """New faces of the same source, a share of whose labels is wrong."""
    labels = np.arange(1500) % 7
    return draw_faces(labels, 7_000_000_000 + np.arange(1500), mislabelled_share=wrong)


def trained_study(wrong: float) -> Predictions:
    """Train every arm at every length and draw."""
    faces = drawn_study(1000, 400, 1500, NOISE, 4242)
    held = {name: faces.split(name) for name in ("val", "test")}
    arms = [Arm("subset", real=size) for size in SIZES]
    arms += [
        Arm("supplement", "x", real=size, added=ADDED, class_shares=REAL_SHARES) for size in SIZES
    ]
    rows, predicted = [], {"val": [], "test": []}
    for arm in arms:
        for draw in range(DRAWS):
            images = build_arm(arm, faces.split("train"), {"x": pool(wrong)}, seed=0, draw=draw)
            for length in LENGTHS:
                steps = round(STEPS * length)
                plan = TrainingPlan("small", recipe_of("quick"), seed=draw, steps=steps)
                result = train(images, plan, evaluate=held)
                row = {"arm": arm.name, **asdict(arm), "classifier": "small", "seed": draw}
                row |= {"length": length, "steps": steps, "images": len(images), "failed": ""}
                for name, part in held.items():
                    chosen = result.probabilities[name].argmax(1).astype(np.uint8)
                    predicted[name].append(chosen)
                    row[f"accuracy_{name}"] = (chosen == part.labels).mean()
                rows.append(row | {"fold": 0})
    known = {
        name: pd.DataFrame({"class": part.table["class"], "cluster": np.arange(len(part))})
        for name, part in held.items()
    }
    return Predictions(
        pd.DataFrame(rows),
        faces.classes,
        {name: np.stack(chosen) for name, chosen in predicted.items()},
        {name: table.assign(fold=0) for name, table in known.items()},
        {"margin": MARGIN, "knowledge": {"x": "external"}},
    )


@pytest.mark.slow
def test_faces_with_wrong_labels_help_few_real_ones_and_hurt_many():
    row = found_crossing(trained_study(wrong=0.6))
    assert row["outcome"] == CROSSES
    assert SIZES[0] < row["low"] <= row["crossing"] <= row["high"] <= SIZES[-1]


@pytest.mark.slow
def test_faces_with_right_labels_help_few_and_many():
    assert found_crossing(trained_study(wrong=0.0))["outcome"] == LASTS
