"""Pools measured in feature spaces: distances with intervals, real against real beside them, class by class, diversity, memorisation.

features: float (N, D) of images that the network never trained on; labels: int64 (N,).
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from lib.curation.intervals import wilson
from lib.faces.faceset import CLASSES
from lib.metrics.distances import all_distances, draw, kernel_distance, neighbour_distances, neighbourhoods, vendi
from lib.study.errors import StudyError

GROUPS = 10  # of the delete-a-group jackknife
SPLITS = 10  # of the real images into halves, for what real against real gives


def real_halves(held: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw two disjoint index sets of at most n of the held-out real images: the reference, and those that a pool is read against."""
    order = np.random.default_rng(seed).permutation(held)
    n = min(n, len(order) // 2)
    if n < 2 * GROUPS:
        raise StudyError(f"distances need at least {4 * GROUPS} held-out real images, found {len(order)}: raise test_limit or drawn_test")
    return order[:n], order[n : 2 * n]


def draw_like(labels: np.ndarray, wanted: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Draw indices of a pool with the class shares of real images, so that a distance sees faces and not the mix of classes.

    Args:
        labels: int64 (N,), of the pool.
        wanted: int64 (M,), labels whose class shares are taken; classes that the pool lacks are left out.
        n: images; fewer where a class of the pool runs out.
    """
    k = len(CLASSES)
    have, shares = np.bincount(labels, minlength=k), np.bincount(wanted, minlength=k).astype(float)
    shares[have == 0] = 0
    shares /= shares.sum()
    n = int(min(n, (have[shares > 0] / shares[shares > 0]).min()))
    rng = np.random.default_rng(seed)
    picked = [rng.permutation(np.flatnonzero(labels == c))[: round(n * shares[c])] for c in range(k)]
    return np.concatenate(picked)


def measure(real: np.ndarray, synth: np.ndarray, *, seed: int, by: Callable[..., dict] = all_distances) -> pd.DataFrame:
    """Measure two sets of one size, with 95 % intervals.

    Args:
        by: what is measured: a function of (real, synth, seed=) to floats by name.
    Returns:
        Columns metric, value, low, high, se, n.
    Source: delete-a-group jackknife, Kott 2001; a bootstrap would repeat images, which distances and neighbourhoods mistake for collapse.
    """
    n = min(len(real), len(synth))
    real, synth = draw(real, n, seed), draw(synth, n, seed + 1)
    whole = by(real, synth, seed=seed)
    groups = np.arange(n) % GROUPS
    parts = pd.DataFrame([by(real[groups != g], synth[groups != g], seed=seed) for g in range(GROUPS)])
    se = np.sqrt((GROUPS - 1) / GROUPS * ((parts - parts.mean()) ** 2).sum())
    table = pd.DataFrame({"metric": list(whole), "value": list(whole.values()), "se": se.to_numpy(), "n": n})
    reach = stats.t.ppf(0.975, GROUPS - 1) * table["se"]
    return table.assign(low=table["value"] - reach, high=table["value"] + reach)


def real_against_real(features: np.ndarray, n: int, *, seed: int) -> pd.DataFrame:
    """Measure what two samples of real faces give, over several splits of the held-out images: the null that a pool is read against.

    Returns:
        Indexed by metric: baseline (mean over the splits), baseline_se (their standard deviation), null_low, null_high (where one more
        pair of real samples lies with 95 %).
    """
    pairs = (real_halves(len(features), n, seed + i) for i in range(SPLITS))
    draws = pd.DataFrame([all_distances(features[one], features[other], seed=seed) for one, other in pairs])
    reach = stats.t.ppf(0.975, SPLITS - 1) * draws.std() * np.sqrt(1 + 1 / SPLITS)
    mean = draws.mean()
    return pd.DataFrame({"baseline": mean, "baseline_se": draws.std(), "null_low": mean - reach, "null_high": mean + reach})


def measure_pools(features: np.ndarray, labels: np.ndarray, pools: dict, *, n: int, seed: int) -> pd.DataFrame:
    """Measure every pool against the same real reference, and real samples against each other as the baseline.

    Args:
        features, labels: of held-out real images.
        pools: features float (N, D) and labels int64 (N,) by the pool's name.
        n: images per side, drawn with the class shares of the real images.
    Returns:
        Columns pool ("real" for the baseline), metric, value, low, high, se, n, baseline, baseline_se, null_low, null_high and differs (the
        value lies outside of what real samples of the pool's own size give; the Vendi score, which sees the pool alone, by more than both
        its errors: halves of the same real images share half of the spread that a new sample would add).
    """
    reference, other = real_halves(len(features), n, seed)
    sets, nulls, tables = {"real": features[other]}, {}, []
    for name, (found, classes) in pools.items():
        sets[name] = found[draw_like(classes, labels[reference], len(reference), seed)]
    for name, chosen in sets.items():
        size = min(len(chosen), len(reference))
        if size not in nulls:  # a smaller pool gets a null of its own size: most distances depend on n
            nulls[size] = real_against_real(features, size, seed=seed)
        table = measure(features[reference][:size], chosen, seed=seed).merge(nulls[size].rename_axis("metric").reset_index(), on="metric")
        tables.append(table.assign(pool=name))
    table = pd.concat(tables, ignore_index=True)
    alone = stats.t.ppf(0.975, GROUPS - 1) * np.hypot(table["se"], table["baseline_se"])
    off = (table["value"] - table["baseline"]).abs() > alone
    outside = (table["value"] < table["null_low"]) | (table["value"] > table["null_high"])
    table["differs"] = off.where(table["metric"] == "vendi", outside)
    return table[["pool", "metric", "value", "low", "high", "se", "n", "baseline", "baseline_se", "null_low", "null_high", "differs"]]


def measure_spaces(found: dict, *, n: int, seed: int) -> pd.DataFrame:
    """Measure every pool in several feature spaces.

    Args:
        found: of `extract_all`; "real" are held-out real faces, every other name is a pool.
    Returns:
        The columns of `measure_pools`, and space.
    """
    tables = []
    for space, sets in found.items():
        pools = {name: own for name, own in sets.items() if name != "real"}
        tables.append(measure_pools(*sets["real"], pools, n=n, seed=seed).assign(space=space))
    return pd.concat(tables, ignore_index=True)


def class_distances(found: dict, *, seed: int) -> pd.DataFrame:
    """Measure every class on its own, with real halves as the baseline, by what does not depend on the number of dimensions.

    Args:
        found: of `spaces.extract_all`.
    Returns:
        Columns space, pool ("real": the baseline), class, metric (kd, precision, recall, density, coverage), value, low, high, n (a side).
        A class with fewer than 40 real images or 20 of the pool is left out.
    """
    tables = []
    for space, sets in found.items():
        features, labels = sets["real"]
        for c, name in enumerate(CLASSES):
            own = np.random.default_rng(seed).permutation(np.flatnonzero(labels == c))
            reference, other = np.array_split(features[own], 2)
            pools = {pool: theirs[classes == c] for pool, (theirs, classes) in sets.items() if pool != "real"}
            for pool, theirs in ({"real": other} | pools).items():
                if min(len(reference), len(theirs)) >= 2 * GROUPS:
                    tables.append(measure(reference, theirs, seed=seed, by=_of_one_class).assign(space=space, pool=pool, **{"class": name}))
    columns = ["space", "pool", "class", "metric", "value", "low", "high", "n"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _of_one_class(real: np.ndarray, synth: np.ndarray, *, seed: int) -> dict[str, float]:
    return {"kd": kernel_distance(real, synth, seed=seed)["kd"]} | neighbourhoods(real, synth)


def diversity_curve(sets: dict[str, np.ndarray], *, least: int = 50, seed: int) -> pd.DataFrame:
    """Follow the Vendi score as sets grow, each up to its own size: a set of few faces stops growing.

    Returns:
        Columns set, n, vendi.
    """
    rows = []
    for name, features in sets.items():
        sizes = [least * 2**i for i in range(20) if least * 2**i < len(features)] + [len(features)]
        rows += [{"set": name, "n": size, "vendi": vendi(draw(features, size, seed))} for size in sizes]
    return pd.DataFrame(rows)


def clean_rows(table: pd.DataFrame) -> np.ndarray:
    """Find the held-out images without a copy in training, bool (N,); all where copies were not looked for."""
    return ~table["leaked"].to_numpy(bool) if "leaked" in table else np.ones(len(table), bool)


def memorised(train: np.ndarray, held_out: np.ndarray, synth: np.ndarray, *, quantile: float = 0.01) -> dict[str, float]:
    """Compare how near generated images lie to their nearest training image with how near unseen real images do.

    Args:
        train, held_out, synth: float (N, D) features; held_out are real images that no generator saw.
        quantile: of the real images' distances, under which an image counts as a copy.
    Returns:
        share (of synthetic images under the threshold; `quantile` is what unseen real images give), low, high (95 % Wilson interval, of the
        images of synth; the threshold is taken as known), threshold, median_ratio (median distance of synthetic over real; far under 1 is
        memorisation), n.
    """
    real_gap = neighbour_distances(held_out, train, 1)[:, 0]
    synth_gap = neighbour_distances(synth, train, 1)[:, 0]
    threshold = float(np.quantile(real_gap, quantile))
    share, low, high = wilson(int((synth_gap < threshold).sum()), len(synth_gap))
    ratio = float(np.median(synth_gap) / max(np.median(real_gap), 1e-12))
    return {"share": share, "low": low, "high": high, "threshold": threshold, "median_ratio": ratio, "n": len(synth_gap)}


def memorised_pools(train: dict[str, np.ndarray], found: dict, held: pd.DataFrame) -> pd.DataFrame:
    """Look for memorised training images in every pool and space; the row `real` asks one half of the real images by the other's scale.

    Args:
        train: features of the real training images by space.
        found: of `spaces.extract_all`; "real" are held-out real faces.
        held: table of these; where it has a column leaked, images with a copy in training are left out: they would make copies look usual.
    Returns:
        Columns space, pool, and those of `memorised`.
    """
    rows = []
    for space, sets in found.items():
        real = sets["real"][0][clean_rows(held)]
        for name, (features, _) in sets.items():
            scale, asked = (real[::2], real[1::2]) if name == "real" else (real, features)
            rows.append({"space": space, "pool": name} | memorised(train[space], scale, asked))
    return pd.DataFrame(rows)
