"""Likeness recognises one picture under other light, mirrored, shifted and at another size, and
keeps two people apart.
"""

import cv2
import numpy as np
import pytest

from lib.curation.likeness import SIDE, candidates, likeness, signatures_of
from lib.faces.drawn import draw_faces

FACES = draw_faces(np.arange(40) % 7, np.arange(40) + 3).images


def darker(image):
    return np.clip(image.astype(float) * 0.7 + 40, 0, 255).astype(np.uint8)


def mirrored(image):
    return image[:, ::-1].copy()


def shifted(image):
    by_one = np.float32([[1, 0, 1], [0, 1, -1]])
    return cv2.warpAffine(image, by_one, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def compressed(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0)


def enlarged(image):
    return cv2.resize(image, (128, 128), interpolation=cv2.INTER_CUBIC)


def best(left, right):
    """Likeness of each pair among the candidates, 0 for others."""
    values = np.zeros((len(left), len(right)))
    for i, mask in enumerate(candidates(left.hashes, right.hashes)):
        if mask.any():
            values[i, mask] = likeness(left, i, right, np.flatnonzero(mask))
    return values


@pytest.mark.parametrize(
    "change", [darker, mirrored, shifted, compressed, enlarged], ids=lambda f: f.__name__
)
def test_a_changed_copy_is_like_its_original_and_like_nobody_else(change):
    copies = np.stack([change(image) for image in FACES])
    values = best(signatures_of(copies), signatures_of(FACES))
    assert (np.diag(values) > 0.98).mean() >= 0.95
    assert (values[~np.eye(len(FACES), dtype=bool)] < 0.98).all()


def test_likeness_is_the_correlation_of_thumbnails():
    signatures = signatures_of(FACES)
    cells = FACES.reshape(-1, 16, 3, 16, 3).mean(axis=(2, 4)).reshape(len(FACES), -1)
    expected = np.corrcoef(cells[:2])[0, 1]
    itself, other = likeness(signatures, 0, signatures, np.array([0, 1]))
    assert np.isclose(itself, 1, atol=2e-3)
    thumbnails = signatures.thumbnails
    assert np.allclose(thumbnails[0] @ thumbnails[1], expected, atol=2e-3)
    # No shift is among the shifts.
    assert other >= expected - 2e-3


def test_the_hash_of_a_mirrored_image_is_the_mirrored_hash():
    hashes = signatures_of(FACES).hashes
    of_mirrored = signatures_of(FACES[:, :, ::-1].copy()).hashes[:, 0]
    assert np.bitwise_count(hashes[:, 1] ^ of_mirrored).mean() < 1
    assert np.bitwise_count(hashes[:, 0] ^ of_mirrored).mean() > 1


def test_blank_images_are_like_nothing():
    blank = np.full((3, SIDE, SIDE), 90, np.uint8)
    signatures = signatures_of(np.concatenate([blank, FACES[:1]]))
    assert (likeness(signatures, 0, signatures, np.arange(4)) == 0).all()
