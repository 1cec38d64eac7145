"""The plan of a study: which notebook runs with which values, and what each execution waits for."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.parameter_cells import check_notebook
from lib.study.params import PARAMS, load_params, read_yaml
from lib.study.paths import ROOT, StudyPaths, study_paths
from lib.study.sources import check_sources
from lib.study.stages import CURATION, PER_POOL, UPSTREAM, ancestors, stage_of, stages_of

# A batch writes into its study; a notebook that a person starts, beside it (lib.study.explore).
WRITES = {"write": True}


@dataclass(frozen=True)
class Task:
    """One planned execution of one notebook."""

    name: str  # 20_generation-drawn-narrow
    notebook: Path
    stage: int
    pool: str  # "" where the notebook runs once a study
    values: dict  # what papermill injects: the keys that the notebook declares
    params: dict  # all of them
    paths: StudyPaths
    upstream: tuple[str, ...]  # names of all tasks before it, directly or not

    @property
    def executed(self) -> Path:
        """The executed copy of the notebook."""
        return self.paths.notebooks / f"{self.name}.ipynb"

    @property
    def record(self) -> Path:
        """What the notebook recorded of itself in step.finish."""
        return self.paths.state / f"{self.name}.json"

    @property
    def done(self) -> Path:
        """What it was executed from, written last: there only when all is well."""
        return self.paths.state / f"{self.name}.done.json"


def plan_tasks(study: str, sets: tuple = (), *, notebooks: Path = ROOT / "notebooks") -> list[Task]:
    """Lay out every execution of a study, in order, with its resolved values checked.

    Args:
        study: name of the study.
        sets: strings "key=value" that override its parameters.
        notebooks: folder of the notebooks.

    Raises:
        StudyError: a parameter, a notebook's parameters cell or a path of the user that is wrong.
    """
    # Values of the study, and of each pool: a mistake in any of them stops here.
    params = load_params(study, sets)
    of_pool = {pool: load_params(study, sets, pool) for pool in params["pools"]}
    _check_sources(params, of_pool)
    paths = study_paths(study, params["output"])
    earlier = earlier_rounds({pool: values["round_of"] for pool, values in of_pool.items()})

    # One task a notebook, or one a pool.
    base = read_yaml(PARAMS / "base.yaml")
    tasks = []
    for file in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        declared = check_notebook(file, base)
        stage = _known_stage(file)
        if stage not in stages_of(params):
            continue
        for pool in params["pools"] if stage in PER_POOL else [""]:
            name = f"{file.stem}-{pool}" if pool else file.stem
            whole = of_pool[pool] if pool else params
            values = {key: (whole | WRITES)[key] for key in declared}
            tasks.append(Task(name, file, stage, pool, values, whole, paths, ()))

    # Pools of a later round come after the rounds before, and all pools before the training.
    def place(task: Task) -> tuple:
        return task.stage > CURATION, len(earlier.get(task.pool, ())), task.stage

    tasks.sort(key=place)

    # What each waits for is known when all are there.
    upstream = {
        task.name: tuple(other.name for other in tasks if _is_before(other, task, earlier))
        for task in tasks
    }
    return [replace(task, upstream=upstream[task.name]) for task in tasks]


def earlier_rounds(before: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """List for each pool the pools of all rounds before it, the latest first.

    Args:
        before: for each pool of the study the pool of the round before it, "" for a first round.

    Raises:
        StudyError: a round before that is no pool of the study, or pools that wait for each other.
    """
    earlier = {}
    for pool in before:
        chain = [pool]  # from this round back to the first
        while before[chain[-1]]:
            last, previous = chain[-1], before[chain[-1]]
            found = f"pool {last}: round_of is {previous!r}, which"
            if previous not in before:
                pools = ",".join([previous, *before])
                raise StudyError(
                    f"{found} is not among the study's pools; add it: --set pools={pools}"
                )
            if previous in chain:
                raise StudyError(
                    f"{found} itself waits for {last}; the first round has an empty round_of"
                )
            chain.append(previous)
        earlier[pool] = tuple(chain[1:])
    return earlier


def select(tasks: list[Task], only: str) -> list[Task]:
    """Pick tasks by stage: "40,50" or "40-60"; empty picks all.

    Raises:
        StudyError: not a list of stages.
    """
    if not only:
        return tasks
    known = sorted({task.stage for task in tasks})
    stages = set()

    # Each part is a stage, or a first and a last one.
    for part in only.split(","):
        part = part.strip()
        if not re.fullmatch(r"\d+(-\d+)?", part):
            raise StudyError(f"--only {only}: write stages as 40,50 or 40-60")
        first, _, last = part.partition("-")
        span = [stage for stage in known if int(first) <= stage <= int(last or first)]
        if not span:
            there = ", ".join(map(str, known))
            raise StudyError(f"--only {only}: no notebook {part}; there are {there}")
        stages.update(span)
    return [task for task in tasks if task.stage in stages]


def _known_stage(notebook: Path) -> int:
    stage = stage_of(notebook.stem)
    if stage not in UPSTREAM:
        stages = ", ".join(map(str, UPSTREAM))
        raise StudyError(f"{notebook.name}: no stage {stage}; stages: {stages}")
    return stage


def _check_sources(params: dict, of_pool: dict[str, dict]) -> None:
    """Stop before any kernel where the user's data is not named or not there.

    Args:
        params: of the study.
        of_pool: those of each of its pools.
    """
    study = params["study"]
    if not params["data"]:
        raise StudyError(
            f"study {study} needs real faces: give --data PATH (folder, zip, csv or parquet)"
        )
    if "folder" in params["pools"] and not params["synthetic"]:
        raise StudyError(
            f"study {study} has the pool 'folder': give --synthetic PATH of ready-made images"
        )

    # Paths are those of the study, and those that a pool's file or its sizes name.
    for values in (params, *of_pool.values()):
        check_sources(values)


def _is_before(one: Task, other: Task, earlier: dict[str, tuple[str, ...]]) -> bool:
    """Tell whether a task must have finished before another, directly or not.

    A pool waits for itself and for its earlier rounds; what follows the pools waits for all.
    """
    if other.pool and one.pool in earlier[other.pool]:
        return True

    # A pool's tasks have nothing to do with another pool's.
    concerns = not other.pool or one.pool in ("", other.pool)
    return concerns and one.stage in ancestors(other.stage)
