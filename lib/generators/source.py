"""What a generator learns from: real faces of the study, or a folder of unlabelled face pictures.

A pool needs labels, so each picture of a folder (S3: CelebA-HQ) gets the class that the reference
classifier predicts. Those labels are no truth; how often the pool's own labels agree with the same
classifier therefore says less, and the arms that train on the pool say the rest.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet
from lib.faces.files import open_files
from lib.faces.listing import in_parallel
from lib.faces.mixing import draw_subset
from lib.faces.pictures import decode_grey, endings_read, middle_square, to_square
from lib.study.errors import StudyError
from lib.study.generations import generation_number


def own_faces(real: FaceSet, params: dict) -> FaceSet:
    """Choose the real faces that a pool's generator may learn from.

    They are those that an arm with as many real images holds, so that a generator knows no more
    than the classifier that learns beside its images. With `draws` each generation of the pool
    takes the draw of its number: the first generation draw 0.

    Args:
        real: all real training faces.
        params: gan_real_count (0: all), pool, draws, and the seed of this generation of the pool.

    Raises:
        StudyError: there are fewer.
    """
    # The seeds of later generations count on from the study's own.
    before = generation_number(params["pool"]) - 1
    draw = before if params["draws"] else None
    return draw_subset(real, params["gan_real_count"], seed=params["seed"] - before, draw=draw)


def with_predicted_labels(faces: FaceSet, probabilities: np.ndarray) -> FaceSet:
    """Add predicted class probabilities to faces, as soft labels for a generator to learn.

    Args:
        faces: N.
        probabilities: float (N, classes), out of fold: no image by a classifier that saw it.
    """
    columns = {f"probability_{name}": row for name, row in zip(faces.classes, probabilities.T)}
    return faces.with_columns(**columns)


def training_faces(
    folder: str,  # of pictures, in any subfolders; "": the real faces
    px: int,  # side to which pictures are brought, pixels
    real: FaceSet,  # real training faces of the study
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

    Args:
        folder: or a zip file of one; lib.faces.files has the rules of what is read.

    Returns:
        uint8 (N, px, px), and paths inside the folder.

    Raises:
        StudyError: no such folder, no pictures in it, one that does not decode.
    """
    try:
        files = open_files(folder)
    except StudyError as error:
        raise StudyError(
            f"gan_source: {error}; give a folder that holds face pictures, or leave it empty"
        ) from None
    with files:
        # List the pictures, each real file once.
        names = files.once(files.pictures)
        files.announce(names)
        if not names:
            raise StudyError(f"gan_source: {folder} holds no pictures ({endings_read()})")

        # Read them.
        def read(name: str) -> np.ndarray:
            # Shrunk at once, so that large pictures never lie in memory together.
            image = decode_grey(files.read(name), files.where(name))
            return to_square(middle_square(image), px)

        return np.stack(in_parallel(read, names)), names
