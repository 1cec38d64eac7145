"""What is wrong with a labelled data set, from the command line.

    python -m lib.faces.audit PATH [--html PAGE] [--csv LIST]

PATH is whatever the studies read: folders or a zip of them, CSV, Parquet, metadata beside
pictures; splits are looked at where there are some.
"""

import argparse
import contextlib
import html
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.audit import class_counts
from lib.faces.audit_words import BLANK, BROKEN, CONFLICT, DUPLICATE, LEAK, NEAR, conclusion
from lib.faces.duplicates import blank_images, exact_groups, near_groups
from lib.faces.faceset import FaceSet
from lib.faces.sources import read_everything
from lib.study.errors import StudyError
from lib.study.records import atomic_write, write_csv

# Grey levels by which thumbnails of near-copies differ at most, as near_copy_distance.
NEAR_COPY = 6.0
PX = 48  # side at which images are compared, pixels
LEFT_OUT = "left out: "  # how the reader's lines about files that do not read begin
LIST = "the table below"  # of the files, on a page
PAGE_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:right;"
    "border-bottom:1px solid #ccc}td:first-child,th:first-child{text-align:left}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}"
)


@dataclass(frozen=True)
class Audit:
    """What was found."""

    counts: pd.DataFrame  # images by class and split
    findings: pd.DataFrame  # measure, number
    # file, split, class, what (lib.faces.audit_words), of (the file that it repeats), group: one
    # row an image and fault
    files: pd.DataFrame
    said: list[str]  # what the reader announced

    @property
    def splits(self) -> list[str]:
        """The splits that have images."""
        return self.counts.columns.drop("class").tolist()


def audit(path: str) -> Audit:
    """Look through a labelled data set.

    Args:
        path: of the data set.

    Raises:
        StudyError: nothing there that could be read.
    """
    # The reader announces what it leaves out; broken files are part of the audit.
    lines = io.StringIO()
    with contextlib.redirect_stdout(lines):
        faces = read_everything(path, px=PX)
    said = lines.getvalue().splitlines()
    broken = [line.removeprefix(LEFT_OUT) for line in said if line.startswith(LEFT_OUT)]

    # Groups of copies, and what they mean.
    exact, groups = exact_groups(faces.images), near_groups(faces.images, NEAR_COPY)
    split = faces.table["split"].to_numpy(str)
    labels = faces.table["class"]
    blank = blank_images(faces.images)
    conflicting = labels.groupby(exact).transform("nunique").to_numpy() > 1
    within = _repeated(exact, split)
    measures = {
        "images": len(faces),
        "files that do not read": len(broken),
        "blank images": int(blank.sum()),
        "different images": len(np.unique(exact)),
        "different images, near-copies counted once": len(np.unique(groups)),
        "duplicates: identical to another image of their split": int(within.sum()),
        "images identical to one of another class": int(conflicting.sum()),
    }
    found = {BLANK: blank, DUPLICATE: within, CONFLICT: conflicting}
    measures, found = _across_splits(faces, exact, groups, measures, found)
    table = pd.DataFrame({"measure": list(measures), "number": list(measures.values())})
    broken = [line.replace(f"{Path(path)}/", "") for line in broken]
    repeated = _repeated_files(faces, exact, groups)
    files = _file_rows(faces, found, exact, broken, repeated)
    return Audit(class_counts(faces), table, files, said)


def leak_score(faces: FaceSet, groups: np.ndarray) -> tuple[float, float]:
    """Score a table of the training images that knows nothing else.

    A held-out image gets the most frequent label of its copies in training, an image without a
    copy the most frequent label of all.

    Returns:
        The accuracy of the table, and of the most frequent label alone.
    """
    # What the training images say of each group.
    labels, train = faces.labels, faces.table["split"].eq("train").to_numpy()
    most = np.bincount(labels[train]).argmax()
    known = pd.Series(labels[train]).groupby(groups[train]).agg(lambda own: own.mode().iloc[0])
    held = ~train
    answers = pd.Series(groups[held]).map(known).fillna(most).to_numpy()
    return float((answers == labels[held]).mean()), float((labels[held] == most).mean())


def main(arguments: list[str] | None = None) -> int:
    """Audit the data set that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.faces.audit",
        description="Copies, conflicting labels, blank and broken pictures of a labelled data set.",
    )
    parser.add_argument("path", help="folder, zip, CSV or Parquet")
    parser.add_argument("--html", type=Path, help="write a page, too")
    parser.add_argument("--csv", type=Path, help="write the list of the files, too")
    options = parser.parse_args(arguments)

    # The text always; a page and a list where they are asked for.
    try:
        found = audit(options.path)
        print(text_of(found))
        print("\n" + "\n".join(conclusion(found.files, found.splits, str(options.csv or ""))))
        if options.html:
            with atomic_write(options.html, "w") as file:
                file.write(page_of(found, Path(options.path).name))
        if options.csv:
            write_csv(options.csv, found.files)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def text_of(found: Audit) -> str:
    """Write an audit for a terminal."""
    # What was left out, then the counts, then the findings.
    parts = [line for line in found.said if not line.startswith(LEFT_OUT)]
    parts.append(found.counts.to_string(index=False))
    width = found.findings["measure"].str.len().max()
    for measure, number in found.findings.itertuples(index=False):
        parts.append(f"{measure:<{width}}  {_number(number)}")
    return "\n".join(parts)


def page_of(found: Audit, name: str) -> str:
    """Write an audit as a page that needs nothing else; it shows no image."""
    title = html.escape(f"Audit of {name}")
    # Tables alone: a photograph may show anybody.
    findings = found.findings.assign(number=found.findings["number"].map(_number))
    tables = [table.to_html(index=False, border=0) for table in (found.counts, findings)]
    lines = [f"<p>{html.escape(line)}</p>" for line in conclusion(found.files, found.splits, LIST)]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{PAGE_STYLE}</style><h1>{title}</h1>{''.join(lines + tables)}"
        f"<h2>Files</h2>{found.files.to_html(index=False, border=0)}</html>\n"
    )


def _across_splits(
    faces: FaceSet, exact: np.ndarray, groups: np.ndarray, measures: dict, found: dict
) -> tuple[dict, dict]:
    """Add what copies across splits are and what they would buy; nothing without a split."""
    # Without two splits there is nothing to leak.
    train = faces.table["split"].eq("train").to_numpy()
    if train.all() or not train.any():
        return measures, found
    leaked = ~train & np.isin(exact, exact[train])
    near = ~train & np.isin(groups, groups[train])
    score, guess = leak_score(faces, groups)
    more = {
        "held-out images that are copies of training images": int(leaked.sum()),
        "held-out images that are copies or nearly copies": int(near.sum()),
        "accuracy of answering from these copies alone": score,
        "accuracy of always saying the most frequent class": guess,
    }
    marks = {LEAK: leaked, NEAR: near & ~leaked}
    return measures | more, found | marks


def _repeated(exact: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Find the images that are identical to an earlier one of their split, bool (N,)."""
    return pd.DataFrame({"group": exact, "split": split}).duplicated().to_numpy()


def _repeated_files(faces: FaceSet, exact: np.ndarray, groups: np.ndarray) -> dict[str, np.ndarray]:
    """Name for each image the file that it repeats, by fault: the first one of its group that the
    fault is about.

    Args:
        faces: N images.
        exact: int64 (N,), of identical images.
        groups: int64 (N,), of near-copies.
    """
    table = faces.table
    names = faces.names()
    train = names.where(table["split"].eq("train"))

    # Of another class: the first image of the group, or else the first that is not of its class.
    first = names.groupby(exact).transform("first")
    own = table["class"].groupby(exact).transform("first").eq(table["class"])
    other = names.mask(own).groupby(exact).transform("first")
    return {
        DUPLICATE: names.groupby([exact, table["split"].to_numpy(str)]).transform("first"),
        CONFLICT: other.where(own, first),
        LEAK: train.groupby(exact).transform("first"),
        NEAR: train.groupby(groups).transform("first"),
    }


def _file_rows(
    faces: FaceSet,
    found: dict[str, np.ndarray],
    exact: np.ndarray,
    broken: list[str],
    repeated: dict[str, pd.Series],
) -> pd.DataFrame:
    """List every image with a fault, and the files that do not read."""
    # An image may have several faults.
    table = faces.table
    whole = pd.DataFrame({"file": faces.names(), "split": table["split"]})
    whole = whole.assign(group=exact, **{"class": table["class"]})
    parts = []
    for what, mask in found.items():
        of = repeated.get(what, pd.Series("", index=whole.index))
        parts.append(whole.assign(what=what, of=of)[mask])
    parts.append(pd.DataFrame({"file": broken, "split": "", "what": BROKEN, "of": ""}))
    columns = ["file", "split", "class", "what", "of", "group"]
    return pd.concat(parts, ignore_index=True)[columns]


def _number(value: float) -> str:
    """Write a count, or a share of 1 as a percentage."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.1%}"
