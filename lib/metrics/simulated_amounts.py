"""Simulated studies at numbers of real images, whose crossing is known.

A simulated study has the size and the spread of a published one, and predictions in place of
trainings: what added images bring is written down, and the analysis must find it. In one world they
help beside few real images and hurt beside many, in another they always help, in a third they never
do anything.

    python -m lib.metrics.simulated_amounts --studies 200

prints how often the analysis finds what is true.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pandas as pd

from lib.faces.arms import REAL_SHARES, Arm
from lib.faces.classes import EMOTIONS
from lib.metrics.amounts import ALONE, BEST, amounts_of
from lib.metrics.crossing import crossing_table
from lib.metrics.gains import METRICS, gain_table
from lib.metrics.predictions import Predictions

POOL, ADDED, MARGIN = "simulated", 5000, 0.005
SIZES = (287, 718, 1435, 2871, 7177)
# Accuracy of real images alone by their number, and what a doubling of them brings: as FER2013's
# do with a small network.
AT_FEWEST, A_DOUBLING = 0.32, 0.048
# Spread over draws: of a level, shared by the arms of a draw, and of each arm beside it.
DRAW_SD, ARM_SD = 0.013, 0.010
CROSSES_AT = 1400  # real images, in the world where help fades
# What added images bring, by number of real images: the worlds.
WORLDS: dict[str, Callable[[float], float]] = {
    "fades": lambda n: 0.025 * (1 - np.log(n / SIZES[0]) / np.log(CROSSES_AT / SIZES[0])),
    "lasts": lambda n: 0.025,
    "nothing": lambda n: 0.0,
}


def simulated_study(
    rng: np.random.Generator,
    gain: Callable[[float], float],
    *,
    draws: int = 10,
    images: int = 3500,
    copies: float = 0.05,
) -> Predictions:
    """Simulate what the runs of a study predict.

    Args:
        rng: of everything.
        gain: the true gain of the pool by number of real images, in accuracy, linear in the
            logarithm of the number between neighbouring SIZES.
        draws: runs an arm, each of its own draw.
        images: different test images.
        copies: share of images that occur twice (one cluster).
    """
    # Different images, some of which occur twice.
    clusters = np.repeat(np.arange(images), 1 + (rng.random(images) < copies))
    labels = rng.integers(0, len(EMOTIONS), images)

    # An image is easier or harder for all; the arms of a draw share its luck with the subset.
    easy = rng.uniform(0.5, 1.5, images)
    rows, predicted = [], []
    for size in SIZES:
        alone = AT_FEWEST + A_DOUBLING * np.log2(size / SIZES[0])
        ceiling = A_DOUBLING * np.log2((size + ADDED) / size)
        brings = {_arm("subset", size): 0.0, _arm("supplement", size): gain(size)}
        brings[_arm("extra", size)] = ceiling
        luck = rng.normal(0, DRAW_SD, draws)
        for arm, more in brings.items():
            swing = rng.uniform(-0.1, 0.1, images)
            for draw in range(draws):
                own = luck[draw] + rng.normal(0, ARM_SD)
                chance = alone * easy + more * easy + 0.5 * swing + own
                right = rng.random(images) < np.clip(chance, 0, 1)
                wrong = (labels + rng.integers(1, len(EMOTIONS), images)) % len(EMOTIONS)
                # A wrong prediction is any other class.
                predicted.append(np.where(right, labels, wrong)[clusters].astype(np.uint8))
                rows.append(_run(arm, draw, (predicted[-1] == labels[clusters]).mean()))

    # As notebook 55 gathers them.
    test = pd.DataFrame({"class": np.array(EMOTIONS)[labels][clusters], "cluster": clusters})
    return Predictions(
        runs=pd.DataFrame(rows),
        classes=EMOTIONS,
        predicted={"test": np.stack(predicted)},
        images={"test": test.assign(fold=0)},
        facts={"margin": MARGIN, "knowledge": {POOL: "external"}},
    )


def found_crossing(predictions: Predictions) -> dict:
    """Run the analysis of a study: the row of `crossing.crossing_table` for its pool against the
    real images alone, each arm at its best length.
    """
    amounts = amounts_of(predictions)
    gains = gain_table(amounts, predictions, METRICS[:1])

    # The leading reading.
    table = crossing_table(amounts, predictions, gains)
    return table[(table["against"] == ALONE) & (table["reading"] == BEST)].iloc[0].to_dict()


def found_crossings(world: str, studies: int, **settings) -> pd.DataFrame:
    """Simulate studies of one world, and analyse each.

    Args:
        world: a name in WORLDS.
        studies: their number; study number i depends on i alone.
        settings: of `simulated_study`.

    Returns:
        One row a study, of `found_crossing`.
    """
    # Worlds do not share their random numbers.
    found = []
    for number in range(studies):
        rng = np.random.default_rng([list(WORLDS).index(world), number])
        found.append(found_crossing(simulated_study(rng, WORLDS[world], **settings)))
    return pd.DataFrame(found)


def main() -> None:
    """Print how often each outcome is found in each world, and the crossings."""
    parser = argparse.ArgumentParser(description="simulated studies whose crossing is known")
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    for world in WORLDS:
        table = found_crossings(world, options.studies, draws=options.draws)
        print(world, table["outcome"].value_counts().to_dict(), flush=True)

        # How far the crossings lie apart, and whether their intervals hold.
        crossing = table["crossing"].dropna()
        if len(crossing):
            holds = (table["low"] <= CROSSES_AT) & (CROSSES_AT <= table["high"])
            quantiles = crossing.quantile([0.05, 0.5, 0.95]).round().tolist()
            print(
                f"  crossing, 5, 50 and 95%: {quantiles}; true {CROSSES_AT}; within the "
                f"interval in {holds[crossing.index].mean():.1%}"
            )


def _arm(kind: str, size: int) -> Arm:
    """Make an arm of the simulated study."""
    if kind == "subset":
        return Arm(kind, real=size)
    if kind == "extra":
        return Arm(kind, real=size, added=ADDED, control_of="supplement")
    return Arm(kind, POOL, real=size, added=ADDED, class_shares=REAL_SHARES)


def _run(arm: Arm, draw: int, accuracy: float) -> dict:
    """Describe a run as the table of runs does."""
    about = {"arm": arm.name, **asdict(arm), "classifier": "simulated", "seed": draw, "fold": 0}
    facts = {"steps": 1000, "images": arm.real + arm.added, "failed": ""}
    return about | facts | {"accuracy_test": accuracy}


if __name__ == "__main__":
    main()
