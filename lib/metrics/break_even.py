"""How good a pool must be to help, and whether a measure foretells the gain of pools that had no
part in choosing it.

The pool is the unit. A line of the gain against a measure is fitted over the pools of a study by
least squares; where it crosses 0 the measure breaks even. Pools of one family (one generator in
several settings) resemble each other, so a measure is put to the test on families that are left
out: chosen on the others, fitted on the others, compared with what training then showed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import linregress, spearmanr, t

from lib.metrics.usefulness import LEAST_POOLS
from lib.study.generations import family_of

GRID = 2001  # values of a measure, over its range, at which the line's height is tested
CONFIDENCE = 0.975  # two-sided: 95%

COLUMNS = ("setting", "measure", "break_even", "low", "high", "slope", "n_pools")
FORETOLD_COLUMNS = ("setting", "pool", "family", "measure", "gain", "foretold")


def break_even(measures: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Find the value of every measure at which the line of gains crosses 0, in every setting.

    The interval holds the values at which the 95% confidence band of the line contains 0 (Fieller
    1954). In 1,000 simulated studies each of 24, 12 and 8 pools it held the true value in 95.2,
    95.1 and 94.5% of them (those of tests/metrics/test_break_even.py).

    Args:
        measures: of `usefulness.measures_of_pools`, signed so that larger is better.
        gains: of `usefulness.gains_of_pools`.

    Returns:
        Columns COLUMNS: break_even, low and high in the measure's own units without the sign; NaN
        where the line or its band does not reach 0 within the measured values; slope (what the
        best value of the measure gains over the worst, by the line). No row for fewer than
        LEAST_POOLS pools.
    """
    rows = []
    for setting, own in gains.groupby("setting", sort=False):
        gain_of = own.set_index("pool")["gain"]
        for measure, of_pools in measures.groupby("measure", sort=False):
            pairs = _pairs(of_pools, gain_of)
            if len(pairs) < LEAST_POOLS or pairs["value"].nunique() < 2:
                continue
            found = _crossing(pairs["value"].to_numpy(), pairs["gain"].to_numpy())
            rows.append((setting, measure, *found, len(pairs)))
    return pd.DataFrame(rows, columns=COLUMNS)


def foretold(measures: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Foretell the gain of every pool from pools of other families alone.

    A family is left out; of all measures the one with the highest rank correlation with the gains
    of the others is taken, and their line gives the gains of the family.

    Args:
        measures, gains: as in `break_even`.

    Returns:
        Columns FORETOLD_COLUMNS, one row a setting and pool; no row of a setting in which fewer
        than LEAST_POOLS pools remain when a family is left out.
    """
    rows = []
    for setting, own in gains.groupby("setting", sort=False):
        table = measures.pivot_table(index="pool", columns="measure", values="value", sort=False)
        table = table.reindex(own["pool"]).dropna(axis=1)
        gain = own.set_index("pool")["gain"]
        families = np.array([family_of(pool) for pool in gain.index])

        # Each family is foretold by the others: neither measure nor line has seen it.
        for family in dict.fromkeys(families):
            others = families != family
            if others.sum() < LEAST_POOLS:
                continue
            measure = _closest(table[others], gain[others])
            slope, height = np.polyfit(table.loc[others, measure], gain[others], 1)
            for pool in gain.index[~others]:
                value = slope * table.loc[pool, measure] + height
                rows.append((setting, pool, family, measure, gain[pool], value))
    return pd.DataFrame(rows, columns=FORETOLD_COLUMNS)


@dataclass(frozen=True)
class Foresight:
    """How well the gains of left-out families were foretold, in one setting."""

    setting: str
    rho: float  # Spearman's, of what was foretold with what training showed
    right_sign: int  # pools of which help or harm was foretold rightly
    n_pools: int
    n_families: int
    error: float  # mean absolute error of the gain, a share
    error_of_mean: float  # that of foretelling every pool the mean of the other families


def foresight(table: pd.DataFrame) -> list[Foresight]:
    """Sum up what `foretold` tabulates, one entry a setting; none of a setting in which only one
    family was foretold, for it has nothing to be compared with.
    """
    found = []
    for setting, own in table.groupby("setting", sort=False):
        if own["family"].nunique() < 2:
            continue
        gain, value = own["gain"].to_numpy(), own["foretold"].to_numpy()
        families = own["family"].to_numpy()
        # What somebody would say who measures nothing.
        means = np.array([gain[families != family].mean() for family in families])
        found.append(
            Foresight(
                setting=setting,
                rho=float(spearmanr(gain, value).statistic),
                right_sign=int((np.sign(gain) == np.sign(value)).sum()),
                n_pools=len(own),
                n_families=len(set(families)),
                error=float(np.abs(gain - value).mean()),
                error_of_mean=float(np.abs(gain - means).mean()),
            )
        )
    return found


def foresight_sentence(found: Foresight) -> str:
    """Write how well gains were foretold: "…: foretold from other families, …"."""
    return (
        f"{found.setting}: foretold from the pools of other generators alone, the gains of "
        f"{found.n_pools} pools of {found.n_families} generators have a rank correlation of "
        f"{found.rho:.2f} with what training showed; help or harm was foretold rightly of "
        f"{found.right_sign}. The mean error is {100 * found.error:.1f} points, or "
        f"{100 * found.error_of_mean:.1f} where the mean of the others is foretold."
    )


def break_even_sentence(row: dict) -> str:
    """Write where a measure breaks even, of one row of `break_even`."""
    setting, measure = row["setting"], row["measure"]
    if np.isnan(row["break_even"]):
        return f"{setting}: the line of gains crosses 0 at no {measure} that was measured."
    name, _, unit = measure.partition(", ")
    ends = [f"{row[end]:.3g}" if np.isfinite(row[end]) else "no bound" for end in ("low", "high")]
    return (
        f"{setting}: images break even at a {name} of {row['break_even']:.3g}{unit} (95% interval "
        f"{' to '.join(ends)}; {row['n_pools']} pools)."
    )


def of_measure(even: pd.DataFrame, measure: str) -> list[dict]:
    """Take the rows about one measure from a table of `break_even`."""
    return even[even["measure"] == measure].to_dict("records")


def measured_gains(measures: pd.DataFrame, gains: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Set the gain of every pool beside one measure of it, for a figure.

    Args:
        measures, gains: as in `break_even`.

    Returns:
        Columns pool, setting, measure (without the sign), gain, low, high.
    """
    value = measures[measures["measure"] == measure].set_index("pool")["value"]
    pairs = gains.assign(measure=gains["pool"].map(value)).dropna(subset="measure")
    kept = ["pool", "setting", "measure", "gain", "low", "high"]
    shown = pairs.assign(measure=_sign(pairs["measure"]) * pairs["measure"])
    return shown[kept].reset_index(drop=True)


def _pairs(of_pools: pd.DataFrame, gain_of: pd.Series) -> pd.DataFrame:
    """Set a measure of the pools beside their gains: columns value, gain, a row a pool."""
    pairs = of_pools.set_index("pool")[["value"]].assign(gain=gain_of)
    return pairs.dropna()


def _closest(table: pd.DataFrame, gain: pd.Series) -> str:
    """Name the measure whose order of the pools is nearest to that of their gains."""
    varying = [name for name in table if table[name].nunique() > 1]
    rho = [spearmanr(table[name], gain).statistic for name in varying]
    return varying[int(np.argmax(rho))]


def _sign(values: np.ndarray | pd.Series) -> int:
    """Give the sign of a measure: minus where less is better, which pages leave out."""
    return -1 if values.sum() < 0 else 1


def _crossing(values: np.ndarray, gains: np.ndarray) -> tuple[float, float, float, float]:
    """Find where the line of gains crosses 0.

    Args:
        values, gains: float (P,).

    Returns:
        The value, the ends of its interval, and what the better end of the range gains over the
        worse one.
    """
    sign = _sign(values)
    values = sign * values

    # The line of all pools, over the range that was measured.
    low, high = values.min(), values.max()
    line = linregress(values, gains)
    at = -line.intercept / line.slope if line.slope else np.nan
    at = at if low <= at <= high else np.nan

    # Its band: the standard error of its height at every value, by Student's t.
    grid = np.linspace(low, high, GRID)
    n, mean = len(values), values.mean()
    rest = gains - line.intercept - line.slope * values
    variance = (rest**2).sum() / (n - 2)
    error = np.sqrt(variance * (1 / n + (grid - mean) ** 2 / ((values - mean) ** 2).sum()))
    heights = line.intercept + line.slope * grid
    holds = np.flatnonzero(np.abs(heights) <= t.ppf(CONFIDENCE, n - 2) * error)
    return at, *_ends(grid, holds), float(sign * line.slope * (high - low))


def _ends(grid: np.ndarray, holds: Sequence[int]) -> tuple[float, float]:
    """Give the outermost values of a stretch of the grid; NaN where it reaches the grid's own end,
    beyond which nothing was measured.
    """
    if not len(holds):
        return np.nan, np.nan
    first = np.nan if holds[0] == 0 else grid[holds[0]]
    last = np.nan if holds[-1] == len(grid) - 1 else grid[holds[-1]]
    return first, last
