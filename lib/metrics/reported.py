"""The numbers that the three studies reported, set beside this study's."""

from pathlib import Path

import pandas as pd

from lib.metrics.preregistration import RIGHT
from lib.metrics.scores import SCORES
from lib.metrics.three_studies import check_arm, check_pools, check_word
from lib.study.errors import StudyError
from lib.study.params import read_entries
from lib.study.paths import ROOT
from lib.study.records import parsing

# What the studies reported and this project does not score: listed, never compared.
OTHER_METRICS = (
    "agreement",
    "best_training_accuracy",
    "epoch_of_early_stop",
    "false_detections",
    "fd_inception",
    "frame_1",
    "frame_2",
    "frame_3",
    "frame_4",
    "images_per_second",
    "jensen_shannon_tsne",
    "leaked_validation_share",
    "lowest_training_loss",
    "sd_of_the_four_accuracies",
    "share",
    "training_kimg",
)
# Keys of an entry of the file, an arm of one report.
REQUIRED = ("study", "report", "arm", "values")
OPTIONAL = ("classifier", "ours", "of")
# Columns of the reported numbers, and of the table that sets ours beside them.
NUMBER_COLUMNS = (
    "study",
    "report",
    "arm",
    "classifier",
    "ours",
    "of",
    "metric",
    "value",
    "actual",
    "predicted",
)
# Ours beside a reported number.
COLUMNS = (
    "study",
    "arm",
    "classifier",
    "metric",
    "reported",
    "our_arm",
    "our_classifier",
    "ours",
    "low",
    "high",
    "n_seeds",
)


def load_reported(path: Path = ROOT / "params" / "reported.yaml") -> pd.DataFrame:
    """Read and check the numbers that the three studies reported.

    Returns:
        One row a number, columns NUMBER_COLUMNS: ours holds the fields of our arm that corresponds
        (kind, share, ... and pools, of which any corresponds), or is missing; actual and predicted
        are the classes of a difficult frame, which has no value.

    Raises:
        StudyError: naming the file, the entry, the key and the nearest valid one.
    """
    # One row a number, of every entry of the file.
    path = Path(path)
    rows = []
    for entry in read_entries(path, "reports"):
        where = f"{path}: {entry.get('study', '?')}, {entry.get('arm', '?')}"
        with parsing(where, RIGHT):
            _check(entry, where)
            about = {"classifier": ""} | {key: entry[key] for key in entry if key != "values"}
            for metric, value in entry["values"].items():
                classes_or_value = value if isinstance(value, dict) else {"value": value}
                rows.append(about | {"metric": metric} | classes_or_value)
    return pd.DataFrame(rows, columns=NUMBER_COLUMNS)


def reported_beside_ours(
    reported: pd.DataFrame, results: pd.DataFrame, *, split: str = "test", why_not: str = ""
) -> pd.DataFrame:
    """Set the reported numbers side by side with our means over seeds.

    Args:
        reported: of `load_reported`.
        results: the results table (`lib.study.results`).
        split: that ours are scored on.
        why_not: of `three_studies.why_not_applicable`; where it says something, ours is left empty.

    Returns:
        Columns COLUMNS; low and high are the range over seeds; ours is missing where this study has
        no such arm.
    """
    # Our scores over all classes, of each pool's first generation.
    scores = results[(results["split"] == split) & (results["class"] == "")]
    scores = scores[:0] if why_not else scores[scores["generation"] == 1]
    # Numbers that this project scores too.
    comparable = reported["value"].notna() & reported["metric"].isin(SCORES)
    rows = []
    for number in reported[comparable].to_dict("records"):
        fixed = {key: number[key] for key in ("study", "arm", "classifier", "metric")}
        fixed["reported"] = number["value"]
        of_metric = scores[scores["metric"] == number["metric"]]
        matching = of_metric[_corresponds(of_metric, number["ours"])]
        # A number without an arm of ours stands alone.
        if not len(matching):
            rows.append(fixed)

        # Our mean, and the range of single seeds, which the reported number is one of.
        for (arm, classifier), values in matching.groupby(["arm", "classifier"])["value"]:
            ours = {"our_arm": arm, "our_classifier": classifier, "ours": values.mean()}
            spread = {"low": values.min(), "high": values.max(), "n_seeds": len(values)}
            rows.append(fixed | ours | spread)
    return pd.DataFrame(rows, columns=COLUMNS)


def _corresponds(results: pd.DataFrame, ours) -> pd.Series:
    """Which rows of the results are about an arm with these fields: bool, as long as the rows."""
    # A missing value is no arm of ours.
    if not isinstance(ours, dict):
        return pd.Series(False, results.index)
    fields = {"control_of": "", "only": ""} | ours
    # One pool or several; real images alone have none.
    pool = fields.pop("pool", "")
    pools = fields.pop("pools", [pool])
    matches = results["pool"].isin(pools)
    for name, value in fields.items():
        matches &= results[name] == value
    return matches


def _check(entry: dict, where: str) -> None:
    """Refuse an entry with a missing or unknown key, metric or arm."""
    # The keys are complete and known, and so are the metrics.
    for key in entry:
        check_word(key, (*REQUIRED, *OPTIONAL), where, "key")
    missing = [key for key in REQUIRED if key not in entry]
    if missing:
        raise StudyError(f"{where}: key {missing[0]!r} is missing")
    for metric in entry["values"]:
        check_word(metric, (*SCORES, *OTHER_METRICS), where, "values")

    # Our arm is named by fields, and by the pools of which any corresponds.
    if "ours" in entry:
        fields = dict(entry["ours"])
        pools = fields.pop("pools", [])
        check_pools(pools, where, "ours.pools")
        check_arm(fields, pools, where, "ours")
