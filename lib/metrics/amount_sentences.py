"""What images added to a number of real ones bring, in everyday words printed from the tables.

Every sentence names its reading, the number of draws and of test images, and the last one of those
that lead says what none of them does. Where the readings disagree, that comes first.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.arms import REAL_SHARES
from lib.metrics.amount_words import (
    IN_READING,
    KNOWLEDGE,
    SAID,
    agreement_sentence,
    bound_sentence,
    copies_sentence,
    crossing_sentence,
    differing_readings,
    disagreement_sentence,
    gain_sentence,
    limits_sentence,
    other_readings_sentence,
    over_alone,
    row_of,
    same_images_sentence,
)
from lib.metrics.amounts import ALONE, BEST, DUPLICATES
from lib.metrics.crossing import CROSSES, FADES, LASTS
from lib.metrics.evidence import of_first_classifier
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS
from lib.metrics.wording import interval_text, points
from lib.report.names import pool_text
from lib.study.answer import Sentence
from lib.study.records import atomic_write, read_json

NOTHING = (
    "This study has no arms of numbers of real images: it does not ask how many there must be."
)
SENTENCES = "amounts.json"  # beside the tables that the sentences are printed from
BOUND = "all images"  # known to the generator of a pool that no one has who has fewer
SAME = "same images"  # known to the generator of one's own
# The answer in a word: by the verdicts on the pool that leads, ...
FEW, HELP, HARM = "With few real images, yes", "It helps", "It hurts"
NO_DIFFERENCE = "No difference"
NO_GAIN, DEPENDS = "No gain shown", "It depends"
# What a line of the figure is about, at all numbers of real images.
DESIGN = ["kind", "pool", "generation", "added", "class_shares"]
# What a gain shares with its recovered fraction, and with the curve that it is a point of.
OF_GAIN = ["arm", "classifier", "reading", "scoring", "metric"]
OF_CROSSING = [*DESIGN, "classifier", "against", "reading"]


def first_accuracy(gains: pd.DataFrame) -> pd.DataFrame:
    """Take the gains in accuracy of the study's first network, in the first scoring.

    Args:
        gains: of `gains.gain_table`.
    """
    # The scoring without copies in training comes first.
    first = of_first_classifier(gains)
    if not len(first):
        return first
    return first[(first["scoring"] == first["scoring"].iloc[0]) & (first["metric"] == "accuracy")]


def headline_gains(gains: pd.DataFrame) -> pd.DataFrame:
    """Choose what sentences and the first figure are about: accuracy of the study's first network,
    in the first scoring; of every pool, mixed in, one amount: in the class shares of the real
    images where these were trained, at most sizes, and the largest of several.

    Args:
        gains: of `gains.gain_table`.

    Returns:
        Rows of `gains`: those of the chosen supplements and of all controls of the same amounts.
    """
    rows = first_accuracy(gains)
    if not len(rows):
        return rows

    # One design a pool.
    supplements = rows[rows["kind"] == "supplement"]
    counted = supplements.groupby(DESIGN, sort=False)["n_real"].nunique().reset_index(name="sizes")
    counted = counted.assign(real_shares=counted["class_shares"] == REAL_SHARES)
    order = ["real_shares", "sizes", "added"]
    chosen = counted.sort_values(order, ascending=False, kind="stable").drop_duplicates("pool")

    # The controls of real images belong to every pool of their amount; some have its class counts.
    fields = ["pool", "added", "class_shares"]
    designs = set(chosen[fields].itertuples(index=False, name=None))
    of_real = {("", added, shares) for _, added, shares in designs}
    of_real |= {("", added, "") for _, added, _ in designs}
    own = rows[fields].itertuples(index=False, name=None)
    belongs = np.array([design in designs | of_real for design in own], bool)
    kinds = rows["control_of"].where(rows["kind"] == "shuffled", rows["kind"])
    is_shown = kinds.isin(["supplement", "duplicate", "extra"])
    return rows[is_shown & (rows["generation"] == 1) & belongs]


def leading_pool(gains: pd.DataFrame) -> str:
    """Name the pool that the answer is about: of those that a person with few images could have,
    else of all, the first that was trained beside most numbers of real images.

    Args:
        gains: of `headline_gains`.
    """
    # A generator that saw all real images is a bound.
    pools = gains[gains["kind"] == "supplement"]
    own = pools[pools["knowledge"] != BOUND]
    sizes = (own if len(own) else pools).groupby("pool", sort=False)["n_real"].nunique()
    return sizes.idxmax()


def headline_sentences(
    gains: pd.DataFrame, recovered: pd.DataFrame, crossings: pd.DataFrame, *, unit: str = "draws"
) -> list[Sentence]:
    """Answer in at most six sentences: where the readings disagree; what the leading pool brings
    beside the fewest real images, and what one is worth; where that ends, and beside the most; what
    a generator brings that knew these real images alone, and one that knew all; and what these do
    not say. The first one carries the answer in a word and in a number.

    Args:
        gains: of `gains.gain_table`.
        recovered: of `recovered.recovered_table`.
        crossings: of `crossing.crossing_table`.
        unit: what the repetitions are: draws, or seeds of one draw.

    Returns:
        None for a study without arms of numbers.
    """
    shown = headline_gains(gains)
    if not (shown["kind"] == "supplement").any():
        return []
    pool = leading_pool(shown)
    own, best, crossing = _lead_gains(shown, crossings)

    # The leading pool, others, limits; what depends on the reading comes first.
    sentences = _of_lead(best, recovered, crossing, unit)
    sentences += _of_same_images(shown, pool, unit)
    sentences += _of_bound(shown)
    sentences.append(Sentence(limits_sentence(best)))
    disagreement = disagreement_sentence(own)
    if disagreement:
        sentences.insert(0, Sentence(disagreement, pool))

    # The first one has the word and the number.
    fewest = best.iloc[0].to_dict()
    word, verdict = answer_word(best, crossing)
    number, about = f"{points(fewest['difference'])} points", _about(own, best)
    lead = {"word": word, "verdict": verdict, "number": number, "about": about}
    sentences[0] = replace(sentences[0], **lead)
    return sentences


def first_screen(
    gains: pd.DataFrame, recovered: pd.DataFrame, crossings: pd.DataFrame, *, unit: str = "draws"
) -> list[str]:
    """Answer in three sentences: what the leading pool brings beside the fewest real images; where
    that ends; and what these do not say, among it where the readings disagree.

    Args:
        gains, recovered, crossings, unit: as in `headline_sentences`.
    """
    # Of the leading pool alone; other pools stand on the overview.
    own, best, crossing = _lead_gains(headline_gains(gains), crossings)

    limits = f"{limits_sentence(best)} {other_readings_sentence(own)}".rstrip()
    return [*(sentence.text for sentence in _of_lead(best, recovered, crossing, unit)), limits]


def amount_sentences(
    gains: pd.DataFrame, recovered: pd.DataFrame, crossings: pd.DataFrame, *, unit: str = "draws"
) -> list[Sentence]:
    """Say how added images change the accuracy beside few and many real ones: the headline, then
    pool by pool.

    Args:
        gains, recovered, crossings, unit: as in `headline_sentences`.

    Returns:
        None for a study without arms of numbers.
    """
    sentences = headline_sentences(gains, recovered, crossings, unit=unit)
    if not sentences:
        return []

    # What the headline does not hold: other sizes, copies, and what the generator knew.
    shown = headline_gains(gains)
    of_pools = shown[shown["kind"] == "supplement"].sort_values("n_real", kind="stable")
    lead = leading_pool(shown)
    for pool in sorted(of_pools["pool"].unique(), key=lambda pool: pool != lead):
        own = of_pools[(of_pools["pool"] == pool) & (of_pools["reading"] == BEST)]
        sentences += _of_pool(own, recovered, crossings, unit=unit, leads=pool == lead)
    agreement = agreement_sentence(over_alone(shown))
    return [*sentences, Sentence(agreement)] if agreement else sentences


def answer_word(gains: pd.DataFrame, crossing: dict | None) -> tuple[str, str]:
    """Give the answer in a word, and the verdict that colours it ("" for none).

    Args:
        gains: of the leading pool over the real images alone at the best length, fewest first.
        crossing: its row of `crossing.crossing_table`; None for one number of real images.
    """
    # Help at few that ends or fades; help everywhere.
    verdicts = gains["verdict"].tolist()
    outcome = crossing["outcome"] if crossing else ""
    if verdicts[0] == HELPS and outcome in (CROSSES, FADES):
        return FEW, HELPS
    if set(verdicts) == {HELPS} or outcome == LASTS and HURTS not in verdicts:
        return HELP, HELPS

    # One verdict for all numbers, or no help, or some of each.
    for verdict, word in ((HURTS, HARM), (EQUIVALENT, NO_DIFFERENCE)):
        if set(verdicts) == {verdict}:
            return word, verdict
    return (DEPENDS, "") if HELPS in verdicts else (NO_GAIN, "")


def write_sentences(folder: Path, sentences: list[Sentence]) -> Path:
    """Write sentences as amounts.json into a folder, and return its path."""
    path = Path(folder) / SENTENCES
    with atomic_write(path) as file:
        file.write(sentences_bytes(sentences))
    return path


def sentences_bytes(sentences: list[Sentence]) -> bytes:
    """Give the bytes of amounts.json."""
    # As `records.write_json` lays out.
    rows = [asdict(sentence) for sentence in sentences]
    return (json.dumps({"sentences": rows}, indent=1) + "\n").encode()


def read_sentences(folder: Path) -> list[Sentence]:
    """Read the sentences of amounts.json; none where it is not there."""
    path = Path(folder) / SENTENCES
    rows = read_json(path)["sentences"] if path.exists() else []
    return [Sentence(**row) for row in rows]


def _lead_gains(
    shown: pd.DataFrame, crossings: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, dict | None]:
    """Take what is known of the leading pool.

    Args:
        shown: of `headline_gains`.
        crossings: of `crossing.crossing_table`.

    Returns:
        Its gains over the real images alone in all readings; those at the best length, fewest real
        images first; and its row of `crossings`, None for one number of real images.
    """
    own = over_alone(shown[shown["pool"] == leading_pool(shown)])
    best = own[own["reading"] == BEST].sort_values("n_real", kind="stable")
    return own, best, row_of(crossings, best.iloc[0].to_dict(), OF_CROSSING)


def _of_lead(
    best: pd.DataFrame, recovered: pd.DataFrame, crossing: dict | None, unit: str
) -> list[Sentence]:
    """Say what the leading pool brings beside the fewest real images, where that ends, and what it
    brings beside the most.

    Args:
        best: its gains over the real images alone at the best length, fewest real images first.
        crossing: its row of `crossing.crossing_table`; None for one number of real images.
    """
    # Beside few.
    fewest, most = best.iloc[0].to_dict(), best.iloc[-1].to_dict()
    text = gain_sentence(fewest, row_of(recovered, fewest, OF_GAIN), unit)
    sentences = [Sentence(text, fewest["pool"], fewest["verdict"])]

    # Where it ends, and beside many.
    if crossing:
        end = f"{crossing_sentence(crossing, unit)} {_at_most(most, unit)}"
        sentences.append(Sentence(end, most["pool"]))
    return sentences


def _of_pool(
    gains: pd.DataFrame,
    recovered: pd.DataFrame,
    crossings: pd.DataFrame,
    *,
    unit: str,
    leads: bool,
) -> list[Sentence]:
    """Say of one pool what the headline does not.

    Args:
        gains: of the pool, each arm at its best length, fewest real images first.
        leads: whether the headline is about it.
    """
    # A pool whose real images alone were not trained has no gain.
    alone, copies = (gains[gains["against"] == kind] for kind in (ALONE, DUPLICATES))
    if not len(alone):
        return []
    first = alone.iloc[0].to_dict()
    pool, knew = first["pool"], KNOWLEDGE.get(first["knowledge"], first["knowledge"])
    sentences = [Sentence(f"{pool_text(pool)}, {first['added']:,.0f} images: {knew}.", pool)]

    # Where it ends, unless that was said, and the gain beside every other number.
    crossing = row_of(crossings, first, OF_CROSSING)
    if crossing and not leads:
        sentences.append(Sentence(crossing_sentence(crossing, unit), pool))
    for row in alone.iloc[1 if leads else 0 :].to_dict("records"):
        text = gain_sentence(row, row_of(recovered, row, OF_GAIN), unit, alone=False)
        sentences.append(Sentence(text, pool, row["verdict"]))
    for row in copies.head(1).to_dict("records"):
        sentences.append(Sentence(copies_sentence(row, unit), pool, row["verdict"]))
    return sentences


def _of_same_images(gains: pd.DataFrame, lead: str, unit: str) -> list[Sentence]:
    """Say what pools bring beside the real images from which alone their generators learnt, where
    there are any that the headline is not about.

    Args:
        gains: of `headline_gains`.
        lead: the pool that the headline is about.
    """
    alone = over_alone(gains)
    own = alone[(alone["reading"] == BEST) & (alone["knowledge"] == SAME) & (alone["pool"] != lead)]
    rows = own.sort_values("n_real", kind="stable").drop_duplicates("n_real").to_dict("records")
    if not rows:
        return []
    text = same_images_sentence(rows, unit)
    return [Sentence(text, rows[0]["pool"], rows[0]["verdict"])]


def _of_bound(gains: pd.DataFrame) -> list[Sentence]:
    """Say what the pool brings whose generator learnt from all real images, where there is one.

    Args:
        gains: of `headline_gains`.
    """
    alone = over_alone(gains)
    alone = alone[alone["reading"] == BEST].sort_values("n_real", kind="stable")
    bounds = alone[alone["knowledge"] == BOUND]
    if not len(bounds) or len(bounds) == len(alone):
        return []

    # The first one; beside all real images it is no bound, and has the other word.
    pool = bounds["pool"].iloc[0]
    own = alone[alone["pool"] == pool]
    text = bound_sentence(own.iloc[0].to_dict(), own.iloc[-1].to_dict())
    return [Sentence(text, pool, own["verdict"].iloc[0])]


def _at_most(row: dict, unit: str) -> str:
    """Say what a pool brings beside the most real images, in short."""
    effect = f"{points(row['difference'])} points: {SAID[row['verdict']]}"
    evidence = f"{interval_text(row)}; {row['n_seeds']:.0f} {unit}"
    return f"Beside {row['n_real']:,} they change accuracy by {effect} ({evidence})."


def _about(own: pd.DataFrame, best: pd.DataFrame) -> str:
    """Say what the number of the answer is: the gain beside the fewest, what other readings say of
    it, and whether more real images leave one.

    Args:
        own: gains of the leading pool over the real images alone, in every reading.
        best: of these, those at the best length, fewest real images first.
    """
    fewest = best.iloc[0].to_dict()
    added = f"{fewest['added']:,.0f} generated images ({pool_text(fewest['pool'])})"
    start = f"{100 * fewest['reference_score']:.1f}%"
    text = f"of accuracy, from {start}, by adding {added} to {fewest['n_real']:,} real ones"

    # Where another reading has another word, it stands beside the interval.
    others = differing_readings(own[own["n_real"] == fewest["n_real"]])
    said = [f"{IN_READING[row.reading]} {SAID[row.verdict]}" for row in others.itertuples()]
    text += f" ({'; '.join([interval_text(fewest), *said])})"

    # Help beside the fewest alone.
    verdicts = best["verdict"].tolist()
    if len(verdicts) > 1 and verdicts[0] == HELPS and HELPS not in verdicts[1:]:
        return f"{text}; mixed in beside {best['n_real'].iloc[1]:,} and more they show no gain"
    return text
