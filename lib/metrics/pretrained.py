"""Feature spaces of published networks, from weights that lie on this machine.

DINOv2, CLIP, or Inception. Nothing is downloaded, and only safetensors are read, so that no file
can run code.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from lib.compute.checkpoints import load_tensors
from lib.faces.content import reason_of
from lib.study.errors import StudyError
from lib.study.records import read_json

BATCH = 32  # images a forward pass

# Mean and standard deviation of each channel, which the published networks subtract and divide by.
CLIP_COLOURS = ((0.48145, 0.45783, 0.40821), (0.26863, 0.26130, 0.27578))
IMAGENET_COLOURS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

CONVERT = (
    "safetensors.torch.save_file(torch.load('weights.pth', weights_only=True), "
    "'weights.safetensors')"
)

# A feature space: uint8 (N, H, W) images of any size to float32 (N, D) features.
Extract = Callable[[np.ndarray], np.ndarray]


def pretrained_space(path: str) -> tuple[str, Extract]:
    """Load a published network as a feature space.

    Args:
        path: folder of a DINOv2 or CLIP vision model as `transformers` writes it (config.json,
            model.safetensors), or a .safetensors file with the Inception weights of
            `torch-fidelity`.

    Returns:
        The name of the space, and a function of uint8 (N, H, W) images of any size to float32
        (N, D) features.

    Raises:
        StudyError: nothing there, another kind of network, a pickle, or weights of another shape.
    """
    # A folder of transformers' own, or a single file.
    place = Path(path).expanduser()
    if place.is_dir() and (place / "config.json").exists():
        return _transformer(place)
    if place.suffix == ".safetensors" and place.is_file():
        return "inception", _inception(place)
    raise StudyError(
        f"feature_weights: {path}: neither a folder with config.json and model.safetensors "
        "(DINOv2, CLIP) nor a .safetensors file (Inception of torch-fidelity). Leave it empty for "
        "the study's own encoder; a .pth file is a pickle, write it as safetensors once: "
        f"{CONVERT}"
    )


def _transformer(folder: Path) -> tuple[str, Extract]:
    """Load a DINOv2 or CLIP vision model from its folder."""
    from transformers import AutoConfig, AutoModel, CLIPVisionModel

    # The configuration names the network.
    kind = str(read_json(folder / "config.json").get("model_type", ""))
    is_clip = kind in ("clip", "clip_vision_model")
    if not (is_clip or kind.startswith("dinov2")):
        raise StudyError(
            f"feature_weights: {folder}: a network of type {kind!r}; DINOv2 and CLIP are known"
        )
    loader = CLIPVisionModel if is_clip else AutoModel
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        network = loader.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except Exception as error:  # of transformers, safetensors and torch, many kinds
        raise StudyError(
            f"feature_weights: {folder}: {reason_of(error)}; download the folder again, "
            "with model.safetensors"
        ) from None
    network.eval()

    # The published preprocessing: CLIP's own statistics, ImageNet's for DINOv2. Grey images have
    # three equal channels.
    px = getattr(config, "vision_config", config).image_size
    colours = CLIP_COLOURS if is_clip else IMAGENET_COLOURS
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in colours)

    def forward(x: torch.Tensor) -> torch.Tensor:
        return network(pixel_values=(x.float() / 255 - mean) / std).pooler_output

    # The family names the space, not the variant.
    name = "clip" if is_clip else "dinov2"
    return name, lambda images: _in_batches(images, px, forward)


def _inception(path: Path) -> Extract:
    """Load the Inception network of torch-fidelity from its weights."""
    from unittest.mock import patch

    from torch_fidelity import feature_extractor_inceptionv3 as published

    # Read as safetensors: no code can hide in them.
    tensors, _ = load_tensors(path)

    # The class reads its weights from the network or from a pickle only: it is handed ours.
    with patch.object(published, "load_state_dict_from_url", lambda *_, **__: tensors):
        try:
            network: nn.Module = published.FeatureExtractorInceptionV3("inception", ["2048"])
        except Exception as error:  # of torch, by the names and shapes of the weights
            raise StudyError(
                f"feature_weights: {path}: not the Inception weights of torch-fidelity "
                f"({reason_of(error)})"
            ) from None
    network.eval()

    # The network enlarges by itself, as published.
    return lambda images: _in_batches(images, images.shape[1], lambda x: network(x)[0])


def _in_batches(
    images: np.ndarray, px: int, forward: Callable[[torch.Tensor], torch.Tensor]
) -> np.ndarray:
    """Run a network on images, batch by batch.

    Args:
        images: uint8 (N, H, W).
        px: side to which they are resized first.
        forward: uint8 (B, 3, px, px) to float (B, D).

    Returns:
        float32 (N, D).
    """
    parts = []
    with torch.no_grad():
        # Few images at a time: these networks are large.
        for first in range(0, len(images), BATCH):
            batch = images[first : first + BATCH]

            # The published input size, and three equal channels.
            sized = [cv2.resize(each, (px, px), interpolation=cv2.INTER_CUBIC) for each in batch]
            grey = torch.from_numpy(np.stack(sized))[:, None]
            parts.append(forward(grey.expand(-1, 3, -1, -1).contiguous()).numpy())
    return np.concatenate(parts).astype(np.float32)
