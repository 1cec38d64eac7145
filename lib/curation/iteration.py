"""From the findings back to the generator: what the next round should make."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.curation.nearest import nearest
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError
from lib.study.records import read_json, write_json


def class_evidence(pool: FaceSet, verdicts_keep: np.ndarray, probabilities: np.ndarray, features: np.ndarray, real: FaceSet, real_features: np.ndarray,
                   class_errors: pd.Series) -> pd.DataFrame:  # fmt: skip
    """Collect by class what decides the next round.

    Args:
        pool: synthetic images.
        verdicts_keep: bool (N,), curation's decision.
        probabilities: float (N, 7), the judge's.
        features: float (N, D) of the pool.
        real: real training images.
        real_features: float (M, D) of them.
        class_errors: share of validation images of each class that the classifier gets wrong.

    Returns:
        Table by class: n, kept (share), consistency (share that the judge sees as labelled), coverage (share of real images with a
        synthetic one nearer than their own usual real neighbour), error.
    """
    rows = []
    for label, name in enumerate(CLASSES):
        own, theirs = pool.labels == label, real.labels == label
        n = int(own.sum())
        rows.append({
            "class": name,
            "n": n,
            "kept": float(verdicts_keep[own].mean()) if n else np.nan,
            "consistency": float((probabilities[own].argmax(axis=1) == label).mean()) if n else np.nan,
            "coverage": _covered(real_features[theirs], features[own]),
            "error": float(class_errors[name]),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _covered(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Share of real points that have a synthetic one within their distance to the fifth real neighbour.

    Source: Naeem et al. 2020, "Reliable fidelity and diversity metrics", arXiv 2002.09797, coverage with k = 5.
    """
    if len(real) < 7 or not len(synthetic):
        return float("nan")
    from sklearn.neighbors import NearestNeighbors

    radius = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(real).kneighbors(real)[0][:, 5]  # itself is the first
    return float((nearest(real, synthetic)[0] <= radius).mean())


def next_counts(evidence: pd.DataFrame, *, images: int, least_share: float = 0.5) -> pd.Series:
    """Share out the next round's images: more where the classifier errs and the pool is inconsistent or covers little.

    A class's need is its error times one plus what is missing in consistency and coverage; what curation rejects is made up for.

    Args:
        evidence: table of class_evidence.
        images: images of the next round, kept and rejected.
        least_share: every class gets at least this share of an equal part, 0 to 1.

    Returns:
        int64 by class, of sum `images`.
    """
    table = evidence.set_index("class").reindex(CLASSES)
    if table["error"].isna().any():
        raise StudyError(f"next round: no classifier error for class {table.index[table['error'].isna()][0]}; run notebooks 40 and 50 first")
    missing = (1 - table["consistency"].fillna(0)) + (1 - table["coverage"].fillna(0))
    need = (table["error"] * (1 + missing)).clip(lower=1e-9)
    share = least_share / len(CLASSES) + (1 - least_share) * need / need.sum()
    raw = share / table["kept"].fillna(1).clip(lower=0.1)
    return largest_remainders(raw / raw.sum(), images)


def largest_remainders(shares: pd.Series, total: int) -> pd.Series:
    """Round shares of a total to whole numbers that sum to it."""
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    counts[(exact - counts).sort_values(ascending=False, kind="stable").index[: total - counts.sum()]] += 1
    return counts


def next_settings(evidence: pd.DataFrame, params: dict) -> dict:
    """Propose how the next round should differ: more guidance where labels are missed, less where they hold and coverage lacks.

    Args:
        evidence: table of class_evidence.
        params: the last round's parameters.

    Returns:
        Parameters to override, with what they follow from under "why"; only keys that the generator has.
    """
    consistency, coverage = evidence["consistency"].mean(), evidence["coverage"].mean()
    settings, why = {}, []
    guidance = next((key for key in ("sd_guidance", "diffusion_guidance", "guidance_scale") if key in params), None)
    if guidance and consistency < 0.6:
        settings[guidance] = round(params[guidance] * 1.25, 2)
        why.append(f"labels hold for {consistency:.0%} of the images: stronger guidance")
    elif guidance and coverage < 0.6:
        settings[guidance] = round(params[guidance] * 0.8, 2)
        why.append(f"labels hold ({consistency:.0%}) but {coverage:.0%} of the real images are covered: weaker guidance")
    weak = evidence.loc[evidence["consistency"] < 0.5, "class"].tolist()
    if weak:
        why.append(f"reword the prompts of {', '.join(weak)}: the judge sees them as something else")
    return settings | {"why": "; ".join(why) or "labels and coverage hold: only the class counts change"}


def save_round(path: Path, evidence: pd.DataFrame, counts: pd.Series, settings: dict) -> None:
    """Write what a round showed and what the next one should make, as JSON."""
    write_json(path, {"evidence": evidence.to_dict("records"), "next_counts": counts.to_dict(), "next_settings": settings})


def load_round(path: Path) -> tuple[pd.DataFrame, pd.Series, dict]:
    """Read what save_round wrote.

    Raises:
        StudyError: no such file, or one that is something else.
    """
    content = read_json(path)
    missing = {"evidence", "next_counts", "next_settings"} - set(content)
    if missing:
        raise StudyError(f"{path}: {sorted(missing)[0]!r} is missing; it is not the record of a round, run notebooks 30 to 50 of the round before")
    return pd.DataFrame(content["evidence"]), pd.Series(content["next_counts"], dtype=np.int64).reindex(CLASSES, fill_value=0), content["next_settings"]


def compare_rounds(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Set two rounds side by side.

    Args:
        first: table of class_evidence.
        second: that of the next round.

    Returns:
        Table by class: for n, kept, consistency, coverage and error the first, the second, and their difference.
    """
    both = first.set_index("class").add_suffix("_1").join(second.set_index("class").add_suffix("_2"))
    for name in ("n", "kept", "consistency", "coverage", "error"):
        both[f"{name}_change"] = both[f"{name}_2"] - both[f"{name}_1"]
    return both[[f"{name}_{part}" for name in ("n", "kept", "consistency", "coverage", "error") for part in ("1", "2", "change")]].reset_index()
