"""Classifier two-sample tests: can a simple classifier tell synthetic from real features?

The tests are run on images as made, and after light, sharpness and crop were made alike.
"""

import cv2
import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from lib.faces.faceset import FaceSet
from lib.metrics.harmonise import ASPECTS, alike
from lib.metrics.pools import draw_like
from lib.metrics.spaces import Extract


def two_sample(
    real: np.ndarray, synth: np.ndarray, *, folds: int = 5, seed: int = 0
) -> dict[str, float]:
    """Train a linear classifier to separate two sets and score it on held-out images.

    Args:
        real: float (N, D).
        synth: float (M, D); the larger set is cut to the size of the smaller one.
        folds: of the cross-validation.
        seed: governs the cut and the folds.

    Returns:
        accuracy and auroc of held-out predictions (0.5: the sets are not separable), se
        (standard error of the accuracy), n (images a side).

    Source: Lopez-Paz and Oquab 2017, arXiv 1610.06545.
    """
    # Equal sizes, so that guessing one set is right half of the time.
    n = min(len(real), len(synth))
    rng = np.random.default_rng(seed)
    real = real[rng.permutation(len(real))[:n]]
    synth = synth[rng.permutation(len(synth))[:n]]
    features = np.concatenate([real, synth])
    is_synthetic = np.repeat([0, 1], n)

    # As good as logistic regression here, and ten times as fast.
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    probabilities = cross_val_predict(
        model, features, is_synthetic, cv=split, method="predict_proba"
    )[:, 1]

    # The two sets are equally large: a probability above one half says synthetic.
    accuracy = float(((probabilities > 0.5) == is_synthetic).mean())
    return {
        "accuracy": accuracy,
        "auroc": float(roc_auc_score(is_synthetic, probabilities)),
        "se": float(np.sqrt(accuracy * (1 - accuracy) / (2 * n))),
        "n": n,
    }


def two_sample_tests(
    spaces: dict[str, Extract], sets: dict[str, FaceSet], *, limit: int, seed: int
) -> pd.DataFrame:
    """Test every pool against real faces, as made and after each aspect in turn was harmonised.

    Two halves of the real faces are the baseline.

    Args:
        spaces: feature spaces by name.
        sets: by name; "real" are real faces, every other name is a pool, of any size, taken with
            the class shares of the real ones.
        limit: most images a side.
        seed: governs which images are taken.

    Returns:
        Columns space, pool, accuracy and auroc (as made), accuracy_light, accuracy_sharpness,
        accuracy_crop (each with those before it), auroc_harmonised (with all three), se (of
        accuracy), n (images a side).
    """
    real = sets["real"]

    # Halve the real faces: the reference, and the baseline.
    order = np.random.default_rng(seed).permutation(len(real))
    halves = np.array_split(order, 2)
    reference = real.images[halves[0]][:limit]
    other = real.images[halves[1]][:limit]

    # Test every set in every space.
    rows = []
    for name, pool in sets.items():
        # A pool is drawn with the class shares of the real faces.
        images = other
        if name != "real":
            images = pool.images[draw_like(pool.labels, real.labels, limit, seed)]
        pairs = _harmonised_pairs(images, reference)
        for space, extract in spaces.items():
            rows.append({"space": space, "pool": name} | _test_pairs(pairs, extract, seed))
    return pd.DataFrame(rows)


def _harmonised_pairs(
    images: np.ndarray, reference: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pair images with the reference: as made, then with one aspect more harmonised each time."""
    # Another size of the images would tell the sets apart by itself.
    size = reference.shape[:0:-1]  # OpenCV wants (width, height)
    sized = np.stack([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in images])

    # One aspect more each time: light, then sharpness too, then crop too.
    pairs = [(sized, reference)]
    for count in range(1, len(ASPECTS) + 1):
        pairs.append(alike(sized, reference, ASPECTS[:count]))
    return pairs


def _test_pairs(pairs: list[tuple[np.ndarray, np.ndarray]], extract: Extract, seed: int) -> dict:
    """Run the test on each pair of `_harmonised_pairs` and gather one row of the table."""
    # The reference changes with the pair, for it is blurred where it was the sharper.
    tests = []
    for synth, real in pairs:
        tests.append(two_sample(extract(real), extract(synth), seed=seed))

    # Lay the tests out as one row.
    as_made, *harmonised = tests
    row = {"accuracy": as_made["accuracy"], "auroc": as_made["auroc"]}
    for aspect, test in zip(ASPECTS, harmonised, strict=True):
        row[f"accuracy_{aspect}"] = test["accuracy"]
    row["auroc_harmonised"] = harmonised[-1]["auroc"]
    return row | {"se": as_made["se"], "n": as_made["n"]}
