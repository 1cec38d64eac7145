"""Pools compared with real images in feature space: whether a classifier can separate them."""

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.embedding.maps import reduce_features
from lib.metrics.map_quality import class_separation, mixing
from lib.metrics.pools import draw_like
from lib.metrics.twosample import two_sample
from lib.report.names import pool_text
from lib.study.errors import StudyError

# What a two-sample test of two real halves may find: an interval that reaches into this range.
CHANCE_RANGE = (0.45, 0.55)


def compare_in_spaces(
    features_of: dict[str, dict[str, np.ndarray]],
    labels: dict[str, np.ndarray],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every pool with held-out real images in several feature spaces.

    Args:
        features_of: float (N, D) by space and source.
        labels: int64 (N,) by source.
        seed: governs which images are compared.

    Returns:
        Column space, and those of `compare_pools`.
    """
    tables = []
    for space, features in features_of.items():
        # The space comes first in the table.
        table = compare_pools(features, labels, seed=seed)
        table.insert(0, "space", space)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def compare_pools(
    features: dict[str, np.ndarray], labels: dict[str, np.ndarray], *, seed: int = 0
) -> pd.DataFrame:
    """Compare every pool with held-out real images in feature space, at the real class shares.

    Args:
        features: float (N, D) by source; "real" is one of them.
        labels: int64 (N,) by source.
        seed: governs which images are compared.

    Returns:
        One row a source ("real" compares two real halves): source, accuracy (held-out, of a
        classifier of source against real images), low, high (95% Wilson), n (images of both),
        mixing (of neighbourhoods), separation (silhouette of the classes).
    """
    # A pool is compared with all real images, one half of these with the other.
    order = np.random.default_rng(seed).permutation(len(features["real"]))
    half = len(order) // 2
    rows = []
    for name, of_source in features.items():
        reference, compared = order, order[half:]
        if name == "real":
            reference = order[:half]
        else:
            compared = draw_like(labels[name], labels["real"], len(order), seed)

        # The two sides of the comparison.
        real, synth = features["real"][reference], of_source[compared]

        # Both sides of one size, joined on the axes of both.
        n = min(len(real), len(synth))
        joint = reduce_features(np.concatenate([real[:n], synth[:n]]), seed=seed)
        test = two_sample(real, synth, seed=seed)

        # The interval is that of a share: held-out images named correctly.
        images = 2 * test["n"]
        accuracy, low, high = wilson(round(test["accuracy"] * images), images)
        row = {"source": name, "accuracy": accuracy, "low": low, "high": high, "n": images}

        # How far neighbourhoods and classes lie apart, beside the test.
        row["mixing"] = mixing(joint, np.repeat([False, True], n))
        rows.append(row | {"separation": class_separation(of_source, labels[name], seed=seed)})
    return pd.DataFrame(rows)


def require_halves_alike(compared: pd.DataFrame) -> str:
    """Check that two halves of the real images are not separable, and state their accuracy.

    Args:
        compared: of `compare_pools`.

    Raises:
        StudyError: the interval of the row "real" lies outside of CHANCE_RANGE.
    """
    # An interval that reaches into the range allows for chance.
    row = compared.set_index("source").loc["real"]
    lowest, highest = CHANCE_RANGE
    if row["low"] >= highest or row["high"] <= lowest:
        raise StudyError(
            f"embedding: two halves of the real images are separable ({row['accuracy']:.3f}); look "
            "for copies or an order in the test images"
        )

    # A sentence for the page.
    interval = f"95% interval {row['low']:.1%} to {row['high']:.1%}"
    halves = "two halves of the real images are told apart in"
    return f"{halves} {row['accuracy']:.1%} of cases ({interval}, n = {row['n']:.0f})"


def separability_sentences(compared: pd.DataFrame) -> list[str]:
    """Write one sentence for each pool: whether it is separable from real images.

    It is separable if its interval lies above that of two halves of the real images.

    Args:
        compared: of `compare_pools`.
    """
    # The baseline: two halves of the real images.
    chance = compared.set_index("source").loc["real"]

    # One sentence a pool, in the order of the pools.
    sentences = []
    for row in compared[compared["source"] != "real"].itertuples():
        # A pool is separable if its interval lies above the baseline's.
        separable = row.low > chance["high"]
        verdict = "separable from real images" if separable else "not separable from real images"
        sentences.append(
            f"{pool_text(row.source)}: {verdict} ({row.accuracy:.1%}, "
            f"{row.low:.1%} to {row.high:.1%}, n = {row.n}; two real halves give "
            f"{chance['accuracy']:.1%})."
        )
    return sentences
