"""What is shown of gains at numbers of real images: tables for reading, and advice."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.faces.arms import REAL_SHARES
from lib.metrics.amount_sentences import BOUND, first_accuracy, headline_gains
from lib.metrics.amounts import ALONE, BEST, BEST_ALONE, DUPLICATES, READINGS
from lib.metrics.crossing import LASTS, NEVER
from lib.metrics.lengths import length_choice
from lib.metrics.recovered import BOUNDED
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS
from lib.metrics.wording import hundredths, points
from lib.report.names import pool_text, use_text
from lib.study.generations import generation_name

# What names a row of these tables; "class shares" are those of the added images.
ABOUT = ["real images", "added", "of", "class shares", "against"]
# Whose class shares added images have, by the arm's field.
SHARES = {"": "the pool's", REAL_SHARES: "of the real images"}
# Kinds of arms whose draws are counted, under their names.
DRAWN = {
    "real alone": ("base", "subset"),
    "with a pool": ("supplement",),
    "shuffled labels": ("shuffled",),
    "copies": ("duplicate",),
    "held-back real images": ("extra",),
    "fewer steps": ("fewer_steps",),
}
ADVICE_COLUMNS = (
    "real images",
    "draws",
    "accuracy alone, %",
    "best pool",
    "its gain, points",
    "copies by class, points",
    "as many real images, points",
    "what to do",
)


def draws_view(runs: pd.DataFrame) -> pd.DataFrame:
    """Count the draws that finished at the chosen length, by number of real images.

    Args:
        runs: of `Predictions`, of every length.

    Returns:
        Columns "real images", one for each kind of arm at numbers ("6", or "4 to 6" where several
        arms of a kind differ), and failed: runs of any length that did not succeed.
    """
    # Arms of numbers, and the real images alone that they are compared with.
    choice = length_choice(runs)
    at_numbers = choice[(choice["real"] > 0) | (choice["added"] > 0) | (choice["kind"] == "base")]
    if not (at_numbers["added"] > 0).any():
        return pd.DataFrame()
    rows = []
    for real, of_size in sorted(at_numbers.groupby("real"), key=lambda size: size[0] or np.inf):
        counted = {
            kind: of_size.loc[of_size["kind"].isin(kinds), "n_seeds"]
            for kind, kinds in DRAWN.items()
        }
        row = {"real images": f"{real:,}" if real else "all"}
        row |= {kind: _range_text(counts) for kind, counts in counted.items()}
        failed = (runs["real"] == real) & (runs["failed"] != "")
        rows.append(row | {"failed": int(failed.sum())})
    return pd.DataFrame(rows)


def gains_by_reading(gains: pd.DataFrame) -> pd.DataFrame:
    """Lay the gains in accuracy out for reading, in the first scoring: one column a reading.

    Args:
        gains: of `gains.gain_table`.

    Returns:
        Columns ABOUT, classifier (only where there are several), draws, and one for each of
        READINGS: points with the interval that decides (`statistics.decide`), and the verdict;
        beside every number of real images the pools come first, then the controls.
    """
    # The scoring without copies in training comes first.
    rows = gains[gains["scoring"] == gains["scoring"].iloc[0]] if len(gains) else gains
    rows = _pools_first(rows[rows["metric"] == "accuracy"])
    return _laid_out(rows, rows["reading"], [_effect_text(row) for row in rows.to_dict("records")])


def gains_by_score(gains: pd.DataFrame) -> pd.DataFrame:
    """Lay the gains at the best length out for reading: one column a scoring and metric.

    Returns:
        Columns ABOUT, classifier (only where there are several), and one for each scoring and
        metric: points, and the verdict.
    """
    # One column for each way to score.
    rows = gains[gains["reading"] == BEST]
    named = rows["metric"] + ", " + rows["scoring"]
    texts = [f"{points(row.difference)} {row.verdict}" for row in rows.itertuples()]
    return _laid_out(rows, named, texts)


def worth_by_reading(recovered: pd.DataFrame) -> pd.DataFrame:
    """Lay the recovered fractions by accuracy out for reading, in the first scoring: one column a
    reading.

    Args:
        recovered: of `recovered.recovered_table`.

    Returns:
        Columns ABOUT, classifier (only where there are several), and one for each of READINGS.
    """
    # All of them compare with the real images alone.
    rows = recovered[recovered["metric"] == "accuracy"].assign(against=ALONE)
    if len(rows):
        rows = rows[rows["scoring"] == rows["scoring"].iloc[0]]
    return _laid_out(rows, rows["reading"], [_worth_text(row) for row in rows.to_dict("records")])


def crossing_view(crossings: pd.DataFrame) -> pd.DataFrame:
    """Lay the crossings out for reading.

    Args:
        crossings: of `crossing.crossing_table`.
    """
    added = [_added_text(row) for row in crossings.to_dict("records")]
    shown = ["of", "added", "class_shares", "classifier", "against", "reading", "outcome"]
    shown += ["shown_up_to", "crossing", "low", "high", "zero_within"]
    table = crossings.assign(of=added, class_shares=crossings["class_shares"].replace(SHARES))
    table = table[shown]

    # What all rows share needs no column.
    same = ("added", "class_shares", "classifier")
    table = table.drop(columns=[name for name in same if table[name].nunique() < 2])

    # Interpolated numbers of images are whole, and columns have words for names.
    whole = {name: table[name].round() for name in ("crossing", "low", "high")}
    outcome = table["outcome"].replace({LASTS: "lasts", NEVER: "no help shown"})
    names = {"class_shares": "class shares", "shown_up_to": "help shown up to"}
    names |= {"crossing": "ends at", "zero_within": "no difference within"}
    return table.assign(outcome=outcome, **whole).rename(columns=names)


def preregistered_view(decided: pd.DataFrame) -> pd.DataFrame:
    """Lay decided predictions out for reading.

    Args:
        decided: of `amount_predictions.decided_predictions`.
    """
    return decided.rename(columns={"expected": "predicted", "sentence": "prediction"})


def advice_table(gains: pd.DataFrame, used: Sequence[str] = ()) -> pd.DataFrame:
    """Say for every number of real images what a person with as many should do, by these verdicts.

    Args:
        gains: of `gains.gain_table`.
        used: names of arms that use the images in another way than mixing them in, chosen among
            several (`uses.chosen_arms`).

    Returns:
        Columns ADVICE_COLUMNS.
    """
    # Advice is about the leading reading; other uses and better training without them count.
    scored = first_accuracy(gains)
    others = scored[scored["arm"].isin(used) | (scored["kind"] == "improved")]
    shown = pd.concat([headline_gains(gains), others], ignore_index=True)
    shown = shown[shown["reading"] == BEST]
    rows = []
    for size, of_size in shown.groupby("n_real"):
        # Against the real images alone: pools, copies and as many real images. A pool whose
        # generator saw more real images than there are is a bound, and no one has it.
        alone = of_size[of_size["against"] == ALONE]
        ways = alone[alone["kind"] == "improved"].sort_values("difference", ascending=False)
        pools = alone[(alone["control_of"] == "") & (alone["kind"] != "improved")]
        pools = pools.sort_values("difference", ascending=False)
        pools = pools[(pools["knowledge"] != BOUND) | (pools["real"] == 0)]
        copies, real = (alone[alone["kind"] == kind] for kind in ("duplicate", "extra"))
        if not len(pools):
            continue

        # What the verdicts advise.
        beyond = of_size[(of_size["against"] == DUPLICATES) & (of_size["verdict"] == HELPS)]
        nothing = "add nothing" if used else "mix none in"  # other uses may not have been tried
        advice = _better_training(pools, ways, of_size[of_size["against"] == BEST_ALONE])
        advice = advice or _advice(pools, copies, set(beyond["arm"]), nothing)
        best = pools.iloc[0]
        row = (size, int(best["n_seeds"]), 100 * best["reference_score"])
        row += (best["pool"], points(best["difference"]))
        rows.append((*row, _best_points(copies), _best_points(real), advice))
    return pd.DataFrame(rows, columns=ADVICE_COLUMNS)


def _better_training(pools: pd.DataFrame, ways: pd.DataFrame, strict: pd.DataFrame) -> str:
    """Advise to train better on the real images alone, where that helps and no use of generated
    ones is shown to bring more; "" where it does not, or was not tried.

    Args:
        pools, ways: gains of uses of pools, and of ways to train without, over the plain training
            on real images alone, the best first.
        strict: gains of the uses over the best of these ways.
    """
    helping = ways[ways["verdict"] == HELPS]
    if not len(helping) or (strict["verdict"] == HELPS).any():
        return ""
    way = use_text(helping.iloc[0].to_dict())
    more = " more" if (pools["verdict"] == HELPS).any() else ""
    return f"train on the real images alone {way}: no pool is shown to help{more}"


def _advice(pools: pd.DataFrame, copies: pd.DataFrame, beyond: set[str], nothing: str) -> str:
    """Turn the verdicts at one number of real images into advice.

    Args:
        pools, copies: their gains over the real images alone, the best first.
        beyond: names of the arms that are shown to bring more than copies.
        nothing: advice against all of them.
    """
    # A pool must help, and do more than one's own images repeated.
    helping = pools[pools["verdict"] == HELPS].to_dict("records")
    copies_help = (copies["verdict"] == HELPS).any()
    better = [_added_text(row) for row in helping if row["arm"] in beyond]
    if better:
        return f"add {better[0]}: they bring more than copies of the real images do"
    if helping and copies_help:
        return "repeat the real images by class: no pool is shown to bring more than that"
    if helping:
        return f"add {_added_text(helping[0])}; that copies would not do as well is not shown"
    if copies_help:
        return "repeat the real images by class: no pool is shown to help"

    # No gain is shown.
    if (pools["verdict"] == HURTS).all():
        return f"{nothing}: every pool that was tried hurts"
    if pools["verdict"].isin([HURTS, EQUIVALENT]).all():
        return f"{nothing}: no pool makes a difference for the better that matters"
    return f"{nothing}: no gain is shown"


def _range_text(counts: pd.Series) -> str:
    """Write a count that several arms have: "6", or "4 to 6"; "" for no arm."""
    if not len(counts):
        return ""
    return str(counts.max()) if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"


def _best_points(rows: pd.DataFrame) -> str:
    """Write the largest difference of some rows, with its verdict; "" for none."""
    if not len(rows):
        return ""
    best = rows.loc[rows["difference"].idxmax()]
    return f"{points(best['difference'])} ({best['verdict']})"


def _pools_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Order the rows of every number of real images: pools, then controls."""
    order = rows.assign(_control=rows["control_of"] != "")
    order = order.sort_values(["classifier", "n_real", "_control"], kind="stable")
    return order.drop(columns="_control").reset_index(drop=True)


def _laid_out(rows: pd.DataFrame, columns: pd.Series, texts: list[str]) -> pd.DataFrame:
    """Lay texts out by what they are about, in order of appearance.

    Args:
        rows: of `gains.gain_table` or of `recovered.recovered_table` with a column against.
        columns: the column that each row's text belongs to.
        texts: one a row.
    """
    # What each row is about; the network where there are several.
    arms = rows.to_dict("records")
    about = pd.DataFrame(
        {
            "real images": rows["n_real"],
            "added": rows["added"],
            "of": [_added_text(arm) for arm in arms],
            "class shares": [_shares_text(arm) for arm in arms],
            "against": rows["against"],
            "classifier": rows["classifier"],
        }
    )
    index = list(about) if about["classifier"].nunique() > 1 else ABOUT

    # Readings may differ in the draws that both arms have.
    about["draws"] = rows.groupby([about[name] for name in index])["n_seeds"].transform(_range_text)
    index = [*index, "draws"]

    # Readings in their order, other columns as they come.
    names = [name for name in READINGS if name in set(columns)] or list(dict.fromkeys(columns))
    long = about.assign(column=columns.to_numpy(), text=texts)
    if not len(long):
        return pd.DataFrame(columns=index)
    wide = long.pivot_table(
        index=index, columns="column", values="text", aggfunc="first", sort=False
    )
    return wide[names].fillna("").reset_index().rename_axis(columns=None)


def _added_text(arm: dict) -> str:
    """Name the images that an arm adds."""
    # Real images, held back or repeated.
    if arm["kind"] == "extra":
        return "held-back real images"
    if arm["kind"] == "duplicate":
        return f"copies of them, for {pool_text(arm['pool'])}" if arm["pool"] else "copies of them"

    if arm["kind"] == "improved":
        return f"nothing: trained {use_text(arm)}"

    # A later generation is a pool of its own.
    pool = pool_text(generation_name(arm["pool"], arm["generation"]))
    # Mixing in needs no word.
    if arm["kind"] == "shuffled" and arm["control_of"] == "supplement":
        return f"{pool}, labels shuffled"
    if arm["kind"] == "supplement":
        return pool
    return f"{pool}, {use_text(arm)}"


def _shares_text(arm: dict) -> str:
    """Say whose class shares the added images have."""
    return SHARES[REAL_SHARES if arm["kind"] == "extra" else arm["class_shares"]]


def _effect_text(row: dict) -> str:
    """Write a gain with the interval that decides and the verdict: "+2.8 (+1.7 to +3.9) helps"."""
    ends = f"{points(row['low_decided'])} to {points(row['high_decided'])}"
    if np.isnan(row["low_decided"]):
        ends = "not tested"
    return f"{points(row['difference'])} ({ends}) {row['verdict']}"


def _worth_text(row: dict) -> str:
    """Write a recovered fraction with its interval."""
    # Without a ceiling there is no fraction.
    if np.isnan(row["recovered"]):
        return "undefined"
    ends = "unbounded"
    if row["interval"] == BOUNDED:
        ends = f"{hundredths(row['low'])} to {hundredths(row['high'])}"
    return f"{hundredths(row['recovered'])} ({ends})"
