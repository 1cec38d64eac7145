"""The cells of a grid of settings beside each other: every comparison decided anew, where one
question asked in all cells is one family.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.metrics.contrasts import estimated, over_generations
from lib.metrics.decisions import decided
from lib.metrics.evidence import load_arms, load_evaluation, recorded_runs, without_leaks
from lib.metrics.statistics import Effect
from lib.study.kept import read_record
from lib.study.paths import StudyPaths

# The notebooks that trained what is compared, and that compared it.
TRAINING, METRICS = "40_training", "50_metrics"
# What tells the comparisons of a study apart.
KEYS = ["reference", "arm", "classifier"]


@dataclass(frozen=True)
class Estimates:
    """What one cell measured, before anything is decided."""

    table: pd.DataFrame  # of `contrasts.estimated`
    effects: list[Effect]  # of its rows
    margin: float  # smallest effect of interest


def read_estimates(paths: StudyPaths) -> Estimates | None:
    """Estimate the comparisons of a cell as its notebook 50 did; None where that, or the training,
    has not finished.

    Args:
        paths: of the cell.
    """
    record = read_record(paths, METRICS)
    if record is None or read_record(paths, TRAINING) is None:
        return None
    values = record["parameters"]

    # Predictions of all its runs, on its test images without a copy in training.
    faces, tested, fold = load_evaluation(paths, values["folds"], values["seed"])
    arms = load_arms(recorded_runs(paths), fold=fold, classes=faces.classes)
    arms, tested = without_leaks(arms, tested)
    joined = over_generations(arms)
    table, effects = estimated(
        joined, tested.labels, tested.clusters, planned_seeds=values["seeds"]
    )
    return Estimates(table, effects, values["margin"])


def grid_effects(cells: Mapping[str, Estimates]) -> pd.DataFrame:
    """Decide the comparisons of all cells together.

    Holm's procedure counts every cell in which a question was asked: who varies settings until an
    arm helps has looked that often. It holds also where cells share runs.

    Args:
        cells: estimates by the cell's name.

    Returns:
        One row a comparison and cell: cell, the columns of `contrasts.effects`, and verdict_alone,
        what the cell says by itself.
    """
    # What each says alone.
    alone, tables = [], []
    for name, cell in cells.items():
        own = decided(cell.table.copy(), cell.effects, cell.margin)
        alone += own["verdict"].tolist()
        tables.append(cell.table.assign(cell=name))
    if not tables:
        return pd.DataFrame(columns=["cell", *KEYS, "verdict", "verdict_alone"])

    # All of them, each with its cell's margin.
    effects = [effect for cell in cells.values() for effect in cell.effects]
    margins = [cell.margin for cell in cells.values() for _ in cell.effects]
    whole = decided(pd.concat(tables, ignore_index=True), effects, np.array(margins))
    return whole.assign(verdict_alone=alone).drop(columns="family")


def moved(effects: pd.DataFrame) -> pd.DataFrame:
    """Tell which comparisons have another verdict in some cell: rows of `grid_effects` whose
    verdict is not the same in all cells that have the comparison.
    """
    if not len(effects):
        return effects
    verdicts = effects.groupby(KEYS, sort=False)["verdict"].transform("nunique")
    return effects[verdicts > 1]
