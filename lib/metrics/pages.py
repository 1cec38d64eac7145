"""Tables and counts that the metrics and findings pages show, and their files."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.metrics.arms import ArmPredictions, image_scores
from lib.metrics.contrasts import effects
from lib.metrics.scores import confusion, reliability
from lib.metrics.statistics import cluster_weights, two_way_bootstrap
from lib.study.errors import StudyError
from lib.study.paths import StudyPaths
from lib.study.records import atomic_write


def write_table(paths: StudyPaths, name: str, data: pd.DataFrame) -> Path:
    """Write a table as tables/<name>.csv and return its path."""
    path = paths.tables / f"{name}.csv"
    with atomic_write(path, "w") as file:
        data.to_csv(file, index=False)
    return path


def read_table(paths: StudyPaths, name: str) -> pd.DataFrame:
    """Read a table that 50_metrics wrote; empty texts stay empty texts.

    Raises:
        StudyError: where it is not there.
    """
    path = paths.tables / f"{name}.csv"
    if not path.exists():
        raise StudyError(f"{path}: not there; run notebook 50 first")
    table = pd.read_csv(path, dtype=dict.fromkeys(("class", "advice"), str))
    texts = [column for column in table.columns if table[column].dtype.kind not in "fiub"]
    return table.fillna(dict.fromkeys(texts, ""))


def mean_confusion(arms: dict, arm: str, labels: np.ndarray) -> np.ndarray:
    """Average an arm's confusion matrices over seeds, float64 (7, 7), of the first classifier that has it."""
    return np.mean([confusion(p, labels) for p in _first(arms, arm).probabilities], axis=0)


def calibration(arms: dict, names: list[str], labels: np.ndarray) -> pd.DataFrame:
    """Tabulate the reliability of some arms over all their seeds: the columns of `scores.reliability` and arm."""
    parts = []
    for name in names:
        found = _first(arms, name)
        bins = reliability(found.probabilities.reshape(-1, found.probabilities.shape[2]), np.tile(labels, len(found.seeds)))
        parts.append(bins.assign(arm=name))
    return pd.concat(parts, ignore_index=True)


def bootstrap_beside(arms: dict, judged: pd.DataFrame, labels: np.ndarray, clusters: np.ndarray, *, n_boot: int, seed: int) -> pd.DataFrame:
    """Put the percentile interval of a two-way bootstrap beside the interval that decides, for every comparison with base in
    which each pool was made once: it knows no generations.

    Returns:
        Columns arm, classifier, difference, low, high, bootstrap_low, bootstrap_high.
    """
    rows, weights = [], cluster_weights(clusters, n_boot, seed)
    for row in judged[(judged["role"] == "base") & (judged["generations"] == 1)].to_dict("records"):
        pair = [arms[row[side], row["classifier"]] for side in ("reference", "arm")]
        common = sorted(set(pair[0].seeds) & set(pair[1].seeds))
        matrices = [image_scores(x, labels)[[x.seeds.index(s) for s in common]] for x in pair]
        low, high = np.quantile(two_way_bootstrap(*matrices, weights=weights, seed=seed), [0.025, 0.975])
        rows.append(
            {key: row[key] for key in ("arm", "classifier", "difference", "low", "high")} | {"bootstrap_low": low, "bootstrap_high": high}
        )
    return pd.DataFrame(rows)


def on_every_scoring(arms: dict, scoring: dict, clusters: np.ndarray, *, margin: float, planned_seeds: int = 0) -> pd.DataFrame:
    """Judge every arm against base under every scoring of the test images, and by macro F1 under the first.

    Args:
        planned_seeds: as in `contrasts.effects`.
    Returns:
        Columns scoring, metric, arm, classifier, difference, low, high, verdict, n_images.
    """
    parts = []
    for name, (mask, labels) in scoring.items():
        seen = {key: found.images(mask) for key, found in arms.items()}
        for metric in ("accuracy", "balanced_accuracy", "f1_macro"):
            table = effects(seen, labels[mask], clusters[mask], margin=margin, metric=metric, planned_seeds=planned_seeds)
            parts.append(table[table["role"] == "base"].assign(scoring=name))
    kept = ["scoring", "metric", "arm", "classifier", "difference", "low", "high", "verdict", "n_images"]
    return pd.concat(parts, ignore_index=True)[kept]


def distance_rows(distances: pd.DataFrame, *, study: str, seed: int) -> list[dict]:
    """Write distances as rows of the results table, the protocol in the metric's name, the pool in the place of the arm."""
    return [
        {"study": study, "arm": row["pool"], "classifier": "", "seed": seed, "split": "test",
         "metric": f"{row['metric']}_{row['space']}_n{row['n']}", "class": "", "value": row["value"]}
        for row in distances.to_dict("records")
    ]  # fmt: skip


def _first(arms: dict, name: str) -> ArmPredictions:
    found = [value for (arm, _), value in arms.items() if arm == name]
    if not found:
        raise StudyError(f"no run of arm {name}: there are {', '.join(dict.fromkeys(arm for arm, _ in arms))}")
    return found[0]
