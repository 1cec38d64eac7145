"""A whole verdict, in one process, beside what its networks do on images that nobody has seen."""

import argparse
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lib.compute.workers import run_in_pool
from lib.faces.faceset import FaceSet
from lib.metrics.statistics import UNDECIDED
from lib.study.errors import StudyError
from lib.study.machine import environment_facts
from lib.study.paths import ROOT
from lib.study.records import read_json, write_csv, write_json
from lib.verdict.clock import Clock
from lib.verdict.inputs import Inputs
from lib.verdict.probe import signs
from lib.verdict.protocol import Protocol
from lib.verdict.trainings import ALONE
from lib.verdict.trial import Trial

CORES = 2  # that a verdict is to have
NEAR = 6.0  # of images to be copies, grey levels, as near_copy_distance
STOPPED = "stopped"  # the word of a verdict that was refused


def measured_verdict(
    inputs: Inputs, beyond: FaceSet, protocol: Protocol, *, folder: Path, seconds: float
) -> dict:
    """Reach a verdict about one pool, and measure what its networks do on further faces.

    Args:
        inputs: real images and the pool.
        beyond: faces that no arm holds.
        protocol: the rules.
        folder: of the trainings, removed at the end.
        seconds: that the verdict has on two cores, counted as processor time of this process.

    Returns:
        word, seconds (processor time that it took), and if it was not refused probe (its sign),
        truth (of its networks) and, after a first look, difference, low, high, repetitions.
    """
    from lib.verdict.verdict import reach_verdict

    # A folder of its own, which does not stay.
    began = time.process_time()
    try:
        verdict = reach_verdict(
            inputs,
            protocol,
            runs=folder,
            tables=folder,
            clock=Clock(seconds, CORES, processor=True),
            workers=0,
            beyond=beyond,
            say=lambda line: None,
        )
    except StudyError:
        return {"word": STOPPED, "seconds": time.process_time() - began}
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    # What was said, and what its own networks do elsewhere.
    found = {
        "probe": signs(verdict.probe)[inputs.pools[0].name],
        "truth": true_effect(verdict.trial, beyond),
        "seconds": time.process_time() - began,
    }
    look = verdict.trial.comparisons[0].last
    if look is None:
        return found | {"word": UNDECIDED}
    return found | {
        "word": look.word,
        "difference": look.found.difference,
        "low": look.low,
        "high": look.high,
        "repetitions": look.found.repetitions,
    }


def true_effect(trial: Trial, beyond: FaceSet) -> float:
    """Average over all networks of a trial what the pool changes on further faces."""
    # All networks of an arm that were compared.
    accuracies = {}
    for arm in (ALONE, trial.comparisons[0].arm):
        networks = [
            trained
            for (of, repetition), folds in trial.scores.found.items()
            for trained in folds.values()
            if of == arm
        ]
        right = [(network.beyond.argmax(1) == beyond.labels).mean() for network in networks]
        accuracies[arm] = float(np.mean(right)) if right else np.nan
    return accuracies[trial.comparisons[0].arm] - accuracies[ALONE]


def recorded(path: Path, protocol: Protocol) -> pd.DataFrame:
    """Read the verdicts that a record holds, one row each; those of other rules are left out."""
    if not path.exists():
        return pd.DataFrame({"protocol": []})
    rows = pd.read_csv(path)
    return rows[rows["protocol"] == protocol.digest()].reset_index(drop=True)


def keep(path: Path, rows: pd.DataFrame, protocol: Protocol, order: list[str]) -> None:
    """Write verdicts into a record, with the rules and the day.

    Args:
        path: of the record; what it holds of other rules goes.
        rows: all verdicts, those of the record among them.
        protocol: the rules.
        order: columns to sort by.
    """
    # Verdicts of earlier days keep theirs.
    today = {"protocol": protocol.digest(), "date": environment_facts()["date"]}
    for name, value in today.items():
        rows[name] = rows[name].fillna(value) if name in rows else value
    write_csv(path, rows.sort_values(order, kind="stable"))


def command(description: str, folder: str) -> argparse.ArgumentParser:
    """Begin the command line of a series of verdicts.

    Args:
        description: what they are.
        folder: name of the folder of their results, in runs/.
    """
    # Each series adds its own.
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / folder)
    parser.add_argument("--workers", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--record", action="store_true", help="write the verdicts into params/")
    return parser


def reach_missing(
    reach: Callable[..., dict],
    tasks: list[tuple],
    columns: list[str],
    *,
    record: Path,
    folder: Path,
    protocol: Protocol,
    workers: int,
) -> pd.DataFrame:
    """Reach the verdicts that neither a record nor a folder holds.

    Args:
        reach: called with the values of a task; importable by a process of its own.
        tasks: one tuple a verdict.
        columns: the names of its values.
        record: table of verdicts that were kept.
        folder: of results that are not in the record yet, apart by the rules they were reached by.
        protocol: the rules.
        workers: processes, one thread each.

    Returns:
        One row a verdict, those of the record first.
    """
    # What is there under these rules.
    folder = folder / protocol.digest()
    folder.mkdir(parents=True, exist_ok=True)
    known = recorded(record, protocol)
    done = set(known[columns].itertuples(index=False, name=None)) if len(known) else set()
    waiting = [task for task in tasks if task not in done]
    missing = [task for task in waiting if not _file(folder, task).exists()]

    # What is not; a verdict that fails is reported and left out.
    for task, trouble in run_in_pool(missing, _prepared, _reach_one, (reach, folder), workers):
        print(f"{task}: {trouble or read_json(_file(folder, task))}", flush=True)
    files = [_file(folder, task) for task in waiting]
    found = [read_json(file) for file in files if file.exists()]
    return pd.concat([known, pd.DataFrame(found)], ignore_index=True)


def _file(folder: Path, task: tuple) -> Path:
    """Name the file of a verdict."""
    # A name that people recognise: pool and number of real images.
    return folder / f"{'-'.join(map(str, task))}.json"


def _prepared(reach: Callable[..., dict], folder: Path) -> tuple[Callable[..., dict], Path]:
    """Prepare a process, for verdicts run side by side, one a core."""
    import torch

    torch.set_num_threads(1)
    return reach, folder


def _reach_one(given: tuple[Callable[..., dict], Path], task: tuple) -> None:
    """Reach one verdict and write it down."""
    # Written at its end: one that was stopped is begun again.
    reach, folder = given
    write_json(_file(folder, task), reach(*task))
