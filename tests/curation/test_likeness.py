"""Likeness sees one picture through light, a mirror, a small shift and another size, and two people as two."""

import cv2
import numpy as np
import pytest

from lib.curation.likeness import SIDE, candidates, likeness, looks_of
from lib.faces.drawn import draw_faces

FACES = draw_faces(np.arange(40) % 7, np.arange(40) + 3).images
CHANGES = {
    "light": lambda i: np.clip(i.astype(float) * 0.7 + 40, 0, 255).astype(np.uint8),
    "mirror": lambda i: i[:, ::-1].copy(),
    "shift": lambda i: cv2.warpAffine(i, np.float32([[1, 0, 1], [0, 1, -1]]), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE),
    "jpeg": lambda i: cv2.imdecode(cv2.imencode(".jpg", i, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0),
    "size": lambda i: cv2.resize(i, (128, 128), interpolation=cv2.INTER_CUBIC),
}


def best(ours, theirs):
    """Likeness of each pair among the candidates, 0 for others."""
    found = np.zeros((len(ours), len(theirs)))
    for i, mask in enumerate(candidates(ours.hashes, theirs.hashes)):
        if mask.any():
            found[i, mask] = likeness(ours, i, theirs, np.flatnonzero(mask))
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_like_its_original_and_like_nobody_else(change):
    found = best(looks_of(np.stack([CHANGES[change](image) for image in FACES])), looks_of(FACES))
    assert (np.diag(found) > 0.98).mean() >= 0.95
    assert (found[~np.eye(len(FACES), dtype=bool)] < 0.98).all()


def test_likeness_is_the_correlation_of_thumbnails():
    looks = looks_of(FACES)
    small = FACES.reshape(-1, 16, 3, 16, 3).mean(axis=(2, 4)).reshape(len(FACES), -1)
    assert np.isclose(likeness(looks, 0, looks, np.array([0, 1]))[0], 1, atol=2e-3)
    assert np.allclose(looks.thumbnails[0] @ looks.thumbnails[1], np.corrcoef(small[:2])[0, 1], atol=2e-3)
    assert likeness(looks, 0, looks, np.array([1]))[0] >= np.corrcoef(small[:2])[0, 1] - 2e-3  # no shift is among the shifts


def test_the_hash_of_a_mirrored_image_is_the_mirrored_hash():
    ours, mirrored = looks_of(FACES).hashes, looks_of(FACES[:, :, ::-1].copy()).hashes
    assert np.bitwise_count(ours[:, 1] ^ mirrored[:, 0]).mean() < 1 < np.bitwise_count(ours[:, 0] ^ mirrored[:, 0]).mean()


def test_blank_images_are_like_nothing():
    looks = looks_of(np.concatenate([np.full((3, SIDE, SIDE), 90, np.uint8), FACES[:1]]))
    assert (likeness(looks, 0, looks, np.arange(4)) == 0).all()
