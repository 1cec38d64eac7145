"""Pools measured in a feature space: distances with intervals, real against real beside them, memorisation and diversity.

features: float (N, D) of images that the network never trained on; labels: int64 (N,).
"""

import numpy as np
import pandas as pd
from scipy import stats

from lib.faces.faceset import CLASSES, FaceSet
from lib.metrics.distances import all_distances, draw, kernel_distance, neighbour_distances, vendi
from lib.study.errors import StudyError

GROUPS = 10  # of the delete-a-group jackknife


def real_halves(features: np.ndarray, labels: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw two disjoint index sets of at most n real images: the reference, and the real images that a pool is read against."""
    order = np.random.default_rng(seed).permutation(len(features))
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


def measure(real: np.ndarray, synth: np.ndarray, *, seed: int) -> pd.DataFrame:
    """Measure all distances of two sets of one size, with 95 % intervals.

    Returns:
        Columns metric, value, low, high, se, n.
    Source: delete-a-group jackknife, Kott 2001; a bootstrap would repeat images, which Fréchet distances and neighbourhoods mistake for collapse.
    """
    n = min(len(real), len(synth))
    real, synth = draw(real, n, seed), draw(synth, n, seed + 1)
    whole = all_distances(real, synth, seed=seed)
    groups = np.arange(n) % GROUPS
    parts = pd.DataFrame([all_distances(real[groups != g], synth[groups != g], seed=seed) for g in range(GROUPS)])
    se = np.sqrt((GROUPS - 1) / GROUPS * ((parts - parts.mean()) ** 2).sum())
    table = pd.DataFrame({"metric": list(whole), "value": list(whole.values()), "se": se.to_numpy(), "n": n})
    reach = stats.t.ppf(0.975, GROUPS - 1) * table["se"]
    return table.assign(low=table["value"] - reach, high=table["value"] + reach)


def measure_pools(features: np.ndarray, labels: np.ndarray, pools: dict[str, tuple[np.ndarray, np.ndarray]], *, n: int, seed: int) -> pd.DataFrame:
    """Measure every pool against the same real reference, and other real images against it as the baseline.

    Args:
        features, labels: of held-out real images.
        pools: features and labels by the pool's name.
        n: images per side, drawn with the class shares of the real images.
    Returns:
        Columns pool ("real" for the baseline), metric, value, low, high, se, n, baseline, baseline_se. The baseline has the pool's size.
    """
    reference, other = real_halves(features, labels, n, seed)
    null = measure(features[reference], features[other], seed=seed)
    tables, baselines = [null.assign(pool="real")], {len(reference): null.set_index("metric")}
    for name, (found, classes) in pools.items():
        chosen = found[draw_like(classes, labels[reference], len(reference), seed)]
        size = min(len(chosen), len(reference))
        if size not in baselines:  # a smaller pool gets a baseline of its own size: most distances depend on n
            baselines[size] = measure(features[reference][:size], features[other][:size], seed=seed).set_index("metric")
        table = measure(features[reference][:size], chosen, seed=seed).assign(pool=name)
        tables.append(table.assign(baseline=table["metric"].map(baselines[size]["value"]), baseline_se=table["metric"].map(baselines[size]["se"])))
    return pd.concat(tables, ignore_index=True)[["pool", "metric", "value", "low", "high", "se", "n", "baseline", "baseline_se"]]


def extract_all(spaces: dict, faces: dict[str, FaceSet]) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Extract features once for everything that is measured: by space and name, (features float (N, D), labels int64 (N,)).

    Args:
        spaces: by name, a function of uint8 (N, H, W) images to features.
        faces: face sets by name.
    """
    return {space: {name: (extract(own.images), own.labels) for name, own in faces.items()} for space, extract in spaces.items()}


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


def class_distances(features: np.ndarray, labels: np.ndarray, pools: dict[str, tuple[np.ndarray, np.ndarray]], *, seed: int) -> pd.DataFrame:
    """Measure the kernel distance class by class, which is unbiased at any size, with real halves as the baseline.

    Returns:
        Columns pool, class, kd, n (images per side).
    """
    rows = []
    for c, name in enumerate(CLASSES):
        own = np.random.default_rng(seed).permutation(np.flatnonzero(labels == c))
        halves = np.array_split(features[own], 2)
        sets = {"real": halves[1]} | {pool: found[classes == c] for pool, (found, classes) in pools.items()}
        for pool, other in sets.items():
            size = min(len(halves[0]), len(other))
            if size >= 2:
                kd = kernel_distance(halves[0][:size], draw(other, size, seed), seed=seed)["kd"]
                rows.append({"pool": pool, "class": name, "kd": kd, "n": size})
    return pd.DataFrame(rows, columns=["pool", "class", "kd", "n"])


def known_cases(features: np.ndarray, labels: np.ndarray, *, n: int, seed: int) -> pd.DataFrame:
    """Show the distances on sets whose answer is known, before they are believed on any pool.

    Returns:
        One row a case (real, shifted, collapsed, memorised), one column a distance.
    """
    reference, other = real_halves(features, labels, n, seed)
    real, fresh = features[reference], features[other]
    cases = {
        "real": fresh,
        "shifted by one standard deviation": fresh + fresh.std(0),
        "collapsed to 10 images": fresh[np.arange(len(fresh)) % 10],
        "memorised (copies of the reference)": real,
    }
    rows = {name: all_distances(real, case, seed=seed) for name, case in cases.items()}
    return pd.DataFrame(rows).T.rename_axis("case").reset_index()


def memorised(train: np.ndarray, held_out: np.ndarray, synth: np.ndarray, *, quantile: float = 0.01) -> dict[str, float]:
    """Compare how near generated images lie to their nearest training image with how near unseen real images do.

    Args:
        train, held_out, synth: float (N, D) features; held_out are real images that no generator saw.
        quantile: of the real images' distances, under which an image counts as a copy.
    Returns:
        share (of synthetic images under the threshold; `quantile` is what unseen real images give), threshold, median_ratio
        (median distance of synthetic over real; far under 1 is memorisation).
    """
    real_gap = neighbour_distances(held_out, train, 1)[:, 0]
    synth_gap = neighbour_distances(synth, train, 1)[:, 0]
    threshold = float(np.quantile(real_gap, quantile))
    ratio = float(np.median(synth_gap) / max(np.median(real_gap), 1e-12))
    return {"share": float((synth_gap < threshold).mean()), "threshold": threshold, "median_ratio": ratio}


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


def memorised_pools(train: np.ndarray, held_out: np.ndarray, pools: dict[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Look for memorised training images in every pool: columns pool, share, threshold, median_ratio."""
    return pd.DataFrame([{"pool": name} | memorised(train, held_out, features) for name, (features, _) in pools.items()])
