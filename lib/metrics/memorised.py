"""Memorisation: do generated images lie nearer to training images than unseen real images do?

Features are float (N, D); `features_of` is by space and name as in lib.metrics.pools.
"""

import numpy as np
import pandas as pd

from lib.compute.neighbours import memorisation, neighbour_distances
from lib.curation.intervals import wilson
from lib.metrics.pools import Extracted


def not_leaked(table: pd.DataFrame) -> np.ndarray:
    """Find the held-out images that have no copy in training, bool (N,).

    Args:
        table: of a face set; without a column leaked copies were not looked for, and all count.
    """
    # Notebook 10 marks copies where it looked for them.
    if "leaked" not in table:
        return np.ones(len(table), bool)
    return ~table["leaked"].to_numpy(bool)


def memorised(
    train: np.ndarray, held_out: np.ndarray, synth: np.ndarray, *, quantile: float = 0.01
) -> dict[str, float]:
    """Compare how near generated and unseen real images lie to their nearest training image.

    Args:
        train: float (N, D).
        held_out: float (M, D), real images that no generator saw.
        synth: float (L, D).
        quantile: of the real images' distances, up to which an image counts as a copy.

    Returns:
        share (of synthetic images that count as copies; `quantile` is what unseen real images
        give), low and high (its 95% Wilson interval; the threshold is taken as known), threshold,
        median_ratio (median distance of synthetic over real; far under 1 is memorisation), n.
    """
    # How near do real images lie that nobody can have memorised?
    real_gap = neighbour_distances(held_out, train, 1)[:, 0]
    synth_gap = neighbour_distances(synth, train, 1)[:, 0]
    compared = memorisation(synth_gap, real_gap, quantile=quantile)

    # The share of copies, with the sampling error of the images.
    share, low, high = wilson(int(compared.copies.sum()), len(synth_gap))
    return {
        "share": share,
        "low": low,
        "high": high,
        "threshold": compared.threshold,
        "median_ratio": compared.median_ratio,
        "n": len(synth_gap),
    }


def memorised_pools(
    train: dict[str, np.ndarray], features_of: Extracted, held_out: pd.DataFrame
) -> pd.DataFrame:
    """Look for memorised training images in every pool and space.

    The row "real" measures one half of the real images by the scale of the other half.

    Args:
        train: features float (N, D) of the real training images by space.
        features_of: by space and name, "real" among the names.
        held_out: table of the held-out real faces; where it has a column leaked, images with a copy
            in training are left out, for they would make copies look usual.

    Returns:
        Columns space, pool, and those of `memorised`.
    """
    rows = []
    for space, sets in features_of.items():
        # The scale: real images that nothing has been trained on, nor a copy of them.
        real = sets["real"][0][not_leaked(held_out)]
        for name, (features, _) in sets.items():
            # Pools are measured by the scale of all real images, real images by that of one half.
            scale = real
            if name == "real":
                scale, features = real[::2], real[1::2]
            row = {"space": space, "pool": name}
            rows.append(row | memorised(train[space], scale, features))
    return pd.DataFrame(rows)
