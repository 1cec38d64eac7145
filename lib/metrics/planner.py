"""What a wanted effect costs, from a pilot's spread: seeds, images and hours, before they are spent."""

from dataclasses import dataclass

import numpy as np

from lib.metrics.statistics import POWER, Effect, visible

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
    return float(visible(np.sqrt(variance), max(variance**2 / parts, 1.0), power))


def plan(pilot: Effect, wanted: float, *, clusters: int = 0, power: float = POWER, seconds_per_run: float = 0.0) -> Plan:
    """Find the fewest seeds per arm that show a wanted difference.

    Args:
        wanted: true difference of the arms, above 0.
        clusters: independent test images of the new design (cross-fitting over folds widens them); 0 for the pilot's.
        seconds_per_run: of one training run, for the hours.
    """
    clusters = clusters or pilot.n_clusters
    enough = (seeds for seeds in range(2, MOST_SEEDS + 1) if smallest_visible(pilot, seeds=seeds, clusters=clusters, power=power) <= wanted)
    seeds = next(enough, 0)
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
    """Say in a few words what would show an effect of the size of the margin: "34 more runs (22 seeds)", or more test images."""
    if effect.n_seeds < 2:
        return "5 seeds at least"
    found = plan(effect, margin, seconds_per_run=seconds_per_run)
    if found.seeds:
        cost = f", {found.hours:.1f} h" if found.hours >= 0.1 else ""
        return f"{found.more_runs} more runs ({found.seeds} seeds{cost})"
    images = images_needed(effect, margin)
    return f"{images:,} test images and more seeds" if images else "more than a million test images"
