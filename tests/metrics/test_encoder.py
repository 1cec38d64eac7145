"""The encoder learns from faces alone what a class, a person and a blur are, repeats its bytes, and refuses files that are not its own."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lib.faces.drawn import draw_faces, drawn_study
from lib.metrics.distances import all_distances
from lib.metrics.encoder import DIMENSIONS, FILE, fit_encoder, load_encoder
from lib.metrics.spaces import pixel_space
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def faces():
    return drawn_study(500, 0, 400, 0.0, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("encoder")


@pytest.fixture(scope="module")
def encoder(faces, folder):
    return fit_encoder(faces, folder)


def test_a_second_fit_is_the_first(faces, encoder, folder, tmp_path):
    again = fit_encoder(faces, tmp_path)
    images = faces.images[:20]
    assert np.array_equal(again.features(images), encoder.features(images))
    written = (folder / FILE).stat().st_mtime_ns
    fit_encoder(faces, folder)
    assert (folder / FILE).stat().st_mtime_ns == written
    assert np.array_equal(load_encoder(folder).features(images), encoder.features(images))


def test_features_take_any_size_and_do_not_depend_on_their_batch(faces, encoder):
    images = faces.images[:300]
    assert encoder.features(images[:0]).shape == (0, DIMENSIONS)
    assert np.allclose(encoder.features(images)[:3], encoder.features(images[:3]), atol=1e-5)
    assert encoder.features(np.zeros((2, 64, 64), np.uint8)).shape == (2, DIMENSIONS)


def test_it_sees_expressions_that_pixels_hide(faces, encoder):
    train, test = faces.split("train"), faces.split("test")

    def told(extract):
        scale = extract(train.images).std(0)
        probe = LogisticRegression(C=0.1, max_iter=300).fit(extract(train.images) / scale, train.labels)
        return (probe.predict(extract(test.images) / scale) == test.labels).mean()

    assert told(encoder.features) > told(pixel_space(train.images)) + 0.1


def test_two_views_are_nearer_than_two_faces(faces, encoder):
    images = faces.split("test").images
    altered = np.clip(0.8 * images[:, :, ::-1] + 20.0, 0, 255).astype(np.uint8)
    own, view = encoder.features(images), encoder.features(altered)
    same, other = np.linalg.norm(own - view, axis=1), np.linalg.norm(own - np.roll(own, 1, axis=0), axis=1)
    assert np.median(same) < 0.7 * np.median(other)


def test_it_tells_few_people_from_many(faces, encoder):
    test = faces.split("test")
    real, fresh = test.images[::2], test.images[1::2]
    few = draw_faces(test.labels[:200], np.arange(200) + 5_000_000, identities=5).images
    found = {name: all_distances(encoder.features(real), encoder.features(images)) for name, images in {"fresh": fresh, "few": few}.items()}
    assert found["few"]["coverage"] < found["fresh"]["coverage"] - 0.04 and found["few"]["fd"] > 1.2 * found["fresh"]["fd"]


def test_too_few_images_and_no_file(faces, tmp_path):
    with pytest.raises(StudyError, match="at least 256"):
        fit_encoder(faces.select(np.arange(50)), tmp_path)
    with pytest.raises(StudyError, match="run notebook 10"):
        load_encoder(tmp_path)
