"""Published networks load from local safetensors; all else is refused with the remedy. The weights
here are random."""

from unittest.mock import patch

import numpy as np
import pytest
import torch

from lib.metrics.pretrained import pretrained_space
from lib.study.errors import StudyError

IMAGES = np.random.default_rng(0).integers(0, 255, (3, 48, 48), dtype=np.uint8)
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def test_dinov2_from_a_folder(tmp_path):
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(**SMALL, image_size=28, patch_size=14)
    Dinov2Model(config).save_pretrained(tmp_path)
    name, extract = pretrained_space(str(tmp_path))
    features = extract(IMAGES)
    assert name == "dinov2"
    assert features.shape == (3, 32)
    assert np.isfinite(features).all()
    assert np.allclose(extract(IMAGES[1:2]), features[1:2], atol=1e-5)


def test_clip_from_a_folder(tmp_path):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(**SMALL, intermediate_size=64, image_size=32, patch_size=16)
    CLIPVisionModel(config).save_pretrained(tmp_path)
    name, extract = pretrained_space(str(tmp_path))
    assert name == "clip"
    assert extract(IMAGES).shape == (3, 32)


@pytest.mark.parametrize(
    ("name", "words"),
    [("bert", "'bert'"), ("weights.pth", "a pickle"), ("none", "Leave it empty")],
)
def test_another_network_a_pickle_and_nothing_are_refused(tmp_path, name, words):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    torch.save({}, tmp_path / "weights.pth")
    with pytest.raises(StudyError, match=words):
        pretrained_space(str(tmp_path / name))


@pytest.mark.slow
def test_inception_from_a_file(tmp_path):
    from safetensors.torch import save_file
    from torch_fidelity import feature_extractor_inceptionv3 as published

    # Make the published network without its weights.
    no_download = patch.object(published, "load_state_dict_from_url", lambda *_, **__: {})
    with no_download, patch.object(torch.nn.Module, "load_state_dict", lambda *_: None):
        network = published.FeatureExtractorInceptionV3("inception", ["2048"]).eval()
    save_file(network.state_dict(), tmp_path / "inception.safetensors")
    with torch.no_grad():
        expected = network(torch.from_numpy(IMAGES)[:, None].repeat(1, 3, 1, 1))[0].numpy()

    name, extract = pretrained_space(str(tmp_path / "inception.safetensors"))
    assert name == "inception"
    assert np.allclose(extract(IMAGES), expected, atol=1e-5)

    save_file({"fc.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(StudyError, match="not the Inception weights"):
        pretrained_space(str(tmp_path / "other.safetensors"))
