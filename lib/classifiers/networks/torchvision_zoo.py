"""S2's list of networks, from torchvision.

Each comes with a finer stem for small images, enlarged to 224 pixels, or from ImageNet weights.
"""

import os
import urllib.error
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.classifiers.networks.base import Classifier
from lib.study.errors import StudyError

# torchvision's name of each network, and where its last linear layer is.
NAMES = {
    "resnet18": ("resnet18", "fc"),
    "resnet50": ("resnet50", "fc"),
    "mobilenetv3": ("mobilenet_v3_large", "classifier.3"),
    "mobilenetv3-small": ("mobilenet_v3_small", "classifier.3"),
    "efficientnet-b0": ("efficientnet_b0", "classifier.1"),
    "shufflenetv2": ("shufflenet_v2_x1_0", "fc"),
    "densenet121": ("densenet121", "classifier"),
    "convnext-tiny": ("convnext_tiny", "classifier.2"),
}
VARIANTS = ("", "-224", "-imagenet", "-imagenet-frozen", "-imagenet-fixed")

# The input that torchvision's ImageNet weights were trained on.
IMAGENET_PX = 224
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Enlarge(nn.Module):
    """Enlarge grey images (N, 1, px, px) to (N, 3, 224, 224), standardised as ImageNet's are."""

    def __init__(self):
        super().__init__()
        # Constants that move with the network and are not saved with it.
        mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, size=(IMAGENET_PX, IMAGENET_PX), mode="bilinear", align_corners=False)
        return (x - self.mean) / self.std


class Fixed(nn.Module):
    """A network that stays in evaluation mode, so that its batch statistics stay ImageNet's."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def train(self, mode: bool = True) -> "Fixed":
        super().train(mode)  # for what asks about .training
        self.network.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def zoo_builder(name: str, variant: str) -> Callable[..., Classifier]:
    """Return the function that builds one variant of a network.

    Args:
        name: a key of NAMES.
        variant: one of VARIANTS.
            "": grey input, the first convolution's stride halved, random weights.
            "-224": enlarged to 224 x 224, as S2 did, random weights.
            "-imagenet": the same from ImageNet weights, all of them trained on.
            "-imagenet-frozen": only the last layer is trained; batch statistics follow the training
            images, as S2's did.
            "-imagenet-fixed": only the last layer is trained, and batch statistics stay as well.
    """

    def build(image_px: int, classes: int, start: bool = True) -> Classifier:
        import torchvision

        # torchvision's network, with ImageNet weights where the name says so.
        torchvision_name, head = NAMES[name]
        network = torchvision.models.get_model(torchvision_name, weights=None)
        if start and "imagenet" in variant:
            network.load_state_dict(imagenet_weights(torchvision_name))

        # Its body alone: the last layer is Classifier's.
        width = network.get_submodule(head).in_features
        network.set_submodule(head, nn.Identity())
        if not variant:
            _refine_stem(network)
            return Classifier(network, width, classes)

        # Enlarged input; the body is frozen where the name says so.
        network.requires_grad_(not variant.endswith(("-frozen", "-fixed")))
        body = Fixed(network) if variant.endswith("-fixed") else network
        return Classifier(nn.Sequential(Enlarge(), body), width, classes)

    return build


def imagenet_weights(torchvision_name: str) -> dict[str, Tensor]:
    """Read torchvision's default ImageNet weights of a network from torch's cache.

    They are downloaded if they are not there.

    Raises:
        StudyError: they are not there and cannot be downloaded; a file that holds no tensors.
    """
    import torchvision

    url = torchvision.models.get_model_weights(torchvision_name).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(url)
    if not path.exists():
        _download(torchvision_name, url, path)
    try:
        # weights_only: nothing in the file can run.
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the unpickler meets
        raise StudyError(
            f"{path}: not a file of weights ({type(error).__name__}); "
            f"delete it, and download {url} again"
        ) from None


def _download(torchvision_name: str, url: str, path: Path) -> None:
    """Download a file of weights, whose name ends in the first digits of its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digits = path.stem.rsplit("-", 1)[-1]
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digits, progress=False)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise StudyError(
            f"classifiers: ImageNet weights of {torchvision_name} are not here ({error}); "
            f"download {url} to {path}"
        ) from None


def _refine_stem(network: nn.Module) -> None:
    """Give the first convolution one grey channel and half its stride: 48 pixels are few."""
    convolutions = (
        (name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv2d)
    )
    name, first = next(convolutions)

    # A padding that keeps the size at the halved stride.
    stride = first.stride[0] // 2
    padding = max(first.padding[0], (first.kernel_size[0] - 1) // 2)
    refined = nn.Conv2d(
        1, first.out_channels, first.kernel_size, stride, padding, bias=first.bias is not None
    )
    network.set_submodule(name, refined)


# Every network in every variant, by name: resnet18, resnet18-224, ...
ZOO = {name + variant: zoo_builder(name, variant) for name in NAMES for variant in VARIANTS}
