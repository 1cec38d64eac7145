"""A whole verdict, in one process, beside what its networks do on images that nobody has seen."""

import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet
from lib.metrics.statistics import UNDECIDED
from lib.study.errors import StudyError
from lib.study.machine import environment_facts
from lib.study.records import write_csv
from lib.verdict.clock import Clock
from lib.verdict.inputs import Inputs
from lib.verdict.probe import signs
from lib.verdict.protocol import Protocol
from lib.verdict.trainings import ALONE
from lib.verdict.trial import Trial

CORES = 2  # that a verdict is to have
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


def one_thread(given):
    """Prepare a process: one thread, and what its tasks are given."""
    # Verdicts run side by side, one a core.
    import torch

    torch.set_num_threads(1)
    return given
