"""A person's decisions about a pool: a CSV (id, decision, class, note, image) that is read at each run and wins over every step.

decision is keep, reject or relabel; class is the new class of a relabelled image; note is free text; image is a hash of the pixels that the
person saw, so that no decision falls on another image of the same name when the pool is made anew. All but id and decision may be missing.
"""

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.pool import curation_folder
from lib.study.errors import StudyError
from lib.study.records import atomic_write

COLUMNS = ("id", "decision", "class", "note", "image")
DECISIONS = ("keep", "reject", "relabel")
HIGH_IS_BAD = ("exposure", "exact_copy", "near_copy", "leak")  # steps that reject high scores; the others reject low ones


def review_path(folder: Path, review_csv: str = "") -> Path:
    """Locate the decisions: the file that the parameter review_csv names, else review.csv beside the verdicts.

    Args:
        folder: the pool's folder.
        review_csv: the parameter.
    """
    return Path(review_csv).expanduser() if review_csv else curation_folder(folder) / "review.csv"


def read_review(path: Path, pool: FaceSet) -> pd.DataFrame:
    """Read the decisions about a pool.

    Args:
        path: CSV with COLUMNS; no such file means no decision.
        pool: the images that the decisions are about.

    Returns:
        Verdicts (id, keep, score, reason, relabel), one per decided image; decisions about images that have changed are left out, and a
        line says how many.

    Raises:
        StudyError: not such a CSV, an unknown id, decision or class, or rows that contradict each other; names file and line.
    """
    rows = _read_rows(Path(path))
    known = dict(zip(pool.table["id"], pool.images, strict=True))
    decided, changed = {}, set()
    for line, row in enumerate(rows.itertuples(index=False), start=2):
        where = f"{path}, line {line}"
        if row.id not in known:
            missing = int((~rows["id"].isin(known)).sum())
            raise StudyError(
                f"{where}: no image {row.id!r} in this pool ({missing} of {len(rows)} ids are unknown); is it the review of another pool?"
            )
        if row.decision not in DECISIONS:
            raise StudyError(f"{where}: decision {row.decision!r}; give {', '.join(DECISIONS)}")
        if row.decision == "relabel" and row.label not in CLASSES:
            raise StudyError(f"{where}: relabel to {row.label!r}; classes are {', '.join(CLASSES)}")
        if row.image and row.image != picture_hash(known[row.id]):
            changed.add(row.id)
            continue
        new = (row.decision, row.label if row.decision == "relabel" else "")
        if decided.setdefault(row.id, (new, row.note))[0] != new:
            raise StudyError(
                f"{where}: image {row.id!r} is decided twice and differently ({decided[row.id][0][0]}, {row.decision}); keep one of the "
                f"rows"
            )
    if changed:
        print(f"{path}: {len(changed)} decisions do not count, their images have changed since; review them again (first: {min(changed)})")
    table = pd.DataFrame(
        [(key, *new, note) for key, (new, note) in decided.items()], columns=["id", "decision", "relabel", "note"], dtype=object
    )
    table["keep"] = table["decision"] != "reject"
    table["score"] = np.nan
    table["reason"] = np.where(table["keep"], "", "a person rejected it" + table["note"].map(lambda text: f": {text}" if text else ""))
    return table[["id", "keep", "score", "reason", "relabel"]]


def _read_rows(path: Path) -> pd.DataFrame:
    """Read the CSV as text, whatever it holds."""
    if not path.exists() or path.stat().st_size == 0:
        return pd.DataFrame(columns=["id", "decision", "label", "note", "image"])
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):  # rows longer than the header
            rows = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
    except (ValueError, UnicodeDecodeError, pd.errors.ParserWarning) as error:
        raise StudyError(f"{path}: cannot be read as CSV ({error}); it needs the columns {', '.join(COLUMNS)}") from None
    if not {"id", "decision"} <= set(rows.columns):
        raise StudyError(f"{path}: columns {', '.join(map(str, rows.columns))}; it needs {', '.join(COLUMNS)}")
    rows = rows.rename(columns={"class": "label"}).reindex(columns=["id", "decision", "label", "note", "image"], fill_value="")
    return rows.apply(lambda column: column.str.strip())


def picture_hash(image: np.ndarray) -> str:
    """Hash the pixels of an image, uint8 (H, W), to 12 hex digits."""
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=6).hexdigest()


def write_review(path: Path, history: list[tuple]) -> None:
    """Write decisions; of several about one image the last holds.

    Args:
        path: the CSV.
        history: (id, decision, class, note, image) in the order in which they were made.
    """
    latest = {row[0]: row for row in history}
    with atomic_write(path, "w") as file:
        file.write(pd.DataFrame(list(latest.values()), columns=list(COLUMNS)).to_csv(index=False, lineterminator="\n"))


def review_history(path: Path) -> list[tuple]:
    """Read the decisions back as (id, decision, class, note, image), to go on where a person stopped."""
    return list(_read_rows(Path(path)).itertuples(index=False, name=None))


def least_sure(pool: FaceSet, verdicts: pd.DataFrame, *, n: int) -> pd.DataFrame:
    """Find the images about which the steps are least sure: those whose score lies nearest to the border between kept and rejected.

    Nearness is counted in ranks within each step, so that steps with different units compare.

    Args:
        pool: the images.
        verdicts: long table of verdicts.
        n: images to return at most.

    Returns:
        Rows of the verdicts with the image's position in the pool, least sure first, each image once.
    """
    parts = []
    for step, part in verdicts[verdicts["score"].notna()].groupby("step", sort=False):
        badness = part["score"].rank(method="average", ascending=step in HIGH_IS_BAD)
        border = (part["keep"]).sum() + 0.5
        parts.append(part.assign(distance=(badness - border).abs()))
    if not parts:
        return verdicts.head(0).assign(position=0)
    nearest = pd.concat(parts).sort_values("distance", kind="stable").drop_duplicates("id").head(n).drop(columns="distance")
    return nearest.assign(position=pd.Index(pool.table["id"]).get_indexer(nearest["id"])).reset_index(drop=True)


def png_bytes(image: np.ndarray, *, side: int = 288) -> bytes:
    """Enlarge an image in whole steps and encode it as PNG.

    Args:
        image: uint8 (H, W).
        side: wanted height, pixels.
    """
    from PIL import Image

    times = max(1, side // image.shape[0])
    file = io.BytesIO()
    Image.fromarray(image.repeat(times, axis=0).repeat(times, axis=1)).save(file, format="png")
    return file.getvalue()
