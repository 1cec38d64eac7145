"""The plan of a study: which notebook runs with which values, what it depends on, and whether it is done."""

import functools
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.fingerprints import code_digest, imported_modules, notebook_modules
from lib.study.machine import package_versions
from lib.study.params import PARAMS, check_notebook, load_params, read_yaml
from lib.study.paths import ROOT, StudyPaths, study_paths
from lib.study.records import content_hash, file_digest, output_unchanged, read_json
from lib.study.stages import CURATION, FINDINGS, PER_POOL, UPSTREAM, stage_of

SOURCES = ("data", "ferplus", "synthetic", "review_csv", "face_model")  # parameters that name files of the user
NOT_IN_KEY = ("output", "workers", "cluster")  # where and how fast, not what


@dataclass(frozen=True)
class Task:
    """One execution of one notebook."""

    name: str  # 20_generation-drawn-narrow
    notebook: Path
    stage: int
    pool: str
    values: dict  # what papermill injects: the keys that the notebook declares
    params: dict  # all of them
    paths: StudyPaths
    upstream: tuple[str, ...]  # names of all tasks before it, directly or not

    @property
    def executed(self) -> Path:
        return self.paths.notebooks / f"{self.name}.ipynb"

    @property
    def page(self) -> Path:
        return self.paths.reports / f"{self.name}.html"

    @property
    def done(self) -> Path:
        return self.paths.state / f"{self.name}.done.json"


def plan_tasks(study: str, sets: tuple = (), *, notebooks: Path = ROOT / "notebooks") -> list[Task]:
    """Lay out every execution of a study, in order, with its resolved values checked.

    Raises:
        StudyError: a parameter, a notebook's parameters cell or a path of the user that is wrong.
    """
    params = load_params(study, sets)
    base = read_yaml(ROOT / "params" / "base.yaml")
    _check_sources(params, sets)
    paths = study_paths(study, params["output"])
    earlier, tasks = earlier_rounds({pool: load_params(study, sets, pool)["round_of"] for pool in params["pools"]}), []
    for file in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        declared = check_notebook(file, base)
        stage = stage_of(file.stem)
        if stage not in UPSTREAM:
            raise StudyError(f"{file.name}: no stage {stage}; stages: {', '.join(map(str, UPSTREAM))}")
        for pool in params["pools"] if stage in PER_POOL else [""]:
            values = load_params(study, sets, pool) if pool else params
            name = f"{file.stem}-{pool}" if pool else file.stem
            tasks.append(Task(name, file, stage, pool, {key: values[key] for key in declared}, values, paths, ()))
    tasks.sort(key=lambda task: (task.stage > CURATION, len(earlier.get(task.pool, ())), task.stage))
    return [replace(task, upstream=tuple(t.name for t in tasks if _is_before(t, task, earlier))) for task in tasks]


def earlier_rounds(before: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """List for each pool the pools of all rounds before it, the latest first.

    Args:
        before: for each pool of the study the pool of the round before it, "" for a first round.

    Raises:
        StudyError: a round before that is no pool of the study, or pools that wait for each other.
    """
    earlier = {}
    for pool in before:
        chain = [pool]
        while before[chain[-1]]:
            last, first = chain[-1], before[chain[-1]]
            if first not in before:
                raise StudyError(
                    f"pool {last}: round_of is {first!r}, which is not among the study's pools; add it: --set "
                    f"pools={','.join([first, *before])}"
                )
            if first in chain:
                raise StudyError(
                    f"pool {last}: round_of is {first!r}, which itself waits for {last}; the first round has an empty round_of"
                )
            chain.append(first)
        earlier[pool] = tuple(chain[1:])
    return earlier


def select(tasks: list[Task], only: str) -> list[Task]:
    """Pick tasks by stage: "40,50" or "40-60"; empty picks all.

    Raises:
        StudyError: not a list of stages.
    """
    if not only:
        return tasks
    stages, known = set(), sorted({task.stage for task in tasks})
    for part in only.split(","):
        if not re.fullmatch(r"\d+(-\d+)?", part.strip()):
            raise StudyError(f"--only {only}: write stages as 40,50 or 40-60")
        first, _, last = part.strip().partition("-")
        span = [stage for stage in known if int(first) <= stage <= int(last or first)]
        if not span:
            raise StudyError(f"--only {only}: no notebook {part.strip()}; there are {', '.join(map(str, known))}")
        stages.update(span)
    return [task for task in tasks if task.stage in stages]


def key_parts(task: Task) -> dict:
    """Collect everything that can change a task's outcome, in parts that can be named to a reader.

    Raises:
        StudyError: an upstream task that has not finished.
    """
    cells = json.loads(task.notebook.read_text(encoding="utf-8"))["cells"]
    sources = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    modules = notebook_modules("\n".join(source for kind, source in sources if kind == "code"))
    values = {key: value for key, value in task.values.items() if key not in NOT_IN_KEY}
    return {
        "notebook": content_hash(sources),
        "parameters": values,
        "sources": {key: source_identity(values[key]) for key in SOURCES if values.get(key)} | review_identity(task) | stated(task),
        "code": {name: code_digest(name) for name in sorted(imported_modules(*modules))},
        "packages": package_versions(),
        "upstream": {name: upstream_digest(task.paths, name) for name in task.upstream},
    }


def stated(task: Task) -> dict:
    """Hash what the findings read beside the parameters: the claims, the reported numbers, the rehearsals; nothing for other tasks."""
    files = sorted(PARAMS.glob("*.csv")) + [PARAMS / "claims.yaml", PARAMS / "reported.yaml"] if task.stage == FINDINGS else []
    return {file.name: file_digest(file) for file in files}


def why_to_run(task: Task, parts: dict) -> str:
    """Say in a few words why a task must run; empty when it is done and nothing changed."""
    if not task.done.exists():
        return "not run yet"
    done = read_json(task.done)
    for part, now in parts.items():
        before = done["parts"].get(part)
        if before != json.loads(json.dumps(now)):
            return f"changed {part}{_differing(before, now)}"
    changed = [name for name, record in done["outputs"].items() if not output_unchanged(task.paths.root / name, record)]
    if changed:
        return f"{changed[0]} is not what it wrote"
    return "" if task.executed.exists() else "executed notebook missing"


def upstream_digest(paths: StudyPaths, name: str) -> str:
    """Hash what a finished task wrote."""
    done = paths.state / f"{name}.done.json"
    if not done.exists():
        raise StudyError(f"{name} has not finished; run it first: --only {stage_of(name)}, or leave --only out")
    return content_hash({file: record["sha256"] for file, record in read_json(done)["outputs"].items()})


@functools.cache
def source_identity(path: str) -> list:
    """Identify the user's data cheaply: path, size and time; for a folder the number of files and the newest time."""
    if path == "drawn":
        return [path]
    if os.path.isfile(path):
        return [path, os.path.getsize(path), os.stat(path).st_mtime_ns]
    times = [entry.stat().st_mtime_ns for folder, _, _ in os.walk(path) for entry in os.scandir(folder) if entry.is_file()]
    return [path, len(times), max(times, default=0)]


def review_identity(task: Task) -> dict:
    """Identify a person's decisions about the pool that a task curates, by their content; nothing while there are none."""
    file = task.paths.review(task.pool)
    return {"review": file_digest(file)} if task.stage == CURATION and not task.values.get("review_csv") and file.exists() else {}


def _check_sources(params: dict, sets: tuple) -> None:
    """Stop before any kernel where the user's data is not named or not there."""
    if not params["data"]:
        raise StudyError(f"study {params['study']} needs real faces: give --data PATH (folder, zip, csv or parquet)")
    if "folder" in params["pools"] and not params["synthetic"]:
        raise StudyError(f"study {params['study']} has the pool 'folder': give --synthetic PATH of ready-made images")
    for values in (params, *(load_params(params["study"], sets, pool) for pool in params["pools"])):
        for key in SOURCES:
            if values[key] and values[key] != "drawn" and not os.path.exists(values[key]):
                raise StudyError(f"{key}: {values[key]}: no such file or folder")


def _ancestors(stage: int) -> set[int]:
    return {a for parent in UPSTREAM[stage] for a in (parent, *_ancestors(parent))}


def _is_before(one: Task, other: Task, earlier: dict[str, tuple[str, ...]]) -> bool:
    """Tell whether a task must have finished before another, directly or not: a pool waits for itself and for its earlier rounds."""
    if other.pool and one.pool in earlier[other.pool]:
        return True
    return one.stage in _ancestors(other.stage) and (not other.pool or one.pool in ("", other.pool))


def _differing(before, now) -> str:
    """Name the first entry that differs."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return ""
    key = next(key for key in [*now, *before] if before.get(key) != json.loads(json.dumps(now.get(key))))
    values = f" from {before.get(key)} to {now.get(key)}" if not isinstance(now.get(key), str) or len(str(now.get(key))) < 40 else ""
    return f": {key}{values}"
