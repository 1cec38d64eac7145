"""The instrument on cases whose answer is known: what each distance says of them, and whether what must see them does."""

import cv2
import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet
from lib.metrics.distances import BLOCK, all_distances, draw, kernel_distance, squared_distances
from lib.metrics.pools import clean_rows, memorised, real_halves
from lib.study.errors import StudyError

VOTERS = 5
# case: the measure that must see it
SEEN_BY = {"real": "recall", "shifted": "fd", "collapsed": "recall", "memorised": "memorised", "mislabelled": "kd_class"}
WORDS = {
    "real": "other real faces", "shifted": "real faces, 40 grey levels brighter and blurred", "collapsed": "ten real faces repeated",
    "memorised": "training faces with a little grain", "mislabelled": "real faces with shuffled labels",
}  # fmt: skip


def known_cases(spaces: dict, train: FaceSet, held: FaceSet, *, n: int, seed: int) -> pd.DataFrame:
    """Measure sets whose answer is known in every space, before anything is believed of a pool.

    Args:
        spaces: by name, a function of uint8 (N, H, W) images to features.
        train: real training faces; held: real faces that no network of the study has seen; those with a copy in training are left out.
        n: images a side.
    Returns:
        One row a space and case: fd, kd, precision, recall, density, coverage, vendi, kd_class (mean kernel distance by class), labels
        (share of images whose nearest real faces carry their label), memorised (share nearer to a training face than 1 % of real ones are),
        seen_by (the measure that must see the case) and seen.
    """
    held = held.select(clean_rows(held.table))
    reference, other = real_halves(len(held), n, seed)
    cases = case_images(train, held.select(other), seed=seed)
    rows = []
    for space, extract in spaces.items():
        real, learnt = (extract(held.images[reference]), held.labels[reference]), extract(train.images)
        found = {name: _measures(real, (extract(images), labels), learnt, seed) for name, (images, labels) in cases.items()}
        for name, row in found.items():
            rows.append({"space": space, "case": WORDS[name]} | row | {"seen_by": SEEN_BY[name], "seen": _seen(name, found)})
    return pd.DataFrame(rows)


def require_seen(cases: pd.DataFrame) -> list[str]:
    """Name the cases that a space does not see, as sentences.

    Raises:
        StudyError: a case that no space sees: then nothing may be concluded about that fault in a pool.
    """
    for case, rows in cases.groupby("case", sort=False):
        if not rows["seen"].any():
            raise StudyError(f"no feature space sees {case!r} by {rows['seen_by'].iloc[0]}: raise distance_images or instrument_steps")
    return [f"{row.space} does not see {row.case} by {row.seen_by}" for row in cases[~cases["seen"]].itertuples()]


def case_images(train: FaceSet, real: FaceSet, *, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Make the known cases from real faces: (images uint8 (N, H, W), labels int64 (N,)) by name."""
    rng = np.random.default_rng(seed)
    n, images, labels = len(real), real.images, real.labels
    first = rng.permutation(n)[:10]
    copies = rng.permutation(len(train))[:n]
    grain = rng.normal(0, 2, (len(copies), *images.shape[1:]))
    return {
        "real": (images, labels),
        "shifted": (np.stack([cv2.GaussianBlur(cv2.add(image, 40), (0, 0), 1.0) for image in images]), labels),
        "collapsed": (images[first[np.arange(n) % len(first)]], labels[first[np.arange(n) % len(first)]]),
        "memorised": (np.clip(train.images[copies] + grain, 0, 255).astype(np.uint8), train.labels[copies]),
        "mislabelled": (images, rng.permutation(labels)),
    }


def label_agreement(real: tuple[np.ndarray, np.ndarray], synth: tuple[np.ndarray, np.ndarray]) -> float:
    """Measure the share of images whose label is the most frequent one among their five nearest real faces."""
    features, labels = real
    said = np.empty(len(synth[0]), np.int64)
    for rows, squared in squared_distances(synth[0], features, BLOCK):
        near = labels[np.argpartition(squared, VOTERS, axis=1)[:, :VOTERS]]
        said[rows] = [np.bincount(votes).argmax() for votes in near]
    return float((said == synth[1]).mean())


def class_kernel_distance(real: tuple[np.ndarray, np.ndarray], synth: tuple[np.ndarray, np.ndarray], *, seed: int) -> float:
    """Average the kernel distance over the classes that hold at least two images on both sides."""
    found = []
    for c in np.unique(real[1]):
        mine, theirs = (features[labels == c] for features, labels in (real, synth))
        size = min(len(mine), len(theirs))
        if size >= 2:
            found.append(kernel_distance(draw(mine, size, seed), draw(theirs, size, seed), seed=seed)["kd"])
    return float(np.mean(found)) if found else float("nan")


def _measures(real: tuple, synth: tuple, learnt: np.ndarray, seed: int) -> dict[str, float]:
    size = min(len(real[0]), len(synth[0]))
    row = all_distances(real[0][:size], synth[0][:size], seed=seed)
    row |= {"kd_class": class_kernel_distance(real, synth, seed=seed), "labels": label_agreement(real, synth)}
    return row | {"memorised": memorised(learnt, real[0], synth[0])["share"]}


def _seen(case: str, found: dict[str, dict]) -> bool:
    own, real = found[case], found["real"]
    return bool({
        "real": own["memorised"] < 0.1 and own["recall"] > 0.4 and own["coverage"] > 0.7,
        "shifted": own["fd"] > 2 * real["fd"],
        "collapsed": own["recall"] < real["recall"] / 2,
        "memorised": own["memorised"] > 0.2,
        "mislabelled": own["kd_class"] > 2 * abs(real["kd_class"]) and own["labels"] < real["labels"],
    }[case])  # fmt: skip
