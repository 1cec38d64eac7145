"""`run_all.py --open`: a notebook with a study's own values, in JupyterLab."""

import datetime
import os
import re
import sys
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.explore import explored_paths
from lib.study.kept import read_record, recorded_executions
from lib.study.notebooks import is_notebook, quick_imports, read_notebook
from lib.study.parameter_cells import declared_parameters
from lib.study.params import load_params, shown
from lib.study.paths import ROOT, StudyPaths, study_paths
from lib.study.records import atomic_write
from lib.study.stages import PER_POOL, stage_of


def open_notebook(study: str, asked: str, sets: tuple[str, ...], browser: bool) -> int:
    """Write a copy of a notebook with a study's values, and open JupyterLab on it.

    Args:
        study: name of the study.
        asked: stage, 80, or stage and pool, 20-dcgan.
        sets: "key=value" strings of the command line, which win over the study's values.
        browser: whether to start JupyterLab; this process becomes it.

    Returns:
        Exit status, where no JupyterLab is started.

    Raises:
        StudyError: no such notebook or pool; a study that never ran; a wrong parameter.
    """
    params = load_params(study, sets)
    paths = study_paths(study, params["output"])
    recorded = recorded_executions(paths)
    if not recorded:
        raise StudyError(
            f"--open {asked}: study {study} has not run in {shown(paths.root)}, so there is "
            f"nothing to open; run it first: run_all.py --study {study}"
        )
    notebook, pool = _notebook(asked, recorded)
    values = study_values(paths, notebook, pool, sets)

    # An earlier copy that somebody worked in stays.
    name = f"{notebook.stem}-{pool}" if pool else notebook.stem
    target = explored_paths(paths).root / f"{name}.ipynb"
    text = with_parameters(notebook, values)
    if not _is_copy(target, text):
        _set_earlier_aside(target)
        with atomic_write(target, "w") as file:
            file.write(text)
    print(target, flush=True)
    return _start(target) if browser else 0


def study_values(paths: StudyPaths, notebook: Path, pool: str, sets: tuple[str, ...]) -> dict:
    """Collect the values that a notebook's parameters have in a study.

    They are those that its execution recorded; where it has not run yet, those of the study's other
    executions, such as the path of the data, and for the rest those of the study's files.

    Args:
        paths: of the study.
        notebook: its file.
        pool: "" where it runs once a study.
        sets: "key=value" strings that win over all.
    """
    # Everything checked, also what is set.
    study = paths.root.name
    given = load_params(study, sets, pool or None)
    values = dict(given)
    own = f"{notebook.stem}-{pool}" if pool else notebook.stem
    names = [name for name in recorded_executions(paths) if "-" not in name]
    for name in [*names, own]:
        values |= (read_record(paths, name) or {}).get("parameters", {})

    # What is set wins, and the copy never writes into the study.
    values |= {key: given[key] for key in (text.partition("=")[0].strip() for text in sets)}
    values |= {"study": study, "output": given["output"], "write": False}
    return {key: values[key] for key in declared_parameters(notebook)}


def with_parameters(notebook: Path, values: dict) -> str:
    """Write a notebook's text with values in the cell that papermill injects, without outputs."""
    with quick_imports():
        import nbformat
        from papermill.iorw import load_notebook_node
        from papermill.parameterize import parameterize_notebook

    # In nbformat's own form, as JupyterLab would write it.
    book = parameterize_notebook(load_notebook_node(str(notebook)), values)
    for cell in book.cells:
        cell.metadata.pop("papermill", None)
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    book.metadata.pop("papermill", None)
    return nbformat.writes(book) + "\n"


def _notebook(asked: str, recorded: list[str]) -> tuple[Path, str]:
    """Find the notebook and the pool that are asked for.

    Args:
        asked: 80, or 20-dcgan.
        recorded: names of the study's executions.
    """
    # A notebook by its number.
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    by_stage = {str(stage_of(file.stem)): file for file in notebooks}
    stage, _, pool = re.sub(r"^(\d+)_[a-z]+", r"\1", asked.strip()).partition("-")
    if stage not in by_stage:
        there = ", ".join(by_stage)
        raise StudyError(f"--open {asked}: no notebook {stage!r}; there are {there}")

    # And the pool, where it runs once a pool; a study of one pool leaves no choice.
    notebook = by_stage[stage]
    if int(stage) not in PER_POOL:
        if pool:
            raise StudyError(f"--open {asked}: notebook {stage} runs once a study: --open {stage}")
        return notebook, ""
    pools = [name.partition("-")[2] for name in recorded if name.startswith(f"{notebook.stem}-")]
    if not pool and len(pools) == 1:
        pool = pools[0]
    if pool not in pools:
        choices = ", ".join(f"{stage}-{name}" for name in pools) or "none has run yet"
        raise StudyError(f"--open {asked}: notebook {stage} runs once a pool; choose: {choices}")
    return notebook, pool


def _is_copy(target: Path, text: str) -> bool:
    """Tell whether a file holds the cells that are to be written, whatever their outputs are."""
    if not target.exists() or not is_notebook(target):
        return False
    with quick_imports():
        import nbformat

    wanted = nbformat.reads(text, as_version=4).cells
    there = read_notebook(target)["cells"]
    pair = [[(cell["cell_type"], cell["source"]) for cell in cells] for cells in (wanted, there)]
    return pair[0] == pair[1]


def _set_earlier_aside(target: Path) -> None:
    """Rename an earlier copy with other cells: it may hold somebody's work."""
    if target.exists():
        changed = datetime.datetime.fromtimestamp(target.stat().st_mtime)
        earlier = target.with_name(f"{target.stem}-{changed:%Y%m%d-%H%M%S}.ipynb")
        os.replace(target, earlier)
        print(f"note: an earlier copy with other cells is now {earlier.name}")


def _start(notebook: Path) -> int:
    """Become JupyterLab on a notebook, with this project's lib first on its path."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    variables = {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    command = [sys.executable, "-m", "jupyterlab", str(notebook)]
    os.execve(sys.executable, command, os.environ | variables)
    return 0
