"""Cross-dataset evaluation: a classifier's accuracy on any labelled pictures, class by class."""

import threading
from pathlib import Path

import numpy as np
import pandas as pd

from lib.application.detection import S1, make_detector
from lib.application.drawing import crop
from lib.application.network import Network
from lib.curation.intervals import wilson
from lib.faces.faceset import FaceSet
from lib.faces.pictures import middle_square, to_square
from lib.faces.sources import read_images

BATCH = 256  # pictures that are classified at once


def read_labelled(
    path: Path,
    *,
    px: int,
    classes: tuple[str, ...],
    find_faces: bool = False,
    margin_share: float = 0.0,
) -> FaceSet:
    """Read labelled pictures of any size and source, whatever their split.

    Other classes and damaged pictures are left out, and what was taken for what is printed.

    Args:
        path: what lib.faces.sources.read_images takes: a folder, zip, CSV or Parquet.
        px: side of the result, pixels.
        classes: those that the classifier tells apart; known aliases of them are understood.
        find_faces: cut the largest face out of each picture, with S1's detector; a picture without
            one is taken whole.
        margin_share: widening of the face's box on each side, as the application cuts it.

    Raises:
        StudyError: nothing there, or no pictures of these classes.
    """
    cut = None
    if find_faces:
        detectors = threading.local()  # OpenCV's detectors hold state: one a thread

        def cut(grey: np.ndarray) -> np.ndarray:
            if not hasattr(detectors, "detect"):
                detectors.detect = make_detector(S1)
            return _face_of(grey, detectors.detect, px, margin_share)

    faces = read_images(
        Path(path), px=px, classes=classes, strict=False, cut=cut, skip_damaged=True
    )
    return faces.with_columns(split="test")


def class_accuracy(network: Network, faces: FaceSet) -> pd.DataFrame:
    """Give a network's accuracy on the faces of each class.

    Args:
        network: classifier.
        faces: labelled, of the network's size.

    Returns:
        One row a class that occurs and one for all: class, accuracy, low, high (95% Wilson), n,
        most often taken for (where the network is wrong).
    """
    # Predict in batches.
    starts = range(0, len(faces), BATCH)
    parts = [network.classify(faces.images[i : i + BATCH]).argmax(1) for i in starts]
    predicted = np.array(network.classes)[np.concatenate(parts)]
    true = faces.table["class"].to_numpy()

    rows = []
    for name in [*(c for c in faces.classes if (true == c).any()), "all"]:
        # Accuracy on this class, or on all.
        chosen = (true == name) | (name == "all")
        correct = predicted[chosen] == true[chosen]
        accuracy, low, high = wilson(int(correct.sum()), len(correct))

        # What the network takes its images for, where it is wrong.
        wrong = pd.Series(predicted[chosen][~correct])
        confusion = wrong.mode().iloc[0] if len(wrong) else ""
        rows.append((name, accuracy, low, high, len(correct), confusion))
    columns = ["class", "accuracy", "low", "high", "n", "most often taken for"]
    return pd.DataFrame(rows, columns=columns)


def _face_of(grey: np.ndarray, detect, px: int, margin_share: float) -> np.ndarray:
    """Cut the largest detected face out of a picture, or take it whole; uint8 (px, px)."""
    # Detect, and take the widest box.
    boxes = detect(grey, np.zeros((0, 4)))
    largest = max(boxes, key=lambda box: box[2], default=None)
    if largest is None:
        return to_square(middle_square(grey), px)
    return crop(grey, largest, px=px, margin_share=margin_share)
