"""Blank, blurred, badly exposed: thresholds on quantities that can be computed by hand."""

import cv2
import numpy as np
import pandas as pd

from lib.curation.quality import reject_badly_exposed, reject_blank, reject_blurred
from lib.faces.faceset import FaceSet


def faces_of(images):
    images = np.asarray(images, dtype=np.uint8)
    table = {
        "id": [f"i{k}" for k in range(len(images))],
        "class": "happy",
        "split": "train",
        "source": "test",
    }
    return FaceSet(images, pd.DataFrame(table))


def halves(low, high, px=48):
    image = np.full((px, px), low, np.uint8)
    image[:, px // 2 :] = high
    return image


def test_blank_scores_the_standard_deviation():
    images = [halves(100, 108), halves(100, 112), np.full((48, 48), 7)]
    verdicts = reject_blank(faces_of(images), std=5)
    # Of two equal halves it is half their difference.
    assert verdicts["score"].tolist() == [4.0, 6.0, 0.0]
    assert verdicts["keep"].tolist() == [False, True, False]
    assert verdicts["reason"].tolist()[1] == ""


def test_blur_lowers_the_score_until_the_image_is_rejected():
    cells = np.random.default_rng(0).integers(0, 255, (12, 12), dtype=np.uint8)
    sharp = cv2.resize(cells, (48, 48), interpolation=cv2.INTER_NEAREST)
    images = [sharp] + [cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (1, 2, 4)]
    verdicts = reject_blurred(faces_of(images), variance=20, image_px=48)
    assert verdicts["score"].is_monotonic_decreasing
    assert verdicts["keep"].tolist()[0] and not verdicts["keep"].tolist()[-1]


def test_blur_is_measured_at_the_size_that_the_classifier_receives():
    small = np.random.default_rng(0).integers(0, 255, (1, 48, 48), dtype=np.uint8)
    large = small.repeat(4, axis=1).repeat(4, axis=2)
    scores = [
        reject_blurred(faces_of(images), variance=20, image_px=48)["score"][0]
        for images in (small, large)
    ]
    assert np.isclose(*scores)


def test_exposure_scores_the_share_of_black_and_white_pixels():
    grey = halves(16, 239)
    three_quarters = halves(0, 255)
    three_quarters[:24, 24:] = 128
    verdicts = reject_badly_exposed(faces_of([grey, three_quarters]), clipped_share=0.7)
    assert verdicts["score"].tolist() == [0.0, 0.75]
    assert verdicts["keep"].tolist() == [True, False]
