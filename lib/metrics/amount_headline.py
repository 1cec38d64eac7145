"""The answer over all studies, from the one that asks for numbers of real images: a word, a number,
sentences, and what to do; as data for the overview and for the README, printed from its tables.
"""

import json
from dataclasses import dataclass

import pandas as pd

from lib.metrics.amount_sentences import first_screen, headline_gains, headline_sentences
from lib.metrics.amounts import ALONE, BEST
from lib.metrics.statistics import HELPS
from lib.metrics.uses import advice_of_better, beyond_training, with_better_training
from lib.metrics.wording import points
from lib.report.names import name_ready_made, pool_text

HEADLINE = "gain.json"  # beside the figure gain.svg
CAPTION = (
    "Lengths of training are chosen on validation images. Bands: the intervals that decide; of a "
    "worth, 95%."
)
# Numbers of real images in words: the fewest that were tried, the most, and what lies between.
ONE, FIRST, BETWEEN, LAST = "With {}", "With few ({})", "With some ({})", "With many ({})"


@dataclass(frozen=True)
class Advice:
    """What to do with some numbers of real images."""

    text: str
    sizes: tuple[int, ...]  # numbers of real images, ascending


def advice_sentences(advice: pd.DataFrame) -> list[str]:
    """Say what to do with few, some and many real images: neighbouring numbers with one advice
    together.

    Args:
        advice: of `amount_views.advice_table`.
    """
    # One sentence a stretch of numbers.
    grouped = _grouped(advice)
    sentences = []
    for place, group in enumerate(grouped):
        # The first stretch is of few, the last of many.
        words = BETWEEN
        if len(grouped) == 1:
            words = ONE
        elif place in (0, len(grouped) - 1):
            words = LAST if place else FIRST
        sentences.append(f"{words.format(_sizes_text(group.sizes))}, {group.text}.")
    return sentences


def real_sentence(gains: pd.DataFrame) -> str:
    """Say what as many real images would bring, where that is shown; "" where it is nowhere.

    Args:
        gains: of `gains.gain_table`.
    """
    # Held-back real images are shown to help, at their best length.
    shown = headline_gains(gains)
    rows = shown[(shown["kind"] == "extra") & (shown["reading"] == BEST)]
    rows = rows[rows["verdict"] == HELPS].sort_values("n_real")
    if not len(rows):
        return ""
    gained = [f"{points(row.difference)} beside {row.n_real:,}" for row in rows.itertuples()]
    added = f"{rows['added'].iloc[0]:,} more of them"
    return f"Real images are worth more: {added} add, in points, {', '.join(gained)}."


def headline_of(tables: dict[str, pd.DataFrame], facts: dict, unit: str) -> dict:
    """Gather what the overview and the README say of a study.

    Args:
        tables: of `published.amount_tables`.
        facts: of the predictions.
        unit: what the repetitions are: draws or seeds.

    Returns:
        study, word, verdict, number, about, first_screen (three sentences), sentences (all),
        advice, alt and caption; {} for a study without arms of numbers.
    """
    found = tables["gains"], tables["recovered"], tables["crossings"]
    sentences = headline_sentences(*found, unit=unit)
    if not sentences:
        return {}

    # The word and the number stand on the first sentence.
    first = sentences[0]
    return {
        "study": facts.get("study", ""),
        "word": first.word,
        "verdict": first.verdict,
        "number": first.number,
        "about": first.about,
        "first_screen": first_screen(*found, unit=unit),
        "sentences": [sentence.text for sentence in sentences],
        "advice": _all_advice(tables["advice"], tables["gains"]),
        "alt": _alt(tables["gains"]),
        "caption": CAPTION,
    }


def other_uses(tables: dict[str, pd.DataFrame], others: dict[str, dict]) -> dict:
    """Say what studies add to the leading one that tried more beside as many real images.

    Args:
        tables: advice and gains of the study that leads.
        others: by name, of studies with other uses: uses (of `uses.gains_by_use`), ready_made (what
            they call the ready-made images) and advice, or how all networks are trained better
            ("with MixUp") where they are.

    Returns:
        advice: of the last of these that has some, at each number of real images of the leading
        study; beyond: text and study of what they say of the answer, beside as many real images.
    """
    # Who tried more knows better.
    own, beyond = tables["advice"], []
    advice, few = [own], int(own["real images"].min())
    for study, other in others.items():
        name_ready_made(other.get("ready_made", ""))
        if how := other.get("how", ""):
            advice.append(advice_of_better(other["uses"], how))
            text = with_better_training(other["uses"], few, how)
        else:
            advice.append(other["advice"])
            text = beyond_training(other["uses"], few)
        beyond += [{"text": text, "study": study}] if text else []

    # At each number the last that has some.
    told = pd.concat(advice, ignore_index=True)
    told = told[told["real images"].isin(own["real images"])]
    told = told.drop_duplicates("real images", keep="last")
    return {"advice": _all_advice(told, tables["gains"]), "beyond": beyond}


def _all_advice(advice: pd.DataFrame, gains: pd.DataFrame) -> list[str]:
    """Say what to do, and at last what as many real images would bring."""
    # Nothing is said where that is shown nowhere.
    real = real_sentence(gains)
    return [*advice_sentences(advice), *([real] if real else [])]


def headline_bytes(headline: dict) -> bytes:
    """Give the bytes of gain.json."""
    # As `records.write_json` lays out, so that the file is the same wherever it is made.
    return (json.dumps(headline, indent=1) + "\n").encode()


def _grouped(advice: pd.DataFrame) -> list[Advice]:
    """Put neighbouring numbers of real images with the same advice together."""
    # A stretch goes on while the advice stays the same.
    groups = []
    for row in advice.sort_values("real images").to_dict("records"):
        size, text = int(row["real images"]), row["what to do"]
        if groups and groups[-1].text == text:
            groups[-1] = Advice(text, (*groups[-1].sizes, size))
        else:
            groups.append(Advice(text, (size,)))
    return groups


def _sizes_text(sizes: tuple[int, ...]) -> str:
    """Write a stretch of numbers of real images."""
    if len(sizes) == 1:
        return f"{sizes[0]:,} real images"
    return f"{sizes[0]:,} to {sizes[-1]:,} real images"


def _alt(gains: pd.DataFrame) -> str:
    """Describe the figure for those who cannot see it: every gain at the best length."""
    # What the first panel shows of the pools.
    shown = headline_gains(gains)
    shown = shown[(shown["against"] == ALONE) & (shown["reading"] == BEST)]
    own = shown[shown["kind"] == "supplement"].sort_values("n_real", kind="stable")
    parts = []
    for pool, rows in own.groupby("pool", sort=False):
        sizes = " / ".join(f"{size:,}" for size in rows["n_real"])
        gained = [f"{points(row.difference)} {row.verdict}" for row in rows.itertuples()]
        parts.append(f"{pool_text(pool)}, beside {sizes}: {', '.join(gained)}")
    return f"Gain in accuracy, points, beside real images: {'; '.join(parts)}."
