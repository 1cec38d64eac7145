"""Verdicts on claims: tests for and against each, Holm's adjustment of either side, and the
interval that says the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.metrics.error_variance import ALPHA
from lib.metrics.statistics import Effect, equivalence_p, holm, holm_standing, one_sided_p
from lib.report.claims import TELLING

SUPPORTED, CONTRADICTED, UNDECIDED, NOT_AT_THIS_SIZE = TELLING

PAIR_TESTS = ("equivalent", "greater", "smaller")  # of an arm against a reference
SINGLE_TESTS = ("above", "class_below")  # of an arm alone
ARM_TESTS = (*PAIR_TESTS, *SINGLE_TESTS)
POOL_TESTS = ("pool_below", "pool_near")
TESTS = (*ARM_TESTS, *POOL_TESTS, "none")
LEAST_SEEDS = 5  # fewer decide no claim about arms
# Numbers of an effect that the table of claims shows.
SHOWN = ("difference", "low", "high", "n_images", "n_seeds", "minimum_detectable_effect")
DECIDED = ("low_decided", "high_decided")
SIDES = ("support", "contradict")


@dataclass(frozen=True)
class Comparison:
    """One comparison that a claim rests on."""

    name: str  # of what is compared, in words
    effect: Effect
    analyses: int = 1  # as in `statistics.decide`
    reading: str = ""  # a value of READINGS; "" where nothing but one arm, or a pool, is measured
    missing: tuple[str, ...] = ()  # what the study would need to decide by it


def p_values(test: str, margin: float, comparison: Comparison) -> tuple[float, float]:
    """P-values for and against a claim, by one comparison; a direction is decided where the 95%
    interval lies beyond the margin. Each counts once an analysis.
    """
    # Too few runs are evidence for neither side; a pool is measured without any.
    effect = comparison.effect
    if test in ARM_TESTS and effect.n_seeds < LEAST_SEEDS:
        return 1.0, 1.0
    sides = _sides(test, margin, effect)
    return tuple(min(p * comparison.analyses, 1.0) for p in sides)


def decided_families(
    table: pd.DataFrame, claims: Sequence, effects: Sequence[Effect | None], undecidable: str
) -> pd.DataFrame:
    """Decide claims, either side of the claims of a study as one family.

    Args:
        table: one row a claim: family, missing, SHOWN, and p and counts (comparisons and analyses
            that the p-value counts) of SIDES, NaN where nothing was measured.
        claims, effects: of the rows.
        undecidable: word on claims that nothing was measured for.

    Returns:
        The table with verdict, at_this_size and DECIDED.
    """
    # Holm's p-values, and the levels at which his procedure tests.
    for side in SIDES:
        known = table[f"p_{side}"].notna()
        families = table[known].groupby("family")[f"p_{side}"]
        standing = families.transform(lambda p: holm_standing(p.to_numpy()))
        table.loc[known, f"level_{side}"] = ALPHA / standing / table.loc[known, f"counts_{side}"]
        table.loc[known, f"p_{side}"] = families.transform(lambda p: holm(list(p)))

    # Words for the adjusted p-values, and the intervals that say the same.
    verdicts = [_verdict(row, undecidable) for row in table.to_dict("records")]
    table["at_this_size"] = verdicts
    table.insert(6, "verdict", table["at_this_size"].mask(table["missing"] != "", NOT_AT_THIS_SIZE))
    decided = zip(claims, effects, table.to_dict("records"), strict=True)
    ends = [_deciding_interval(claim.test, effect, row) for claim, effect, row in decided]
    table = table.assign(**dict(zip(DECIDED, zip(*ends, strict=True), strict=True)))

    # What only decides is not shown.
    inner = [f"{name}_{side}" for name in ("p", "level", "counts") for side in SIDES]
    return table.drop(columns=[*inner, "family"], errors="ignore")


def _sides(test: str, margin: float, effect: Effect) -> tuple[float, float]:
    """P-values for and against a claim, of one analysis."""
    # No change: within the margin, or beyond it on either side.
    if test == "equivalent":
        beyond = abs(effect.difference) - margin, abs(effect.difference) + margin
        return equivalence_p(effect, margin), sum(map(effect.variance.tail, beyond))

    # Either side may be found, so both share the 5%.
    bounds = {"greater": margin, "above": 0.0, "pool_near": -margin}
    above = one_sided_p(effect, bounds.get(test, -margin))
    greater, smaller = min(2 * above, 1.0), min(2 * (1 - above), 1.0)

    # smaller, class_below and pool_below: the difference lies under -margin.
    return (greater, smaller) if test in bounds else (smaller, greater)


def _deciding_interval(test: str, effect: Effect | None, row: dict) -> tuple[float, float]:
    """Give the interval that a verdict rests on: wholly beyond the margin where a direction is
    supported or contradicted, within it where no change is supported.

    Args:
        test: a name in TESTS.
        effect: that is shown; None where nothing was measured.
        row: at_this_size, and the level of either side's test.
    """
    # A claim that nothing was measured for has none.
    if effect is None:
        return np.nan, np.nan
    support, contradict, word = row["level_support"], row["level_contradict"], row["at_this_size"]
    if test == "equivalent":
        # Two one-sided tests, or one of a difference beyond the margin.
        level = 2 * support if word == SUPPORTED else contradict
    else:
        # What is undecided is so at either level.
        levels = {SUPPORTED: support, CONTRADICTED: contradict}
        level = levels.get(word, min(support, contradict))

    # Symmetric, as every interval of an effect.
    reach = effect.variance.reach(level)
    return effect.difference - reach, effect.difference + reach


def _verdict(row: dict, undecidable: str) -> str:
    """The verdict on a claim from its adjusted p-values."""
    # Support comes first: both sides cannot be shown of one comparison.
    if np.isnan(row["p_support"]):
        return undecidable
    if row["p_support"] < ALPHA:
        return SUPPORTED
    return CONTRADICTED if row["p_contradict"] < ALPHA else UNDECIDED
