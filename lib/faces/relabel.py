"""A copy of labelled pictures with the labels of a list that a person has gone through.

    python -m lib.faces.relabel PATH LIST --out FOLDER

PATH is a folder or a zip of pictures. LIST is a table with the columns file and "seen as", such as
a verdict's doubted-*.csv. A picture that it lists gets the class under "seen as"; where that cell
is empty, the picture is left out; pictures that it does not list keep their labels. So: go through
the list, correct or empty cells, and remove the rows whose labels are right.
"""

import argparse
import sys
from pathlib import Path, PurePosixPath

import pandas as pd

from lib.faces.classes import known_class
from lib.faces.files import open_files
from lib.faces.sources import read_everything
from lib.study.errors import StudyError
from lib.study.records import atomic_write, made_folder, parsing

FILE, SEEN_AS = "file", "seen as"  # columns of a list
PX = 48  # side at which pictures are looked at, pixels; files are copied as they are


def relabelled(path: str, labels: dict[str, str], out: Path) -> pd.DataFrame:
    """Copy labelled pictures into class folders, with other labels for some.

    Args:
        path: of the pictures: folder or zip.
        labels: class by file, as the source names it; "" leaves the picture out.
        out: a new folder; receives <split>/<class>/, or <class>/ where all is of one split.

    Returns:
        One row a picture that was read: file, split, class, new class ("" for left out).

    Raises:
        StudyError: no files of pictures, a listed file that is not there, a class that no picture
            has, or a folder that holds something already.
    """
    # A table of pixels has no files to copy, and nothing is written over.
    faces = read_everything(path, px=PX)
    if FILE not in faces.table:
        raise StudyError(f"{path}: holds no pictures as files; give a folder or a zip of pictures")
    if out.exists() and any(out.iterdir()):
        raise StudyError(f"{out}: holds something already; name a new folder")

    # The list is about these pictures.
    table = faces.table[[FILE, "split", "class"]].reset_index(drop=True)
    unknown = sorted(set(labels) - set(table[FILE]))
    if unknown:
        raise StudyError(
            f"{path}: {len(unknown):,} of {len(labels):,} listed files are not there, such as "
            f"{unknown[0]}; give the folder that the list was made of"
        )
    names = {file: _class_name(name, faces.classes, file) for file, name in labels.items()}
    table["new class"] = table[FILE].map(names).where(table[FILE].isin(names), table["class"])

    # Files as they are, two of one name in one class told apart by a number.
    has_splits = table["split"].nunique() > 1
    with open_files(path) as files:
        for row in table[table["new class"] != ""].to_dict("records"):
            parts = ([row["split"]] if has_splits else []) + [row["new class"]]
            target = _free_name(out.joinpath(*parts), PurePosixPath(row[FILE]))
            made_folder(target.parent)
            with atomic_write(target) as copy:
                copy.write(files.read(row[FILE]))
    return table


def read_list(path: Path) -> dict[str, str]:
    """Read a list: class by file, "" for pictures to leave out.

    Raises:
        StudyError: no table with these columns, or a file that stands in it twice.
    """
    # Cells as they are written: a class may be called None or nan.
    with parsing(path, "save it as CSV with commas"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [name for name in (FILE, SEEN_AS) if name not in table]
    if missing:
        found = ", ".join(map(str, table.columns[:6]))
        raise StudyError(f"{path}: has no column '{missing[0]}'; its columns are {found}")
    twice = table[FILE][table[FILE].duplicated()]
    if len(twice):
        raise StudyError(f"{path}: lists {twice.iloc[0]} twice; keep one of the rows")
    return dict(zip(table[FILE], table[SEEN_AS].str.strip()))


def main(arguments: list[str] | None = None) -> int:
    """Relabel what the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.faces.relabel",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", help="folder or zip of labelled pictures")
    parser.add_argument("list", type=Path, help="table with the columns file and 'seen as'")
    parser.add_argument("--out", type=Path, required=True, help="new folder for the copy")
    options = parser.parse_args(arguments)
    try:
        table = relabelled(options.path, read_list(options.list), options.out.expanduser())
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    # Count what came of it.
    left_out = table["new class"] == ""
    changed = ~left_out & (table["new class"] != table["class"])
    print(
        f"{options.out}: {int((~left_out).sum()):,} pictures, {int(changed.sum()):,} of them with "
        f"another label; {int(left_out.sum()):,} left out"
    )
    return 0


def _class_name(written: str, classes: tuple[str, ...], file: str) -> str:
    """Find the class that a cell names; "" stays.

    Raises:
        StudyError: none of the pictures' classes.
    """
    # As the source spells it, in other letters, or by another word for the same emotion.
    for name in (written, written.lower(), known_class(written)):
        if not written or name in classes:
            return name
    raise StudyError(f"{file}: 'seen as' is {written!r}; classes: {', '.join(classes)}")


def _free_name(folder: Path, file: PurePosixPath) -> Path:
    """Name a file of a folder that no other picture has taken."""
    path, number = folder / file.name, 1
    while path.exists():
        number += 1
        path = folder / f"{file.stem}-{number}{file.suffix}"
    return path


if __name__ == "__main__":
    sys.exit(main())
