"""The results of a study: one long table. Each notebook appends JSON lines to a file of its own
(`step.append_results`), and readers get them together as Parquet.
"""

import json
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.paths import StudyPaths
from lib.study.records import atomic_write, content_hash, parsing, plain_json

# What describes an arm beside its name, with the values of a row about no arm (a pool's distance).
# The names are lib.faces.arms.ARM_FIELDS, which this room may not import; a test compares them.
ARM_DEFAULTS = {
    "kind": "",
    "pool": "",
    "share": 0.0,
    "control_of": "",
    "weight": 1.0,
    "only": "",
    "generation": 1,
    "real": 0,
    "added": 0,
    "class_shares": "",
    "steps": 0,  # optimiser steps of the arm's runs
}
# What tells two rows apart, and what a row says.
KEYS = ("study", "arm", "classifier", "seed", "split", "metric", "class")
COLUMNS = ("study", "arm", *ARM_DEFAULTS, *KEYS[2:], "value")
CHECK, CHECK_LENGTH = "check", 16  # key of a line's digest, and its characters


def check_rows(rows: list[dict]) -> list[dict]:
    """Check the columns of some rows, and fill in what describes no arm.

    Returns:
        The rows, each with all COLUMNS in order.

    Raises:
        StudyError: a row with a missing or an unknown column.
    """
    checked = []
    for row in rows:
        # All that describes an arm, or nothing of it: half of it would be a mistake.
        about_no_arm = not ARM_DEFAULTS.keys() & row.keys()
        filled = ARM_DEFAULTS | row if about_no_arm else row
        if set(filled) != set(COLUMNS):
            raise StudyError(f"results row {row}: columns must be {', '.join(COLUMNS)}")
        checked.append({name: filled[name] for name in COLUMNS})
    return checked


def collect_results(paths: StudyPaths):
    """Gather what each notebook's last execution appended, and write tables/results.parquet.

    Earlier executions stay in the JSON lines as history and are not served.

    Returns:
        DataFrame with columns COLUMNS, sorted, one row for each value of KEYS.
    """
    import pandas as pd

    types = {"seed": "int64", "share": "float64", "weight": "float64", "value": "float64"}
    types |= {"generation": "int64", "steps": "int64"}
    parts = [pd.DataFrame(columns=list(COLUMNS)).astype(types)]
    for file in sorted((paths.tables / "results").glob("*.jsonl")):
        rows = _last_batch(file)
        with parsing(file, f"run notebook {file.stem} again"):
            parts.append(pd.DataFrame(rows, columns=list(COLUMNS)).astype(types))
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)

    # The order of writing leaves no trace, so that equal results are equal bytes.
    keys = list(KEYS)
    table = table.drop_duplicates(keys, keep="last").sort_values(keys, ignore_index=True)
    with atomic_write(paths.tables / "results.parquet") as file:
        table.to_parquet(file, index=False)
    return table


def result_lines(rows: list[dict], batch: str) -> list[dict]:
    """Add to rows what their lines in the file say beside them: the execution, and a check."""
    lines = [{"batch": batch, **row} for row in rows]
    return [line | {CHECK: _check_of(plain_json(line))} for line in lines]


def _last_batch(file: Path) -> list[dict]:
    """Read what one notebook's last execution appended.

    Raises:
        DamagedFile: a line of it was changed since.
    """
    with parsing(file, f"run notebook {file.stem} again"):
        parsed = [_parsed(line) for line in file.read_bytes().splitlines()]
        batches = [line and line["batch"] for line in parsed]

        # A line torn by a kill is the last one of its execution, which runs again anyway.
        while batches and batches[-1] is None:
            batches.pop()
        first = batches.index(batches[-1]) if batches else 0

        # The line before the first one may be of this execution, with a fault in its name.
        before = [line for line in parsed[max(0, first - 1) : first] if line]
        for line in before + parsed[first : len(batches)]:
            # A check is missing in files of earlier versions.
            if line is None or line.pop(CHECK, None) not in (None, _check_of(line)):
                raise ValueError("a line was changed")

        # Rows of before arms were columns have none; they get the defaults.
        return [ARM_DEFAULTS | line for line in parsed[first : len(batches)]]


def _check_of(line: dict) -> str:
    """Hash a line without its check, as it reads from the file."""
    return content_hash(line)[:CHECK_LENGTH]


def _parsed(line: bytes) -> dict | None:
    """Read one line; None where it is torn."""
    try:
        read = json.loads(line)
    except ValueError:
        return None
    return read if isinstance(read, dict) and "batch" in read else None
