"""The table that a curation step returns: one row an image (id, keep, score, reason, relabel)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet


def verdict_table(
    faces: FaceSet,
    keep: np.ndarray,
    score: np.ndarray,
    reason: str | Sequence[str],
    relabel: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Build the table of a step.

    Args:
        faces: the N images that the step looked at.
        keep: bool (N,).
        score: float (N,), the number that decides; whether high or low is bad depends on the step.
        reason: why an image is rejected, one text for all or one an image; "" for kept images,
            whatever is given here.
        relabel: the new class of each image, "" where the label stays; None: all labels stay.

    Returns:
        Columns id, keep (bool), score (float64), reason (str), relabel (str).
    """
    # One text stands for all images; no relabelling is an empty text.
    keep = np.asarray(keep, dtype=bool)
    if isinstance(reason, str):
        reasons = np.full(len(faces), reason, dtype=object)
    else:
        reasons = np.asarray(reason, dtype=object)
    if relabel is None:
        relabel = np.full(len(faces), "", dtype=object)

    # The types do not depend on what the step gave, so that tables can be joined.
    columns = {
        "id": faces.table["id"].to_numpy(),
        "keep": keep,
        "score": np.asarray(score, dtype=np.float64),
        # A kept image has no reason to be rejected.
        "reason": np.where(keep, "", reasons),
        "relabel": np.asarray(relabel, dtype=object),
    }
    return pd.DataFrame(columns)


def does_not_apply(faces: FaceSet) -> pd.DataFrame:
    """Build the table of a step that has nothing to say about these images: it keeps them all.

    Returns:
        Verdicts with NaN as every score, by which `applies` recognises them.
    """
    # A score that is no number rejects nothing and takes no part in any ranking.
    keep = np.ones(len(faces), dtype=bool)
    return verdict_table(faces, keep, np.full(len(faces), np.nan), "")


def applies(verdicts: pd.DataFrame) -> bool:
    """Tell whether a step measured its images, given its rows of the verdicts."""
    return bool(verdicts["score"].notna().any())
