"""What a generator learns from: the study's real faces, or a folder of face pictures without labels, of any size (S3: CelebA-HQ).

A pool needs labels, so each picture gets the class that the reference classifier sees in it. Those labels
are no truth; how often the pool's own labels
agree with the same classifier therefore says less, and the arms that train on the pool say the rest.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.pictures import decode_grey, to_square
from lib.study.errors import StudyError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def training_faces(source: str, px: int, real: FaceSet, judge) -> FaceSet:
    """Choose what a generator learns from.

    Args:
        source: folder of pictures, in any subfolders; empty: the real faces.
        px: side to which pictures are brought, pixels.
        real: the study's real training faces.
        judge: callable(images uint8 (N, px, px)) -> float (N, 7), class probabilities.

    Returns:
        Face set of split train; pictures carry the class that the judge sees, and its probability in the column judged.
    """
    if not source:
        return real
    images, files = read_pictures(Path(source).expanduser(), px)
    probabilities = judge(images)
    table = pd.DataFrame(
        {"id": files, "class": [CLASSES[k] for k in probabilities.argmax(1)], "split": "train", "source": Path(source).name}
    )
    return FaceSet(images, table.assign(file=files, judged=probabilities.max(1)))


def read_pictures(folder: Path, px: int) -> tuple[np.ndarray, list[str]]:
    """Read every picture under a folder, whatever its size: the middle square, grey, px x px.

    Returns:
        uint8 (N, px, px), and paths inside the folder.

    Raises:
        StudyError: no such folder, no pictures in it, one that does not decode.
    """
    if not folder.is_dir():
        raise StudyError(f"gan_source: {folder} is no folder; give one that holds face pictures, or leave it empty")
    walk = os.walk(folder, followlinks=True)
    files = sorted(
        Path(place, name).relative_to(folder).as_posix() for place, _, names in walk for name in names if name.lower().endswith(PICTURES)
    )
    if not files:
        raise StudyError(f"gan_source: {folder} holds no pictures ({', '.join(PICTURES)})")
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:  # each shrunk at once, so that large ones never lie in memory together
        images = list(
            threads.map(
                lambda file: to_square(middle(decode_grey((folder / file).read_bytes(), f"{folder}/{file}")), px), files, chunksize=64
            )
        )
    return np.stack(images), files


def middle(image: np.ndarray) -> np.ndarray:
    """Cut the middle square out of an image, uint8 (H, W)."""
    side = min(image.shape)
    top, left = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, left : left + side]
