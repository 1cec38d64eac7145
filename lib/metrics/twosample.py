"""Can a simple classifier tell synthetic from real features, before and after brightness, contrast and sharpness are made alike?"""

import cv2
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

WIDEST_BLUR_PX, HALVINGS, SAMPLE = 3.0, 8, 500


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
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    chance = cross_val_predict(model, features, label, cv=split, method="predict_proba")[:, 1]
    accuracy = float(((chance > 0.5) == label).mean())
    return {"accuracy": accuracy, "auroc": float(roc_auc_score(label, chance)), "se": float(np.sqrt(accuracy * (1 - accuracy) / (2 * n))), "n": n}


def tell_apart(extract, images: dict[str, np.ndarray], *, limit: int, seed: int) -> pd.DataFrame:
    """Ask of every pool how well it is told from real faces, as made and after `harmonise`; two halves of the real faces are the baseline.

    Args:
        extract: uint8 (N, H, W) images to float (N, D) features.
        images: uint8 (N, H, W) by name; "real" are real faces, every other name is a pool, of any size.
        limit: most images a side.
    Returns:
        Columns pool, accuracy, auroc, accuracy_harmonised, auroc_harmonised, se, n.
    """
    order = np.random.default_rng(seed).permutation(len(images["real"]))
    reference, other = (images["real"][half][:limit] for half in np.array_split(order, 2))
    features, rows = extract(reference), []
    for name, own in (images | {"real": other}).items():
        own = own[np.random.default_rng(seed).permutation(len(own))[:limit]]
        sized = np.stack([cv2.resize(image, reference.shape[:0:-1], interpolation=cv2.INTER_AREA) for image in own])
        plain, alike = (two_sample(features, extract(shown), seed=seed) for shown in (sized, harmonise(sized, reference)))
        rows.append({"pool": name, "accuracy": plain["accuracy"], "auroc": plain["auroc"], "accuracy_harmonised": alike["accuracy"],
                     "auroc_harmonised": alike["auroc"], "se": plain["se"], "n": plain["n"]})  # fmt: skip
    return pd.DataFrame(rows)


def harmonise(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Give a set the brightness (mean and spread), contrast and sharpness that another set has, so that only content can tell them apart.

    Args:
        images: uint8 (N, H, W), to change.
        like: uint8 (M, H, W), the set to imitate.
    Returns:
        uint8 (N, H, W). A set that is less sharp than the other stays as it is: detail cannot be invented.
    """
    pixels = _blurred_like(images, like).astype(np.float32)
    own, theirs = pixels.mean(axis=(1, 2), keepdims=True), like.mean(axis=(1, 2))
    contrast = like.std(axis=(1, 2)).mean() / max(pixels.std(axis=(1, 2)).mean(), 1e-6)
    brightness = theirs.mean() + (own - own.mean()) * theirs.std() / max(own.std(), 1e-6)
    return np.clip((pixels - own) * contrast + brightness, 0, 255).round().astype(np.uint8)


def _blurred_like(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Blur a set until it is as sharp as the other, by halving the interval of widths."""
    wanted, low, high = _sharpness(like), 0.0, WIDEST_BLUR_PX
    if _sharpness(images) <= wanted:
        return images
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _sharpness(_blurred(images[:SAMPLE], middle)) > wanted else (low, middle)
    return _blurred(images, (low + high) / 2)


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])


def _sharpness(images: np.ndarray) -> float:
    """Energy of the Laplacian relative to that of the image, which contrast alone cannot change."""
    return float(np.mean([cv2.Laplacian(image, cv2.CV_32F).var() / max(image.var(), 1.0) for image in images[:SAMPLE]]))
