"""Shared by all tests: few threads, no windows, and a toy project whose notebooks take a second."""

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

TOY_REPORT = '''"""Stands in for the real pages."""


def render_study(paths):
    paths.reports.mkdir(parents=True, exist_ok=True)
    (paths.reports / "index.html").write_text(" ".join(sorted(file.stem for file in paths.notebooks.glob("*.ipynb"))))
'''
TOY_PARAMETERS = 'study: str = "quick"\noutput: str = ""\nseed: int = 0'


@dataclass(frozen=True)
class Toy:
    """A copy of the machinery with notebooks of its own."""

    root: Path

    def notebook(self, name: str, body: str, parameters: str = TOY_PARAMETERS, tags: tuple = ("parameters",)) -> Path:
        """Write a notebook: parameters cell, then one code cell a paragraph of the body."""
        cells = [_cell(0, parameters, list(tags)), *(_cell(i + 1, text, []) for i, text in enumerate(body.strip().split("\n\n")))]
        path = self.root / "notebooks" / f"{name}.ipynb"
        kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n")
        return path

    def stage(self, name: str, text: str = "1", pool: bool = False) -> Path:
        """Write a notebook that records one file holding `text` (a Python expression that may use the parameters)."""
        given = f'step = begin("NAME", study=study, output=output{", pool=pool" if pool else ""})'
        target = 'step.paths.pool(pool) / "NAME.txt"' if pool else 'step.paths.tables / "NAME.txt"'
        body = f"from lib.study.records import atomic_write, begin\n{given}\n\n"
        body += f"with atomic_write({target}, 'w') as file:\n    file.write(str({text}))\n\nstep.finish([{target}])"
        return self.notebook(name, body.replace("NAME", name), TOY_PARAMETERS + ('\npool: str = "drawn-faithful"' if pool else ""))

    def run(self, *words: str, **more) -> subprocess.CompletedProcess:
        """Call run_all.py of the toy and wait."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=180, env=self.environment(), **more)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(self.root / "run_all.py"), *words]

    def environment(self) -> dict:
        return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "STUDY_THREADS", "STUDY_STEP")}

    def outputs(self, pattern: str = "**/*.txt") -> dict:
        """Map the files that the notebooks wrote to (text, time of change)."""
        return {p.name: (p.read_text(), p.stat().st_mtime_ns) for p in sorted((self.root / "runs").glob(pattern))}


def _cell(number: int, source: str, tags: list) -> dict:
    lines = source.splitlines(keepends=True)
    metadata = {"tags": tags} if tags else {}
    return {"cell_type": "code", "execution_count": None, "id": f"cell-{number:02}", "metadata": metadata, "outputs": [], "source": lines}


@pytest.fixture
def toy(tmp_path) -> Toy:
    """A project with the real machinery and parameters, no notebooks and toy pages."""
    root = tmp_path / "project"
    shutil.copytree(ROOT / "lib" / "study", root / "lib" / "study", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "params", root / "params")
    (root / "notebooks").mkdir()
    for name in ("run_all.py", "environment.yml", "pyproject.toml", "lib/__init__.py"):
        shutil.copy(ROOT / name, root / name)
    (root / "lib" / "report.py").write_text(TOY_REPORT)
    return Toy(root)
