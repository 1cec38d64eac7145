"""The instrument: trained once, on three quarters of the clusters; its features do not depend on size or batch."""

import numpy as np
import pandas as pd
import pytest

from lib.classifiers.instrument import FOLDS, fit_instrument, fold_of, load_instrument, yardstick
from lib.faces.drawn import drawn_study
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    n = 120
    images = np.random.default_rng(0).integers(0, 256, (n, 48, 48)).astype(np.uint8)
    split = np.repeat(["train", "val", "test"], [80, 20, 20])
    table = pd.DataFrame({"id": [f"f{i}" for i in range(n)], "class": [CLASSES[i % 7] for i in range(n)], "split": split, "source": "made"})
    return FaceSet(images, table.assign(cluster=np.arange(n) // 2))


def test_copies_fall_into_one_fold_and_folds_are_of_like_size(faces):
    folds = fold_of(faces)
    assert (folds[::2] == folds[1::2]).all()
    assert set(folds) == set(range(FOLDS)) and np.bincount(folds).min() >= 0.7 * len(faces) / FOLDS


def test_it_is_trained_once_and_again_only_for_other_settings(faces, tmp_path):
    first = fit_instrument(faces, tmp_path, steps=3, seed=0)
    stamp = (tmp_path / "instrument.safetensors").stat().st_mtime_ns
    again = fit_instrument(faces, tmp_path, steps=3, seed=0)
    assert (tmp_path / "instrument.safetensors").stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(first.features(faces.images), again.features(faces.images))
    other = fit_instrument(faces, tmp_path, steps=4, seed=0)
    assert (first.features(faces.images) != other.features(faces.images)).any()
    assert load_instrument(tmp_path).facts["steps"] == 4
    assert first.facts["images"] == (fold_of(faces.split("train")) != FOLDS - 1).sum()


def test_features_and_probabilities_have_a_row_an_image_of_any_size(faces, tmp_path):
    instrument = fit_instrument(faces, tmp_path, steps=2)
    large = np.repeat(np.repeat(faces.images[:5], 2, 1), 2, 2)
    assert instrument.features(large).shape == instrument.features(faces.images[:5]).shape == (5, 128)
    np.testing.assert_allclose(instrument.features(large), instrument.features(faces.images[:5]), atol=1e-4)
    np.testing.assert_allclose(instrument.probabilities(faces.images).sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(instrument.features(faces.images, batch=7), instrument.features(faces.images), atol=1e-4)


def test_without_one_the_message_says_where_it_comes_from(tmp_path):
    with pytest.raises(StudyError, match="notebook 10"):
        load_instrument(tmp_path)


def test_the_yardstick_is_val_or_what_the_instrument_has_not_seen():
    faces = drawn_study(60, 20, 20, 0.0, 3)
    assert yardstick(faces).digest() == faces.split("val").digest()
    without = faces.select((faces.table["split"] != "val").to_numpy())
    train = without.split("train")
    assert yardstick(without).digest() == train.select(fold_of(train) == FOLDS - 1).digest()
