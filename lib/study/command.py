"""What run_all.py does once its environment stands: plan, run, render, print the answer."""

import contextlib
import datetime
import json
import os
import shlex
import signal
import sys
import textwrap
from collections import Counter
from pathlib import Path

from lib.study.adoption import adopt, adoptable
from lib.study.answer import read_answer
from lib.study.archive import archive_stale, restore
from lib.study.cells import settings_of
from lib.study.earlier import HAS_FAILED, WAS_STOPPED, copy_answer, earlier_answer, note_end
from lib.study.errors import DamagedFile, StudyError, sentence
from lib.study.keys import key_parts, reason_to_run
from lib.study.listing import (
    COLUMNS,
    outlook,
    print_calls,
    print_parameters,
    print_plan,
    print_studies,
    reasons_to_run,
)
from lib.study.lock import study_lock
from lib.study.machine import INTERRUPTS, cores
from lib.study.names import EMBEDDED_DATA
from lib.study.opening import open_notebook
from lib.study.outcomes import Outcome
from lib.study.params import load_params
from lib.study.paths import StudyPaths
from lib.study.plan import Task, plan_tasks, select
from lib.study.records import copy_whole
from lib.study.remote import open_to_strangers
from lib.study.sources import MAY_BE_REMOTE, SOURCES
from lib.study.stages import ANSWERING, GENERATION, VERDICT
from lib.study.vary import cells_of

# Exit statuses.
FAILED, MISTAKE, STOPPED = 1, 2, 130


def run(options, pages, check_arms, grids=None) -> int:
    """Do what the command line asks for.

    Args:
        options: as parsed by run_all.py.
        pages: imports and returns the module that renders (render_study).
        check_arms: called with a study's parameters, where they name arms by patterns; stops at one
            that fits none.
        grids: imports and returns the module that compares the cells of a grid (render_grid).

    Returns:
        Exit status: 0, 1 if a notebook failed, 2 for a user's mistake, 130 if stopped.
    """
    sys.stdout.reconfigure(line_buffering=True)  # a log file shows each line as it comes

    # A closed terminal or a batch system's end is a stop like Ctrl-C: kernels are taken along. What
    # whoever called us has put off, as nohup does, stays off.
    for number in INTERRUPTS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop_once)
    try:
        return _run(options, pages, check_arms, grids)
    except BrokenPipeError:  # whoever read our lines has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (StudyError, OSError) as error:
        print(f"error: {sentence(error)}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print(
            "\nStopped. Finished work is kept; the same command goes on from here.", file=sys.stderr
        )
        return STOPPED


def _stop_once(_number, _frame) -> None:
    """Stop at the first Ctrl-C; an impatient second one changes nothing."""
    # Set to be ignored before anything is unwound: there is no moment in which it can still come.
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def settings(options) -> tuple[str, ...]:
    """Turn the command line's shortcuts into key=value strings; paths become absolute."""
    # --data faces.zip is --set data=/home/me/faces.zip.
    paths = {key: getattr(options, key) for key in ("data", "output")}
    first, *further = options.synthetic or [""]
    given = [f"{key}={value}" for key, value in (paths | {"synthetic": first}).items() if value]
    sets = [_absolute(text) for text in [*options.set, *given]]

    # Several pools are ranked by a verdict; other studies take one.
    if further:
        known = load_params(options.study, tuple(sets))
        if known["stages"] != [VERDICT]:
            raise StudyError(
                f"--synthetic: study {options.study} takes one folder of generated images; "
                "--study verdict ranks several"
            )
        resolved = [os.path.abspath(os.path.expanduser(path)) for path in further]
        sets.append(f"more_synthetic={json.dumps(resolved)}")

    # Where and how fast; 0 and "" are values too.
    places = {key: getattr(options, key) for key in ("workers", "cluster")}
    sets += [f"{key}={value}" for key, value in places.items() if value is not None]

    # Ready-made images are a pool, also where the study's file names none.
    if first:
        pools = load_params(options.study, tuple(sets))["pools"]
        if "folder" not in pools:
            sets.append(f"pools={','.join([*pools, 'folder'])}")
    return tuple(sets)


def show_list(options) -> int:
    """Print the studies, and what each notebook of the chosen one would do."""
    print_studies()
    print(f"\nnotebooks of {options.study}:")
    try:
        tasks = plan_tasks(options.study, settings(options))
    except StudyError as error:  # its data is not named: the list above is still of use
        print(textwrap.fill(str(error), COLUMNS, initial_indent="  ", subsequent_indent="  "))
        return 0
    print_plan(tasks)
    return 0


def show_plan(tasks: list[Task], chosen: list[Task], whole: bool) -> int:
    """Print the resolved parameters and the plan.

    Args:
        tasks: all tasks of the study.
        chosen: those that would run.
        whole: all parameters, not those that differ from the study quick alone, and the time that
            each notebook took.
    """
    # A pool's task has the pool's values; the study's are shown.
    print_parameters(chosen[0] if chosen[0].pool == "" else tasks[0], whole)
    print("\nplan:")
    print_plan(chosen, times=whole)
    return 0


def run_plan(options, tasks: list[Task], chosen: list[Task], pages) -> int:
    """Run the chosen tasks under the study's lock, then render and print the answer."""
    from lib.study.schedule import run_tasks

    paths, params = tasks[0].paths, tasks[0].params
    at_once = params["workers"] or cores()
    began = datetime.datetime.now()

    # Said before anything goes there.
    warning = open_to_strangers(params["cluster"])
    if warning:
        print(f"note: {warning}")
    with study_lock(paths.root.parent / f"{paths.root.name}.lock") as lock:
        if options.fresh:
            stamp = began.strftime("%Y%m%d-%H%M%S")
            move_finished(paths, chosen, whole=not options.only, stamp=stamp)

        # What these settings made before comes back, and counts where its key still holds.
        restore(tasks)
        if settings_of(paths.root.name) and not options.fresh:
            tell_adopted(adopt(tasks))
        check_upstream(tasks, chosen)
        reasons = reasons_to_run(chosen)
        # Nothing is said where nothing runs.
        if reasons:
            print(outlook([task for task in chosen if task.name in reasons]))
        try:
            outcomes = run_tasks(chosen, at_once=at_once, lock=lock)
        except KeyboardInterrupt:
            left = {name: Outcome("skipped") for name in reasons_to_run(chosen)}
            with contextlib.suppress(StudyError, OSError):  # it is stopped all the same
                close_run(tasks, left, pages, WAS_STOPPED)
            raise
        missing = sum(outcome.is_missing for outcome in outcomes.values())
        close_run(tasks, outcomes, pages, HAS_FAILED if missing else "")

    # Count what was done.
    kept = sum(outcome.status == "kept" for outcome in outcomes.values())
    if kept == len(chosen):
        print(f"Nothing changed: {kept} executions kept, none repeated.")
    elif kept:
        print(f"{kept} executions kept, {len(chosen) - kept - missing} run.")
    print_answer(paths, outcomes)
    return FAILED if missing else 0


def close_run(tasks: list[Task], outcomes: dict[str, Outcome], pages, ended: str) -> None:
    """Leave the pages as a run that has ended makes them, also one that failed or was stopped.

    Args:
        tasks: all tasks of the study.
        outcomes: how those ended that were to run, by name.
        pages: see `run`.
        ended: "" where all is well, else how it ended (lib.study.earlier).
    """
    # Pages show what the present settings gave, and nothing else but an answer that stays.
    paths = tasks[0].paths
    archive_stale(tasks, outcomes)
    answering = {task.name for task in tasks if task.stage in ANSWERING}
    done = {name for name, outcome in outcomes.items() if outcome.status == "done"}
    command = shlex.join(["run_all.py", *sys.argv[1:]])
    note_end(paths, command, ended, has_answered=bool(answering & done))
    pages().render_study(paths)


def tell_adopted(places: dict[str, StudyPaths]) -> None:
    """Print how many executions a cell took over from which of its siblings."""
    counts = Counter(paths.root.name for paths in places.values())
    for name, count in counts.items():
        print(f"{count} executions taken from {name}")


def check_upstream(tasks: list[Task], chosen: list[Task]) -> None:
    """Look at what chosen tasks build on and what is not chosen: print where it is out of date.

    Raises:
        StudyError: it was made with other values of these very parameters.
    """
    needed = {name for task in chosen for name in task.upstream}
    needed -= {task.name for task in chosen}

    # One that has not finished stops the run later, with a message of its own.
    for task in tasks:
        if task.name not in needed or not task.done.exists():
            continue
        try:
            reason = reason_to_run(task, key_parts(task))
        except StudyError:
            continue
        # The findings of one margin beside effects of another would be no findings.
        if reason and reason.kind == "parameters":
            stages = ",".join(str(stage) for stage in sorted({task.stage, chosen[0].stage}))
            raise StudyError(
                f"{task.name} was executed with other values ({reason.text}); let it run too: "
                f"--only {stages}, or leave --only out"
            )
        if reason:
            found = f"{task.name} is out of date ({reason.text})"
            print(f"note: {found}; what it left is taken as it is")


def print_answer(paths: StudyPaths, outcomes: dict[str, Outcome]) -> None:
    """Print the findings' sentences and where to read on.

    Args:
        outcomes: of the run's tasks, by name.
    """
    sentences = []
    with contextlib.suppress(DamagedFile):  # made anew by the next run
        sentences = [sentence.text for sentence in read_answer(paths)]
    if sentences:
        print("\n" + "\n".join(sentences) + "\n")
    page = paths.reports / "index.html"
    if not page.exists():
        return

    # Where all that there is to read was printed above, no page is named.
    earlier = earlier_answer(paths)
    if earlier:
        of_command = f", of {earlier.command}" if earlier.command else ""
        print(f"the last answer stays{of_command}: {page}")
    elif any(outcome.has_page for outcome in outcomes.values()):
        print(f"report: {page}")


def move_finished(paths: StudyPaths, chosen: list[Task], *, whole: bool, stamp: str) -> None:
    """Move finished work out of the way, so that everything chosen runs anew.

    Args:
        whole: the whole study, not the chosen tasks' work alone.
        stamp: of time, in the name of the folder that it moves to.
    """
    target = paths.root.with_name(f"{paths.root.name}-before-{stamp}")
    folders = [paths.root] if whole else _work_of(paths, chosen)
    folders = [path for path in folders if path.exists()]

    # Renamed, not copied: it may be gigabytes.
    for path in folders:
        moved = target / path.relative_to(paths.root)
        moved.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            moved.rmdir()  # an empty folder may have come with another one
        os.rename(path, moved)

    # A person's work is no result: it counts in the new run too.
    for review in (target / paths.pools.relative_to(paths.root)).glob("curation/*/review.csv"):
        kept = paths.review(review.parent.name)
        copy_whole(review, kept)

    # The last answer stays on the page until there is another.
    for task in chosen if whole else ():
        copy_answer(task, target)

    # A person's answers to the spot check are no result either.
    answers = target / paths.spot_check.name
    if answers.exists():
        copy_whole(answers, paths.spot_check)
    if folders:
        print(f"earlier work moved to {target}")


def run_grid(options, pages, check_arms, grids) -> int:
    """Run the cells of a grid of settings, or show what each would do, and compare them.

    Args:
        options, pages, check_arms, grids: see `run`.
    """
    if options.open or options.papermill:
        raise StudyError(
            "--vary: --open and --papermill are about one study; name a cell: "
            f"--study '{options.study}~key=value'"
        )

    # A mistake in any cell stops before the first one runs.
    sets = settings(options)
    plans = {cell: plan_tasks(cell, sets) for cell in cells_of(options.study, options.vary, sets)}
    for tasks in plans.values():
        _check(tasks, check_arms)
        select(tasks, options.only)

    # One after the other: each finds what those before it did.
    status = 0
    for number, (cell, tasks) in enumerate(plans.items(), 1):
        print(f"\n{number} of {len(plans)}: {cell}")
        chosen = select(tasks, options.only)
        if options.dry_run:
            print_plan(chosen, taken={} if options.fresh else adoptable(tasks))
        else:
            status = max(status, run_plan(options, tasks, chosen, pages))
    if options.dry_run:
        print("\nEach finds the training runs that the others have finished.")
        return status

    cells = {cell: tasks[0].paths for cell, tasks in plans.items()}
    print(f"\ncomparison: {grids().render_grid(options.study, cells)}")
    return status


def _check(tasks: list[Task], check_arms) -> None:
    """Stop where a study has no notebooks, or a pattern fits none of its arms."""
    if not tasks:
        raise StudyError("notebooks: none there")
    # A pattern of arms' names is the last thing that can be mistyped.
    if any(tasks[0].params[key] for key in ("only_arms", "more_seeds_arms")):
        check_arms(tasks[0].params)


def _run(options, pages, check_arms, grids) -> int:
    """List, show or run, as the command line asks."""
    # A list is shown even where the study cannot run.
    if options.list:
        return show_list(options)
    if options.vary:
        return run_grid(options, pages, check_arms, grids)
    if options.open:
        return open_notebook(
            options.study, options.open, settings(options), browser=not options.no_browser
        )
    tasks = plan_tasks(options.study, settings(options))
    _check(tasks, check_arms)
    chosen = select(tasks, options.only)
    if options.dry_run:
        return show_plan(tasks, chosen, options.verbose)
    if options.papermill:
        print_calls(select(tasks, options.papermill))
        return 0
    return run_plan(options, tasks, chosen, pages)


def _work_of(paths: StudyPaths, chosen: list[Task]) -> list[Path]:
    """List what the chosen tasks made that a new execution would find and keep."""
    # The stages with folders of their own; a pool's is its own.
    of_stage = {10: [paths.data, paths.reference], 40: [paths.runs]}
    work = [task.done for task in chosen]
    for task in chosen:
        work += of_stage.get(task.stage, [])
        if task.stage == GENERATION:
            work.append(paths.pool(task.pool))
    return work


def _absolute(text: str) -> str:
    """Resolve a path given as key=value against the caller's folder, not the kernel's."""
    key, _, value = text.partition("=")
    if key not in (*SOURCES, "output") or value in ("", *EMBEDDED_DATA):
        return text
    path = os.path.abspath(os.path.expanduser(value))
    return text if key in MAY_BE_REMOTE and not os.path.exists(path) else f"{key}={path}"
