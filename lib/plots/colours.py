"""One colour for a name in every figure of every notebook.

Arms are coloured by their fields, pools, sources and splits by their exact name, classes by the
class list. A name that nobody gave a colour gets one that depends on the name alone.
"""

import zlib
from collections.abc import Iterable, Sequence

import matplotlib.colors
import pandas as pd
import seaborn

from lib.faces.arms import ARM_FIELDS, REAL_KINDS, Arm, arm_of
from lib.metrics.human_baseline import PERSON
from lib.report.names import arm_text, in_words, row_text
from lib.study.generations import family_of

# FER2013's seven classes and contempt, told apart under protanopia, deuteranopia and tritanopia:
# the smallest difference of two is 16.5 (CIEDE2000, simulated after Machado et al. 2009), of
# Okabe and Ito's (2008), which stood here before, 2.2. tests/plots/test_colours.py measures it.
CLASS_COLOURS = {
    "angry": "#d22309",
    "contempt": "#40210e",
    "disgust": "#15986a",
    "fear": "#252162",
    "happy": "#d9b92f",
    "neutral": "#afafaf",
    "sad": "#5061d0",
    "surprise": "#ff76f9",
}
# Real images are black, their splits for testing grey: no pool is.
REAL_COLOURS = {
    "real": "#000000",
    "train": "#000000",
    "val": "#9aa0a8",
    "test": "#5f6670",
}
# One colour a pool, whatever its settings. Pools of one study differ by 11.9 or more under every
# kind of colour vision; of two that no study has together some are alike.
POOL_COLOURS = {
    "drawn-faithful": "#007961",
    "drawn-narrow": "#de1b5e",
    "drawn-narrow-round2": "#188dfc",
    "drawn-mislabelled": "#d0960f",
    "dcgan": "#a9137a",
    "dcgan-round2": "#d853b5",
    "folder": "#188dfc",
    "stylegan32": "#1037c1",
    "stylegan64": "#6c700f",
    "stylegan64ada": "#84b676",
    "stylegan64number": "#ee4f99",
    "stylegan64truncated": "#5599e0",
    "stylegan-s2": "#84b676",
    "acgan": "#d31d66",
    "cgan": "#cf53b1",
    "diffusion": "#d0960f",
    "diffusion-edited": "#84b676",
    "diffusion-all": "#770ad6",
    "diffusion-287": "#d0960f",
    "diffusion-718": "#de1b5e",
    "diffusion-2871": "#007961",
    "diffusion-long": "#000092",
    "dcgan-long": "#6e0000",
    "stylegan-long": "#6eb692",
    "stable": "#5599e0",
    "stable-expressive": "#1037c1",
}
PERSON_COLOUR = "#6f4d34"  # of the human annotators

# Arms of real images alone, by kind: black, grey or earthy.
REAL_ARM_COLOURS = {
    "base": "#000000",
    "duplicate": "#8a8f98",
    "fewer_steps": "#5f5a4a",
    "subset": "#b58b5a",
    "extra": "#4d7ea8",
    "improved": "#783c64",
}
SCARCE_SUBSET_COLOUR = "#5f6b7a"  # the few real images of a scarce arm, without synthetic ones

SPARE_COLOURS = seaborn.color_palette("colorblind", 10).as_hex()
MOST_DISTINCT = 20  # classes that a qualitative palette tells apart; more share out the hues


def colour(name: str) -> str:
    """Give the colour of a split, source, pool, person, or one of the seven classes and contempt.

    Every generation of a pool has its colour. For other class lists see `class_palette`, for arms
    `arm_colour`.
    """
    return known_colour(name) or SPARE_COLOURS[zlib.crc32(name.encode()) % len(SPARE_COLOURS)]


def known_colour(name: str) -> str:
    """Give the colour that a name has everywhere, "" for a name that nobody gave one."""
    # The arm that every figure has, where a table knows its name alone.
    if name == "base":
        return REAL_ARM_COLOURS["base"]
    if name == PERSON:
        return PERSON_COLOUR

    # All generations of a pool share its hue, and so do pools that differ in a setting.
    return (CLASS_COLOURS | REAL_COLOURS | POOL_COLOURS).get(family_of(name), "")


def palette(names: Iterable) -> dict[str, str]:
    """Give the colour of each name, in the order of first appearance."""
    return {str(name): colour(str(name)) for name in dict.fromkeys(names)}


def class_palette(classes: Sequence[str]) -> dict[str, str]:
    """Give every class of a list a colour of its own, in the order of the list.

    The seven emotions and contempt keep theirs; other classes get qualitative colours that no class
    of the list has yet.

    Args:
        classes: names; the whole list, so that a class has one colour in all figures of a study.
    """
    # Known classes keep their colours; the rest share out what is left.
    others = [name for name in classes if name not in CLASS_COLOURS]
    taken = [CLASS_COLOURS[name] for name in classes if name in CLASS_COLOURS]
    spare = [hue for hue in _qualitative(len(classes)) if hue not in taken]
    colours = CLASS_COLOURS | dict(zip(others, spare, strict=False))
    return {name: colours[name] for name in classes}


def arm_colour(arm: Arm) -> str:
    """Give the colour of an arm.

    It has the hue of its pool, pale when its labels are shuffled; arms of real images alone have
    the colour of their kind.
    """
    # Copies of real images name the pool whose class counts they have, and are real all the same.
    if arm.pool and arm.kind not in REAL_KINDS:
        hue = colour(arm.pool)
        return _paler(hue) if arm.kind == "shuffled" else hue

    # Real images alone: the kind says what they are for.
    if arm.kind == "subset" and arm.control_of == "scarce":
        return SCARCE_SUBSET_COLOUR
    return REAL_ARM_COLOURS[arm.kind]


def row_colours(table: pd.DataFrame, by: str) -> list[str]:
    """Give the colour of every row of a table.

    Args:
        table: with ARM_FIELDS, the rows are coloured as arms; with a column pool or source, by it;
            otherwise, and where a row has no arm (a person), by name.
        by: column of the names.
    """
    # What a row is coloured by, the most specific first.
    columns = [name for name in ("pool", "source", by) if name in table]
    colours = []
    for row in table.to_dict("records"):
        # Arms are coloured by their fields.
        if has_arm(row):
            colours.append(arm_colour(arm_of(row)))
            continue
        names = [row[name] for name in columns if not pd.isna(row[name])]
        colours.append(colour(str(names[0])))
    return colours


def line_colours(table: pd.DataFrame, by: str) -> dict[str, str]:
    """Choose one colour for each name in a column, for charts with one line a name.

    Args:
        table: if its rows describe arms (columns ARM_FIELDS), a name gets its arm's colour.
        by: column of the names.

    Returns:
        Colour (hex) by name, in the order of first appearance.
    """
    # All rows of one name describe the same arm: the first decides.
    colours = {}
    for row in table.drop_duplicates(by).to_dict("records"):
        name = str(row[by])
        colours[name] = arm_colour(arm_of(row)) if has_arm(row) else colour(name)
    return colours


def line_names(table: pd.DataFrame, by: str) -> dict[str, str]:
    """Name each line of a chart in words: arms by pool or what their real images are.

    Args:
        table, by: as in `line_colours`.

    Returns:
        Words by name, in the order of first appearance.
    """
    rows = {str(row[by]): row for row in table.drop_duplicates(by).to_dict("records")}
    arms = {name: arm_of(row) for name, row in rows.items() if has_arm(row)}
    short = {name: row_text(arm) for name, arm in arms.items()}

    # Two arms of one pool are told apart by their amounts.
    words = {}
    for name in rows:
        words[name] = short.get(name, in_words(name))
        if list(short.values()).count(words[name]) > 1:
            words[name] = arm_text(arms[name])
    return words


def has_arm(row: dict) -> bool:
    """Tell whether a row of a table describes an arm in the columns ARM_FIELDS."""
    # A person, or a mean over arms, has no kind.
    if any(field not in row for field in ARM_FIELDS):
        return False
    return not pd.isna(row["kind"]) and row["kind"] != ""


def _qualitative(n: int) -> list[str]:
    """List at least n colours that differ as far as their number allows, as hex."""
    # Ten that hold for colour blindness; more differ less.
    if n <= len(SPARE_COLOURS):
        return seaborn.color_palette("colorblind", 10).as_hex()
    if n <= MOST_DISTINCT:
        return seaborn.color_palette("tab20", 20).as_hex()
    return seaborn.husl_palette(n).as_hex()


def _paler(hue: str) -> str:
    """Mix a colour half and half with white."""
    return matplotlib.colors.to_hex([(part + 1) / 2 for part in matplotlib.colors.to_rgb(hue)])
