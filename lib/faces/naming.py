"""Names of classes and splits as other people write them. A number is never taken for a class without saying whose number it is."""

import difflib

from lib.faces.faceset import CLASSES
from lib.study.errors import StudyError

# FER2013's own codes, by position (Goodfellow et al. 2013); the CSV and its copies use them.
FER2013_CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
ALIASES = {
    "anger": "angry", "disgusted": "disgust", "disgusting": "disgust", "fearful": "fear", "afraid": "fear", "frightened": "fear",
    "scared": "fear",
    "happiness": "happy", "joy": "happy", "calm": "neutral", "neutrality": "neutral", "sadness": "sad", "surprised": "surprise",
}  # fmt: skip
SPLITS = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "privatetest": "test", "publictest": "val",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
}  # fmt: skip


def class_of(name: str, where: str) -> str:
    """Give the class that a name stands for.

    Args:
        name: as written, e.g. a folder's.
        where: what to name in the message.

    Raises:
        StudyError: no class and no known alias.
    """
    plain = name.strip().lower()
    known = plain if plain in CLASSES else ALIASES.get(plain)
    if known is None:
        nearest = difflib.get_close_matches(plain, [*CLASSES, *ALIASES], n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        raise StudyError(f"{where}: unknown class {name!r}{hint} Classes are {', '.join(CLASSES)}; rename the folder or move it away")
    return known


def split_of(name: str) -> str | None:
    """Give the split that a folder or Usage value names (train, val, test), None for no split."""
    return SPLITS.get(name.strip().lower().replace("_", "").replace(" ", ""))


def announce_aliases(found: dict[str, str]) -> None:
    """Say once which names were taken for which classes."""
    if found:
        print("class names taken as: " + ", ".join(f"{alias} -> {name}" for alias, name in sorted(found.items())))
