"""What an audit found, in plain words: each fault with a few files, what it means, what to do."""

from dataclasses import dataclass

import pandas as pd

# Faults of an image, as the list of files names them.
BROKEN = "does not read"
BLANK = "blank"
DUPLICATE = "duplicate"
CONFLICT = "identical, with another class"
LEAK = "copy of a training image"
NEAR = "nearly a copy of a training image"
MOST_FILES = 3  # of each fault that are named

NOTHING = "Nothing was found: no file that does not read, no blank image, no duplicate."
ONE_SPLIT = "There is one split only, so copies across training and test cannot be looked for."
SPLIT_WORDS = {"val": "validation", "test": "test"}


@dataclass(frozen=True)
class Words:
    """How a fault is said of one image and of many: {n} is the number, {split} the split's name."""

    one: str
    many: str
    advice: str  # what it means, and what to do


SAID = {
    BROKEN: Words(
        "{n} file does not read",
        "{n} files do not read",
        "What does not read was left out: copy it again, or remove it.",
    ),
    BLANK: Words(
        "{n} blank image",
        "{n} blank images",
        "Nothing can be learnt from a blank image: remove it.",
    ),
    DUPLICATE: Words(
        "{n} duplicate",
        "{n} duplicates",
        "A picture that is there twice counts twice: keep one of each.",
    ),
    CONFLICT: Words(
        "{n} image is identical with one of another class",
        "{n} images are identical with one of another class",
        "One of the two classes is wrong: correct it, or remove both.",
    ),
    LEAK: Words(
        "{n} {split} image is a copy of a training image",
        "{n} {split} images are copies of training images",
        "A classifier answers from memory there, so its accuracy comes out too high: keep a "
        "picture in one split alone.",
    ),
    NEAR: Words(
        "{n} {split} image is nearly a copy of a training image",
        "{n} {split} images are nearly copies of training images",
        "Look at them: what shows the same picture belongs in one split alone.",
    ),
}


def conclusion(files: pd.DataFrame, splits: list[str], listed: str = "") -> list[str]:
    """Say what an audit found.

    Args:
        files: columns file, split, what (a key of SAID), of (the file that it repeats, "" for
            none), group (of identical images); a row an image and fault.
        splits: of the data set: train, val, test.
        listed: the file that holds the whole list, "" for none.

    Returns:
        Lines: one a fault, then whether leaks could be looked for, and where all files are.
    """
    parts = {what: files[files["what"] == what] for what in SAID}
    lines = [_fault(what, part) for what, part in parts.items() if len(part)]

    # What is not there is said, too; a copy needs two splits to leak.
    last = ["Otherwise nothing was found." if lines else NOTHING]
    if "train" not in splits or len(splits) < 2:
        last.insert(0, ONE_SPLIT)
    elif not len(parts[LEAK]) + len(parts[NEAR]):
        held_out = _split_word([split for split in splits if split != "train"])
        last.insert(0, f"No {held_out} image is a copy of a training image.")

    # All files stand in the list.
    if lines:
        where = f"is in {listed}" if listed else "is written by --csv LIST"
        last.append(f"The list of the files {where}.")
    return [*lines, " ".join(last)]


def _fault(what: str, rows: pd.DataFrame) -> str:
    """Write one fault: its number, a few files, what it means."""
    said, count = SAID[what], len(rows)
    words = said.one if count == 1 else said.many
    counted = words.format(n=f"{count:,}", split=_split_word(rows["split"].unique()))

    # A few files, each with the one that it repeats.
    # Of two that contradict each other one line is enough.
    shown = rows.drop_duplicates("group") if what == CONFLICT else rows
    names = [_pair(row) for row in shown.head(MOST_FILES).itertuples()]
    if len(shown) > MOST_FILES:
        names.append(f"and {len(shown) - MOST_FILES:,} more")
    return f"{counted}: {', '.join(names)}. {said.advice}"


def _pair(row) -> str:
    """Name a file, and the one that it repeats."""
    if not row.of:
        return row.file
    return f"{row.file} = {row.of}" if row.what != NEAR else f"{row.file} ~ {row.of}"


def _split_word(splits) -> str:
    """Name the split that is held out, or all of them together."""
    words = [SPLIT_WORDS.get(split, split) for split in splits]
    return words[0] if len(words) == 1 else "held-out"
