"""Copies: images that are equal, and images that nearly are.

Copies across splits leak test images into training; copies within one split weigh double.
"""

import hashlib

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from lib.faces.faceset import FaceSet

THUMBNAIL_PX = 12  # side of the area averages that near-copies are compared by, pixels
BLANK = 5.0  # standard deviation under which an image shows nothing, grey levels
BLOCK = 2048  # rows of the distance matrix that are in memory at once


def exact_groups(images: np.ndarray) -> np.ndarray:
    """Number the groups of pixel-identical images.

    Args:
        images: uint8 (N, H, W).

    Returns:
        int64 (N,), groups numbered by first appearance.
    """
    hashes = [
        hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        for image in np.ascontiguousarray(images)
    ]
    return pd.factorize(np.array(hashes, dtype="S16").astype(object))[0].astype(np.int64)


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Shrink images to area averages, float32 (N, THUMBNAIL_PX ** 2), grey levels 0 to 255."""
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    small = [
        np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX), np.float32).ravel()
        for image in images
    ]
    return np.stack(small) if small else np.zeros((0, THUMBNAIL_PX**2), np.float32)


def near_pairs(images: np.ndarray, threshold: float) -> np.ndarray:
    """Find pairs of images whose thumbnails differ by less than the threshold.

    Distances are computed block against block, so memory grows with N alone.

    Args:
        images: uint8 (N, H, W).
        threshold: mean absolute difference of the thumbnails, grey levels.

    Returns:
        int64 (P, 2), first index below the second.
    """
    small = thumbnails(images)

    # Sort by brightness: the difference of two means bounds their distance from below, so that
    # only neighbours in this order can be near-copies.
    mean = small.mean(1)
    order = np.argsort(mean, kind="stable")
    small, mean = small[order], mean[order]

    # Compare each block with itself and with the rows that are bright enough to be near.
    pairs = [np.zeros((0, 2), np.int64)]
    for first in range(0, len(small), BLOCK):
        stop = min(first + BLOCK, len(small))
        last = int(np.searchsorted(mean, mean[stop - 1] + threshold, side="right"))
        pairs.append(_block_pairs(small, first, stop, last, threshold))
    return np.sort(order[np.concatenate(pairs)], axis=1)


def _block_pairs(
    small: np.ndarray, first: int, stop: int, last: int, threshold: float
) -> np.ndarray:
    """Compare rows first to stop with rows first to last, int64 (P, 2).

    The Euclidean distance, cheap as a product, selects candidates for the exact check.
    """
    left, squares = small[first:stop], (small**2).sum(1)

    # mean |d| <= sqrt(mean d^2) <= sqrt(max |d| * mean |d|): a near-copy may have a few
    # large differences, 16 times the mean covers them.
    most = 16 * threshold**2 * small.shape[1]
    pairs = [np.zeros((0, 2), np.int64)]
    for start in range(first, last, BLOCK):
        right = small[start : min(start + BLOCK, last)]
        sums = squares[first:stop, None] + squares[None, start : start + len(right)]
        i, j = np.nonzero(sums - 2 * left @ right.T < most)

        # Count each pair once, and check the candidates.
        i, j = i + first, j + start
        i, j = i[i < j], j[i < j]
        close = np.abs(small[i] - small[j]).mean(1) < threshold
        pairs.append(np.stack([i[close], j[close]], axis=1))
    return np.concatenate(pairs)


def blank_images(images: np.ndarray) -> np.ndarray:
    """Find images that show nothing: bool (N,), grey levels of a standard deviation under BLANK."""
    # One by one: no copy of the whole set as float64.
    spread = [cv2.meanStdDev(image)[1].item() for image in images]
    return np.array(spread, np.float64) < BLANK


def near_groups(images: np.ndarray, threshold: float) -> np.ndarray:
    """Number the groups of copies, exact or near: a near-copy of a near-copy is in the same group.

    Args:
        images: uint8 (N, H, W).
        threshold: as near_pairs.

    Returns:
        int64 (N,), groups numbered by first appearance.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Near-copies are looked for among the different images alone.
    exact = exact_groups(images)
    _, firsts = np.unique(exact, return_index=True)
    pairs = firsts[near_pairs(images[firsts], threshold)]

    # Blank images all look alike; that does not make them one face.
    pairs = pairs[~blank_images(images)[pairs].any(axis=1)]

    # Connect the pairs.
    count = int(exact.max()) + 1 if len(exact) else 0
    edges = (exact[pairs[:, 0]], exact[pairs[:, 1]])
    graph = coo_array((np.ones(len(pairs), bool), edges), shape=(count, count))
    groups = connected_components(graph, directed=False)[1]
    return pd.factorize(groups[exact])[0].astype(np.int64)


def mark_copies(faces: FaceSet, threshold: float) -> FaceSet:
    """Add what copies mean for a study: columns cluster (copies share one), leaked_exact, leaked.

    An image of val or test is leaked when train holds a copy of it: leaked_exact counts identical
    images, leaked near-copies too.
    """
    exact, near = exact_groups(faces.images), near_groups(faces.images, threshold)
    held_out = faces.table["split"].isin(["val", "test"]).to_numpy()
    train = (faces.table["split"] == "train").to_numpy()
    return faces.with_columns(
        cluster=near,
        leaked_exact=held_out & np.isin(exact, exact[train]),
        leaked=held_out & np.isin(near, near[train]),
    )
