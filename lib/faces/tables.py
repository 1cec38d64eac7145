"""Faces inside a CSV, as FER2013 ships them, and what all tables have in common: their columns."""

import csv
import io
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.faces.classes import FER2013_CODES, LONGEST_SHOWN, split_in, split_of
from lib.faces.content import describe_content, reason_of
from lib.faces.files import Files
from lib.faces.listing import Listing
from lib.study.errors import StudyError, shortened

# Names of columns, in lower case and in order of preference.
PICTURE_COLUMNS = ("image", "img", "picture", "pixels")
LABEL_COLUMNS = ("label", "labels", "emotion", "class", "expression", "category")
SPLIT_COLUMNS = ("usage", "split", "subset")
FILE_COLUMNS = ("file_name", "filename", "file")

SEPARATORS = ",;\t"
LONGEST_CELL = 100_000_000  # characters: a picture of 5,000 x 5,000 pixels
SAMPLED = 50  # rows that tell how many pixels an image has
MOST_SHOWN = 8  # names of columns in a message
DIGITS = b"0123456789 \t\r\n"


@dataclass(frozen=True)
class _Part:
    """One table: pixels, class and split of each row."""

    where: str
    texts: list[str]  # pixels of each row
    lines: list[int]  # on which it stands
    length: int  # pixels that it has to hold
    names: list[str]  # its class as written
    declared: Sequence[str]  # classes that the table is known to hold
    usage: list[str]  # its split as written


def list_csv(files: Files, names: Sequence[str], *, needs_split: bool) -> Listing:
    """List tables such as fer2013.csv or icml_face_data.csv, or train.csv and test.csv.

    Columns emotion (FER2013's code, or the name), pixels and Usage, in any order, blanks and
    capital letters in their names allowed. A table without Usage is of the split that its name
    tells.

    Args:
        files: the source that holds the tables.
        names: of the tables in it.
        needs_split: False reads them where nothing tells the split, too.

    Raises:
        StudyError: a missing column, a row of the wrong length, a code or value out of range; of
            pixels when they are decoded.
    """
    # All tables as one, each row with its split.
    parts = [_part(files, name, needs_split) for name in names]
    rows = [(part, row) for part in parts for row in range(len(part.texts))]
    usage = [value for part in parts for value in part.usage]
    table = pd.DataFrame(
        {
            "id": [f"{value.strip()}_{row}" for row, value in enumerate(usage)],
            "split": [split_of(value) for value in usage],
            "source": "fer2013",
        }
    )

    # FER+ goes by the row of FER2013's one table, before images are left out, and only where it
    # has as many rows.
    if len(parts) == 1:
        table["row"] = pd.array(np.arange(len(rows)), "Int64")
        table.attrs["rows"] = len(rows)

    def image(row: int) -> np.ndarray:
        part, place = rows[row]
        where = f"{part.where}: line {part.lines[place]}"
        side = round(part.length**0.5)
        return pixels_of(part.texts[place], part.length, where).reshape(side, side)

    classes = [name for part in parts for name in part.names]
    places = {name: part.where for part in reversed(parts) for name in part.names}
    declared = [name for part in parts for name in part.declared]
    return Listing(str(files.path), classes, places, table, image, declared, list(names))


def _part(files: Files, name: str, needs_split: bool) -> _Part:
    """Read one table, each row checked but for its pixels."""
    # The columns that are needed, whatever they are called.
    where = files.where(name)
    columns, rows, lines = read_csv(files, name)
    texts = _column(columns, rows, ("pixels",), where)
    labels = _column(columns, rows, LABEL_COLUMNS, where, missing="emotion")
    length = _square_length(texts, where, lines)
    names, declared = _classes_of_texts(labels, where, lines)

    # A column tells the split, or the name of the table.
    by_name = split_in(name)
    if first_of(SPLIT_COLUMNS, columns) or (needs_split and not by_name):
        usage = _column(columns, rows, SPLIT_COLUMNS, where)
    else:
        usage = [by_name or "row"] * len(rows)
    row = next((row for row, value in enumerate(usage) if split_of(value) is None), None)
    if needs_split and row is not None:
        raise StudyError(
            f"{where}: line {lines[row]}: Usage is {shown_value(usage[row])}, expected Training, "
            "PublicTest or PrivateTest"
        )
    return _Part(where, texts, lines, length, names, declared, usage)


def read_csv(files: Files, name: str) -> tuple[list[str], list[list[str]], list[int]]:
    """Read a CSV whose values are separated by commas, semicolons or tabs.

    Returns:
        Names of the columns in lower case, the rows, and the line on which each row ends.

    Raises:
        StudyError: not UTF-8, not a CSV, without rows, or a row of another length.
    """
    where = files.where(name)

    # Tell another kind of file before the CSV reader stumbles over it.
    said = describe_content(files.begins(name))
    if said:
        raise StudyError(f"{where}: {said}")
    with files.stream(name) as stream:
        try:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            columns, rows, lines = _parsed(text)
        except UnicodeDecodeError as error:
            raise StudyError(
                f"{where}: not text in UTF-8 (byte {error.object[error.start]:#x}); save it as "
                "UTF-8"
            ) from None
        except csv.Error as error:
            raise StudyError(f"{where}: not a readable CSV ({reason_of(error)})") from None
        except Exception as error:  # a damaged zip raises nearly everything
            raise files.unreadable(name, error) from None
    if not rows:
        raise StudyError(f"{where}: holds no rows; copy or download it again")

    # Empty cells at the end of a row come of a trailing comma; others are a mistake.
    for i, row in enumerate(rows):
        while len(row) > len(columns) and not row[-1].strip():
            row.pop()
        if len(row) != len(columns) and len(columns) < 2:
            raise StudyError(
                f"{where}: its first line ({shown_value(columns[0] if columns else '')}) names no "
                "columns; remove what stands before the names, or write them (emotion,pixels,Usage)"
            )
        if len(row) != len(columns):
            raise StudyError(
                f"{where}: line {lines[i]} has {len(row):,} values for {len(columns):,} columns; "
                "the file is damaged or cut off"
            )
    return columns, rows, lines


def is_faces_csv(files: Files, name: str) -> bool:
    """Tell whether the first line of a table names columns of pixels and of emotions."""
    # A glance at one line is enough, and cheap for large files.
    with files.stream(name) as stream:
        try:
            head = _head(io.TextIOWrapper(stream, encoding="utf-8", errors="replace"))
        except Exception:  # read again by whoever wants it, with a message
            return False
    columns = _column_names(_split_line(head))
    return "pixels" in columns and first_of(LABEL_COLUMNS, columns) is not None


def first_of(names: Sequence[str], columns: Sequence[str]) -> str | None:
    """Find the first of some names among columns; None for none."""
    return next((name for name in names if name in columns), None)


def shown_columns(columns: Sequence[str]) -> str:
    """List columns in a message: the first few, and how many more."""
    more = len(columns) - MOST_SHOWN
    listed = ", ".join(shown_value(name, marks=False) for name in columns[:MOST_SHOWN])
    return f"{listed} and {more:,} more" if more > 0 else listed


def shown_value(value, *, marks: bool = True) -> str:
    """Show a value in a message, its end left out where it is long."""
    text = shortened(value, LONGEST_SHOWN)
    return repr(text) if marks else text


def codes_to_names(
    codes: Sequence, names: Sequence[str] | None, source: str, places: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Name the classes that stand as numbers.

    Args:
        codes: whole numbers, also as floats or text.
        names: by code, as the source states them; None takes FER2013's codes, which is announced.
        source: to be named in the announcement.
        places: each row, to be named in messages.

    Returns:
        The name of each row, and all that are declared.

    Raises:
        StudyError: a code that has no name.
    """
    if not names:
        print(
            f"{source}: labels are numbers without names; taken as FER2013's codes "
            f"({', '.join(FER2013_CODES)})"
        )

    # Each code by its name; -1 is how data sets mark hidden labels.
    names = list(names or FER2013_CODES)
    classes = []
    for code, place in zip(codes, places):
        number = whole_number(code)
        if number == -1:
            raise StudyError(
                f"{place}: label -1 marks a row without a label, as test sets on the hub have; "
                "leave these rows out"
            )
        if number is None or not 0 <= number < len(names):
            shown = shown_value(code, marks=isinstance(code, str))
            raise StudyError(f"{place}: label {shown} is none of 0 to {len(names) - 1}")
        classes.append(names[number])
    return classes, names


def whole_number(value) -> int | None:
    """Read a whole number, also 3.0; None where it is none."""
    try:
        number = float(value)
        return int(number) if number == int(number) and "_" not in str(value) else None
    except (TypeError, ValueError, OverflowError):
        return None


def pixels_of(text: str, length: int, where: str) -> np.ndarray:
    """Parse blank-separated grey values of one image, uint8 (length,).

    Raises:
        StudyError: values that are no whole numbers of 0 to 255, or another number of them.
    """
    # numpy's own reader is three times as fast as splitting the text, and stops without a word at
    # what is no number; where there are digits and blanks alone it reads all.
    is_plain = text.isascii() and not text.encode().translate(None, DIGITS)
    values = np.fromstring(text, np.int64, sep=" ") if is_plain else _slowly(text, where)
    if len(values) != length:
        raise StudyError(
            f"{where} holds {len(values):,} pixels instead of {length:,}; the file is damaged or "
            "cut off"
        )

    # Values that a grey level cannot have would wrap round in 8 bits.
    outside = values[(values < 0) | (values > 255)]
    if len(outside):
        raise StudyError(f"{where} holds a pixel of {outside[0]}; grey values are 0 to 255")
    return values.astype(np.uint8)


def _parsed(text: io.TextIOWrapper) -> tuple[list[str], list[list[str]], list[int]]:
    """Parse the text of a CSV: columns, rows, and the line of each row; empty lines are nothing."""
    csv.field_size_limit(LONGEST_CELL)

    # The separator is the character that the first line has most of.
    head = _head(text)
    separator = max(SEPARATORS, key=head.count)
    reader = csv.reader(itertools.chain([head], text), delimiter=separator, strict=True)
    columns = _column_names(next(reader, []))
    rows, lines = [], []
    for row in reader:
        if any(map(str.strip, row)):
            rows.append(row)
            lines.append(reader.line_num)
    return columns, rows, lines


def _head(text: io.TextIOWrapper) -> str:
    """Read the line of column names: the first but for empty ones, and Excel's sep=;"""
    head = text.readline(LONGEST_CELL)
    while head and (not head.strip() or head.lstrip("\ufeff").startswith("sep=")):
        head = text.readline(LONGEST_CELL)
    return head


def _split_line(line: str) -> list[str]:
    """Split the first line of a CSV into its values."""
    return line.removeprefix("\ufeff").split(max(SEPARATORS, key=line.count))


def _column_names(cells: Sequence[str]) -> list[str]:
    """Write the names of columns in lower case; a trailing comma is no column."""
    names = [cell.strip().strip('"').strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _column(
    columns: list[str], rows: list[list[str]], wanted: Sequence[str], where: str, missing: str = ""
) -> list[str]:
    """Take the values of a column.

    Args:
        wanted: its names, in order of preference.
        missing: what to call it where there is none.
    """
    name = first_of(wanted, columns)
    if name is None:
        # FER+ is a table beside FER2013's and is often given in its place.
        is_votes = {"happiness", "contempt", "nf"} <= set(columns)
        way_out = "Take fer2013.csv or icml_face_data.csv"
        if any(whole_number(cell) is not None for cell in columns):
            way_out = "Its first line has to name the columns: emotion,pixels,Usage"
        if is_votes:
            way_out = "These are FER+'s votes: give them as `ferplus`, and FER2013 as data"
        raise StudyError(
            f"{where}: column {missing or wanted[0]!r} is missing; found {shown_columns(columns)}. "
            f"{way_out}"
        )
    if columns.count(name) > 1:
        raise StudyError(f"{where}: column {name!r} stands in it twice; keep one of the two")
    place = columns.index(name)
    return [row[place] for row in rows]


def _classes_of_texts(
    labels: list[str], where: str, lines: list[int]
) -> tuple[list[str], Sequence[str]]:
    """Read emotions that stand as FER2013's codes, or as names."""
    places = [f"{where}: line {line}" for line in lines]

    # Names throughout, if no label is a number.
    codes = [whole_number(label) for label in labels]
    if set(codes) == {None}:
        empty = next((i for i, label in enumerate(labels) if not label.strip()), None)
        if empty is not None:
            raise StudyError(f"{places[empty]}: has no emotion; remove the row")
        return labels, ()

    # Codes throughout.
    for code, label, place in zip(codes, labels, places):
        if code is None or not 0 <= code < len(FER2013_CODES):
            raise StudyError(f"{place}: emotion is {shown_value(label)}, expected 0 to 6")
    return [FER2013_CODES[code] for code in codes], FER2013_CODES


def _square_length(texts: Sequence[str], where: str, lines: Sequence[int]) -> int:
    """Count the pixels of an image: as most of some rows have them."""
    # A sample of the rows tells the usual length; each row is checked later.
    some = range(0, len(texts), max(1, len(texts) // SAMPLED))
    lengths = Counter(len(texts[row].split()) for row in some)
    length = lengths.most_common(1)[0][0]
    if not length or round(length**0.5) ** 2 != length:
        raise StudyError(
            f"{where}: line {lines[0]} holds {length:,} pixels, which is no square; FER2013 has "
            "2304 (48 x 48)"
        )
    return length


def _slowly(text: str, where: str) -> np.ndarray:
    """Read pixels that are not digits and blanks alone, and name the first that is no number."""
    numbers = [(whole_number(part), part) for part in text.split()]
    for number, part in numbers:
        if number is None:
            raise StudyError(
                f"{where} holds a pixel that is not a number: {shown_value(part)}; pixels are "
                "whole numbers with blanks between them"
            )
    return np.array([max(-1, min(number, 1 << 40)) for number, _ in numbers], np.int64)
