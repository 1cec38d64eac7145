"""Nearest neighbours in a feature space, and what follows from them: coverage and memorisation.

Arrays in, arrays out; every feature array is float (N, D), rows are images and all rows come from
one network. Distances are Euclidean. They are computed in blocks of rows, so nothing of size
N x N is ever held.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lib.compute.progress import with_progress

BLOCK = 2048  # rows per block: 2,048 x 28,821 float32 distances are 236 MB
SEARCH_BLOCK = 512  # rows per block of a search that compares groups too: 74 MB with the mask
COVERAGE_K = 5  # the neighbour that sets a real image's radius (Naeem et al. 2020)
WHAT = "looking for the nearest neighbours"  # named by the progress line
MIN_DISTANCE = 1e-12  # keeps a ratio finite where all real images are identical


def squared_distances(
    left: np.ndarray, right: np.ndarray, block: int = BLOCK
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield squared distances block by block.

    Args:
        left: float (N, D).
        right: float (M, D).
        block: rows of left at a time.

    Yields:
        The rows of left, and their squared distances to every right row, float32 (rows, M), >= 0.
    """
    # Centre both sets, so that |a|^2 + |b|^2 - 2ab loses no digits to a common offset.
    centre = right.mean(0, dtype=np.float64).astype(np.float32)
    left = np.asarray(left, np.float32) - centre
    right = np.asarray(right, np.float32) - centre
    left_norms = (left**2).sum(1)
    right_norms = (right**2).sum(1)

    for start in range(0, len(left), block):
        rows = slice(start, min(start + block, len(left)))
        squared = left[rows] @ right.T
        squared *= -2
        squared += left_norms[rows, None]
        squared += right_norms
        # Rounding can leave a small negative number between identical rows.
        yield rows, np.maximum(squared, 0, out=squared)


def nearest(
    queries: np.ndarray,
    targets: np.ndarray,
    *,
    query_groups: np.ndarray | None = None,
    target_groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest target of each query.

    Args:
        queries: float (N, D).
        targets: float (M, D).
        query_groups: int (N,); a target of the query's own group does not count: the query itself
            and its copies. None: all targets count.
        target_groups: int (M,), given together with query_groups.

    Returns:
        The distance, float64 (N,), infinite where no target counts; and the target's index,
        int64 (N,).
    """
    # Search block by block.
    distance = np.empty(len(queries))
    index = np.zeros(len(queries), np.int64)
    blocks = squared_distances(queries, targets, SEARCH_BLOCK)
    for rows, squared in with_progress(blocks, len(queries), WHAT, size=_rows_of):
        if query_groups is not None:
            squared[query_groups[rows, None] == target_groups[None]] = np.inf
        index[rows] = squared.argmin(axis=1)

        # The search ran in float32; the distance that counts is computed again in float64.
        gaps = np.asarray(queries[rows], np.float64) - targets[index[rows]]
        none_counts = np.isinf(squared.min(axis=1))
        distance[rows] = np.where(none_counts, np.inf, np.linalg.norm(gaps, axis=1))
    return distance, index


def neighbour_distances(left: np.ndarray, right: np.ndarray, k: int) -> np.ndarray:
    """Measure the distances from each left row to its k nearest right rows.

    Args:
        left: float (N, D).
        right: float (M, D), M >= k. Where both are the same set, the nearest is the row itself.
        k: how many neighbours.

    Returns:
        float32 (N, k), ascending.
    """
    distances = np.empty((len(left), k), np.float32)
    for rows, squared in squared_distances(left, right):
        # Partition first: sorting whole rows costs far more.
        smallest = np.partition(squared, k - 1, axis=1)[:, :k]
        distances[rows] = np.sqrt(np.sort(smallest, axis=1))
    return distances


def neighbour_radius(points: np.ndarray, k: int) -> np.ndarray:
    """Measure how far each point is from its k-th nearest other point of the same set.

    Args:
        points: float (N, D), N > k.
        k: which neighbour, from 1.

    Returns:
        float32 (N,).
    """
    # The point itself is number 0.
    return neighbour_distances(points, points, k + 1)[:, k]


def covered(real: np.ndarray, synthetic: np.ndarray, *, k: int = COVERAGE_K) -> np.ndarray:
    """Find the real images that have a synthetic one nearer than their k-th real neighbour.

    Args:
        real: float (N, D), N > k.
        synthetic: float (M, D), M >= 1.
        k: the real neighbour that sets the radius.

    Returns:
        bool (N,); its mean is the coverage, 0 to 1.

    Source: Naeem et al. 2020, "Reliable fidelity and diversity metrics", arXiv 2002.09797, eq. 3.
    """
    # A real image is covered where the nearest synthetic one lies within its radius.
    squared_radius = neighbour_radius(real, k) ** 2
    inside = np.zeros(len(real), bool)
    for rows, squared in squared_distances(real, synthetic):
        inside[rows] = squared.min(1) < squared_radius[rows]
    return inside


@dataclass(frozen=True)
class Memorisation:
    """Synthetic images compared with the training images nearest to them."""

    copies: np.ndarray  # bool (N,), as near to a training image as few real images are
    relative: np.ndarray  # float (N,), the distance over the median distance of real images
    threshold: float  # distance up to which an image counts as a copy
    median_ratio: float  # median synthetic over median real distance; far below 1: memorised


def memorisation(
    synthetic_distance: np.ndarray, real_distance: np.ndarray, *, quantile: float
) -> Memorisation:
    """Compare how near synthetic images lie to training images with how near real images do.

    Args:
        synthetic_distance: float (N,), from each synthetic image to its nearest training image.
        real_distance: float (M,), the same of real images that are no copies of training images.
        quantile: share of the real images that lie at or under the threshold, 0 to 1: what
            unmemorised images would show.
    """
    # Real images set what is near and what is usual.
    threshold = float(np.quantile(real_distance, quantile))
    scale = max(float(np.median(real_distance)), MIN_DISTANCE)
    return Memorisation(
        # Equality counts: an exact copy is one even where the threshold is 0.
        copies=synthetic_distance <= threshold,
        relative=synthetic_distance / scale,
        threshold=threshold,
        median_ratio=float(np.median(synthetic_distance) / scale),
    )


def _rows_of(block: tuple[slice, np.ndarray]) -> int:
    """Count the rows of a block of squared_distances."""
    return len(block[1])
