"""Pictures of a page get smaller, and stay pictures."""

import base64
import io
import re

import numpy as np
from PIL import Image

from lib.report.pictures import LARGEST, smaller_pictures


def embedded(pixels: np.ndarray) -> str:
    """An image element that holds its picture."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    encoded = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="faces" width="400" src="data:image/png;base64,{encoded}">'


def test_a_large_picture_shrinks_and_a_small_one_stays():
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 255, (40, 80)), np.ones((12, 12))).astype(np.uint8)
    large = embedded(coarse + rng.integers(0, 2, coarse.shape, dtype=np.uint8))
    small = embedded(np.zeros((60, 60), np.uint8))
    assert len(large) > LARGEST * 4 / 3

    page = smaller_pictures(large + small)
    assert page.startswith('<img alt="faces" width="400" src="data:image/webp;')
    assert page.endswith(small) and len(page) < 0.6 * len(large)

    # Three quarters of the size, and the same picture.
    encoded = re.search(r"base64,([^\"]+)", page)[1]
    shown = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("L")
    assert shown.size == (720, 360)
    assert np.abs(np.asarray(shown.resize((960, 480)), float) - coarse).mean() < 12


def test_what_is_no_picture_stays():
    text = f'src="data:image/png;base64,{"A" * 100_000}"'
    assert smaller_pictures(text) == text
