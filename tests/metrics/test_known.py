"""Known cases are detected in every space that can see them; one that no space detects stops the
study."""

import numpy as np
import pytest

from lib.faces.drawn import drawn_study
from lib.metrics.encoder import fit_encoder
from lib.metrics.known import (
    DESCRIPTIONS,
    case_images,
    class_kernel_distance,
    known_cases,
    neighbour_label_agreement,
    require_detected,
)
from lib.metrics.spaces import pixel_space
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def faces():
    return drawn_study(500, 0, 500, 0.0, 3)


@pytest.fixture(scope="module")
def cases(faces, tmp_path_factory):
    spaces = {
        "encoder": fit_encoder(faces, tmp_path_factory.mktemp("e")).features,
        "pixels": pixel_space(faces.split("train").images),
    }
    return known_cases(spaces, faces.split("train"), faces.split("test"), n=250, seed=0)


def test_the_general_space_detects_every_case_and_pixels_no_wrong_label(cases):
    detected = cases.pivot(index="case", columns="space", values="detected").astype(bool)
    assert detected["encoder"].all(), detected
    assert list(detected.index[~detected["pixels"]]) == [DESCRIPTIONS["mislabelled"]]


def test_what_a_space_does_not_detect_is_said(cases):
    (sentence,) = require_detected(cases)
    assert sentence == (
        "in the space of pixels the measure “kernel distance by class” does not detect real faces "
        "with shuffled labels"
    )


def test_a_case_that_no_space_detects_stops_the_study(cases):
    collapsed = cases["case"] == DESCRIPTIONS["collapsed"]
    blind = cases.assign(detected=cases["detected"] & ~collapsed)
    with pytest.raises(StudyError, match="ten real faces repeated"):
        require_detected(blind)


def test_cases_are_what_they_are_called(faces):
    train, test = faces.split("train"), faces.split("test")
    made = case_images(train, test, seed=0)
    assert len(np.unique(made["collapsed"][0].reshape(500, -1), axis=0)) == 10

    images, labels = made["mislabelled"]
    assert np.array_equal(np.bincount(labels), np.bincount(test.labels))
    assert np.array_equal(images, test.images)

    # Every memorised face lies within its grain of a training face.
    copies = made["memorised"][0].astype(int)[:, None, ::8, ::8]
    gaps = np.abs(copies - train.images[None, :, ::8, ::8]).mean((2, 3))
    assert gaps.min(1).max() < 3


def test_labels_are_measured_by_neighbours_and_class_by_class():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    features = 5 * np.eye(3)[labels] + 0.3 * rng.normal(size=(300, 3))
    real, synth = (features[:150], labels[:150]), (features[150:], labels[150:])
    shifted = (synth[0], (synth[1] + 1) % 3)
    assert neighbour_label_agreement(real, synth) == 1
    assert neighbour_label_agreement(real, shifted) == 0
    near = class_kernel_distance(real, synth, seed=0)
    assert near < 0.01 * class_kernel_distance(real, shifted, seed=0)
