"""The exchange rate: how many real images one synthetic image replaces, from the learning curve of
real images alone.
"""

import numpy as np
import pandas as pd

from lib.faces.arms import Arm
from lib.metrics.arms import image_scores
from lib.metrics.contrasts import Arms
from lib.metrics.statistics import cluster_weights

# A learning curve that gains less accuracy than this over its whole range has no rate.
LEAST_GAIN = 1e-4
LEAST_DEFINED = 0.95  # share of the bootstrap draws that must give a rate for an interval
FARTHEST = 16  # times the largest set: how far beyond the curve's end a size is extrapolated

COLUMNS = ("arm", "classifier", "real", "synthetic", "rate", "low", "high", "n_seeds")


def image_counts(arm: Arm, n_real: int) -> tuple[int, int] | None:
    """Count the real and synthetic images of an arm that replaces or removes real ones.

    Args:
        n_real: real training images of base.

    Returns:
        Both counts; None for any other arm.
    """
    # All real images, then those that keep a share of them.
    if arm.kind == "base":
        return n_real, 0
    if arm.kind not in ("subset", "scarce", "replace"):
        return None
    kept = round(arm.share * n_real)
    synthetic = n_real - kept if arm.pool else 0
    return kept, synthetic


def exchange_rates(
    arms: Arms, labels: np.ndarray, clusters: np.ndarray, *, n_real: int, n_boot: int, seed: int
) -> pd.DataFrame:
    """Estimate for every arm of few real and many synthetic images how many real images one
    synthetic image replaces.

    The arm's accuracy is looked up on the curve of real images alone (accuracy against the
    logarithm of their number, straight between the sizes that were trained): with m real images
    more the curve reaches it, so one of the arm's k synthetic images is worth m / k.

    Args:
        arms: predictions by (arm, classifier), of the images of labels.
        labels, clusters: int64 (N,).
        n_real: real training images of base.
        n_boot: draws of seeds and clusters of images.
        seed: governs the draws.

    Returns:
        Columns COLUMNS: rate 0 is worthless, 1 as good as real; low and high (95%) are missing
        where the curve is too flat.
    """
    weights = cluster_weights(clusters, n_boot, seed).astype(np.float64)
    rows = []
    for classifier in dict.fromkeys(classifier for _, classifier in arms):
        # Real and synthetic images of each arm that the question is about.
        trained = [arm for arm, name in arms if name == classifier]
        counts = {arm: image_counts(arm, n_real) for arm in trained if image_counts(arm, n_real)}

        # The learning curve: arms of real images alone, by their number.
        alone = [arm for arm, (_, synthetic) in counts.items() if not synthetic]
        alone = sorted(alone, key=lambda arm: (counts[arm][0], arm.name))
        sizes = np.array([counts[arm][0] for arm in alone])
        if len(set(sizes)) < 2:
            continue

        # Accuracies of every draw, the same draws for all arms.
        drawn = {}
        for arm in counts:
            correct = image_scores(arms[arm, classifier], labels)
            drawn[arm] = _drawn_accuracies(correct, weights, seed)
        curve = np.stack([drawn[arm] for arm in alone], axis=1)

        # Every arm with synthetic images is looked up on the curve.
        for arm, (real, synthetic) in counts.items():
            if synthetic:
                rates = _rates(sizes, curve, drawn[arm], real, synthetic)
                about = arm.name, classifier, real, synthetic
                n_seeds = len(arms[arm, classifier].seeds)
                rows.append((*about, rates[0], *_interval(rates[1:]), n_seeds))
    return pd.DataFrame(rows, columns=COLUMNS)


def _drawn_accuracies(correct: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    """An arm's accuracy, first as measured, then with seeds and images drawn anew.

    Args:
        correct: float (S, N), 1 where a run is right.
        weights: of `cluster_weights`, (n_boot, N).

    Returns:
        float64 (1 + n_boot,).
    """
    # Accuracy of each seed on each draw of images, then of the seeds that are drawn.
    per_seed = weights @ correct.T / weights.sum(1, keepdims=True)
    rng = np.random.default_rng([seed, len(correct)])
    picked = rng.integers(len(correct), size=per_seed.shape)
    drawn = np.take_along_axis(per_seed, picked, axis=1).mean(1)
    return np.concatenate([[correct.mean()], drawn])


def _rates(
    sizes: np.ndarray, curve: np.ndarray, accuracies: np.ndarray, real: int, synthetic: int
) -> np.ndarray:
    """Exchange rate of every draw, float64 (1 + n_boot,); NaN where the curve does not rise.

    Args:
        sizes: int (K,), numbers of real images, ascending.
        curve: float (1 + n_boot, K), accuracies at these sizes, by draw.
        accuracies: float (1 + n_boot,), of the arm.
        real, synthetic: images of the arm.
    """
    # More real images are never worth less.
    curve = np.maximum.accumulate(curve, axis=1)
    rates = np.full(len(curve), np.nan)
    for draw, (drawn_curve, accuracy) in enumerate(zip(curve, accuracies)):
        if drawn_curve[-1] - drawn_curve[0] > LEAST_GAIN:
            equal_size = np.exp(_log_size_at(drawn_curve, np.log(sizes), accuracy))
            rates[draw] = (equal_size - real) / synthetic
    return rates


def _log_size_at(curve: np.ndarray, log_sizes: np.ndarray, accuracy: float) -> float:
    """Interpolate the logarithm of the size at which a curve reaches an accuracy; beyond its ends
    along the line through both ends.
    """
    # Between the sizes; where the curve is flat the smaller size counts.
    if curve[0] <= accuracy <= curve[-1]:
        rising = np.concatenate([[True], np.diff(curve) > 0])
        return float(np.interp(accuracy, curve[rising], log_sizes[rising]))

    # Beyond the sizes.
    slope = (log_sizes[-1] - log_sizes[0]) / (curve[-1] - curve[0])
    end = 0 if accuracy < curve[0] else -1
    extrapolated = log_sizes[end] + slope * (accuracy - curve[end])
    return float(np.clip(extrapolated, 0, log_sizes[-1] + np.log(FARTHEST)))


def _interval(rates: np.ndarray) -> tuple[float, float]:
    """95% percentile interval of the draws; NaN where too many have no rate."""
    # Draws whose curve does not rise have no rate.
    known = rates[~np.isnan(rates)]
    if len(known) < LEAST_DEFINED * len(rates):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
