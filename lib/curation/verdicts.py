"""What a curation step returns: a table with one row an image (id, keep, score, reason, relabel)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet


def verdict_table(
    faces: FaceSet, keep: np.ndarray, score: np.ndarray, reason: str | Sequence[str], relabel: Sequence[str] | None = None
) -> pd.DataFrame:
    """Build the table of a step.

    Args:
        faces: the images that the step looked at.
        keep: bool (N,).
        score: float (N,), what the verdict follows from; its direction is the step's own.
        reason: why the rejected images go, one text for all or one per image; kept images get "".
        relabel: new class per image, "" where the label stays.
    """
    keep = np.asarray(keep, dtype=bool)
    reasons = np.full(len(faces), reason, dtype=object) if isinstance(reason, str) else np.asarray(reason, dtype=object)
    return pd.DataFrame(
        {
            "id": faces.table["id"].to_numpy(),
            "keep": keep,
            "score": np.asarray(score, dtype=np.float64),
            "reason": np.where(keep, "", reasons),
            "relabel": np.full(len(faces), "", dtype=object) if relabel is None else np.asarray(relabel, dtype=object),
        }
    )
