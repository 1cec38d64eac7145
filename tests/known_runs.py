"""Runs whose accuracy is known, for tests of what is made of them."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from lib.faces.arms import REAL_SHARES, Arm, controls
from lib.faces.classes import EMOTIONS
from lib.metrics.predictions import Predictions

BASE = Arm("base")
N = 1200
LABELS = np.random.default_rng(0).choice(7, N, p=[0.2, 0.05, 0.15, 0.25, 0.15, 0.1, 0.1])
LEAKED = np.arange(N) < 100


def supplement(real: int, pool: str = "x", added: int = 500) -> Arm:
    return Arm("supplement", pool, real=real, added=added, class_shares=REAL_SHARES)


def control(kind: str, real: int, **fields) -> Arm:
    return next(arm for arm in controls(supplement(real, **fields)) if arm.kind == kind)


def study(accuracies: dict, *, n_seeds: int = 4, leaked: bool = False, **facts) -> Predictions:
    """Runs whose accuracy is known.

    Args:
        accuracies: by arm, or by (arm, length); chosen on val is the highest of an arm.
    """
    rows, predicted = [], []
    for place, (key, accuracy) in enumerate(accuracies.items()):
        arm, length = key if isinstance(key, tuple) else (key, 1.0)
        for seed in range(n_seeds):
            # What is hard about an image is hard for every run.
            hard = np.random.default_rng(7).random(N)
            chance = np.clip(accuracy + (0.5 - hard) * 0.3, 0, 1)
            rng = np.random.default_rng([place, seed])
            right = rng.random(N) < chance
            wrong = (LABELS + rng.integers(1, 7, N)) % 7
            predicted.append(np.where(right, LABELS, wrong).astype(np.uint8))
            row = {"arm": arm.name, **asdict(arm), "classifier": "small", "seed": seed, "fold": 0}
            share = arm.real / (arm.real + arm.added) if arm.kind == "fewer_steps" else 1
            row |= {"length": length, "steps": round(100 * length * share), "failed": ""}
            row |= {"images": (arm.real or 1000) + arm.added, "accuracy_val": accuracy}
            rows.append(row | {"accuracy_test": right.mean()})
    test = pd.DataFrame({"class": np.array(EMOTIONS)[LABELS], "cluster": np.arange(N), "fold": 0})
    if leaked:
        test["leaked"] = LEAKED
    facts = {"margin": 0.005, "knowledge": {"x": "external"}} | facts
    return Predictions(
        pd.DataFrame(rows), EMOTIONS, {"test": np.stack(predicted)}, {"test": test}, facts
    )
