"""Rounds: a pool that follows another in one study, what is kept of each, and round against round."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.curation.iteration import next_counts, next_settings
from lib.faces.pool import curation_folder
from lib.study.errors import StudyError
from lib.study.paths import StudyPaths
from lib.study.records import read_json, write_json

MEASURES = ("n", "kept", "consistency", "coverage")


@dataclass(frozen=True)
class NextRound:
    """What a pool is made with."""

    params: dict  # of the generator
    counts: pd.Series  # wanted images by class, of which plan_pool takes the shares
    why: str


def next_round(params: dict, paths: StudyPaths, real_counts: pd.Series) -> NextRound:
    """Decide what a pool is made with: its parameters as they are, or what follows from the round before.

    Args:
        params: the pool's parameters.
        paths: folders of the study.
        real_counts: real training images by class, which a first round may follow.

    Raises:
        StudyError: ready-made images, which cannot follow; the round before has not been curated.
    """
    first = params["round_of"]
    if not first:
        return NextRound(params, real_counts, "a first round: it follows no other")
    if params["generator"] == "folder":
        raise StudyError(f"pool {params['pool']}: round_of is {first!r}, but ready-made images are what they are; leave round_of empty")
    evidence = load_round(paths.pool(first))
    counts = next_counts(evidence, images=params["pool_images"])
    settings, why = next_settings(evidence, params)
    most, least = counts.idxmax(), counts.idxmin()
    shares = f"follows {first}: from {counts[least]} images of {least} to {counts[most]} of {most}"
    return NextRound(params | settings, counts, "; ".join(filter(None, [shares, why])))


def round_path(folder: Path) -> Path:
    """Locate what a round showed, beside the verdicts on its pool."""
    return curation_folder(folder) / "round.json"


def save_round(folder: Path, evidence: pd.DataFrame) -> Path:
    """Write what a round showed as JSON, for the notebook that makes the next one.

    Args:
        folder: the pool's folder.
        evidence: table of class_evidence.
    """
    rows = evidence.astype(object).where(evidence.notna(), None).to_dict("records")
    write_json(round_path(folder), {"evidence": rows})
    return round_path(folder)


def load_round(folder: Path) -> pd.DataFrame:
    """Read what save_round wrote.

    Raises:
        StudyError: no such file, or one that is something else.
    """
    path = round_path(folder)
    if not path.exists():
        raise StudyError(f"{path}: no such file; run notebook 30 for the pool {Path(folder).name}, the round before")
    content = read_json(path)
    if not isinstance(content, dict) or "evidence" not in content:
        raise StudyError(
            f"{path}: 'evidence' is missing; it is not the record of a round, run notebook 30 for the pool {Path(folder).name} again"
        )
    table = pd.DataFrame(content["evidence"])
    return table.astype({name: float for name in ("kept", "consistency", "coverage", "error")})


def compare_rounds(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Set two rounds side by side.

    Args:
        first: table of class_evidence.
        second: that of the next round.

    Returns:
        Table by class, with the classifier's error and for each of MEASURES the first round and the second, "coverage 1" and "coverage 2".
    """
    both = first.set_index("class").add_suffix(" 1").join(second.set_index("class").add_suffix(" 2"))
    both["error"] = both["error 1"]
    return both[["error", *(f"{name} {part}" for name in MEASURES for part in (1, 2))]].reset_index()


def round_findings(first: pd.DataFrame, second: pd.DataFrame) -> list[str]:
    """Say in sentences how the second round differs, in means over the classes, so that other class counts alone change nothing.

    Args:
        first: table of class_evidence.
        second: that of the next round.
    """
    lines = []
    for key, name, of in (("coverage", "real images covered", "n_real"), ("consistency", "labels that the reference classifier sees", "n")):
        shown = [
            f"{mean:.1%} ({low:.1%} to {high:.1%})" for part in (first, second) for mean, low, high in [class_mean(part[key], part[of])]
        ]
        lines.append(f"{name}: {shown[0]} in the first round, {shown[1]} in the second (mean of the classes, 95 % interval)")
    return lines


def class_mean(shares: pd.Series, n: pd.Series) -> tuple[float, float, float]:
    """Average shares over classes, each of weight one, with a 95 % interval from the binomial errors of the classes.

    Args:
        shares: by class; classes without images (NaN) are left out.
        n: images that each share was counted of.

    Source: Agresti and Coull 1998, "Approximate is better than exact", whose two added images a
        side keep a share of 0 or 1 from being certain.
    """
    there = shares.notna() & (n > 0)
    p, n = shares[there], n[there]
    safe = (p * n + 2) / (n + 4)
    error = 1.96 * np.sqrt((safe * (1 - safe) / (n + 4)).sum()) / max(len(p), 1)
    return float(p.mean()), float(max(p.mean() - error, 0)), float(min(p.mean() + error, 1))
