"""How models behave in use: agreement, flips, time per class, what disturbances cost, and the hardest images side by side."""

import cv2
import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.faces.faceset import CLASSES

DISTURBANCES = {
    "blur": (0.0, 0.5, 1.0, 2.0, 3.0),  # standard deviation, pixels of a 48-pixel face
    "darkness": (0.0, 0.25, 0.5, 0.75, 0.9),  # share of the light that is missing
    "rotation": (0.0, 10.0, 20.0, 30.0, 45.0),  # degrees
    "occlusion": (0.0, 0.1, 0.2, 0.35, 0.5),  # share of the side that a grey square covers
    "low_resolution": (1.0, 2.0, 3.0, 4.0, 6.0),  # factor by which the face is shrunk and enlarged again
}


def disturb(images: np.ndarray, kind: str, amount: float, *, seed: int = 0) -> np.ndarray:
    """Disturb face images; the first amount of each kind in DISTURBANCES changes nothing.

    Args:
        images: uint8 (N, H, W).
        kind: a key of DISTURBANCES.
        amount: in the unit given there.
        seed: of the place of the occluding square and the sense of rotation.
    """
    rng = np.random.default_rng(seed)
    height, width = images.shape[1:]
    places, signs = rng.random((len(images), 2)), rng.choice([-1, 1], len(images))
    if kind == "blur":
        return np.stack([cv2.GaussianBlur(i, (0, 0), amount * width / 48) for i in images]) if amount else images.copy()
    if kind == "darkness":
        return np.round(images * (1 - amount)).astype(np.uint8)
    if kind == "rotation":
        turns = [cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), float(s * amount), 1) for s in signs]
        return np.stack([cv2.warpAffine(i, m, (width, height), borderMode=cv2.BORDER_REPLICATE) for i, m in zip(images, turns)])
    if kind == "occlusion":
        out, side = images.copy(), round(amount * width)
        for image, (v, u) in zip(out, places):
            y, x = round(v * (height - side)), round(u * (width - side))
            image[y : y + side, x : x + side] = 128
        return out
    if amount == 1:
        return images.copy()
    small = (max(2, round(width / amount)), max(2, round(height / amount)))
    return np.stack([cv2.resize(cv2.resize(i, small, interpolation=cv2.INTER_AREA), (width, height)) for i in images])


def sweep(models: dict, images: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """Follow accuracy and calibration of models as images get worse.

    Args:
        models: functions uint8 (N, H, W) -> probabilities float (N, 7), by name.
        labels: int64 (N,).
    Returns:
        Columns model, disturbance, amount, accuracy, low, high, ece_15, ece_low, ece_high (95 %, over images), n.
    """
    from lib.metrics.scores import scores

    rows = []
    for kind, amounts in DISTURBANCES.items():
        for amount in amounts:
            worse = disturb(images, kind, amount, seed=seed)
            for name, model in models.items():
                found = model(worse)
                share, low, high = wilson(int((found.argmax(1) == labels).sum()), len(labels))
                row = {"model": name, "disturbance": kind, "amount": amount, "accuracy": share, "low": low, "high": high}
                error, spread = scores(found, labels)["ece_15"], _calibration_spread(found, labels, seed)
                calibration = {"ece_15": error, "ece_low": max(0.0, error - 1.96 * spread), "ece_high": error + 1.96 * spread}
                rows.append(row | calibration | {"n": len(labels)})
    return pd.DataFrame(rows)


def _calibration_spread(found: np.ndarray, labels: np.ndarray, seed: int, *, n_boot: int = 200, bins: int = 15) -> float:
    """Estimate the standard error of the calibration error by a bootstrap over images.

    Its quantiles would not do: resampling adds noise, and noise in a bin can only raise the error.
    """
    confidence = found.max(1)
    gap = (found.argmax(1) == labels) - confidence  # the error is the sum over bins of the absolute sum of these, over n
    inside = np.eye(bins)[np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)] * gap[:, None]
    weights = np.random.default_rng(seed).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), n_boot)
    return float((np.abs(weights @ inside).sum(1) / len(labels)).std())


def agreement(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Give the share of images on which two models name the same class, with its 95 % interval.

    Args:
        a, b: float (N, C) probabilities of the same images.
    """
    same = int((a.argmax(1) == b.argmax(1)).sum())
    return dict(zip(("agreement", "low", "high"), wilson(same, len(a)))) | {"n": len(a)}


def flips(table: pd.DataFrame) -> pd.DataFrame:
    """Count how often the class of a followed face changes from one of its frames to the next.

    Args:
        table: the application's CSV.
    Returns:
        One row a face: face, frames, flips, flips_per_100.
    """
    faces = table.dropna(subset=["face"]).sort_values(["face", "frame"])
    changed = (faces["class"] != faces.groupby("face")["class"].shift()) & faces["face"].duplicated()
    found = pd.DataFrame({"frames": faces.groupby("face").size(), "flips": changed.groupby(faces["face"]).sum().astype(int)})
    return found.assign(flips_per_100=100 * found["flips"] / (found["frames"] - 1).clip(lower=1)).reset_index()


def time_per_class(table: pd.DataFrame) -> pd.Series:
    """Give the share of face frames that each class holds."""
    return table["class"].dropna().value_counts(normalize=True).reindex(CLASSES, fill_value=0.0).rename("share")


def hardest(runs: dict[str, np.ndarray], labels: np.ndarray, *, most: int = 8) -> np.ndarray:
    """Choose the images that all models together find hardest: lowest mean probability of the true class, no model favoured.

    Args:
        runs: float (S, N, 7) probabilities of S seeds by model.
        labels: int64 (N,).
    Returns:
        int64 (most,), hardest first.
    """
    means = np.mean([p[:, np.arange(len(labels)), labels].mean(0) for p in runs.values()], axis=0)
    return np.argsort(means, kind="stable")[:most]


def side_by_side(runs: dict[str, np.ndarray], labels: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
    """Set the answers of models beside the truth, in the form of S1's table of difficult frames.

    Returns:
        One row an image: image, true, and for each model its most frequent answer over seeds with the share of seeds that are right.
    """
    rows = []
    for i in chosen:
        row = {"image": int(i), "true": CLASSES[labels[i]]}
        for name, p in runs.items():
            said = p[:, i].argmax(1)
            row |= {name: CLASSES[np.bincount(said, minlength=7).argmax()], f"{name} right": float((said == labels[i]).mean())}
        rows.append(row)
    return pd.DataFrame(rows)


def on_difficult(runs: dict[str, np.ndarray], labels: np.ndarray, *, base: str, other: str, margin: float, share: float = 0.25):
    """Decide whether one model is better than another on difficult images.

    Difficulty is judged by half of the seeds of both, accuracy by the other half, so that no model is blamed for its own choice.

    Returns:
        (Effect of other minus base on the hardest `share`, verdict in a word).
    """
    from lib.metrics.statistics import compare, verdict

    seeds = min(len(runs[base]), len(runs[other]))
    judges = {name: runs[name][: seeds // 2] for name in (base, other)}
    chosen = hardest(judges, labels, most=max(2, round(share * len(labels))))
    right = [(runs[name][seeds // 2 : seeds][:, chosen].argmax(2) == labels[chosen]).astype(float) for name in (base, other)]
    effect = compare(*right)
    return effect, verdict(effect, margin)
