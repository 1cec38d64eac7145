"""The recovered fraction: what k synthetic images bring, as a share of what k held-back real images
bring to the same real images.

R = (with synthetic images - alone) / (with held-back real images - alone). 0 is worthless, 1 as
good as real images, below 0 is harm; where as many images are added to both, one synthetic image is
worth R real ones.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from lib.metrics.amounts import ALONE, Amounts, Comparison
from lib.metrics.gains import (
    GAIN_COLUMNS,
    METRICS,
    Scores,
    about_comparison,
    own_scorings,
    scores_of,
)
from lib.metrics.predictions import Predictions
from lib.metrics.statistics import ALPHA, compare

BOUNDED, UNBOUNDED, UNDEFINED = "bounded", "unbounded", "undefined"  # kinds of intervals
STEPS_OUT = 60  # doublings of the distance in which the end of an interval is looked for
PRECISION = 1e-3  # of the ends, in standard errors

# What the table says of each arm: as in the table of gains, but for its reference.
OF_REFERENCE = ("against", "reference_length", "reference_steps", "reference_score")
RECOVERED_COLUMNS = (
    *(name for name in GAIN_COLUMNS if name not in OF_REFERENCE),
    "recovered",
    "low",
    "high",
    "interval",
    "gain",
    "ceiling",
    "ceiling_p",
    "n_images",
    "n_seeds",
)


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means with its 95% interval."""

    value: float
    low: float
    high: float
    interval: str  # BOUNDED, UNBOUNDED or UNDEFINED
    denominator_p: float  # two-sided, the denominator is 0


def ratio_of_means(
    numerator: np.ndarray, denominator: np.ndarray, *, clusters: np.ndarray
) -> Ratio:
    """Estimate mean(numerator) / mean(denominator), with an interval for new seeds and images.

    The interval holds every r for which numerator - r * denominator is not shown to differ from 0.
    Where the denominator itself is not shown to differ from 0 no finite interval has its level: it
    is unbounded, and said to be.

    Args:
        numerator, denominator: float64 (S, N), of the same seeds and images.
        clusters: int64 (N,), equal for copies.

    Source: Fieller 1954, by inversion of the crossed test of `statistics.compare`.
    """

    def p_value(r: float) -> float:
        return compare(r * denominator, numerator, clusters=clusters).p

    # Without a denominator there is no ratio.
    p = compare(np.zeros_like(denominator), denominator, clusters=clusters).p
    mean = denominator.mean()
    if mean == 0:
        return Ratio(np.nan, np.nan, np.nan, UNDEFINED, p)
    value = float(numerator.mean() / mean)
    if p >= ALPHA:
        return Ratio(value, -np.inf, np.inf, UNBOUNDED, p)

    # Outwards from the estimate on either side, to where the test rejects.
    step = 2 * compare(value * denominator, numerator, clusters=clusters).se / abs(mean)
    if step == 0:
        return Ratio(value, value, value, BOUNDED, p)
    low, high = (_end(p_value, value, sign * step) for sign in (-1, 1))
    return Ratio(value, low, high, BOUNDED, p)


def recovered_table(amounts: Amounts, predictions: Predictions) -> pd.DataFrame:
    """Estimate the recovered fraction of every arm of numbers that has held-back real images to be
    compared with, in every reading: by every metric in the first scoring, the one without copies in
    training, and by accuracy in the others.

    Args:
        predictions: of the study.

    Returns:
        Columns RECOVERED_COLUMNS; gain and ceiling are differences to the real images alone.
    """
    # Every gain over the real images alone whose ceiling is known.
    rows = []
    for place, scoring in enumerate(own_scorings(predictions)):
        for metric in METRICS if place == 0 else METRICS[:1]:
            scores = scores_of(amounts, predictions, scoring, metric)
            for gain in amounts.comparisons:
                ceiling = _ceiling_of(gain, amounts)
                if ceiling is not None and amounts.share_a_seed(*_arms_of(gain, ceiling)):
                    about = about_comparison(gain, amounts)
                    about |= {"scoring": scoring, "metric": metric}
                    rows.append(about | _recovered(scores, gain, ceiling))
    return pd.DataFrame(rows, columns=RECOVERED_COLUMNS)


def _ceiling_of(gain: Comparison, amounts: Amounts) -> Comparison | None:
    """Find what as many held-back real images bring, in the same reading; None where no one knows.

    In the reading of equal real passes both are compared with as many passes as they took.
    """
    # Shuffled labels are no images that one might add.
    arm, classifier, _ = gain.arm
    is_asked = gain.against == ALONE and arm.kind not in ("extra", "shuffled")
    if not is_asked:
        return None

    # The ceiling has the same numbers of images, and is the same for all pools.
    for other in amounts.comparisons:
        real = other.arm[0]
        same_numbers = (real.real, real.added) == (arm.real, arm.added)
        if real.kind == "extra" and same_numbers and other.arm[1] == classifier:
            if (other.against, other.reading) == (ALONE, gain.reading):
                return other
    return None


def _arms_of(gain: Comparison, ceiling: Comparison) -> tuple:
    """The four arms of a recovered fraction."""
    return gain.arm, gain.reference, ceiling.arm, ceiling.reference


def _recovered(scores: Scores, gain: Comparison, ceiling: Comparison) -> dict:
    """Estimate one recovered fraction, on the seeds that all of its arms have."""
    # Paired by draw.
    seeds = scores.common_seeds(*_arms_of(gain, ceiling))
    numerator, denominator = scores.gain(gain, seeds), scores.gain(ceiling, seeds)
    ratio = ratio_of_means(numerator, denominator, clusters=scores.clusters)
    return {
        "recovered": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "interval": ratio.interval,
        "gain": numerator.mean(),
        "ceiling": denominator.mean(),
        "ceiling_p": ratio.denominator_p,
        "n_images": numerator.shape[1],
        "n_seeds": len(seeds),
    }


def _end(p_value, value: float, step: float) -> float:
    """Find where a test stops to accept, from an accepted value on in the direction of a step."""
    # Double the distance until the test rejects.
    inside, outside = 0.0, step
    for _ in range(STEPS_OUT):
        if p_value(value + outside) < ALPHA:
            break
        inside, outside = outside, 2 * outside
    else:
        return float(np.sign(step) * np.inf)

    # Between both distances it changes its mind.
    def beyond(distance: float) -> float:
        return p_value(value + distance) - ALPHA

    near, far = sorted((inside, outside))
    return float(value + brentq(beyond, near, far, xtol=PRECISION * abs(step)))
