"""The exported file predicts what the network does, for any number of images, and has its facts."""

import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from lib.classifiers.export import check_onnx, export_onnx
from lib.classifiers.models import build_classifier
from lib.classifiers.networks.torchvision_zoo import NAMES

CLASSES = ("a", "b", "c", "d", "e", "f", "g", "h")


def noise(n: int, seed: int = 0) -> np.ndarray:
    """Make images of noise, uint8 (n, 48, 48)."""
    return np.random.default_rng(seed).integers(0, 256, (n, 48, 48)).astype(np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small network of eight classes, and its file."""
    torch.manual_seed(0)
    model = build_classifier("small", classes=len(CLASSES))
    model = model.to(memory_format=torch.channels_last).eval()
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    metadata = {"study": "quick", "arm": "base", "seed": 1}
    return model, export_onnx(model, path, image_px=48, classes=CLASSES, metadata=metadata)


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_it_equals_the_network_for_any_number_of_images(exported, n):
    model, path = exported
    checked = check_onnx(path, model, noise(n, seed=n))
    assert checked["images"] == n
    assert checked["same_class"] == 1.0
    assert checked["largest_difference"] < 1e-4


def test_probabilities_come_out_under_that_name(exported):
    session = onnxruntime.InferenceSession(str(exported[1]), providers=["CPUExecutionProvider"])
    (out,) = session.run(["probabilities"], {"images": np.zeros((3, 1, 48, 48), np.float32)})
    assert out.shape == (3, len(CLASSES))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.sum(1), 1, atol=1e-5)


def test_it_names_its_classes_and_facts_in_one_file(exported):
    facts = {entry.key: entry.value for entry in onnx.load(exported[1]).metadata_props}
    assert tuple(facts["classes"].split(",")) == CLASSES
    assert (facts["arm"], facts["seed"]) == ("base", "1")
    assert "48x48" in facts["preprocessing"]
    assert [file.name for file in exported[1].parent.iterdir()] == ["model.onnx"]


def test_the_file_holds_no_path_of_the_machine_that_wrote_it(exported):
    whole = exported[1].read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in whole
    assert b"site-packages" not in whole


def test_the_network_and_the_loggers_stay_as_they_were(exported):
    assert not exported[0].training
    assert logging.getLogger().level == logging.WARNING


VARIANTS = ["s1", "s2", "fast", "deep", "shufflenetv2-224", "resnet18-imagenet-fixed"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, *VARIANTS])
def test_every_network_can_be_exported(name, tmp_path):
    torch.manual_seed(0)
    model = build_classifier(name, classes=len(CLASSES), start=False).eval()
    path = export_onnx(model, tmp_path / "model.onnx", image_px=48, classes=CLASSES)
    assert check_onnx(path, model, noise(5))["largest_difference"] < 1e-4
