"""The results of a study: one long table, appended as JSON lines by each notebook, read as Parquet."""

import json
import os
import time

from lib.study.errors import StudyError
from lib.study.paths import StudyPaths
from lib.study.records import append_jsonl, atomic_write

COLUMNS = ("study", "arm", "classifier", "seed", "split", "metric", "class", "value")
_BATCH = f"{time.time_ns()}-{os.getpid()}"  # one execution of a notebook is one process


def append_results(paths: StudyPaths, rows: list[dict]) -> None:
    """Append rows to the calling notebook's own file of results.

    Args:
        paths: folders of the study.
        rows: dicts with exactly the keys of COLUMNS; class is "" for a value over all classes.

    Raises:
        StudyError: a row with a missing or an unknown column.
    """
    for row in rows:
        if set(row) != set(COLUMNS):
            raise StudyError(f"results row {row}: columns must be {', '.join(COLUMNS)}")
    writer = os.environ.get("STUDY_STEP", "results")
    append_jsonl(paths.tables / "results" / f"{writer}.jsonl", [{"batch": _BATCH, **row} for row in rows])


def collect_results(paths: StudyPaths):
    """Gather what each notebook's latest execution appended, and write tables/results.parquet.

    Older executions stay in the JSON lines as history and are not served.

    Returns:
        DataFrame with columns COLUMNS, sorted, one row per key.
    """
    import pandas as pd

    rows = []
    for file in sorted((paths.tables / "results").glob("*.jsonl")):
        lines = [line for line in map(_parsed, file.read_text(encoding="utf-8").splitlines()) if line]
        rows += [line for line in lines if line["batch"] == lines[-1]["batch"]]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": "int64", "value": "float64"})
    table = table.drop_duplicates(list(COLUMNS[:-1]), keep="last").sort_values(list(COLUMNS[:-1]), ignore_index=True)
    with atomic_write(paths.tables / "results.parquet") as file:
        table.to_parquet(file, index=False)
    return table


def _parsed(line: str) -> dict | None:
    """Read one line; a line torn by a kill is skipped, its notebook runs again anyway."""
    try:
        return json.loads(line)
    except ValueError:
        return None
