"""The feature spaces in which sets are measured, from blind to expressions to blind to everything else."""

import hashlib
from collections.abc import Callable

import cv2
import numpy as np

from lib.classifiers.instrument import load_instrument
from lib.faces.faceset import FaceSet
from lib.metrics.encoder import fit_encoder
from lib.metrics.pretrained import pretrained_space
from lib.study.paths import StudyPaths

THUMBNAIL_PX = 24


def feature_spaces(paths: StudyPaths, faces: FaceSet, *, seed: int, weights: str = "") -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Gather the study's feature spaces by name, each a function of uint8 (N, H, W) images of any size to float32 (N, D) features.

    `classifier` sees expressions and has learned to ignore who it is; `encoder`, trained without labels, sees the face as a whole; `pixels`
    sees person, pose and light.

    Args:
        faces: all real faces; the encoder and the pixels' components are learned from the split train.
        seed: of the encoder, which notebook 10 trained; one that is missing or of other faces is trained anew.
        weights: of a published network, which becomes one more space; empty: none.
    """
    spaces = {
        "classifier": load_instrument(paths.instrument).features,
        "encoder": fit_encoder(faces, paths.instrument, seed=seed).features,
        "pixels": pixel_space(faces.split("train").images),
    }
    spaces |= dict([pretrained_space(weights)]) if weights else {}
    return {name: remembering(extract) for name, extract in spaces.items()}


def remembering(extract: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Wrap a feature space so that no image is extracted twice, whatever sets it comes in; costs some kB an image."""
    known: dict[bytes, np.ndarray] = {}

    def look_up(images: np.ndarray) -> np.ndarray:
        keys = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in np.ascontiguousarray(images)]
        new = list({key: i for i, key in enumerate(keys) if key not in known}.values())
        known.update(zip([keys[i] for i in new], extract(images[new]))) if new else None
        return np.stack([known[key] for key in keys]) if keys else extract(images)

    return look_up


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
