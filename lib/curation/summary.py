"""What curation did to a pool, in tables and sentences: counts by step, shares by class."""

import pandas as pd

from lib.curation.bias import strongest_bias
from lib.curation.injected_faults import COST, RECALL
from lib.curation.intervals import wilson
from lib.curation.verdicts import applies
from lib.faces.faceset import FaceSet
from lib.faces.kinds import kind_of_images
from lib.faces.pool import REVIEW, decide
from lib.report.names import in_words

COPIES = ("leak", "memorised")  # steps whose rejected images look like real ones
ALL = "all"  # the row of step_summary over the whole chain
NOT_APPLICABLE = "does not apply: the images are no faces"
BIASES_NAMED = 3  # strongest biases that the findings name


def step_summary(pool: FaceSet, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count what each step examined and rejected.

    Args:
        pool: all synthetic images.
        verdicts: long table of verdicts.

    Returns:
        Columns step, examined, rejected, share (of the examined), reason (the most common, or
        that the step does not apply), one row a step, and one named "all".
    """
    # One row a step; "all NaN" marks a step that does not apply, or a person.
    rows = []
    for step, part in verdicts.groupby("step", sort=False):
        rejected = part[~part["keep"]]
        reason = _common_reason(rejected["reason"])
        if step != REVIEW and not applies(part):
            reason = NOT_APPLICABLE
        rows.append((step, len(part), len(rejected), len(rejected) / len(part), reason))

    # Steps overlap where a person overrules them, so the total is counted from the decisions.
    decided = decide(verdicts, pool.table["id"].tolist())
    total = int((~decided["keep"]).sum())
    rows.append((ALL, len(pool), total, total / max(len(pool), 1), ""))
    return pd.DataFrame(rows, columns=["step", "examined", "rejected", "share", "reason"])


def class_shift(pool: FaceSet, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Measure how rejection shifts the class distribution.

    Returns:
        Columns class, n, before and after (share of the pool), kept (share of the class that
        stays), low, high (95% Wilson interval of kept).
    """
    # The decisions, person included, by the label that was generated.
    keep = decide(verdicts, pool.table["id"].tolist())["keep"].to_numpy()
    labels = pool.table["class"].to_numpy()
    rows = []
    for name in pool.classes:
        of_class = labels == name
        n = int(of_class.sum())
        kept = int(keep[of_class].sum())
        before = n / max(len(pool), 1)
        after = kept / max(keep.sum(), 1)
        rows.append((name, n, before, after, *wilson(kept, n)))
    return pd.DataFrame(rows, columns=["class", "n", "before", "after", "kept", "low", "high"])


def hidden_steps(
    pool: FaceSet, real: FaceSet, steps: list[str], *, show_photographs: bool
) -> tuple[str, ...]:
    """List the steps whose images a report does not show, for they may show a real person.

    Args:
        pool: the synthetic images.
        real: the real images of the study.
        steps: of the chain.
        show_photographs: whether the reader may see photographs.

    Returns:
        No step where no photograph exists or photographs may be shown; all steps where the pool
        was edited from photographs; otherwise those that find copies of real images.
    """
    # Nothing to hide.
    if show_photographs or kind_of_images(real.table) != "photographs":
        return ()

    # An edited photograph still shows the person; a generated image only where it is a copy.
    edited = kind_of_images(pool.table) == "photographs"
    return tuple(steps) if edited else COPIES


def rejected_sample(
    pool: FaceSet, verdicts: pd.DataFrame, *, n: int, without: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Pick rejected images for a sheet, the steps in turn.

    Args:
        pool: its images.
        verdicts: long table of verdicts.
        n: images, at most.
        without: steps whose rejected images are left out, see hidden_steps.

    Returns:
        Columns position (row of the pool), step, reason, score.
    """
    # The first rejection of each image, where it may be shown.
    rejected = verdicts[~verdicts["keep"]].drop_duplicates("id")
    rejected = rejected[~rejected["step"].isin(without)]
    rejected = rejected.assign(
        position=pd.Index(pool.table["id"]).get_indexer(rejected["id"]),
        # The first image of every step, then the second of every step, and so on.
        turn=rejected.groupby("step").cumcount(),
    )
    first = rejected.sort_values(["turn", "position"]).head(n)
    return first[["position", "step", "reason", "score"]].reset_index(drop=True)


def findings(
    pool: str,
    generated: FaceSet,
    verdicts: pd.DataFrame,
    shift: pd.DataFrame,
    biases: pd.DataFrame,
    quality: pd.DataFrame,
) -> list[str]:
    """State in sentences what curation found.

    Args:
        pool: name of the pool.
        generated: its images.
        verdicts: long table of verdicts.
        shift: table of class_shift.
        biases: table of bias_table, of the detector alone.
        quality: table of step_quality.
    """
    # From the whole to the parts.
    sentences = _rejection_sentences(pool, step_summary(generated, verdicts))
    sentences += _detector_sentences(biases, quality)
    sentences += _class_sentences(shift)
    sentences += _bias_sentences(biases)
    return sentences + _weakest_step_sentences(quality)


def _common_reason(reasons: pd.Series) -> str:
    """Find the most common reason; where they differ, without the ids and numbers in them."""
    # "near-copy of p7, likeness 0.991" becomes "near-copy of …, likeness …".
    if reasons.nunique() > 1:
        reasons = reasons.str.replace(r"\b\S*\d\S*", "…", regex=True)
    return reasons.mode().get(0, "")


def _rejection_sentences(pool: str, summary: pd.DataFrame) -> list[str]:
    """State how many images were rejected, and by which step most."""
    # The share of the pool, with its interval.
    table = summary.set_index("step")
    rejected, n = int(table.loc[ALL, "rejected"]), int(table.loc[ALL, "examined"])
    share, low, high = wilson(rejected, n)
    interval = f"95% interval {low:.1%} to {high:.1%}"
    sentences = [f"{pool}: {rejected:,} of {n:,} images rejected, {share:.1%} ({interval})"]

    # Which step did most, and which did nothing.
    by_step = table.drop(ALL)["rejected"]
    if by_step.sum():
        most = in_words(by_step.idxmax())
        sentences.append(f"most of them by the step “{most}” ({by_step.max():,} images)")
    unused = table.index[table["reason"] == NOT_APPLICABLE]
    sentences += [f"the step “{in_words(step)}” {NOT_APPLICABLE}" for step in unused]
    return sentences


def _detector_sentences(biases: pd.DataFrame, quality: pd.DataFrame) -> list[str]:
    """Compare how often the detector fails on the pool and on clean real images."""
    clean = quality[(quality["step"] == "face") & (quality["measure"] == COST)]
    by_class = biases[biases["attribute"] == "class"]
    if clean.empty or by_class.empty:
        return []
    # The classes together are the pool.
    share = by_class["rejected"].sum() / by_class["n"].sum()
    row = clean.iloc[0]
    interval = f"{row['low']:.1%} to {row['high']:.1%}, n {row['n']}"
    return [
        f"the detector finds no face in {share:.1%} of the pool, and in {row['share']:.1%} of "
        f"clean real images ({interval})"
    ]


def _class_sentences(shift: pd.DataFrame) -> list[str]:
    """State which classes the filter keeps least and most, and whether the intervals overlap.

    Args:
        shift: table of class_shift.
    """
    counted = shift.dropna(subset="kept")
    if counted.empty:
        return []
    worst = counted.loc[counted["kept"].idxmin()]
    best = counted.loc[counted["kept"].idxmax()]

    # Overlapping intervals prove nothing.
    verdict = "their intervals overlap, so no class is shown to be favoured"
    if worst["high"] < best["low"]:
        verdict = "the filter favours classes"
    span = f"{worst['class']} {worst['kept']:.1%} to {best['class']} {best['kept']:.1%}"
    return [f"kept by class: {span}; {verdict}"]


def _bias_sentences(biases: pd.DataFrame) -> list[str]:
    """Name the detector's strongest biases, apart from those by class."""
    # The class is a reader's first question and has a sentence of its own.
    strongest = strongest_bias(biases[biases["attribute"] != "class"]).head(BIASES_NAMED)
    sentences = []
    for row in strongest.itertuples(index=False):
        highest = f"{row.highest_share:.1%} are rejected where it is {row.highest}"
        lowest = f"{row.lowest_share:.1%} where it is {row.lowest}"
        sentences.append(f"the detector's bias by {in_words(row.attribute)}: {highest}, {lowest}")
    return sentences


def _weakest_step_sentences(quality: pd.DataFrame) -> list[str]:
    """Name the step and the fault with the lowest recall."""
    recalls = quality[quality["measure"] == RECALL].sort_values("share")
    sentences = []
    for row in recalls.head(1).itertuples():
        interval = f"{row.low:.0%} to {row.high:.0%}, n {row.n}"
        sentences.append(
            f"weakest step: “{in_words(row.step)}” finds {row.share:.0%} of the injected faults "
            f"“{row.fault}” ({interval})"
        )
    return sentences
