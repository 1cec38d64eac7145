"""The exported file says the same as the network, for any number of images, and carries its facts."""

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


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(0)
    model = build_classifier("small").to(memory_format=torch.channels_last).eval()
    path = export_onnx(
        model, tmp_path_factory.mktemp("onnx") / "model.onnx", image_px=48, metadata={"study": "quick", "arm": "base", "seed": 1}
    )
    return model, path


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_it_equals_the_network_for_any_number_of_images(exported, n):
    images = np.random.default_rng(n).integers(0, 256, (n, 48, 48)).astype(np.uint8)
    found = check_onnx(exported[1], exported[0], images)
    assert found["images"] == n and found["same_class"] == 1.0
    assert found["largest_difference"] < 1e-4


def test_probabilities_come_out_under_that_name(exported):
    session = onnxruntime.InferenceSession(str(exported[1]), providers=["CPUExecutionProvider"])
    (out,) = session.run(["probabilities"], {"images": np.zeros((3, 1, 48, 48), np.float32)})
    assert out.shape == (3, 7) and out.dtype == np.float32
    np.testing.assert_allclose(out.sum(1), 1, atol=1e-5)


def test_it_says_what_it_is_in_one_file(exported):
    facts = {entry.key: entry.value for entry in onnx.load(exported[1]).metadata_props}
    assert facts["classes"].split(",")[:2] == ["angry", "disgust"]
    assert facts["arm"] == "base" and facts["seed"] == "1" and "48" in facts["preprocessing"]
    assert [file.name for file in exported[1].parent.iterdir()] == ["model.onnx"]


def test_the_file_tells_no_path_of_the_machine_that_wrote_it(exported):
    whole = exported[1].read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in whole and b"site-packages" not in whole


def test_the_network_and_the_loggers_stay_as_they_were(exported):
    assert not exported[0].training
    assert logging.getLogger().level == logging.WARNING


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "s1", "s2", "fast", "deep", "shufflenetv2-224", "resnet18-imagenet-fixed"])
def test_every_network_can_be_exported(name, tmp_path):
    torch.manual_seed(0)
    model = build_classifier(name, start=False).eval()
    path = export_onnx(model, tmp_path / "model.onnx", image_px=48, metadata={})
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48)).astype(np.uint8)
    assert check_onnx(path, model, images)["largest_difference"] < 1e-4
