"""The feature spaces in which sets are measured.

They range from one that sees expressions alone to one that sees everything but expressions.
"""

import hashlib

import cv2
import numpy as np

from lib.classifiers.reference import load_reference
from lib.faces.faceset import FaceSet
from lib.metrics.encoder import fit_encoder
from lib.metrics.pretrained import Extract, pretrained_space
from lib.study.paths import StudyPaths

THUMBNAIL_PX = 24  # side of the thumbnails behind the pixel space
COMPONENTS = 64  # dimensions of the pixel space
KEY_BYTES = 16  # of the hash that recognises an image


def feature_spaces(
    paths: StudyPaths, faces: FaceSet, *, seed: int, weights: str = ""
) -> dict[str, Extract]:
    """Gather the study's feature spaces by name.

    `classifier` sees expressions and has learned to ignore who it is; `encoder`, trained without
    labels, sees the face as a whole; `pixels` sees person, pose and light.

    Args:
        paths: of the study.
        faces: all real faces; the encoder and the pixels' components are learned from the split
            train.
        seed: of the encoder, which notebook 10 trained; one that is missing or of other faces is
            trained anew.
        weights: path of a published network's weights, which becomes one more space; empty: none.
    """
    spaces = {
        "classifier": load_reference(paths.reference).features,
        "encoder": fit_encoder(faces, paths.reference, seed=seed).features,
        "pixels": pixel_space(faces.split("train").images),
    }

    # A published network is one more space under its own name.
    if weights:
        name, extract = pretrained_space(weights)
        spaces[name] = extract
    return {name: remembering(extract) for name, extract in spaces.items()}


def remembering(extract: Extract) -> Extract:
    """Wrap a feature space so that no image is extracted twice, whatever sets it comes in.

    The memory it costs is some kB an image.
    """
    known: dict[bytes, np.ndarray] = {}

    def look_up(images: np.ndarray) -> np.ndarray:
        # Recognise images by their pixels.
        keys = []
        for image in np.ascontiguousarray(images):
            keys.append(hashlib.blake2b(image.tobytes(), digest_size=KEY_BYTES).digest())
        if not keys:
            return extract(images)

        # Extract each image that is new, once.
        position = {key: i for i, key in enumerate(keys) if key not in known}
        if position:
            features = extract(images[list(position.values())])
            known.update(zip(position, features, strict=True))
        return np.stack([known[key] for key in keys])

    return look_up


def pixel_space(train: np.ndarray, *, components: int = COMPONENTS) -> Extract:
    """Fit principal components of thumbnails on real training faces.

    Args:
        train: uint8 (N, H, W).
        components: dimensions kept.

    Returns:
        A feature space of `components` dimensions, centred on the mean training face.

    Source: Turk and Pentland 1991 (eigenfaces).
    """
    # Centre on the mean training face.
    pixels = _thumbnails(train)
    centre = pixels.mean(0)

    # The right singular vectors by the small covariance matrix: 576 x 576 whatever the number of
    # images. eigh sorts ascending.
    _, axes = np.linalg.eigh((pixels - centre).T @ (pixels - centre))

    # The axes of largest variance come first.
    axes = axes[:, ::-1][:, :components]
    return lambda images: (_thumbnails(images) - centre) @ axes


def extract_all(
    spaces: dict[str, Extract], faces: dict[str, FaceSet]
) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Extract features once for everything that is measured.

    Args:
        spaces: by name.
        faces: face sets by name.

    Returns:
        By space and name, (features float (N, D), labels int64 (N,)).
    """
    # Every set in every space.
    features_of = {}
    for space, extract in spaces.items():
        features_of[space] = {
            name: (extract(each.images), each.labels) for name, each in faces.items()
        }
    return features_of


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Shrink uint8 (N, H, W) images to grey levels 0 to 1, float32 (N, THUMBNAIL_PX ** 2)."""
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    return np.stack(small).reshape(len(images), -1).astype(np.float32) / 255
