"""What a changed parameter moved: tables under a notebook's values beside those under the study's.

Whoever changes a parameter asks what it did. A notebook that ran with the study's own values leaves
its tables aside; one that runs with others is compared with them, row by row, and says what moved.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.metrics.pages import read_csv
from lib.report.columns import column
from lib.report.names import in_words
from lib.study.explore import OWN
from lib.study.params import load_params, studies
from lib.study.records import write_csv
from lib.study.stages import PER_POOL, stage_of

# Parameters that say where and with how many, not what; data come with every call.
ELSEWHERE = {"study", "output", "write", "pool", "workers", "cluster", "device"}
ELSEWHERE |= {"synthetic_name", "data"}
# What tells the rows of a table apart, as far as it has these columns.
KEYS = ("arm", "reference", "classifier", "reading", "scoring", "metric", "class", "pool", "source")
KEYS += ("space", "map", "method", "setting", "step", "measure", "fault", "attribute", "network")
KEYS += ("model", "disturbance", "amount", "split", "stage", "case", "cause", "id", "against")
# What a row says in words; and numbers that say how much was measured, not what was found.
WORDS = ("verdict", "correct", "differs", "detected")
COUNTS = {"n", "seconds", "steps", "seed", "p", "p_holm", "low", "high", "analyses", "images"}
MOST_NAMED = 5  # rows of a table that a sentence names
LEAST = 5e-4  # a change of less is none: numbers are shown with three digits


@dataclass(frozen=True)
class Move:
    """One row of a table that moved."""

    name: str  # of the row, in words
    text: str  # from what to what
    size: float  # of the change; a changed word counts most


def say_what_moved(step, tables: dict[str, pd.DataFrame]) -> None:
    """Print what moved against the study's own values; nothing where the parameters are these.

    Args:
        step: of `lib.study.step.begin`.
        tables: that the notebook found, by name.
    """
    lines = what_moved(step, tables)
    if lines:
        print("\n".join(lines))


def what_moved(step, tables: dict[str, pd.DataFrame]) -> list[str]:
    """Compare tables with those under the study's own values, and keep them where they are these.

    Args:
        step: of `lib.study.step.begin`.
        tables: by name.

    Returns:
        A sentence on the parameters and one a table; none where no parameter was changed.
    """
    folder = step.paths.root / OWN / step.name
    changed = changed_parameters(step)
    if not changed:
        _keep(folder, tables)
        return []

    # Which parameters, and what followed.
    named = [f"{name} from {own} to {now}" for name, (own, now) in changed.items()]
    first = f"Changed against the study's own values: {'; '.join(named)}."
    if not folder.exists():
        why = "run it once with them to see what moves"
        return [first, f"This notebook has not run with the study's own values: {why}."]

    lines, same = [], []
    for name, table in tables.items():
        before = folder / f"{name}.csv"
        moves = table_moves(read_csv(before), table) if before.exists() else []
        if moves:
            lines.append(_sentence(name, moves, len(table)))
        else:
            same.append(name.replace("_", " "))
    if same:
        lines.append(f"Nothing moved in {', '.join(same)}.")
    return [first, *lines]


def changed_parameters(step) -> dict[str, tuple]:
    """List the parameters of a notebook that are not the study's own: (own, now) by name.

    Args:
        step: of `lib.study.step.begin`.
    """
    study = step.parameters.get("study", "")
    if study not in studies():
        return {}
    pool = step.parameters.get("pool") if stage_of(step.name) in PER_POOL else None
    own = load_params(study, pool=pool)

    # Paths that a study leaves open are given with every run.
    changed = {}
    for name, now in step.parameters.items():
        is_given = own[name] == "" and isinstance(now, str)
        if name not in ELSEWHERE and not is_given and own[name] != now:
            changed[name] = (own[name], now)
    return changed


def table_moves(before: pd.DataFrame, now: pd.DataFrame) -> list[Move]:
    """Find the rows of a table that moved, the largest moves first.

    Args:
        before: under the study's own values, as read from its file.
        now: under others.
    """
    keys = [name for name in KEYS if name in before and name in now]
    pair = [_keyed(table, keys) for table in (before, now)]
    both = pair[0].add_suffix(" before").join(pair[1].add_suffix(" now"), how="outer")

    # Words first, then the number that moved most.
    numbers = [name for name in before if name in now and name not in keys and name not in COUNTS]
    numbers = [name for name in numbers if _is_number(before[name]) and _is_number(now[name])]
    words = [name for name in WORDS if name in before and name in now]
    moves = [_row_move(key, row, words, numbers) for key, row in both.iterrows()]
    return sorted((move for move in moves if move), key=lambda move: -move.size)


def _row_move(key, row: pd.Series, words: list[str], numbers: list[str]) -> Move | None:
    """Describe how one row moved; None where it did not."""
    parts = [in_words(str(part)) for part in (key if isinstance(key, tuple) else (key,))]
    name = ", ".join(part for part in parts if part and part != "nan")
    for word in words:
        own, new = (_word(row[f"{word} {when}"]) for when in ("before", "now"))
        if own != new:
            return Move(name, f"{own} → {new}", np.inf)

    # The number that moved most, in its unit.
    moved = [(abs(row[f"{one} now"] - row[f"{one} before"]), one) for one in numbers]
    size, largest = max(((by, one) for by, one in moved if by > LEAST), default=(0.0, ""))
    if not largest:
        return None
    shown = [_number(largest, row[f"{largest} {when}"]) for when in ("before", "now")]
    return Move(name, f"{column(largest).label} {shown[0]} → {shown[1]}", float(size))


def _word(value) -> str:
    """Write a word of a row; of a row that is not there, that."""
    return "not there" if pd.isna(value) else str(value)


def _sentence(name: str, moves: list[Move], rows: int) -> str:
    """Say what moved in one table."""
    named = "; ".join(f"{move.name}: {move.text}" for move in moves[:MOST_NAMED])
    more = f"; and {len(moves) - MOST_NAMED} more" if len(moves) > MOST_NAMED else ""
    return f"{len(moves)} of {rows} rows moved in {name.replace('_', ' ')}: {named}{more}."


def _keyed(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Index a table by what tells its rows apart, of equal ones the first; else by row."""
    if not keys:
        return table.set_axis([f"row {place}" for place in range(1, len(table) + 1)])
    texts = table.assign(**{name: table[name].astype(str) for name in keys})
    return texts.drop_duplicates(keys).set_index(keys)


def _number(name: str, value: float) -> str:
    """Write a number in its column's unit."""
    kind = column(name).kind
    if np.isnan(value):
        return "–"
    if kind in ("share", "points"):
        return f"{100 * value:.1f} {'%' if kind == 'share' else 'points'}".replace("-", "\u2212")
    return f"{value:.3g}".replace("-", "\u2212")


def _is_number(values: pd.Series) -> bool:
    """Tell whether a column holds numbers."""
    kind = values.dtype
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _keep(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Leave the tables under the study's own values, to be compared with."""
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table)
