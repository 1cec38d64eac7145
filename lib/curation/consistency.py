"""Label consistency: whether an image shows what its label says.

A label classifier that was trained on real training images gives class probabilities, out of fold
wherever it could have learnt an image. It is passed in as a callable; which network it is, is not
decided here. Probability arrays are float (N, K), K being the number of `faces.classes`.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.curation.verdicts import verdict_table
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError

MIN_SUM = 1e-12  # of a row of probabilities, against division by zero


def out_of_fold_probabilities(
    real: FaceSet, pool: FaceSet, fit_predict: Callable, *, folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predict a pool and the real images with label classifiers that are cross-validated on real.

    Each fold's classifier learns the other folds. A pool image gets the mean of all classifiers,
    a real image the one that saw neither it nor a copy of it.

    Args:
        real: real training images and no others, M; the column `cluster` numbers copies.
        pool: N images to predict.
        fit_predict: (train FaceSet, uint8 (n, H, W)) -> probabilities float (n, K).
        folds: number of classifiers, 2 or more.
        seed: shuffles the folds.

    Returns:
        Probabilities float32 of the pool (N, K) and of the real images (M, K).

    Raises:
        StudyError: images of the validation or test split are among the real ones.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    # The pool at the size that the classifier learns.
    _require_training_images(real)
    images = pool.resized(real.images.shape[1]).images
    of_pool = np.zeros((len(pool), len(real.classes)), np.float32)
    of_real = np.zeros((len(real), len(real.classes)), np.float32)

    # Train one classifier a fold; copies of an image stay within one.
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = splitter.split(real.images, real.labels, real.clusters)
    for number, (train, held) in enumerate(splits, start=1):
        # One call predicts the fold and the pool, so the network need not be kept.
        asked = np.concatenate([real.images[held], images])
        probabilities = fit_predict(real.select(train), asked)
        of_real[held] = probabilities[: len(held)]
        of_pool += probabilities[len(held) :] / folds

        # Report how good the classifier is, for its verdicts are no better.
        accuracy = (of_real[held].argmax(axis=1) == real.labels[held]).mean()
        print(
            f"label classifier {number} of {folds}: trained on {len(train):,} real images, "
            f"accuracy {accuracy:.1%} on the {len(held):,} left out",
            flush=True,
        )
    return of_pool, of_real


def label_probabilities(
    pool: FaceSet,
    steps: list[str],
    *,
    real: FaceSet,
    fit_predict: Callable,
    reference: Callable[[np.ndarray], np.ndarray],
    folds: int,
    seed: int,
) -> np.ndarray:
    """Predict the classes of a pool's images, with as much effort as the steps need.

    Where the step `label` rejects by the prediction, cross-validated label classifiers give it;
    otherwise the reference classifier, which is there already, is enough for a look.

    Args:
        pool: N synthetic images.
        steps: all steps that will examine the pool.
        real, fit_predict, folds, seed: see out_of_fold_probabilities.
        reference: uint8 (N, H, W) -> probabilities (N, K), the reference classifier's.

    Returns:
        float32 (N, K).
    """
    # Training label classifiers takes minutes, so they are trained only where they decide.
    if "label" not in steps:
        return reference(pool.images)
    return out_of_fold_probabilities(real, pool, fit_predict, folds=folds, seed=seed)[0]


def reject_inconsistent(
    faces: FaceSet, probabilities: np.ndarray, *, action: str, confidence: float, doubt: float = 0.0
) -> pd.DataFrame:
    """Drop or relabel images that show another class than their label's.

    Confident learning is as right as the label classifier is good: with a weak one most of what it
    rejects is labelled correctly, and a low limit on the label's probability costs less.

    Args:
        faces: N labelled images.
        probabilities: float (N, K), the label classifier's.
        action: drop: all mislabelled images go; relabel: those about which the classifier is
            confident get its class, the others go.
        confidence: probability from which the classifier is confident, 0 to 1.
        doubt: probability of the label below which it counts as wrong, 0 to 1; 0: confident
            learning decides.

    Returns:
        Verdicts; score is the probability of the label, relabel the new class.

    Source: Northcutt, Jiang and Chuang 2021, "Confident learning", arXiv 1911.00068, as cleanlab
        implements it.
    """
    # Find the labels that count as wrong.
    labels = faces.labels
    score = probabilities[np.arange(len(faces)), labels]
    wrong = score < doubt if doubt else _label_issues(labels, probabilities)

    # Only a confident prediction of another class may replace a label.
    best = probabilities.argmax(axis=1)
    confident = wrong & (best != labels) & (probabilities.max(axis=1) >= confidence)
    names = np.array(faces.classes, dtype=object)
    relabel = np.where(confident & (action == "relabel"), names[best], "")

    # The reason names both classes and how probable the other one is.
    reasons = [
        f"labelled {names[label]}, predicted {names[seen]} ({row[seen]:.0%})"
        for label, seen, row in zip(labels, best, probabilities, strict=True)
    ]
    return verdict_table(faces, ~wrong | (relabel != ""), score, reasons, relabel)


def probability_table(faces: FaceSet, probabilities: np.ndarray) -> pd.DataFrame:
    """Index probabilities (N, K) by image id, one column a class."""
    # Steps look rows up by id, for each sees only the images that are left.
    index = pd.Index(faces.table["id"], name="id")
    return pd.DataFrame(probabilities, index=index, columns=list(faces.classes))


def label_agreement(faces: FaceSet, probabilities: np.ndarray) -> pd.DataFrame:
    """Average the label classifier's probabilities by label.

    Args:
        faces: N labelled images.
        probabilities: float (N, K).

    Returns:
        K x K table: rows are labels, columns predicted classes; NaN for a label without images.
    """
    labels = faces.labels
    # Labels without images keep NaN.
    rows = np.full((len(faces.classes), len(faces.classes)), np.nan)
    for i in np.unique(labels):
        rows[i] = probabilities[labels == i].mean(axis=0)
    index = pd.Index(faces.classes, name="label")
    return pd.DataFrame(rows, index=index, columns=list(faces.classes))


def _require_training_images(real: FaceSet) -> None:
    """Stop where the label classifier would learn from held-out images."""
    # Validation and test images may be compared with, never learnt from.
    others = sorted(set(real.table["split"]) - {"train"})
    if others:
        raise StudyError(
            "the label classifier learns from training images only, but was given the splits "
            f"{', '.join(others)}; pass faces.split('train')"
        )


def _label_issues(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Find the labels that confident learning takes for wrong, bool (N,)."""
    from cleanlab.filter import find_label_issues

    if len(labels) == 0:
        return np.zeros(0, dtype=bool)

    # cleanlab wants every class to occur: leave out the others and renumber.
    present, compact = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return probabilities.argmax(axis=1) != labels

    # The probabilities of the classes that occur, scaled to sum 1 again.
    shares = probabilities[:, present].astype(np.float64)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), MIN_SUM)
    return find_label_issues(compact, shares, filter_by="confident_learning", n_jobs=1)
