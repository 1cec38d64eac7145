#!/usr/bin/env python3
"""Runs a study from start to end: sets up what is missing, executes the notebooks, renders the
reports.

Its top needs no package at all, and any Python can read it.
"""

import argparse
import os
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, ROOT)

EXAMPLES = """\
examples:
  python3 run_all.py                           the quick study, on drawn faces
  python3 run_all.py --study verdict --data mine --synthetic generated
  python3 run_all.py --study schuermann --data base --synthetic generated
  python3 run_all.py --only 40-80 --set seeds=10    more runs, what follows
  python3 run_all.py --dry-run --set seeds=10       what would run, and why
  python3 run_all.py --vary seeds=5,10 --vary pool_images=1600,3200
  python3 run_all.py --study amounts-cpu --open 80  explore its findings
  python3 run_all.py --test                         the tests

Called again, it goes on where it was; with nothing changed it does nothing.
"""


def parse(argv):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="run_all.py",
        description="Does AI-generated data help an emotion classifier?\n"
        "Runs a study's notebooks and writes reports/<study>/index.html.",
        epilog=EXAMPLES,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=20, width=80
        ),
    )
    add = parser.add_argument
    add(
        "--study",
        default="quick",
        metavar="NAME",
        help="parameter file in params/ (default: quick)",
    )
    add(
        "--data",
        metavar="PATH",
        help="the real faces: folder, zip, csv or parquet; or 'drawn' or 'digits'",
    )
    add(
        "--synthetic",
        action="append",
        default=[],
        metavar="PATH",
        help="ready-made synthetic images: the pool 'folder'; a verdict takes several",
    )
    add("--only", default="", metavar="STAGES", help="these notebooks alone: 40,50 or 40-60")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a parameter of params/base.yaml; repeatable, lists as a,b",
    )
    add("--list", action="store_true", help="show the studies, and what each notebook would do")
    add("--dry-run", action="store_true", help="show parameters and plan; execute nothing")
    add("-v", "--verbose", action="store_true", help="with --dry-run: all parameters, and times")
    add(
        "--papermill",
        default="",
        metavar="STAGES",
        help="write these notebooks' parameters, and print the calls that run them by hand",
    )
    add("--fresh", action="store_true", help="repeat finished work: it is moved, not deleted")
    add(
        "--workers",
        type=int,
        metavar="N",
        help="processes and notebooks at once (0: one per core, 2 per GPU)",
    )
    add(
        "--cluster",
        metavar="ADDRESS",
        help="use this Dask scheduler: tcp://host:8786; or local, slurm, pbs, lsf",
    )
    add(
        "--output",
        metavar="DIR",
        help="folder that receives runs/ and reports/ (default: the project's own)",
    )
    add(
        "--vary",
        action="append",
        default=[],
        metavar="KEY=A,B",
        help="run a study for each value of a parameter; repeatable: for each combination",
    )
    add(
        "--open",
        default="",
        metavar="STAGE",
        help="open a notebook with the study's values: 80, or 20-dcgan; the study stays as it is",
    )
    add("--no-browser", action="store_true", help="with --open: print its path alone")
    add("--test", action="store_true", help="run the tests instead")
    return parser.parse_args(argv)


def main(argv):
    """Set up, then test or run; returns the exit status."""
    open_standard_streams()
    options = parse(argv)
    from lib.study.environment import ensure

    ensure([os.path.abspath(__file__)] + argv, test=options.test)
    if options.test:
        return test()
    from lib.study.command import run

    return run(options, pages, arms, grids)


def open_standard_streams():
    """Open input, output and errors where whoever started this closed them: `>&-`, a service.

    Files that are opened later would take their numbers, and get what is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w"))


def arms(params):
    """Stop at a pattern of names that fits no arm of a study."""
    from lib.faces.arm_plan import asked_for, plan_arms

    planned = plan_arms(params)
    asked_for(planned, params["more_seeds_arms"], "more_seeds_arms")


def pages():
    """Import the library of the pages: seconds, so only when there is something to render."""
    import lib.report

    return lib.report


def grids():
    """Import what compares the cells of a grid of settings."""
    import lib.metrics.grid_page

    return lib.metrics.grid_page


def test():
    """Hand over to pytest, with this project first on the path: two tests at a time, each on one
    thread.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    paths = [ROOT, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    os.chdir(ROOT)
    processes = str(min(2, os.cpu_count() or 1))
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-n", processes])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
