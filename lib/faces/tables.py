"""Faces inside tables: FER2013's CSV, Hugging Face's Parquet, and the votes of FER+."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.naming import FER2013_CODES, announce_aliases, class_of, split_of
from lib.faces.pictures import decode_grey, to_square
from lib.study.errors import StudyError

PLUS_CLASSES = {  # FER+ names its classes differently; contempt, unknown and "no face" have no counterpart
    "neutral": "neutral", "happiness": "happy", "surprise": "surprise", "sadness": "sad", "anger": "angry", "disgust": "disgust",
    "fear": "fear",
}  # fmt: skip
PLUS_OTHERS = ("contempt", "unknown", "NF")


def read_csv_faces(source, name: str) -> FaceSet:
    """Read fer2013.csv or icml_face_data.csv: columns emotion (FER2013's code), pixels, Usage, in any order, spaces in their names allowed.

    Args:
        source: path or binary file.
        name: to be named in messages.

    Raises:
        StudyError: a missing column, a row of the wrong length, a code or value out of range.
    """
    try:
        table = pd.read_csv(source, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise StudyError(f"{name}: not a readable CSV ({error})") from None
    table.columns = [str(column).strip().lower() for column in table.columns]
    missing = [column for column in ("emotion", "pixels", "usage") if column not in table]
    if missing:
        raise StudyError(
            f"{name}: column {missing[0]!r} is missing; found {', '.join(table.columns)}. Take fer2013.csv or icml_face_data.csv"
        )
    images = _pixels(table["pixels"], name)
    code = pd.to_numeric(table["emotion"], errors="coerce")
    _refuse(~code.isin(range(len(FER2013_CODES))), table["emotion"], name, "emotion", "0 to 6")
    split = table["usage"].map(split_of)
    _refuse(split.isna(), table["usage"], name, "Usage", "Training, PublicTest or PrivateTest")
    rows = np.arange(len(table))
    faces = pd.DataFrame(
        {"id": [f"{u.strip()}_{row}" for u, row in zip(table["usage"], rows)], "class": [FER2013_CODES[int(c)] for c in code]}
    )
    return FaceSet(images, faces.assign(split=split.to_numpy(), source="fer2013", row=pd.array(rows, "Int64")))


def _pixels(texts: pd.Series, name: str) -> np.ndarray:
    """Parse blank-separated grey values, uint8 (N, side, side)."""
    rows = []
    length = len(texts.iloc[0].split()) if len(texts) else 0
    side = int(round(length**0.5))
    if side * side != length or not length:
        raise StudyError(f"{name}: line 2 holds {length} pixels, which is no square; FER2013 has 2304 (48 x 48)")
    for line, text in enumerate(texts, start=2):
        try:
            values = _numbers(text)
        except (ValueError, DeprecationWarning):
            raise StudyError(f"{name}: line {line} holds a pixel that is not a number") from None
        if len(values) != length:
            raise StudyError(f"{name}: line {line} holds {len(values)} pixels instead of {length}; the file is damaged or cut off")
        if values.min() < 0 or values.max() > 255:
            outside = values[(values < 0) | (values > 255)][0]
            raise StudyError(f"{name}: line {line} holds a pixel of {outside}; grey values are 0 to 255")
        rows.append(values.astype(np.uint8))
    return np.stack(rows).reshape(-1, side, side)


def _numbers(text: str) -> np.ndarray:
    """Parse blank-separated whole numbers; numpy's own reader is three times as fast as splitting the text."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # what does not read is an error, not a shorter row
        return np.fromstring(text, np.int64, sep=" ")


def _refuse(bad: pd.Series, values: pd.Series, name: str, column: str, allowed: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise StudyError(f"{name}: line {row + 2}: {column} is {values.iloc[row]!r}, expected {allowed}")


def read_parquet_faces(path: Path, grey: str) -> FaceSet:
    """Read Parquet as Hugging Face ships it: a column of pictures (bytes, or a struct with bytes) and a column of labels.

    Args:
        path: one file, or a folder of files named after their splits (train-00000-of-00001.parquet).
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    parts = [_parquet_part(file, grey) for file in files]
    images = [image for part, _ in parts for image in part]
    table = pd.concat([table for _, table in parts], ignore_index=True)
    side = int(pd.Series([max(image.shape) for image in images]).mode().iloc[0])
    return FaceSet(np.stack([to_square(image, side) for image in images]), table)


def _parquet_part(file: Path, grey: str) -> tuple[list, pd.DataFrame]:
    import pyarrow
    import pyarrow.parquet

    try:
        data = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise StudyError(f"{file}: not a whole Parquet file ({error})") from None
    columns = {column.lower(): column for column in data.column_names}
    picture = next((columns[c] for c in ("image", "img", "picture", "pixels") if c in columns), None)
    label = next((columns[c] for c in ("label", "labels", "emotion", "class") if c in columns), None)
    if picture is None or label is None:
        raise StudyError(f"{file}: needs a column of pictures (image) and one of labels (label); found {', '.join(data.column_names)}")
    cells = data[picture].to_pylist()
    raw = [cell["bytes"] if isinstance(cell, dict) else cell for cell in cells]
    images = [decode_grey(value or b"", f"{file}, row {row}", grey=grey) for row, value in enumerate(raw)]
    usage = data[columns["usage"]].to_pylist() if "usage" in columns else [file.stem.split("-")[0]] * len(images)
    splits = [split_of(str(value)) for value in usage]
    if None in splits:
        raise StudyError(
            f"{file}: cannot tell the split from {usage[splits.index(None)]!r}; name the file train-..., validation-... or test-..."
        )
    table = pd.DataFrame({"id": [f"{file.stem}-{row}" for row in range(len(images))], "class": _class_names(data, label, file)})
    return images, table.assign(split=splits, source="parquet")


def _class_names(data, label: str, file: Path) -> list[str]:
    """Turn labels into class names: text by name, numbers by the names in the file's metadata,
    else by FER2013's codes, which is announced.
    """
    values = data[label].to_pylist()
    if None in values:
        raise StudyError(f"{file}, row {values.index(None)}: has no label; remove the row")
    if values and isinstance(values[0], str):
        names = {value: class_of(value, str(file)) for value in set(values)}
        announce_aliases({value: name for value, name in names.items() if value.lower() != name})
        return [names[value] for value in values]
    stated = json.loads((data.schema.metadata or {}).get(b"huggingface", b"{}"))
    stated = stated.get("info", {}).get("features", {}).get(label, {}).get("names")
    if not stated:
        print(f"{file.name}: labels are numbers without names; taken as FER2013's codes ({', '.join(FER2013_CODES)})")
    names = [class_of(name, str(file)) for name in stated or FER2013_CODES]
    outside = [value for value in values if not 0 <= value < len(names)]
    if outside:
        raise StudyError(f"{file}: label {outside[0]} is none of 0 to {len(names) - 1}")
    return [names[value] for value in values]


def read_ferplus(faces: FaceSet, path: str, *, beside: str) -> FaceSet:
    """Add the votes of FER+'s ten annotators: columns votes_<class> and plus_class, the plurality among the seven classes.

    Args:
        faces: with a column row (FER2013's row number); without it there is nothing to match by, and it is returned as it is.
        path: of fer2013new.csv; empty: taken when it lies in or beside the data.
        beside: path of the data.

    Returns:
        The face set; plus_class is missing where no class has the most votes alone, or another answer has as many.

    Raises:
        StudyError: a path that is not there, or not FER+.
    """
    near = [Path(beside).expanduser() / "fer2013new.csv", Path(beside).expanduser().parent / "fer2013new.csv"]
    found = [Path(path).expanduser()] if path else [file for file in near if file.is_file()]
    if not found or ("row" not in faces.table and not path):
        return faces
    if "row" not in faces.table:
        raise StudyError(f"{path}: FER+ goes by FER2013's row numbers, which these file names do not hold")
    if not found[0].is_file():
        raise StudyError(f"{found[0]}: no such file")
    votes = pd.read_csv(found[0])
    missing = [name for name in (*PLUS_CLASSES, *PLUS_OTHERS) if name not in votes]
    if missing or len(votes) <= faces.table["row"].max():
        raise StudyError(
            f"{found[0]}: not FER+'s fer2013new.csv ({'column ' + missing[0] + ' is missing' if missing else f'{len(votes)} rows'})"
        )
    mine = votes.iloc[faces.table["row"].to_numpy(int)].reset_index(drop=True)
    return FaceSet(faces.images, faces.table.assign(**_plurality(mine)))


def _plurality(votes: pd.DataFrame) -> dict:
    """Count votes by our class names and name the class with the most, where it is one alone."""
    ours = votes[list(PLUS_CLASSES)].rename(columns=PLUS_CLASSES)[list(CLASSES)]
    others = votes[list(PLUS_OTHERS)].max(axis=1)
    most = ours.max(axis=1)
    alone = (ours.eq(most, axis=0).sum(axis=1) == 1) & (most > others) & (most > 0)
    return {f"votes_{name}": ours[name].to_numpy() for name in CLASSES} | {"plus_class": ours.idxmax(axis=1).where(alone, None)}
