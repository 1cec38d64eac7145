"""The first and the last call of every notebook: `begin` says what runs, `finish` what it wrote.

Three words: a stage is a notebook's number (20), a task is a planned execution of a notebook
(lib.study.plan), a step is that execution seen from inside the notebook, from begin to finish.
"""

import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from lib.study.checkout import require_own_checkout
from lib.study.errors import StudyError
from lib.study.explore import executions_read, explore
from lib.study.kept import (
    other_outputs,
    read_record,
    set_aside_rotten,
    write_sealed,
)
from lib.study.machine import THREADS, compiled_code_folder, environment_facts, thread_environment
from lib.study.parameter_cells import INJECTED, assignments, declared_parameters
from lib.study.parameter_rules import check_together, check_values
from lib.study.params import (
    PARAMS,
    check_generator,
    check_pools,
    layers,
    load_params,
    read_yaml,
    shown,
)
from lib.study.paths import ROOT, StudyPaths, study_paths
from lib.study.records import append_jsonl, output_names, output_record
from lib.study.results import check_rows, result_lines
from lib.study.sources import check_sources
from lib.study.stages import PER_POOL, default_threads, stage_of
from lib.study.telling import begin_telling, show_activity, tell

# What a reader has to know about data that the project brings along.
NOTICES = {
    "drawn": "drawings: these numbers are about drawn faces, not about photographs of people",
    "digits": "digits: these numbers are about handwritten digits, not about faces",
}


@dataclass(frozen=True)
class Step:
    """One execution of one notebook, from begin to finish."""

    name: str  # 20_generation-dcgan: the notebook, and the pool where it runs once a pool
    paths: StudyPaths
    parameters: dict  # the notebook's declared parameters with the values that it runs with
    facts: dict  # commit, versions, machine, date
    began: float  # seconds since 1970

    @property
    def _results(self) -> Path:
        """This notebook's own file of results."""
        return self.paths.tables / "results" / f"{self.name}.jsonl"

    def tell(self, line: str) -> None:
        """Print a line, here and where run_all.py was started: what is known so far."""
        print(line, flush=True)
        tell(self.paths, self.name, line)

    def doing(self, text: str) -> None:
        """Say in a few words what is being done, for the line by which run_all.py shows that a
        notebook lives; the notebook itself does not show them.
        """
        show_activity(self.paths, self.name, text)

    def append_results(self, rows: list[dict]) -> None:
        """Append rows to this notebook's own file of results; `collect_results` serves the last
        execution's rows.

        Args:
            rows: dicts with the keys of `lib.study.results.COLUMNS`; class is "" for a value over
                all classes. Rows about no arm leave out what describes one, and get its defaults.

        Raises:
            StudyError: a row with a missing or an unknown column.
        """
        rows = check_rows(rows)
        batch = f"{self.began:.6f}-{os.getpid()}"  # one execution is one process
        append_jsonl(self._results, result_lines(rows, batch))

    def finish(self, outputs: list[Path]) -> None:
        """Record what the notebook wrote, with digests; the last call of every notebook.

        Args:
            outputs: files, or folders that stand for all files in them that no other notebook
                recorded.

        Raises:
            StudyError: an output that does not exist.
        """
        # A folder that two notebooks fill is recorded by each for its own files.
        names = set(output_names(self.paths, outputs)) - other_outputs(self.paths, self.name)
        record = {
            "step": self.name,
            "parameters": self.parameters,
            "facts": self.facts,
            "seconds": round(time.time() - self.began, 1),
            "outputs": {name: output_record(self.paths.root / name) for name in sorted(names)},
            "appended": {},
        }

        # It grows by each execution, and so tells nobody that something changed.
        if self._results.exists():
            name = str(self._results.relative_to(self.paths.root))
            record["appended"][name] = output_record(self._results)
        write_sealed(self.paths.state / f"{self.name}.json", record)
        print(f"{self.name}: {len(names)} files recorded in {record['seconds']:.0f} s")


def begin(notebook: str, variables: MutableMapping) -> Step:
    """Start a notebook: check its parameters, print its banner and note when, where and with what
    it runs.

    Every way of starting a notebook passes here, so this is where values are checked, and where it
    is decided that a notebook writes beside its study, unless its parameter `write` is true.

    Args:
        notebook: name of the notebook without .ipynb.
        variables: the notebook's own variables, globals(), which hold its parameters; a truth value
            that arrived as text is put right in them.

    Raises:
        StudyError: no variable `study`; lib of another checkout; a parameter of a wrong type or out
            of range; a name that nothing has; a path that is not there; a damaged input.
    """
    if "study" not in variables:
        raise StudyError(f'no variable `study`; a notebook calls begin("{notebook}", globals())')
    require_own_checkout(notebook, variables)
    parameters = checked_parameters(notebook, variables)
    variables.update(parameters)

    # A notebook that runs once a study may have a variable of its own called pool.
    study, output = variables["study"], variables.get("output", "")
    pool = variables.get("pool", "") if stage_of(notebook) in PER_POOL else ""
    name = f"{notebook}-{pool}" if pool else notebook
    of_study = study_paths(study, output)
    paths = of_study if variables.get("write") else explore(of_study, name, parameters)

    # Nothing is made from what a failing disk changed, nor is it taken for done.
    check_inputs(paths, name, parameters)
    for file in set_aside_rotten(paths, [name]):
        print(f"note: {file} was damaged; it is set aside and made anew")

    # Compiled code is kept where the environment may not be written to.
    os.environ.update(compiled_code_folder(of_study.root.parent))

    # run_all.py sets the number of threads; started by hand, a notebook takes as many.
    if THREADS not in os.environ:
        _limit_threads(default_threads(notebook, load_params(study)))

    # What a reader of the page needs first.
    begin_telling(paths, name)
    facts = environment_facts()
    _print_banner(study, name, facts)
    if paths != of_study:
        print(f"reads the study, writes into {shown(paths.root)}; write = True: into the study")
    data = _data_source(parameters, paths, study)
    if data in NOTICES:
        print(NOTICES[data])
    return Step(name, paths, parameters, facts, time.time())


def checked_parameters(notebook: str, variables: Mapping) -> dict:
    """Take the values of a notebook's declared parameters from its variables, and check them.

    Raises:
        StudyError: see `begin`.
    """
    path = ROOT / "notebooks" / f"{notebook}.ipynb"
    declared = declared_parameters(path) if path.exists() else {}
    given = {key: variables[key] for key in declared if key in variables}  # others are cells' own

    # Each by itself, names of what is injected and not declared among them.
    base, where = read_yaml(PARAMS / "base.yaml"), f"{notebook}.ipynb"
    unknown = {name: value for name, value in _injected(variables).items() if name not in base}
    values = check_values(given | unknown, base, where)
    layers(values["study"])  # stops where there is no such study

    # Together, with the files that they name.
    check_together(values)
    check_pools(values)
    check_generator(values)
    check_sources(values)
    return values


def check_inputs(paths: StudyPaths, name: str, parameters: dict) -> None:
    """Stop where a file that an earlier notebook wrote was changed though nobody wrote it.

    Args:
        name: of this execution.
        parameters: the notebook's, which say of which pools it reads.

    Raises:
        StudyError: names the file, which is set aside, and the notebook that makes it anew.
    """
    for other in executions_read(paths, name, parameters):
        if files := set_aside_rotten(paths, [other]):
            raise StudyError(
                f"{paths.root / files[0]} is not what {other} wrote, though nobody wrote it since: "
                f"is the disk failing? It is set aside; run {other} again, or run_all.py, which "
                "does so by itself"
            )


def _injected(variables: Mapping) -> dict:
    """Read the parameters in the cells that papermill added, without its own."""
    values = {}
    # IPython keeps the text of every cell that was executed.
    for source in variables.get("In", []):
        if source.startswith(INJECTED):
            values |= assignments(source)
    return {name: value for name, value in values.items() if not name.startswith("PAPERMILL_")}


def _print_banner(study: str, name: str, facts: dict) -> None:
    changed = " + uncommitted changes" if facts["dirty"] else ""
    cores = f"{facts['cores']} core{'' if facts['cores'] == 1 else 's'}"
    commit = f"commit {facts['commit']}{changed}"
    print(f"study {study} · {name} · {commit} · {facts['device']}, {cores}")


def _data_source(parameters: dict, paths: StudyPaths, study: str) -> str:
    """Name the source of the real faces: this notebook's parameter, or what 10_data recorded."""
    recorded = (read_record(paths, "10_data") or {}).get("parameters", {})
    return parameters.get("data") or recorded.get("data") or load_params(study)["data"]


def _limit_threads(threads: int) -> None:
    """Keep this process to so many threads, in libraries loaded already and later."""
    # Libraries that are loaded later read the environment.
    os.environ.update(thread_environment(threads))

    # Libraries that are loaded already need a call.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
