"""What images added to a number of real ones bring, in everyday words printed from the tables.

Every sentence names its reading, the number of draws and of test images, and the last one what none
of them says. Where the readings disagree, that comes first.
"""

import pandas as pd

from lib.faces.arms import REAL_SHARES
from lib.metrics.amounts import ALONE, BEST, DUPLICATES, READINGS, UNKNOWN
from lib.metrics.crossing import CROSSES, FADES, LASTS
from lib.metrics.evidence import of_first_classifier
from lib.metrics.recovered import BOUNDED
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS
from lib.metrics.wording import VERBS, interval_text, points

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
    "equal real passes": "at as many passes over the real images",
}
NOTHING = (
    "This study has no arms of numbers of real images: it does not ask how many there must be."
)
DESIGN = ["pool", "added", "class_shares"]  # what a line of the figure is about

ADVICE_COLUMNS = (
    "real images",
    "accuracy alone, %",
    "best pool",
    "its gain, points",
    "copies by class, points",
    "as many real images, points",
    "what to do",
)


def headline_gains(gains: pd.DataFrame) -> pd.DataFrame:
    """Choose what sentences and the first figure are about: accuracy of the study's first network in
    the first scoring; of every pool one amount, in the class shares of the real images where these
    were trained, at most sizes, and the largest of several.

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
    supplements = rows[rows["control_of"] == ""]
    counted = supplements.groupby(DESIGN, sort=False)["n_real"].nunique().reset_index(name="sizes")
    counted = counted.assign(real_shares=counted["class_shares"] == REAL_SHARES)
    order = ["real_shares", "sizes", "added"]
    chosen = counted.sort_values(order, ascending=False, kind="stable").drop_duplicates("pool")
    designs = set(chosen[DESIGN].itertuples(index=False, name=None))

    # Controls of real images belong to every pool of their amount.
    amounts = {(added, shares) for _, added, shares in designs}
    kept = []
    for row in rows.to_dict("records"):
        own, amount = tuple(row[name] for name in DESIGN), (row["added"], row["class_shares"])
        is_extra = row["kind"] == "extra" and row["added"] in {added for added, _ in amounts}
        kept.append(own in designs or is_extra or (row["pool"] == "" and amount in amounts))
    return rows[kept]


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


def advice_table(gains: pd.DataFrame) -> pd.DataFrame:
    """Say for every number of real images what a person with as many should do, by these verdicts.

    Args:
        gains: of `amounts.gain_table`.

    Returns:
        Columns ADVICE_COLUMNS.
    """
    shown = headline_gains(gains)
    shown = shown[shown["reading"] == BEST]
    rows = []
    for size, of_size in shown.groupby("n_real"):
        # Against the real images alone: pools, copies and as many real images.
        alone = of_size[of_size["against"] == ALONE]
        pools = alone[alone["control_of"] == ""].sort_values("difference", ascending=False)
        copies, real = (alone[alone["kind"] == kind] for kind in ("duplicate", "extra"))
        if not len(pools):
            continue
        beyond = of_size[(of_size["against"] == DUPLICATES) & (of_size["verdict"] == HELPS)]
        best = pools.iloc[0]
        row = (size, 100 * best["reference_score"], best["pool"], points(best["difference"]))
        row += (
            _best_points(copies),
            _best_points(real),
            _advice(pools, copies, set(beyond["pool"])),
        )
        rows.append(row)
    return pd.DataFrame(rows, columns=ADVICE_COLUMNS)


def _advice(pools: pd.DataFrame, copies: pd.DataFrame, beyond: set[str]) -> str:
    """Turn the verdicts at one number of real images into advice.

    Args:
        pools, copies: their gains over the real images alone, the best first.
        beyond: the pools that are shown to bring more than copies.
    """
    helping = pools[pools["verdict"] == HELPS]["pool"].tolist()
    copies_help = (copies["verdict"] == HELPS).any()
    better = [pool for pool in helping if pool in beyond]
    if better:
        return f"add {better[0]}: it brings more than copies of the real images do"
    if helping and copies_help:
        return "repeat the real images by class: no pool is shown to bring more than that"
    if helping:
        return f"add {helping[0]}; that copies would not do as well is not shown"
    if copies_help:
        return "repeat the real images by class: no pool is shown to help"

    # No gain is shown.
    if (pools["verdict"] == HURTS).all():
        return "add nothing: every pool hurts"
    if pools["verdict"].isin([HURTS, EQUIVALENT]).all():
        return "add nothing: no pool makes a difference for the better that matters"
    return "add nothing on this evidence: no gain is shown"


def _best_points(rows: pd.DataFrame) -> str:
    """Write the largest difference of some rows, with its verdict; "" for none."""
    if not len(rows):
        return ""
    best = rows.loc[rows["difference"].idxmax()]
    return f"{points(best['difference'])} ({best['verdict']})"


def _disagreements(of_pools: pd.DataFrame) -> list[str]:
    """Name the pools and sizes whose verdict depends on the reading."""
    differing, total = [], 0
    for (size, pool), rows in of_pools.groupby(["n_real", "pool"], sort=True):
        if rows["reading"].nunique() < 2:
            continue
        total += 1
        if rows["verdict"].nunique() > 1:
            ordered = rows.set_index("reading").reindex(READINGS).dropna(subset="difference")
            said = [
                f"{row.verdict} {IN_READING[row.Index]} ({points(row.difference)})"
                for row in ordered.itertuples()
            ]
            differing.append(f"{pool} beside {size:,} real images: {', '.join(said)}")
    if differing:
        return [
            f"The readings disagree in {len(differing)} of {total} cases: {'; '.join(differing)}."
        ]
    return [f"All readings give the same verdict in {total} of {total} cases."] if total else []


def _gain_sentence(row: dict, worth: dict | None, unit: str) -> str:
    """Say what a pool brings beside one number of real images, and what real images would."""
    added = f"{row['added']:,.0f} images of {row['pool']}"
    knew = KNOWLEDGE.get(row["knowledge"], row["knowledge"])
    effect = f"{points(row['difference'])} points of accuracy ({_evidence(row, unit)})"
    text = f"Beside {row['n_real']:,} real images {added} ({knew}) make {effect}"
    text += f"; the verdict is: {VERBS[row['verdict']][0]}."
    if worth is None:
        return f"{text} How much as many real images would make is not known: none are held back."
    ceiling = f" As many real images would make {points(worth['ceiling'])}"
    return f"{text}{ceiling}, so one of these is worth {_worth_text(worth)}."


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
    beside = f"Beside {row['n_real']:,} real images {row['pool']}"
    verdict = VERBS[row["verdict"]][0]
    return f"{beside} makes {effect} against as many class-matched copies of them: it {verdict}."


def _crossing_sentence(row: dict, unit: str) -> str:
    """Say from how many real images on a pool brings nothing any more."""
    reading = f"{IN_READING[row['reading']]}, {row['n_seeds']} {unit} or more a size, "
    reading += f"{row['n_images']:,} test images"
    pool, within = row["pool"], f"{row['smallest']:,} to {row['largest']:,} real images"
    if row["outcome"] == CROSSES:
        text = f"{pool} stops to help at about {_rounded(row['crossing'])} real images"
        return (
            f"{text} (the 95 % interval contains no gain from {_rounded(row['low'])} to "
            f"{_rounded(row['high'])}; {reading})."
        )
    if row["outcome"] == FADES:
        text = f"The help of {pool} is shown up to {row['shown_up_to']:,} real images and fades"
        return (
            f"{text}: from {_rounded(row['low'])} on no gain is shown, and none is excluded "
            f"({reading})."
        )
    if row["outcome"] == LASTS:
        return (
            f"{pool} helps beside as many as {row['largest']:,} real images, the most that were "
            f"tried: where it stops is not known ({reading})."
        )
    return (
        f"No help of {pool} is shown beside any of {row['sizes']} numbers of real images, "
        f"{within} ({reading})."
    )


def _evidence(row: dict, unit: str) -> str:
    """Write what an effect rests on: interval, repetitions, test images, reading."""
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


def _row_of(recovered: pd.DataFrame, gain: dict) -> dict | None:
    """Find the recovered fraction of a gain."""
    for name in ("arm", "classifier", "reading", "scoring", "metric"):
        recovered = recovered[recovered[name] == gain[name]]
    return recovered.iloc[0].to_dict() if len(recovered) else None
