"""What one synthetic face is worth in real ones, read off the learning curve of real faces alone."""

import re

import numpy as np
import pandas as pd

from lib.metrics.arms import image_scores
from lib.metrics.statistics import cluster_weights

FLAT = 1e-4  # a learning curve that gains less accuracy than this over the whole range tells nothing
DEFINED = 0.95  # share of the bootstrap draws that must give a rate, else there is no interval


def image_counts(arm: str, n_real: int) -> tuple[int, int] | None:
    """Count the real and synthetic images behind an arm that mixes or thins real ones; None for any other arm."""
    if arm == "base":
        return n_real, 0
    match = re.fullmatch(r"(subset|scarce|replace)-([\d.]+)(-.+)?", arm)
    if not match:
        return None
    kept = round(float(match.group(2)) * n_real)
    return kept, n_real - kept if match.group(3) else 0


def exchange_rates(arms: dict, labels: np.ndarray, clusters: np.ndarray, *, n_real: int, n_boot: int, seed: int) -> pd.DataFrame:
    """Estimate for every arm of few real and many synthetic images how many real images one synthetic one replaces.

    The arm's accuracy is looked up on the curve of real images alone (accuracy against the logarithm of their number, straight between
    the sizes that were trained): with m real images more the curve reaches it, so one of the arm's k synthetic images is worth m / k.

    Args:
        arms: predictions by (arm, classifier), of the images of labels.
        n_real: real training images of the base arm.
        n_boot: draws of seeds and clusters of images.
    Returns:
        Columns arm, classifier, real, synthetic, rate, low, high (95 %; missing where the curve is too flat), n_seeds; 0 is worthless, 1 as
        good as real.
    """
    weights = cluster_weights(clusters, n_boot, seed).astype(np.float64)
    rows = []
    for classifier in dict.fromkeys(own for _, own in arms):
        counts = {arm: found for arm, own in arms if own == classifier and (found := image_counts(arm, n_real))}
        seeds = {arm: set(arms[arm, classifier].seeds) for arm in counts}
        drawn = {arm: _draws(image_scores(arms[arm, classifier], labels), weights, seed) for arm in counts}
        alone = sorted((real, arm) for arm, (real, synthetic) in counts.items() if not synthetic)
        if len({real for real, _ in alone}) < 2:
            continue
        sizes, curve = np.array([real for real, _ in alone]), np.stack([drawn[arm] for _, arm in alone], axis=1)
        for arm, (real, synthetic) in counts.items():
            if synthetic:
                rates = _worth(sizes, curve, drawn[arm], real, synthetic)
                rows.append((arm, classifier, real, synthetic, rates[0], *_interval(rates[1:]), len(seeds[arm])))
    return pd.DataFrame(rows, columns=["arm", "classifier", "real", "synthetic", "rate", "low", "high", "n_seeds"])


def _draws(right: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    """An arm's accuracy, float64 (1 + n_boot,): first as it is, then with seeds and images drawn anew."""
    per_seed = weights @ right.T / weights.sum(1, keepdims=True)
    picked = np.random.default_rng([seed, len(right)]).integers(len(right), size=per_seed.shape)
    return np.concatenate([[right.mean()], np.take_along_axis(per_seed, picked, axis=1).mean(1)])


def _worth(sizes: np.ndarray, curve: np.ndarray, reached: np.ndarray, real: int, synthetic: int) -> np.ndarray:
    """Rates of every draw; NaN where the curve does not rise."""
    curve = np.maximum.accumulate(curve, axis=1)  # more real images are never worth less
    rates = np.full(len(curve), np.nan)
    for i, (levels, level) in enumerate(zip(curve, reached)):
        if levels[-1] - levels[0] > FLAT:
            rates[i] = (np.exp(_look_up(levels, np.log(sizes), level)) - real) / synthetic
    return rates


def _look_up(levels: np.ndarray, logs: np.ndarray, level: float) -> float:
    """Interpolate the logarithm of the size at a level; beyond the ends along the line through both ends."""
    if levels[0] <= level <= levels[-1]:
        keep = np.concatenate([[True], np.diff(levels) > 0])
        return float(np.interp(level, levels[keep], logs[keep]))
    slope = (logs[-1] - logs[0]) / (levels[-1] - levels[0])
    end = 0 if level < levels[0] else -1
    return float(np.clip(logs[end] + slope * (level - levels[end]), 0, logs[-1] + np.log(16)))


def _interval(rates: np.ndarray) -> tuple[float, float]:
    known = rates[~np.isnan(rates)]
    if len(known) < DEFINED * len(rates):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
