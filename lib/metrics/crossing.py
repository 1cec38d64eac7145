"""From how many real images on added ones bring nothing any more.

Between two sizes that were trained the gain is taken to be linear in the logarithm of the number
of real images: the score matrices of both, paired by draw and image, are mixed with the weights of
that line, and the mixture is tested as any other difference. Two answers follow: where the gain
itself crosses 0, and the sizes whose pointwise 95% interval contains 0. The second one holds the
true crossing in 95 of 100 studies, if there is one and the line is right.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.metrics.amounts import ALONE, DUPLICATES, Amounts, Comparison
from lib.metrics.gains import Scores, own_scorings, scores_of
from lib.metrics.predictions import Predictions
from lib.metrics.statistics import HELPS

POINTS = 16  # sizes between two neighbouring ones at which the gain is tested
# How the gain changes with the number of real images.
CROSSES = "crosses 0"
FADES = "fades"  # shown at few real images, not shown at more, and never below 0
LASTS = "no crossing: shown up to the most real images"
NEVER = "no crossing: no gain is shown"

# What the table of crossings says of each pool and reading.
CROSSING_COLUMNS = (
    "kind",
    "weight",
    "share",
    "pool",
    "generation",
    "added",
    "class_shares",
    "knowledge",
    "classifier",
    "against",
    "reading",
    "scoring",
    "metric",
    "sizes",
    "smallest",
    "largest",
    "shown_up_to",
    "outcome",
    "crossing",
    "low",
    "high",
    "zero_within",
    "draws",
    "n_seeds",
    "n_images",
)


@dataclass(frozen=True)
class Curve:
    """A gain against the number of real images, with pointwise intervals."""

    sizes: np.ndarray  # float (P,), ascending; those that were trained are among them
    gain: np.ndarray  # float (P,)
    low: np.ndarray  # float (P,)
    high: np.ndarray  # float (P,)

    def crossing(self) -> float:
        """The size from which on the gain is not above 0 any more, NaN where it is at the largest
        one or never was.
        """
        # After the last size with a gain.
        above = np.flatnonzero(self.gain > 0)
        if not len(above) or above[-1] == len(self.gain) - 1:
            return np.nan
        return self._size_at(above[-1], self.gain)

    def zero_within(self) -> list[tuple[float, float]]:
        """The stretches of sizes whose interval contains 0, each with its first and last size."""
        # With the sizes at which an end of the interval is 0, stretches begin and end at a size.
        sizes, low, high = self._with_zeros()
        holds = (low <= 0) & (high >= 0)
        edges = np.flatnonzero(np.diff([0, *holds.astype(int), 0]))
        firsts, lasts = edges[::2], edges[1::2] - 1
        return [(float(sizes[first]), float(sizes[last])) for first, last in zip(firsts, lasts)]

    def _with_zeros(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Add the sizes at which an end of the interval changes its sign: sizes, low, high."""
        points = list(zip(self.sizes, self.low, self.high))

        # At a change of sign one end is 0, and the other one is interpolated.
        for place in range(len(self.sizes) - 1):
            for name, values in (("low", self.low), ("high", self.high)):
                if values[place] * values[place + 1] < 0:
                    size = self._size_at(place, values)
                    other = self.high if name == "low" else self.low
                    logs = np.log(self.sizes[place : place + 2])
                    between = float(np.interp(np.log(size), logs, other[place : place + 2]))
                    points.append((size, 0.0, between) if name == "low" else (size, between, 0.0))
        return tuple(np.array(sorted(points)).T)

    def _size_at(self, place: int, values: np.ndarray) -> float:
        """Interpolate where values change their sign after a place: straight in log(size)."""
        before, after = values[place], values[place + 1]
        logs = np.log(self.sizes[place : place + 2])
        return float(np.exp(logs[0] + before / (before - after) * (logs[1] - logs[0])))


def gain_curve(scores: Scores, comparisons: dict[int, Comparison]) -> Curve:
    """Follow a gain over the number of real images.

    Args:
        scores: of the runs.
        comparisons: by number of real images, of arms that differ in it alone.
    """
    # The trained sizes, each on all of its own draws.
    sizes = sorted(comparisons)
    points = {size: scores.effect(scores.gain(comparisons[size])) for size in sizes}

    # Between two of them on the draws that both have.
    for few, many in zip(sizes, sizes[1:]):
        ends = comparisons[few], comparisons[many]
        seeds = scores.common_seeds(*(key for end in ends for key in (end.arm, end.reference)))
        if not seeds:
            continue
        gains = [scores.gain(end, seeds) for end in ends]
        for weight in np.arange(1, POINTS) / POINTS:
            size = float(np.exp((1 - weight) * np.log(few) + weight * np.log(many)))
            points[size] = scores.effect((1 - weight) * gains[0] + weight * gains[1])

    # In order of size.
    ordered = sorted(points)
    numbers = [
        [getattr(points[size], name) for size in ordered] for name in ("difference", "low", "high")
    ]
    return Curve(np.array(ordered, float), *map(np.array, numbers))


def crossing_table(amounts: Amounts, predictions: Predictions, gains: pd.DataFrame) -> pd.DataFrame:
    """Find for every pool, amount and reading from how many real images on its gain is gone: by
    accuracy, in the first scoring, against the real images alone and against their duplicates.

    A crossing is stated only where the verdict at a smaller size is that it helps, decided in the
    family of all sizes and pools: where there is none the sign of an estimate changes by chance.

    Args:
        gains: of `gains.gain_table`.

    Returns:
        Columns CROSSING_COLUMNS, one row a pool, amount, class shares, network, reference and
        reading with two sizes or more. shown_up_to: the largest size at which a gain is shown, 0
        for none; outcome: CROSSES, FADES, LASTS or NEVER; crossing: number of real images, missing
        where the gain does not cross 0; low, high: the stretch of sizes around it (or, where it
        fades, up to the largest) whose interval contains 0; zero_within: all such stretches;
        draws: seeds at each size, "287: 6; 718: 4"; n_seeds: the fewest of them.
    """
    # The first scoring is that without copies in training.
    scoring = own_scorings(predictions)[0]
    scores = scores_of(amounts, predictions, scoring)
    shown = _shown(gains, scoring, scores.metric)
    rows = []
    for design, by_size in _by_design(amounts).items():
        if len(by_size) < 2:
            continue

        # The largest number of real images beside which the gain is shown.
        helped = [size for size, own in by_size.items() if _name(own) in shown]
        sizes = {"sizes": len(by_size), "smallest": min(by_size), "largest": max(by_size)}
        sizes["shown_up_to"] = max(helped, default=0)
        outcome = _outcome(gain_curve(scores, by_size), sizes["shown_up_to"])
        draws = {
            size: len(scores.common_seeds(own.arm, own.reference))
            for size, own in sorted(by_size.items())
        }
        counts = {"draws": "; ".join(f"{size}: {count}" for size, count in draws.items())}
        counts |= {"n_seeds": min(draws.values()), "n_images": int(scores.mask.sum())}
        about = {"scoring": scoring, "metric": scores.metric}
        rows.append(_about_design(design, amounts) | about | sizes | outcome | counts)
    return pd.DataFrame(rows, columns=CROSSING_COLUMNS)


def _by_design(amounts: Amounts) -> dict[tuple, dict[int, Comparison]]:
    """Group the comparisons of pools that differ in the number of real images alone: by arm
    (without its number), network, reference and reading; in each by that number.
    """
    # Controls and real images alone have no crossing of their own.
    grouped = {}
    for own in amounts.comparisons:
        arm, classifier, _ = own.arm
        if arm.is_control or not arm.added or own.against not in (ALONE, DUPLICATES):
            continue
        design = replace(arm, real=0), classifier, own.against, own.reading
        grouped.setdefault(design, {})[amounts.size(arm)] = own
    return grouped


def _about_design(design: tuple, amounts: Amounts) -> dict:
    """Describe what all sizes of a curve share."""
    arm, classifier, against, reading = design
    fields = ("kind", "weight", "share", "pool", "generation", "added", "class_shares")
    return {name: getattr(arm, name) for name in fields} | {
        "knowledge": amounts.known(arm),
        "classifier": classifier,
        "against": against,
        "reading": reading,
    }


def _name(comparison: Comparison) -> tuple[str, str, str, str]:
    """Identify a comparison as a row of the table of gains does."""
    arm, classifier, _ = comparison.arm
    return arm.name, classifier, comparison.against, comparison.reading


def _shown(gains: pd.DataFrame, scoring: str, metric: str) -> set[tuple]:
    """Name the comparisons whose arm is shown to help."""
    # As the verdicts of one scoring and metric say.
    rows = gains[(gains["scoring"] == scoring) & (gains["metric"] == metric)]
    helped = rows[rows["verdict"] == HELPS]
    columns = ["arm", "classifier", "against", "reading"]
    return set(helped[columns].itertuples(index=False, name=None))


def _outcome(curve: Curve, shown_up_to: int) -> dict:
    """Say how a gain changes: outcome, crossing, and the stretch of sizes around it."""
    # Where no gain is shown, changes of sign are chance.
    stretches = curve.zero_within()
    texts = [f"{first:,.0f} to {last:,.0f}" for first, last in stretches]
    found = {"outcome": NEVER, "crossing": np.nan, "low": np.nan, "high": np.nan}
    found["zero_within"] = "; ".join(texts) or "nowhere"
    if not shown_up_to:
        return found
    if shown_up_to == curve.sizes[-1]:
        return found | {"outcome": LASTS}

    # A gain that is shown at few real images, and not at the most.
    crossing = curve.crossing()
    end = curve.sizes[-1] if np.isnan(crossing) else crossing
    around = [ends for ends in stretches if ends[0] <= end <= ends[1]]
    low, high = around[0] if around else (np.nan, np.nan)
    outcome = FADES if np.isnan(crossing) else CROSSES
    return found | {"outcome": outcome, "crossing": crossing, "low": low, "high": high}
