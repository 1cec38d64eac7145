"""What copies of FER2013 say of themselves, and FER+'s votes: believed where it can be checked.

File names such as Training_123.jpg state a split and a number. In some copies the number is
FER2013's row, in the commonest one it means nothing, in others it counts within the split; FER+'s
votes go by the row alone, so that a wrong one attaches other images' votes.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, label_images, split_of
from lib.faces.faceset import FaceSet
from lib.faces.files import existing, open_files
from lib.faces.tables import read_csv, shown_value, whole_number
from lib.study.errors import StudyError

# <Usage>_<row>.<ending>, the file names of FER2013's copies.
FER2013_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_(\d+)\.[A-Za-z]+$")
IMAGES = 35_887  # of FER2013, in the order Training, PublicTest, PrivateTest

# FER+'s columns and our names of the classes; unknown and NF (no face) have no counterpart.
FERPLUS_CLASSES = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": "contempt",
}
FERPLUS_OTHERS = ("unknown", "NF")
FERPLUS_NAME = "fer2013new.csv"

# Agreement of FER2013's labels with FER+'s plurality, chance taken off (Cohen's kappa). Measured in
# stretches of 200 images: 0.48 at least with all seven classes, 0.24 with the hardest three, and
# 0.07 at most with rows moved by one.
LEAST_KAPPA = 0.15
STRETCH = 200
FEWEST = 100  # images under which agreement says nothing


def is_fer2013(names: Sequence[str]) -> bool:
    """Tell whether all files have the names of a copy of FER2013."""
    return bool(names) and all(_matched(name) for name in names)


def believed_splits(splits: Mapping[str, str | None]) -> dict[str, str | None]:
    """Decide each picture's split: by FER2013's file name where the folders do not contradict it.

    A copy keeps PublicTest and PrivateTest in one folder, which the names tell apart. Whoever
    sorted the pictures anew left the names as they were: then folders decide, which is announced.

    Args:
        splits: of the folders, by name of the picture; None without one.
    """
    stated = {name: split_of(_matched(name)[1]) for name in splits if _matched(name)}
    contradicted = [
        name
        for name, split in stated.items()
        if splits[name] and (split == "train") != (splits[name] == "train")
    ]
    if contradicted:
        print(
            f"{len(contradicted):,} of {len(stated):,} file names state another split than the "
            f"folder that they lie in ({contradicted[0]}): the folders decide"
        )
        stated = {name: split for name, split in stated.items() if not splits[name]}
    return dict(splits) | stated


def row_numbers(names: Sequence[str]) -> np.ndarray | None:
    """Read FER2013's row off every file name, int64 (N,); None where the numbers are no rows.

    Rows are different numbers under IMAGES, those of Training below those of PublicTest, and these
    below those of PrivateTest.
    """
    if not is_fer2013(names):
        return None
    usage = np.array([_matched(name)[1] for name in names])
    digits = [_matched(name)[2] for name in names]
    if max(map(len, digits)) > 18:
        return None
    rows = np.array(digits, np.int64)
    parts = [rows[usage == part] for part in ("Training", "PublicTest", "PrivateTest")]
    ends = [(part.min(), part.max()) for part in parts if len(part)]
    in_order = all(before[1] < after[0] for before, after in zip(ends, ends[1:]))
    different = len(np.unique(rows)) == len(rows)
    return rows if different and in_order and rows.max() < IMAGES else None


def read_ferplus(
    faces: FaceSet, path: str, *, beside: str, labels: str = "own", classes: Sequence[str] = ()
) -> FaceSet:
    """Add the votes of FER+'s ten annotators: columns votes_<class>, for the seven and contempt.

    They are added where all that can be checked agrees: the number of rows, the Usage of every
    image, and labels that agree with the votes better than by chance all along. Otherwise they are
    left out, with a sentence; asked for, it is an error.

    Source: Barsoum et al. 2016, Training Deep Networks for Facial Expression Recognition with
    Crowd-Sourced Label Distribution.

    Args:
        faces: with a column row (FER2013's row number); without it there is nothing to match by,
            and it is returned as it is.
        path: of fer2013new.csv; empty: taken when it lies in or beside the data.
        beside: path of the data.
        labels: own: faces keep their labels, and a column plus_class holds the plurality among the
            seven classes, missing where no class has the most votes alone or another answer
            (contempt, unknown, no face) has as many. ferplus: the plurality among the seven and
            contempt becomes the label, the old one stays in the column fer2013_class, and images
            without a plurality are left out, which is announced.
        classes: with ferplus: those to keep; none keeps all eight.

    Raises:
        StudyError: a path that is not there, not FER+ or of other rows; labels of FER+ asked for
            and not found.
    """
    file = _votes_file(path, beside)
    if file is None and labels == "ferplus":
        raise StudyError(
            "labels: ferplus needs FER+'s fer2013new.csv and FER2013's row numbers: set ferplus "
            "to its path, and data to fer2013.csv or a copy whose file names hold the rows"
        )
    if file is None:
        return faces

    # Votes that somebody asked for have to fit, others are taken if they do.
    try:
        votes = _votes_of(faces, file)
    except StudyError as error:
        if path or labels == "ferplus":
            about = "labels: ferplus needs FER2013's row numbers, and votes that fit: "
            raise StudyError(f"{about if labels == 'ferplus' else ''}{error}") from None
        print(f"FER+ votes are left out: {error}")
        return faces

    # The votes, whatever the labels.
    faces = faces.with_columns(
        **{f"votes_{name}": votes[name].to_numpy() for name in EIGHT_EMOTIONS}
    )

    # What becomes of the labels.
    if labels == "own":
        return faces.with_columns(plus_class=_plurality(votes, EMOTIONS))
    return _labelled_by_votes(faces, votes, classes)


def _matched(name: str) -> re.Match | None:
    """Match the name of a file with those of FER2013's copies."""
    return FER2013_NAME.match(name.rpartition("/")[2])


def _votes_file(path: str, beside: str) -> Path | None:
    """Find FER+'s file: where a path says, else in or beside the data; None without one.

    Raises:
        StudyError: nothing at the path.
    """
    if path:
        file = existing(path)
        if not file.is_file():
            raise StudyError(f"{file}: is no file; give the path of {FERPLUS_NAME}")
        return file
    folder = Path(beside).expanduser()
    near = [folder / FERPLUS_NAME, folder.parent / FERPLUS_NAME]
    return next((file for file in near if file.is_file()), None)


def _votes_of(faces: FaceSet, file: Path) -> pd.DataFrame:
    """Read the votes on the faces, row by row: a column a class (our names), unknown and NF.

    Raises:
        StudyError: not FER+, or of other rows than these faces.
    """
    if "row" not in faces.table:
        raise StudyError(f"{file}: goes by FER2013's row numbers, {_why_no_rows(faces)}")
    votes, usage = _read_votes(file)

    # Every row has to be there, and a table to be as long.
    rows = faces.table["row"].to_numpy(int)
    count = faces.table.attrs.get("rows")
    if len(votes) <= rows.max(initial=-1) or (count and count != len(votes)):
        raise StudyError(
            f"{file}: not FER+'s fer2013new.csv of these images ({len(votes):,} rows for "
            f"{count or rows.max() + 1:,})"
        )
    if usage is not None:
        _check_usage(faces, usage[rows], file)
    votes = votes.iloc[rows].reset_index(drop=True)
    _check_agreement(faces, votes, rows, file)
    return votes


def _why_no_rows(faces: FaceSet) -> str:
    """Say what file names hold in place of row numbers."""
    files = faces.table.get("file", pd.Series(dtype=object)).tolist()
    if is_fer2013(files):
        name = PurePosixPath(files[0]).name
        return f"and the numbers in these file names are none ({name} and others)"
    return "which these file names do not hold"


def _read_votes(file: Path) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Read FER+'s file: votes under our names of the classes, and Usage where it has it."""
    with open_files(file) as files:
        columns, rows, lines = read_csv(files, files.names[0])
    names = [*FERPLUS_CLASSES, *FERPLUS_OTHERS]
    missing = [name for name in names if name.lower() not in columns]
    if missing:
        raise StudyError(f"{file}: not FER+'s fer2013new.csv (column {missing[0]} is missing)")

    # Votes are whole numbers.
    votes = {}
    for name in names:
        place = columns.index(name.lower())
        numbers = [whole_number(row[place]) for row in rows]
        for number, row, line in zip(numbers, rows, lines):
            if number is None or not 0 <= number <= 10_000:
                raise StudyError(
                    f"{file}: line {line}: {name} is {shown_value(row[place])}, expected a number "
                    "of votes; the file is damaged"
                )
        votes[FERPLUS_CLASSES.get(name, name)] = numbers
    usage = None
    if "usage" in columns:
        place = columns.index("usage")
        usage = np.array([split_of(row[place]) for row in rows], object)
    return pd.DataFrame(votes)[[*EIGHT_EMOTIONS, *FERPLUS_OTHERS]], usage


def _check_usage(faces: FaceSet, usage: np.ndarray, file: Path) -> None:
    """Stop where FER+ states another split of an image than FER2013's own name or table does."""
    # The split of a face set may have been renamed; names of files and rows of a table were not.
    table = faces.table
    names = table["file"].map(lambda name: _matched(name)[1]) if "file" in table else table["id"]
    own = np.array([split_of(name.rpartition("_")[0] or name) for name in names], object)
    differs = np.flatnonzero(own != usage)
    if len(differs):
        first = table.iloc[differs[0]]
        raise StudyError(
            f"{file}: its column Usage contradicts the split of {len(differs):,} of {len(table):,} "
            f"images ({first.get('file', first['id'])}); their numbers are no rows of FER2013, or "
            "rows are missing"
        )


def _check_agreement(faces: FaceSet, votes: pd.DataFrame, rows: np.ndarray, file: Path) -> None:
    """Stop where labels agree with the votes no better than by chance, somewhere along the rows."""
    own = faces.table["class"].to_numpy(object)
    plurality = _plurality(votes, EMOTIONS).to_numpy(object)

    # Among the classes that both know; where some are left out, the votes on these say nothing.
    both = sorted(set(EMOTIONS) & set(faces.classes))
    comparable = np.isin(own, both) & np.isin(plurality.astype(str), both)
    order = np.flatnonzero(comparable)[np.argsort(rows[comparable], kind="stable")]
    if len(order) < FEWEST:
        return
    for part in np.array_split(order, max(1, len(order) // STRETCH)):
        kappa = _kappa(own[part], plurality[part])
        if kappa < LEAST_KAPPA:
            raise StudyError(
                f"{file}: around row {rows[part[0]]:,} the labels agree with the votes hardly more "
                f"often than by chance (kappa {kappa:.2f}); the rows are those of other images"
            )


def _kappa(a: np.ndarray, b: np.ndarray) -> float:
    """Compute Cohen's kappa of two labellings; 1 where chance alone would make them equal."""
    observed = (a == b).mean()
    by_chance = sum((a == name).mean() * (b == name).mean() for name in EMOTIONS)
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else 1.0


def _plurality(votes: pd.DataFrame, classes: Sequence[str]) -> pd.Series:
    """Name the class with the most votes; None where it is not one alone, or another answer has
    as many.

    Args:
        votes: of `_read_votes`.
        classes: those that count; all other columns are other answers.
    """
    # The most votes of a class have to be more than those of any other answer.
    of_classes = votes[list(classes)]
    others = votes.drop(columns=list(classes)).max(axis=1)
    most = of_classes.max(axis=1)
    alone = of_classes.eq(most, axis=0).sum(axis=1) == 1
    return of_classes.idxmax(axis=1).where(alone & (most > others) & (most > 0), None)


def _labelled_by_votes(faces: FaceSet, votes: pd.DataFrame, classes: Sequence[str]) -> FaceSet:
    """Take the plurality among eight classes as the label; leave out images without one."""
    # Images without a plurality.
    plurality = _plurality(votes, EIGHT_EMOTIONS)
    decided = plurality.notna().to_numpy()
    if not decided.all():
        print(
            f"FER+: {(~decided).sum():,} of {len(faces):,} images are left out, for most votes "
            "fell on none of the eight classes, or on several alike"
        )

    # Classes of the others.
    names = plurality[decided].tolist()
    places = dict.fromkeys(names, "FER+")
    classes, labels = label_images(names, places, classes, declared=EIGHT_EMOTIONS)

    # One table without images of other classes.
    table = faces.table[decided]
    table = table.assign(fer2013_class=table["class"], **{"class": labels})
    kept = table["class"].notna().to_numpy()
    return FaceSet(faces.images[decided][kept], table[kept], classes)
