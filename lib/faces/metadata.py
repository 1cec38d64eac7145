"""Pictures whose labels stand in a table beside them: Hugging Face's imagefolder with metadata."""

import json
from collections.abc import Sequence
from pathlib import PurePosixPath

import pandas as pd

from lib.faces.classes import FER2013_CODES, known_class, split_in, split_of
from lib.faces.content import reason_of
from lib.faces.files import Files
from lib.faces.listing import Listing, picture_ids
from lib.faces.pictures import decode_grey
from lib.faces.tables import (
    FILE_COLUMNS,
    LABEL_COLUMNS,
    SPLIT_COLUMNS,
    codes_to_names,
    first_of,
    read_csv,
    shown_columns,
    shown_value,
    whole_number,
)
from lib.study.errors import StudyError

METADATA = ("metadata.csv", "metadata.jsonl")
LINE = " line"  # key of a row's line in its file; no column begins with a blank
MOST_BYTES = 1_000_000_000  # of a metadata file


def labelled_metadata(files: Files) -> dict[str, list[dict]]:
    """Read the metadata files that label pictures: rows with keys in lower case, by file.

    A file without a column of labels (captions alone) says nothing of classes, and is left out.

    Raises:
        StudyError: a file that does not read, names no files, or stands in two forms.
    """
    # Files without labels are left to those who read class folders.
    found = {}
    named = [name for name in files.names if PurePosixPath(name).name.lower() in METADATA]
    for name in files.once(named):
        rows = _rows(files, name)
        columns = list(dict.fromkeys(key for row in rows for key in row if key != LINE))
        if first_of(LABEL_COLUMNS, columns) is None:
            continue
        if first_of(FILE_COLUMNS, columns) is None:
            raise StudyError(
                f"{files.where(name)}: has no column file_name; found {shown_columns(columns)}"
            )
        found[name] = rows

    # Two forms in one folder may say different things.
    folders = [PurePosixPath(name).parent for name in found]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        raise StudyError(
            f"{files.path}: {twice} holds both metadata.csv and metadata.jsonl; keep one"
        )
    return found


def list_metadata(files: Files, tables: dict[str, list[dict]], *, needs_split: bool) -> Listing:
    """List the pictures that metadata files name: columns file_name and label, and split if there.

    Args:
        files: the source.
        tables: of labelled_metadata.
        needs_split: False reads pictures whose split nothing tells, too.

    Raises:
        StudyError: a row without a label, split or file, two labels for one picture, or a label
            that contradicts the class folder that the picture lies in.
    """
    # One row a picture: its file, label, split and where that stands.
    rows: dict = {}
    for name, table in tables.items():
        for row in table:
            place = f"{files.where(name)}: line {row[LINE]}"
            found = _row(files, name, row, place, needs_split)
            # A real file with several names is one picture.
            earlier = rows.setdefault(files.identity.get(found["file"], found["file"]), found)
            if earlier["label"] != found["label"]:
                raise StudyError(
                    f"{place}: {found['file']} has the label {shown_value(found['label'])} here "
                    f"and {shown_value(earlier['label'])} before; keep one of the two rows"
                )
    # Names of classes, which class folders must not contradict.
    ordered = sorted(rows.values(), key=lambda row: row["file"])
    names, declared = _class_names(ordered, files)
    for name, row in zip(names, ordered):
        _check_folder(name, row)

    # The table, in order of the files.
    paths = [row["file"] for row in ordered]
    table = pd.DataFrame(
        {
            "id": picture_ids(paths),
            "split": [row["split"] for row in ordered],
            "source": files.path.stem,
            "file": paths,
        }
    )

    def image(row: int):
        return decode_grey(files.read(paths[row]), files.where(paths[row]))

    places = dict.fromkeys(names, str(files.path))
    return Listing(str(files.path), names, places, table, image, declared, [*tables, *paths])


def _rows(files: Files, name: str) -> list[dict]:
    """Read a metadata file: one dictionary a row, keys in lower case."""
    if name.lower().endswith(".csv"):
        columns, rows, lines = read_csv(files, name)
        return [dict(zip(columns, row)) | {LINE: line} for row, line in zip(rows, lines)]

    # One JSON object a line.
    where = files.where(name)
    try:
        text = files.read(name, most=MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StudyError(f"{where}: not text in UTF-8; save it as UTF-8") from None
    found = []
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise StudyError(
                f"{where}: line {line} is no JSON ({reason_of(error)}); the file is damaged or cut "
                "off"
            ) from None
        if not isinstance(row, dict):
            raise StudyError(f"{where}: line {line} is no JSON object with file_name and label")
        found.append({str(key).strip().lower(): value for key, value in row.items()} | {LINE: line})
    if not found:
        raise StudyError(f"{where}: holds no rows; copy or download it again")
    return found


def _row(files: Files, name: str, row: dict, place: str, needs_split: bool) -> dict:
    """Find the file, label and split of one row."""
    given = row.get(first_of(FILE_COLUMNS, row) or "")
    label = row.get(first_of(LABEL_COLUMNS, row) or "")
    if given is None or not str(given).strip():
        raise StudyError(f"{place} names no file; remove the row")
    if label is None or label != label or not str(label).strip():  # a NaN differs from itself
        raise StudyError(f"{place} has no label; remove the row")
    if not isinstance(label, (str, int, float)) or isinstance(label, bool):
        raise StudyError(
            f"{place}: its label is {shown_value(label)}, expected one name or one number"
        )

    # Paths are relative to the metadata file.
    folder = PurePosixPath(name).parent
    parts = [part for part in str(given).strip().replace("\\", "/").split("/") if part != "."]
    file = files.spelt(str(folder.joinpath(*parts)))
    if file not in files.known:
        raise StudyError(
            f"{place} names {shown_value(given)}, {files.why_not_there(file)}; copy it to its "
            "place, or remove the row"
        )

    # The split stands in the row, or above the picture.
    stated = row.get(first_of(SPLIT_COLUMNS, row) or "")
    split = split_of(str(stated)) if stated else split_in(f"{PurePosixPath(file).parent}/x")
    if needs_split and split is None:
        said = f"split is {shown_value(stated)}" if stated else f"no split is told for {file}"
        raise StudyError(
            f"{place}: {said}; write train, validation or test into a column split, or sort the "
            "pictures into folders train and test"
        )
    return {"file": file, "label": label, "split": split, "place": place}


def _class_names(rows: list[dict], files: Files) -> tuple[list[str], Sequence[str]]:
    """Turn labels into class names: text as it is, numbers of FER2013's throughout as its codes."""
    labels = [row["label"] for row in rows]
    if all(whole_number(label) in range(len(FER2013_CODES)) for label in labels):
        return codes_to_names(labels, None, files.path.name, [row["place"] for row in rows])
    return [str(label) for label in labels], ()


def _check_folder(name: str, row: dict) -> None:
    """Stop where a picture lies in the folder of another emotion than its label."""
    folder = known_class(PurePosixPath(row["file"]).parent.name)
    if folder and known_class(name) and folder != known_class(name):
        raise StudyError(
            f"{row['place']} labels {row['file']} {name!r}, but it lies in the folder of another "
            "class; correct one of the two"
        )
