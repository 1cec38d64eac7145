"""Tables and counts that the metrics and findings pages show, and their files."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.faces.arms import ARM_FIELDS, Arm, arm_of
from lib.faces.faceset import FaceSet
from lib.metrics.arms import ArmPredictions, image_scores
from lib.metrics.contrasts import BASE, Arms, Scorings, effects
from lib.metrics.faithfulness import worst_prompts
from lib.metrics.scores import confusion, reliability
from lib.metrics.statistics import cluster_weights, two_way_bootstrap
from lib.study.errors import StudyError
from lib.study.paths import StudyPaths
from lib.study.records import parsing, write_csv

# Columns of texts that may be empty in every row, which a CSV file cannot tell from numbers.
TEXTS = (
    "pool",
    "control_of",
    "only",
    "class_shares",
    "reference_control_of",
    "class",
    "sample_size",
)
# Metrics and columns of `on_every_scoring`.
SCORING_METRICS = ("accuracy", "balanced_accuracy", "f1_macro")
SCORING_COLUMNS = (
    "scoring",
    "metric",
    "arm",
    "classifier",
    "difference",
    "low",
    "high",
    "verdict",
    "n_images",
)
# Columns of `pool_distances`: the value with its interval, and what real faces give.
DISTANCE_COLUMNS = (
    "space",
    "pool",
    "metric",
    "value",
    "low",
    "high",
    "null_low",
    "null_high",
    "differs",
)
CLASS_DISTANCES = ("kd", "coverage")  # that the page shows by class


def write_table(paths: StudyPaths, name: str, data: pd.DataFrame) -> Path:
    """Write a table as tables/<name>.csv and return its path."""
    # A page that reads it never sees half a table.
    return write_csv(paths.tables / f"{name}.csv", data)


def read_table(paths: StudyPaths, name: str) -> pd.DataFrame:
    """Read a table that 50_metrics wrote; empty texts stay empty texts.

    Raises:
        StudyError: where it is not there.
    """
    # Notebook 50 writes what the findings are made of.
    path = paths.tables / f"{name}.csv"
    if not path.exists():
        raise StudyError(f"{path}: not there; run notebook 50 first")
    return read_csv(path)


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table as `write_table` left it; empty texts stay empty texts."""
    # Only an empty cell is missing: "none" is the name of a filter.
    types = dict.fromkeys(TEXTS, str)
    with parsing(path, "run the notebook that writes it again"):
        table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
        texts = [column for column in table.columns if table[column].dtype.kind not in "fiub"]
        return table.fillna(dict.fromkeys(texts, ""))


def mean_scores(results: pd.DataFrame, *, split: str = "test") -> pd.DataFrame:
    """Average every arm's scores over seeds.

    Args:
        results: the results table (`lib.study.results`).
        split: that is shown.

    Returns:
        Columns arm, classifier, and one for each metric over all classes.
    """
    # Mean recall is balanced accuracy under another name.
    whole = (results["split"] == split) & (results["class"] == "") & (results["kind"] != "")
    shown = results[whole & (results["metric"] != "recall_macro")]
    return _mean_values(shown, ["arm", "classifier"], "metric")


def of_arms(table: pd.DataFrame, arms: list[Arm]) -> pd.DataFrame:
    """Keep the rows of some arms.

    Args:
        table: with the columns ARM_FIELDS.
    """
    # By all fields: two arms may share a pool, or a share.
    kept = [arm_of(row) in arms for row in table[list(ARM_FIELDS)].to_dict("records")]
    return table[kept]


def class_recalls(results: pd.DataFrame, *, split: str = "test") -> pd.DataFrame:
    """Take the recall of every class, of every run but those of shuffled labels: rows of the
    results table.
    """
    # Under shuffled labels a class means nothing.
    recalls = (results["metric"] == "recall") & (results["class"] != "")
    arms = (results["split"] == split) & (results["kind"] != "shuffled")
    return results[recalls & arms]


def mean_recalls(recalls: pd.DataFrame) -> pd.DataFrame:
    """Average recalls over seeds: columns arm, and one for each class.

    Args:
        recalls: of `class_recalls`.
    """
    return _mean_values(recalls, ["arm"], "class")


def mean_confusion(arms: Arms, arm: Arm, labels: np.ndarray) -> np.ndarray:
    """Average an arm's confusion matrices over seeds, float64 (C, C), of the first classifier that
    has it.
    """
    # One matrix a seed.
    runs = _first_classifier(arms, arm).probabilities
    return np.mean([confusion(run, labels) for run in runs], axis=0)


def calibration(arms: Arms, shown: list[Arm], labels: np.ndarray) -> pd.DataFrame:
    """Tabulate the reliability of some arms over all their seeds: the columns of
    `scores.reliability`, arm (its name) and ARM_FIELDS.
    """
    # The seeds of an arm are one large set of predictions.
    parts = []
    for arm in shown:
        predictions = _first_classifier(arms, arm)
        pooled = np.concatenate(predictions.probabilities)
        bins = reliability(pooled, np.tile(labels, len(predictions.seeds)))
        parts.append(bins.assign(arm=arm.name, **asdict(arm)))
    return pd.concat(parts, ignore_index=True)


def bootstrap_beside(
    arms: Arms,
    effects: pd.DataFrame,
    labels: np.ndarray,
    clusters: np.ndarray,
    *,
    n_boot: int,
    seed: int,
) -> pd.DataFrame:
    """Put the percentile interval of a two-way bootstrap beside the interval that decides, for
    every comparison with base in which each pool was made once: it knows no generations.

    Args:
        arms: of `contrasts.gather_arms`.
        effects: of `contrasts.effects`, on accuracy.
        labels, clusters: int64 (N,).
        n_boot: draws.
        seed: governs the draws.

    Returns:
        Columns arm, classifier, difference, low, high, bootstrap_low, bootstrap_high.
    """
    # The same draws of images for every comparison.
    weights = cluster_weights(clusters, n_boot, seed)
    against_base = effects[(effects["role"] == "base") & (effects["generations"] == 1)]
    rows = []
    for row in against_base.to_dict("records"):
        # Runs of both arms, paired by seed.
        base, arm = arms[BASE, row["classifier"]], arms[arm_of(row), row["classifier"]]
        seeds = sorted(set(base.seeds) & set(arm.seeds))
        pair = [image_scores(one.of_seeds(seeds), labels) for one in (base, arm)]

        # The percentile interval beside the one that decides.
        draws = two_way_bootstrap(*pair, weights=weights, seed=seed)
        low, high = np.quantile(draws, [0.025, 0.975])
        shown = {key: row[key] for key in ("arm", "classifier", "difference", "low", "high")}
        rows.append(shown | {"bootstrap_low": low, "bootstrap_high": high})
    return pd.DataFrame(rows)


def on_every_scoring(
    arms: Arms,
    scoring: Scorings,
    clusters: np.ndarray,
    *,
    margin: float,
    planned_seeds: int = 0,
) -> pd.DataFrame:
    """Decide about every arm against base in every scoring of the test images, by accuracy,
    balanced accuracy and macro F1.

    Args:
        arms: of `contrasts.over_generations`.
        scoring: of `contrasts.scorings`.
        clusters: int64 (N,).
        margin, planned_seeds: as in `contrasts.effects`.

    Returns:
        Columns SCORING_COLUMNS.
    """
    parts = []
    for name, (mask, labels) in scoring.items():
        # The images that this scoring counts, with its labels.
        seen = {key: predictions.images(mask) for key, predictions in arms.items()}
        shown = labels[mask], clusters[mask]
        settings = {"margin": margin, "planned_seeds": planned_seeds}
        for metric in SCORING_METRICS:
            # Of every metric the comparisons with base.
            table = effects(seen, *shown, metric=metric, **settings)
            parts.append(table[table["role"] == "base"].assign(scoring=name))
    return pd.concat(parts, ignore_index=True)[list(SCORING_COLUMNS)]


def wide_distances(distances: pd.DataFrame) -> pd.DataFrame:
    """Lay distances out for reading: columns space, pool, n, and one for each metric.

    Args:
        distances: of `pools.measure_spaces`.
    """
    return _mean_values(distances, ["space", "pool", "n"], "metric")


def pool_distances(distances: pd.DataFrame) -> pd.DataFrame:
    """Lay every pool's distances with their intervals out for reading: columns DISTANCE_COLUMNS.

    Args:
        distances: of `pools.measure_spaces`.
    """
    return distances.loc[distances["pool"] != "real", list(DISTANCE_COLUMNS)]


def wide_class_distances(distances: pd.DataFrame) -> pd.DataFrame:
    """Lay distances by class out for reading: columns space, metric, pool, and one for each class.

    Args:
        distances: of `pools.class_distances`; of its metrics those that tell most of few images.
    """
    # A class has few images; these two metrics bear that.
    chosen = distances[distances["metric"].isin(CLASS_DISTANCES)]
    return _mean_values(chosen, ["space", "metric", "pool"], "class")


def worst_prompts_of_pools(
    pools: dict[str, FaceSet], probabilities: dict[str, np.ndarray]
) -> pd.DataFrame:
    """List the prompts of every pool that show their class least often: column pool, and those of
    `faithfulness.worst_prompts`; without rows where no prompts are known.

    Args:
        pools: by name.
        probabilities: class probabilities of the pools' images, float (N, C), by name.
    """
    # Pools without prompts add no rows.
    parts = []
    for name, pool in pools.items():
        rows = worst_prompts(pool, probabilities[name])
        rows.insert(0, "pool", name)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def features_in(space: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Take the features of each set, float (N, D), from features and labels by the set's name."""
    return {name: features for name, (features, _) in space.items()}


def agreement_rows(gates: pd.DataFrame) -> pd.DataFrame:
    """Lay the label agreement of every pool out for a figure, beside that of real images.

    Args:
        gates: of `gates.label_agreement_of_pools`.

    Returns:
        Columns name and pool, agreement, low, high (95% Wilson; real images have none).
    """
    real = gates["agreement_on_real"].iloc[0]
    rows = [{"name": "real", "pool": "real", "agreement": real, "low": real, "high": real}]
    for gate in gates.to_dict("records"):
        share = wilson(round(gate["agreement"] * gate["n"]), int(gate["n"]))
        numbers = dict(zip(("agreement", "low", "high"), share, strict=True))
        rows.append({"name": gate["pool"], "pool": gate["pool"]} | numbers)
    return pd.DataFrame(rows)


def distance_rows(distances: pd.DataFrame, *, study: str, seed: int) -> list[dict]:
    """Write distances as rows of the results table: the protocol in the metric's name, the pool in
    the place of the arm.

    Args:
        distances: of `pools.measure_spaces`.
    """
    rows = []
    for row in distances.to_dict("records"):
        # No arm was trained; the pool stands where the arm would.
        about = {"study": study, "arm": row["pool"], "classifier": "", "seed": seed}
        metric = f"{row['metric']}_{row['space']}_n{row['n']}"
        measured = {"split": "test", "metric": metric, "class": "", "value": row["value"]}
        rows.append(about | measured)
    return rows


def _mean_values(table: pd.DataFrame, index: list[str], columns: str) -> pd.DataFrame:
    """Lay mean values out, in order of appearance."""
    # Rows and columns as they come, not sorted by name.
    wide = table.pivot_table(index=index, columns=columns, values="value", sort=False)
    return wide.reset_index().rename_axis(columns=None)


def _first_classifier(arms: Arms, arm: Arm) -> ArmPredictions:
    """The predictions of an arm, of the first classifier that has it."""
    # Arms come in the order of the study's classifiers.
    for (trained, _), predictions in arms.items():
        if trained == arm:
            return predictions
    names = ", ".join(dict.fromkeys(trained.name for trained, _ in arms))
    raise StudyError(f"no run of arm {arm.name}: there are {names}")
