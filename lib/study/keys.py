"""Whether an execution still holds: what it was made from, compared with what is there now."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from lib.study.errors import DamagedFile, StudyError
from lib.study.fingerprints import (
    arithmetic_versions,
    imported_modules,
    is_versions_module,
    module_digest,
    notebook_modules,
)
from lib.study.kept import DONE, has_outputs, read_record, read_sealed
from lib.study.machine import package_versions
from lib.study.notebooks import is_notebook, read_notebook
from lib.study.params import PARAMS
from lib.study.paths import StudyPaths
from lib.study.plan import Task
from lib.study.records import content_hash, file_digest, output_unchanged
from lib.study.sources import are_same, source_identities
from lib.study.stages import CURATION, FINDINGS, GENERATION, METRICS, stage_of

# Where and how fast a notebook runs, not what it computes.
NOT_IN_KEY = ("output", "write", "workers", "cluster")
# Files of params/ that a stage reads beside its parameters.
READ_BESIDE = {GENERATION: ("prompts.yaml",), FINDINGS: ("*.csv", "claims.yaml", "reported.yaml")}
GENERATOR_VERSION = "GENERATOR_VERSION"  # in lib/generators/versions.py, a number a generator
# Changes of the page alone: what takes hours has a key of its own, and is not repeated.
PAGE_ALONE = ("notebook", "code")
DIGEST = re.compile(r"[0-9a-f]{40}")  # is not shown
KEPT = "the page is written anew, finished trainings are kept"


@dataclass(frozen=True)
class Reason:
    """Why a task has to run."""

    kind: str  # a part of the key, or "not run", "outputs", "executed"
    text: str  # for people


def key_parts(task: Task, places: dict[str, StudyPaths] | None = None) -> dict:
    """Collect everything that can change a task's outcome, in parts that can be named to a reader.

    Args:
        places: by name, the studies in which upstream tasks are finished, where it is not the
            task's own (lib.study.adoption).

    Raises:
        StudyError: an upstream task that has not finished.
    """
    # The notebook's text, and all lib modules that it reaches.
    cells = read_notebook(task.notebook)["cells"]
    sources = [[cell["cell_type"], cell["source"]] for cell in cells]
    code = "\n".join(source for kind, source in sources if kind == "code")
    modules = imported_modules(*notebook_modules(code))

    # In the order in which changes are reported: those that repeat most come first.
    return {
        "parameters": {key: v for key, v in task.values.items() if key not in NOT_IN_KEY},
        "sources": _sources(task),
        "arithmetic": _arithmetic(task, modules),
        "upstream": {
            name: upstream_digest((places or {}).get(name, task.paths), name)
            for name in task.upstream
        },
        "packages": package_versions(),
        "notebook": content_hash(sources),
        "code": {
            name: module_digest(name) for name in sorted(modules) if not is_versions_module(name)
        },
    }


def reason_to_run(task: Task, parts: dict) -> Reason | None:
    """Say why a task must run; None when it is done and nothing changed.

    Args:
        parts: of `key_parts`, as they are now. The first that differs is named; those that repeat
            most come first.
    """
    done = _done(task.done)
    if done is None:
        return Reason("not run", "not run yet")

    # What it was made from.
    for kind, now in json.loads(json.dumps(parts)).items():
        before = done["parts"].get(kind, {})
        if kind == "sources":
            before = _without_same(before, now)
        if before != now:
            return Reason(kind, _describe(kind, before, now))

    # What it left.
    for name, record in done["outputs"].items():
        if not output_unchanged(task.paths.root / name, record):
            return Reason("outputs", f"{name} is not what it wrote")
    if read_record(task.paths, task.name) is None:
        return Reason("outputs", f"{task.record.name} is not what it wrote")
    return _reason_of_copy(task, done)


def sources_before(task: Task) -> dict:
    """Give the sources that a task's last execution read, see lib.study.sources; {} for none."""
    return (_done(task.done) or {"parts": {}})["parts"].get("sources", {})


def _reason_of_copy(task: Task, done: dict) -> Reason | None:
    """Say why the executed notebook is not to be shown; None where it is as it was written."""
    if not task.executed.exists():
        return Reason("executed", "executed notebook missing")

    # Executions of before copies were recorded: at least it has to read.
    if "executed" in done:
        is_whole = output_unchanged(task.executed, done["executed"])
    else:
        is_whole = is_notebook(task.executed)
    return None if is_whole else Reason("executed", "executed notebook is not what was written")


def _done(path: Path) -> dict | None:
    """Read what an execution was made from; None where it did not finish or the file is
    damaged.
    """
    if not path.exists():
        return None
    try:
        done = read_sealed(path)
    except DamagedFile:
        return None
    return done if has_outputs(done) and isinstance(done.get("parts"), dict) else None


def _without_same(before: dict, now: dict) -> dict:
    """Put the present identity of each source in place of the earlier one where they are the
    same.
    """
    kept = {key: value for key, value in now.items() if are_same(before.get(key), value)}
    return before | kept


def upstream_digest(paths: StudyPaths, name: str) -> str:
    """Hash what a finished task wrote.

    An execution that writes the same bytes again has the same digest, so that what follows it is
    kept.

    Raises:
        StudyError: it has not finished.
    """
    done = _done(paths.state / f"{name}{DONE}")
    if done is None:
        found = f"{name} has not finished; run it first: --only {stage_of(name)}"
        raise StudyError(f"{found}, or leave --only out")
    outputs = done["outputs"]
    return content_hash({file: record["sha256"] for file, record in outputs.items()})


def files_beside(task: Task) -> dict[str, str]:
    """Hash the files of params/ that a task reads beside its parameters, by name."""
    patterns = READ_BESIDE.get(task.stage, ())
    files = [file for pattern in patterns for file in sorted(PARAMS.glob(pattern))]
    return {file.name: file_digest(file) for file in files}


def _arithmetic(task: Task, modules: set[str]) -> dict[str, int]:
    """Read the versions of the trainings that a task's code can do; of generators its own alone."""
    versions = arithmetic_versions(modules)
    generator = task.values.get("generator")
    if generator is None:
        return versions

    # A pool is made by one generator, and the others' versions are nothing to it.
    own = f"{GENERATOR_VERSION} of {generator}"
    return {
        name: number
        for name, number in versions.items()
        if name == own or not name.startswith(f"{GENERATOR_VERSION} of ")
    }


def _sources(task: Task) -> dict:
    """Identify all files that a task reads and no other task wrote."""
    sources = source_identities(task.values)

    # What a person decided or answered counts by its content; it may not be there.
    persons = {}
    if task.stage == CURATION and "review_csv" not in sources:
        persons["review"] = task.paths.review(task.pool)
    if task.stage == METRICS:
        persons["answers"] = task.paths.spot_check
    sources |= {name: file_digest(file) for name, file in persons.items() if file.exists()}
    return sources | files_beside(task)


def _describe(kind: str, before, now) -> str:
    """Put a change into words: what differs, and what it costs."""
    if kind == "arithmetic":
        name = _first_difference(before, now)
        old = before.get(name, "unknown")
        return f"arithmetic version {old} -> {now.get(name)} ({name}): trainings are repeated"

    # Name what differs, where the part has names.
    where = ""
    if isinstance(before, dict) and isinstance(now, dict):
        where = _difference(before, now)
    if kind in PAGE_ALONE:
        return f"{kind} changed{f' ({where})' if where else ''}: {KEPT}"
    return f"changed {kind}{f': {where}' if where else ''}"


def _difference(before: dict, now: dict) -> str:
    """Name the first entry that differs, with both values where they are short."""
    key = _first_difference(before, now)
    values = before.get(key), now.get(key)
    has_digest = any(DIGEST.search(str(value)) for value in values)
    return key if has_digest else f"{key} from {values[0]} to {values[1]}"


def _first_difference(before: dict, now: dict) -> str:
    keys = dict.fromkeys([*now, *before])
    return next(key for key in keys if before.get(key) != now.get(key))
