"""Rounds: a pool that follows another in one study, its record, and the comparison of two."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.curation.iteration import next_counts, next_settings
from lib.faces.pool import curation_folder
from lib.study.errors import StudyError
from lib.study.kept import read_sealed, write_sealed
from lib.study.paths import StudyPaths
from lib.study.records import parsing

MEASURES = ("n", "kept", "consistency", "coverage")  # columns that two rounds are compared by
SHARES = ("kept", "consistency", "coverage", "error")  # columns that hold numbers or nothing
KEY = "classes"  # of the table in the JSON file
Z = 1.96  # of a 95% interval


@dataclass(frozen=True)
class NextRound:
    """What a pool is made with."""

    params: dict  # of the generator
    counts: pd.Series  # wanted images by class; plan_pool takes the shares
    why: str  # in words


def next_round(params: dict, paths: StudyPaths, real_counts: pd.Series) -> NextRound:
    """Decide what a pool is made with: its own parameters, or what follows from the round before.

    Args:
        params: the pool's parameters.
        paths: folders of the study.
        real_counts: real training images by class, which a first round may follow.

    Raises:
        StudyError: ready-made images, which cannot follow; the round before was not curated.
    """
    # A first round, or one that cannot follow.
    before = params["round_of"]
    if not before:
        return NextRound(params, real_counts, "a first round: it follows no other")
    if params["generator"] == "folder":
        raise StudyError(
            f"pool {params['pool']}: round_of is {before!r}, but ready-made images cannot follow "
            "another pool; leave round_of empty"
        )

    # What the round before showed decides class counts and settings.
    measures = load_round(paths.pool(before))
    counts = next_counts(measures, images=params["pool_images"])
    settings, reasons = next_settings(measures, params)

    # Say what follows from it.
    most, least = counts.idxmax(), counts.idxmin()
    why = f"follows {before}: from {counts[least]} images of {least} to {counts[most]} of {most}"
    if reasons:
        why = f"{why}; {reasons}"
    return NextRound(params | settings, counts, why)


def round_path(folder: Path) -> Path:
    """Locate the record of a round, beside the verdicts on its pool.

    Args:
        folder: the pool's folder.
    """
    return curation_folder(folder) / "round.json"


def save_round(folder: Path, measures: pd.DataFrame) -> Path:
    """Write the measures of a round as JSON, for the notebook that makes the next one.

    Args:
        folder: the pool's folder.
        measures: table of class_measures.

    Returns:
        The file.
    """
    # JSON has no NaN.
    rows = measures.astype(object).where(measures.notna(), None).to_dict("records")
    write_sealed(round_path(folder), {KEY: rows})
    return round_path(folder)


def load_round(folder: Path) -> pd.DataFrame:
    """Read what save_round wrote.

    Raises:
        StudyError: no such file, or one that is something else.
    """
    # Stop with the name of the notebook that writes it.
    path = round_path(folder)
    pool = Path(folder).name
    if not path.exists():
        raise StudyError(
            f"{path}: no such file; run notebook 30 for the pool {pool}, the round before"
        )
    with parsing(path, f"run notebook 30 for the pool {pool} again"):
        return pd.DataFrame(read_sealed(path)[KEY]).astype({name: float for name in SHARES})


def compare_rounds(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Put two rounds side by side.

    Args:
        first: table of class_measures.
        second: that of the next round.

    Returns:
        Columns class, error (the classifier's), and for each of MEASURES the first round and the
        second: "coverage 1" and "coverage 2".
    """
    # Columns "coverage 1" and "coverage 2"; the classifier is the same in both rounds.
    left = first.set_index("class").add_suffix(" 1")
    right = second.set_index("class").add_suffix(" 2")
    both = left.join(right)
    both["error"] = both["error 1"]
    columns = [f"{name} {part}" for name in MEASURES for part in (1, 2)]
    return both[["error", *columns]].reset_index()


def round_findings(first: pd.DataFrame, second: pd.DataFrame) -> list[str]:
    """State in sentences how the second round differs.

    Numbers are means over the classes, so that other class counts alone change nothing.

    Args:
        first: table of class_measures.
        second: that of the next round.
    """
    sentences = []
    for measure, n, words in (
        ("coverage", "n_real", "real images covered"),
        ("consistency", "n", "images that the reference classifier classifies as labelled"),
    ):
        before = _interval_text(first[measure], first[n])
        after = _interval_text(second[measure], second[n])
        sentences.append(
            f"{words}: {before} in the first round, {after} in the second "
            "(mean of the classes, 95% interval)"
        )
    return sentences


def class_mean(shares: pd.Series, n: pd.Series) -> tuple[float, float, float]:
    """Average shares over classes of equal weight, with a 95% interval.

    The interval follows from the binomial errors of the classes.

    Args:
        shares: by class; classes without images (NaN) are left out.
        n: images that each share was counted of.

    Returns:
        mean, low, high, 0 to 1.

    Source: Agresti and Coull 1998, "Approximate is better than exact": two added images a side keep
        a share of 0 or 1 from being certain.
    """
    # Leave out classes without images.
    counted = shares.notna() & (n > 0)
    p = shares[counted]
    n = n[counted]

    # Binomial variance of each class; that of a mean of independent shares follows.
    adjusted = (p * n + 2) / (n + 4)
    variance = (adjusted * (1 - adjusted) / (n + 4)).sum()
    error = Z * np.sqrt(variance) / max(len(p), 1)
    mean = float(p.mean())
    return mean, float(max(mean - error, 0)), float(min(mean + error, 1))


def _interval_text(shares: pd.Series, n: pd.Series) -> str:
    """Write the mean over the classes and its interval."""
    mean, low, high = class_mean(shares, n)
    return f"{mean:.1%} ({low:.1%} to {high:.1%})"
