"""Can a simple classifier tell synthetic from real features, before and after light, sharpness and crop are made alike?"""

import cv2
import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from lib.faces.faceset import FaceSet
from lib.metrics.harmonise import ASPECTS, alike
from lib.metrics.pools import draw_like


def two_sample(real: np.ndarray, synth: np.ndarray, *, folds: int = 5, seed: int = 0) -> dict[str, float]:
    """Train a linear classifier to tell the two sets apart and score it on images that it did not see.

    Args:
        real, synth: float (N, D) features; the larger set is cut to the smaller one's size.
    Returns:
        accuracy and auroc of held-out predictions (0.5: not to be told apart), se of the accuracy, n images a side.
    Source: Lopez-Paz and Oquab 2017, arXiv 1610.06545.
    """
    n = min(len(real), len(synth))
    rng = np.random.default_rng(seed)
    features = np.concatenate([real[rng.permutation(len(real))[:n]], synth[rng.permutation(len(synth))[:n]]])
    label = np.repeat([0, 1], n)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")  # as good as logistic regression here, and ten times as fast
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    chance = cross_val_predict(model, features, label, cv=split, method="predict_proba")[:, 1]
    accuracy = float(((chance > 0.5) == label).mean())
    se = float(np.sqrt(accuracy * (1 - accuracy) / (2 * n)))
    return {"accuracy": accuracy, "auroc": float(roc_auc_score(label, chance)), "se": se, "n": n}


def tell_apart(spaces: dict, sets: dict[str, FaceSet], *, limit: int, seed: int) -> pd.DataFrame:
    """Ask of every pool how well it is told from real faces, as made and after each aspect in turn was harmonised.

    Two halves of the real faces are the baseline.

    Args:
        spaces: by name, a function of uint8 (N, H, W) images to float (N, D) features.
        sets: by name; "real" are real faces, every other name is a pool, of any size, taken with the class shares of the real ones.
        limit: most images a side.
    Returns:
        Columns space, pool, accuracy and auroc (as made), accuracy_light, accuracy_sharpness, accuracy_crop (each with those before it),
        auroc_harmonised (with all three), se (of accuracy), n (images a side).
    """
    order = np.random.default_rng(seed).permutation(len(sets["real"]))
    reference, other = (sets["real"].images[half][:limit] for half in np.array_split(order, 2))
    rows = []
    for name, pool in sets.items():
        own = other if name == "real" else pool.images[draw_like(pool.labels, sets["real"].labels, limit, seed)]
        sized = np.stack([cv2.resize(image, reference.shape[:0:-1], interpolation=cv2.INTER_AREA) for image in own])
        shown = [(sized, reference)] + [alike(sized, reference, ASPECTS[: i + 1]) for i in range(len(ASPECTS))]
        for space, extract in spaces.items():
            whole = extract(reference)
            found = [two_sample(whole if real is reference else extract(real), extract(synth), seed=seed) for synth, real in shown]
            row = {"space": space, "pool": name, "accuracy": found[0]["accuracy"], "auroc": found[0]["auroc"]}
            row |= {f"accuracy_{aspect}": after["accuracy"] for aspect, after in zip(ASPECTS, found[1:])}
            rows.append(row | {"auroc_harmonised": found[-1]["auroc"], "se": found[0]["se"], "n": found[0]["n"]})
    return pd.DataFrame(rows)
