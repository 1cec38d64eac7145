"""Tables on the page of a notebook: in words and people's units, with the numbers beside them.

Every cell of a number carries it unrounded, so that the page can sort by it and hand it out as CSV.
"""

import html
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.faces.arms import ARM_FIELDS, arm_of
from lib.report.columns import COLUMNS, INTERVALS, INTERVALS_OF, SMALLEST_P, column, heading
from lib.report.names import arm_text, in_words, scoring_text

SLUG_WORDS = 5  # of a caption, in the anchor of its table
LEAST_WORTH_FOLDING = 3  # rows that a fold hides at least
MINUS, DASH = "\u2212", "–"
# In JupyterLab, whose style sheet sets every cell to the right; a page has its own.
STYLE = (
    "<style>.table td.t,.table th{text-align:left!important}"
    ".table th.n{text-align:right!important}"
    ".table td{text-align:right;font-variant-numeric:tabular-nums;vertical-align:top}</style>"
)
VERDICTS = ("helps", "hurts", "equivalent", "undecided", "supported", "contradicted")


@dataclass(frozen=True)
class Shown:
    """A column as it is shown: its texts, and the numbers behind them."""

    name: str  # machine name, of all columns that went into it
    head: str
    texts: list[str]  # HTML
    values: list[str]  # unrounded, | between several; "" for texts
    is_number: bool


def table(
    data: pd.DataFrame,
    caption: str = "",
    *,
    digits: int = 3,
    kinds: dict[str, str] | None = None,
    first: int = 0,
    folded: bool = False,
) -> None:
    """Display a table.

    Columns are named and their numbers written as `lib.report.columns` says; machine names become
    words. low and high stand in one cell with their number. Missing values are a dash.

    Args:
        data: rows to show; an index that only numbers the rows is left out, and so are the fields
            of arms beside their name.
        caption: a sentence above the table.
        digits: decimals of numbers in no unit of their own.
        kinds: of columns, in place of their own; under "" that of all other numbers.
        first: rows in sight, the others on request; 0: all.
        folded: whether the whole table is shown on request alone; one without rows is not.
    """
    from IPython.display import HTML, display

    # To unfold nothing would be a disappointment.
    if folded and not len(data):
        return
    display(HTML(table_html(data, caption, digits=digits, kinds=kinds, first=first, folded=folded)))


def table_html(
    data: pd.DataFrame,
    caption: str = "",
    *,
    digits: int = 3,
    kinds: dict[str, str] | None = None,
    first: int = 0,
    folded: bool = False,
) -> str:
    """Write a table as HTML; arguments as in `table`."""
    # Numbers of rows say nothing; a named index is a column.
    numbered = data.index.name is None and pd.api.types.is_integer_dtype(data.index)
    data = data.reset_index(drop=numbered)

    # A study of one network need not name it in every row, and rows are about arms.
    if "classifier" in data and "arm" in data:
        networks = [] if data["classifier"].nunique() == 1 else ["classifier"]
        others = [name for name in data if name not in ("arm", "classifier")]
        data = data[["arm", *networks, *others]]
    shown = shown_columns(data, digits, kinds or {})

    # A fold that would hide next to nothing is none.
    if len(data) - first < LEAST_WORTH_FOLDING:
        first = 0
    rows = _rows(shown, len(data), first)
    heads = "".join(_head(one) for one in shown)
    body = f'<table class="shown"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    label = html.escape(caption or "table", quote=True)
    box = f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">{body}</div>'

    # The caption is the table's name and, in short, its anchor.
    words = html.escape(caption)
    anchor = anchor_of(caption, data)
    if folded:
        count = f"{len(data)} row{'' if len(data) == 1 else 's'}"
        summary = f"<summary>{words} <small>({count})</small></summary>"
        inner = f"<details>{summary}{box}</details>"
    else:
        inner = f"<figcaption>{words}</figcaption>{box}" if caption else box
    more = f' data-more="{len(data) - first}"' if first else ""
    return f'<figure class="table" id="{anchor}"{more}>{STYLE}{inner}</figure>'


def shown_columns(data: pd.DataFrame, digits: int, kinds: dict[str, str]) -> list[Shown]:
    """Lay out the columns of a table as they are shown, in its order.

    Args:
        data, digits, kinds: as in `table`.
    """
    # What an arm is stands in its words.
    hidden = set(ARM_FIELDS) - {"pool"} if set(ARM_FIELDS) <= set(data) else set()
    if hidden and "arm" in data:
        hidden.add("pool")
    bounds = _bounds(data)
    used = {name for pair in bounds.values() for name in pair} - set(INTERVALS)
    used |= {"low_decided", "high_decided"}

    # Numbers with an interval, intervals by themselves, and everything else.
    columns = []
    for position, name in enumerate(data.columns):
        if name in hidden or name in used or _says_nothing(data.iloc[:, position]):
            continue
        if name in INTERVALS:
            columns.append(_range_column(data, name, digits, kinds))
        elif name in bounds:
            columns.append(_interval_column(data, name, bounds[name], digits, kinds))
        else:
            columns.append(_plain_column(data, position, digits, kinds))
    return columns


def _says_nothing(values: pd.Series) -> bool:
    """Tell whether every cell of a column is an empty text."""
    return len(values) > 0 and all(isinstance(value, str) and not value for value in values)


def anchor_of(caption: str, data: pd.DataFrame) -> str:
    """Make the anchor of a table from the first words of its caption."""
    words = re.findall(r"[a-z0-9]+", caption.lower())[:SLUG_WORDS]
    return (
        f"table-{'-'.join(words)}" if words else f"table-{zlib.crc32(data.to_csv().encode()):08x}"
    )


def _bounds(data: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Find the columns that have an interval: names of low and high by that of the number."""
    bounds = {}
    for low, (high, of) in INTERVALS_OF.items():
        if {low, high, of} <= set(data):
            bounds[of] = low, high
    if {"low", "high"} <= set(data):
        # The number that stands before its interval.
        before = list(data.columns[: data.columns.get_loc("low")])
        numbers = [name for name in before if _is_float(data[name]) and name not in INTERVALS]
        if numbers:
            bounds[numbers[-1]] = "low", "high"
    for low, (high, _) in INTERVALS.items():
        if {low, high} <= set(data):
            bounds[low] = low, high
    return bounds


def _interval_column(
    data: pd.DataFrame, name: str, bounds: tuple[str, str], digits: int, kinds: dict[str, str]
) -> Shown:
    """Write numbers with their intervals in one column: 56.7 (55.1 to 58.3)."""
    kind = kinds.get(name) or column(name).kind or kinds.get("", "number")
    low, high = (data[bound].to_numpy(float) for bound in bounds)
    decided = "low_decided" in data and bounds == ("low", "high")
    if decided:
        # Beside a verdict stands the interval that decides it.
        widened = data["low_decided"].notna().to_numpy()
        low = np.where(widened, data["low_decided"].to_numpy(float), low)
        high = np.where(widened, data["high_decided"].to_numpy(float), high)

    # One number of decimals serves the value and its bounds.
    value = data[name].to_numpy(float)
    every = np.concatenate([value, low, high])
    write = _writer(every, kind, _digits(name, kind, every, digits))
    texts, raw = [], []
    for number, lower, upper in zip(value, low, high, strict=True):
        interval = f" ({write(lower)} to {write(upper)})" if not np.isnan(lower) else ""
        texts.append(html.escape(write(number) + interval))
        raw.append("|".join(map(_raw, (number, lower, upper))))
    what = "deciding interval" if decided else "95% interval"
    return Shown("|".join((name, *bounds)), f"{heading(name, kind)} ({what})", texts, raw, True)


def _range_column(data: pd.DataFrame, low: str, digits: int, kinds: dict[str, str]) -> Shown:
    """Write an interval that is a column of its own: 55.1 to 58.3."""
    high, label = INTERVALS[low]
    # It stands in the unit of the table's numbers.
    kind = "points" if "difference" in data else kinds.get("", "number")
    pair = data[[low, high]].to_numpy(float)
    write = _writer(pair.ravel(), kind, _digits("", kind, pair.ravel(), digits))
    texts = [DASH if np.isnan(row[0]) else f"{write(row[0])} to {write(row[1])}" for row in pair]
    texts = list(map(html.escape, texts))
    raw = ["|".join(map(_raw, row)) for row in pair]
    return Shown(f"{low}|{high}", label, texts, raw, True)


def _plain_column(data: pd.DataFrame, position: int, digits: int, kinds: dict[str, str]) -> Shown:
    """Write a column of single numbers or texts."""
    values = data.iloc[:, position]
    name = str(data.columns[position])
    described = column(name)
    kind = kinds.get(name) or described.kind
    if _is_number(values) and kind not in ("name", "scoring", "text", "verdict"):
        numbers = values.to_numpy(float, na_value=np.nan)
        whole = not _is_float(values) or _all_whole(numbers)
        kind = kind or ("count" if whole else kinds.get("", "number"))
        write = _writer(numbers, kind, _digits(name, kind, numbers, digits))
        texts = [html.escape(write(number)) for number in numbers]
        return Shown(
            name, _head_text(name, kind), texts, [_raw(number) for number in numbers], True
        )

    # Words: of arms by their fields, of everything else by name.
    if name == "arm" and set(ARM_FIELDS) <= set(data):
        words = [_arm_words(row) for row in data.to_dict("records")]
    else:
        words = [_words(value, kind, digits) for value in values]
    texts = [_tagged(word, value, kind) for word, value in zip(words, values, strict=True)]
    return Shown(name, _head_text(name, kind), texts, [""] * len(texts), False)


def _head_text(name: str, kind: str) -> str:
    """Write the head of a column: as described, or the name of an arm or class in words."""
    if name in COLUMNS:
        return heading(name, kind)
    words = in_words(name)
    return words if words != name else heading(name, kind)


def _arm_words(row: dict) -> str:
    """Describe the arm of a row; a row without an arm (a person) is named."""
    has_kind = not pd.isna(row["kind"]) and row["kind"] != ""
    return arm_text(arm_of(row)) if has_kind else in_words(str(row["arm"]))


def _words(value, kind: str, digits: int) -> str:
    """Write a cell of text, which may hold single numbers."""
    if isinstance(value, str):
        if kind == "scoring":
            return scoring_text(value)
        return in_words(value) if kind == "name" else value
    return number_text(value, digits)


def _tagged(words: str, value, kind: str) -> str:
    """Write a cell's words as HTML: a verdict in its colour, a name with the machine's."""
    text = html.escape(words)
    if kind == "verdict" and words in VERDICTS:
        return f'<span class="pill {words}">{text}</span>'
    if isinstance(value, str) and words != value:
        return f'<span title="{html.escape(value, quote=True)}">{text}</span>'
    return text


def _digits(name: str, kind: str, numbers: np.ndarray, digits: int) -> int:
    """Choose the decimals of a column: as many for all of its numbers."""
    # What is known of the column comes before what its numbers look like.
    described = column(name).digits if name else None
    if described is not None:
        return described
    if kind in ("share", "points"):
        return 1
    if kind == "count":
        return 0
    if kind == "p":
        return 3

    # Large numbers need fewer, numbers that are all tiny more.
    sizes = np.abs(numbers[np.isfinite(numbers)])
    largest = sizes.max(initial=0.0)
    if largest >= 10:
        return max(0, digits - int(np.log10(largest)))
    if 0 < largest < 10**-digits:
        return int(np.ceil(-np.log10(largest))) + 1
    return digits


def _writer(numbers: np.ndarray, kind: str, digits: int):
    """Make the function that writes the numbers of one column."""
    scale = 100.0 if kind in ("share", "points") else 1.0
    # Differences show their sign, unless none is below 0 (a smallest effect).
    signed = kind == "points" and bool((numbers < 0).any())
    commas = kind != "number" or np.abs(numbers[np.isfinite(numbers)]).max(initial=0) >= 10_000

    def write(number: float) -> str:
        if np.isnan(number):
            return DASH
        if np.isinf(number):
            return "∞" if number > 0 else f"{MINUS}∞"
        if kind == "p" and number < SMALLEST_P:
            return f"<{SMALLEST_P}"
        sign = "+" if signed else ""
        comma = "," if commas else ""
        text = f"{scale * number:{sign}{comma}.{digits}f}"
        # What rounds to nothing has no sign.
        if not float(text.replace(",", "")):
            text = text.lstrip("+-")
        return text.replace("-", MINUS)

    return write


def _rows(shown: list[Shown], count: int, first: int) -> str:
    """Write the rows: the first cell names its row, later ones hold texts or numbers."""
    lines = []
    for row in range(count):
        cells = []
        for place, one in enumerate(shown):
            # The exact value travels with the cell, for the CSV.
            value = f' data-v="{one.values[row]}"' if one.values[row] else ""
            if place == 0:
                # A number that names its row stands under the head of its column.
                style = ' class="n"' if one.is_number else ""
                cells.append(f'<th scope="row"{style}{value}>{one.texts[row]}</th>')
                continue
            style = "" if one.is_number else ' class="t"'
            cells.append(f"<td{style}{value}>{one.texts[row]}</td>")
        more = ' class="more"' if first and row >= first else ""
        lines.append(f"<tr{more}>{''.join(cells)}</tr>")
    return "".join(lines)


def _head(one: Shown) -> str:
    """Write the head of a column, with the machine's names for the CSV."""
    style = ' class="n"' if one.is_number else ""
    key = html.escape(one.name, quote=True)
    return f'<th scope="col"{style} data-k="{key}">{html.escape(one.head) or "&#160;"}</th>'


def number_text(value, digits: int = 3) -> str:
    """Write a single number among texts: rounded, with a minus sign and commas from 10,000 on."""
    # Truth values are numbers to Python.
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not isinstance(value, (int, float, np.integer, np.floating)):
        return DASH if value is None or value is pd.NA else str(value)

    numbers = np.array([value], float)
    whole = isinstance(value, (int, np.integer))
    return _writer(numbers, "number", 0 if whole else _digits("", "number", numbers, digits))(
        numbers[0]
    )


def _raw(number: float) -> str:
    """Write a number unrounded, as a CSV holds it; "" for a missing one."""
    return "" if np.isnan(number) else f"{number:.7g}"


def _is_number(values: pd.Series) -> bool:
    """Tell whether a column holds numbers, truth values aside."""
    kind = values.dtype
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _is_float(values: pd.Series) -> bool:
    """Tell whether a column holds numbers that need not be whole."""
    return pd.api.types.is_float_dtype(values.dtype)


def _all_whole(numbers: Iterable) -> bool:
    """Tell whether all numbers of a column happen to be whole: 28,709.0 is a count."""
    known = np.asarray(numbers)[np.isfinite(numbers)]
    return bool(len(known)) and bool((known == np.round(known)).all()) and np.abs(known).max() > 1
