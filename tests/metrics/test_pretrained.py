"""Published networks load from local safetensors, and everything else is refused with the way out. The weights here are random."""

from unittest.mock import patch

import numpy as np
import pytest
import torch

from lib.metrics.pretrained import pretrained_space
from lib.study.errors import StudyError

IMAGES = np.random.default_rng(0).integers(0, 255, (3, 48, 48), dtype=np.uint8)


def test_dinov2_from_a_folder(tmp_path):
    from transformers import Dinov2Config, Dinov2Model

    Dinov2Model(Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)).save_pretrained(
        tmp_path
    )
    name, extract = pretrained_space(str(tmp_path))
    features = extract(IMAGES)
    assert name == "dinov2" and features.shape == (3, 32) and np.isfinite(features).all()
    assert np.allclose(extract(IMAGES[1:2]), features[1:2], atol=1e-5)


def test_clip_from_a_folder(tmp_path):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16
    )
    CLIPVisionModel(config).save_pretrained(tmp_path)
    name, extract = pretrained_space(str(tmp_path))
    assert name == "clip" and extract(IMAGES).shape == (3, 32)


def test_another_network_a_pickle_and_nothing_are_refused(tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    torch.save({}, tmp_path / "weights.pth")
    for path, words in ((tmp_path / "bert", "'bert'"), (tmp_path / "weights.pth", "a pickle"), (tmp_path / "none", "Leave it empty")):
        with pytest.raises(StudyError, match=words):
            pretrained_space(str(path))


@pytest.mark.slow
def test_inception_from_a_file(tmp_path):
    from safetensors.torch import save_file
    from torch_fidelity import feature_extractor_inceptionv3 as published

    url, load = "load_state_dict_from_url", "load_state_dict"
    with patch.object(published, url, lambda *_, **__: {}), patch.object(torch.nn.Module, load, lambda *_: None):
        network = published.FeatureExtractorInceptionV3("inception", ["2048"]).eval()
    save_file(network.state_dict(), tmp_path / "inception.safetensors")
    name, extract = pretrained_space(str(tmp_path / "inception.safetensors"))
    with torch.no_grad():
        expected = network(torch.from_numpy(IMAGES)[:, None].repeat(1, 3, 1, 1))[0].numpy()
    assert name == "inception" and np.allclose(extract(IMAGES), expected, atol=1e-5)
    save_file({"fc.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(StudyError, match="not the Inception weights"):
        pretrained_space(str(tmp_path / "other.safetensors"))
