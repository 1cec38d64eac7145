"""A person's decisions about a pool: a CSV that is read at each run and overrules every step.

Columns: id; decision (keep, reject or relabel); class, the new class of a relabelled image; note,
free text; image, a hash of the pixels that the person saw, so that no decision applies to another
image of the same name when the pool is made again. Only id and decision are required.
"""

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.records import parsing, write_csv

COLUMNS = ("id", "decision", "class", "note", "image")
DECISIONS = ("keep", "reject", "relabel")
PICTURE_PX = 288  # width of the image on the page, pixels
HASH_BYTES = 6  # of the pixels' hash: 12 hex digits
# Steps that reject high scores; the others reject low ones.
HIGH_IS_BAD = ("exposure", "exact_copy", "near_copy", "leak")


def review_path(beside: Path, review_csv: str) -> Path:
    """Locate the decisions: the file that was given, or review.csv beside the verdicts.

    Args:
        beside: of `StudyPaths.review`.
        review_csv: the parameter; "" for the file beside the verdicts.
    """
    return Path(review_csv).expanduser() if review_csv else beside


def read_review(path: Path, pool: FaceSet) -> pd.DataFrame:
    """Read the decisions about a pool.

    Decisions about images that have changed are left out, and a line says how many.

    Args:
        path: CSV with COLUMNS; no such file means no decision.
        pool: the images that the decisions are about.

    Returns:
        Verdicts (id, keep, score, reason, relabel), one row a decided image.

    Raises:
        StudyError: not such a CSV, an unknown id, decision or class, or rows that contradict each
            other; names file and line.
    """
    # Check each row against the pool, and against the rows before it.
    rows = _read_rows(Path(path))
    images = dict(zip(pool.table["id"], pool.images, strict=True))
    decided = {}  # id: (decision, new class, note)
    changed = set()
    for line, row in enumerate(rows.itertuples(index=False), start=2):
        where = f"{path}, line {line}"
        if row.id not in images:
            unknown = int((~rows["id"].isin(images)).sum())
            raise StudyError(
                f"{where}: no image {row.id!r} in this pool ({unknown} of {len(rows)} ids are "
                "unknown); is it the review of another pool?"
            )
        _check_decision(row, pool.classes, where)
        # The person saw other pixels.
        if row.image and row.image != picture_hash(images[row.id]):
            changed.add(row.id)
            continue

        # The same decision twice is no conflict.
        new_class = row.label if row.decision == "relabel" else ""
        earlier = decided.setdefault(row.id, (row.decision, new_class, row.note))
        if earlier[:2] != (row.decision, new_class):
            raise StudyError(
                f"{where}: image {row.id!r} is decided twice and differently ({earlier[0]}, "
                f"{row.decision}); keep one of the rows"
            )
    if changed:
        print(
            f"{path}: {len(changed)} decisions are ignored, their images have changed since; "
            f"review them again (first: {min(changed)})"
        )
    return _verdicts(decided)


def picture_hash(image: np.ndarray) -> str:
    """Hash the pixels of an image, uint8 (H, W), to 12 hex digits."""
    pixels = np.ascontiguousarray(image).tobytes()
    return hashlib.blake2b(pixels, digest_size=HASH_BYTES).hexdigest()


def write_review(path: Path, history: list[tuple]) -> None:
    """Write decisions; of several about one image the last counts.

    Args:
        path: the CSV.
        history: (id, decision, class, note, image) in the order in which they were made.
    """
    # A later row replaces an earlier one of the same id.
    latest = {row[0]: row for row in history}
    table = pd.DataFrame(list(latest.values()), columns=list(COLUMNS))
    write_csv(path, table)


def review_history(path: Path) -> list[tuple]:
    """Read the decisions back as (id, decision, class, note, image), to continue a review."""
    return list(_read_rows(Path(path)).itertuples(index=False, name=None))


def least_sure(pool: FaceSet, verdicts: pd.DataFrame, *, n: int) -> pd.DataFrame:
    """Find the images whose score lies nearest to the border between kept and rejected.

    Nearness is counted in ranks within each step, so that steps with different units compare.

    Args:
        pool: the images.
        verdicts: long table of verdicts.
        n: images to return, at most.

    Returns:
        Rows of the verdicts with `position`, the image's row in the pool; the least sure first,
        each image once.
    """
    # Rank the images of each step that measures anything.
    parts = []
    for step, part in verdicts[verdicts["score"].notna()].groupby("step", sort=False):
        # Rank 1 is the best image; the border lies behind the last one that is kept.
        badness = part["score"].rank(method="average", ascending=step in HIGH_IS_BAD)
        border = part["keep"].sum() + 0.5
        parts.append(part.assign(distance=(badness - border).abs()))
    if not parts:
        return verdicts.head(0).assign(position=0)

    # The nearest over all steps.
    nearest = pd.concat(parts).sort_values("distance", kind="stable").drop_duplicates("id").head(n)
    position = pd.Index(pool.table["id"]).get_indexer(nearest["id"])
    return nearest.drop(columns="distance").assign(position=position).reset_index(drop=True)


def png_bytes(image: np.ndarray) -> bytes:
    """Enlarge an image, uint8 (H, W), by a whole factor to PICTURE_PX or less, as PNG."""
    from PIL import Image

    # Repeat pixels, so that the person sees those that are there.
    factor = max(1, PICTURE_PX // image.shape[0])
    enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
    file = io.BytesIO()
    Image.fromarray(enlarged).save(file, format="png")
    return file.getvalue()


def _read_rows(path: Path) -> pd.DataFrame:
    """Read the CSV as text, whatever it holds; `label` stands for class, a reserved word."""
    columns = ["label" if name == "class" else name for name in COLUMNS]
    if not path.exists() or path.stat().st_size == 0:
        return pd.DataFrame(columns=columns)
    # pandas only warns of rows that are longer than the header.
    needs = f"it needs the columns {', '.join(COLUMNS)}"
    with (
        parsing(path, needs),
        warnings.catch_warnings(action="error", category=pd.errors.ParserWarning),
    ):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)

    # Columns that a person left out are empty.
    if not {"id", "decision"} <= set(rows.columns):
        given = ", ".join(map(str, rows.columns))
        raise StudyError(f"{path}: columns {given}; it needs {', '.join(COLUMNS)}")
    rows = rows.rename(columns={"class": "label"}).reindex(columns=columns, fill_value="")
    return rows.apply(lambda column: column.str.strip())


def _check_decision(row, classes: tuple[str, ...], where: str) -> None:
    """Stop on an unknown decision or class."""
    if row.decision not in DECISIONS:
        raise StudyError(f"{where}: decision {row.decision!r}; give {', '.join(DECISIONS)}")
    if row.decision == "relabel" and row.label not in classes:
        raise StudyError(f"{where}: relabel to {row.label!r}; classes are {', '.join(classes)}")


def _verdicts(decided: dict[str, tuple[str, str, str]]) -> pd.DataFrame:
    """Write decisions (decision, new class, note) by id as verdicts."""
    # The note is a reason only where the image is rejected.
    rows = []
    for image_id, (decision, new_class, note) in decided.items():
        keep = decision != "reject"
        reason = "" if keep else "a person rejected it"
        if note and not keep:
            reason = f"{reason}: {note}"
        rows.append((image_id, keep, np.nan, reason, new_class))
    table = pd.DataFrame(rows, columns=["id", "keep", "score", "reason", "relabel"], dtype=object)
    return table.astype({"keep": bool, "score": float})
