"""Ready-made images: a folder that another generator filled, in its order of generation."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.faces.faceset import FaceSet
from lib.faces.sources import read_images
from lib.generators.contract import Generator
from lib.study.errors import StudyError

SEED = re.compile(r"seed[-_ ]*[0-9]+", re.IGNORECASE)  # beside a counter it is none


@dataclass(frozen=True)
class FolderGenerator(Generator):
    """A generator whose images exist already: seed i is the i-th of them."""

    faces: FaceSet  # all its images, in order of generation
    path: str  # where they came from

    name = "folder"
    remade_at_once = True

    @property
    def px(self) -> int:
        return self.faces.images.shape[1]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.faces.classes

    @property
    def ready_made_labels(self) -> np.ndarray:
        return self.faces.labels

    @property
    def settings(self) -> dict:
        return {"images": len(self.faces), "digest": self.faces.digest()[:16]}

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Take the images at the places `seeds`, int64 (N,); their labels must be those asked for.

        Raises:
            StudyError: more images than there are, or another label at a place.
        """
        # Take the images.
        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
        if len(seeds) and seeds.max() >= len(self.faces):
            raise StudyError(
                f"{self.path}: {seeds.max() + 1} images asked for, {len(self.faces)} there; "
                "lower pool_images (0: all)"
            )
        chosen = self.faces.select(seeds)

        # Name the first whose label differs.
        wrong = np.flatnonzero(chosen.labels != labels)
        if len(wrong):
            place = wrong[0]
            raise StudyError(
                f"{self.path}: image {seeds[place]} is {chosen.table['class'][place]}, not "
                f"{self.classes[labels[place]]}; ready-made images keep their labels"
            )
        return chosen


def read_folder(path: str, classes: tuple[str, ...]) -> FolderGenerator:
    """Read ready-made images and put them in order of generation.

    Args:
        path: folder of class folders, or what else lib.faces.sources reads.
        classes: class list of the real faces. Images may lack some of them; those of emotions that
            are not among them are left out, which is announced.

    Raises:
        StudyError: no path given, nothing there, or a folder that names no class.
    """
    if not path:
        raise StudyError(
            "synthetic is empty, but the pool `folder` needs ready-made images: "
            "give --synthetic PATH"
        )

    # Seeds are places in the order of generation.
    faces = read_images(path, classes=classes)
    # A table has no files, and its rows are in order.
    if "file" in faces.table:
        faces = faces.select(generation_order(faces.table["file"]))
    seeds = np.arange(len(faces))
    faces = faces.with_columns(
        split="train", source="synthetic", generator=FolderGenerator.name, seed=seeds
    )
    return FolderGenerator(faces, str(path))


def generation_order(files) -> np.ndarray:
    """Order file names by their counter; names without a number come last, by name.

    Where names hold several numbers, the counter is the one that tells the files of a folder apart
    and lies closest together: 39 in 00039-<seed>.png, the last of 2024-05-01-0003.png. Numbers
    after the word seed are none. Of several that do as well the last counts.

    Returns:
        int64 (N,): places in order of generation.
    """
    names = [str(file) for file in files]
    stems = [SEED.sub("", Path(name).stem) or Path(name).stem for name in names]
    numbers = [[int(digits) for digits in re.findall(r"[0-9]+", stem)] for stem in stems]
    folders = [name.rpartition("/")[0] for name in names]
    at = _counter_place(numbers, folders)

    def place(row: int) -> tuple:
        found = numbers[row]
        if found:
            inside = -len(found) <= at < len(found)
            return (0, found[at if inside else -1], names[row])
        return (1, 0, names[row])  # after all that have a number

    return np.array(sorted(range(len(names)), key=place), np.int64)


def _counter_place(numbers: list[list[int]], folders: list[str]) -> int:
    """Find the position of the counter among the numbers of each name; -1 is the last.

    Args:
        numbers: of each name, in order.
        folders: that the names lie in; counters begin anew in each.
    """
    most = max(map(len, numbers), default=0)
    if most < 2:
        return -1

    # Positions are counted from both ends, for words in between may hold numbers of their own.
    best, best_at = None, -1
    for at in [*range(-1, -most - 1, -1), *range(most)]:
        values: dict[str, list[int]] = {}
        for found, folder in zip(numbers, folders):
            if -len(found) <= at < len(found):
                values.setdefault(folder, []).append(found[at])
        different = sum(len(set(part)) for part in values.values())
        reach = sum(max(part) - min(part) + 1 for part in values.values())
        all_values = [value for part in values.values() for value in part]
        rank = (different, -reach, min(all_values) - max(all_values))
        if best is None or rank > best:
            best, best_at = rank, at
    return best_at
