"""Which measure of a pool predicts its use in training: rank correlations over a study's pools, and
what the number of pools allows to conclude.
"""

import itertools
import math

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from lib.faces.arms import Arm, arm_of
from lib.metrics.statistics import ALPHA
from lib.report.names import group_text, in_words

LESS_IS_BETTER = ("fd", "kd")  # distances; all other measures promise more use where larger
FEWEST_POOLS = 3  # a rank correlation of fewer is 1 or -1 by chance
LEAST_POOLS = 6  # fewer have no interval and allow no conclusion
MOST_ORDERS = 5040  # up to so many orders of the pools all are tried, 7!; beyond, some are drawn
DRAWS = 2000  # orders or resamples of the pools

AGREEMENT = "label agreement, %"  # with the reference classifier
MEASURE_COLUMNS = ("pool", "measure", "value")
COLUMNS = ("measure", "rho", "low", "high", "p", "p_least", "n_pools", "n_settings")


def measures_of_pools(
    distances: pd.DataFrame, two_sample: pd.DataFrame, gates: list[dict], memorised: pd.DataFrame
) -> pd.DataFrame:
    """Gather every measure of every pool, signed so that a larger value is better.

    Args:
        distances: columns space, pool, metric, value (of `pools.measure_spaces`).
        two_sample: columns space, pool, accuracy (of pool against real images).
        gates: a dict a pool, with pool and agreement (of labels with the reference classifier).
        memorised: columns space, pool, share (of `memorised.memorised_pools`).

    Returns:
        Columns MEASURE_COLUMNS.
    """
    # Distances count against a pool, precision, coverage and the like for it.
    distances = distances[distances["pool"] != "real"]
    sign = np.where(distances["metric"].isin(LESS_IS_BETTER), -1.0, 1.0)
    measure = distances["metric"].map(in_words) + " (" + distances["space"].map(in_words) + ")"
    parts = [distances.assign(measure=measure, value=sign * distances["value"])]

    # Separability from real images and copies of them count against a pool.
    for table, column, name in (
        (two_sample, "accuracy", "not separable"),
        (memorised, "share", "not memorised"),
    ):
        table = table[table["pool"] != "real"]
        measure = name + " (" + table["space"].map(in_words) + ")"
        parts.append(table.assign(measure=measure, value=-table[column]))

    # How many of a pool's labels the reference classifier confirms.
    labels = pd.DataFrame(gates, columns=["pool", "agreement"])
    parts.append(labels.assign(measure=AGREEMENT, value=100 * labels["agreement"]))
    return pd.concat(parts, ignore_index=True)[list(MEASURE_COLUMNS)]


def gains_of_pools(effects: pd.DataFrame) -> pd.DataFrame:
    """Gather what each pool gained in training.

    Args:
        effects: of `contrasts.effects`.

    Returns:
        Columns pool, setting (what the training set is, in words, and the classifier of several),
        gain (accuracy minus that of the same real images alone), low, high (plain 95% interval:
        of one pool, adjusted for no other).
    """
    # Arms with synthetic images under their own labels.
    synthetic = (effects["pool"] != "") & (effects["control_of"] == "")
    rows = effects[synthetic & (effects["role"] == "base")]

    # A setting is what was done with the pool, and by which network.
    arms = [arm_of(row) for row in rows.to_dict("records")]
    words = {arm.design: setting_text(arm) for arm in arms}
    if len(set(words.values())) < len(words):  # they differ in what words leave out
        words = {design: design for design in words}
    designs = pd.Series([words[arm.design] for arm in arms], rows.index, dtype=object)
    several = rows["classifier"].nunique() > 1
    settings = designs + ", " + rows["classifier"] if several else designs
    gains = rows[["pool", "difference", "low", "high"]].assign(setting=settings)
    gains = gains.rename(columns={"difference": "gain"})
    return gains[["pool", "setting", "gain", "low", "high"]].reset_index(drop=True)


def setting_text(arm: Arm) -> str:
    """Write what an arm does with a pool: "2,871 images beside 718 real ones"."""
    if not arm.added or arm.kind != "supplement":
        return group_text(arm)
    beside = f"{arm.real:,} real ones" if arm.real else "all real ones"
    return f"{arm.added:,} images beside {beside}"


def usefulness_correlations(
    measures: pd.DataFrame, gains: pd.DataFrame, *, seed: int
) -> pd.DataFrame:
    """Correlate every measure with the gain over pools, within each setting, averaged over the
    settings.

    The pool is the unit: settings share their pools, and say nothing about other pools. The
    interval draws pools anew, the p-value permutes the measures of the pools, both for all settings
    at once. Used are the settings that most pools were tried in, and the pools that were tried in
    all of these.

    Args:
        measures: of `measures_of_pools`.
        gains: of `gains_of_pools`.
        seed: governs the draws.

    Returns:
        Columns COLUMNS: rho (Spearman, 1: the order of the measure is that of the gain), low, high
        (95%, missing under LEAST_POOLS pools), p (two-sided), p_least (that a perfect order would
        have); the highest rho first.
    """
    # Pools by settings, without holes.
    table = gains.pivot_table(index="pool", columns="setting", values="gain")
    tried = table.notna().sum()
    table = table.loc[:, tried == tried.max()].dropna()

    # The smallest p-value that this number of pools can give.
    orders = math.factorial(len(table))
    least = min(1.0, 2 / orders if orders <= MOST_ORDERS else 1 / (DRAWS + 1))

    # A measure that lacks a pool, or is the same for all, has no order.
    rows = []
    for measure, of_pools in measures.groupby("measure", sort=False):
        values = of_pools.set_index("pool")["value"].reindex(table.index)
        if len(table) < FEWEST_POOLS or values.isna().any() or values.nunique() < 2:
            continue
        rng = np.random.default_rng(seed)
        correlation = _spearman(values.to_numpy(), table.to_numpy(), rng)
        rows.append((measure, *correlation, least, len(table), table.shape[1]))
    correlations = pd.DataFrame(rows, columns=COLUMNS)
    return correlations.sort_values("rho", ascending=False, kind="stable", ignore_index=True)


def usefulness_sentence(correlations: pd.DataFrame) -> str:
    """Write in a sentence what the correlations allow to conclude.

    Args:
        correlations: of `usefulness_correlations`.
    """
    # With too few pools there is no correlation, or none could be significant.
    if not len(correlations):
        return (
            "Fewer than three pools were trained beside the same real images: no measure can be "
            "tested against usefulness."
        )
    first, n_measures = correlations.iloc[0], len(correlations)
    n_pools, highest = first["n_pools"], f"highest: {first['measure']}, rho {first['rho']:.2f}"
    if n_pools < LEAST_POOLS or first["p_least"] * n_measures >= ALPHA:
        return (
            f"{n_pools} pools: even a perfect order has p = {first['p_least']:.2g}, and "
            f"{n_measures} measures were tried, so nothing can be concluded about which measure "
            f"predicts usefulness ({highest})."
        )

    # Bonferroni over the measures.
    significant = (correlations["p"] * n_measures < ALPHA) & (correlations["rho"] > 0)
    if not significant.any():
        return f"Over {n_pools} pools no measure predicts usefulness significantly ({highest})."
    rows = correlations[significant].itertuples()
    names = ", ".join(f"{row.measure} (rho {row.rho:.2f})" for row in rows)
    return f"Over {n_pools} pools usefulness is predicted by {names}."


def _spearman(
    values: np.ndarray, gains: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Mean rank correlation over settings, with its interval and p-value.

    Args:
        values: float (P,), a measure of the pools.
        gains: float (P, K), by setting.

    Returns:
        rho, low, high (NaN with few pools), p.
    """
    n = len(values)
    rho = float(_mean_rho(values[None], gains[None])[0])

    # P-value: how often another order of the pools is as good.
    if math.factorial(n) <= MOST_ORDERS:
        orders = np.array(list(itertools.permutations(range(n))))
    else:
        drawn = rng.permuted(np.tile(np.arange(n), (DRAWS, 1)), axis=1)
        orders = np.concatenate([np.arange(n)[None], drawn])
    permuted = np.abs(_mean_rho(values[orders], gains[None]))
    p = float((permuted >= abs(rho) - 1e-12).mean())
    if n < LEAST_POOLS:
        return rho, np.nan, np.nan, p

    # Interval: pools drawn with replacement.
    rows = rng.integers(n, size=(DRAWS, n))
    low, high = np.nanquantile(_mean_rho(values[rows], gains[rows]), [0.025, 0.975])
    return rho, float(low), float(high), p


def _mean_rho(values: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Average Spearman's rho over settings.

    Args:
        values: float (B, P), a measure of the pools.
        gains: float (B or 1, P, K), pools by settings.

    Returns:
        float64 (B,); NaN where all values are equal.
    """
    # Pearson's correlation of centred ranks.
    value_ranks, gain_ranks = rankdata(values, axis=1), rankdata(gains, axis=1)
    value_ranks = value_ranks - value_ranks.mean(1, keepdims=True)
    gain_ranks = gain_ranks - gain_ranks.mean(1, keepdims=True)
    norm = np.sqrt((value_ranks**2).sum(1)[:, None] * (gain_ranks**2).sum(1))
    product = (value_ranks[:, :, None] * gain_ranks).sum(1)
    rho = np.divide(product, norm, out=np.full_like(product, np.nan), where=norm > 0)
    return rho.mean(1)
