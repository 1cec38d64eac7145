"""Faces inside Parquet, as Hugging Face ships them."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.faces.classes import split_in, split_of
from lib.faces.content import HEAD, PARQUET, describe_content, reason_of
from lib.faces.files import MOST_TABLE_BYTES, Files
from lib.faces.listing import Listing, picture_ids
from lib.faces.pictures import decode_grey, luma
from lib.faces.tables import (
    LABEL_COLUMNS,
    PICTURE_COLUMNS,
    SPLIT_COLUMNS,
    codes_to_names,
    first_of,
    pixels_of,
    shown_columns,
    shown_value,
)
from lib.study.errors import StudyError


@dataclass(frozen=True)
class _Part:
    """One Parquet file: columns of pictures and labels, split of each row."""

    where: str
    pictures: object  # pyarrow.ChunkedArray
    names: list[str]  # class of each row as written
    declared: list[str]  # names that the file states
    splits: list[str | None]
    has_names: bool  # labels are text, or the file states what their numbers mean


def list_parquet(files: Files, names: Sequence[str], *, needs_split: bool) -> Listing:
    """List Parquet files as one data set.

    Each holds a column of pictures (bytes, a struct with bytes, grey values as lists or text) and
    one of labels: text, or numbers whose names stand in the file's metadata, else FER2013's codes,
    which is announced. A column Usage or split decides the split, else the file's path
    (train-00000-of-00001.parquet, default/train/0000.parquet).

    Args:
        files: the source.
        names: of the Parquet files in it.
        needs_split: False reads files that tell no split, too.

    Raises:
        StudyError: a file that does not read, or holds no pictures, labels or splits; several
            configurations of one data set.
    """
    parts = {name: _part(files, name, needs_split) for name in names}
    _check_one_configuration(files, parts)
    _check_all_named(parts)

    # One table, and where each of its rows stands.
    rows = [(part, i) for part in parts.values() for i in range(len(part.names))]
    table = pd.DataFrame(
        {
            "id": _row_ids(parts),
            "split": [split for part in parts.values() for split in part.splits],
            "source": "parquet",
        }
    )
    classes = [name for part in parts.values() for name in part.names]

    def image(row: int) -> np.ndarray:
        part, place = rows[row]
        return _picture(part.pictures[place].as_py(), f"{part.where}, row {place}")

    # The classes of all files together, for one of them may lack some.
    declared = [name for part in parts.values() for name in part.declared]
    places = dict.fromkeys(classes, str(files.path))
    return Listing(str(files.path), classes, places, table, image, declared, list(names))


def _row_ids(parts: dict[str, _Part]) -> list[str]:
    """Name rows after their file and number: train-0-17; by folders too where that repeats."""
    rows = []
    for name, part in parts.items():
        rows += [f"{name.rsplit('.', 1)[0]}-{row}" for row in range(len(part.names))]
    ids = [row.rpartition("/")[2] for row in rows]

    # picture_ids takes off an ending, which rows have none of.
    return ids if len(set(ids)) == len(ids) else picture_ids([f"{row}." for row in rows])


def holds_faces(files: Files, name: str) -> bool:
    """Tell whether a Parquet file has a column of pictures and one of labels.

    Raises:
        StudyError: it does not read.
    """
    with _open(files, name) as file:
        columns = _columns(file, files.where(name))
    return None not in (first_of(PICTURE_COLUMNS, columns), first_of(LABEL_COLUMNS, columns))


def _open(files: Files, name: str):
    """Open one Parquet file: pyarrow.parquet.ParquetFile."""
    import pyarrow
    import pyarrow.parquet

    # Something else under this name, such as a web page, is called what it is.
    head = files.begins(name)
    said = describe_content(head)
    if said and not head.startswith(PARQUET):
        raise StudyError(f"{files.where(name)}: {said}")
    try:
        # pyarrow reads a file itself; out of a zip it is read whole.
        if files.zip:
            source = pyarrow.BufferReader(files.read(name, most=MOST_TABLE_BYTES))
        else:
            source = str(files.place(name))
        return pyarrow.parquet.ParquetFile(source, page_checksum_verification=True)
    except StudyError:
        raise
    except Exception as error:  # many kinds, some of Python's own
        raise _damaged(files.where(name), error) from None


def _damaged(where: str, error: Exception) -> StudyError:
    """Say that a file is no whole Parquet file."""
    return StudyError(
        f"{where}: not a whole Parquet file ({reason_of(error)}); copy or download it again"
    )


def _columns(file, where: str) -> dict[str, str]:
    """Give the names of columns by their lower-case spelling."""
    names = file.schema_arrow.names
    columns = {name.strip().lower(): name for name in names}
    if len(columns) < len(names):
        twice = next(name for name in columns if [n.strip().lower() for n in names].count(name) > 1)
        raise StudyError(f"{where}: column {twice!r} stands in it twice; keep one of the two")
    return columns


def _part(files: Files, name: str, needs_split: bool) -> _Part:
    """Read the columns of one Parquet file."""
    where = files.where(name)
    with _open(files, name) as file:
        columns = _columns(file, where)
        picture, label = first_of(PICTURE_COLUMNS, columns), first_of(LABEL_COLUMNS, columns)
        usage = first_of(SPLIT_COLUMNS, columns)
        if picture is None or label is None:
            raise StudyError(
                f"{where}: needs a column of pictures (image) and one of labels (label); found "
                f"{shown_columns(list(columns))}"
            )
        data = _read(file, [columns[key] for key in (picture, label, usage) if key], where)
    labels = data[columns[label]].to_pylist()
    if not labels:
        raise StudyError(f"{where}: holds no rows; remove it, or download it again")

    # Names of the classes, and the split of each row.
    stated = _stated_names(data.schema.metadata, columns[label])
    names, declared = _class_names(labels, stated, name, where)

    # A column of splits is believed before the name of the file.
    usages = data[columns[usage]].to_pylist() if usage else None
    splits = _splits(usages, name, len(labels), where, needs_split)
    has_names = stated is not None or not declared
    return _Part(where, data[columns[picture]], names, declared, splits, has_names)


def _read(file, columns: list[str], where: str):
    """Read columns of a Parquet file, every value checked: pyarrow.Table."""
    try:
        data = file.read(columns=columns)
        data.validate(full=True)
        for column in columns:
            data[column]  # a name that stands twice is an error
        return data
    except Exception as error:  # many kinds, some of Python's own
        raise _damaged(where, error) from None


def _splits(
    usages: list | None, name: str, count: int, where: str, needs_split: bool
) -> list[str | None]:
    """Find the split of each row: by its own column, else by the file's path."""
    # Stop at the first row whose split cannot be told.
    has_column = usages is not None and set(usages) != {None}
    splits = [split_of(str(value)) for value in usages] if has_column else [split_in(name)] * count
    if needs_split and None in splits and has_column:
        row = splits.index(None)
        raise StudyError(
            f"{where}, row {row}: its split is {shown_value(usages[row])}, expected train, "
            "validation or test; correct the column, or leave it out"
        )
    if needs_split and None in splits:
        found = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        raise StudyError(
            f"{where}: cannot tell the split from {shown_value(found)}; name the file train-..., "
            "validation-... or test-..."
        )
    return splits


def _class_names(
    labels: list, stated: list[str] | None, name: str, where: str
) -> tuple[list[str], list[str]]:
    """Turn the labels of a file into class names as written, and list those it declares."""
    # Each row needs one label, text or number.
    places = [f"{where}, row {row}" for row in range(len(labels))]
    for label, place in zip(labels, places):
        if label is None or label != label or label == "":  # a NaN differs from itself
            raise StudyError(f"{place}: has no label; remove the row")
        if not isinstance(label, (str, int, float)) or isinstance(label, bool):
            raise StudyError(
                f"{place}: its label is {shown_value(label)}, expected one name or one number"
            )

    # Text is names, numbers are positions in a list of names.
    if isinstance(labels[0], str):
        return labels, []
    return codes_to_names(labels, stated, name.rpartition("/")[2], places)


def _stated_names(metadata: dict | None, label: str) -> list[str] | None:
    """Read the names of classes that Hugging Face puts into the metadata; None without them."""
    try:
        info = json.loads((metadata or {})[b"huggingface"])["info"]
        names = info["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None

    # As a list, or by number, as the hub's cards have them.
    if isinstance(names, dict) and all(str(number) in names for number in range(len(names))):
        names = [names[str(number)] for number in range(len(names))]
    is_list = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    return names if is_list and len(set(names)) == len(names) else None


def _check_one_configuration(files: Files, parts: dict[str, _Part]) -> None:
    """Stop where several folders hold the same split: one data set converted in several ways."""
    by_split: dict[str, set[str]] = {}
    for name, part in parts.items():
        folder = name.rpartition("/")[0]
        # The split's own folder is no configuration.
        if split_in(f"{folder}/x"):
            folder = folder.rpartition("/")[0]
        for split in set(part.splits) - {None}:
            by_split.setdefault(split, set()).add(folder)

    # The same split in two folders would count its images twice.
    for split, folders in by_split.items():
        if len(folders) > 1:
            listed = ", ".join(sorted(folder or "." for folder in folders))
            raise StudyError(
                f"{files.path}: {split} images lie in several folders ({listed}), as the "
                "configurations of one data set do; give one of them"
            )


def _check_all_named(parts: dict[str, _Part]) -> None:
    """Stop where one file says what its labels mean and another holds numbers alone."""
    named = [part for part in parts.values() if part.has_names]
    bare = [part for part in parts.values() if not part.has_names]
    if named and bare:
        raise StudyError(
            f"{bare[0].where}: its labels are numbers without names, and those of "
            f"{named[0].where} have names; write the names into both"
        )


def _picture(cell, where: str) -> np.ndarray:
    """Decode the picture of one row, grey uint8 (H, W)."""
    # Hugging Face's pictures are a structure of bytes and path.
    if isinstance(cell, dict):
        if "bytes" not in cell:
            found = shown_columns(list(cell))
            raise StudyError(f"{where}: holds {found} in place of a picture's bytes and path")
        content, path = cell["bytes"], cell.get("path")
        if not content and path:
            raise _path_alone(where, path)
        cell = content
    if cell is None or (isinstance(cell, (bytes, str, list)) and not len(cell)):
        raise StudyError(f"{where}: has no picture; remove the row")

    # An encoded picture, lists of grey values, or grey values as text.
    if isinstance(cell, bytes):
        return decode_grey(cell, where)
    if isinstance(cell, list):
        return _of_lists(cell, where)
    if isinstance(cell, str) and cell.lstrip()[:1].isdigit() and " " in cell.strip():
        length = len(cell.split())
        return _as_square(pixels_of(cell, length, where), where)
    if isinstance(cell, str):
        raise _path_alone(where, cell)
    raise StudyError(f"{where}: holds {type(cell).__name__} in place of a picture")


def _path_alone(where: str, path) -> StudyError:
    """Say that a row names a picture and does not hold it."""
    if _is_base64(str(path)):
        return StudyError(
            f"{where}: holds a picture as text (base64); write its bytes in place of the text"
        )
    return StudyError(
        f"{where}: holds only text ({shown_value(path)}), such as a path, and no picture; write "
        "the pictures into the file (datasets: save with embedded images, as push_to_hub does), or "
        "give the folder that they lie in"
    )


def _is_base64(text: str) -> bool:
    """Tell whether a text is a picture in base64."""
    # Its beginning decodes, and is that of a picture.
    start = text.partition("base64,")[2] or text
    try:
        head = base64.b64decode(start[: HEAD // 4 * 4], validate=True)
    except (ValueError, binascii.Error):
        return False
    return describe_content(head).endswith("picture")


def _of_lists(cell: list, where: str) -> np.ndarray:
    """Read grey values, or colours, that stand as lists."""
    if any(isinstance(part, (dict, bytes)) for part in cell):
        raise StudyError(f"{where}: holds a list of pictures; write one picture a row")
    try:
        values = np.array(cell, np.float64)
    except (ValueError, TypeError):
        raise StudyError(
            f"{where}: its lists of pixels are of different lengths, or hold no numbers"
        ) from None
    if not values.size:
        raise StudyError(f"{where}: has no picture; remove the row")

    # Only whole grey levels are taken: nothing is scaled on a guess.
    whole = np.isfinite(values).all() and (values == np.rint(values)).all()
    if not whole or values.min() < 0 or values.max() > 255:
        raise StudyError(f"{where}: its lists hold values that are no grey levels of 0 to 255")

    # A last axis of 1 or 3 holds colours; other pixels have to form a square.
    values = values.astype(np.uint8)
    if values.ndim == 3 and values.shape[2] in (1, 3):
        return values[:, :, 0] if values.shape[2] == 1 else luma(values)
    return values if values.ndim == 2 else _as_square(values, where)


def _as_square(values: np.ndarray, where: str) -> np.ndarray:
    """Lay values out as a square image."""
    # Pixels in one row can only be laid out if their number is a square.
    side = round(values.size**0.5)
    if values.ndim != 1 or side * side != values.size:
        raise StudyError(
            f"{where}: holds pixels of the shape {values.shape}, which is no square picture"
        )
    return values.reshape(side, side)
