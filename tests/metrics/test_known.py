"""Known cases are seen for what they are, in every space that can see them; a study that sees one nowhere is stopped."""

import numpy as np
import pytest

from lib.faces.drawn import drawn_study
from lib.metrics.encoder import fit_encoder
from lib.metrics.known import case_images, class_kernel_distance, known_cases, label_agreement, require_seen
from lib.metrics.spaces import pixel_space
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def faces():
    return drawn_study(500, 0, 500, 0.0, 3)


@pytest.fixture(scope="module")
def cases(faces, tmp_path_factory):
    spaces = {"encoder": fit_encoder(faces, tmp_path_factory.mktemp("e")).features, "pixels": pixel_space(faces.split("train").images)}
    return known_cases(spaces, faces.split("train"), faces.split("test"), n=250, seed=0)


def test_the_general_space_sees_every_case_and_pixels_see_no_wrong_label(cases):
    seen = cases.pivot(index="case", columns="space", values="seen")
    assert seen["encoder"].all(), seen
    assert list(seen.index[~seen["pixels"].astype(bool)]) == ["real faces with shuffled labels"]
    assert any("pixels does not see real faces with shuffled labels" in sentence for sentence in require_seen(cases))


def test_a_case_that_nobody_sees_stops_the_study(cases):
    blind = cases.assign(seen=cases["seen"] & ~cases["case"].str.startswith("ten"))
    with pytest.raises(StudyError, match="ten real faces repeated"):
        require_seen(blind)


def test_cases_are_what_they_are_called(faces):
    train, test = faces.split("train"), faces.split("test")
    made = case_images(train, test, seed=0)
    assert len(np.unique(made["collapsed"][0].reshape(500, -1), axis=0)) == 10
    assert np.array_equal(np.bincount(made["mislabelled"][1]), np.bincount(test.labels)) and np.array_equal(
        made["mislabelled"][0], test.images
    )
    assert np.abs(made["memorised"][0].astype(int)[:, None, ::8, ::8] - train.images[None, :, ::8, ::8]).mean((2, 3)).min(1).max() < 3


def test_labels_by_neighbours_and_classes_apart():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    features = 5 * np.eye(3)[labels] + 0.3 * rng.normal(size=(300, 3))
    real, synth = (features[:150], labels[:150]), (features[150:], labels[150:])
    assert label_agreement(real, synth) == 1 and label_agreement(real, (synth[0], (synth[1] + 1) % 3)) == 0
    assert class_kernel_distance(real, synth, seed=0) < 0.01 * class_kernel_distance(real, (synth[0], (synth[1] + 1) % 3), seed=0)
