"""What run_all.py does once its environment stands: plan, show, run, render, and say the answer."""

import contextlib
import datetime
import os
import shutil
import signal
import sys

from lib.study.errors import StudyError
from lib.study.lock import study_lock
from lib.study.machine import cores
from lib.study.params import PARAMS, load_params, studies
from lib.study.paths import StudyPaths
from lib.study.plan import SOURCES, Task, key_parts, plan_tasks, select, why_to_run
from lib.study.records import read_json
from lib.study.shelf import bring_back, put_aside


def run(options, pages) -> int:
    """Do what the command line asks for.

    Args:
        options: as parsed by run_all.py.
        pages: imports and returns the module that renders (render_study).

    Returns:
        Exit status: 0, 1 if a notebook failed, 2 for a user's mistake, 130 if stopped.
    """
    sys.stdout.reconfigure(line_buffering=True)  # a log file shows each line as it comes
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        if options.list:
            return show_list(options)
        tasks = plan_tasks(options.study, settings(options))
        chosen = select(tasks, options.only)
        if not tasks:
            raise StudyError("notebooks: none there")
        return show_plan(tasks, chosen) if options.dry_run else run_plan(options, tasks, chosen, pages)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our lines has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Finished work is kept; the same command goes on from here.", file=sys.stderr)
        return 130


def settings(options) -> tuple[str, ...]:
    """Turn the command line's shortcuts into key=value strings; paths become absolute."""
    given = [f"{key}={getattr(options, key)}" for key in ("data", "synthetic", "output") if getattr(options, key)]
    sets = [_absolute(text) for text in [*options.set, *given]]
    sets += [f"{key}={getattr(options, key)}" for key in ("workers", "cluster") if getattr(options, key) is not None]
    if options.synthetic:
        pools = load_params(options.study, tuple(sets))["pools"]
        sets += [] if "folder" in pools else [f"pools={','.join([*pools, 'folder'])}"]
    return tuple(sets)


def show_list(options) -> int:
    """Print the studies, and what each notebook of the chosen one would do."""
    print("studies:")
    for study in studies():
        first = (PARAMS / f"{study}.yaml").read_text(encoding="utf-8").splitlines()[0]
        print(f"  {study:<12} {first.lstrip('# ')}")
    print(f"\nnotebooks of {options.study}:")
    try:
        tasks = plan_tasks(options.study, settings(options))
    except StudyError as error:
        print(f"  {error}")
        return 0
    _print_plan(tasks, tasks)
    return 0


def show_plan(tasks: list[Task], chosen: list[Task]) -> int:
    """Print the resolved parameters and the plan."""
    params = chosen[0].params if chosen[0].pool == "" else tasks[0].params
    base = load_params("quick")
    print("parameters (* differs from quick):")
    for key, value in params.items():
        print(f"  {'*' if base.get(key) != value else ' '} {key}: {value!r}")
    print("\nplan:")
    _print_plan(tasks, chosen)
    return 0


def run_plan(options, tasks: list[Task], chosen: list[Task], pages) -> int:
    """Run the chosen tasks under the study's lock, then render and say the answer."""
    from lib.study.schedule import run_tasks

    paths, params = tasks[0].paths, tasks[0].params
    began = datetime.datetime.now()
    with study_lock(paths.root.parent / f"{paths.root.name}.lock") as lock:
        if options.fresh:
            set_aside(paths, chosen, whole=not options.only, stamp=began.strftime("%Y%m%d-%H%M%S"))
        bring_back(tasks)
        note_outdated(tasks, chosen)
        outcomes = run_tasks(chosen, side_by_side=params["workers"] or cores(), lock=lock)
        put_aside(tasks, outcomes)
        pages().render_study(paths)
    failed = [name for name, outcome in outcomes.items() if outcome.status in ("failed", "skipped")]
    kept = sum(outcome.status == "kept" for outcome in outcomes.values())
    if kept == len(chosen):
        print(f"Nothing changed: {kept} executions kept, none repeated.")
    elif kept:
        print(f"{kept} executions kept, {len(chosen) - kept - len(failed)} run.")
    say_answer(paths)
    return 1 if failed else 0


def note_outdated(tasks: list[Task], chosen: list[Task]) -> None:
    """Say where a chosen task builds on one that is out of date and not chosen."""
    needed = {name for task in chosen for name in task.upstream} - {task.name for task in chosen}
    for task in [task for task in tasks if task.name in needed and task.done.exists()]:
        with contextlib.suppress(StudyError):
            why = why_to_run(task, key_parts(task))
            if why:
                print(f"note: {task.name} is out of date ({why}); what it left is taken as it is")


def say_answer(paths: StudyPaths) -> None:
    """Print the findings' sentences and where to read on."""
    answer = paths.tables / "answer.json"
    if answer.exists():
        print("\n" + "\n".join(read_json(answer)["sentences"]) + "\n")
    if (paths.reports / "index.html").exists():
        print(f"report: {paths.reports / 'index.html'}")


def set_aside(paths: StudyPaths, chosen: list[Task], *, whole: bool, stamp: str) -> None:
    """Move finished work out of the way, so that everything chosen runs anew."""
    aside = paths.root.with_name(f"{paths.root.name}-before-{stamp}")
    if whole:
        moved = [paths.root]
    else:
        work = {10: [paths.data, paths.instrument], 40: [paths.runs]}
        moved = [folder for task in chosen for folder in work.get(task.stage, [])]
        moved += [paths.pool(task.pool) for task in chosen if task.stage == 20] + [task.done for task in chosen]
    moved = [path for path in moved if path.exists()]
    for path in moved:
        target = aside / path.relative_to(paths.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            target.rmdir()
        os.rename(path, target)
    for review in (aside / paths.pools.relative_to(paths.root)).glob("curation/*/review.csv"):
        kept = paths.review(review.parent.name)  # a person's work is no result: it counts in the new run too
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(review, kept)
    if moved:
        print(f"earlier work set aside: {aside}")


def _absolute(text: str) -> str:
    """Resolve a path given as key=value against the caller's folder, not the kernel's."""
    key, _, value = text.partition("=")
    if key not in (*SOURCES, "output") or value in ("", "drawn"):
        return text
    return f"{key}={os.path.abspath(os.path.expanduser(value))}"


def _print_plan(tasks: list[Task], chosen: list[Task]) -> None:
    """Print one line a task: kept, or why it would run."""
    to_run = set()
    for task in chosen:
        waits = [name for name in task.upstream if name in to_run]
        try:
            why = "after " + waits[-1] if waits else why_to_run(task, key_parts(task))
        except StudyError as error:
            why = f"cannot run: {error}"
        to_run.update([task.name] if why else [])
        print(f"  {task.name:<32} {why or 'kept'}")
