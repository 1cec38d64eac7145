"""What a source holds before its pictures are decoded, and the face set that it becomes.

Every kind of source (class folders, metadata beside pictures, CSV, Parquet) is listed first, by a
reader of its own, and decoded here, by the same rules.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from lib.faces.classes import label_images
from lib.faces.faceset import FaceSet
from lib.faces.pictures import middle_square, to_square
from lib.study.errors import StudyError

READERS = 8  # threads that read and decode pictures, at most
MOST_DAMAGED = 6  # pictures that do not read are named, further ones counted


@dataclass(frozen=True)
class Listing:
    """One row a picture, its class as written; nothing is decoded."""

    where: str  # the source, to be named in messages
    names: Sequence[str]  # class of each picture, as written
    places: dict[str, str]  # where each class name stands first
    table: pd.DataFrame  # columns id, split (None where nothing tells), source, and file or row
    image: Callable[[int], np.ndarray]  # row -> grey uint8 (H, W); may raise StudyError
    declared: Sequence[str] = ()  # classes that the source states to hold
    used: Sequence[str] = field(default=())  # files that it is read from


def decode_listing(
    listing: Listing,
    px: int,
    *,
    classes: Sequence[str] = (),
    complete: bool = True,
    cut: Callable[[np.ndarray], np.ndarray] | None = None,
    skip_damaged: bool = False,
) -> FaceSet:
    """Decode the pictures of the classes asked for, in parallel.

    Args:
        px: side of the images; 0 takes the most frequent one.
        classes, complete: as `wanted` and `complete` of lib.faces.classes.classes_of.
        cut: makes a square, uint8 (px, px), of a grey picture of any size; without it the middle
            square is taken, which is announced.
        skip_damaged: leave pictures out that do not read; the first ones are named, all counted.

    Raises:
        StudyError: no pictures of these classes, or one that does not read.
    """
    classes, labels = label_images(
        listing.names, listing.places, classes, declared=listing.declared, complete=complete
    )
    rows = [row for row, label in enumerate(labels) if label is not None]

    # A pool or another data set may hold nothing of the study's classes.
    if not rows:
        found = ", ".join(sorted(listing.places)[:8])
        raise StudyError(
            f"{listing.where}: holds no pictures of {', '.join(classes)}; its classes are {found}"
        )

    # Decode, and bring to one side.
    outcomes = in_parallel(lambda row: _square(listing, row, px, cut, skip_damaged), rows)
    _announce_damaged([outcome for outcome in outcomes if isinstance(outcome, StudyError)])
    read = [not isinstance(outcome, StudyError) for outcome in outcomes]
    kept = [(row, *outcome) for row, outcome, ok in zip(rows, outcomes, read) if ok]
    if not kept:
        raise StudyError(f"{listing.where}: none of its {len(rows):,} pictures can be read")
    _announce_cuts(listing.where, [was_square for *_, was_square in kept])
    side = px or int(pd.Series([len(image) for _, image, _ in kept]).mode().iloc[0])
    images = np.stack([to_square(image, side) for _, image, _ in kept])

    # The table of those that were read.
    rows = [row for row, *_ in kept]
    table = listing.table.iloc[rows].assign(**{"class": [labels[row] for row in rows]})
    # Where splits do not matter, some sources tell none.
    table["split"] = table["split"].fillna("train")
    first = ["id", "class", "split", "source"]
    table = table[first + [column for column in table if column not in first]]
    return FaceSet(images, table, classes)


def in_parallel(work: Callable, rows: Sequence) -> list:
    """Do the same work for every row, in threads; results in order, the first failure raised."""
    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as threads:
        # A failure ends the run: what still waits is not begun.
        futures = [threads.submit(work, row) for row in rows]
        try:
            return [future.result() for future in futures]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def picture_ids(files: Sequence[str]) -> list[str]:
    """Name pictures after class folder and file: angry-12; by more of the path where that repeats.

    Args:
        files: paths inside the source.
    """
    # Class folder and file name are enough in most layouts.
    paths = [PurePosixPath(file) for file in files]
    ids = ["-".join([*path.parts[-2:-1], path.stem]) for path in paths]
    if len(set(ids)) == len(ids):
        return ids

    # One name in two folders of one class, as in train/ and validation/.
    ids = [file.replace("/", "-").rsplit(".", 1)[0] for file in files]
    if len(set(ids)) == len(ids):
        return ids

    # One name with two endings, or with a hyphen for a folder: files are different.
    return [f"{row}-{name}" for row, name in enumerate(ids)]


def _square(
    listing: Listing, row: int, px: int, cut: Callable | None, skip_damaged: bool
) -> tuple[np.ndarray, bool] | StudyError:
    """Decode one picture to a square, and tell whether it was one; or give why it does not read."""
    try:
        grey = listing.image(row)
    except StudyError as error:
        if not skip_damaged:
            raise
        return error

    # Shrunk at once, so that large pictures never lie in memory together.
    if cut:
        return cut(grey), True
    square = middle_square(grey)
    return (to_square(square, px) if px else square), square.shape == grey.shape


def _announce_damaged(errors: Sequence[StudyError]) -> None:
    """Print which pictures do not read, the first ones by name, if any."""
    for error in errors[:MOST_DAMAGED]:
        print(f"left out: {error}")
    if (more := len(errors) - MOST_DAMAGED) > 0:
        print(
            f"left out: {len(errors):,} pictures that do not read, {more:,} more than are named "
            "above"
        )


def _announce_cuts(where: str, squares: Sequence[bool]) -> None:
    """Print how many pictures lost something at two sides, if any."""
    cut = squares.count(False)
    if cut:
        print(
            f"{where}: {cut:,} of {len(squares):,} pictures are not square; the middle square of "
            "each is taken"
        )
