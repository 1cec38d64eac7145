"""Which way to use added images is best: mixed with the real ones, before or after them, with
another weight, with a batch norm of their own, those alone whose labels look right, or with other
labels; and what a person gets who tries as hard with the real images alone.

Of all ways the one with the highest mean accuracy on validation images is chosen, as a person would
who tries them all; test images, which had no part in the choice, say what it brings. The networks
are the same, so chance in training that favours a way favours it on both: how often the choice is
another one without one of the draws says how much it hangs on chance.
"""

import numpy as np
import pandas as pd

from lib.faces.arms import VARIANT_KINDS
from lib.metrics.amount_sentences import first_accuracy
from lib.metrics.amount_words import SAID, basis_text
from lib.metrics.amounts import ALONE, BEST, BEST_ALONE, MIXED, SHUFFLED
from lib.metrics.statistics import HELPS
from lib.metrics.wording import interval_text, points
from lib.report.names import USES, pool_text, use_text
from lib.study.answer import Sentence

# What several uses of the same images have in common.
IMAGES = ["pool", "generation", "n_real", "added", "class_shares"]
WAYS_ALONE = ("improved", "duplicate")  # kinds of real images alone, beside the plain training
# What uses are compared with, in the order of the table.
REFERENCES = (ALONE, MIXED, SHUFFLED, BEST_ALONE)
# What `gains_by_use` adds to a table of gains.
CHOICE = ("accuracy_val", "chosen", "same_without", "draws")


def gains_by_use(gains: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Take the gains of all uses of the same images, where there are several.

    Args:
        gains: of `gains.gain_table`.
        runs: of `Predictions`, of every length, whose accuracy_val chooses.

    Returns:
        Rows of `gains`: accuracy of the first network in the first scoring, each arm at its best
        length, over the real images alone, over mixing the same images in, over the same use of
        them with shuffled labels and over the best way to train without them; then the other ways
        to train on real images alone, where there are some.
        In addition accuracy_val, mean over the draws that all uses have; chosen: whether it is the
        highest of the same images (of real images alone: none, if the plain training is);
        same_without: number of draws without each of which the choice is the same; draws: how many
        there are.
    """
    # Of these arms at their best length.
    rows = first_accuracy(gains)
    rows = rows[rows["reading"] == BEST]
    rows = rows[rows["against"].isin(REFERENCES)]
    of_pools = rows[rows["kind"].isin(["supplement", *VARIANT_KINDS])]

    # Among several uses of the same images one is chosen.
    parts = [
        _with_choice(of_images, runs)
        for _, of_images in of_pools.groupby(IMAGES, sort=False)
        if of_images["arm"].nunique() > 1
    ]

    # Among the ways to train on the same real images alone too.
    alone = rows[rows["kind"].isin(WAYS_ALONE) & (rows["against"] == ALONE)]
    parts += [
        _with_choice(of_size, runs)
        for _, of_size in alone.groupby("n_real", sort=False)
        if (of_size["kind"] == "improved").any()
    ]
    empty = rows[:0].assign(**{name: [] for name in CHOICE})
    table = pd.concat(parts) if parts else empty

    # Few real images first, real images alone at the end; mixing in before the other ways.
    orders = {
        "alone": table["kind"].isin(WAYS_ALONE),
        "reference": table["against"].map(REFERENCES.index),
        "place": table["kind"].map([*USES, *WAYS_ALONE].index),
    }
    order = pd.DataFrame({"n_real": table["n_real"], **orders})
    table = table.loc[order.sort_values(list(order), kind="stable").index]
    return table.reset_index(drop=True)


def chosen_arms(uses: pd.DataFrame) -> list[str]:
    """Name the arms of the uses that were chosen, of `gains_by_use`; mixing in is none of them."""
    is_other = uses["chosen"].astype(bool) & uses["kind"].isin(VARIANT_KINDS)
    return uses.loc[is_other, "arm"].drop_duplicates().tolist()


def leading_uses(uses: pd.DataFrame) -> pd.DataFrame:
    """Take the rows of `gains_by_use` that the answer is about: all uses and ways over the plain
    training on real images alone, and the chosen use over the best of these ways.
    """
    is_chosen = uses["chosen"].astype(bool) & (uses["against"] == BEST_ALONE)
    return uses[(uses["against"] == ALONE) | is_chosen].reset_index(drop=True)


def uses_view(uses: pd.DataFrame) -> pd.DataFrame:
    """Name the rows of `gains_by_use` for a figure: name, the use with a mark of the chosen one;
    group, what it is compared with beside how many real images.
    """
    rows = uses.to_dict("records")
    marks = {True: " (chosen on validation images)", False: ""}
    return uses.assign(
        name=[use_text(row) + marks[row["chosen"]] for row in rows],
        group=[_group_text(row) for row in rows],
    )


def use_sentences(uses: pd.DataFrame, *, unit: str) -> list[Sentence]:
    """Say which use of the same images is best on validation images, and what it brings on test.

    Args:
        uses: of `gains_by_use`.
        unit: what the repetitions are: draws, or seeds of one draw.

    Returns:
        One for each pool and number of real images, fewest first, of which the first has the word
        and the number.
    """
    sentences = []
    of_pools = uses[~uses["kind"].isin(WAYS_ALONE)]
    for (pool, _, n_real, *_), of_images in of_pools.groupby(IMAGES, sort=False):
        # Mixing in is compared with the real images alone only.
        chosen = of_images[of_images["chosen"]].set_index("against").to_dict("index")
        if ALONE not in chosen:
            continue

        # How it was chosen, then the effects over the real images alone and over the mixture.
        alone, count = chosen[ALONE], of_images["arm"].nunique()
        use = use_text(alone)
        text = (
            f"Of {count} ways to use {pool_text(pool)} beside {n_real:,} real images the best on "
            f"validation images is: {use} ({_stability_text(alone, unit)}). Over the real images "
            f"alone {_effect_text(alone, unit)}"
        )
        if MIXED in chosen:
            text += f"; over mixing the same images in {_effect_text(chosen[MIXED], unit)}"
        if SHUFFLED in chosen:
            effect = _effect_text(chosen[SHUFFLED], unit)
            text += f"; over the same with shuffled labels {effect}"
        if BEST_ALONE in chosen:
            without = _without_text(chosen[BEST_ALONE], uses)
            text += f"; over {without} {_effect_text(chosen[BEST_ALONE], unit)}"
        # Help that better training brings too is not shown to be the images' own.
        verdict = alone["verdict"]
        if verdict == HELPS:
            verdict = chosen.get(BEST_ALONE, alone)["verdict"]
        lead = {} if sentences else _lead(chosen, uses)
        sentences.append(Sentence(f"{text}.", pool, verdict, **lead))
    return sentences


def beyond_training(uses: pd.DataFrame, n_real: int) -> str:
    """Say what the best use of the images brings over the best way to train without them.

    Args:
        uses: of `gains_by_use`, as published.
        n_real: number of real images.

    Returns:
        A sentence; "" where that was not asked, or where the plain training is the best way.
    """
    # Chosen among the uses, and among the ways without them.
    of_images = _chosen(uses, n_real)
    way = _chosen(uses, n_real, of_images=False).get(ALONE)
    if BEST_ALONE not in of_images or not way:
        return ""

    # Both over the plain training, then one over the other.
    alone, strict = of_images[ALONE], of_images[BEST_ALONE]
    shown = "shown" if strict["verdict"] == HELPS else "not shown"
    return (
        f"Used best ({use_text(alone)}) they bring {points(alone['difference'])} points; the real "
        f"images alone, trained best ({use_text(way)}), gain {points(way['difference'])}. That the "
        f"generated ones bring more is {shown}: {points(strict['difference'])} points "
        f"({interval_text(strict)})."
    )


def with_better_training(uses: pd.DataFrame, n_real: int, how: str) -> str:
    """Say what the best use of the images brings where all networks are trained better.

    Args:
        uses: of `gains_by_use`, as published, of such a study.
        n_real: number of real images.
        how: the networks are trained: "with MixUp".

    Returns:
        A sentence; "" where that was not asked.
    """
    # The use that was chosen.
    alone = _chosen(uses, n_real).get(ALONE)
    if alone is None:
        return ""
    return (
        f"{how[0].upper()}{how[1:]} in every training they bring {points(alone['difference'])} "
        f"points ({interval_text(alone)}, {use_text(alone)}): {SAID[alone['verdict']]}."
    )


def advice_of_better(uses: pd.DataFrame, how: str) -> pd.DataFrame:
    """Advise to train better and to use the images too, where that brings more than the better
    training by itself.

    Args:
        uses: of `gains_by_use`, of a study that trains all its networks better.
        how: it trains them: "with MixUp".

    Returns:
        Columns real images, what to do; a row for each number of real images where the chosen use
        is shown to help.
    """
    # One sentence a number of real images.
    rows = []
    for n_real in uses["n_real"].unique():
        # Nothing is advised where help is not shown.
        row = _chosen(uses, n_real).get(ALONE, {"verdict": ""})
        if row["verdict"] != HELPS:
            continue
        images = f"{pool_text(row['pool'])}, {use_text(row)}"
        text = f"train {how} and add {images}: they bring more than that alone"
        rows.append({"real images": n_real, "what to do": text})
    return pd.DataFrame(rows, columns=["real images", "what to do"])


def _chosen(uses: pd.DataFrame, n_real: int, *, of_images: bool = True) -> dict[str, dict]:
    """Take what was chosen beside a number of real images: its row by what it is compared with.

    Args:
        uses: of `gains_by_use`.
        of_images: the use of the study's first pool; else the way to train without it.
    """
    own = uses[(uses["n_real"] == n_real) & uses["chosen"].astype(bool)]
    own = own[own["kind"].isin(WAYS_ALONE) != of_images]
    # Of several pools the study's first.
    return own.drop_duplicates("against").set_index("against").to_dict("index")


def _with_choice(of_images: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Choose among the uses of the same images, and say how stable the choice is.

    Args:
        of_images: their rows of `gains`, in which each has its length.
    """
    # Accuracy on val, one row a use, one column a draw; draws that a use lacks do not count. The
    # plain training competes where real images alone are trained in several ways.
    keys = ["arm", "classifier", "length"]
    compared = of_images[keys]
    if set(of_images["kind"]) <= set(WAYS_ALONE):
        plain = of_images[["reference", "classifier", "reference_length"]]
        compared = pd.concat([compared, plain.set_axis(keys, axis=1)])
    at_length = compared.drop_duplicates().merge(runs[runs["failed"] == ""], on=keys)
    by_draw = at_length.groupby(["arm", "seed"])["accuracy_val"].mean().unstack("seed")
    accuracy = by_draw.dropna(axis=1) if by_draw.notna().all().any() else by_draw

    # The best of all draws, and of all but one.
    means, count = accuracy.mean(axis=1), accuracy.shape[1]
    best = means.idxmax()
    without = [accuracy.drop(columns=draw).mean(axis=1) for draw in accuracy] if count > 1 else []
    same = int(np.sum([others.idxmax() == best for others in without]))
    return of_images.assign(
        accuracy_val=of_images["arm"].map(means),
        chosen=of_images["arm"] == best,
        same_without=same,
        draws=count,
    )


def _stability_text(row: dict, unit: str) -> str:
    """Say how much a choice hangs on single draws."""
    one, other = unit.removesuffix("s"), int(row["draws"] - row["same_without"])
    changes = (
        f"changes this in {other} of {row['draws']:.0f} cases" if other else "never changes this"
    )
    return f"leaving out one {one} {changes}"


def _group_text(row: dict) -> str:
    """Head the rows of a figure: beside how many real images, and against what."""
    if row["kind"] in WAYS_ALONE:
        return f"{row['n_real']:,} real images alone, against training on them plainly"
    return f"Beside {row['n_real']:,} real images, against {row['against']}"


def _without_text(row: dict, uses: pd.DataFrame) -> str:
    """Name the best way to train without the images: "these turned and zoomed, the best of 6 ways
    without them".

    Args:
        row: of a use, against BEST_ALONE.
        uses: of `gains_by_use`.
    """
    # The plain training is one more way.
    ways = uses["kind"].isin(WAYS_ALONE) & (uses["n_real"] == row["n_real"])
    how, count = _way_text(row, uses), int(ways.sum()) + 1
    return f"the real images {how}, the best of {count} ways without the generated ones,"


def _way_text(row: dict, uses: pd.DataFrame) -> str:
    """Say how the real images alone are trained on that a use is held against: "turned and zoomed".

    Args:
        row: of a use, against BEST_ALONE.
        uses: of `gains_by_use`.
    """
    best = uses[uses["kind"].isin(WAYS_ALONE) & (uses["arm"] == row["reference"])]
    return use_text(best.iloc[0].to_dict()) if len(best) else "trained on plainly"


def _lead(chosen: dict, uses: pd.DataFrame) -> dict[str, str]:
    """Give the word, the number and what that is, of the use that was chosen beside the fewest real
    images; and beside how many no use is shown to help.

    Args:
        chosen: by what it is compared with, the rows of that use.
        uses: of `gains_by_use`.
    """
    # The word names the use where it is shown to help, also over training as well without.
    alone = chosen[ALONE]
    strict = chosen.get(BEST_ALONE, alone)
    use = use_text(alone)
    beside = f"beside {alone['n_real']:,} real images"
    word, how = f"Yes, {use}", ""
    if alone["verdict"] != HELPS:
        word, how = "No way to use them is shown to help", f", {use}"
    elif strict["verdict"] != HELPS:
        word, how = "Not shown to help more than training better without them", f", {use}"

    # What is left of it beside training as well without them.
    beyond = ""
    if BEST_ALONE in chosen:
        way = _way_text(strict, uses)
        beyond = f"; over the real images {way} {points(strict['difference'])} points"

    # Where none is shown to help, or none beyond that.
    others = "" if how else _others_text(uses, use)
    return {
        "word": word,
        "number": f"{points(alone['difference'])} points",
        "about": f"of accuracy {beside}{how} ({interval_text(alone)}){beyond}{others}",
    }


def _others_text(uses: pd.DataFrame, use: str) -> str:
    """Say what the chosen use brings beside more real images than the fewest, and where none is
    shown to bring more than better training does, or to help.

    Args:
        uses: of `gains_by_use`.
        use: that is chosen beside the fewest.
    """
    # By number of real images, the verdicts of all uses over the one and the other.
    of_pools = uses[~uses["kind"].isin(WAYS_ALONE)]
    helping, nowhere, not_more = "", [], []
    for size, of_size in of_pools[of_pools["n_real"] > of_pools["n_real"].min()].groupby("n_real"):
        # Better training was not tried beside every number.
        verdicts = of_size.groupby("against")["verdict"].agg(set)
        if HELPS not in verdicts[ALONE]:
            nowhere.append(f"{size:,}")
        elif BEST_ALONE in verdicts and HELPS not in verdicts[BEST_ALONE]:
            not_more.append(f"{size:,}")
        else:
            of_alone = of_size[of_size["chosen"].astype(bool) & (of_size["against"] == ALONE)]
            row = of_alone.iloc[0].to_dict()
            how = "" if use_text(row) == use else f", {use_text(row)}"
            said = f"; beside {size:,} {points(row['difference'])} points{how}"
            helping += said if row["verdict"] == HELPS else ""
    words = {
        "none is shown to bring more than better training does": not_more,
        "no way is shown to help": nowhere,
    }
    ends = [f"; beside {' and '.join(at)} {said}" for said, at in words.items() if at]
    return helping + "".join(ends)


def _effect_text(row: dict, unit: str) -> str:
    """Write a difference, its verdict and what it rests on."""
    said = f"{points(row['difference'])} points, {SAID[row['verdict']]}"
    return f"{said} ({basis_text(row, unit)})"
