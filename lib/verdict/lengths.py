"""The length of each arm's training, chosen on validation folds of the training images.

No repetition that compares arms has these folds. Where there is no test split their images are
predicted again later, by other networks: the choice, among three lengths, is not quite blind to
them.
"""

import math
from collections.abc import Iterator

import numpy as np

from lib.faces.arms import Arm
from lib.verdict.bench import Bench
from lib.verdict.trainings import CHOOSING, Training

TIME_SHARE = 0.4  # of the time left that the choice may take, at most
LONGER_SHARE = 0.1  # of the time left that trying a longer training may take
TINY = 1e-9  # keeps a standard error of nothing from dividing by it


def choose_lengths(bench: Bench, arms: list[Arm]) -> tuple[dict[Arm, float], tuple[dict, ...]]:
    """Choose how many passes over its images each arm makes.

    The usual length stays unless another one is better by more than a standard error; twice the
    usual is tried where the usual is better than half of it. What time does not allow is not tried.

    Returns:
        The passes of each arm; and of each length that was tried arm, passes, steps, accuracy on
        the validation folds, and whether it was chosen.
    """
    below, usual, above = bench.laboratory.protocol.passes
    floor = bench.clock.left * (1 - TIME_SHARE)
    _train(bench, {arm: [below, usual] for arm in arms}, floor)

    # Longer only where longer helps so far, and where there is time.
    rising = {}
    for arm in arms:
        if _tried(bench, arm, below) and _tried(bench, arm, usual):
            gain, error = _gain(bench, arm, usual, below)
            if gain > error and _is_affordable(bench, arm, above):
                rising[arm] = [above]
    _train(bench, rising, floor)

    # The choice, and what it was made from.
    chosen, rows = {}, []
    for arm in arms:
        lengths = [passes for passes in (below, usual, above) if _tried(bench, arm, passes)]
        chosen[arm] = _best(bench, arm, lengths)
        for passes in lengths:
            row = {"arm": arm.name, "passes": passes}
            row["steps"] = bench.laboratory.steps(arm, passes)
            row["accuracy"] = float(_right(bench, arm, passes).mean())
            rows.append(row | {"chosen": passes == chosen[arm]})
    return chosen, tuple(rows)


def _train(bench: Bench, lengths: dict[Arm, list[float]], floor: float) -> None:
    """Train every arm at some lengths on every validation fold, the longest first."""
    for _ in bench.run(_trainings(bench, lengths), floor=floor):
        pass


def _trainings(bench: Bench, lengths: dict[Arm, list[float]]) -> Iterator[Training]:
    """List the trainings of some lengths, fold by fold."""
    for fold in range(bench.laboratory.protocol.choosing_folds):
        for arm, passes in lengths.items():
            for length in sorted(passes, reverse=True):
                yield _training(bench, arm, length, fold)


def _training(bench: Bench, arm: Arm, passes: float, fold: int) -> Training:
    """Describe the training of a length on a fold."""
    steps = bench.laboratory.steps(arm, passes)
    return bench.laboratory.training(arm, steps, CHOOSING, fold)


def _tried(bench: Bench, arm: Arm, passes: float) -> bool:
    """Tell whether an arm was trained at a length on all validation folds."""
    folds = range(bench.laboratory.protocol.choosing_folds)
    trainings = [_training(bench, arm, passes, fold) for fold in folds]
    return all(bench.laboratory.load(training) is not None for training in trainings)


def _is_affordable(bench: Bench, arm: Arm, passes: float) -> bool:
    """Tell whether a length leaves enough of the time for the comparisons."""
    # On all validation folds.
    steps = bench.laboratory.steps(arm, passes) * bench.laboratory.protocol.choosing_folds
    return bench.seconds(steps) < LONGER_SHARE * bench.clock.left


def _right(bench: Bench, arm: Arm, passes: float) -> np.ndarray:
    """Tell on which images of the validation folds an arm is right at a length, bool (n,)."""
    # Each fold's images are predicted by the network that did not see them.
    right = []
    for fold in range(bench.laboratory.protocol.choosing_folds):
        trained = bench.laboratory.load(_training(bench, arm, passes, fold))
        labels = bench.laboratory.inputs.real.labels[trained.rows]
        right.append(trained.probabilities.argmax(1) == labels)
    return np.concatenate(right)


def _gain(bench: Bench, arm: Arm, one: float, other: float) -> tuple[float, float]:
    """Measure the gain of a length over another, and its standard error over images."""
    # Paired by image, for both lengths predict the same ones.
    change = _right(bench, arm, one).astype(float) - _right(bench, arm, other)
    return float(change.mean()), float(change.std() / math.sqrt(len(change)))


def _best(bench: Bench, arm: Arm, lengths: list[float]) -> float:
    """Take the length that beats the usual one by most standard errors, if by more than one."""
    usual = bench.laboratory.protocol.usual
    # The usual length has to be beaten by one standard error.
    best, most = usual, 1.0
    if usual not in lengths:
        return usual
    for passes in lengths:
        gain, error = _gain(bench, arm, passes, usual)
        if passes != usual and gain > most * max(error, TINY):
            best, most = passes, gain / max(error, TINY)
    return best
