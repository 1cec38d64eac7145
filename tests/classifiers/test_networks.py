"""The networks: published sizes, one shape for all, ImageNet weights that are had or asked for, nothing loaded that could run."""

import pickle

import pytest
import torch

from lib.classifiers.models import NETWORKS, build_classifier, parameter_count, training_code
from lib.classifiers.networks.torchvision_zoo import NAMES, VARIANTS
from lib.classifiers.weights import load_model, save_model
from lib.study.errors import StudyError

PUBLISHED = {  # torchvision's documentation, parameters with a head of 1,000 classes
    "resnet18": 11_689_512, "resnet50": 25_557_032, "mobilenetv3": 5_483_032, "mobilenetv3-small": 2_542_856, "efficientnet-b0": 5_288_548,
    "shufflenetv2": 2_278_604, "densenet121": 7_978_856, "convnext-tiny": 28_589_128,
}  # fmt: skip


def on_meta(name):
    with torch.device("meta"):
        return build_classifier(name, start=False)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_torchvision_has_its_published_size_but_for_the_head(name):
    enlarged = on_meta(f"{name}-224")
    width = enlarged.last.in_features
    assert parameter_count(enlarged) == PUBLISHED[name] - (width + 1) * 1000 + (width + 1) * 7


@pytest.mark.parametrize(
    ("name", "millions"), [("s2", 3.6), ("resemotenet", 80), ("deep", 2.8), ("fast", 0.30), ("small", 0.10), ("s1", 11.09)]
)
def test_the_other_networks_have_the_size_that_they_claim(name, millions):
    assert parameter_count(on_meta(name)) / 1e6 == pytest.approx(millions, rel=0.02)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.removesuffix("-224") in (*NAMES, "s2", "resemotenet", "wide")])
def test_every_network_maps_images_to_features_and_these_to_logits(name):
    model = on_meta(name).eval()
    x = torch.zeros(2, 1, 48, 48, device="meta")
    assert model.features(x).shape == (2, model.last.in_features)
    assert model(x).shape == (2, 7)


@pytest.mark.parametrize(("variant", "trained", "adapts"), [("", True, True), ("-imagenet", True, True), ("-imagenet-frozen", False, True),
                                                            ("-imagenet-fixed", False, False)])  # fmt: skip
def test_frozen_networks_train_their_head_alone_and_fixed_ones_keep_their_batch_statistics(variant, trained, adapts):
    model = build_classifier(f"shufflenetv2{variant}", start=False).train()
    before = {name: value.clone() for name, value in model.state_dict().items() if "running" in name}
    with torch.no_grad():
        model(torch.rand(4, 1, 48, 48))
    after = model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before) is adapts
    assert any(p.requires_grad for p in model.body.parameters()) is trained
    assert all(p.requires_grad for p in model.last.parameters())


def test_imagenet_weights_that_cannot_be_had_are_named_with_their_place(cache, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *a, **k: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(StudyError, match=r"resnet18 are not here \(no network\); download https://.*resnet18.*pth to .*checkpoints"):
        build_classifier("resnet18-imagenet")


def test_imagenet_weights_are_read_as_tensors_alone(cache):
    import torchvision

    torch.manual_seed(0)
    weights = torchvision.models.shufflenet_v2_x1_0().state_dict()
    file = cache / torchvision.models.get_model_weights("shufflenet_v2_x1_0").DEFAULT.url.rsplit("/")[-1]
    torch.save(weights, file)
    model = build_classifier("shufflenetv2-imagenet-frozen")
    assert torch.equal(model.body[1].conv1[0].weight, weights["conv1.0.weight"])
    file.write_bytes(pickle.dumps({"x": Harmful()}))
    with pytest.raises(StudyError, match="not a file of weights"):
        build_classifier("shufflenetv2-imagenet")


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle ran')",)


def test_weights_from_imagenet_are_read_back_without_a_download(cache, tmp_path):
    model = build_classifier("shufflenetv2-imagenet", start=False).eval()
    save_model(model, tmp_path / "m.safetensors", classifier="shufflenetv2-imagenet", image_px=48)
    x = torch.rand(2, 1, 48, 48)
    with torch.no_grad():
        assert torch.allclose(load_model(tmp_path / "m.safetensors")(x), model(x), atol=1e-6)


def test_each_network_has_the_code_of_its_own_file():
    codes = {name: training_code(name) for name in ("small", "fast", "s2", "resnet18", "resnet18-imagenet", "resnet50")}
    assert codes["resnet18"] == codes["resnet50"] == codes["resnet18-imagenet"]
    assert len(set(codes.values())) == 4
    assert set(VARIANTS) >= {"", "-imagenet"}
