"""What a map of feature space keeps, and how far two sets lie apart on it.

Features are float (N, D), rows of one feature space; points are float (N, 2), a map of them.
"""

import numpy as np

from lib.study.errors import StudyError

S2_BINS = 50  # cells a side of S2's grid: with its 28,709 points two samples of one set give 0.13
POINTS_A_CELL = 10  # of our grid, on average
BLOCK = 512  # rows of a distance matrix held at once
SMALL = 2e4  # points x neighbours up to which ranks are counted rather than sorted


def nearest_rows(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Find the k nearest other rows of each query row, without a matrix of all pairs.

    Args:
        points: float (N, D).
        queries: int64 (M,), row numbers.
        k: neighbours.

    Returns:
        int64 (M, k), row numbers.
    """
    from sklearn.neighbors import NearestNeighbors

    # One neighbour more than asked for: the row itself is among them.
    model = NearestNeighbors(n_neighbors=k + 1).fit(points)
    nearest = model.kneighbors(points[queries], return_distance=False)

    # The row itself does not count; one with more than k copies need not be listed.
    itself = nearest == queries[:, None]
    itself[~itself.any(1), -1] = True
    return nearest[~itself].reshape(len(queries), k)


def map_quality(
    features: np.ndarray, points: np.ndarray, *, k: int = 10, queries: int = 2000, seed: int = 0
) -> dict[str, float]:
    """Measure what a map keeps of the neighbourhoods of feature space.

    Args:
        features: float (N, D).
        points: float (N, 2).
        k: neighbours.
        queries: rows that are measured, drawn at random; all when there are fewer.
        seed: governs the draw.

    Returns:
        trustworthiness (1: every neighbour on the map is one in feature space), kept (share of the
        k neighbours that stay neighbours).

    Raises:
        StudyError: too few points.

    Source: Venna and Kaski 2001, eq. 1; equal to scikit-learn's when all rows are queries.
    """
    n = len(features)
    if n <= 2 * k:
        raise StudyError(
            f"map quality: {n} points are too few to measure a map by {k} neighbours; raise "
            "embedding_images"
        )

    # A sample of the rows is enough: each is ranked against all others.
    rows = np.random.default_rng(seed).permutation(n)[:queries]
    on_map = nearest_rows(points, rows, k)
    wide = features.astype(np.float64)
    squares = (wide**2).sum(1)

    # Rank the map's neighbours in feature space, block by block.
    penalty, kept = 0.0, 0
    for first in range(0, len(rows), BLOCK):
        chunk = rows[first : first + BLOCK]
        squared = squares[chunk, None] + squares - 2 * wide[chunk] @ wide.T

        # The row itself comes before all others.
        squared[np.arange(len(chunk)), chunk] = -np.inf

        # Distances in feature space to the neighbours on the map.
        near = np.take_along_axis(squared, on_map[first : first + BLOCK], axis=1)
        rank = _ranks(squared, near, n * k)
        penalty += np.maximum(rank - k, 0).sum()
        kept += (rank <= k).sum()

    # Normalised so that a map of random neighbours is far below 1.
    m = len(rows)
    worst = m * k * (2 * n - 3 * k - 1)
    return {"trustworthiness": float(1 - penalty * 2 / worst), "kept": float(kept / (m * k))}


def mixing(points: np.ndarray, synthetic: np.ndarray, *, k: int = 10) -> float:
    """Measure how far the neighbourhoods of two sources overlap.

    Args:
        points: float (N, D), a map or features.
        synthetic: bool (N,).
        k: neighbours.

    Returns:
        1 when neighbours come from both sources as often as chance has it, 0 when never.

    Raises:
        StudyError: rows of one source alone.
    """
    share = synthetic.mean()
    if share in (0, 1):
        raise StudyError("mixing needs real and synthetic rows, found one kind")

    # Share of synthetic rows among each row's neighbours.
    neighbour_share = synthetic[nearest_rows(points, np.arange(len(points)), k)].mean(1)

    # Share of the other source, over what chance gives it.
    other = np.where(synthetic, 1 - neighbour_share, neighbour_share)
    expected = np.where(synthetic, 1 - share, share) * len(points) / (len(points) - 1)
    return float((other / expected).mean())


def jensen_shannon(a: np.ndarray, b: np.ndarray, *, bins: int, base: float = 2.0) -> float:
    """Measure the Jensen-Shannon distance of two sets of points by histograms on one grid.

    Args:
        a: float (N, 2).
        b: float (M, 2).
        bins: cells a side, over the range of both.
        base: 2 for a distance in [0, 1]; e for SciPy's default, whose largest value is
            sqrt(ln 2) = 0.833.

    Source: Endres and Schindelin 2003.
    """
    from scipy.spatial.distance import jensenshannon

    # One grid for both sets.
    both = np.concatenate([a, b])
    edges = [np.linspace(low, high, bins + 1) for low, high in zip(both.min(0), both.max(0))]
    counts = [np.histogram2d(*points.T, bins=edges)[0].ravel() for points in (a, b)]
    return float(jensenshannon(*counts, base=base))


def map_distances(
    real: np.ndarray, synth: np.ndarray, *, repeats: int = 20, seed: int = 0
) -> dict[str, float]:
    """Measure the Jensen-Shannon distance of two maps, as S2 computed it and as it should be.

    Half of the real points is compared with as many synthetic ones and with the other half, over
    random halves: equal sizes, because the distance between two samples of one distribution depends
    on their size and on the grid.

    Args:
        real: float (N, 2), of one joint map.
        synth: float (M, 2), of the same map.
        repeats: random halves.
        seed: governs the halves.

    Returns:
        js_s2 (natural logarithm, 50 x 50 cells), js_s2_real (its value for real halves), js
        (base 2, about 10 points a cell), js_real, js_s2_most (the largest that js_s2 can be),
        js_real_high (97.5% quantile over the halves), n (points a side).
    """
    # Equal sizes: half of the real points, and as many synthetic ones.
    n = min(len(real) // 2, len(synth))
    bins = max(3, int(np.sqrt(n / POINTS_A_CELL)))
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(repeats):
        order = rng.permutation(len(real))
        half, rest = real[order[:n]], real[order[n : 2 * n]]
        fake = synth[rng.permutation(len(synth))[:n]]

        # S2's grid and logarithm, then ours; each against the pool and against real.
        row = [jensen_shannon(half, points, bins=S2_BINS, base=np.e) for points in (fake, rest)]
        row += [jensen_shannon(half, points, bins=bins) for points in (fake, rest)]
        rows.append(row)

    # Means over the halves, and where nearly all real halves lie below.
    values = dict(zip(("js_s2", "js_s2_real", "js", "js_real"), map(float, np.mean(rows, 0))))
    high = float(np.quantile([row[3] for row in rows], 0.975))
    return values | {"js_s2_most": float(np.sqrt(np.log(2))), "js_real_high": high, "n": n}


def class_separation(
    features: np.ndarray, labels: np.ndarray, *, most: int = 5000, seed: int = 0
) -> float:
    """Measure how far apart the classes lie: the mean silhouette, -1 to 1.

    Args:
        features: float (N, D).
        labels: int64 (N,).
        most: rows drawn at random where there are more.
        seed: governs the draw.

    Returns:
        NaN with fewer than two classes.

    Source: Rousseeuw 1987.
    """
    from sklearn.metrics import silhouette_score

    # The silhouette needs all pairs of rows: a sample of them.
    rows = np.random.default_rng(seed).permutation(len(features))[:most]
    if not 2 <= len(np.unique(labels[rows])) < len(rows):
        return float("nan")
    return float(silhouette_score(features[rows], labels[rows]))


def _ranks(squared: np.ndarray, near: np.ndarray, size: float) -> np.ndarray:
    """Rank distances within rows: 1 for the nearest other row, int64 (B, k).

    Args:
        squared: float (B, N), distances of each row; that to itself is smaller than all others.
        near: float (B, k), those to be ranked.
        size: work of counting; large work is done by sorting.
    """
    if size < SMALL:
        return (squared[:, None, :] < near[:, :, None]).sum(2)

    # A distance's rank is the number of smaller ones in its row.
    ordered = np.sort(squared, axis=1)
    ranks = [np.searchsorted(row, values, side="left") for row, values in zip(ordered, near)]
    return np.stack(ranks)
