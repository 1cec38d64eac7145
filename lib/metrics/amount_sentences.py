"""What images added to a number of real ones bring, in everyday words printed from the tables.

Every sentence names its reading, the number of draws and of test images, and the last one what none
of them says. Where the readings disagree, that comes first.
"""

import numpy as np
import pandas as pd

from lib.faces.arms import REAL_SHARES
from lib.metrics.amounts import ALONE, BEST, DUPLICATES, READINGS, UNKNOWN
from lib.metrics.crossing import CROSSES, FADES, LASTS
from lib.metrics.evidence import of_first_classifier
from lib.metrics.recovered import BOUNDED
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.metrics.wording import interval_text, points

# What a pool's generator knew, in words.
KNOWLEDGE = {
    "external": "its generator knew none of the study's images",
    "same images": "its generator learnt from the same real images",
    "all images": "its generator learnt from all real images: an upper bound",
    UNKNOWN: "what its generator knew is not recorded",
}
IN_READING = {
    "best length": "each at its best length",
    "equal steps": "at equal steps",
    "equal real passes": "at equal passes over the real images",
}
SAID = {
    HELPS: "they help",
    HURTS: "they hurt",
    EQUIVALENT: "no difference that matters",
    UNDECIDED: "undecided",
}
NOTHING = (
    "This study has no arms of numbers of real images: it does not ask how many there must be."
)
DESIGN = ["kind", "pool", "added", "class_shares"]  # what a line of the figure is about


def headline_gains(gains: pd.DataFrame) -> pd.DataFrame:
    """Choose what sentences and the first figure are about: accuracy of the study's first network in
    the first scoring; of every pool, mixed in, one amount: in the class shares of the real images
    where these were trained, at most sizes, and the largest of several.

    Args:
        gains: of `amounts.gain_table`.

    Returns:
        Rows of `gains`: those of the chosen supplements and of all controls of the same amounts.
    """
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
    designs = set(chosen[DESIGN[1:]].itertuples(index=False, name=None))

    # Controls of real images belong to every pool of their amount, whose shares some of them have.
    of_real = {("", *design[1:]) for design in designs} | {("", n, "") for _, n, _ in designs}
    is_shown = rows["kind"].isin(["supplement", "shuffled", "duplicate", "extra"])
    own = rows[DESIGN[1:]].itertuples(index=False, name=None)
    belongs = np.array([design in designs | of_real for design in own], bool)
    return rows[is_shown & belongs]


def amount_sentences(
    gains: pd.DataFrame, recovered: pd.DataFrame, crossings: pd.DataFrame, *, unit: str = "draws"
) -> list[str]:
    """Say how added images change the accuracy beside few and many real ones.

    Args:
        gains: of `amounts.gain_table`.
        recovered: of `recovered.recovered_table`.
        crossings: of `crossing.crossing_table`.
        unit: what the repetitions are: draws, or seeds of one draw.
    """
    shown = headline_gains(gains)
    of_pools = shown[(shown["control_of"] == "") & (shown["against"] == ALONE)]
    if not len(of_pools):
        return [NOTHING]
    sentences = _disagreements(of_pools)

    # Where each pool stops to help, then what it brings at both ends.
    leading = of_pools[of_pools["reading"] == BEST]
    for pool, rows in leading.groupby("pool", sort=False):
        design = rows.iloc[0]
        of_design = crossings
        for name in (*DESIGN, "classifier", "reading", "against"):
            of_design = of_design[of_design[name] == design[name]]
        for crossing in of_design.to_dict("records"):
            sentences.append(_crossing_sentence(crossing, unit))

        # The fewest and the most real images.
        ends = rows.sort_values("n_real").iloc[[0, -1] if len(rows) > 1 else [0]]
        for row in ends.to_dict("records"):
            worth = _row_of(recovered, row)
            sentences.append(_gain_sentence(row, worth, unit))
        copies = shown[(shown["pool"] == pool) & (shown["against"] == DUPLICATES)]
        copies = copies[(copies["reading"] == BEST) & (copies["control_of"] == "")]
        for row in copies.sort_values("n_real").head(1).to_dict("records"):
            sentences.append(_copies_sentence(row, unit))
    return [*sentences, _limits(leading)]


def _disagreements(of_pools: pd.DataFrame) -> list[str]:
    """Name the pools and sizes whose verdict depends on the reading."""
    differing, total = [], 0
    for (pool, size), rows in of_pools.groupby(["pool", "n_real"], sort=True):
        by_reading = rows.set_index("reading")
        said = [
            f"{by_reading.loc[reading, 'verdict']} {IN_READING[reading]} "
            f"({points(by_reading.loc[reading, 'difference'])})"
            for reading in READINGS
            if reading in by_reading.index
        ]
        # A single reading has nothing to disagree with.
        total += len(said) > 1
        if rows["verdict"].nunique() > 1:
            differing.append(f"{pool} beside {size:,} real images {', '.join(said)}")
    if not total:
        return []
    if not differing:
        return [f"All readings give the same verdict in {total} of {total} cases."]
    cases = "; ".join(differing)
    return [f"The readings disagree in {len(differing)} of {total} cases: {cases}."]


def _gain_sentence(row: dict, worth: dict | None, unit: str) -> str:
    """Say what a pool brings beside one number of real images, and what real images would."""
    added = f"{row['added']:,.0f} images of {row['pool']}"
    knew = KNOWLEDGE.get(row["knowledge"], row["knowledge"])
    effect = f"{points(row['difference'])} points ({_evidence(row, unit)})"
    text = f"Beside {row['n_real']:,} real images, {added} ({knew}) change accuracy by {effect}"
    text += f": {SAID[row['verdict']]}."
    if worth is None:
        return f"{text} What as many real images would change is not known: none are held back."
    ceiling = f" As many real images would change it by {points(worth['ceiling'])}"
    return f"{text}{ceiling}; one of these is worth {_worth_text(worth)}."


def _worth_text(worth: dict) -> str:
    """Write a recovered fraction with its interval, or that it has none."""
    value = f"{worth['recovered']:.2f} real ones".replace("-", "\u2212")
    if worth["interval"] != BOUNDED:
        return f"{value}, with no bound: the gain of real images itself is not shown"
    ends = f"{worth['low']:.2f} to {worth['high']:.2f}".replace("-", "\u2212")
    return f"{value} (95 % interval {ends})"


def _copies_sentence(row: dict, unit: str) -> str:
    """Say what a pool brings beyond copies of the same number and class counts."""
    effect = f"{points(row['difference'])} points ({_evidence(row, unit)})"
    beside = f"Against as many class-matched copies of {row['n_real']:,} real images"
    return f"{beside}, those of {row['pool']} change accuracy by {effect}: {SAID[row['verdict']]}."


def _crossing_sentence(row: dict, unit: str) -> str:
    """Say from how many real images on a pool brings nothing any more."""
    images = f"{row['n_images']:,} test images"
    basis = f"{IN_READING[row['reading']]}; {row['n_seeds']} {unit} or more a size, {images}"
    pool, shown = row["pool"], f"{row['shown_up_to']:,}"
    if row["outcome"] == CROSSES:
        low, high = _rounded(row["low"]), _rounded(row["high"])
        found = f"{pool} stops helping at about {_rounded(row['crossing'])} real images"
        return f"{found} (95 % interval {low} to {high}; {basis}); its help is shown up to {shown}."
    if row["outcome"] == FADES:
        found = f"The help of {pool} is shown up to {shown} real images"
        return f"{found}; from {_rounded(row['low'])} on neither help nor its end is ({basis})."
    if row["outcome"] == LASTS:
        most = f"{row['largest']:,} real images, the most that were tried"
        return f"{pool} still helps beside {most}: where it stops is not known ({basis})."
    sizes = f"{row['sizes']} numbers of real images, {row['smallest']:,} to {row['largest']:,}"
    return f"No help of {pool} is shown beside any of {sizes} ({basis})."


def _evidence(row: dict, unit: str) -> str:
    """Write what an effect rests on: interval, repetitions, test images, reading."""
    copies = " without copies in training" if "leakfree" in row["scoring"] else ""
    counts = f"{row['n_seeds']:.0f} {unit}, {row['n_images']:,.0f} test images{copies}"
    adjusted = f"p {row['p_holm']:.2g} after Holm"
    return f"{interval_text(row)}, {adjusted}; {counts}; {IN_READING[row['reading']]}"


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


def _row_of(recovered: pd.DataFrame, gain: dict) -> dict | None:
    """Find the recovered fraction of a gain."""
    for name in ("arm", "classifier", "reading", "scoring", "metric"):
        recovered = recovered[recovered[name] == gain[name]]
    return recovered.iloc[0].to_dict() if len(recovered) else None
