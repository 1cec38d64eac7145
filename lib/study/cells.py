"""Names of the cells of a grid of settings: quick~pool_images=1600,seeds=10 is the study quick with
these two parameters, dcgan~gan_steps=500 the pool dcgan with this one.

A cell is a study or pool like any other: its name is that of its folders, and says all that it
differs in.
"""

import re

from lib.study.errors import StudyError

MARK = "~"  # between the study's name and the settings
BETWEEN = ","  # two settings
ELEMENTS = "+"  # between two elements of a list
LONGEST = 120  # characters of a name: a file's has room for 255 bytes on every system
# What a value may hold: signs that no file system and no shell takes for something else.
PLAIN = re.compile(r"[A-Za-z0-9._-]*")
SETTING = re.compile(r"\w+=[A-Za-z0-9._+-]*")


def cell_name(study: str, settings: dict) -> str:
    """Name a cell.

    Args:
        study: whose parameters hold but for the settings.
        settings: value by key, of the declared types, in the order of their names in the cell's.

    Raises:
        StudyError: a value that has no place in the name of a folder, or a name that is too long.
    """
    parts = [f"{key}={_written(key, value)}" for key, value in settings.items()]
    name = f"{study}{MARK}{BETWEEN.join(parts)}"
    if len(name) > LONGEST:
        raise StudyError(
            f"--vary: the name {name} is longer than {LONGEST} characters; vary fewer parameters "
            "at once"
        )
    return name


def study_of(name: str) -> str:
    """Name the study or pool that a cell belongs to; one that is no cell is its own."""
    return name.partition(MARK)[0]


def settings_of(name: str) -> tuple[str, ...]:
    """List a cell's settings as "key=value" strings, lists as a,b; none of other names.

    Raises:
        StudyError: a setting that no folder could be named after.
    """
    _, mark, settings = name.partition(MARK)
    if not mark:
        return ()
    for text in settings.split(BETWEEN):
        if not SETTING.fullmatch(text):
            raise StudyError(
                f"{name}: {text!r} is no setting, write key=value after the {MARK}; a value takes "
                "letters, digits, dots, hyphens and underscores"
            )
    return tuple(text.replace(ELEMENTS, ",") for text in settings.split(BETWEEN))


def settings_text(name: str) -> str:
    """Write a cell's settings for people: "pool_images 1600, seeds 10"."""
    return ", ".join(" ".join(text.partition("=")[::2]) for text in settings_of(name))


def _written(key: str, value) -> str:
    """Write a value as it stands in a name."""
    texts = [str(part) for part in (value if isinstance(value, list) else [value])]
    wrong = [text for text in texts if not PLAIN.fullmatch(text)]
    if wrong:
        raise StudyError(
            f"--vary {key}: {wrong[0]!r} has no place in the name of a folder, which takes "
            "letters, digits, dots, hyphens and underscores; run two studies with --output instead"
        )
    # True is true, as parameter files write it.
    return ELEMENTS.join(text.lower() if isinstance(value, bool) else text for text in texts)
