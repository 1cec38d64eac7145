"""Feature spaces of published networks, from weights that lie on this machine: DINOv2, CLIP, or Inception. Nothing is downloaded.

Only safetensors are read, so that no file can run code.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from lib.generators.checkpoints import load_tensors
from lib.study.errors import StudyError
from lib.study.records import read_json

BATCH = 32
CLIP_COLOURS = (0.48145, 0.45783, 0.40821), (0.26863, 0.26130, 0.27578)  # mean, standard deviation of each channel
IMAGENET_COLOURS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CONVERT = "safetensors.torch.save_file(torch.load('weights.pth', weights_only=True), 'weights.safetensors')"


def pretrained_space(path: str) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """Load a published network as a feature space.

    Args:
        path: folder of a DINOv2 or CLIP vision model as `transformers` writes it (config.json, model.safetensors), or a .safetensors file
            with the Inception weights of `torch-fidelity`.
    Returns:
        (name of the space, function of uint8 (N, H, W) images of any size to float32 (N, D) features).
    Raises:
        StudyError: nothing there, another kind of network, a pickle, or weights of another shape.
    """
    place = Path(path).expanduser()
    if place.is_dir() and (place / "config.json").exists():
        return _transformer(place)
    if place.suffix == ".safetensors" and place.is_file():
        return "inception", _inception(place)
    raise StudyError(
        f"feature_weights: {path}: neither a folder with config.json and model.safetensors (DINOv2, CLIP) nor a .safetensors file "
        f"(Inception of torch-fidelity). Leave it empty for the study's own encoder; a .pth file is a pickle, write it as safetensors "
        f"once: {CONVERT}"
    )


def _transformer(folder: Path) -> tuple[str, Callable]:
    from transformers import AutoConfig, AutoModel, CLIPVisionModel

    kind = read_json(folder / "config.json").get("model_type", "")
    if not (kind.startswith("dinov2") or kind in ("clip", "clip_vision_model")):
        raise StudyError(f"feature_weights: {folder}: a network of type {kind!r}; DINOv2 and CLIP are known")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        loader = CLIPVisionModel if "clip" in kind else AutoModel
        network = loader.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"feature_weights: {folder}: {reason}; download the folder again, with model.safetensors") from None
    px = getattr(config, "vision_config", config).image_size
    # the published preprocessing: CLIP's own statistics, ImageNet's for DINOv2; grey images have three equal channels
    mean, std = (torch.tensor(own).view(1, 3, 1, 1) for own in (CLIP_COLOURS if "clip" in kind else IMAGENET_COLOURS))

    def extract(images: np.ndarray) -> np.ndarray:
        return _in_batches(images, px, lambda x: network(pixel_values=(x.float() / 255 - mean) / std).pooler_output)

    return kind.split("_")[0], extract


def _inception(path: Path) -> Callable:
    from unittest.mock import patch

    from torch_fidelity import feature_extractor_inceptionv3 as published

    tensors, _ = load_tensors(path)
    # the class reads its weights from the network or from a pickle only: it is handed ours instead
    with patch.object(published, "load_state_dict_from_url", lambda *_, **__: tensors):
        try:
            network: nn.Module = published.FeatureExtractorInceptionV3("inception", ["2048"]).eval()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise StudyError(f"feature_weights: {path}: not the Inception weights of torch-fidelity ({reason})") from None
    return lambda images: _in_batches(images, images.shape[1], lambda x: network(x)[0])  # it enlarges by itself, as published


def _in_batches(images: np.ndarray, px: int, network: Callable) -> np.ndarray:
    found = []
    with torch.no_grad():
        for first in range(0, len(images), BATCH):
            sized = np.stack([cv2.resize(image, (px, px), interpolation=cv2.INTER_CUBIC) for image in images[first : first + BATCH]])
            found.append(network(torch.from_numpy(sized)[:, None].expand(-1, 3, -1, -1).contiguous()).numpy())
    return np.concatenate(found).astype(np.float32)
