"""Shared by all tests: few threads, no windows, and a toy project whose notebooks take a second."""

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

from lib.study.machine import INTERRUPTS  # noqa: E402
from lib.study.notebooks import quick_imports  # noqa: E402

with quick_imports():
    import nbformat  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))  # for modules that several folders of tests share

# Whoever started the tests may have put Ctrl-C off (a shell's background job, nohup), and runs
# that tests stop would inherit that.
for _number in INTERRUPTS:
    if signal.getsignal(_number) == signal.SIG_IGN:
        is_ctrl_c = _number == signal.SIGINT
        signal.signal(_number, signal.default_int_handler if is_ctrl_c else signal.SIG_DFL)

TOY_REPORT = '''"""Stands in for the real pages."""


def render_study(paths):
    paths.reports.mkdir(parents=True, exist_ok=True)
    names = sorted(file.stem for file in paths.notebooks.glob("*.ipynb"))
    (paths.reports / "index.html").write_text(" ".join(names))
'''
TOY_PARAMETERS = 'study: str = "quick"\noutput: str = ""\nwrite: bool = False\nseed: int = 0'
# A notebook that records one file; NAME, FOLDER and TEXT are filled in.
TOY_BODY = """
from lib.study.records import atomic_write
from lib.study.step import begin
step = begin("NAME", globals())
target = FOLDER / "NAME.txt"

with atomic_write(target, "w") as file:
    file.write(str(TEXT))

step.finish([target])
"""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class Toy:
    """A copy of the machinery with notebooks of its own."""

    root: Path

    def notebook(
        self, name: str, body: str, parameters: str = TOY_PARAMETERS, tags: tuple = ("parameters",)
    ) -> Path:
        """Write a notebook: the parameters cell, then one code cell a paragraph of the body."""
        paragraphs = enumerate(body.strip().split("\n\n"), 1)
        cells = [_cell(0, parameters, list(tags))]
        cells += [_cell(number, text, []) for number, text in paragraphs]
        book = {"cells": cells, "metadata": {"kernelspec": KERNEL}}
        book |= {"nbformat": 4, "nbformat_minor": 5}
        path = self.root / "notebooks" / f"{name}.ipynb"
        path.write_text(json.dumps(book, indent=1) + "\n")
        return path

    def stage(self, name: str, text: str = "1", pool: bool = False, seed: bool = True) -> Path:
        """Write a notebook that records one file.

        Args:
            text: what the file holds, a Python expression that may use the parameters.
            pool: the notebook runs once a pool, whose folder holds the file.
            seed: the notebook has the parameter seed.
        """
        folder = "step.paths.pool(pool)" if pool else "step.paths.tables"
        body = TOY_BODY.replace("NAME", name).replace("FOLDER", folder).replace("TEXT", text)
        parameters = TOY_PARAMETERS if seed else TOY_PARAMETERS.replace("\nseed: int = 0", "")
        if pool:
            parameters += '\npool: str = "drawn-faithful"'
        return self.notebook(name, body, parameters)

    def run(self, *words: str, **more) -> subprocess.CompletedProcess:
        """Call run_all.py of the toy and wait."""
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            timeout=180,
            env=self.environment(),
            **more,
        )

    def command(self, *words: str) -> list[str]:
        """The command line of the toy's run_all.py."""
        return [sys.executable, str(self.root / "run_all.py"), *words]

    def by_hand(self, *words: str) -> subprocess.CompletedProcess:
        """Run a command in the toy's folder, whose lib is the one that is imported."""
        environment = self.environment() | {"PYTHONPATH": str(self.root)}
        return subprocess.run(
            words, cwd=self.root, env=environment, capture_output=True, text=True, timeout=120
        )

    def environment(self) -> dict:
        """The environment without what would find the real project."""
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def outputs(self, pattern: str = "**/*.txt") -> dict:
        """Map the files that the notebooks wrote to (text, time of change)."""
        files = sorted((self.root / "runs").glob(pattern))
        return {file.name: (file.read_text(), file.stat().st_mtime_ns) for file in files}


def _cell(number: int, source: str, tags: list) -> dict:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"cell-{number:02}",
        "metadata": {"tags": tags} if tags else {},
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


@pytest.fixture
def toy(tmp_path) -> Toy:
    """A project with the real machinery and parameters, no notebooks and toy pages."""
    root = tmp_path / "project"
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lib" / "study", root / "lib" / "study", ignore=without_caches)
    shutil.copytree(ROOT / "params", root / "params")
    (root / "notebooks").mkdir()
    for name in ("run_all.py", "environment.yml", "pyproject.toml", "lib/__init__.py"):
        shutil.copy(ROOT / name, root / name)
    (root / "lib" / "report.py").write_text(TOY_REPORT)
    return Toy(root)
