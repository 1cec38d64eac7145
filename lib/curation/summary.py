"""What curation did to a pool, in tables: counts by step, shares by class."""

from pathlib import Path

import pandas as pd

from lib.curation.bias import strongest_bias
from lib.curation.intervals import wilson
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.pool import decide
from lib.study.records import atomic_write

COPIES = ("leak", "memorised")  # steps whose rejections look like real images


def step_summary(pool: FaceSet, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count what each step judged and rejected.

    Returns:
        Table with step, judged, rejected, share (of the judged), and the commonest reason.
    """
    rows = []
    for step, part in verdicts.groupby("step", sort=False):
        gone = part[~part["keep"]]
        rows.append(
            {
                "step": step,
                "judged": len(part),
                "rejected": len(gone),
                "share": len(gone) / len(part),
                "reason": _common_reason(gone["reason"]),
            }
        )
    decided = decide(verdicts, pool.table["id"].tolist())
    gone = int((~decided["keep"]).sum())
    rows.append({"step": "all", "judged": len(pool), "rejected": gone, "share": gone / max(len(pool), 1), "reason": ""})
    return pd.DataFrame(rows)


def _common_reason(reasons: pd.Series) -> str:
    """Give the commonest reason; where they differ by ids and numbers, without those."""
    if reasons.nunique() > 1:
        reasons = reasons.str.replace(r"\b\S*\d\S*", "…", regex=True)
    return reasons.mode().get(0, "")


def class_shift(pool: FaceSet, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Show how rejection shifts the class distribution.

    Returns:
        Table by class: before and after (share of the pool), kept (share of the class that stays) with its 95 % Wilson interval, n.
    """
    keep = decide(verdicts, pool.table["id"].tolist())["keep"].to_numpy()
    labels, rows = pool.table["class"].to_numpy(), []
    for name in CLASSES:
        own = labels == name
        kept, n = int(keep[own].sum()), int(own.sum())
        share, low, high = wilson(kept, n)
        rows.append(
            {
                "class": name,
                "n": n,
                "before": n / max(len(pool), 1),
                "after": kept / max(keep.sum(), 1),
                "kept": share,
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def hidden(kind: str, steps: list[str]) -> tuple[str, ...]:
    """List the steps whose images a report beside photographs does not show: copies of photographs, and all of an edited photograph.

    Args:
        kind: what the pool's images are; "photographs" where they were made from some.
        steps: of the chain.
    """
    return tuple(steps) if kind == "photographs" else COPIES


def rejected_sample(pool: FaceSet, verdicts: pd.DataFrame, *, n: int, without: tuple[str, ...] = ()) -> pd.DataFrame:
    """Pick rejected images for a sheet, spread over the reasons in turn.

    Args:
        pool: its images.
        verdicts: long table of verdicts.
        n: how many.
        without: steps whose rejections are not shown: copies of photographs are photographs.

    Returns:
        Table with position (row of the pool), step, reason, score; at most n rows.
    """
    gone = verdicts[~verdicts["keep"]].drop_duplicates("id")
    gone = gone[~gone["step"].isin(without)].copy()
    gone["position"] = pd.Index(pool.table["id"]).get_indexer(gone["id"])
    gone["turn"] = gone.groupby("step").cumcount()
    return gone.sort_values(["turn", "position"]).head(n)[["position", "step", "reason", "score"]].reset_index(drop=True)


def findings(
    pool: str, generated: FaceSet, verdicts: pd.DataFrame, shift: pd.DataFrame, biases: pd.DataFrame, quality: pd.DataFrame
) -> list[str]:
    """Say in sentences what curation found.

    Args:
        pool: name of the pool.
        generated: its images.
        verdicts: long table of verdicts.
        shift: table of class_shift.
        biases: table of bias_table for the detector alone.
        quality: table of step_quality.
    """
    steps = step_summary(generated, verdicts).set_index("step")
    share, low, high = wilson(int(steps.loc["all", "rejected"]), len(generated))
    main = steps.drop("all")["rejected"]
    lines = [
        f"{pool}: {steps.loc['all', 'rejected']} of {len(generated)} images rejected, {share:.1%} (95 % interval {low:.1%} to {high:.1%})"
    ]
    if main.sum():
        lines.append(f"most of them by the step {main.idxmax()} ({main.max()} images)")
    clean = quality[(quality["step"] == "face") & (quality["measure"] == "clean images rejected")]
    if len(clean) and (biases["attribute"] == "class").any():
        pool_part = biases[biases["attribute"] == "class"]
        row = clean.iloc[0]
        lines.append(f"the detector finds no face in {pool_part['rejected'].sum() / pool_part['n'].sum():.1%} of the pool, and in "
                     f"{row['share']:.1%} of " f"clean real images ({row['low']:.1%} to {row['high']:.1%}, n {row['n']})")  # fmt: skip
    seen = shift.dropna(subset="kept")
    if len(seen):
        worst, best = seen.loc[seen["kept"].idxmin()], seen.loc[seen["kept"].idxmax()]
        apart = "the filter favours classes" if worst["high"] < best["low"] else "no class is favoured that these numbers could show"
        lines.append(f"kept by class: {worst['class']} {worst['kept']:.1%} to {best['class']} {best['kept']:.1%}; {apart}")
    for row in strongest_bias(biases[biases["attribute"] != "class"]).head(3).itertuples(index=False):
        rejected = f"{row.highest} is rejected in {row.highest_share:.1%}, {row.lowest} in {row.lowest_share:.1%}"
        lines.append(f"the detector's bias: {row.attribute} {rejected}")
    lowest = quality[quality["measure"].str.startswith("recall")].sort_values("share").head(1)
    lines += [
        f"weakest step: {row['step']} has a {row['measure']} of {row['share']:.0%} ({row['low']:.0%} to {row['high']:.0%}, n {row['n']})"
        for _, row in lowest.iterrows()
    ]
    return lines


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> list[Path]:
    """Write tables as CSV, one file each, and return their paths."""
    paths = []
    for name, data in tables.items():
        paths.append(Path(folder) / f"{name}.csv")
        with atomic_write(paths[-1], "w") as file:
            data.to_csv(file, index=False, lineterminator="\n")
    return paths
