"""Feature spaces that need no trained network: what a pixel tells about light, pose and person, which a classifier learns to ignore."""

from collections.abc import Callable

import cv2
import numpy as np

THUMBNAIL_PX = 24


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


def _thumbnails(images: np.ndarray) -> np.ndarray:
    small = np.stack([cv2.resize(image, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA) for image in images])
    return small.reshape(len(images), -1).astype(np.float32) / 255
