"""Augmentation as functions of a whole batch, drawn from an explicit generator on the batch's device.

Geometry works on uint8 (B, H, W) before the pixels become floats: a quarter of the memory traffic.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lib.classifiers.recipes import Recipe


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Apply a recipe's augmentations.

    Args:
        images: uint8 (B, H, W), 0 to 255.
        generator: on the same device; advanced by the same amount whatever it draws.

    Returns:
        float32 (B, 1, H, W) in [0, 1].
    """
    if recipe.flip:
        images = flip(images, generator)
    if recipe.shift_px:
        images = shift(images, recipe.shift_px, generator)
    x = to_float(images)
    if recipe.rotation_degrees or recipe.zoom_share:
        x = rotate_and_zoom(x, recipe.rotation_degrees, recipe.zoom_share, generator)
    if recipe.brightness_share or recipe.contrast_share:
        x = relight(x, recipe.brightness_share, recipe.contrast_share, generator)
    return cutout(x, recipe.cutout_px, generator) if recipe.cutout_px else x


def to_float(images: Tensor) -> Tensor:
    """Turn uint8 (B, H, W) into float32 (B, 1, H, W) in [0, 1]."""
    return images.unsqueeze(1).float().div_(255)


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw float32 (n,) evenly from [low, high)."""
    return torch.rand(n, generator=generator, device=generator.device) * (high - low) + low


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image with probability one half."""
    chosen = uniform(len(images), 0, 1, generator) < 0.5
    return torch.where(chosen[:, None, None], images.flip(-1), images)


def shift(images: Tensor, px: int, generator: torch.Generator) -> Tensor:
    """Shift each image by -px to px whole pixels along each axis; edge pixels are repeated."""
    n, height, width = images.shape
    offsets = torch.randint(-px, px + 1, (2, n, 1), generator=generator, device=images.device)
    rows = (torch.arange(height, device=images.device) + offsets[0]).clamp_(0, height - 1)
    columns = (torch.arange(width, device=images.device) + offsets[1]).clamp_(0, width - 1)
    flat = (rows[:, :, None] * width + columns[:, None, :]).view(n, -1)
    return images.reshape(n, -1).gather(1, flat).view(n, height, width)


def rotate_and_zoom(x: Tensor, degrees: float, share: float, generator: torch.Generator) -> Tensor:
    """Rotate each image by up to +-degrees and scale it by up to +-share, about its centre; edge pixels are repeated."""
    n = len(x)
    angle = uniform(n, -math.radians(degrees), math.radians(degrees), generator)
    scale = 1 / uniform(n, 1 - share, 1 + share, generator)
    cos, sin, zero = angle.cos() * scale, angle.sin() * scale, torch.zeros_like(angle)
    theta = torch.stack([cos, -sin, zero, sin, cos, zero], 1).view(n, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def relight(x: Tensor, brightness: float, contrast: float, generator: torch.Generator) -> Tensor:
    """Add up to +-brightness to each image and stretch it by up to +-contrast about its mean; clipped to [0, 1]."""
    added = uniform(len(x), -brightness, brightness, generator).view(-1, 1, 1, 1)
    factor = uniform(len(x), 1 - contrast, 1 + contrast, generator).view(-1, 1, 1, 1)
    mean = x.mean((1, 2, 3), keepdim=True)
    return ((x - mean) * factor + mean + added).clamp(0, 1)


def cutout(x: Tensor, px: int, generator: torch.Generator) -> Tensor:
    """Set a px x px square of each image to mid grey; squares may stick out over the edge.

    Source: DeVries and Taylor 2017, arXiv 1708.04552.
    """
    inside = _squares(x, torch.full((len(x),), px, device=x.device), generator)
    return x.masked_fill(inside, 0.5)


def mix(x: Tensor, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Mix each image with another of the batch, by MixUp or CutMix as the recipe says (a coin decides where it names both).

    Returns:
        The images, the positions (B,) of the partners, and the share of the first image (1 where nothing is mixed).

    Source: MixUp: Zhang et al. 2017, arXiv 1710.09412. CutMix: Yun et al. 2019, arXiv 1905.04899.
    """
    partners = torch.randperm(len(x), generator=generator, device=x.device)
    cut = recipe.cutmix_alpha and (not recipe.mixup_alpha or uniform(1, 0, 1, generator).item() < 0.5)
    share = _beta(recipe.cutmix_alpha if cut else recipe.mixup_alpha, generator)
    if not cut:
        return x * share + x[partners] * (1 - share), partners, share
    side = int(x.shape[-1] * math.sqrt(1 - share))
    inside = _squares(x[:1], torch.tensor([side], device=x.device), generator)
    return torch.where(inside, x[partners], x), partners, 1 - inside.float().mean().item()


def _squares(x: Tensor, sides: Tensor, generator: torch.Generator) -> Tensor:
    """Mark a square of the given side (N,) around a random centre of each image: bool (N, 1, H, W)."""
    n, _, height, width = x.shape
    centres = torch.rand(2, n, 1, generator=generator, device=x.device)
    rows = (torch.arange(height, device=x.device) + 0.5 - centres[0] * height).abs() < sides[:, None] / 2
    columns = (torch.arange(width, device=x.device) + 0.5 - centres[1] * width).abs() < sides[:, None] / 2
    return (rows[:, :, None] & columns[:, None, :]).unsqueeze(1)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """Draw from Beta(alpha, alpha) by Jöhnk's method (1964), which needs uniform numbers alone."""
    while True:
        u, v = (uniform(2, 0, 1, generator).double() ** (1 / alpha)).tolist()
        if 0 < u + v <= 1:
            return u / (u + v)
