"""Pools measured in feature spaces.

Distances with intervals, real against real beside them, class by class, and diversity.

Features are float (N, D), of images that the network never trained on; labels are int64 (N,).
What is extracted travels as `features_of[space][name]`, a pair (features, labels); the name "real"
stands for held-out real faces, every other name is a pool. See lib.metrics.spaces.extract_all.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from lib.metrics.distances import (
    all_distances,
    draw_rows,
    kernel_distance,
    neighbourhoods,
    vendi,
)
from lib.study.errors import StudyError

# Ten groups and ten splits: nine degrees of freedom for every interval.
GROUPS = 10  # of the delete-a-group jackknife
SPLITS = 10  # of the real images into halves, for what real against real gives
MEASURED_GENERATIONS = 3  # of each pool; what they differ by tells how far others would
MOST_DOUBLINGS = 20  # of a diversity curve's number of images

Extracted = dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]

POOL_COLUMNS = ["pool", "metric", "value", "low", "high", "se", "n"]
NULL_COLUMNS = ["baseline", "baseline_se", "null_low", "null_high"]


def real_halves(held: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw two disjoint samples of the held-out real images.

    Args:
        held: number of held-out real images.
        n: most images of a sample.
        seed: governs the draw.

    Returns:
        Two index arrays int64 of one length: the reference, and the images read against it.

    Raises:
        StudyError: too few images for the jackknife.
    """
    # One permutation, so that the halves share no image.
    order = np.random.default_rng(seed).permutation(held)

    # Each group of the jackknife holds two images at least.
    n = min(n, len(order) // 2)
    if n < 2 * GROUPS:
        raise StudyError(
            f"distances need at least {4 * GROUPS} held-out real images, found {len(order)}: "
            "raise test_limit or drawn_test"
        )
    return order[:n], order[n : 2 * n]


def draw_like(labels: np.ndarray, wanted: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Draw images of a pool with the class shares of real ones.

    A distance between the two then sees faces, and not another mix of classes.

    Args:
        labels: int64 (N,), of the pool.
        wanted: int64 (M,), labels whose class shares are taken; classes that the pool lacks are
            left out.
        n: images; fewer where a class of the pool runs out.
        seed: governs the draw.

    Returns:
        int64, positions in the pool, class by class.
    """
    # Classes are numbered from 0; those that occur decide their number.
    k = int(max(labels.max(initial=-1), wanted.max(initial=-1))) + 1
    available = np.bincount(labels, minlength=k)

    # Class shares of the real images, without the classes that the pool lacks.
    shares = np.bincount(wanted, minlength=k).astype(float)
    shares[available == 0] = 0
    shares /= shares.sum()

    # The class that runs out first limits the number.
    n = int(min(n, (available[shares > 0] / shares[shares > 0]).min()))
    rng = np.random.default_rng(seed)

    # Draw from every class its share.
    chosen = []
    for c in range(k):
        rows = rng.permutation(np.flatnonzero(labels == c))
        chosen.append(rows[: round(n * shares[c])])
    return np.concatenate(chosen)


def measure(
    real: np.ndarray,
    synth: np.ndarray,
    *,
    seed: int,
    by: Callable[..., dict[str, float]] = all_distances,
) -> pd.DataFrame:
    """Measure two sets at one size, with 95% intervals.

    Args:
        real: float (N, D).
        synth: float (M, D); the larger of the two sets is cut to the size of the smaller.
        seed: governs which images are taken.
        by: what is measured: a function of (real, synth, seed=) to floats by name.

    Returns:
        Columns metric, value, se, n, low, high.

    Source: delete-a-group jackknife, Kott 2001. A bootstrap would repeat images, which distances
        and neighbourhoods mistake for collapse.
    """
    # Most distances depend on the size: both sets get one.
    n = min(len(real), len(synth))
    real = draw_rows(real, n, seed)
    synth = draw_rows(synth, n, seed + 1)
    whole = by(real, synth, seed=seed)

    # Leave out one group of both sets at a time.
    groups = np.arange(n) % GROUPS
    parts = []
    for group in range(GROUPS):
        kept = groups != group
        parts.append(by(real[kept], synth[kept], seed=seed))
    parts = pd.DataFrame(parts)
    se = np.sqrt((GROUPS - 1) / GROUPS * ((parts - parts.mean()) ** 2).sum())

    # The interval is Student's t around the value of the whole sets.
    values = {"metric": list(whole), "value": list(whole.values()), "se": se.to_numpy(), "n": n}
    table = pd.DataFrame(values)
    reach = _t_quantile(GROUPS) * table["se"]
    return table.assign(low=table["value"] - reach, high=table["value"] + reach)


def real_against_real(features: np.ndarray, n: int, *, seed: int) -> pd.DataFrame:
    """Measure what two samples of real faces give: the null that a pool is read against.

    Args:
        features: float (N, D), of held-out real images.
        n: images a side.
        seed: of the first of SPLITS splits.

    Returns:
        Indexed by metric: baseline (mean over the splits), baseline_se (their standard deviation),
        null_low and null_high (where one more pair of real samples lies with 95%).
    """
    # Split the held-out images anew each time.
    draws = []
    for split in range(SPLITS):
        one, other = real_halves(len(features), n, seed + split)
        draws.append(all_distances(features[one], features[other], seed=seed))
    draws = pd.DataFrame(draws)

    # A prediction interval: the spread of one more draw, and that of the mean.
    mean = draws.mean()
    reach = _t_quantile(SPLITS) * draws.std() * np.sqrt(1 + 1 / SPLITS)
    return pd.DataFrame(
        {
            "baseline": mean,
            "baseline_se": draws.std(),
            "null_low": mean - reach,
            "null_high": mean + reach,
        }
    )


def measure_pools(
    features: np.ndarray,
    labels: np.ndarray,
    pools: dict[str, tuple[np.ndarray, np.ndarray]],
    *,
    n: int,
    seed: int,
) -> pd.DataFrame:
    """Measure every pool against one real reference, with real against real as the baseline.

    Args:
        features: float (N, D), of held-out real images.
        labels: int64 (N,), of the same.
        pools: features float (M, D) and labels int64 (M,) by the pool's name.
        n: images per side, drawn with the class shares of the real images.
        seed: governs the draws.

    Returns:
        Columns pool ("real" for the baseline), metric, value, low, high, se, n, baseline,
        baseline_se, null_low, null_high and differs: the value lies outside of what real samples of
        the pool's own size give. The Vendi score sees the pool alone; it differs by more than both
        its errors, because halves of the same real images share half of the spread that a new
        sample would add.
    """
    # All sets are read against one reference; the other half is the baseline.
    reference, other = real_halves(len(features), n, seed)
    sets = {"real": features[other]}
    for name, (pool_features, pool_labels) in pools.items():
        rows = draw_like(pool_labels, labels[reference], len(reference), seed)
        sets[name] = pool_features[rows]

    # A smaller pool gets a null of its own size, for most distances depend on the size.
    nulls = {}
    tables = []
    for name, chosen in sets.items():
        size = min(len(chosen), len(reference))
        if size not in nulls:
            nulls[size] = real_against_real(features, size, seed=seed)

        # The value, its own interval, and where real samples lie.
        null = nulls[size].rename_axis("metric").reset_index()
        measured = measure(features[reference][:size], chosen, seed=seed)
        tables.append(measured.merge(null, on="metric").assign(pool=name))

    table = pd.concat(tables, ignore_index=True)
    return table.assign(differs=_differs(table))[[*POOL_COLUMNS, *NULL_COLUMNS, "differs"]]


def measure_spaces(features_of: Extracted, *, n: int, seed: int) -> pd.DataFrame:
    """Measure every pool in several feature spaces.

    Args:
        features_of: by space and name, "real" among the names.
        n: images per side.
        seed: governs the draws.

    Returns:
        The columns of `measure_pools`, and space.
    """
    tables = []
    for space, sets in features_of.items():
        # Everything but the real faces is a pool.
        pools = {name: pair for name, pair in sets.items() if name != "real"}
        tables.append(measure_pools(*sets["real"], pools, n=n, seed=seed).assign(space=space))
    return pd.concat(tables, ignore_index=True)


def class_distances(features_of: Extracted, classes: tuple[str, ...], *, seed: int) -> pd.DataFrame:
    """Measure every class on its own, by what does not depend on the number of dimensions.

    Args:
        features_of: by space and name, "real" among the names.
        classes: names of the classes that the labels are positions in.
        seed: governs the draws.

    Returns:
        Columns space, pool ("real": two halves of the real images), class, metric (kd, precision,
        recall, density, coverage), value, low, high, n (a side). A class with fewer than 40 real
        images or 20 of the pool is left out.
    """
    tables = []
    for space, sets in features_of.items():
        real_features, real_labels = sets["real"]
        for c, class_name in enumerate(classes):
            # Halve the real images of the class: the reference, and the baseline.
            rows = np.random.default_rng(seed).permutation(np.flatnonzero(real_labels == c))

            # One half is measured against the other, and every pool against the first.
            reference, other = np.array_split(real_features[rows], 2)
            compared = {"real": other}
            for name, (features, labels) in sets.items():
                if name != "real":
                    compared[name] = features[labels == c]

            for name, features in compared.items():
                # A rare class has too few images for an interval.
                if min(len(reference), len(features)) < 2 * GROUPS:
                    continue
                table = measure(reference, features, seed=seed, by=_of_one_class)

                # Where the numbers come from, beside the numbers.
                where = {"space": space, "pool": name, "class": class_name}
                tables.append(table.assign(**where))

    # A study of few images may have no class that is large enough.
    columns = ["space", "pool", "class", "metric", "value", "low", "high", "n"]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True)[columns]


def diversity_curve(sets: dict[str, np.ndarray], *, least: int = 50, seed: int) -> pd.DataFrame:
    """Follow the Vendi score as sets grow: a set of few different faces stops growing.

    Args:
        sets: features float (N, D) by name, each followed up to its own size.
        least: images at the first point; the number doubles from point to point.
        seed: governs which images come first.

    Returns:
        Columns set, n, vendi.
    """
    rows = []
    for name, features in sets.items():
        # Sizes 50, 100, 200 ... and the whole set.
        doubled = [least * 2**i for i in range(MOST_DOUBLINGS)]
        sizes = [size for size in doubled if size < len(features)]
        for size in [*sizes, len(features)]:
            score = vendi(draw_rows(features, size, seed))
            rows.append({"set": name, "n": size, "vendi": score})
    return pd.DataFrame(rows)


def _of_one_class(real: np.ndarray, synth: np.ndarray, *, seed: int) -> dict[str, float]:
    """Measure what few images of many dimensions allow: no Gaussian fit, no Vendi score."""
    # The Fréchet distance needs more images than dimensions.
    values = {"kd": kernel_distance(real, synth, seed=seed)["kd"]}
    return values | neighbourhoods(real, synth)


def _differs(table: pd.DataFrame) -> pd.Series:
    """Tell which values lie outside of what real samples give, bool (rows of `measure_pools`)."""
    # The pool's own error and that of the baseline.
    both_errors = np.hypot(table["se"], table["baseline_se"])
    far = (table["value"] - table["baseline"]).abs() > _t_quantile(GROUPS) * both_errors

    # All other measures compare two sets, as the null does.
    outside = (table["value"] < table["null_low"]) | (table["value"] > table["null_high"])
    return far.where(table["metric"] == "vendi", outside)


def _t_quantile(n: int) -> float:
    """Give the factor of a 95% interval from n values: Student's t with n - 1 degrees."""
    # Two-sided: 2.5% on each side.
    return stats.t.ppf(0.975, n - 1)
