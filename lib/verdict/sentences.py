"""The verdict in words: one sentence for each pool, what to do, and what would decide."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.metrics.sequential import (
    ERROR,
    images_needed,
    nominal_level,
    repetitions_needed,
    smallest_effect,
)
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.metrics.wording import points
from lib.study.answer import Sentence
from lib.verdict.faults import Fault
from lib.verdict.probe import AS_GIVEN, RELABELLED, UNDOUBTED, USES, PoolProbe, Probe
from lib.verdict.trainings import ALONE
from lib.verdict.trial import Comparison, Trial, half_arm

WORDS = {
    HELPS: "{} helps",
    HURTS: "{} hurts",
    EQUIVALENT: "{} makes no difference",
    UNDECIDED: "Whether {} helps cannot be told with these images",
}
METRIC_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
}
VERDICT_COLUMNS = (
    "pool",
    "metric",
    "difference",
    "low",
    "high",
    "word",
    "smallest_effect",
    "repetitions",
    "real",
    "added",
    "n_images",
)
MOST_MINUTES = 240  # a longer trial is no advice
FEW = 0.005  # gain under which more real images are not worth collecting


@dataclass(frozen=True)
class Ceiling:
    """What more real images would bring, from the learning curve."""

    doubling: float  # measured gain from half of the real images to all
    images: int  # as many more as the pool holds
    gain: float
    low: float
    high: float


def verdict_table(trial: Trial) -> pd.DataFrame:
    """Lay the comparisons out, one row a pool and metric.

    Returns:
        Columns VERDICT_COLUMNS: word is that of accuracy, which decides; real counts the real
        images that a network learns from.
    """
    rows = []
    for comparison in trial.comparisons:
        # A pool without a look has no numbers.
        look = comparison.last
        if look is None:
            continue

        # Accuracy was estimated at the look, the other metrics are on the same repetitions.
        repetitions = list(range(1, look.found.repetitions + 1))
        for metric in METRIC_NAMES:
            found = look.found
            if metric != "accuracy":
                found = trial.scores.difference(comparison.arm, ALONE, repetitions, metric)
            low, high = found.interval(look.level)
            rows.append(
                {
                    "pool": comparison.arm.pool,
                    "metric": metric,
                    "difference": found.difference,
                    "low": low,
                    "high": high,
                    "word": look.word,
                    "smallest_effect": smallest_effect(found, look.level),
                    "repetitions": found.repetitions,
                    "real": learnt_from(trial),
                    "added": comparison.arm.added,
                    "n_images": found.n_images,
                }
            )
    return pd.DataFrame(rows, columns=VERDICT_COLUMNS)


def learnt_from(trial: Trial) -> int:
    """Count the real images that a network of the comparison learns from."""
    return trial.laboratory.size(ALONE)


def ceiling(trial: Trial, images: int) -> Ceiling | None:
    """Extrapolate what so many more real images would bring; None where no half was trained.

    Source: errors fall by a power of the number of images, Hestness et al. 2017, arXiv 1712.00409.
    Differs: the power is read off two numbers of images alone, half of them and all.
    """
    # Half of the images was trained in the first repetitions alone.
    half = half_arm(trial.laboratory)
    repetitions = trial.scores.complete(ALONE, half)
    networks = len(repetitions) * trial.laboratory.networks
    if networks < 2:
        return None
    found = trial.scores.difference(ALONE, half, repetitions)
    error = 1 - trial.scores.accuracy(ALONE, repetitions)
    learnt = learnt_from(trial)

    # error(n) / error(n / 2) is 2 to the power; the interval of the one gives that of the other.
    def gain(doubling: float) -> float:
        ratio = np.clip(error / max(error + doubling, 1e-9), 0.25, 4.0)
        return float(error * (1 - ratio ** np.log2((learnt + images) / learnt)))

    low, high = found.interval(nominal_level([1.0], last=True, error=ERROR))
    return Ceiling(found.difference, images, gain(found.difference), gain(low), gain(high))


def pool_sentences(trial: Trial, probe: Probe) -> list[Sentence]:
    """Say of each pool what training on it does, the best pool first."""
    # The best pool first.
    table = verdict_table(trial)
    rows = table[table["metric"] == "accuracy"].sort_values("difference", ascending=False)
    sentences = []
    for row in rows.to_dict("records"):
        comparison = next(c for c in trial.comparisons if c.arm.pool == row["pool"])
        metrics = table[table["pool"] == row["pool"]].set_index("metric")
        text = _sentence(row, metrics, comparison, trial)
        sentences.append(Sentence(text, pool=row["pool"], verdict=row["word"]))

    # A pool for which the time did not suffice for a single look has the probe alone.
    looked = {sentence.pool for sentence in sentences}
    for found in probe.pools:
        if found.pool.name not in looked:
            gain, (low, high) = found.gains[AS_GIVEN].difference, found.gains[AS_GIVEN].interval
            text = (
                f"{WORDS[UNDECIDED].format(found.pool.name)}: the time did not suffice for one "
                f"repetition; a linear classifier changes by {points(gain)} points "
                f"({points(low)} to {points(high)}) with these images."
            )
            sentences.append(Sentence(text, pool=found.pool.name, verdict=UNDECIDED))
    return sentences


def advice(
    trial: Trial, probe: Probe, faults: dict[str, list[Fault]], files: dict[str, str]
) -> list[str]:
    """Say what to do, one line each, the most useful first.

    Args:
        trial: the comparisons.
        probe: of the labels and the uses of each pool.
        faults: of each pool.
        files: names of the lists of doubted labels, by pool, and of the real images under "".
    """
    # What to do with each pool.
    lines = []
    for comparison in trial.comparisons:
        found = next(p for p in probe.pools if p.pool.name == comparison.arm.pool)
        look = comparison.last
        word = look.word if look else UNDECIDED
        lines += _use(comparison.arm.pool, word, found, faults[comparison.arm.pool], files)
        if word == UNDECIDED and look is not None:
            lines.append(_what_would_decide(comparison, trial))

    # What real images would do instead, and labels of one's own.
    images = max(comparison.arm.added for comparison in trial.comparisons)
    more = ceiling(trial, images)
    if more is not None:
        lines.append(_more_real(more))
    if probe.doubted.any() and "" in files:
        lines.append(
            f"Look through {int(probe.doubted.sum()):,} of your own labels, where the label "
            f"classifier is sure of another class: {files['']}."
        )
    return lines


def _sentence(row: dict, metrics: pd.DataFrame, comparison: Comparison, trial: Trial) -> str:
    """Write the sentence about one pool."""
    # By how much, in every metric.
    differences = []
    for metric, name in METRIC_NAMES.items():
        other = metrics.loc[metric]
        differences.append(
            f"{name} {points(other['difference'])} points "
            f"({points(other['low'])} to {points(other['high'])})"
        )
    parts = [
        f"{WORDS[row['word']].format(row['pool'])}: {row['added']:,} of its images beside "
        f"{row['real']:,} real ones change {', '.join(differences)}"
    ]
    # Against which control it still stands.
    control = next((c for c in trial.controls if c.arm == comparison.arm and c.last), None)
    if control is not None:
        parts.append(_beyond_copies(control))
    elif row["word"] == HELPS:
        parts.append("the time did not suffice to compare it with copies of the real images")
    # How much real images would bring, and what could have been seen.
    more = ceiling(trial, row["added"])
    if more is not None:
        parts.append(
            f"as many more real images would bring about {points(more.gain)} "
            f"({points(more.low)} to {points(more.high)})"
        )
    parts.append(
        f"smallest effect that this shows with 80% power: {100 * row['smallest_effect']:.1f} points"
    )
    share = 100 * (1 - ERROR)
    return f"{'; '.join(parts)}. ({share:.0f}% intervals, which hold whenever the trial stops.)"


def _beyond_copies(control: Comparison) -> str:
    """Say what a pool gains beyond copies of the real images."""
    # The control decides whether the images add more than repetition.
    look = control.last
    gain = f"{points(look.found.difference)} ({points(look.low)} to {points(look.high)})"
    if look.word == HELPS:
        return f"beyond copies of the same real images, to the same size, it still gains {gain}"
    return f"whether it gains more than copies of the same real images is not shown: {gain}"


def _use(
    name: str, word: str, found: PoolProbe, faults: list[Fault], files: dict[str, str]
) -> list[str]:
    """Say how to use one pool."""
    openings = {
        HELPS: f"{name}: train on all of it.",
        HURTS: f"{name}: do not train on it as it is.",
        EQUIVALENT: f"{name}: leave it out, nothing is lost.",
        UNDECIDED: f"{name}: not shown to be worth training on; leave it out until it is.",
    }
    lines = [openings[word]]

    # A use that the probe finds better than the images as they are.
    gains = {use: gain.difference for use, gain in found.gains.items()}
    best = max(gains, key=gains.get)
    if best != AS_GIVEN and gains[best] - gains[AS_GIVEN] > found.gains[AS_GIVEN].se:
        lines.append(
            f"{name}: {USES[best]} a linear classifier changes by {points(gains[best])} points, "
            f"as they are by {points(gains[AS_GIVEN])}: try that use."
        )
    # Labels that can be put right.
    named = {fault.name for fault in faults}
    if "doubted labels" in named and name in files and best in (UNDOUBTED, RELABELLED, AS_GIVEN):
        count = int(found.doubted.sum())
        lines.append(f"{name}: fix or drop {count:,} doubted labels: {files[name]}.")
    return lines


def _what_would_decide(comparison: Comparison, trial: Trial) -> str:
    """Say what would show a difference as large as the margin."""
    found, name = comparison.last.found, comparison.arm.pool
    # As many points as the margin.
    margin = trial.laboratory.protocol.margin
    wanted = f"a difference of {100 * margin:g} points"

    # More repetitions where they would do, else more images.
    needed = repetitions_needed(found, margin)
    minutes = trial.minutes * needed / max(found.repetitions, 1)
    if 0 < minutes <= MOST_MINUTES:
        rounded = int(np.ceil(minutes / 5) * 5)
        return (
            f"{name}: to show {wanted}, take about {rounded} minutes: --set "
            f"verdict_minutes={rounded}."
        )
    images = images_needed(found, margin)
    return f"{name}: to show {wanted} takes about {images:,} different real images to be tested on."


def _more_real(more: Ceiling) -> str:
    """Say what more real images would bring."""
    # A gain that nobody would notice is said as that.
    if more.gain < FEW:
        return (
            f"{more.images:,} more real images like your own would hardly bring anything "
            f"({points(more.gain)} points, {points(more.low)} to {points(more.high)})."
        )
    return (
        f"{more.images:,} more real images would bring about {points(more.gain)} points "
        f"({points(more.low)} to {points(more.high)}), by the learning curve."
    )


def look_rows(trial: Trial) -> pd.DataFrame:
    """Lay out every look: pool, against, repetitions, difference, low, high, level, word."""
    # One row a look, the controls last.
    rows = []
    for comparison in (*trial.comparisons, *trial.controls):
        for look in comparison.looks:
            rows.append(
                {
                    "pool": comparison.arm.pool,
                    "against": comparison.reference.name,
                    "repetitions": look.found.repetitions,
                    "difference": look.found.difference,
                    "low": look.low,
                    "high": look.high,
                    "level": look.level,
                    "word": look.word,
                }
            )
    columns = ["pool", "against", "repetitions", "difference", "low", "high", "level", "word"]
    return pd.DataFrame(rows, columns=columns)
