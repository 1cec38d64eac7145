"""From one round to the next: what a pool showed by class, and what the next pool should be.

The table of class_measures has one row a class of the face set, in its order.
"""

import numpy as np
import pandas as pd

from lib.compute.neighbours import COVERAGE_K, covered
from lib.faces.faceset import FaceSet
from lib.faces.pool import decide

# The parameter by which a generator weighs its condition.
GUIDANCE = {"stable": "sd_guidance", "diffusion": "diffusion_guidance"}
MORE_GUIDANCE = 1.25  # factor where labels are missed
LESS_GUIDANCE = 0.8  # factor where labels are shown but real images are not covered
# Labels of a pool are shown where the classifier agrees at least this often relative to how often
# it agrees with the labels of real images.
LABELS_SHOWN = 0.8
COVERED = 0.6  # share of real images from which a pool covers them
SURE_SHARE = 0.5  # of an equal part, which every class gets
MIN_KEPT = 0.1  # share of kept images that is made up for, at least
MIN_REAL_IMAGES = COVERAGE_K + 2  # of a class, for its coverage


def measure_round(
    pool: FaceSet, verdicts: pd.DataFrame, held: FaceSet, reference_classifier
) -> pd.DataFrame:
    """Measure by class what decides the next round, with the reference classifier.

    Args:
        pool: synthetic images.
        verdicts: curation's, long table.
        held: real images that neither the generator nor the classifier has learnt from.
        reference_classifier: has features and probabilities, both of uint8 (N, H, W).

    Returns:
        Table of class_measures.
    """
    # What curation kept, and how often the classifier errs on real images of each class.
    keep = decide(verdicts, pool.table["id"].tolist())["keep"].to_numpy()
    wrong = reference_classifier.probabilities(held.images).argmax(axis=1) != held.labels
    errors = pd.Series(wrong).groupby(held.table["class"].to_numpy()).mean()
    return class_measures(
        pool,
        keep,
        reference_classifier.probabilities(pool.images),
        reference_classifier.features(pool.images),
        held,
        reference_classifier.features(held.images),
        errors.reindex(held.classes),
    )


def class_measures(
    pool: FaceSet,
    keep: np.ndarray,
    probabilities: np.ndarray,
    features: np.ndarray,
    real: FaceSet,
    real_features: np.ndarray,
    class_errors: pd.Series,
) -> pd.DataFrame:
    """Measure by class what decides the next round.

    Args:
        pool: N synthetic images.
        keep: bool (N,), curation's decisions.
        probabilities: float (N, K), the reference classifier's.
        features: float (N, D) of the pool.
        real: M real images.
        real_features: float (M, D) of them.
        class_errors: by class name, share of real images that the classifier gets wrong.

    Returns:
        Columns class, n, kept (share), consistency (share that is classified as labelled),
        n_real, coverage (share of real images that have a synthetic one nearer than their fifth
        real neighbour), error. Shares of no images are NaN.
    """
    # Every class is measured by itself.
    predicted = probabilities.argmax(axis=1)
    rows = []
    for label, name in enumerate(pool.classes):
        of_pool = pool.labels == label
        of_real = real.labels == label
        row = {
            "class": name,
            "n": int(of_pool.sum()),
            "kept": _mean(keep[of_pool]),
            "consistency": _mean(predicted[of_pool] == label),
            "n_real": int(of_real.sum()),
            "coverage": _coverage(real_features[of_real], features[of_pool]),
            "error": float(class_errors[name]),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def next_counts(measures: pd.DataFrame, *, images: int) -> pd.Series:
    """Share out the next round's images by class.

    A class gets more where the classifier errs and the pool is inconsistent or covers little: its
    need is its error, times one plus what is missing in consistency and coverage. What curation
    rejects is made up for.

    Args:
        measures: table of class_measures.
        images: images of the next round, kept and rejected.

    Returns:
        int64 by class, of sum `images`.
    """
    table = measures.set_index("class")
    # A class that the real images lack counts like the others.
    error = table["error"].fillna(table["error"].mean()).fillna(1.0)
    inconsistent = 1 - table["consistency"].fillna(0)
    uncovered = 1 - table["coverage"].fillna(0)
    need = (error * (1 + (inconsistent + uncovered))).clip(lower=1e-9)

    # A sure part for every class, the rest by need; more where curation rejects more.
    share = SURE_SHARE / len(table) + (1 - SURE_SHARE) * need / need.sum()
    generated = share / table["kept"].fillna(1).clip(lower=MIN_KEPT)
    return largest_remainders(generated / generated.sum(), images)


def largest_remainders(shares: pd.Series, total: int) -> pd.Series:
    """Round shares of a total to whole numbers that sum to it.

    Args:
        shares: of sum 1.
        total: a whole number.

    Returns:
        int64 with the index of shares.
    """
    # Round down, then give what is missing to the largest remainders.
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    missing = total - counts.sum()
    largest = (exact - counts).sort_values(ascending=False, kind="stable").index[:missing]
    counts[largest] += 1
    return counts


def next_settings(measures: pd.DataFrame, params: dict) -> tuple[dict, str]:
    """Propose how the next round's generator should differ.

    More guidance where the labels are missed; less where they are shown and coverage lacks.
    Prompts of a class that is missed begin with its expression.

    Args:
        measures: table of class_measures.
        params: the parameters of the next round's generator.

    Returns:
        Parameters to override, only those that the generator has, and the reasons in words.
    """
    # Guidance, where the generator has it.
    settings = {}
    reasons = []
    real = 1 - measures["error"]  # consistency of real images
    guidance = GUIDANCE.get(params["generator"])
    if guidance:
        shown = measures["consistency"].mean() / real.mean()
        value, reason = _next_guidance(params[guidance], shown, measures["coverage"].mean())
        if reason:
            settings[guidance] = value
            reasons.append(f"{reason}: {guidance} {value:g} instead of {params[guidance]:g}")

    # Prompts, where the generator reads any.
    missed = measures.loc[measures["consistency"] < LABELS_SHOWN * real, "class"].tolist()
    if missed and params["generator"] == "stable":
        settings["sd_emphasised"] = sorted({*params["sd_emphasised"], *missed})
        classes = ", ".join(missed)
        reasons.append(
            f"the labels of {classes} are missed: their prompts begin with the expression"
        )
    return settings, "; ".join(reasons)


def _next_guidance(guidance: float, shown: float, coverage: float) -> tuple[float, str]:
    """Choose the next guidance and give the reason; "" where it stays.

    Args:
        guidance: of this round.
        shown: how often labels are shown, relative to real images.
        coverage: mean over the classes.
    """
    # Labels come first: a pool that shows them wrongly covers nothing.
    if shown < LABELS_SHOWN:
        reason = f"labels are shown {shown:.0%} as often as on real images"
        return round(guidance * MORE_GUIDANCE, 2), reason
    if coverage < COVERED:
        reason = f"labels are shown, but {coverage:.0%} of the real images are covered"
        return round(guidance * LESS_GUIDANCE, 2), reason
    return guidance, ""


def _mean(values: np.ndarray) -> float:
    """Average; NaN where there is nothing to average."""
    return float(values.mean()) if len(values) else float("nan")


def _coverage(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Measure the coverage of one class; NaN where too few real or no synthetic images exist."""
    if len(real) < MIN_REAL_IMAGES or not len(synthetic):
        return float("nan")
    return float(covered(real, synthetic).mean())
