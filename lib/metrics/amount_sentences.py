"""What images added to a number of real ones bring, in everyday words printed from the tables.

Every sentence names its reading, the number of draws and of test images, and the last one what none
of them says. Where the readings disagree, that comes first.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.arms import REAL_SHARES
from lib.metrics.amounts import ALONE, BEST, DUPLICATES, READINGS, UNKNOWN
from lib.metrics.crossing import CROSSES, FADES, LASTS
from lib.metrics.evidence import of_first_classifier
from lib.metrics.recovered import BOUNDED
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.metrics.wording import interval_text, points
from lib.report.names import pool_text
from lib.study.answer import Sentence
from lib.study.records import atomic_write, read_json

# What a pool's generator knew, in words.
KNOWLEDGE = {
    "external": "its generator knew none of the study's images",
    "same images": "its generator learnt from the same real images",
    "all images": "its generator learnt from all real images: an upper bound",
    "other images": "its generator learnt from other real images",
    UNKNOWN: "what its generator knew is not recorded",
}
# A reading, of an effect.
IN_READING = {
    "best length": "each at its best length",
    "equal steps": "at equal steps",
    "equal real passes": "at equal passes over the real images",
}
# A verdict on added images.
SAID = {
    HELPS: "they help",
    HURTS: "they hurt",
    EQUIVALENT: "no difference that matters",
    UNDECIDED: "undecided",
}
NOTHING = (
    "This study has no arms of numbers of real images: it does not ask how many there must be."
)
SENTENCES = "amounts.json"  # beside the tables that the sentences are printed from
# What a line of the figure is about, at all numbers of real images.
DESIGN = ["kind", "pool", "generation", "added", "class_shares"]
# What a gain shares with its recovered fraction, and with the curve that it is a point of.
OF_GAIN = ["arm", "classifier", "reading", "scoring", "metric"]
OF_CROSSING = [*DESIGN, "classifier", "against", "reading"]


def headline_gains(gains: pd.DataFrame) -> pd.DataFrame:
    """Choose what sentences and the first figure are about: accuracy of the study's first network,
    in the first scoring; of every pool, mixed in, one amount: in the class shares of the real
    images where these were trained, at most sizes, and the largest of several.

    Args:
        gains: of `gains.gain_table`.

    Returns:
        Rows of `gains`: those of the chosen supplements and of all controls of the same amounts.
    """
    # One network, scoring and metric.
    first = of_first_classifier(gains)
    if not len(first):
        return first
    rows = first[(first["scoring"] == first["scoring"].iloc[0]) & (first["metric"] == "accuracy")]

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
    is_shown = rows["kind"].isin(["supplement", "shuffled", "duplicate", "extra"])
    return rows[is_shown & (rows["generation"] == 1) & belongs]


def amount_sentences(
    gains: pd.DataFrame, recovered: pd.DataFrame, crossings: pd.DataFrame, *, unit: str = "draws"
) -> list[Sentence]:
    """Say how added images change the accuracy beside few and many real ones.

    Args:
        gains: of `gains.gain_table`.
        recovered: of `recovered.recovered_table`.
        crossings: of `crossing.crossing_table`.
        unit: what the repetitions are: draws, or seeds of one draw.

    Returns:
        None for a study without arms of numbers.
    """
    shown = headline_gains(gains)
    of_pools = shown[shown["kind"] == "supplement"]
    if not len(of_pools):
        return []
    alone = of_pools[of_pools["against"] == ALONE]
    sentences = _disagreements(alone)

    # Where each pool stops helping.
    leading = of_pools[of_pools["reading"] == BEST].sort_values("n_real", kind="stable")
    for pool in dict.fromkeys(leading["pool"]):
        against = {kind: leading[leading["against"] == kind] for kind in (ALONE, DUPLICATES)}
        against = {kind: rows[rows["pool"] == pool] for kind, rows in against.items()}
        crossing = _row_of(crossings, against[ALONE].iloc[0].to_dict(), OF_CROSSING)
        if crossing:
            sentences.append(Sentence(_crossing_sentence(crossing, unit), pool))

        # What it brings beside the fewest and the most real images, and beyond copies of these.
        ends = against[ALONE].iloc[[0, -1]].drop_duplicates("arm")
        for row in ends.to_dict("records"):
            text = _gain_sentence(row, _row_of(recovered, row, OF_GAIN), unit)
            sentences.append(Sentence(text, pool, row["verdict"]))
        for row in against[DUPLICATES].head(1).to_dict("records"):
            sentences.append(Sentence(_copies_sentence(row, unit), pool, row["verdict"]))
    return [*sentences, Sentence(_limits(leading))]


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


def _disagreements(of_pools: pd.DataFrame) -> list[Sentence]:
    """Name the pools and sizes whose verdict depends on the reading."""
    differing, total = [], 0
    for (pool, size), rows in of_pools.groupby(["pool", "n_real"], sort=True):
        # A single reading has nothing to disagree with.
        by_reading = rows.set_index("reading")
        total += len(rows) > 1
        if rows["verdict"].nunique() < 2:
            continue

        # Every reading's verdict, the leading one's first.
        said = [
            f"{by_reading.loc[reading, 'verdict']} {IN_READING[reading]} "
            f"({points(by_reading.loc[reading, 'difference'])})"
            for reading in READINGS
            if reading in by_reading.index
        ]
        differing.append(f"{pool_text(pool)} beside {size:,} real images {', '.join(said)}")

    # That they agree is worth a sentence too.
    if differing:
        cases = "; ".join(differing)
        return [Sentence(f"The readings disagree in {len(differing)} of {total} cases: {cases}.")]
    agreed = f"All readings give the same verdict in {total} of {total} cases."
    return [Sentence(agreed)] if total else []


def _gain_sentence(row: dict, worth: dict | None, unit: str) -> str:
    """Say what a pool brings beside one number of real images, and what real images would."""
    added = f"{row['added']:,.0f} images ({pool_text(row['pool'])})"
    knew = KNOWLEDGE.get(row["knowledge"], row["knowledge"])
    effect = f"{points(row['difference'])} points ({_evidence(row, unit)})"
    text = f"Beside {row['n_real']:,} real images, {added} change accuracy by {effect}"
    text += f": {SAID[row['verdict']]}. {knew[0].upper()}{knew[1:]}."

    # The ceiling, and the share of it.
    if worth is None:
        return f"{text} What as many real images would change is not known: none are held back."
    ceiling = f" As many real images would change it by {points(worth['ceiling'])}"
    return f"{text}{ceiling}; one of these is worth {_worth_text(worth)}."


def _worth_text(worth: dict) -> str:
    """Write a recovered fraction with its interval, or that it has none."""
    # An unbounded interval has no ends to print.
    value = f"{worth['recovered']:.2f} real ones".replace("-", "\u2212")
    if worth["interval"] != BOUNDED:
        return f"{value}, with no bound: the gain of real images itself is not shown"
    ends = f"{worth['low']:.2f} to {worth['high']:.2f}".replace("-", "\u2212")
    return f"{value} (95 % interval {ends})"


def _copies_sentence(row: dict, unit: str) -> str:
    """Say what a pool brings beyond copies of the same number and class counts."""
    effect = f"{points(row['difference'])} points ({_evidence(row, unit)})"
    beside = f"Compared with class-matched copies of {row['n_real']:,} real images"
    pool, verdict = pool_text(row["pool"]), SAID[row["verdict"]]
    return f"{beside}, as many of {pool} change accuracy by {effect}: {verdict}."


def _crossing_sentence(row: dict, unit: str) -> str:
    """Say from how many real images on a pool brings nothing any more."""
    images = f"{row['n_images']:,} test images"
    basis = f"{IN_READING[row['reading']]}; {row['n_seeds']} {unit} or more a size, {images}"
    pool, shown = pool_text(row["pool"]), f"{row['shown_up_to']:,}"

    # Its help ends within the sizes that were tried, fades, lasts or was never there.
    if row["outcome"] == CROSSES:
        low, high = _rounded(row["low"]), _rounded(row["high"])
        found = f"The help of {pool} ends at about {_rounded(row['crossing'])} real images"
        return f"{found} (95 % interval {low} to {high}; {basis}); it is shown up to {shown}."
    if row["outcome"] == FADES:
        found = f"The help of {pool} is shown up to {shown} real images"
        return (
            f"{found}; from {_rounded(row['low'])} on neither help nor its end is shown ({basis})."
        )
    if row["outcome"] == LASTS:
        most = f"{row['largest']:,} real images, the most that were tried"
        return f"{pool} help even beside {most}: where that ends is not known ({basis})."
    sizes = f"{row['sizes']} numbers of real images, {row['smallest']:,} to {row['largest']:,}"
    return f"No help of {pool} is shown beside any of {sizes} ({basis})."


def _evidence(row: dict, unit: str) -> str:
    """Write what an effect rests on: interval, repetitions, test images, reading."""
    # Which images, how many draws, and how long both were trained.
    copies = " without copies in training" if "leakfree" in row["scoring"] else ""
    counts = f"{row['n_seeds']:.0f} {unit}, {row['n_images']:,.0f} test images{copies}"
    return f"{interval_text(row)}; {counts}; {IN_READING[row['reading']]}"


def _limits(rows: pd.DataFrame) -> str:
    """Say what none of the sentences says."""
    network = rows["classifier"].iloc[0]
    return (
        f"These are accuracies of one network ({network}) on one data set: they say nothing about "
        "other networks, other pools, other amounts or other ways to use the images."
    )


def _rounded(size: float) -> str:
    """Write a number of images with two digits: interpolated ones are no more exact."""
    return f"{float(f'{size:.2g}'):,.0f}"


def _row_of(table: pd.DataFrame, gain: dict, columns: list[str]) -> dict | None:
    """Find the row of a table that agrees with a gain in some columns; None where there is none."""
    for name in columns:
        table = table[table[name] == gain[name]]
    return table.iloc[0].to_dict() if len(table) else None
