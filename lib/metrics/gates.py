"""What stops or flags a study before anyone draws a conclusion: permuted labels, results under chance or above the ceiling."""

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError

PERMUTATION_GAIN = (
    0.07  # swapping two of seven classes costs a judge of 50 % about 0.13 of balanced agreement; confusion alone less than 0.05
)
PERMUTATION_P = 0.001 / 5040  # the best of 7! permutations was looked for


def label_permutation(labels: np.ndarray, judged: np.ndarray) -> dict[str, str]:
    """Find the renaming of a pool's classes that agrees best with a judge trained on real faces.

    Args:
        labels: int64 (N,), the pool's labels.
        judged: int64 (N,), the judge's classes of the same images.
    Returns:
        Name in the pool to name by the judge, only where they differ and the evidence is strong; empty where labels fit.
    """
    k = len(CLASSES)
    counts = np.bincount(labels * k + judged, minlength=k * k).reshape(k, k)
    agreement = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    _, best = linear_sum_assignment(-agreement)
    moved = best != np.arange(k)
    gain = (agreement[np.arange(k), best] - agreement.diagonal()).sum() / max((counts.sum(1) > 0).sum(), 1)
    renamed, kept = counts[moved, best[moved]].sum(), counts.diagonal()[moved].sum()
    if gain < PERMUTATION_GAIN or binomtest(int(renamed), int(renamed + kept), alternative="greater").pvalue > PERMUTATION_P:
        return {}
    return {CLASSES[i]: CLASSES[best[i]] for i in np.flatnonzero(moved)}


def require_labels_in_order(pool: str, labels: np.ndarray, judged: np.ndarray) -> None:
    """Stop the study where a pool's class names look permuted.

    Raises:
        StudyError: naming the pool and the permutation.
    """
    renamed = label_permutation(labels, judged)
    if renamed:
        pairs = ", ".join(f"{pool_name!r} looks like {judge_name!r}" for pool_name, judge_name in renamed.items())
        raise StudyError(
            f"the labels of pool {pool} look permuted: {pairs}. Labels travel by name: mend the class order of its generator or its folder "
            "names (protocols: class orders), then make the pool again"
        )


def flags(accuracy: float, labels: np.ndarray, *, ceiling: float = 1.0) -> list[str]:
    """Name what makes an accuracy suspicious.

    Args:
        accuracy: of one arm, 0 to 1.
        labels: int64 (N,) of the test images.
        ceiling: what copies of the same image agree on; no honest result lies above it.
    """
    chance = np.bincount(labels).max() / len(labels)
    found = [f"under chance ({100 * chance:.1f} %, the largest class)"] if accuracy < chance else []
    return found + ([f"above what copies agree on ({100 * ceiling:.1f} %)"] if accuracy > ceiling else [])


def copies_agreement(labels: np.ndarray, clusters: np.ndarray) -> tuple[float, int]:
    """Measure how often two copies of the same image carry the same label, and in how many pairs; NaN where there are no copies.

    Args:
        labels: int64 (N,).
        clusters: int64 (N,), equal for copies.
    """
    together = np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(together)
    pairs = (sizes * (sizes - 1) / 2).sum()
    k = int(labels.max()) + 1
    same = np.bincount(together * k + labels)
    return (float((same * (same - 1) / 2).sum() / pairs) if pairs else float("nan")), int(pairs)


def judge_pools(pools: dict[str, FaceSet], said: dict[str, np.ndarray], facts: dict) -> pd.DataFrame:
    """Measure how far each pool's labels agree with a judge trained on real faces.

    Args:
        said: the judge's class probabilities of each pool's images, float (N, 7).
        facts: of the judge; accuracy_test is what it reaches on real faces.
    Returns:
        One row a pool: pool, n, agreement, lowest_class, lowest_agreement, judge_on_real, renamed (empty where labels fit).
    """
    rows = []
    for name, pool in pools.items():
        right = said[name].argmax(1) == pool.labels
        by_class = pd.Series(right).groupby(pool.table["class"].to_numpy()).mean()
        renamed = label_permutation(pool.labels, said[name].argmax(1))
        rows.append({
            "pool": name, "n": len(pool), "agreement": float(right.mean()), "lowest_class": by_class.idxmin(),
            "lowest_agreement": float(by_class.min()), "judge_on_real": facts["accuracy_test"], "renamed": str(renamed or ""),
        })  # fmt: skip
    return pd.DataFrame(rows)


def check_arms(levels: pd.DataFrame, faces: FaceSet) -> list[str]:
    """Flag every arm whose accuracy lies under chance or above what copies of one image agree on.

    Args:
        levels: columns arm, classifier, value.
        faces: all real faces; their column cluster names copies.
    """
    test = faces.split("test").labels
    ceiling = copies_agreement(faces.labels, faces.table["cluster"].to_numpy())[0] if "cluster" in faces.table else np.nan
    ceiling = 1.0 if np.isnan(ceiling) else ceiling
    rows = levels.to_dict("records")
    return [f"{row['arm']} ({row['classifier']}): {flag}" for row in rows for flag in flags(row["value"], test, ceiling=ceiling)]
