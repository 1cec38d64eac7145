"""The results of a study: one long table. Each notebook appends JSON lines to a file of its own
(`step.append_results`), and readers get them together as Parquet.
"""

import json
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.paths import StudyPaths
from lib.study.records import atomic_write

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

    rows = []
    for file in sorted((paths.tables / "results").glob("*.jsonl")):
        rows += _last_batch(file)

    types = {"seed": "int64", "share": "float64", "weight": "float64", "value": "float64"}
    types |= {"generation": "int64", "steps": "int64"}
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(types)

    # The order of writing leaves no trace, so that equal results are equal bytes.
    keys = list(KEYS)
    table = table.drop_duplicates(keys, keep="last").sort_values(keys, ignore_index=True)
    with atomic_write(paths.tables / "results.parquet") as file:
        table.to_parquet(file, index=False)
    return table


def _last_batch(file: Path) -> list[dict]:
    """Read what one notebook's last execution appended."""
    lines = [_parsed(line) for line in file.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line]
    # Rows of before arms were columns have none; they get the defaults.
    return [ARM_DEFAULTS | line for line in lines if line["batch"] == lines[-1]["batch"]]


def _parsed(line: str) -> dict | None:
    """Read one line; a line torn by a kill is skipped, its notebook runs again anyway."""
    try:
        return json.loads(line)
    except ValueError:
        return None
