"""Sentences about gains at numbers of real images, one fact each, printed from rows of tables."""

from collections.abc import Sequence

import pandas as pd

from lib.faces.arms import arm_of
from lib.metrics.amounts import ALONE, READINGS, UNKNOWN
from lib.metrics.crossing import CROSSES, FADES, LASTS
from lib.metrics.recovered import BOUNDED
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.metrics.wording import hundredths, interval_text, points
from lib.report.names import arm_text, pool_text

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
    "best length": "with each set at its best length",
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
# Where an arm's best length lies on the grid of those that were tried.
EDGES = {"longest": "more steps might be better", "shortest": "fewer steps might be better"}
MOST_CASES = 3  # that a sentence names: readings that disagree, arms at the edge


def disagreement_sentence(of_pools: pd.DataFrame) -> str:
    """Name the pools and sizes whose verdict depends on the reading; "" where there is none.

    Args:
        of_pools: gains of pools over the real images alone, in every reading.
    """
    differing, total = [], 0
    several = of_pools["pool"].nunique() > 1
    for (pool, size), rows in of_pools.groupby(["pool", "n_real"], sort=True):
        # A single reading has nothing to disagree with.
        total += len(rows) > 1
        if rows["verdict"].nunique() > 1:
            name = f"With {pool_text(pool)} beside" if several else "Beside"
            differing.append(f"{name} {size:,} real images it is {_said(rows)}.")
    if not differing:
        return ""

    # The first cases in full.
    more = len(differing) - MOST_CASES
    cases = [*differing[:MOST_CASES], f"So it is in {more} more."] if more > 0 else differing
    return (
        f"In {len(differing)} of {total} cases the verdict depends on how the length of training "
        f"is made equal. {' '.join(cases)}"
    )


def differing_readings(rows: pd.DataFrame) -> pd.DataFrame:
    """Take the rows whose verdict is another than that of the reading that leads.

    Args:
        rows: gains of one pool beside one number of real images, one a reading.
    """
    first = rows["reading"].map(READINGS.index).idxmin()
    return rows[rows["verdict"] != rows.loc[first, "verdict"]]


def other_readings_sentence(of_pool: pd.DataFrame) -> str:
    """Say in short which verdicts on one pool other readings than the first give; "" for none.

    Args:
        of_pool: its gains over the real images alone, in every reading.
    """
    # Beside each number of real images, what differs from the reading that leads.
    said = {}
    for size, rows in of_pool.groupby("n_real", sort=True):
        for row in differing_readings(rows).itertuples():
            effect = f"{SAID[row.verdict]} beside {size:,} ({points(row.difference)} points)"
            said.setdefault(IN_READING[row.reading], []).append(effect)
    if not said:
        return ""
    readings = "; ".join(f"{name} {', '.join(texts)}" for name, texts in said.items())
    return f"How the length of training is made equal matters: {readings}."


def agreement_sentence(of_pools: pd.DataFrame) -> str:
    """Say that all readings agree; "" where they do not, or where there is but one.

    Args:
        of_pools: as in `disagreement_sentence`.
    """
    # Cases with several readings, all of one verdict.
    cases = of_pools.groupby(["pool", "n_real"])
    several = int((cases.size() > 1).sum())
    if not several or (cases["verdict"].nunique() > 1).any():
        return ""
    return f"All readings give the same verdict in {several} of {several} cases."


def gain_sentence(row: dict, worth: dict | None, unit: str, *, alone: bool = True) -> str:
    """Say what a pool brings beside one number of real images, and what real images would.

    Args:
        row: of `gains.gain_table`.
        worth: its row of `recovered.recovered_table`, None where there is none.
        unit: what the repetitions are: draws or seeds.
        alone: whether the sentence stands alone: names the pool, how many of its images were added,
            and the test images.
    """
    # Effect, verdict, evidence.
    added, evidence = "they", basis_text(row, unit)
    if alone:
        added = f"{row['added']:,.0f} generated ones ({pool_text(row['pool'])})"
        evidence = evidence_text(row, unit)
    effect = f"{points(row['difference'])} points, from {100 * row['reference_score']:.1f}%"
    text = f"Beside {row['n_real']:,} real images, {added} change accuracy by {effect}"
    text += f": {SAID[row['verdict']]} ({evidence})."

    # The ceiling, and the share of it; beside all images none are held back.
    if worth is None:
        unknown = " What as many real images would change is not known: none are held back."
        return text + (unknown if alone else "")
    ceiling = f" As many real images would change it by {points(worth['ceiling'])} points"
    return f"{text}{ceiling}: one generated image is worth {worth_text(worth)}."


def copies_sentence(row: dict, unit: str) -> str:
    """Say what the images of a pool bring beyond copies of the same number and class counts."""
    effect = f"{points(row['difference'])} points: {SAID[row['verdict']]}"
    beside = f"Compared with class-matched copies of {row['n_real']:,} real images"
    return f"{beside}, they change accuracy by {effect} ({basis_text(row, unit)})."


def same_images_sentence(rows: list[dict], unit: str) -> str:
    """Say what pools bring whose generators learnt from the same real images alone.

    Args:
        rows: of `gains.gain_table`, one for each number of real images, fewest first.
        unit: what the repetitions are.
    """
    gains = [
        f"{points(row['difference'])} points beside {row['n_real']:,} ({interval_text(row)}; "
        f"{row['n_seeds']:.0f} {unit}): {SAID[row['verdict']]}"
        for row in rows
    ]
    known = "As many images of a generator that learnt from the same real images alone"
    return f"{known} change accuracy by {', and by '.join(gains)}."


def bound_sentence(fewest: dict, most: dict) -> str:
    """Say what a pool brings whose generator knew more faces than one has.

    Args:
        fewest, most: its rows of `gains.gain_table` beside the fewest and the most real images.
    """
    gains = [
        f"{points(row['difference'])} points beside {row['n_real']:,} ({interval_text(row)}): "
        f"{SAID[row['verdict']]}"
        for row in (fewest, most)
    ]
    known = "as many images of a generator that learnt from all real images"
    return f"An upper bound: {known} change accuracy by {gains[0]}, and by {gains[1]}."


def crossing_sentence(row: dict, unit: str) -> str:
    """Say from how many real images on a pool brings nothing any more.

    Args:
        row: of `crossing.crossing_table`.
        unit: what the repetitions are: draws or seeds.
    """
    basis = f"{IN_READING[row['reading']]}; {draws_text(row['draws'], unit)}"
    pool, shown = pool_text(row["pool"]), f"{row['shown_up_to']:,}"

    # Its help ends within the sizes that were tried, fades, lasts or was never there.
    if row["outcome"] == CROSSES:
        found = f"The help of {pool} ends at about {end_text(row).removesuffix(')')}"
        return f"{found}; {basis}); it is shown up to {shown} real ones."
    if row["outcome"] == FADES:
        found = f"The help of {pool} is shown up to {shown} real images"
        return (
            f"{found}; from {rounded(row['low'])} on neither help nor its end is shown ({basis})."
        )
    if row["outcome"] == LASTS:
        most = f"{row['largest']:,} real images, the most that were tried"
        return f"{pool} help even beside {most}: where that ends is not known ({basis})."
    sizes = f"{row['sizes']} numbers of real images, {row['smallest']:,} to {row['largest']:,}"
    return f"No help of {pool} is shown beside any of {sizes} ({basis})."


def limits_sentence(rows: pd.DataFrame) -> str:
    """Say what none of the sentences says.

    Args:
        rows: of `gains.gain_table`.
    """
    network = rows["classifier"].iloc[0]
    return (
        f"These are accuracies of one network (named {network}) on one data set and say nothing "
        "about other networks, generators or amounts."
    )


def edge_sentences(rows: pd.DataFrame) -> list[str]:
    """Say for which arms the best length is the longest or the shortest that was tried.

    Args:
        rows: of `lengths.length_choice`.
    """
    sentences = []
    # The fewer-steps control has the length of another arm.
    chosen = rows[rows["kind"] != "fewer_steps"]
    for edge, meaning in EDGES.items():
        names = [arm_text(arm_of(row)) for row in chosen[chosen["edge"] == edge].to_dict("records")]
        if names:
            # A few are named; more stand in the table.
            count = f"{len(names)} of {len(chosen)} arms"
            few = len(names) <= MOST_CASES
            listed = "; ".join(names) if few else "the table of lengths marks them"
            sentences.append(
                f"The {edge} training tried is best for {count}, so {meaning}: {listed}."
            )
    return sentences


def evidence_text(row: dict, unit: str) -> str:
    """Write what an effect rests on: interval, reading, repetitions, test images."""
    copies = " without copies in training" if "leakfree" in row["scoring"] else ""
    return f"{basis_text(row, unit)}, {row['n_images']:,.0f} test images{copies}"


def basis_text(row: dict, unit: str) -> str:
    """Write interval, reading and repetitions of an effect."""
    return f"{interval_text(row)}; {IN_READING[row['reading']]}; {row['n_seeds']:.0f} {unit}"


def worth_text(row: dict) -> str:
    """Write a recovered fraction with its interval, or that it has none."""
    # An unbounded interval has no ends to print.
    value = f"{hundredths(row['recovered'])} real ones"
    if row["interval"] != BOUNDED:
        return f"{value}, with no bound: the gain of real images itself is not shown"
    return f"{value} (95% interval {hundredths(row['low'])} to {hundredths(row['high'])})"


def end_text(row: dict) -> str:
    """Write where help ends: "1,300 real images (95% interval 800 to 2,900)"."""
    low, high = rounded(row["low"]), rounded(row["high"])
    return f"{rounded(row['crossing'])} real images (95% interval {low} to {high})"


def draws_text(draws: str, unit: str) -> str:
    """Write the repetitions of a curve: "6 draws", or "6 to 10 draws" where numbers differ.

    Args:
        draws: of `crossing.crossing_table`: "287: 6; 718: 4".
        unit: what the repetitions are: draws or seeds.
    """
    counts = [int(part.split(": ")[1]) for part in draws.split("; ")]
    least, most = min(counts), max(counts)
    return f"{least} {unit}" if least == most else f"{least} to {most} {unit}"


def rounded(size: float) -> str:
    """Write a number of images with two digits: interpolated ones are no more exact."""
    return f"{float(f'{size:.2g}'):,.0f}"


def row_of(table: pd.DataFrame, like: dict, columns: Sequence[str]) -> dict | None:
    """Find the row of a table that agrees with another row in some columns; None for none."""
    for name in columns:
        table = table[table[name] == like[name]]
    return table.iloc[0].to_dict() if len(table) else None


def over_alone(rows: pd.DataFrame) -> pd.DataFrame:
    """Take the gains of pools over the real images alone."""
    return rows[(rows["kind"] == "supplement") & (rows["against"] == ALONE)]


def _said(rows: pd.DataFrame) -> str:
    """Write the verdict of the leading reading, and of those that differ from it."""
    # Readings in their order, of those that were trained.
    by_reading = rows.set_index("reading")
    order = [reading for reading in READINGS if reading in by_reading.index]
    verdicts = by_reading["verdict"]
    said = [
        f"“{verdicts[reading]}” {IN_READING[reading]} "
        f"({points(by_reading.loc[reading, 'difference'])})"
        for reading in order
        if reading == order[0] or verdicts[reading] != verdicts[order[0]]
    ]
    return ", but ".join(said)
