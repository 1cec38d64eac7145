"""The feature spaces in which sets are measured, from blind to expressions to blind to everything else."""

from collections.abc import Callable

import cv2
import numpy as np

from lib.classifiers.instrument import load_instrument
from lib.faces.faceset import FaceSet
from lib.metrics.encoder import load_encoder
from lib.metrics.pretrained import pretrained_space
from lib.study.paths import StudyPaths

THUMBNAIL_PX = 24


def feature_spaces(paths: StudyPaths, train: FaceSet, *, weights: str = "") -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Gather the study's feature spaces by name, each a function of uint8 (N, H, W) images of any size to float32 (N, D) features.

    `classifier` sees expressions and has learned to ignore who it is; `encoder`, trained without labels, sees the face as a whole; `pixels`
    sees person, pose and light.

    Args:
        train: real training faces, from which the pixels' components come.
        weights: of a published network, which becomes one more space; empty: none.
    """
    spaces = {
        "classifier": load_instrument(paths.instrument).features,
        "encoder": load_encoder(paths.instrument).features,
        "pixels": pixel_space(train.images),
    }
    return spaces | (dict([pretrained_space(weights)]) if weights else {})


def pixel_space(train: np.ndarray, *, components: int = 64) -> Callable[[np.ndarray], np.ndarray]:
    """Fit principal components of thumbnails on real training faces.

    Args:
        train: uint8 (N, H, W).
        components: dimensions kept.
    Returns:
        A function of uint8 (M, H, W) images of any size to float32 (M, components) features, centred on the mean training face.
    Source: Turk and Pentland 1991 (eigenfaces).
    """
    flat = _thumbnails(train)
    centre = flat.mean(0)
    # the right singular vectors by the small covariance matrix: 576 x 576 whatever the number of images
    _, axes = np.linalg.eigh((flat - centre).T @ (flat - centre))
    axes = axes[:, ::-1][:, :components]
    return lambda images: (_thumbnails(images) - centre) @ axes


def extract_all(spaces: dict, faces: dict[str, FaceSet]) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Extract features once for everything that is measured: by space and name, (features float (N, D), labels int64 (N,)).

    Args:
        spaces: by name, a function of uint8 (N, H, W) images to features.
        faces: face sets by name.
    """
    return {space: {name: (extract(own.images), own.labels) for name, own in faces.items()} for space, extract in spaces.items()}


def _thumbnails(images: np.ndarray) -> np.ndarray:
    small = np.stack([cv2.resize(image, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA) for image in images])
    return small.reshape(len(images), -1).astype(np.float32) / 255
