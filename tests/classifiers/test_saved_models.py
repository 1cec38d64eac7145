"""Networks on disk: what is written is what is read, and nothing else is taken."""

import pickle

import numpy as np
import pytest
import torch

from lib.classifiers.models import build_classifier, load_facts, load_model, predict, save_model
from lib.compute.checkpoints import save_tensors
from lib.study.errors import StudyError

CLASSES = ("no", "perhaps", "yes")
WRITTEN = {"classifier": "small", "image_px": 48, "classes": CLASSES}


@pytest.fixture
def model():
    """A small network of three classes."""
    return build_classifier("small", classes=len(CLASSES)).eval()


def test_a_network_comes_back_as_it_was_with_its_classes_and_facts(tmp_path, model):
    path = save_model(model, tmp_path / "model", **WRITTEN, facts={"arm": "base", "seed": 3})
    assert path.name == "model.safetensors"
    x = torch.rand(4, 1, 48, 48)
    torch.testing.assert_close(load_model(path)(x), model(x))
    facts = load_facts(tmp_path / "model")
    assert (facts["arm"], facts["seed"], facts["classifier"]) == ("base", 3, "small")
    assert facts["classes"] == list(CLASSES)


def test_a_pickle_is_refused_under_any_name(tmp_path):
    for name in ("model.pt", "model.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps({"weights": 1}))
        with pytest.raises(StudyError, match="pickled checkpoint can run code"):
            load_model(tmp_path / name)


def test_a_file_that_is_cut_off_or_missing_is_named(tmp_path, model):
    path = save_model(model, tmp_path / "model", **WRITTEN)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StudyError, match="cut off"):
        load_model(path)
    with pytest.raises(StudyError, match="no such checkpoint"):
        load_model(tmp_path / "nothing")


@pytest.mark.parametrize("other", [{"classifier": "s1"}, {"classes": ("no", "yes")}])
def test_weights_of_another_shape_are_refused(tmp_path, model, other):
    path = save_model(model, tmp_path / "model", **WRITTEN | other)
    with pytest.raises(StudyError, match="lacks the tensor|has shape"):
        load_model(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    save_tensors(tmp_path / "other.safetensors", {"a": torch.zeros(2)}, {"image_px": 48})
    with pytest.raises(StudyError, match="not a classifier of this study.*classes, classifier"):
        load_model(tmp_path / "other.safetensors")


def test_a_trained_network_predicts_the_same_bytes_after_it_was_read(tmp_path, model):
    trained = model.to(memory_format=torch.channels_last)
    images = np.random.default_rng(0).integers(0, 256, (9, 48, 48)).astype(np.uint8)
    path = save_model(trained, tmp_path / "model", **WRITTEN)
    assert (predict(load_model(path), images) == predict(trained, images)).all()
