"""From the findings back to the generator: what a round showed by class, and what the next one should make."""

import numpy as np
import pandas as pd

from lib.curation.nearest import nearest, neighbour_radius
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.pool import decide

GUIDANCE = {"stable": "sd_guidance", "diffusion": "diffusion_guidance"}  # generator: the parameter that weighs its condition
HOLDS = 0.8  # labels of a pool hold where the classifier agrees at least so many times as often as with real images
COVERS = 0.6  # share of real images from which on a pool covers them


def round_evidence(pool: FaceSet, verdicts: pd.DataFrame, held: FaceSet, instrument) -> pd.DataFrame:
    """Collect by class what decides the next round, in the eyes of the reference classifier.

    Args:
        pool: synthetic images.
        verdicts: curation's, long.
        held: real images that neither the generator nor the classifier has seen.
        instrument: has features and probabilities, both of uint8 (N, H, W).

    Returns:
        Table of class_evidence.
    """
    keep = decide(verdicts, pool.table["id"].tolist())["keep"].to_numpy()
    wrong = instrument.probabilities(held.images).argmax(axis=1) != held.labels
    errors = pd.Series(wrong).groupby(held.table["class"].to_numpy()).mean().reindex(CLASSES)
    return class_evidence(
        pool, keep, instrument.probabilities(pool.images), instrument.features(pool.images), held, instrument.features(held.images), errors
    )


def class_evidence(pool: FaceSet, verdicts_keep: np.ndarray, probabilities: np.ndarray, features: np.ndarray, real: FaceSet,
real_features: np.ndarray,
                   class_errors: pd.Series) -> pd.DataFrame:  # fmt: skip
    """Collect by class what decides the next round.

    Args:
        pool: synthetic images.
        verdicts_keep: bool (N,), curation's decision.
        probabilities: float (N, 7), the judge's.
        features: float (N, D) of the pool.
        real: real images.
        real_features: float (M, D) of them.
        class_errors: share of real images of each class that the classifier gets wrong.

    Returns:
        Table by class: n, kept (share), consistency (share that the judge sees as labelled), n_real, coverage (share of real images with a
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
            "n_real": int(theirs.sum()),
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
    return float((nearest(real, synthetic)[0] <= neighbour_radius(real, 5)).mean())


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
    error = table["error"].fillna(table["error"].mean()).fillna(1.0)  # a class that the real images lack counts like the others
    missing = (1 - table["consistency"].fillna(0)) + (1 - table["coverage"].fillna(0))
    need = (error * (1 + missing)).clip(lower=1e-9)
    share = least_share / len(CLASSES) + (1 - least_share) * need / need.sum()
    raw = share / table["kept"].fillna(1).clip(lower=0.1)
    return largest_remainders(raw / raw.sum(), images)


def largest_remainders(shares: pd.Series, total: int) -> pd.Series:
    """Round shares of a total to whole numbers that sum to it."""
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    counts[(exact - counts).sort_values(ascending=False, kind="stable").index[: total - counts.sum()]] += 1
    return counts


def next_settings(evidence: pd.DataFrame, params: dict) -> tuple[dict, str]:
    """Propose how the next round should differ: more guidance where labels are missed, less where they hold and coverage lacks.

    Args:
        evidence: table of class_evidence.
        params: the parameters of the next round's generator.

    Returns:
        Parameters to override, and what they follow from; only those that the generator heeds.
    """
    real = 1 - evidence["error"]
    holds, coverage = evidence["consistency"].mean() / real.mean(), evidence["coverage"].mean()
    settings, why = {}, []
    guidance = GUIDANCE.get(params["generator"])
    if guidance and holds < HOLDS:
        settings[guidance] = round(params[guidance] * 1.25, 2)
        why.append(f"labels hold {holds:.0%} as often as on real images: {guidance} {settings[guidance]:g} instead of {params[guidance]:g}")
    elif guidance and coverage < COVERS:
        settings[guidance] = round(params[guidance] * 0.8, 2)
        why.append(
            f"labels hold, but {coverage:.0%} of the real images are covered: {guidance} {settings[guidance]:g} instead of "
            f"{params[guidance]:g}"
        )
    weak = evidence.loc[evidence["consistency"] < HOLDS * real, "class"].tolist()
    if weak and params["generator"] == "stable":
        settings["sd_emphasised"] = sorted({*params["sd_emphasised"], *weak})
        why.append(f"the labels of {', '.join(weak)} are missed: their prompts begin with the expression")
    return settings, "; ".join(why)
