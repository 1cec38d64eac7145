"""Which way to use added images is best: mixed with the real ones, before or after them, with
another weight, or with a batch norm of their own.

Of all ways the one with the highest mean accuracy on validation images is chosen, as a person would
who tries them all; test images, which had no part in the choice, say what it brings.
"""

import pandas as pd

from lib.faces.arms import VARIANT_KINDS, arm_of
from lib.metrics.amount_words import SAID, basis_text
from lib.metrics.amounts import ALONE, BEST, MIXED
from lib.metrics.evidence import of_first_classifier
from lib.metrics.statistics import HELPS
from lib.metrics.wording import interval_text, points
from lib.report.names import pool_text, use_text
from lib.study.answer import Sentence

# What names one training set, in the tables of gains and of lengths.
SET = ["arm", "classifier"]
# What several uses of the same images have in common.
IMAGES = ["pool", "generation", "n_real", "added", "class_shares"]


def gains_by_use(gains: pd.DataFrame, lengths: pd.DataFrame) -> pd.DataFrame:
    """Take the gains of all uses of the same images, where there are several.

    Args:
        gains: of `gains.gain_table`.
        lengths: of `lengths.length_choice`, whose accuracy_val chooses.

    Returns:
        Rows of `gains`: accuracy of the first network in the first scoring, each arm at its best
        length, over the real images alone and over mixing the same images in. In addition
        accuracy_val; chosen: whether it is the highest of the same images; use, in words, as which
        also name, with a mark of the chosen one; group: what is compared beside how many.
    """
    # One network, scoring, metric and reading.
    rows = of_first_classifier(gains)
    rows = rows[(rows["metric"] == "accuracy") & (rows["reading"] == BEST)]
    rows = rows[rows["scoring"].eq(rows["scoring"].iloc[0])] if len(rows) else rows
    rows = rows[rows["kind"].isin(["supplement", *VARIANT_KINDS])]
    rows = rows[rows["against"].isin([ALONE, MIXED])]

    # What chooses among several uses of the same images.
    rows = rows.merge(lengths[[*SET, "accuracy_val"]], on=SET)
    rows = rows[rows.groupby(IMAGES)["arm"].transform("nunique") > 1].reset_index(drop=True)
    best = rows.groupby(IMAGES)["accuracy_val"].transform("max")
    words = [use_text(arm_of(row)) for row in rows.to_dict("records")]
    rows = rows.assign(use=pd.Series(words, dtype=str), chosen=rows["accuracy_val"] == best)

    # For figures: the chosen one is marked.
    beside = rows["n_real"].map("Beside {:,} real images, against ".format).astype(str)
    marks = rows["chosen"].map({True: " (chosen on validation images)", False: ""}).astype(str)
    return rows.assign(name=rows["use"] + marks, group=beside + rows["against"])


def use_sentences(gains: pd.DataFrame, lengths: pd.DataFrame, *, unit: str) -> list[Sentence]:
    """Say which use of the same images is best on validation images, and what it brings on test.

    Args:
        gains, lengths: as in `gains_by_use`.
        unit: what the repetitions are: draws, or seeds of one draw.

    Returns:
        One for each pool and number of real images, fewest first, of which the first has the word
        and the number; none where images are used in one way alone.
    """
    sentences, rows = [], gains_by_use(gains, lengths).sort_values("n_real", kind="stable")
    for (pool, _, n_real, *_), of_images in rows.groupby(IMAGES, sort=False):
        # Mixing in is compared with the real images alone only.
        chosen = of_images[of_images["chosen"]].set_index("against").to_dict("index")
        if ALONE not in chosen:
            continue

        # Effect over the real images alone, then over the mixture.
        alone, count = chosen[ALONE], of_images["arm"].nunique()
        text = (
            f"Of {count} ways to use {pool_text(pool)} beside {n_real:,} real images the best on "
            f"validation images is: {alone['use']}. Over the real images alone "
            f"{_effect_text(alone, unit)}"
        )
        if MIXED in chosen:
            text += f"; over mixing the same images in {_effect_text(chosen[MIXED], unit)}"
        lead = {} if sentences else _lead(alone)
        sentences.append(Sentence(f"{text}.", pool, alone["verdict"], **lead))
    return sentences


def _lead(alone: dict) -> dict[str, str]:
    """Give the word, the number and what that is, of the use that was chosen beside the fewest real
    images.

    Args:
        alone: its gain over the real images alone.
    """
    helps = alone["verdict"] == HELPS
    added = f"{alone['added']:,.0f} generated images to {alone['n_real']:,} real ones"
    return {
        "word": f"Best {alone['use']}" if helps else "No way to use them is shown to help",
        "number": f"{points(alone['difference'])} points",
        "about": f"of accuracy by adding {added}, {alone['use']}, {interval_text(alone)}",
    }


def _effect_text(row: dict, unit: str) -> str:
    """Write a difference, its verdict and what it rests on."""
    said = f"{points(row['difference'])} points, {SAID[row['verdict']]}"
    return f"{said} ({basis_text(row, unit)})"
