"""Which measure of a pool foretells what it is worth in training? Rank correlations over a study's pools, and what their number allows."""

import itertools
import math

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from lib.metrics.contrasts import design

LEAST_POOLS, MOST_ORDERS, DRAWS = 6, 5040, 2000


def measures_of_pools(distances: pd.DataFrame, apart: pd.DataFrame, gates: list[dict], copied: pd.DataFrame) -> pd.DataFrame:
    """Gather every measure of every pool, each oriented so that more promises more use.

    Args:
        distances: columns space, pool, metric, value, baseline (of `pools.measure_spaces`).
        apart: of `twosample.tell_apart`; gates: of `gates.judge_pools`; copied: of `memorised.memorised_pools`.
    Returns:
        Columns pool, measure, value.
    """
    far = distances[distances["pool"] != "real"]
    sign = far["metric"].isin(["fd", "kd"]).map({True: -1.0, False: 1.0})
    parts = [pd.DataFrame({"pool": far["pool"], "measure": _name(far["metric"], far["space"]), "value": sign * far["value"]})]
    for data, column, what in ((apart, "accuracy", "not told apart"), (copied, "share", "not memorised")):
        data = data[data["pool"] != "real"]
        what = pd.Series(what, data.index)
        parts.append(pd.DataFrame({"pool": data["pool"], "measure": _name(what, data["space"]), "value": -data[column]}))
    judged = pd.DataFrame(gates, columns=["pool", "agreement"])
    parts.append(judged.rename(columns={"agreement": "value"}).assign(measure="labels agree with the judge"))
    return pd.concat(parts, ignore_index=True)[["pool", "measure", "value"]]


def gains_of_pools(effects: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Gather what each pool gained in training: columns pool, setting (design and classifier), gain (accuracy minus that of base)."""
    own = runs[(runs["pool"] != "") & ~runs["arm"].str.contains("shuffled")].drop_duplicates("arm").set_index("arm")["pool"]
    rows = effects[(effects["role"] == "base") & effects["arm"].isin(own.index)]
    setting = rows["arm"].map(design) + ", " + rows["classifier"]
    return pd.DataFrame({"pool": rows["arm"].map(own), "setting": setting, "gain": rows["difference"]}).reset_index(drop=True)


def foretell(measures: pd.DataFrame, gains: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Correlate every measure with the gain over pools, within each setting, and average over the settings.

    The pool is the unit: settings share their pools, and tell nothing of other pools. The interval draws pools anew, the p-value hands the
    measures of the pools around, both for all settings at once: those that most pools were tried in, and the pools that were tried in all
    of them.

    Returns:
        Columns measure, rho (Spearman, 1: the order of the measure is that of the gain), low, high (95 %, missing under 6 pools), p
        (two-sided), p_least (that a perfect order would have), n_pools, n_settings; the best first.
    """
    table = gains.pivot_table(index="pool", columns="setting", values="gain")
    tried = table.notna().sum()
    table = table.loc[:, tried == tried.max()].dropna()
    rows = []
    for measure, own in measures.groupby("measure", sort=False):
        values = own.set_index("pool")["value"].reindex(table.index)
        if len(table) < 3 or values.isna().any() or values.nunique() < 2:
            continue
        rho, low, high, p = _spearman(values.to_numpy(), table.to_numpy(), np.random.default_rng(seed))
        orders = math.factorial(len(table))
        least = min(1.0, 2 / orders if orders <= MOST_ORDERS else 1 / (DRAWS + 1))
        rows.append((measure, rho, low, high, p, least, len(table), table.shape[1]))
    columns = ["measure", "rho", "low", "high", "p", "p_least", "n_pools", "n_settings"]
    return pd.DataFrame(rows, columns=columns).sort_values("rho", ascending=False, kind="stable", ignore_index=True)


def what_foretells(foretold: pd.DataFrame) -> str:
    """Say in a sentence what the correlations allow to conclude."""
    if not len(foretold):
        return "Fewer than three pools were trained on: no measure can be held against usefulness."
    first = foretold.iloc[0]
    n, highest = first["n_pools"], f"highest: {first['measure']}, rho {first['rho']:.2f}"
    if n < LEAST_POOLS or first["p_least"] * len(foretold) >= 0.05:
        return (f"{n} pools: even a perfect order has p = {first['p_least']:.2g}, and {len(foretold)} measures were tried, so nothing can "
                f"be concluded about which measure foretells usefulness ({highest}).")  # fmt: skip
    sure = foretold[(foretold["p"] * len(foretold) < 0.05) & (foretold["rho"] > 0)]
    if not len(sure):
        return f"Over {n} pools no measure foretells usefulness beyond doubt ({highest})."
    names = ", ".join(f"{row.measure} (rho {row.rho:.2f})" for row in sure.itertuples())
    return f"Over {n} pools usefulness is foretold by {names}."


def _spearman(values: np.ndarray, gains: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float, float]:
    n = len(values)
    rho = float(_mean_rho(values[None], gains[None])[0])
    if math.factorial(n) <= MOST_ORDERS:
        orders = np.array(list(itertools.permutations(range(n))))
    else:
        orders = np.concatenate([np.arange(n)[None], rng.permuted(np.tile(np.arange(n), (DRAWS, 1)), axis=1)])
    p = float((np.abs(_mean_rho(values[orders], gains[None])) >= abs(rho) - 1e-12).mean())
    if n < LEAST_POOLS:
        return rho, np.nan, np.nan, p
    rows = rng.integers(n, size=(DRAWS, n))
    low, high = np.nanquantile(_mean_rho(values[rows], gains[rows]), [0.025, 0.975])
    return rho, float(low), float(high), p


def _mean_rho(values: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Average Spearman's rho over settings: values (B, pools), gains (B or 1, pools, settings) to (B,); NaN where all values are equal."""
    ranks, theirs = rankdata(values, axis=1), rankdata(gains, axis=1)
    ranks, theirs = ranks - ranks.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True)
    size = np.sqrt((ranks**2).sum(1)[:, None] * (theirs**2).sum(1))
    together = (ranks[:, :, None] * theirs).sum(1)
    return np.divide(together, size, out=np.full_like(together, np.nan), where=size > 0).mean(1)


def _name(what: pd.Series, space: pd.Series) -> pd.Series:
    return what + " (" + space + ")"
