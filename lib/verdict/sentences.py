"""The verdict in words: one sentence for each pool, what to do, what that rests on, and what would
decide.
"""

import numpy as np
import pandas as pd

from lib.metrics.sequential import (
    ERROR,
    images_needed,
    repetitions_needed,
    smallest_effect,
)
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.metrics.wording import points
from lib.study.answer import Sentence
from lib.verdict.ceiling import ceiling
from lib.verdict.faults import Fault
from lib.verdict.probe import AS_GIVEN, RELABELLED, UNDOUBTED, USES, PoolProbe, Probe
from lib.verdict.trainings import ALONE
from lib.verdict.trial import BETTER, Comparison, Trial

WORDS = {
    HELPS: "{} helps",
    HURTS: "{} hurts",
    EQUIVALENT: "{} makes no difference",
    UNDECIDED: "It cannot be told whether {} helps",
}
# The same where one pool alone was judged.
IN_SHORT = {
    HELPS: "It helps",
    HURTS: "It hurts",
    EQUIVALENT: "No difference",
    UNDECIDED: "Cannot be told",
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
# What a pool that helps is held against, by the kind of the control.
BEYOND = {
    "improved": "your own images alone with MixUp",
    "duplicate": "as many copies of the same real images",
}
MOST_MINUTES = 240  # a longer trial is no advice
LEAST_REPETITIONS = 2  # that tell how much networks differ from one to the next
MOST_FAULTS = 3  # of a pool that are named beside the answer


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


def pool_sentences(trial: Trial, probe: Probe) -> list[Sentence]:
    """Say of each pool what training on it does, the best pool first.

    The first sentence has the answer in a word and a number, too.
    """
    table = verdict_table(trial)
    rows = table[table["metric"] == "accuracy"].sort_values("difference", ascending=False)
    several, sentences = len(probe.pools) > 1, []

    # The first sentence has the word, the number, and what that is.
    for row in rows.to_dict("records"):
        word, pool = row["word"], row["pool"]
        change = f"{points(row['difference'])} points"
        basis = f"{row['added']:,} of its images beside {row['real']:,} real ones"
        text = (
            f"{WORDS[word].format(pool)}: with {basis} accuracy changes by {change} {_range(row)}."
        )
        lead = {} if sentences else {"number": change}
        if lead:
            lead["word"] = WORDS[word].format(pool) if several else IN_SHORT[word]
            lead["about"] = f"of accuracy with {basis.replace('its', pool)} {_range(row)}"
        sentences.append(Sentence(text, pool=pool, verdict=word, **lead))

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


def evidence(trial: Trial) -> list[str]:
    """Say what the sentences rest on, one line each: other measures, copies of the real images,
    what could have been seen, and what the intervals mean.
    """
    table, lines = verdict_table(trial), []
    for comparison in trial.comparisons:
        # A pool without a look has no numbers.
        name = comparison.arm.pool
        rows = table[table["pool"] == name].set_index("metric")
        if not len(rows):
            continue
        # Accuracy stands in the sentence.
        others = [
            f"{METRIC_NAMES[metric]} {points(rows.loc[metric, 'difference'])} points "
            f"{_range(rows.loc[metric])}"
            for metric in METRIC_NAMES
            if metric != "accuracy"
        ]
        lines.append(f"{name}: other measures: {', '.join(others)}.")

        # Against which controls it still stands.
        for control in [c for c in trial.controls if c.arm == comparison.arm]:
            lines.append(f"{name}: {_beyond(control)}.")

        # What could have been seen.
        row = rows.loc["accuracy"]
        times = "repetition" if row["repetitions"] == 1 else "repetitions"
        lines.append(
            f"{name}: true changes {missed_text(row['smallest_effect'])} are likely to be "
            f"missed with {row['n_images']:,} images to be tested on and "
            f"{row['repetitions']} {times}."
        )

    # Where the test images come from, and how far intervals can be trusted.
    if not trial.laboratory.inputs.has_test:
        images = len(trial.laboratory.inputs.real)
        lines.append(
            f"There is no test split: each network learns from {learnt_from(trial):,} of the "
            f"{images:,} real images and is tested on others, in turn."
        )
    lines.append(
        f"Numbers in brackets are {100 * (1 - ERROR):.0f}% intervals, which hold whenever the "
        "trial stops."
    )
    return lines


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
        opening, *uses = _use(comparison.arm.pool, word, found, faults[comparison.arm.pool], files)
        lines += [opening, *_or_better_training(comparison, trial), *uses]
        lines += [
            f"{comparison.arm.pool}: {fault.text}."
            for fault in faults[comparison.arm.pool][:MOST_FAULTS]
        ]
        if word == UNDECIDED and look is not None:
            lines.append(_what_would_decide(comparison, trial))

    # What real images would do instead, and labels of one's own.
    images = max(comparison.arm.added for comparison in trial.comparisons)
    more = ceiling(trial, images)
    if more is not None:
        lines.append(more.text())
    if probe.doubted.any() and "" in files:
        lines.append(
            f"Look through {int(probe.doubted.sum()):,} of your own labels, where a classifier "
            f"trained on the others is sure of another class: tables/{files['']}."
        )

    # What a person does with these lists.
    if any("tables/" in line for line in lines):
        lines.append(
            "A list that you have gone through makes a corrected copy of its folder: "
            ".venv/bin/python -m lib.faces.relabel FOLDER LIST --out NEW."
        )
    return lines


def _beyond(control: Comparison) -> str:
    """Say what a pool gains beyond better training, or copies of the real images."""
    # The control decides whether the images add more than that.
    beyond, look = BEYOND[control.reference.kind], control.last
    if look is None:
        return f"the time did not suffice to compare it with {beyond}"
    interval = f"({points(look.low)} to {points(look.high)})"
    gain = f"{points(look.found.difference)} points {interval}"
    if look.word == HELPS:
        return f"beyond {beyond} it still gains {gain}"
    return f"whether it gains more than {beyond} is not shown: {gain}"


def _or_better_training(comparison: Comparison, trial: Trial) -> list[str]:
    """Advise better training in place of a pool that is not shown to bring more."""
    name = comparison.arm.pool
    return [
        f"{name}: or train on {BEYOND[BETTER.kind]}: that it brings less is not shown."
        for control in trial.controls
        if (control.arm, control.reference) == (comparison.arm, BETTER)
        and control.last is not None
        and control.last.word != HELPS
    ]


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
        # By how much, and as they are.
        low, high = found.gains[best].interval
        lines.append(
            f"{name}: worth a try: {USES[best]} a quick test (a linear classifier) changes by "
            f"{points(gains[best])} points ({points(low)} to {points(high)}), with the images as "
            f"they are by {points(gains[AS_GIVEN])}."
        )
    # Labels that can be put right.
    named = {fault.name for fault in faults}
    if "doubted labels" in named and name in files and best in (UNDOUBTED, RELABELLED, AS_GIVEN):
        count = int(found.doubted.sum())
        lines.append(
            f"{name}: look through {count:,} doubted labels, fix or drop them; "
            f"tables/{files[name]} lists each image with the class that it is seen as."
        )
    return lines


def _what_would_decide(comparison: Comparison, trial: Trial) -> str:
    """Say what would show a difference as large as the margin."""
    found, name = comparison.last.found, comparison.arm.pool
    # As many points as the margin.
    margin = trial.laboratory.protocol.margin
    wanted = f"a difference of {100 * margin:g} points"
    # One repetition says nothing about how much repetitions differ.
    if found.repetitions < LEAST_REPETITIONS:
        longer = int(np.ceil(4 * max(trial.minutes, 1) / 5) * 5)
        return (
            f"{name}: the time sufficed for {found.repetitions} repetition of {trial.planned}, "
            "too few to say what would decide; run it again on a machine that is free, or longer: "
            f"--set verdict_minutes={longer}."
        )

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
    have = f"there are {found.n_clusters:,}"
    return (
        f"{name}: to show {wanted} takes about {images:,} real images to be tested on, {have}; "
        "more time does not help."
    )


def missed_text(effect: float) -> str:
    """Say which true changes are likely to be missed: "under 4.1 points", or all of them.

    Args:
        effect: the smallest that this much data can show; two repetitions may not even show 1.
    """
    return "of any size" if effect >= 1 else f"under {100 * effect:.1f} points"


def without_name(lines: list[str], name: str) -> list[str]:
    """Leave out the name of the only pool, with which lines about it begin."""
    own = f"{name}: "
    return [
        line[len(own)].upper() + line[len(own) + 1 :] if line.startswith(own) else line
        for line in lines
    ]


def _range(row) -> str:
    """Write the interval of a row in points, in brackets."""
    return f"({points(row['low'])} to {points(row['high'])})"
