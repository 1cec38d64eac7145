"""What was executed: a study's notebooks with title, question and status, and their parameters."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lib.study.kept import read_record
from lib.study.notebooks import is_notebook, read_notebook
from lib.study.parameter_cells import TAG, TAG_INJECTED, assignments, comments_of, has_tag
from lib.study.parameter_rules import EMBEDDED_DATA
from lib.study.params import load_params, studies
from lib.study.paths import HALF_DONE, ROOT, RUNNING, StudyPaths
from lib.study.stages import STANDALONE, stage_of

ALL = "[0-9][0-9]_*"  # names of notebooks
DATA_NOTEBOOKS = ("10_data", "90_verdict")  # that read the real faces, and record of what kind


@dataclass(frozen=True)
class Execution:
    """One execution of one notebook, finished or not."""

    name: str  # 20_generation-dcgan
    ipynb: Path  # executed copy, half-done if it failed; the notebook itself if it did not run
    status: str  # done, failed, unfinished (no step.finish) or "not run"
    title: str
    question: str

    @property
    def page(self) -> str:
        """File of its page."""
        return f"{self.name}.html"

    @property
    def notebook(self) -> str:
        """Name of the notebook: 20_generation."""
        return self.name.split("-")[0]

    @property
    def stage(self) -> int:
        """Number of the notebook."""
        return stage_of(self.name)

    @property
    def stage_name(self) -> str:
        """The notebook in a word: Generation."""
        return self.notebook[3:].replace("_", " ").capitalize()

    @property
    def pool(self) -> str:
        """The pool that it was executed for, "" for none."""
        return self.name.partition("-")[2]


def executions(paths: StudyPaths, notebooks: Path = ROOT / "notebooks") -> list[Execution]:
    """List the executions of a study in order, and the notebooks that did not run.

    A half-done copy (<name>.failed.ipynb) is newer than a complete one of the same name, which it
    hides. A copy that a full disk cut off is none.
    """
    # Copies by the name of their execution; a half-done one takes the place of a complete one.
    copies = paths.notebooks.glob(f"{ALL}.ipynb")
    complete = [file for file in copies if not file.name.endswith((RUNNING, HALF_DONE))]
    half_done = paths.notebooks.glob(f"{ALL}{HALF_DONE}")
    files = {file.stem: file for file in complete}
    files |= {file.name.removesuffix(HALF_DONE): file for file in half_done}
    files = {name: file for name, file in files.items() if is_notebook(file)}
    listed = [_execution(name, file, paths) for name, file in files.items()]

    # Notebooks without a copy have a title and a question all the same; one that stands alone is
    # no part of other studies, and they none of its own.
    executed = {execution.notebook for execution in listed}
    known = [execution.stage for execution in listed] or _declared_stages(paths.study)
    alone = any(stage in STANDALONE for stage in known)
    for file in notebooks.glob(f"{ALL}.ipynb"):
        if file.stem not in executed and (stage_of(file.stem) in STANDALONE) == alone:
            listed.append(Execution(file.stem, file, "not run", *heading(read_cells(file))))
    return sorted(listed, key=lambda execution: in_order(execution.name))


def in_order(name: str) -> list:
    """Give the key by which names are sorted, their numbers as numbers: generation2 before
    generation10.
    """
    # Texts and numbers take turns, beginning with a text.
    return [int(part) if part.isdigit() else part for part in re.split("([0-9]+)", name)]


def study_beside(ipynb: Path) -> StudyPaths:
    """Take the folders of the study that an executed notebook lies in (runs/<study>/notebooks/)."""
    return StudyPaths(root=ipynb.parent.parent, reports=ipynb.parent.parent)


def step_record(paths: StudyPaths, name: str) -> dict:
    """Read what an execution recorded (parameters, facts, seconds), {} where it did not finish."""
    return read_record(paths, name) or {}


def embedded_data(paths: StudyPaths, cells: list[dict] = ()) -> str:
    """Tell which data of the project's own the faces are: drawn, digits, or "" for the user's.

    Args:
        paths: of the study, whose notebook 10 recorded it.
        cells: of a notebook, whose own parameter comes first.
    """
    # A notebook that does not declare `data` runs on what notebook 10 read.
    records = [step_record(paths, name) for name in DATA_NOTEBOOKS]
    recorded = next((record["parameters"].get("data", "") for record in records if record), "")
    own = {row["name"]: row["value"] for row in parameters(cells)}
    data = own.get("data") or recorded
    return data if data in EMBEDDED_DATA else ""


def read_cells(ipynb: Path) -> list[dict]:
    """Read the cells of a notebook, sources joined."""
    return _read_cells(ipynb, ipynb.stat().st_mtime_ns)


def heading(cells: list[dict]) -> tuple[str, str]:
    """Read title and question off the first text cell.

    Returns:
        Its first heading, without a number, and the paragraph after it.
    """
    # The first cell that opens with a heading of the first level.
    texts = [cell["source"].lstrip() for cell in cells if cell["cell_type"] == "markdown"]
    text = next((text for text in texts if text.startswith("# ")), "")
    title, _, rest = text.partition("\n")

    # "10 · Data" is "Data": the number stands beside it on every page.
    paragraphs = [part for part in re.split(r"\n\s*\n", rest.strip()) if part]
    without_number = re.sub(r"^\d+\W+", "", plain(title.lstrip("# ")))
    return without_number, plain(paragraphs[0]) if paragraphs else ""


def plain(markdown: str) -> str:
    """Strip the marks of emphasis, code and links from a line of Markdown."""
    # **bold**, `code`, [link](address).
    text = re.sub(r"[*`]", "", " ".join(markdown.split()))
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


def first_error(cells: list[dict]) -> dict | None:
    """Find the output of the first error, with the id of its code cell."""
    for cell in cells:
        # The first one is the cause; later cells did not run.
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                return output | {"cell": cell.get("id", "")}
    return None


def parameters(cells: list[dict]) -> list[dict]:
    """List a notebook's parameters: name, value that it ran with, default, meaning (comment)."""
    declared = next((cell["source"] for cell in cells if has_tag(cell, TAG)), "")
    injected = next((cell["source"] for cell in cells if has_tag(cell, TAG_INJECTED)), "")

    # papermill's cell says what the notebook ran with, the tagged one what it would by hand.
    given, defaults = assignments(injected), assignments(declared)
    meanings = comments_of(declared)
    rows = []
    for name in dict.fromkeys([*defaults, *given]):
        default = defaults.get(name)
        row = {"name": name, "value": given.get(name, default), "default": default}
        rows.append(row | {"meaning": meanings.get(name, "")})
    return rows


def ready_made_words(executions: Iterable[Execution]) -> str:
    """Read what a study's ready-made images are called off its notebooks; "" where none says it."""
    rows = (row for one in executions for row in parameters(read_cells(one.ipynb)))
    words = (row["value"] for row in rows if row["name"] == "synthetic_name")
    return next(filter(None, words), "")


def _declared_stages(study: str) -> list[int]:
    """Read which notebooks a study's file asks for; empty for those of most studies."""
    return load_params(study)["stages"] if study in studies() else []


def _execution(name: str, file: Path, paths: StudyPaths) -> Execution:
    """Describe an executed copy."""
    cells = read_cells(file)
    # Done is what recorded itself in step.finish.
    status = "done" if read_record(paths, name) else "unfinished"
    if file.name.endswith(HALF_DONE) or first_error(cells):
        status = "failed"
    return Execution(name, file, status, *heading(cells))


@functools.lru_cache(maxsize=64)
def _read_cells(ipynb: Path, _changed: int) -> list[dict]:
    """Read a notebook once for each time that it changed."""
    return read_notebook(ipynb)["cells"]
