"""The networks: published sizes, one shape for all, ImageNet weights found or asked for."""

import pickle

import pytest
import torch

from lib.classifiers.models import (
    NETWORKS,
    build_classifier,
    load_model,
    parameter_count,
    save_model,
)
from lib.classifiers.networks.torchvision_zoo import NAMES
from lib.classifiers.versions import NETWORK_VERSIONS
from lib.study.errors import StudyError

# torchvision's documentation: parameters with a head of 1,000 classes.
PUBLISHED = {
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "mobilenetv3": 5_483_032,
    "mobilenetv3-small": 2_542_856,
    "efficientnet-b0": 5_288_548,
    "shufflenetv2": 2_278_604,
    "densenet121": 7_978_856,
    "convnext-tiny": 28_589_128,
}
OWN_SIZES = [("s2", 3.6), ("resemotenet", 80), ("deep", 2.8), ("fast", 0.30), ("small", 0.10)]


def on_meta(name: str, classes: int = 7):
    """Build a network without memory for its weights."""
    with torch.device("meta"):
        return build_classifier(name, classes=classes, start=False)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder in the place of torch's cache of downloads."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("classes", [7, 10])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_torchvision_has_its_published_size_but_for_the_head(name, classes):
    enlarged = on_meta(f"{name}-224", classes)
    width = enlarged.last.in_features
    head, published_head = (width + 1) * classes, (width + 1) * 1000
    assert parameter_count(enlarged) == PUBLISHED[name] - published_head + head


@pytest.mark.parametrize(("name", "millions"), OWN_SIZES)
def test_the_other_networks_have_the_size_that_they_claim(name, millions):
    assert parameter_count(on_meta(name)) / 1e6 == pytest.approx(millions, rel=0.02)


def test_s1_has_the_published_size():
    assert parameter_count(on_meta("s1")) == 11_092_103


@pytest.mark.parametrize("name", [name for name in NETWORKS if "imagenet" not in name])
def test_every_network_maps_images_to_features_and_these_to_logits(name):
    model = on_meta(name, classes=5).eval()
    x = torch.zeros(2, 1, 48, 48, device="meta")
    assert model.features(x).shape == (2, model.last.in_features)
    assert model(x).shape == (2, 5)


def test_every_network_has_a_version():
    own = {name for name in NETWORKS if not name.startswith(tuple(NAMES))}
    assert set(NETWORK_VERSIONS) == own | {"torchvision"}


@pytest.mark.parametrize(
    ("variant", "trained", "adapts"),
    [
        ("", True, True),
        ("-imagenet", True, True),
        ("-imagenet-frozen", False, True),
        ("-imagenet-fixed", False, False),
    ],
)
def test_frozen_networks_train_their_head_alone_and_fixed_ones_keep_their_batch_statistics(
    variant, trained, adapts
):
    model = build_classifier(f"shufflenetv2{variant}", classes=7, start=False).train()

    def statistics() -> list[torch.Tensor]:
        tensors = model.state_dict().items()
        return [value.clone() for name, value in tensors if "running" in name]

    before = statistics()
    with torch.no_grad():
        model(torch.rand(4, 1, 48, 48))
    changed = [not torch.equal(a, b) for a, b in zip(before, statistics())]
    assert any(changed) is adapts
    assert any(p.requires_grad for p in model.body.parameters()) is trained
    assert all(p.requires_grad for p in model.last.parameters())


def test_imagenet_weights_that_cannot_be_had_are_named_with_their_place(cache, monkeypatch):
    def fail(*arguments, **settings):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    message = r"resnet18 are not here \(no network\); download https://.*pth to .*checkpoints"
    with pytest.raises(StudyError, match=message):
        build_classifier("resnet18-imagenet", classes=7)


def test_imagenet_weights_are_read_as_tensors_alone(cache):
    import torchvision

    torch.manual_seed(0)
    weights = torchvision.models.shufflenet_v2_x1_0().state_dict()
    url = torchvision.models.get_model_weights("shufflenet_v2_x1_0").DEFAULT.url
    file = cache / url.rsplit("/")[-1]
    torch.save(weights, file)
    model = build_classifier("shufflenetv2-imagenet-frozen", classes=7)
    assert torch.equal(model.body[1].conv1[0].weight, weights["conv1.0.weight"])

    # A pickle that would run code.
    file.write_bytes(pickle.dumps({"x": Harmful()}))
    with pytest.raises(StudyError, match="not a file of weights"):
        build_classifier("shufflenetv2-imagenet", classes=7)


class Harmful:
    """An object whose pickle runs code when it is read."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle ran')",)


def test_weights_from_imagenet_are_read_back_without_a_download(cache, tmp_path):
    name, classes = "shufflenetv2-imagenet", ("a", "b", "c")
    model = build_classifier(name, classes=3, start=False).eval()
    path = tmp_path / "m.safetensors"
    save_model(model, path, classifier=name, image_px=48, classes=classes)
    x = torch.rand(2, 1, 48, 48)
    with torch.no_grad():
        assert torch.allclose(load_model(path)(x), model(x), atol=1e-6)
