"""The trial behind a verdict: repetition after repetition is trained, and one looks now and then
whether the question is decided.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lib.faces.arms import Arm
from lib.metrics.sequential import ERROR, Estimate, look_points, nominal_level, word
from lib.metrics.statistics import HELPS, UNDECIDED
from lib.verdict.bench import Bench
from lib.verdict.lengths import choose_lengths
from lib.verdict.predictions import Scores
from lib.verdict.trainings import ALONE, Laboratory, Training

MAIN_SHARE = 0.8  # of the time left after the lengths are chosen; controls have the rest
CURVE_REPETITIONS = 2  # that train on half of the real images, too
# Real images alone, trained better: beside 287 and 718 of them the best of the ways without
# generated images that the study uses-cpu tried, and as good as those images.
BETTER = Arm("improved", only="mixup")
# What an arm is compared with, by the kind of the reference.
AGAINST = {
    "base": "your own images alone",
    "improved": "your own images with MixUp",
    "duplicate": "copies of your own images",
}


@dataclass(frozen=True)
class Look:
    """What is known of one comparison at one look."""

    found: Estimate
    level: float  # nominal, two-sided
    word: str  # of lib.metrics.statistics.VERDICTS
    low: float  # the interval that decides
    high: float


@dataclass
class Comparison:
    """One arm against another, and all looks at it so far."""

    arm: Arm
    reference: Arm
    looks: list[Look] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)  # of the plan, at each look

    @property
    def last(self) -> Look | None:
        """The latest look."""
        return self.looks[-1] if self.looks else None

    @property
    def decided(self) -> bool:
        """Whether a word was spoken."""
        return bool(self.looks) and self.looks[-1].word != UNDECIDED

    @property
    def seen(self) -> int:
        """Repetitions that the latest look saw."""
        return self.looks[-1].found.repetitions if self.looks else 0


@dataclass(frozen=True)
class Trial:
    """Everything that was trained, and what it shows."""

    laboratory: Laboratory
    steps: dict[Arm, int]  # optimiser steps of each arm, at its chosen length
    choices: tuple[dict, ...]  # the lengths that were tried, see lib.verdict.lengths
    comparisons: tuple[Comparison, ...]  # of each pool's images with the real ones alone
    controls: tuple[Comparison, ...]  # of each pool that helps, with BETTER and with copies
    scores: Scores
    planned: int  # repetitions
    minutes: float  # that were used


def run_trial(bench: Bench) -> Trial:
    """Choose the lengths, compare every pool with the real images alone, then those that help with
    these images trained on better, and with copies of them.

    Args:
        bench: images, rules, processes and clock.
    """
    # How long each arm is trained.
    laboratory, clock = bench.laboratory, bench.clock
    arms = [pool_arm(pool.name, len(pool.faces)) for pool in laboratory.inputs.pools]
    passes, choices = choose_lengths(bench, [ALONE, *arms])
    steps = {arm: laboratory.steps(arm, length) for arm, length in passes.items()}
    half = half_arm(laboratory)
    steps[half] = laboratory.protocol.steps(half.real, passes[ALONE])

    # How often fits into the time; then every pool against nothing.
    scores = Scores(laboratory)
    planned = bench.repetitions_in(clock.left * MAIN_SHARE, [ALONE, *arms], steps)
    comparisons = [Comparison(arm, ALONE) for arm in arms]
    compare(bench, scores, comparisons, steps, planned, half)

    # What a pool that helps does beyond better training and copies, for as many steps.
    helping = [c.arm for c in comparisons if c.decided and c.last.word == HELPS]
    for arm in helping:
        steps[copies_arm(arm)] = steps[arm]
        steps[BETTER] = max(steps[arm], steps.get(BETTER, 0))
    controls = [Comparison(arm, BETTER) for arm in helping]
    controls += [Comparison(arm, copies_arm(arm)) for arm in helping]
    control(bench, scores, controls, steps)
    return Trial(
        laboratory=laboratory,
        steps=steps,
        choices=choices,
        comparisons=tuple(comparisons),
        controls=tuple(controls),
        scores=scores,
        planned=planned,
        minutes=(clock.seconds - clock.left / clock.cores) / 60,
    )


def compare(
    bench: Bench,
    scores: Scores,
    comparisons: list[Comparison],
    steps: dict[Arm, int],
    planned: int,
    half: Arm,
) -> None:
    """Train repetition after repetition and look, until all is decided or the time is over.

    Args:
        bench: where networks are trained.
        scores: receives what they predict.
        comparisons: receive the looks.
        steps: of each arm.
        planned: repetitions.
        half: the arm of half of the real images.
    """
    # All pools together are wrong no more often than one would be.
    laboratory, error = bench.laboratory, ERROR / len(comparisons)
    points = look_points(planned, laboratory.protocol.most_looks, laboratory.first_look)
    for training in bench.run(_repetitions(laboratory, comparisons, steps, planned, half)):
        scores.add(training)

        # A look is due where a repetition is complete that was planned for one.
        open_arms = [c.arm for c in comparisons if not c.decided]
        done = len(scores.complete(ALONE, *open_arms))
        for comparison in [c for c in comparisons if not c.decided]:
            due = [point for point in points if comparison.seen < point <= done]
            if due:
                look(bench, scores, comparison, due[-1], planned, error)
        if all(comparison.decided for comparison in comparisons):
            break

    # The clock may have ended the trial between two looks: what is complete counts.
    for comparison in [c for c in comparisons if not c.decided]:
        done = len(scores.complete(ALONE, comparison.arm))
        if done >= laboratory.first_look and (done, planned) != (comparison.seen, done):
            _forget(comparison, done)
            look(bench, scores, comparison, done, planned, error, last=True)


def control(
    bench: Bench, scores: Scores, controls: list[Comparison], steps: dict[Arm, int]
) -> None:
    """Train the controls on repetitions that their arms have, as far as the time goes, and look
    once.
    """
    for number, comparison in enumerate(controls):
        # Each control has its part of the time that is left, and enough for a look if there is.
        left, first = bench.clock.left, bench.laboratory.first_look
        fits = bench.repetitions_in(left / (len(controls) - number), [comparison.reference], steps)
        count = min(max(fits, first), len(scores.complete(comparison.arm)))
        if left <= 0 or count < first:
            continue
        repetitions = range(1, count + 1)
        for training in bench.run(_of(bench.laboratory, comparison.reference, steps, repetitions)):
            scores.add(training)
        done = len(scores.complete(comparison.arm, comparison.reference))
        if done >= first:
            look(bench, scores, comparison, done, done, ERROR / len(controls))


def look(
    bench: Bench,
    scores: Scores,
    comparison: Comparison,
    repetitions: int,
    planned: int,
    error: float,
    *,
    last: bool = False,
) -> None:
    """Look at a comparison after so many repetitions, and say what is seen.

    Args:
        last: whether none will follow though fewer are there than planned.
    """
    found = scores.difference(comparison.arm, comparison.reference, list(range(1, repetitions + 1)))

    # The level of this look, and what it says.
    comparison.fractions.append(repetitions / planned)
    level = nominal_level(comparison.fractions, last=last or repetitions == planned, error=error)
    spoken = word(found, level, bench.laboratory.protocol.margin)
    low, high = found.interval(level) if level else (-1.0, 1.0)
    comparison.looks.append(Look(found, level, spoken, low, high))
    reference = comparison.reference
    against = "" if reference == ALONE else f" against {AGAINST[reference.kind]}"
    bench.say(
        f"{comparison.arm.pool}{against}: {100 * found.difference:+.1f} points "
        f"({100 * low:+.1f} to {100 * high:+.1f}) after {repetitions} of {planned} repetitions, "
        f"{spoken}; {bench.clock.text()} left"
    )


def pool_arm(pool: str, images: int) -> Arm:
    """Name the arm of all real images and so many of a pool."""
    return Arm("supplement", pool, added=images)


def copies_arm(arm: Arm) -> Arm:
    """Name the control of an arm: copies of the real images in the class counts of the added."""
    return replace(arm, kind="duplicate", control_of="supplement")


def half_arm(laboratory: Laboratory) -> Arm:
    """Name the arm of half of the real images that other arms hold."""
    return Arm("subset", real=max(1, laboratory.size(ALONE) // 2))


def _forget(comparison: Comparison, done: int) -> None:
    """Take back a look at as many repetitions, which is to be the last: it may spend more."""
    if comparison.seen == done:
        comparison.looks.pop()
        comparison.fractions.pop()


def _repetitions(
    laboratory: Laboratory,
    comparisons: list[Comparison],
    steps: dict[Arm, int],
    planned: int,
    half: Arm,
) -> Iterator[Training]:
    """List what to train, repetition by repetition: a pool that is decided is left out."""
    for repetition in range(1, planned + 1):
        arms = [ALONE, *(c.arm for c in comparisons if not c.decided)]
        if len(arms) == 1:
            return
        if repetition <= CURVE_REPETITIONS:
            yield from _of(laboratory, half, steps, [repetition])
        for fold in range(laboratory.networks):
            for arm in arms:
                yield laboratory.training(arm, steps[arm], repetition, fold)


def _of(laboratory: Laboratory, arm: Arm, steps: dict[Arm, int], repetitions) -> Iterator[Training]:
    """List the trainings of one arm in some repetitions."""
    for repetition in repetitions:
        for fold in range(laboratory.networks):
            yield laboratory.training(arm, steps[arm], repetition, fold)
