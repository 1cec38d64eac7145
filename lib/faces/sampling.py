"""Choosing images: by class shares, in proportion, and over again.

All choices come from a generator of random numbers that the caller gives, so that one stream makes
one training set.
"""

from dataclasses import replace

import numpy as np

from lib.faces.faceset import FaceSet


def stratified(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Choose n positions that keep the class shares.

    For one seed a smaller choice is part of every larger one.

    Args:
        labels: int64 (N,).

    Returns:
        int64 (n,), rising.

    Source: seats by Webster's divisors (Balinski and Young 1982), which never take one back as
    their number grows.
    """
    # Spread each class's images evenly over 0 to 1, in random order; the first n positions then
    # hold every class by its share.
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.sort(np.argsort(place, kind="stable")[:n])


def apportion(counts: np.ndarray, n: int) -> np.ndarray:
    """Divide n images among classes in proportion to their counts.

    Args:
        counts: int (C,), the images of each class.
        n: images to divide, which may be more than there are.

    Returns:
        int64 (C,), of sum n.

    Source: Webster's divisors, as in `stratified`.
    """
    # The divisors of each class, as many as it could receive; the n smallest are its seats.
    counts = np.asarray(counts)
    most = np.ceil(counts * n / counts.sum()).astype(int) + 1
    places = [(np.arange(m) + 0.5) / c for m, c in zip(most, counts) if c]
    classes = np.repeat(np.flatnonzero(counts), most[counts > 0])
    chosen = np.argsort(np.concatenate(places), kind="stable")[:n]
    return np.bincount(classes[chosen], minlength=len(counts))


def surest(labels: np.ndarray, probabilities: np.ndarray, share: float) -> np.ndarray:
    """Choose a share of each class: the images whose own label is most probable.

    Args:
        labels: int64 (N,).
        probabilities: float (N, C), of a label classifier.
        share: of each class, 0 to 1; at least one image stays.

    Returns:
        int64 (n,), rising. A smaller share is part of every larger one.
    """
    own, rows = probabilities[np.arange(len(labels)), labels], []
    for label in np.unique(labels):
        # The most probable first.
        of_class = np.flatnonzero(labels == label)
        order = of_class[np.argsort(-own[of_class], kind="stable")]
        rows.append(order[: max(1, round(share * len(order)))])
    return np.sort(np.concatenate(rows))


def copies(faces: FaceSet, count: int, rng: np.random.Generator) -> FaceSet:
    """Duplicate images at random, each once before any twice; a copy's id ends with its number."""
    # Whole rounds over all images, each in an order of its own.
    rounds = -(-count // len(faces))
    orders = [np.zeros(0, np.int64)]
    for _ in range(rounds):
        orders.append(rng.permutation(len(faces)))
    rows = np.concatenate(orders)[:count]

    # Ids first, for a face set has none twice.
    table = faces.table.iloc[rows]
    endings = [f"-copy{place // len(faces) + 1}" for place in range(count)]
    table = table.assign(id=table["id"] + endings)
    return replace(faces, images=faces.images[rows], table=table)
