"""Sample size and power: what finding an effect costs in seeds, images and runs, from a pilot."""

from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.metrics.error_variance import POWER, ErrorVariance, detectable
from lib.metrics.statistics import FEW_SEEDS, Effect, effect_of
from lib.study.errors import StudyError

MOST_SEEDS = 500  # per arm; more are no plan
MOST_IMAGES = 1_000_000  # independent test images; more are no plan


@dataclass(frozen=True)
class SampleSize:
    """A design that finds a wanted effect, or the fact that more seeds cannot."""

    wanted: float  # true difference to find
    power: float
    seeds: int  # per arm; 0 where no number of seeds suffices on these images
    clusters: int  # independent test images that the design counts on
    more_runs: int  # of two arms, beyond the pilot's


def minimum_detectable_effect(
    pilot: Effect, *, seeds: int = 0, clusters: int = 0, power: float = POWER
) -> float:
    """Predict the smallest difference that a design finds with the given power at 5%, from a
    pilot's variance components.

    Args:
        pilot: any earlier comparison of the two arms, with two seeds or more.
        seeds, clusters: of the new design; 0 for the pilot's.
        power: probability of finding it, 0 to 1.
    """
    # The variance of the difference in the new design, as its test will estimate it.
    seeds, clusters = seeds or pilot.n_seeds, clusters or pilot.n_clusters
    along_seeds = pilot.var_seed / seeds + pilot.var_both / (seeds * clusters)
    along_images = pilot.var_image / clusters
    variance = ErrorVariance(((along_seeds, seeds - 1), (along_images, clusters - 1)))

    # A spread that is stated is not in doubt.
    pilot_df = np.inf if pilot.stated else pilot.n_seeds - 1
    return detectable(variance, power, pilot_df=pilot_df)


def sample_size(
    pilot: Effect,
    wanted: float,
    *,
    clusters: int = 0,
    power: float = POWER,
) -> SampleSize:
    """Find the fewest seeds per arm that show a wanted difference.

    Args:
        pilot: as in `minimum_detectable_effect`.
        wanted: true difference of the arms, above 0.
        clusters: independent test images of the new design (cross-fitting over folds gives more);
            0 for the pilot's.
        power: probability of finding it, 0 to 1.
    """
    clusters = clusters or pilot.n_clusters

    # More seeds detect smaller effects: their negatives rise, as bisection needs them.
    def negative_effect(seeds: int) -> float:
        return -minimum_detectable_effect(pilot, seeds=seeds, clusters=clusters, power=power)

    counts = range(2, MOST_SEEDS + 1)
    place = bisect_left(counts, -wanted, key=negative_effect)
    seeds = counts[place] if place < len(counts) else 0

    # Both arms need the further seeds.
    more_runs = 2 * max(seeds - pilot.n_seeds, 0)
    return SampleSize(wanted, power, seeds, clusters, more_runs)


def images_needed(
    pilot: Effect, wanted: float, *, seeds: int = MOST_SEEDS, power: float = POWER
) -> int:
    """Find how many independent test images show a wanted difference with this number of seeds,
    to within 1%; 0 where no million suffices.
    """
    # No number of images makes up for the spread of the seeds.
    low, high = 2, MOST_IMAGES
    if minimum_detectable_effect(pilot, seeds=seeds, clusters=high, power=power) > wanted:
        return 0

    # Bisection over the number of images.
    while high - low > max(low // 100, 1):
        middle = (low + high) // 2
        effect = minimum_detectable_effect(pilot, seeds=seeds, clusters=middle, power=power)
        low, high = (low, middle) if effect <= wanted else (middle, high)
    return high


def sample_size_text(effect: Effect, margin: float) -> str:
    """Write what would show an effect of the size of the margin: "34 more runs (22 seeds)", or more
    test images. No hours: the text stands in tables that follow from predictions alone.

    Where pools were made several times, their generations limit the design, and it takes more of
    those, never fewer than FEW_SEEDS: the spread of two or three is too often small by chance.
    """
    # One seed is no pilot.
    if effect.n_seeds < 2:
        return "5 seeds at least"
    if effect.generations > 1:
        return _generations_text(effect, margin)

    design = sample_size(effect, margin)
    if design.seeds and not design.more_runs:
        # The design detects the margin; the difference lies near where it is decided.
        return "no more runs"

    # More seeds suffice, or the images are too few for any number of them.
    if design.seeds:
        return f"{design.more_runs} more runs ({design.seeds} seeds)"
    images = images_needed(effect, margin)
    return f"{images:,} test images and more seeds" if images else "more than a million test images"


def _generations_text(effect: Effect, margin: float) -> str:
    """Write how many generations of the pools would show the margin."""
    # Generations take the place of seeds.
    one_each = replace(effect, n_seeds=effect.generations, generations=1)
    generations = sample_size(one_each, margin).seeds
    if not generations:
        return "more test images and more generations"
    return f"{max(generations, FEW_SEEDS)} generations of the pools"


def assumed_pilot(
    seeds: int,
    images: int,
    *,
    seed_sd: float = 0.003,
    image_variance: float = 0.006,
    run_variance: float = 0.12,
) -> Effect:
    """Stand in for a pilot before there is one, with the spread that runs of a small network on
    FER2013 showed.

    Args:
        seeds: runs per arm, 2 or more.
        images: independent test images, 2 or more.
        seed_sd: standard deviation over seeds of the difference of two arms that no image
            explains, in accuracy.
        image_variance: variance over images of the difference that all seeds share.
        run_variance: variance of the difference of two single runs on one image: nearly the share
            of images on which they differ.

    Raises:
        StudyError: fewer than 2 seeds or images.

    Source: the defaults are rounded from Schürmann's arms against base, network `fast`, 7,066
        images (560 steps of 256 images).
    """
    if seeds < 2 or images < 2:
        raise StudyError(
            f"a plan needs at least 2 seeds and 2 test images, found {seeds} and {images}"
        )

    # Variances of the mean along seeds, images and both, as `effect_of` takes them.
    v_both = run_variance / (seeds * images)
    v_seed = seed_sd**2 / seeds + v_both
    v_image = image_variance / images + v_both
    effect = effect_of(0.0, v_seed, v_image, v_both, seeds, images, n_images=images)
    return replace(effect, stated=True)


def power_table(pilot: Effect, *, wanted: tuple = (0.005, 0.01, 0.02)) -> pd.DataFrame:
    """Tabulate what finding some differences with 80% power costs, before it is spent.

    Returns:
        One row a wanted difference: "difference, points", detected (by the pilot's design: yes or
        no), "seeds an arm" (0: no number suffices on these images).
    """
    # What the pilot's design detects, then the price of each difference.
    detected = minimum_detectable_effect(pilot)
    rows = []
    for difference in wanted:
        row = {
            "difference, points": 100 * difference,
            "detected": "yes" if detected <= difference else "no",
            "seeds an arm": sample_size(pilot, difference).seeds,
        }
        rows.append(row)
    return pd.DataFrame(rows)
