"""How numbers and verdicts are written in sentences and tables for people."""

from collections.abc import Mapping

import pandas as pd

from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED

# A verdict as a verb: of one arm, of several.
VERBS = {
    HELPS: ("helps", "help"),
    EQUIVALENT: ("is equivalent", "are equivalent"),
    UNDECIDED: ("is undecided", "are undecided"),
    HURTS: ("hurts", "hurt"),
}


def signed(number: float) -> str:
    """Write a number with its sign and one decimal; near 0 with two, which say its side."""
    text = f"{number:+.1f}" if abs(number) >= 0.05 else f"{number:+.2f}"
    if not float(text):
        return "0.0"
    # A minus sign as wide as the plus sign.
    return text.replace("-", "\u2212")


def points(value: float) -> str:
    """Write a difference of shares in percentage points, with its sign."""
    return signed(100 * value)


def hundredths(value: float) -> str:
    """Write a number with two decimals, without a sign before nothing."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\u2212")


def deciding_interval(row: Mapping) -> tuple[float, float]:
    """Take the interval that a verdict is decided by, else the one that there is.

    Args:
        row: low and high; low_decided and high_decided where the family of comparisons or interim
            analyses widened the interval that decides.
    """
    low, high = row.get("low_decided"), row.get("high_decided")
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return row["low"], row["high"]
    return low, high


def interval_text(row: Mapping) -> str:
    """Write the interval of an effect in points: the one that decides its verdict.

    An interval that other comparisons or interim analyses widened is said to be.
    """
    low, high = deciding_interval(row)
    is_adjusted = (low, high) != (row["low"], row["high"])
    name = "adjusted 95% interval" if is_adjusted else "95% interval"
    return f"{name} {points(low)} to {points(high)}"


def counts_text(row: dict) -> str:
    """Write the sample size of an effect: "5 seeds, 3,589 test images".

    Args:
        row: of `contrasts.effects`, with n_seeds, n_images and, if several, generations, which
            come first: "3 generations, 5 seeds, ...".
    """
    counts = f"{row['n_seeds']:.0f} seeds, {row['n_images']:,.0f} test images"
    # A single generation is not mentioned.
    if row.get("generations", 1) > 1:
        return f"{row['generations']:.0f} generations, {counts}"
    return counts


def power_text(row: dict) -> str:
    """Write what an undecided effect's design could have found, and what would show the margin;
    "" for a decided one.
    """
    if row["verdict"] != UNDECIDED:
        return ""

    # What was possible, then what would be needed.
    smallest = f"minimum detectable effect {100 * row['minimum_detectable_effect']:.1f} points"
    return f"{smallest}; to show the margin takes {row['sample_size']}"


def effect_text(row: dict) -> str:
    """Write an effect with its interval, n and, where it is undecided, what would decide it."""
    effect = f"{points(row['difference'])} points ({interval_text(row)}; {counts_text(row)})"
    power = power_text(row)
    return f"{effect}; {power}" if power else effect


def seeds_text(seeds: pd.Series) -> str:
    """Write how many seeds there are: "5 seeds", or "5 to 17 seeds" where arms differ in it."""
    # Arms differ where some were given more seeds.
    if seeds.nunique() == 1:
        return f"{seeds.max()} seeds"
    return f"{seeds.min()} to {seeds.max()} seeds"


def runs_text(runs: pd.DataFrame) -> str:
    """Write how many runs of how many arms there are, with how many seeds, and how many failed.

    Args:
        runs: of `evidence.recorded_runs`.
    """
    # Seeds of each network and arm, failed runs included.
    seeds = runs.groupby(["classifier", "arm"])["seed"].nunique()
    failed = (runs["failed"] != "").sum()
    return f"{len(runs)} runs of {runs['arm'].nunique()} arms, {seeds_text(seeds)}; {failed} failed"


def effects_text(effects: pd.DataFrame) -> str:
    """Write what a table of effects is in, and what it rests on."""
    # Copies of one image count once.
    images, clusters = effects["n_images"].max(), effects["n_clusters"].max()
    seeds = seeds_text(effects["n_seeds"])
    return f"percentage points; {seeds}, {images:,} test images, {clusters:,} of them different"


def tally(verdicts: pd.Series) -> str:
    """Count verdicts in words: `all 3 hurt`, `both hurt`, or `1 of 3 helps, 2 are undecided`."""
    # All of one kind.
    counts = verdicts.value_counts()
    if len(counts) == 1 and len(verdicts) > 1:
        everyone = "both" if len(verdicts) == 2 else f"all {len(verdicts)}"
        return f"{everyone} {VERBS[counts.index[0]][1]}"

    # Only the first count says of how many.
    parts = []
    for word, (singular, plural) in VERBS.items():
        if word in counts:
            total = "" if parts else f" of {len(verdicts)}"
            verb = singular if counts[word] == 1 else plural
            parts.append(f"{counts[word]}{total} {verb}")
    return ", ".join(parts)
