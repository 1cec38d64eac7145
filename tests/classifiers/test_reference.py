"""The reference classifier: trained once, on three quarters of the groups of copies; its features
depend on neither the size of an image nor the batch.
"""

import numpy as np
import pandas as pd
import pytest

from lib.classifiers.reference import (
    FOLDS,
    fit_reference,
    held_out_reference,
    load_reference,
    reference_folds,
)
from lib.faces.drawn import drawn_study
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError

CLASSES = ("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """Images of noise, each with one copy."""
    n = 120
    images = np.random.default_rng(0).integers(0, 256, (n, 48, 48)).astype(np.uint8)
    names = np.array(CLASSES)[np.arange(n) % len(CLASSES)]
    table = pd.DataFrame({"id": [f"f{i}" for i in range(n)], "class": names, "source": "made"})
    split = np.repeat(["train", "val", "test"], [80, 20, 20])
    return FaceSet(images, table.assign(split=split, cluster=np.arange(n) // 2), CLASSES)


@pytest.fixture(scope="module")
def reference(faces, tmp_path_factory):
    """A reference classifier that has hardly been trained."""
    return fit_reference(faces, tmp_path_factory.mktemp("reference"), steps=2)


def test_copies_are_in_one_fold_and_folds_are_of_like_size(faces):
    folds = reference_folds(faces)
    assert (folds[::2] == folds[1::2]).all()
    assert set(folds) == set(range(FOLDS))
    assert np.bincount(folds).min() >= 0.7 * len(faces) / FOLDS


def test_it_is_trained_once_and_again_only_for_other_settings(faces, tmp_path):
    file = tmp_path / "reference.safetensors"
    first = fit_reference(faces, tmp_path, steps=3, seed=0)
    written = file.stat().st_mtime_ns
    repeated = fit_reference(faces, tmp_path, steps=3, seed=0)
    assert file.stat().st_mtime_ns == written
    features = first.features(faces.images)
    np.testing.assert_array_equal(features, repeated.features(faces.images))

    other = fit_reference(faces, tmp_path, steps=4, seed=0)
    assert (features != other.features(faces.images)).any()
    assert load_reference(tmp_path).facts["steps"] == 4


def test_a_raised_version_trains_it_anew_and_changed_code_does_not(faces, tmp_path, monkeypatch):
    file = tmp_path / "reference.safetensors"
    fit_reference(faces, tmp_path, steps=2)
    written = file.stat().st_mtime_ns
    monkeypatch.setattr("lib.study.fingerprints.code_digest", lambda *names, **more: "other code")
    fit_reference(faces, tmp_path, steps=2)
    assert file.stat().st_mtime_ns == written
    monkeypatch.setattr("lib.classifiers.recipes.TRAINING_VERSION", 99)
    fit_reference(faces, tmp_path, steps=2)
    assert file.stat().st_mtime_ns != written


def test_a_damaged_one_is_trained_anew(faces, tmp_path):
    (tmp_path / "reference.safetensors").write_bytes(b"cut off")
    assert fit_reference(faces, tmp_path, steps=2).facts["steps"] == 2


def test_it_has_not_seen_the_last_fold(faces, reference):
    seen = reference_folds(faces.split("train")) != FOLDS - 1
    assert reference.facts["images"] == seen.sum()


def test_it_knows_its_classes(faces, reference):
    assert reference.classes == CLASSES
    assert reference.probabilities(faces.images[:0]).shape == (0, len(CLASSES))


def test_features_and_probabilities_do_not_depend_on_the_size_of_an_image(faces, reference):
    enlarged = faces.images[:5].repeat(2, axis=1).repeat(2, axis=2)
    features = reference.features(faces.images[:5])
    assert features.shape == (5, 128)
    np.testing.assert_allclose(reference.features(enlarged), features, atol=1e-4)
    np.testing.assert_allclose(
        reference.probabilities(enlarged), reference.probabilities(faces.images[:5]), atol=1e-4
    )


def test_features_do_not_depend_on_the_batch(faces, reference):
    features = reference.features(faces.images)
    np.testing.assert_allclose(reference.features(faces.images, batch=7), features, atol=1e-4)


def test_probabilities_sum_to_one(faces, reference):
    np.testing.assert_allclose(reference.probabilities(faces.images).sum(1), 1, atol=1e-5)


def test_without_one_the_message_names_the_notebook_that_trains_it(tmp_path):
    with pytest.raises(StudyError, match="notebook 10"):
        load_reference(tmp_path)


def test_the_held_out_reference_is_val_or_what_the_classifier_has_not_seen():
    faces = drawn_study(60, 20, 20, 0.0, 3)
    assert held_out_reference(faces).digest() == faces.split("val").digest()
    without = faces.select((faces.table["split"] != "val").to_numpy())
    train = without.split("train")
    unseen = train.select(reference_folds(train) == FOLDS - 1)
    assert held_out_reference(without).digest() == unseen.digest()
