"""Memorisation: generated images that lie nearer to a training image than unseen real images do."""

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.metrics.distances import neighbour_distances


def memorised(train: np.ndarray, held_out: np.ndarray, synth: np.ndarray, *, quantile: float = 0.01) -> dict[str, float]:
    """Compare how near generated images lie to their nearest training image with how near unseen real images do.

    Args:
        train, held_out, synth: float (N, D) features; held_out are real images that no generator saw.
        quantile: of the real images' distances, under which an image counts as a copy.
    Returns:
        share (of synthetic images under the threshold; `quantile` is what unseen real images give), low, high (95 % Wilson interval, of the
        images of synth; the threshold is taken as known), threshold, median_ratio (median distance of synthetic over real; far under 1 is
        memorisation), n.
    """
    real_gap = neighbour_distances(held_out, train, 1)[:, 0]
    synth_gap = neighbour_distances(synth, train, 1)[:, 0]
    threshold = float(np.quantile(real_gap, quantile))
    share, low, high = wilson(int((synth_gap < threshold).sum()), len(synth_gap))
    ratio = float(np.median(synth_gap) / max(np.median(real_gap), 1e-12))
    return {"share": share, "low": low, "high": high, "threshold": threshold, "median_ratio": ratio, "n": len(synth_gap)}


def memorised_pools(train: dict[str, np.ndarray], found: dict) -> pd.DataFrame:
    """Look for memorised training images in every pool and space; the row `real` asks one half of the real images by the other's scale.

    Args:
        train: features of the real training images by space.
        found: of `spaces.extract_all`; "real" are held-out real faces.
    Returns:
        Columns space, pool, and those of `memorised`.
    """
    rows = []
    for space, sets in found.items():
        held = sets["real"][0]
        for name, (features, _) in sets.items():
            scale, asked = (held[::2], held[1::2]) if name == "real" else (held, features)
            rows.append({"space": space, "pool": name} | memorised(train[space], scale, asked))
    return pd.DataFrame(rows)
