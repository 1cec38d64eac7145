"""Maps of feature space: real and synthetic images placed together in two dimensions, and numbers for what a map keeps and shows.

features: float (N, D), rows of one feature space; points: float (N, 2), a map of them. Real and synthetic rows are always fitted jointly.
"""

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.metrics.pools import draw_like
from lib.metrics.twosample import two_sample
from lib.study.errors import StudyError

UMAP_COMPILES = 4096  # points above which UMAP builds an approximate neighbour graph, whose compilation takes most of a minute
S2_BINS = 50  # a side; with S2's 28,709 points it gives the 0.13 between two samples of one distribution that its scale implies
BLOCK = 512  # rows of a distance matrix held at once


def reduce_features(features: np.ndarray, *, dimensions: int = 50, seed: int = 0) -> np.ndarray:
    """Project features on their principal axes.

    Args:
        features: float (N, D).
        dimensions: at most this many axes.
        seed: of the randomised solver, used for large inputs.
    Returns:
        float32 (N, min(dimensions, D, N)); the signs are fixed by the solver.
    Raises:
        StudyError: a value that is not finite.
    """
    from sklearn.decomposition import PCA

    if not np.isfinite(features).all():
        wrong = int((~np.isfinite(features)).any(1).sum())
        raise StudyError(f"embedding: {wrong} of {len(features)} feature rows are not finite; train the instrument again")
    dimensions = min(dimensions, *features.shape)
    return PCA(dimensions, random_state=seed).fit_transform(np.asarray(features, np.float64)).astype(np.float32)


def map_features(features: np.ndarray, method: str, *, perplexity=30.0, neighbors=15, seed: int = 0, threads: int = 1) -> np.ndarray:
    """Place all rows in two dimensions, jointly.

    Args:
        features: float (N, D), real and synthetic rows together.
        method: pca, tsne (openTSNE) or umap.
        perplexity: of t-SNE, effective number of neighbours; lowered to what N allows.
        neighbors: of UMAP.
        seed: the same seed gives the same map on one machine.
        threads: of t-SNE; a seeded UMAP uses one.
    Returns:
        float32 (N, 2).
    Source: t-SNE: van der Maaten and Hinton 2008, in the version of Poličar et al. 2024; UMAP: McInnes et al. 2018, arXiv 1802.03426.
    """
    if method not in ("pca", "tsne", "umap"):
        raise StudyError(f"embedding: no method {method!r}; there are pca, tsne, umap")
    reduced = reduce_features(features, seed=seed)
    if method == "pca":
        return np.ascontiguousarray(reduced[:, :2])
    if method == "tsne":
        from openTSNE import TSNE

        perplexity = min(perplexity, (len(reduced) - 1) / 3)
        return np.asarray(TSNE(perplexity=perplexity, random_state=seed, n_jobs=threads, initialization="pca").fit(reduced), np.float32)
    import umap

    neighbors = min(neighbors, len(reduced) - 1)
    # n_jobs is 1 with a seed anyway; said here, UMAP does not warn
    return umap.UMAP(n_neighbors=neighbors, random_state=seed, n_jobs=1).fit_transform(reduced).astype(np.float32)


def map_caption(method: str, n: int, *, perplexity: float = 30.0, neighbors: int = 15, seed: int = 0) -> str:
    """Say how a map was made, for the line under its figure."""
    how = {"pca": "first two principal axes", "tsne": f"t-SNE, perplexity {perplexity:g}", "umap": f"UMAP, {neighbors} neighbours"}[method]
    return f"{how}, seed {seed}, n = {n:,}, real and synthetic fitted jointly"


def maps_by_setting(features: np.ndarray, settings: dict[str, list], *, seeds: int, seed: int = 0) -> tuple[dict, pd.DataFrame]:
    """Draw the same rows at several settings and seeds, and measure what each map keeps and how far two seeds agree.

    Args:
        features: float (N, D).
        settings: perplexities of "tsne", numbers of neighbours of "umap".
        seeds: maps of each setting, 1 or more, from `seed` on.
    Returns:
        Points float32 (N, 2) by (method, setting, seed); a table with method, setting, trustworthiness and kept (mean over the seeds), and
        alike (share of ten neighbours on the map of one seed that are neighbours on that of the next; missing with one seed).
    """
    maps, rows = {}, []
    for method, setting in ((method, setting) for method, several in settings.items() for setting in several):
        given = {"perplexity": float(setting)} if method == "tsne" else {"neighbors": int(setting)}
        own = [map_features(features, method, seed=seed + i, **given) for i in range(seeds)]
        maps |= {(method, setting, seed + i): points for i, points in enumerate(own)}
        quality = pd.DataFrame([map_quality(features, points, seed=seed) for points in own]).mean()
        alike = [map_quality(one, other, seed=seed)["kept"] for one, other in zip(own, own[1:])]
        rows.append({"method": method, "setting": setting} | dict(quality) | {"alike": float(np.mean(alike)) if alike else np.nan})
    return maps, pd.DataFrame(rows)


def neighbours(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Find the k nearest other rows of each query row, int64 (len(queries), k), without a matrix of all pairs.

    Args:
        points: float (N, D).
        queries: int64 (M,), row numbers.
    """
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points[queries], return_distance=False)
    own = found == queries[:, None]
    own[~own.any(1), -1] = True  # a row with more than k copies need not list itself
    return found[~own].reshape(len(queries), k)


def map_quality(features: np.ndarray, points: np.ndarray, *, k: int = 10, queries: int = 2000, seed: int = 0) -> dict[str, float]:
    """Measure what a map keeps of the neighbourhoods of feature space.

    Args:
        features: float (N, D).
        points: float (N, 2).
        k: neighbours.
        queries: rows that are measured, drawn at random; all when there are fewer.
    Returns:
        trustworthiness (1: every neighbour on the map is one in feature space), kept (share of the k neighbours that stay neighbours).
    Source: Venna and Kaski 2001, eq. 1; equal to scikit-learn's when all rows are queries.
    """
    n = len(features)
    if n <= 2 * k:
        raise StudyError(f"embedding: {n} points are too few to judge a map by {k} neighbours; raise embedding_images")
    rows = np.random.default_rng(seed).permutation(n)[:queries]
    on_map, penalty, kept = neighbours(points, rows, k), 0.0, 0
    squares = (features.astype(np.float64) ** 2).sum(1)
    for first in range(0, len(rows), BLOCK):
        chunk = rows[first : first + BLOCK]
        distance = squares[chunk, None] + squares - 2 * features[chunk].astype(np.float64) @ features.T.astype(np.float64)
        distance[np.arange(len(chunk)), chunk] = -np.inf
        near = np.take_along_axis(distance, on_map[first : first + BLOCK], axis=1)
        rank = (distance[:, None, :] < near[:, :, None]).sum(2) if n * k < 2e4 else _ranks(distance, near)
        penalty += np.maximum(rank - k, 0).sum()
        kept += (rank <= k).sum()
    m = len(rows)
    return {"trustworthiness": float(1 - penalty * 2 / (m * k * (2 * n - 3 * k - 1))), "kept": float(kept / (m * k))}


def mixing(points: np.ndarray, synthetic: np.ndarray, *, k: int = 10) -> float:
    """Measure how far neighbourhoods overlap: 1 when neighbours come from both sources as often as chance has it, 0 when never.

    Args:
        points: float (N, D), a map or features.
        synthetic: bool (N,).
    """
    found = synthetic[neighbours(points, np.arange(len(points)), k)]
    share = synthetic.mean()
    if share in (0, 1):
        raise StudyError("embedding: mixing needs real and synthetic rows, found one kind")
    other = np.where(synthetic, 1 - found.mean(1), found.mean(1))
    expected = np.where(synthetic, 1 - share, share) * len(points) / (len(points) - 1)
    return float((other / expected).mean())


def jensen_shannon(a: np.ndarray, b: np.ndarray, *, bins: int, base: float = 2.0) -> float:
    """Measure the Jensen-Shannon distance between two sets of points by their histograms on one grid.

    Args:
        a, b: float (N, 2), (M, 2).
        bins: cells a side, over the range of both.
        base: 2 for a distance in [0, 1]; e for SciPy's default, whose largest value is sqrt(ln 2) = 0.833.
    Source: Endres and Schindelin 2003.
    """
    from scipy.spatial.distance import jensenshannon

    both = np.concatenate([a, b])
    edges = [np.linspace(low, high, bins + 1) for low, high in zip(both.min(0), both.max(0))]
    counts = [np.histogram2d(*points.T, bins=edges)[0].ravel() for points in (a, b)]
    return float(jensenshannon(*counts, base=base))


def map_distances(real: np.ndarray, synth: np.ndarray, *, repeats: int = 20, seed: int = 0) -> dict[str, float]:
    """Measure the Jensen-Shannon distance of two maps, as S2 computed it and as it should be, beside what real against real gives.

    Half of the real points is compared with as many synthetic ones and with the other half, over random halves: equal sizes, because the
    distance between two samples of one distribution depends on their size and on the grid.

    Args:
        real, synth: float (N, 2), (M, 2), of one joint map.
    Returns:
        js_s2 (natural logarithm, 50 x 50 cells), js_s2_real (its value for real halves), js_s2_most (the largest it can be),
        js (base 2, about 10 points a cell), js_real, js_real_high (97.5 % quantile over the halves), n (points a side).
    """
    n = min(len(real) // 2, len(synth))
    bins, rng = max(3, int(np.sqrt(n / 10))), np.random.default_rng(seed)
    rows = []
    for _ in range(repeats):
        order, other = rng.permutation(len(real)), rng.permutation(len(synth))[:n]
        half, rest, fake = real[order[:n]], real[order[n : 2 * n]], synth[other]
        s2 = [jensen_shannon(half, points, bins=S2_BINS, base=np.e) for points in (fake, rest)]
        rows.append(s2 + [jensen_shannon(half, points, bins=bins) for points in (fake, rest)])
    mean = np.mean(rows, 0)
    high = float(np.quantile([row[3] for row in rows], 0.975))
    found = dict(zip(("js_s2", "js_s2_real", "js", "js_real"), map(float, mean)))
    return found | {"js_s2_most": float(np.sqrt(np.log(2))), "js_real_high": high, "n": n}


def class_separation(features: np.ndarray, labels: np.ndarray, *, most: int = 5000, seed: int = 0) -> float:
    """Measure how far apart the classes lie: the mean silhouette, -1 to 1, NaN with fewer than two classes.

    Args:
        most: rows drawn at random where there are more.
    Source: Rousseeuw 1987.
    """
    from sklearn.metrics import silhouette_score

    rows = np.random.default_rng(seed).permutation(len(features))[:most]
    kinds = np.unique(labels[rows])
    return float(silhouette_score(features[rows], labels[rows])) if 2 <= len(kinds) < len(rows) else float("nan")


def gather(sets: dict, to_features, *, n: int, seed: int = 0) -> tuple[dict, dict, dict]:
    """Draw at most n images of every source and compute their features.

    Args:
        sets: face set by source.
        to_features: callable, uint8 (N, H, W) to float (N, D).
        n: images per source.
    Returns:
        Features, labels and images by source.
    """
    rng = np.random.default_rng(seed)
    chosen = {name: faces.select(np.sort(rng.permutation(len(faces))[:n])) for name, faces in sets.items()}
    images = {name: faces.images for name, faces in chosen.items()}
    return {name: to_features(own) for name, own in images.items()}, {name: faces.labels for name, faces in chosen.items()}, images


def compare_pools(features: dict[str, np.ndarray], labels: dict[str, np.ndarray], *, seed: int = 0) -> pd.DataFrame:
    """Compare every pool, at the real class shares, with held-out real images in feature space; real halves are the baseline.

    Args:
        features: float (N, D) by source; "real" is one of them.
        labels: int64 (N,) by source.
    Returns:
        One row a source ("real" compares two real halves): told_apart, low, high, n, mixing (neighbourhoods), separation (silhouette).
    """
    order, rows = np.random.default_rng(seed).permutation(len(features["real"])), []
    half = len(order) // 2
    for name, found in features.items():
        alike = order[half:] if name == "real" else draw_like(labels[name], labels["real"], len(order), seed)
        real, synth = features["real"][order[:half] if name == "real" else order], found[alike]
        n = min(len(real), len(synth))
        joint = reduce_features(np.concatenate([real[:n], synth[:n]]), seed=seed)
        told = two_sample(real, synth, seed=seed)
        asked = 2 * told["n"]
        row = dict(zip(("told_apart", "low", "high"), wilson(round(told["accuracy"] * asked), asked)))
        row = {"source": name} | row | {"n": asked, "mixing": mixing(joint, np.repeat([False, True], n))}
        rows.append(row | {"separation": class_separation(found, labels[name], seed=seed)})
    return pd.DataFrame(rows)


def _ranks(distance: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Rank distances within sorted rows: 1 for the nearest other row."""
    ordered = np.sort(distance, axis=1)
    return np.stack([np.searchsorted(row, values, side="left") for row, values in zip(ordered, near)])
