"""The measures on sets whose answer is known, before anything is believed of a pool.

Each case is made of real faces and has one fault. A measure that should detect the fault is named
beforehand, and a fault that no feature space detects stops the study.
"""

import cv2
import numpy as np
import pandas as pd

from lib.compute.neighbours import squared_distances
from lib.faces.faceset import FaceSet
from lib.metrics.distances import all_distances, draw_rows, kernel_distance
from lib.metrics.memorised import memorised, not_leaked
from lib.metrics.pools import real_halves
from lib.metrics.spaces import Extract
from lib.report.columns import column
from lib.report.names import in_words
from lib.study.errors import StudyError

NEIGHBOURS = 5  # nearest real faces that vote on a label
FEW_FACES = 10  # different faces of the collapsed set
BRIGHTER = 40  # grey levels of the shifted set
GRAIN_SD = 2  # grey levels of the noise on memorised faces

# By case, the measure that must detect it.
DETECTED_BY = {
    "real": "recall",
    "shifted": "fd",
    "collapsed": "recall",
    "memorised": "memorised",
    "mislabelled": "kd_class",
}
DESCRIPTIONS = {
    "real": "other real faces",
    "shifted": "real faces, 40 grey levels brighter and blurred",
    "collapsed": "ten real faces repeated",
    "memorised": "training faces with a little grain",
    "mislabelled": "real faces with shuffled labels",
}

Labelled = tuple[np.ndarray, np.ndarray]  # features float (N, D) or images, labels int64 (N,)


def known_cases(
    spaces: dict[str, Extract], train: FaceSet, held_out: FaceSet, *, n: int, seed: int
) -> pd.DataFrame:
    """Measure sets whose answer is known, in every feature space.

    Args:
        spaces: by name.
        train: real training faces.
        held_out: real faces that no network of the study has seen; those with a copy in training
            are left out.
        n: images a side.
        seed: governs which images are taken, and the cases.

    Returns:
        One row a space and case: space, case, fd, kd, precision, recall, density, coverage, vendi,
        kd_class (mean kernel distance by class), labels (share of images whose nearest real faces
        carry their label), memorised (share nearer to a training face than 1% of real ones are),
        detected_by (the measure that must detect the case) and detected.
    """
    # A copy in training would make memorised faces look usual.
    held_out = held_out.select(not_leaked(held_out.table))
    reference, other = real_halves(len(held_out), n, seed)
    cases = case_images(train, held_out.select(other), seed=seed)

    rows = []
    for space, extract in spaces.items():
        # Measure all cases of a space, for each is read against the case of other real faces.
        real = (extract(held_out.images[reference]), held_out.labels[reference])
        learnt = extract(train.images)
        measured = {}
        for case, (images, labels) in cases.items():
            measured[case] = _measures(real, (extract(images), labels), learnt, seed)

        for case, values in measured.items():
            # Beside the numbers stands what the case must be detected by.
            row = {"space": space, "case": DESCRIPTIONS[case]} | values
            row["detected_by"] = DETECTED_BY[case]
            row["detected"] = _is_detected(case, values, measured["real"])
            rows.append(row)
    return pd.DataFrame(rows)


def require_detected(cases: pd.DataFrame) -> list[str]:
    """Name the cases that a single space does not detect, as sentences.

    Args:
        cases: of `known_cases`.

    Raises:
        StudyError: a case that no space detects: then nothing may be concluded about that fault in
            a pool.
    """
    # A fault is out of reach where no space detects it.
    for case, rows in cases.groupby("case", sort=False):
        if not rows["detected"].any():
            raise StudyError(
                f"no feature space detects {case!r} by {rows['detected_by'].iloc[0]}: raise "
                "distance_images or reference_steps"
            )

    # One space that misses a case is a remark, not a fault.
    missed = cases[~cases["detected"]]
    return [
        f"in the space of {in_words(row.space)} the measure “{column(row.detected_by).label}” does "
        f"not detect {row.case}"
        for row in missed.itertuples()
    ]


def case_images(train: FaceSet, real: FaceSet, *, seed: int) -> dict[str, Labelled]:
    """Make the known cases from real faces.

    Args:
        train: real training faces.
        real: held-out real faces; each case has as many images.
        seed: governs what is repeated, copied and shuffled.

    Returns:
        By case, images uint8 (N, H, W) and labels int64 (N,).
    """
    rng = np.random.default_rng(seed)
    n, images, labels = len(real), real.images, real.labels
    few = rng.permutation(n)[:FEW_FACES]
    copied = rng.permutation(len(train))[:n]
    grain = rng.normal(0, GRAIN_SD, (len(copied), *images.shape[1:]))

    # The faults, one a case.
    repeated = few[np.arange(n) % len(few)]
    brighter = [cv2.GaussianBlur(cv2.add(image, BRIGHTER), (0, 0), 1.0) for image in images]
    grainy = np.clip(train.images[copied] + grain, 0, 255).astype(np.uint8)
    return {
        "real": (images, labels),
        "shifted": (np.stack(brighter), labels),
        "collapsed": (images[repeated], labels[repeated]),
        "memorised": (grainy, train.labels[copied]),
        "mislabelled": (images, rng.permutation(labels)),
    }


def neighbour_label_agreement(real: Labelled, synth: Labelled) -> float:
    """Measure how often an image's label is the most frequent among its nearest real faces.

    Args:
        real: features and labels of real faces, at least 6.
        synth: features and labels of the images.

    Returns:
        The share, 0 to 1, by a vote of NEIGHBOURS faces.
    """
    features, labels = real
    voted = np.empty(len(synth[0]), np.int64)
    for rows, squared in squared_distances(synth[0], features):
        # The most frequent label of the nearest faces wins, the first of equals.
        nearest = np.argpartition(squared, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        voted[rows] = [np.bincount(votes).argmax() for votes in labels[nearest]]
    return float((voted == synth[1]).mean())


def class_kernel_distance(real: Labelled, synth: Labelled, *, seed: int) -> float:
    """Average the kernel distance over the classes.

    A class counts where it holds at least two images on both sides; NaN where none does.

    Args:
        real: features and labels.
        synth: features and labels.
        seed: governs which images are taken, equally many on both sides.
    """
    distances = []
    for c in np.unique(real[1]):
        real_features = real[0][real[1] == c]
        synth_features = synth[0][synth[1] == c]

        # The unbiased estimate needs two images a side.
        size = min(len(real_features), len(synth_features))
        if size < 2:
            continue
        pair = [draw_rows(each, size, seed) for each in (real_features, synth_features)]
        distances.append(kernel_distance(*pair, seed=seed)["kd"])
    return float(np.mean(distances)) if distances else float("nan")


def _measures(real: Labelled, synth: Labelled, learnt: np.ndarray, seed: int) -> dict[str, float]:
    """Measure one case in one space."""
    # Distances are measured at one size, labels and copies on all images.
    size = min(len(real[0]), len(synth[0]))
    values = all_distances(real[0][:size], synth[0][:size], seed=seed)
    values["kd_class"] = class_kernel_distance(real, synth, seed=seed)
    values["labels"] = neighbour_label_agreement(real, synth)
    values["memorised"] = memorised(learnt, real[0], synth[0])["share"]
    return values


def _is_detected(case: str, values: dict[str, float], real: dict[str, float]) -> bool:
    """Decide whether a case shows in its measures, `real` being those of other real faces."""
    # Other real faces must not look like copies, nor like a narrow set.
    if case == "real":
        diverse = values["recall"] > 0.4 and values["coverage"] > 0.7
        return bool(values["memorised"] < 0.1 and diverse)
    if case == "shifted":
        return bool(values["fd"] > 2 * real["fd"])
    if case == "collapsed":
        return bool(values["recall"] < real["recall"] / 2)
    if case == "memorised":
        return bool(values["memorised"] > 0.2)

    # Classes must lie further from their own than chance has it.
    far = values["kd_class"] > 2 * abs(real["kd_class"])
    return bool(far and values["labels"] < real["labels"])
