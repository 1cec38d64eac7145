"""What was executed: the notebooks of a study with title, question, status, and their parameters."""

import ast
import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from lib.study.paths import ROOT, StudyPaths


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
        return f"{self.name}.html"

    @property
    def stage(self) -> int:
        return int(self.name[:2])

    @property
    def stage_name(self) -> str:
        return self.name.split("-")[0][3:].replace("_", " ").capitalize()

    @property
    def pool(self) -> str:
        return self.name.partition("-")[2]


def executions(paths: StudyPaths, notebooks: Path = ROOT / "notebooks") -> list[Execution]:
    """List the executions of a study in order, then the notebooks that did not run.

    A half-done copy (<name>.failed.ipynb) is newer than a complete one of the same name, which it hides.
    """
    files = {file.stem: file for file in sorted(paths.notebooks.glob("[0-9][0-9]_*.ipynb")) if "." not in file.stem}
    files |= {file.name.removesuffix(".failed.ipynb"): file for file in sorted(paths.notebooks.glob("[0-9][0-9]_*.failed.ipynb"))}
    found = [_execution(name, file, paths) for name, file in files.items()]
    missing = [file for file in notebooks.glob("[0-9][0-9]_*.ipynb") if not any(e.name.split("-")[0] == file.stem for e in found)]
    found += [Execution(file.stem, file, "not run", *heading(read_cells(file))) for file in missing]
    return sorted(found, key=lambda execution: execution.name)


def study_beside(ipynb: Path) -> StudyPaths:
    """Take the folders of the study that an executed notebook lies in (runs/<study>/notebooks/)."""
    return StudyPaths(root=ipynb.parent.parent, reports=ipynb.parent.parent)


def step_record(paths: StudyPaths, name: str) -> dict:
    """Read what an execution recorded (parameters, facts, seconds), {} where it did not finish."""
    file = paths.state / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def read_cells(ipynb: Path) -> list[dict]:
    """Read the cells of a notebook, sources joined."""
    return _read_cells(ipynb, ipynb.stat().st_mtime_ns)


def heading(cells: list[dict]) -> tuple[str, str]:
    """Read title and question off the first text cell: its first heading, without a number, and the paragraph after it."""
    text = next((cell["source"] for cell in cells if cell["cell_type"] == "markdown" and cell["source"].lstrip().startswith("# ")), "")
    title, _, rest = text.lstrip().partition("\n")
    return re.sub(r"^\d+\W+", "", plain(title.lstrip("# "))), plain(next((part for part in re.split(r"\n\s*\n", rest.strip()) if part), ""))


def plain(markdown: str) -> str:
    """Strip the marks of emphasis, code and links from a line of Markdown."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"[*`]", "", " ".join(markdown.split())))


def first_error(cells: list[dict]) -> dict | None:
    """Find the output of the first error, with the number of its code cell."""
    for cell in cells:
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                return output | {"cell": cell.get("id", "")}
    return None


def is_drawn(cells: list[dict]) -> bool:
    """Tell whether the notebook's banner says that its faces are drawings."""
    texts = (output.get("text", "") for cell in cells for output in cell.get("outputs", []) if output["output_type"] == "stream")
    return any(line.startswith("drawings:") for text in texts for line in "".join(text).splitlines())


def parameters(cells: list[dict]) -> list[dict]:
    """List a notebook's parameters: name, value that it ran with, default, meaning (its comment)."""
    declared = next((cell["source"] for cell in cells if "parameters" in _tags(cell)), "")
    injected = next((cell["source"] for cell in cells if "injected-parameters" in _tags(cell)), "")
    given, defaults = _assignments(injected), _assignments(declared)
    meanings = {line.partition("=")[0].partition(":")[0].strip(): line.partition("#")[2].strip() for line in declared.splitlines()}
    return [
        {"name": name, "value": given.get(name, defaults.get(name)), "default": defaults.get(name), "meaning": meanings.get(name, "")}
        for name in dict.fromkeys([*defaults, *given])
    ]


def _tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def _assignments(source: str) -> dict:
    """Read assignments, `name = literal` or `name: type = literal`, without running them; what is no literal stays as it is written."""
    found = {}
    for node in ast.parse(source).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and node.value is not None:
            try:
                found[target.id] = ast.literal_eval(node.value)
            except ValueError:
                found[target.id] = ast.unparse(node.value)
    return found


def _execution(name: str, file: Path, paths: StudyPaths) -> Execution:
    cells = read_cells(file)
    if file.name.endswith(".failed.ipynb") or first_error(cells):
        status = "failed"
    else:
        status = "done" if (paths.state / f"{name}.json").exists() else "unfinished"
    return Execution(name, file, status, *heading(cells))


@functools.lru_cache(maxsize=64)
def _read_cells(ipynb: Path, _changed: int) -> list[dict]:
    cells = json.loads(ipynb.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]
