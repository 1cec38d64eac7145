"""What a generator learns from: the study's real faces, or a folder of unlabelled face pictures.

A pool needs labels, so each picture of a folder (S3: CelebA-HQ) gets the class that the reference
classifier predicts. Those labels are no truth; how often the pool's own labels agree with the same
classifier therefore says less, and the arms that train on the pool say the rest.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet
from lib.faces.pictures import decode_grey, to_square
from lib.study.errors import StudyError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
READERS = 8  # threads that read pictures, at most


def training_faces(
    folder: str,  # of pictures, in any subfolders; "": the real faces
    px: int,  # side to which pictures are brought, pixels
    real: FaceSet,  # the study's real training faces
    classify: Callable,  # images uint8 (N, px, px) -> probabilities (N, classes) of the real faces
) -> FaceSet:
    """Choose what a generator learns from.

    Returns:
        Face set of split train; pictures have the predicted class, and its probability in the
        column predicted_probability.
    """
    if not folder:
        return real

    # Label the pictures by the classifier.
    images, files = read_pictures(Path(folder).expanduser(), px)
    probabilities = classify(images)
    columns = {
        "id": files,
        "class": [real.classes[label] for label in probabilities.argmax(1)],
        "split": "train",
        "source": Path(folder).name,
        "file": files,
        "predicted_probability": probabilities.max(1),
    }
    return FaceSet(images, pd.DataFrame(columns), real.classes)


def read_pictures(folder: Path, px: int) -> tuple[np.ndarray, list[str]]:
    """Read every picture under a folder, whatever its size: the middle square, grey, px x px.

    Returns:
        uint8 (N, px, px), and paths inside the folder.

    Raises:
        StudyError: no such folder, no pictures in it, one that does not decode.
    """
    # List the pictures.
    if not folder.is_dir():
        raise StudyError(
            f"gan_source: {folder} is no folder; give one that holds face pictures, "
            "or leave it empty"
        )
    files = _picture_files(folder)
    if not files:
        raise StudyError(f"gan_source: {folder} holds no pictures ({', '.join(PICTURES)})")

    # Read them.
    def read(file: str) -> np.ndarray:
        # Shrunk at once, so that large pictures never lie in memory together.
        image = decode_grey((folder / file).read_bytes(), f"{folder}/{file}")
        return to_square(middle_square(image), px)

    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as threads:
        images = list(threads.map(read, files))
    return np.stack(images), files


def middle_square(image: np.ndarray) -> np.ndarray:
    """Cut the middle square out of an image, uint8 (H, W)."""
    side = min(image.shape)
    # An odd rest leaves one pixel more below and to the right.
    top, left = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, left : left + side]


def _picture_files(folder: Path) -> list[str]:
    """List the pictures under a folder and its links, as sorted paths inside it."""
    files = []
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            if name.lower().endswith(PICTURES):
                files.append(Path(place, name).relative_to(folder).as_posix())
    return sorted(files)
