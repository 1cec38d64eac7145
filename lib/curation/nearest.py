"""Nearest neighbours in feature space, block by block: memory stays flat however many images there are."""

import numpy as np

from lib.curation.progress import watched


def nearest(
    queries: np.ndarray, targets: np.ndarray, *, own_groups: tuple | None = None, block: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest target of each query by Euclidean distance.

    Args:
        queries: float (N, D).
        targets: float (M, D).
        own_groups: group numbers (N,) and (M,); a target of the query's own group does not count (itself, its copies).
        block: queries compared at a time.

    Returns:
        distance float64 (N,), infinite where no target counts, and the target's index int64 (N,).
    """
    queries, targets = np.asarray(queries, np.float32), np.asarray(targets, np.float32)
    centre = targets.mean(axis=0)  # the expansion below loses digits far from the origin
    queries, targets = queries - centre, targets - centre
    squares = (targets**2).sum(axis=1)
    best, index = np.empty(len(queries)), np.zeros(len(queries), np.int64)
    blocks = (np.arange(start, min(start + block, len(queries))) for start in range(0, len(queries), block))
    for part in watched(blocks, len(queries), "looking for the nearest neighbours"):
        far = squares[None] - 2 * queries[part] @ targets.T
        if own_groups is not None:
            far[own_groups[0][part, None] == own_groups[1][None]] = np.inf
        index[part] = far.argmin(axis=1)
        exact = np.linalg.norm(queries[part].astype(np.float64) - targets[index[part]], axis=1)
        best[part] = np.where(np.isinf(far.min(axis=1)), np.inf, exact)
    return best, index


def neighbour_radius(points: np.ndarray, k: int, *, block: int = 512) -> np.ndarray:
    """Measure how far each point is from its k-th nearest other point.

    Args:
        points: float (N, D), N above k.
        k: which neighbour, from 1.
        block: points compared at a time.

    Returns:
        float64 (N,).
    """
    points = np.asarray(points, np.float32)
    points = points - points.mean(axis=0)
    squares, radius = (points**2).sum(axis=1), np.empty(len(points))
    for start in range(0, len(points), block):
        part = slice(start, start + block)
        far = squares[None] - 2 * points[part] @ points.T
        kth = np.argpartition(far, k, axis=1)[:, k]  # the point itself is number 0
        radius[part] = np.linalg.norm(points[part].astype(np.float64) - points[kth], axis=1)
    return radius
