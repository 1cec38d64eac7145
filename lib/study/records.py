"""What a run leaves behind: atomic files, hashes, and one record a notebook of what it wrote."""

import contextlib
import errno
import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.fingerprints import code_digest  # noqa: F401  (part of this module's contract)
from lib.study.machine import environment_facts, thread_environment
from lib.study.params import declared_parameters, load_params
from lib.study.paths import ROOT, StudyPaths, study_paths
from lib.study.stages import default_threads


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "wb"):
    """Open a file that appears under its name only when complete.

    Raises:
        StudyError: no space left on the disk; nothing half-written stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StudyError(f"{path}: no space left on the disk; free some and run again, finished work is kept") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, obj) -> None:
    """Write a JSON file atomically."""
    with atomic_write(path, "w") as file:
        json.dump(obj, file, indent=1, default=_plain)
        file.write("\n")


def read_json(path: Path):
    """Read a JSON file.

    Raises:
        StudyError: file missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read as JSON ({type(error).__name__}); remove it and run again") from None


def append_jsonl(path: Path, rows: list[dict]) -> None:
    """Append one JSON line a row in a single write; a line torn by an earlier kill is closed first."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, default=_plain) + "\n" for row in rows)
    with open(path, "ab+") as file:
        if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
            text = "\n" + text
        file.write(text.encode())


def content_hash(obj) -> str:
    """Hash plain data (dicts, lists, numbers, text, paths, numpy scalars) through its canonical JSON."""
    return hashlib.sha256(json.dumps(obj, sort_keys=True, separators=(",", ":"), default=_plain).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Hash the content of a file (sha256, hex)."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Step:
    """One execution of one notebook, from begin to finish."""

    name: str  # 20_generation-drawn-narrow
    paths: StudyPaths
    parameters: dict
    facts: dict
    began: float  # seconds since 1970

    def finish(self, outputs: list[Path]) -> None:
        """Record what the notebook wrote, with digests; the last call of every notebook.

        Args:
            outputs: files, or folders that stand for all files in them that no other notebook recorded.

        Raises:
            StudyError: an output that does not exist.
        """
        record = {"step": self.name, "parameters": self.parameters, "facts": self.facts, "seconds": round(time.time() - self.began, 1)}
        names = set(output_names(self.paths, outputs)) - _others_outputs(self.paths, self.name)
        record["outputs"] = {name: output_record(self.paths.root / name) for name in sorted(names)}
        write_json(self.paths.state / f"{self.name}.json", record)
        print(f"{self.name}: {len(record['outputs'])} files recorded in {record['seconds']:.0f} s")


def begin(notebook: str, *, study: str, output: str = "", pool: str = "") -> Step:
    """Start a notebook: print its banner and remember when, where and with what it ran.

    Args:
        notebook: name of the notebook without .ipynb.
        study, output, pool: the notebook's own parameters of these names.
    """
    name = f"{notebook}-{pool}" if pool else notebook
    paths, facts = study_paths(study, output), environment_facts()
    parameters = _caller_parameters(notebook, sys._getframe(1).f_globals)
    if "STUDY_THREADS" not in os.environ:  # by hand: as many threads as run_all.py would give
        _limit_threads(default_threads(notebook, load_params(study)))
    os.environ["STUDY_STEP"] = name
    changed = " + uncommitted changes" if facts["dirty"] else ""
    cores = f"{facts['cores']} core{'s' * (facts['cores'] != 1)}"
    print(f"study {study} · {name} · commit {facts['commit']}{changed} · {facts['device']}, {cores}")
    if _data_of(parameters, paths, study) == "drawn":
        print("drawings: these numbers are about drawn faces, not about photographs of people")
    return Step(name, paths, parameters, facts, time.time())


def _others_outputs(paths: StudyPaths, name: str) -> set[str]:
    """Name the files that other notebooks recorded, and the table that all of them share."""
    records = [path for path in paths.state.glob("[0-9][0-9]_*.json") if path.name not in (f"{name}.json", f"{name}.done.json")]
    return {"tables/results.parquet"}.union(*(read_json(path).get("outputs", {}) for path in records))


def output_names(paths: StudyPaths, outputs: list[Path]) -> list[str]:
    """Spell outputs out as files, relative to the study's folder, sorted."""
    names = set()
    for output in map(Path, outputs):
        if not output.exists():
            raise StudyError(f"{output}: recorded as an output, but not there")
        files = [p for p in output.rglob("*") if p.is_file()] if output.is_dir() else [output]
        names.update(os.path.relpath(file, paths.root) for file in files if not file.name.endswith(".tmp"))
    return sorted(names)


def output_record(path: Path) -> dict:
    """Describe a file so that a later change is noticed: size, time of change, digest."""
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": file_digest(path)}


def output_unchanged(path: Path, record: dict) -> bool:
    """Tell whether a file still is what was recorded; reads it only if size or time differ."""
    try:
        stat = path.stat()
    except OSError:
        return False
    if stat.st_size != record["size"]:
        return False
    return stat.st_mtime_ns == record["mtime_ns"] or file_digest(path) == record["sha256"]


def _caller_parameters(notebook: str, variables: dict) -> dict:
    """Collect the values of a notebook's declared parameters from its own variables."""
    path = ROOT / "notebooks" / f"{notebook}.ipynb"
    return {key: variables[key] for key in declared_parameters(path) if key in variables} if path.exists() else {}


def _data_of(parameters: dict, paths: StudyPaths, study: str) -> str:
    """Name the source of the real faces: this notebook's own parameter, else what notebook 10 recorded."""
    first = paths.state / "10_data.json"
    recorded = read_json(first)["parameters"] if first.exists() else {}
    return parameters.get("data") or recorded.get("data") or load_params(study)["data"]


def _limit_threads(threads: int) -> None:
    """Keep this process to so many threads, in libraries loaded already and later."""
    os.environ.update(thread_environment(threads))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)


def _plain(value):
    """Make JSON of what is nearly plain: numpy scalars and arrays, paths, sets."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
