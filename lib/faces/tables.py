"""Faces inside tables: FER2013's CSV, Hugging Face's Parquet, and the votes of FER+."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, FER2013_CODES, label_images, split_of
from lib.faces.faceset import FaceSet
from lib.faces.pictures import decode_grey, to_square
from lib.study.errors import StudyError

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

# Names of Parquet columns, in order of preference.
PICTURE_COLUMNS = ("image", "img", "picture", "pixels")
LABEL_COLUMNS = ("label", "labels", "emotion", "class")


def read_csv_faces(
    source, name: str, classes: Sequence[str] = (), *, complete: bool = True
) -> FaceSet:
    """Read fer2013.csv or icml_face_data.csv.

    Columns emotion (FER2013's code), pixels, Usage, in any order, spaces in their names allowed.

    Args:
        source: path or binary file.
        name: to be named in messages.
        classes, complete: as `wanted` and `complete` of lib.faces.classes.classes_of; without
            classes all of FER2013's seven.

    Raises:
        StudyError: a missing column, a row of the wrong length, a code or value out of range.
    """
    # Text alone, so that every value can be checked and named.
    try:
        table = pd.read_csv(source, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise StudyError(f"{name}: not a readable CSV ({error})") from None
    table.columns = [str(column).strip().lower() for column in table.columns]
    missing = [column for column in ("emotion", "pixels", "usage") if column not in table]
    if missing:
        raise StudyError(
            f"{name}: column {missing[0]!r} is missing; found {', '.join(table.columns)}. Take "
            "fer2013.csv or icml_face_data.csv"
        )

    # Read the columns, each row checked.
    images = _pixels(table["pixels"], name)
    code = pd.to_numeric(table["emotion"], errors="coerce")
    _refuse(~code.isin(range(len(FER2013_CODES))), table["emotion"], name, "emotion", "0 to 6")
    split = table["usage"].map(split_of)
    _refuse(split.isna(), table["usage"], name, "Usage", "Training, PublicTest or PrivateTest")

    # Name the classes.
    emotions = [FER2013_CODES[int(value)] for value in code]
    places = dict.fromkeys(emotions, name)
    classes, labels = label_images(
        emotions, places, classes, declared=FER2013_CODES, complete=complete
    )

    # A row's number is what FER+ goes by, so it is counted before images are left out.
    rows = np.arange(len(table))
    faces = pd.DataFrame(
        {
            "id": [f"{usage.strip()}_{row}" for usage, row in zip(table["usage"], rows)],
            "class": labels,
            "split": split.to_numpy(),
            "source": "fer2013",
            "row": pd.array(rows, "Int64"),
        }
    )
    kept = faces["class"].notna().to_numpy()
    return FaceSet(images[kept], faces[kept], classes)


def read_parquet_faces(
    path: Path, grey: str, classes: Sequence[str] = (), *, complete: bool = True
) -> FaceSet:
    """Read Parquet as Hugging Face ships it.

    A column of pictures (bytes, or a struct with bytes) and a column of labels: text, or numbers
    whose names stand in the file's metadata, else FER2013's codes, which is announced.

    Args:
        path: one file, or a folder of files named after their splits, such as
            train-00000-of-00001.parquet.
        grey: as decode_grey.
        classes, complete: as `wanted` and `complete` of lib.faces.classes.classes_of.

    Raises:
        StudyError: a file that does not read, or holds no pictures, labels or splits.
    """
    # All files of a data set, which hold a split or a part of one each.
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    images, tables, declared = [], [], []
    for file in files:
        part_images, table, stated = _parquet_part(file, grey)
        images += part_images
        tables.append(table)
        declared += stated
    table = pd.concat(tables, ignore_index=True)

    # The classes of all files together, for one of them may lack some.
    names = table["class"].tolist()
    places = dict.fromkeys(names, str(path))
    classes, labels = label_images(names, places, classes, declared=declared, complete=complete)
    table["class"] = labels
    kept = table["class"].notna().to_numpy()

    # The most frequent side is that of all images.
    side = int(pd.Series([max(image.shape) for image in images]).mode().iloc[0])
    squares = np.stack([to_square(image, side) for image in images])
    return FaceSet(squares[kept], table[kept], classes)


def read_ferplus(
    faces: FaceSet, path: str, *, beside: str, labels: str = "own", classes: Sequence[str] = ()
) -> FaceSet:
    """Add the votes of FER+'s ten annotators: columns votes_<class>, for the seven and contempt.

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
        StudyError: a path that is not there, or not FER+; labels of FER+ asked for and not found.
    """
    votes = _read_votes(faces, path, beside)
    if votes is None and labels == "ferplus":
        raise StudyError(
            "labels: ferplus needs FER+'s fer2013new.csv and FER2013's row numbers: set ferplus "
            "to its path, and data to fer2013.csv or a copy whose file names hold the rows"
        )
    if votes is None:
        return faces

    # The votes, whatever the labels.
    faces = faces.with_columns(
        **{f"votes_{name}": votes[name].to_numpy() for name in EIGHT_EMOTIONS}
    )

    # What becomes of the labels.
    if labels == "own":
        return faces.with_columns(plus_class=_plurality(votes, EMOTIONS))
    return _labelled_by_votes(faces, votes, classes)


def _pixels(texts: pd.Series, name: str) -> np.ndarray:
    """Parse blank-separated grey values, uint8 (N, side, side)."""
    # The first row decides the side of all images.
    length = len(texts.iloc[0].split()) if len(texts) else 0
    side = int(round(length**0.5))
    if side * side != length or not length:
        raise StudyError(
            f"{name}: line 2 holds {length} pixels, which is no square; FER2013 has 2304 (48 x 48)"
        )
    rows = [_pixel_row(text, length, f"{name}: line {i}") for i, text in enumerate(texts, start=2)]
    return np.stack(rows).reshape(-1, side, side)


def _pixel_row(text: str, length: int, where: str) -> np.ndarray:
    """Parse the grey values of one image, uint8 (length,)."""
    try:
        values = _numbers(text)
    except (ValueError, DeprecationWarning):
        raise StudyError(f"{where} holds a pixel that is not a number") from None

    # Whole, and within the grey levels.
    if len(values) != length:
        raise StudyError(
            f"{where} holds {len(values)} pixels instead of {length}; the file is damaged or cut "
            "off"
        )
    if values.min() < 0 or values.max() > 255:
        outside = values[(values < 0) | (values > 255)][0]
        raise StudyError(f"{where} holds a pixel of {outside}; grey values are 0 to 255")
    return values.astype(np.uint8)


def _numbers(text: str) -> np.ndarray:
    """Parse blank-separated whole numbers, int64.

    numpy's own reader is three times as fast as splitting the text; what it cannot read has to be
    an error, not a shorter row.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        return np.fromstring(text, np.int64, sep=" ")


def _refuse(bad: pd.Series, values: pd.Series, name: str, column: str, allowed: str) -> None:
    """Stop on the first bad value of a column, named by its line in the file."""
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise StudyError(
            f"{name}: line {row + 2}: {column} is {values.iloc[row]!r}, expected {allowed}"
        )


def _parquet_part(file: Path, grey: str) -> tuple[list, pd.DataFrame, list[str]]:
    """Read one Parquet file: images, their table with class names as written, names declared."""
    import pyarrow
    import pyarrow.parquet

    try:
        data = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise StudyError(f"{file}: not a whole Parquet file ({error})") from None

    # Find the columns, whatever the case of their names.
    columns = {column.lower(): column for column in data.column_names}
    picture = _first_of(PICTURE_COLUMNS, columns)
    label = _first_of(LABEL_COLUMNS, columns)
    if picture is None or label is None:
        raise StudyError(
            f"{file}: needs a column of pictures (image) and one of labels (label); found "
            f"{', '.join(data.column_names)}"
        )

    # Pictures: bytes, or a struct with bytes.
    images = []
    for row, cell in enumerate(data[picture].to_pylist()):
        content = cell["bytes"] if isinstance(cell, dict) else cell
        images.append(decode_grey(content or b"", f"{file}, row {row}", grey=grey))

    # Classes, as they are written.
    names, declared = _class_names(data, label, file)

    # A column Usage decides the split, else the file's name.
    usage = [file.stem.split("-")[0]] * len(images)
    if "usage" in columns:
        usage = data[columns["usage"]].to_pylist()
    splits = [split_of(str(value)) for value in usage]
    if None in splits:
        raise StudyError(
            f"{file}: cannot tell the split from {usage[splits.index(None)]!r}; name the file "
            "train-..., validation-... or test-..."
        )
    ids = [f"{file.stem}-{row}" for row in range(len(images))]
    table = pd.DataFrame({"id": ids, "class": names, "split": splits, "source": "parquet"})
    return images, table, declared


def _first_of(names: Sequence[str], columns: dict[str, str]) -> str | None:
    """Find the first of some names among columns by lower-case name; None for none."""
    for name in names:
        if name in columns:
            return columns[name]
    return None


def _class_names(data, label: str, file: Path) -> tuple[list[str], list[str]]:
    """Turn the labels of a Parquet file into class names as written.

    Returns:
        The name of each row, and all names that the file declares (none where labels are text).
    """
    values = data[label].to_pylist()
    if None in values:
        raise StudyError(f"{file}, row {values.index(None)}: has no label; remove the row")

    # Text.
    if values and isinstance(values[0], str):
        return values, []

    # Numbers: positions in the list of names that Hugging Face puts into the metadata.
    features = json.loads((data.schema.metadata or {}).get(b"huggingface", b"{}"))
    features = features.get("info", {}).get("features", {})
    stated = features.get(label, {}).get("names")
    if not stated:
        print(
            f"{file.name}: labels are numbers without names; taken as FER2013's codes "
            f"({', '.join(FER2013_CODES)})"
        )
    names = list(stated or FER2013_CODES)
    outside = [value for value in values if not 0 <= value < len(names)]
    if outside:
        raise StudyError(f"{file}: label {outside[0]} is none of 0 to {len(names) - 1}")
    return [names[value] for value in values], names


def _read_votes(faces: FaceSet, path: str, beside: str) -> pd.DataFrame | None:
    """Read the votes on the faces, row by row: a column a class (our names), unknown and NF.

    Returns:
        None where there is no file, or no row number to match by and no path that asks for it.
    """
    # A path that is given has to be right; a file beside the data is taken if it is there.
    folder = Path(beside).expanduser()
    near = [folder / "fer2013new.csv", folder.parent / "fer2013new.csv"]
    files = [Path(path).expanduser()] if path else [file for file in near if file.is_file()]
    if not files or ("row" not in faces.table and not path):
        return None
    if "row" not in faces.table:
        raise StudyError(
            f"{path}: FER+ goes by FER2013's row numbers, which these file names do not hold"
        )
    file = files[0]
    if not file.is_file():
        raise StudyError(f"{file}: no such file")

    # Check that this is FER+, and that it covers all rows.
    votes = pd.read_csv(file)
    missing = [name for name in (*FERPLUS_CLASSES, *FERPLUS_OTHERS) if name not in votes]
    if missing:
        raise StudyError(f"{file}: not FER+'s fer2013new.csv (column {missing[0]} is missing)")
    if len(votes) <= faces.table["row"].max():
        raise StudyError(f"{file}: not FER+'s fer2013new.csv ({len(votes)} rows)")

    # One row an image, under our names of the classes.
    votes = votes.iloc[faces.table["row"].to_numpy(int)].reset_index(drop=True)
    votes = votes.rename(columns=FERPLUS_CLASSES)
    return votes[[*EIGHT_EMOTIONS, *FERPLUS_OTHERS]]


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
