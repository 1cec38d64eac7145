"""How executions end, and how far they are: what a failure says, which cells are complete."""

import re
from dataclasses import dataclass
from pathlib import Path

from lib.study.errors import FOR_USERS, StudyError
from lib.study.notebooks import read_notebook
from lib.study.parameter_cells import TAG_INJECTED, has_tag
from lib.study.plan import Task

LONGEST_LINE = 200  # characters of a notebook's own last line
LONGEST_MESSAGE = 600  # characters of an error

SECTION = re.compile(r"#{2,3} ")  # how the heading of a section begins
BEGIN = re.compile(r"\bbegin\(")  # the call that prints a notebook's banner


@dataclass
class Outcome:
    """How a task ended."""

    status: str  # done, kept (nothing changed), failed or skipped
    seconds: float = 0.0
    cells: str = ""  # 7/9 cells
    detail: str = ""  # for people: what failed, or what was missing
    is_mistake: bool = False  # failed for a reason that its detail says all about, to users

    @property
    def is_missing(self) -> bool:
        """Whether what depends on the task cannot run."""
        return self.status in ("failed", "skipped")

    @property
    def has_page(self) -> bool:
        """Whether there is more to read about the task than was printed."""
        return self.status != "skipped" and not self.is_mistake


def cell_counts(executed: Path) -> tuple[int, int]:
    """Count the code cells of a notebook under way that are complete, and all of them.

    The cell that papermill adds does not count; (0, 0) where the copy cannot be read yet.
    """
    try:
        cells = read_notebook(executed)["cells"]
    except StudyError:
        return 0, 0

    # papermill notes in each cell how far it is.
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    cells = [cell for cell in cells if not has_tag(cell, TAG_INJECTED)]
    states = [cell["metadata"].get("papermill", {}).get("status") for cell in cells]
    return states.count("completed"), len(cells)


def under_way(executed: Path) -> str:
    """Say what a notebook is doing: the last line that it printed, else the heading above the cell
    that runs; "starting" before its first heading of a section, "" where it cannot be read.
    """
    try:
        cells = read_notebook(executed)["cells"]
    except StudyError:
        return ""

    # What a cell under a heading has printed; the banner says what a notebook is, not what it does.
    heading, lines = "starting", []
    for cell in cells:
        if cell["cell_type"] == "markdown":
            found = [line for line in cell["source"].splitlines() if SECTION.match(line)]
            heading, lines = (found[-1].lstrip("# "), []) if found else (heading, lines)
        elif not BEGIN.search(cell["source"]):
            streams = [o for o in cell.get("outputs", []) if o["output_type"] == "stream"]
            for stream in streams:
                lines += "".join(stream["text"]).split("\n")
        if cell["metadata"].get("papermill", {}).get("status") == "running":
            break

    # A bar that moves begins its line anew.
    shown = [line.rpartition("\r")[2].strip() for line in lines]
    return next((line[:LONGEST_LINE] for line in reversed(shown) if line), heading)


def failure_text(task: Task, result: dict, done: int, total: int) -> str:
    """Put a failure into words: a sentence for users stands alone; of any other error five lines
    say where, what, which line, the copy, and what to do.

    Args:
        result: error, message, line and copy, as `lib.study.execution.execute` reports them.
        done, total: code cells, of `cell_counts`.
    """
    message = " ".join(result["message"].split())[:LONGEST_MESSAGE]
    if result["error"] in FOR_USERS:
        return f"{task.name}: {message}\n  put that right and run again: finished work is kept"
    where = f"{task.name} failed:"
    if done < total:
        where = f"{task.name} failed in code cell {done + 1} of {total}:"

    # Of an error that nobody foresaw the line helps.
    line = f"  at: {result['line'][:120]}" if result["line"] else "  at: (see the copy)"
    if not total and not result["line"]:
        line = "  before its first cell"
    lines = [
        where,
        f"  {result['error']}: {message}",
        line,
        f"  half-done copy: {result['copy'] or 'none'}",
        "  to do: repair the cause and give the same command again; finished notebooks are kept",
    ]
    return "\n".join(lines)
