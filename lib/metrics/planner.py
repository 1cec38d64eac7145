"""What a wanted effect costs, from a pilot's spread: seeds, images and hours, before they are spent."""

from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.metrics.statistics import FEW_SEEDS, POWER, Effect, effect_of, visible
from lib.study.errors import StudyError

MOST_SEEDS = 500


@dataclass(frozen=True)
class Plan:
    """A design that finds a wanted effect, or the reason why more seeds cannot."""

    wanted: float  # true difference to find
    power: float
    seeds: int  # per arm; 0 where no number of seeds suffices on these images
    clusters: int  # independent test images that the plan counts on
    more_runs: int  # of two arms, beyond the pilot's
    hours: float  # of those runs, one after the other


def smallest_visible(pilot: Effect, *, seeds: int = 0, clusters: int = 0, power: float = POWER) -> float:
    """Predict the smallest difference that a design finds with the given power at 5 %, from a pilot's variance components.

    Args:
        pilot: any earlier comparison of the two arms, with two seeds or more.
        seeds, clusters: of the new design; 0 for the pilot's.
    """
    seeds, clusters = seeds or pilot.n_seeds, clusters or pilot.n_clusters
    along_seeds = pilot.var_seed / seeds + pilot.var_both / (seeds * clusters)
    along_images = pilot.var_image / clusters
    variance = along_seeds + along_images
    if variance == 0:
        return 0.0
    parts = along_seeds**2 / (seeds - 1) + along_images**2 / (clusters - 1)
    return float(visible(np.sqrt(variance), max(variance**2 / parts, 1.0), power, pilot_df=pilot.df))


def plan(pilot: Effect, wanted: float, *, clusters: int = 0, power: float = POWER, seconds_per_run: float = 0.0) -> Plan:
    """Find the fewest seeds per arm that show a wanted difference.

    Args:
        wanted: true difference of the arms, above 0.
        clusters: independent test images of the new design (cross-fitting over folds widens them); 0 for the pilot's.
        seconds_per_run: of one training run, for the hours.
    """
    clusters = clusters or pilot.n_clusters
    counts = range(2, MOST_SEEDS + 1)
    place = bisect_left(counts, -wanted, key=lambda seeds: -smallest_visible(pilot, seeds=seeds, clusters=clusters, power=power))
    seeds = counts[place] if place < len(counts) else 0
    more = 2 * max(seeds - pilot.n_seeds, 0)
    return Plan(wanted, power, seeds, clusters, more, more * seconds_per_run / 3600)


def images_needed(pilot: Effect, wanted: float, *, seeds: int = MOST_SEEDS, power: float = POWER) -> int:
    """Find how many independent test images show a wanted difference with so many seeds, to within 1 %; 0 where no million suffices."""
    low, high = 2, 1_000_000
    if smallest_visible(pilot, seeds=seeds, clusters=high, power=power) > wanted:
        return 0
    while high - low > max(low // 100, 1):
        middle = (low + high) // 2
        good = smallest_visible(pilot, seeds=seeds, clusters=middle, power=power) <= wanted
        low, high = (low, middle) if good else (middle, high)
    return high


def advice(effect: Effect, margin: float, *, seconds_per_run: float = 0.0) -> str:
    """Say in a few words what would show an effect of the size of the margin: "34 more runs (22 seeds)", or more test images.

    Where pools were made several times, their generations limit the design, and it takes more of those, never fewer than
    `FEW_SEEDS`: the spread of two or three is too often small by chance.
    """
    if effect.n_seeds < 2:
        return "5 seeds at least"
    if effect.generations > 1:
        found = plan(replace(effect, n_seeds=effect.generations, generations=1), margin)
        return f"{max(found.seeds, FEW_SEEDS)} generations of the pools" if found.seeds else "more test images and more generations"
    found = plan(effect, margin, seconds_per_run=seconds_per_run)
    if found.seeds and not found.more_runs:
        return "no more runs"  # the design sees the margin; the difference lies near where it is decided
    if found.seeds:
        cost = f", {found.hours:.1f} h" if found.hours >= 0.1 else ""
        return f"{found.more_runs} more runs ({found.seeds} seeds{cost})"
    images = images_needed(effect, margin)
    return f"{images:,} test images and more seeds" if images else "more than a million test images"


def assumed(seeds: int, images: int, *, seed_sd: float = 0.003, image_variance: float = 0.006, run_variance: float = 0.12) -> Effect:
    """Stand in for a pilot before there is one, with the spread that runs of a small network on FER2013 showed.

    Args:
        seeds: runs per arm, 2 or more.
        images: independent test images, 2 or more.
        seed_sd: standard deviation over seeds of the difference of two arms that no image explains, in accuracy.
        image_variance: variance over images of the difference that all seeds share.
        run_variance: variance of the difference of two single runs on one image: the share of images on which they differ, nearly.
    Source: the defaults are rounded from Schürmann's arms against base, network `fast`, 7,066 images (params/schuermann-cpu.yaml).
    """
    if seeds < 2 or images < 2:
        raise StudyError(f"a plan needs at least 2 seeds and 2 test images, found {seeds} and {images}")
    both = run_variance / (seeds * images)
    effect = effect_of(0.0, seed_sd**2 / seeds + both, image_variance / images + both, both, seeds, images, n_images=images)
    return replace(effect, df=np.inf)  # the spread is stated, not estimated


def promises(pilot: Effect, *, wanted: tuple = (0.005, 0.01, 0.02), seconds_per_run: float = 0.0) -> pd.DataFrame:
    """Say for some wanted differences what finding them with 80 % power costs, before it is spent.

    Returns:
        One row a wanted difference: "difference, points", found (by the pilot's design: yes or no), "seeds an arm" (0: no number suffices
        on these images), "hours" (of two arms' runs, one after the other; left out where no run has been timed).
    """
    rows = []
    for difference in wanted:
        found = plan(pilot, difference, seconds_per_run=seconds_per_run)
        seen = "yes" if smallest_visible(pilot) <= difference else "no"
        hours = 2 * found.seeds * seconds_per_run / 3600
        rows.append(
            {"difference, points": 100 * difference, "found": seen, "seeds an arm": found.seeds}
            | ({"hours": hours} if seconds_per_run else {})
        )
    return pd.DataFrame(rows)
