"""How often the tests err, by simulation: studies without an effect, or with a known one, are drawn
from the variance components, and the statistics decide them.

    python -m lib.metrics.calibration

writes tests/metrics/calibration.csv in about three minutes, with the plug-in test that was used
before 2026-11-26 beside today's:

    error            of one comparison without an effect, at a level; coverage is 1 less that
    family           of one false difference among pools that all do nothing, after Holm
    equivalence      of one false equivalence among pools that all lie at the margin
    two analyses     of a difference that is not there, where undecided ones get further seeds
    false coverage   of the deciding intervals of pools that help or hurt (expected share)
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lib.metrics.error_variance import ALPHA, tail_probability
from lib.metrics.statistics import holm_standing
from lib.study.paths import ROOT
from lib.study.records import write_csv

RECORD = ROOT / "tests" / "metrics" / "calibration.csv"
COLUMNS = ("what", "spread", "draws", "pools", "statistics", "level", "rate", "ratio", "studies")
LEVELS = (0.05, 0.01, 0.001)
DRAWS = (4, 5, 10, 17)  # seeds, or draws
POOLS = (3, 4, 7)  # of a family
FIRST, LATER = 5, 17  # seeds of a first analysis, and of the last one
CHUNK = 50_000  # studies at once
EFFECTS = (0.0, 0.0, 2.0, -4.0, 8.0)  # of five pools, in standard errors


@dataclass(frozen=True)
class Spread:
    """Variances of the difference of two arms."""

    name: str
    seed: float  # of one seed, beyond what its predictions explain
    image: float  # of one image, the same for all seeds
    both: float  # of one seed on one image
    images: int = 3589  # of FER2013's PrivateTest

    @property
    def along_seeds(self) -> float:
        """Of the mean over images, for one seed."""
        return self.seed + self.both / self.images

    @property
    def along_images(self) -> float:
        """Of the mean over seeds, whatever their number."""
        return self.image / self.images


# As `planner.assumed_pilot`: a small network on FER2013.
PUBLISHED = Spread("as published", seed=0.003**2, image=0.006, both=0.12)
# Images make half of the variance with 10 seeds, where the plain fiducial average is furthest off.
ALIKE = Spread("half from images", seed=0.0, image=0.012, both=0.12)


def error_now(distance: np.ndarray, along_seeds: np.ndarray, extra: float, df: int) -> np.ndarray:
    """One-sided tail of today's test: float (...,), of distances in the same shape."""
    known = np.full_like(along_seeds, extra)
    return tail_probability(distance, [(along_seeds, df), (known, np.inf)])


def error_before(
    distance: np.ndarray, along_seeds: np.ndarray, extra: float, df: int
) -> np.ndarray:
    """One-sided tail of Student's t with Satterthwaite's plug-in degrees of freedom, of the sum of
    a variance with `df` and a known one.
    """
    total = along_seeds + extra
    return stats.t.sf(distance / np.sqrt(total), np.maximum(df * (total / along_seeds) ** 2, 1))


STATISTICS = {"before": error_before, "now": error_now}


def simulated(
    rng: np.random.Generator, spread: Spread, studies: int, pools: int, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw studies in which no pool has an effect, all of them held against the same base.

    Returns:
        Means over images of arm less base, by seed, float64 (studies, pools, draws), and the part
        that the images add to all seeds, float64 (studies, pools).
    """
    # Base and each arm have half of the variance of their difference.
    sd_seed, sd_image = np.sqrt(spread.along_seeds / 2), np.sqrt(spread.along_images / 2)
    seeds = sd_seed * rng.normal(size=(studies, pools + 1, draws))
    images = sd_image * rng.normal(size=(studies, pools + 1))
    return seeds[:, 1:] - seeds[:, :1], images[:, 1:] - images[:, :1]


def estimates(by_seed: np.ndarray, of_images: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Estimate differences and their variance along seeds, with its degrees of freedom."""
    draws = by_seed.shape[-1]
    return by_seed.mean(-1) + of_images, by_seed.var(-1, ddof=1) / draws, draws - 1


def single_errors(rng, spread: Spread, draws: int, tail: Callable, studies: int) -> list[float]:
    """Share of studies without an effect that find one, at each of LEVELS."""
    difference, along_seeds, df = estimates(*simulated(rng, spread, studies, 1, draws))
    p = 2 * tail(np.abs(difference), along_seeds, spread.along_images, df)
    return [float((p < level).mean()) for level in LEVELS]


def family_error(
    rng, spread: Spread, draws: int, pools: int, tail: Callable, studies: int
) -> float:
    """Share of families without an effect in which Holm's procedure finds one."""
    difference, along_seeds, df = estimates(*simulated(rng, spread, studies, pools, draws))
    p = 2 * tail(np.abs(difference), along_seeds, spread.along_images, df)
    return float((p.min(1) * pools < ALPHA).mean())


def equivalence_error(
    rng, spread: Spread, draws: int, pools: int, tail: Callable, adjusted: bool, studies: int
) -> float:
    """Share of families at the margin, of three standard errors, in which a pool is equivalent."""
    difference, along_seeds, df = estimates(*simulated(rng, spread, studies, pools, draws))
    margin = 3 * np.sqrt(spread.along_seeds / draws + spread.along_images)
    inside = margin - np.abs(difference + margin)
    p = tail(inside, along_seeds, spread.along_images, df)
    return float((p.min(1) * (pools if adjusted else 1) < ALPHA).mean())


def two_analyses_error(
    rng, spread: Spread, tail: Callable, counted: tuple[int, int], studies: int
) -> float:
    """Share of studies without an effect that find one at FIRST seeds, or at LATER ones if not.

    Args:
        counted: by how much the p-values of the first and of the last analysis are multiplied.
    """
    by_seed, of_images = simulated(rng, spread, studies, 1, LATER)
    found = np.zeros(studies, bool)
    for seeds, count in zip((FIRST, LATER), counted):
        difference, along_seeds, df = estimates(by_seed[..., :seeds], of_images)
        p = 2 * tail(np.abs(difference), along_seeds, spread.along_images, df)
        found |= count * p[:, 0] < ALPHA
    return float(found.mean())


def false_coverage(rng, spread: Spread, draws: int, tail: Callable, studies: int) -> float:
    """Mean share of the deciding intervals of pools that help or hurt which miss the truth, over
    families with EFFECTS; 0 where none does.
    """
    difference, along_seeds, df = estimates(*simulated(rng, spread, studies, len(EFFECTS), draws))
    truth = np.array(EFFECTS) * np.sqrt(spread.along_seeds / draws + spread.along_images)
    found = difference + truth
    settings = along_seeds, spread.along_images, df

    # The level at which Holm's procedure tested each, and whether that interval holds the truth.
    p = 2 * tail(np.abs(found), *settings)
    levels = ALPHA / np.stack([holm_standing(row) for row in p])
    decided = p < levels
    missed = decided & (2 * tail(np.abs(difference), *settings) < levels)
    return float((missed.sum(1) / np.maximum(decided.sum(1), 1)).mean())


def in_chunks(measure: Callable[..., float | list], studies: int, seed: int) -> np.ndarray:
    """Average a rate over chunks of studies, each drawn from the same generator in turn."""
    rng, rates = np.random.default_rng(seed), []
    for _ in range(max(studies // CHUNK, 1)):
        rates.append(measure(rng, studies=min(CHUNK, studies)))
    return np.mean(rates, axis=0)


def calibration(studies: int = 1_000_000, *, seed: int = 0) -> pd.DataFrame:
    """Simulate every rate.

    Args:
        studies: of each error at .001; families have a tenth, false coverage a fiftieth.

    Returns:
        Columns COLUMNS: the rate that was found, and its ratio to the level.
    """
    rows = []

    def add(what: str, spread: Spread, draws, pools: int, name: str, level, rate, n: int) -> None:
        rows.append((what, spread.name, draws, pools, name, level, rate, rate / level, n))

    few, fewer = max(studies // 10, 1), max(studies // 50, 1)
    for name, tail in STATISTICS.items():
        # One comparison, in the tails.
        for spread in (PUBLISHED, ALIKE):
            for draws in DRAWS:
                settings = {"spread": spread, "draws": draws, "tail": tail}
                rates = in_chunks(_bound(single_errors, settings), studies, seed)
                for level, rate in zip(LEVELS, rates):
                    add("error", spread, draws, 1, name, level, rate, studies)

        # Families: of no effect, and at the margin, where only today's are adjusted.
        for pools in POOLS:
            settings = {"spread": PUBLISHED, "draws": FIRST, "pools": pools, "tail": tail}
            rate = in_chunks(_bound(family_error, settings), few, seed)
            add("family", PUBLISHED, FIRST, pools, name, ALPHA, rate, few)
            settings |= {"draws": LATER, "adjusted": name == "now"}
            rate = in_chunks(_bound(equivalence_error, settings), few, seed)
            add("equivalence", PUBLISHED, LATER, pools, name, ALPHA, rate, few)

        # Two analyses: only those that went on were counted twice.
        counted = (2, 2) if name == "now" else (1, 2)
        settings = {"spread": PUBLISHED, "tail": tail, "counted": counted}
        rate = in_chunks(_bound(two_analyses_error, settings), few, seed)
        add("two analyses", PUBLISHED, f"{FIRST}, {LATER}", 1, name, ALPHA, rate, few)

        # Intervals.
        for draws in (FIRST, 10):
            settings = {"spread": PUBLISHED, "draws": draws, "tail": tail}
            rate = in_chunks(_bound(false_coverage, settings), fewer, seed)
            add("false coverage", PUBLISHED, draws, len(EFFECTS), name, ALPHA, rate, fewer)
    return pd.DataFrame(rows, columns=COLUMNS)


def _bound(measure: Callable, settings: dict) -> Callable:
    """Fix all arguments of a measure but the generator and the number of studies."""
    return lambda rng, studies: measure(rng, **settings, studies=studies)


def main() -> None:
    """Simulate and record."""
    parser = argparse.ArgumentParser(description="how often the tests err, by simulation")
    parser.add_argument("--studies", type=int, default=1_000_000)
    options = parser.parse_args()
    table = calibration(options.studies).round({"rate": 6, "ratio": 3})
    write_csv(RECORD, table)
    print(table.to_string())


if __name__ == "__main__":
    main()
