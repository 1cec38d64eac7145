"""Label consistency: does an image show what its label says, in the eyes of a judge trained on real training images?

The judge is a callable, fit_predict(train_faces, images) -> probabilities (N, 7); which network it is, is not decided here.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.curation.verdicts import verdict_table
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError


def judge(real: FaceSet, pool: FaceSet, fit_predict: Callable, *, folds: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Judge a pool by cross-validation over the real training images.

    Each fold's judge sees the other folds; the pool gets the mean of all judges, each real image the one that did not see it or its copies.

    Args:
        real: real training images and no others.
        pool: images to judge.
        fit_predict: (train FaceSet, uint8 (N, H, W)) -> float (N, 7) probabilities.
        folds: how many judges, 2 or more.
        seed: shuffles the folds.

    Returns:
        probabilities float32 of the pool (N, 7), and of the real images (M, 7).

    Raises:
        StudyError: images of the validation or test split among the real ones.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    seen = sorted(set(real.table["split"]) - {"train"})
    if seen:
        raise StudyError(
            f"the judge learns from training images only, but was given the splits {', '.join(seen)}; pass faces.split('train')"
        )
    groups = real.table["cluster"].to_numpy() if "cluster" in real.table else np.arange(len(real))
    images = pool.resized(real.images.shape[1]).images
    ours, theirs = np.zeros((len(pool), len(CLASSES)), np.float32), np.zeros((len(real), len(CLASSES)), np.float32)
    for number, (train, held) in enumerate(
        StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(real.images, real.labels, groups), start=1
    ):
        said = fit_predict(real.select(train), np.concatenate([real.images[held], images]))
        theirs[held] = said[: len(held)]
        ours += said[len(held) :] / folds
        right = (said[: len(held)].argmax(axis=1) == real.labels[held]).mean()
        print(
            f"judge {number} of {folds}: {len(train):,} real images learnt, {right:.1%} of {len(held):,} others named as labelled",
            flush=True,
        )
    return ours, theirs


def reject_inconsistent(faces: FaceSet, probabilities: np.ndarray, *, action: str, confidence: float, doubt: float = 0.0) -> pd.DataFrame:
    """Drop or relabel images that show another class than their label's.

    Confident learning takes the judge's word for it and is right to as far as the judge is good; with a weak judge most of what it rejects
    is well labelled, and a low limit on the probability of the label costs less.

    Args:
        faces: labelled images.
        probabilities: float (N, 7), the judge's.
        action: drop: mislabelled images go; relabel: those of which the judge is sure get its class, the others go.
        confidence: probability from which the judge is sure, 0 to 1.
        doubt: probability of the label under which it is taken for wrong, 0 to 1; 0 for confident learning.

    Returns:
        Verdicts; score is the judge's probability of the label, relabel the new class.

    Source: Northcutt, Jiang and Chuang 2021, "Confident learning", arXiv 1911.00068, as cleanlab implements it.
    """
    if len(probabilities) != len(faces):
        raise StudyError(f"the judge gave {len(probabilities)} rows of probabilities for {len(faces)} images")
    labels = faces.labels
    score = probabilities[np.arange(len(faces)), labels]
    wrong = score < doubt if doubt else _label_issues(labels, probabilities)
    best = probabilities.argmax(axis=1)
    sure = wrong & (best != labels) & (probabilities.max(axis=1) >= confidence)
    relabel = np.where(sure & (action == "relabel"), np.array(CLASSES, dtype=object)[best], "")
    reasons = [f"labelled {CLASSES[i]}, looks {CLASSES[j]} ({p[j]:.0%})" for i, j, p in zip(labels, best, probabilities, strict=True)]
    return verdict_table(faces, ~wrong | (relabel != ""), score, reasons, relabel)


def _label_issues(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Find labels that confident learning takes for wrong, as a mask."""
    from cleanlab.filter import find_label_issues

    if len(labels) == 0:
        return np.zeros(0, dtype=bool)
    present, compact = np.unique(labels, return_inverse=True)  # cleanlab wants every class to occur
    if len(present) < 2:
        return probabilities.argmax(axis=1) != labels
    own = probabilities[:, present].astype(np.float64)
    own /= np.maximum(own.sum(axis=1, keepdims=True), 1e-12)
    return find_label_issues(compact, own, filter_by="confident_learning", n_jobs=1)


def probability_table(faces: FaceSet, probabilities: np.ndarray) -> pd.DataFrame:
    """Name the judge's probabilities by image id and class."""
    return pd.DataFrame(probabilities, index=pd.Index(faces.table["id"], name="id"), columns=list(CLASSES))


def label_agreement(faces: FaceSet, probabilities: np.ndarray) -> pd.DataFrame:
    """Average the judge's probabilities by label: rows are labels, columns what the judge sees."""
    labels = faces.labels
    rows = [probabilities[labels == i].mean(axis=0) if (labels == i).any() else np.full(len(CLASSES), np.nan) for i in range(len(CLASSES))]
    return pd.DataFrame(rows, index=pd.Index(CLASSES, name="label"), columns=list(CLASSES))


def check_label_order(faces: FaceSet, probabilities: np.ndarray) -> None:
    """Stop when a pool's labels look permuted: the judge agrees with another order of the classes far better than with this one.

    Raises:
        StudyError: names the classes that seem exchanged.
    """
    from scipy.optimize import linear_sum_assignment

    agreement = label_agreement(faces, probabilities).dropna()
    rows, columns = linear_sum_assignment(-agreement.to_numpy())
    own = np.mean([agreement.loc[name, name] for name in agreement.index])
    other = agreement.to_numpy()[rows, columns].mean()
    if other > 0.35 and own < 0.5 * other:  # mislabelled at random the columns stay equal: no order is better
        pairs = ", ".join(
            f"{agreement.index[i]} looks {CLASSES[j]}" for i, j in zip(rows, columns, strict=True) if agreement.index[i] != CLASSES[j]
        )
        raise StudyError(
            f"the pool's labels look permuted ({pairs}; agreement {own:.2f}, permuted {other:.2f}): check the class order of its source"
        )
