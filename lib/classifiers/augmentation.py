"""Augmentation as functions of a whole batch, drawn from an explicit generator on its device.

Flips and shifts work on uint8 (B, H, W) before the pixels become floats: a quarter of the memory
traffic.
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
        recipe: whose augmentations are applied; MixUp and CutMix are `mix`.
        generator: on the same device; advanced by the same amount whatever it draws.

    Returns:
        float32 (B, 1, H, W) in [0, 1].
    """
    # Whole pixels first, in uint8.
    if recipe.flip:
        images = flip(images, generator)
    if recipe.shift_px:
        images = shift(images, recipe.shift_px, generator)

    # What needs fractions of pixels and grey levels, in float.
    x = to_float(images)
    if recipe.rotation_degrees or recipe.zoom_share:
        x = rotate_and_zoom(x, recipe.rotation_degrees, recipe.zoom_share, generator)
    if recipe.brightness_share or recipe.contrast_share:
        x = relight(x, recipe.brightness_share, recipe.contrast_share, generator)
    if recipe.cutout_px:
        x = cutout(x, recipe.cutout_px, generator)
    return x


def to_float(images: Tensor) -> Tensor:
    """Turn uint8 (B, H, W) into float32 (B, 1, H, W) in [0, 1]."""
    return images.unsqueeze(1).float().div_(255)


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw float32 (n,) evenly from [low, high)."""
    return torch.rand(n, generator=generator, device=generator.device) * (high - low) + low


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image with probability one half."""
    chosen = uniform(len(images), 0, 1, generator) < 0.5  # (B,)
    return torch.where(chosen[:, None, None], images.flip(-1), images)


def shift(images: Tensor, px: int, generator: torch.Generator) -> Tensor:
    """Shift each image by -px to px whole pixels along each axis; edge pixels are repeated."""
    n, height, width = images.shape
    offsets = torch.randint(-px, px + 1, (2, n, 1), generator=generator, device=images.device)

    # The row and the column that each pixel is taken from: (B, H) and (B, W).
    rows = (torch.arange(height, device=images.device) + offsets[0]).clamp_(0, height - 1)
    columns = (torch.arange(width, device=images.device) + offsets[1]).clamp_(0, width - 1)

    # One gather over the flattened images.
    flat = (rows[:, :, None] * width + columns[:, None, :]).view(n, -1)
    return images.reshape(n, -1).gather(1, flat).view(n, height, width)


def rotate_and_zoom(x: Tensor, degrees: float, share: float, generator: torch.Generator) -> Tensor:
    """Rotate each image by up to +-degrees and scale it by up to +-share, about its centre.

    Pixels between the old ones are interpolated bilinearly; edge pixels are repeated.
    """
    # One angle and one scale an image: (B,).
    n = len(x)
    angle = uniform(n, -math.radians(degrees), math.radians(degrees), generator)
    scale = 1 / uniform(n, 1 - share, 1 + share, generator)

    # One affine matrix an image, from output to input coordinates: (B, 2, 3).
    cos, sin = angle.cos() * scale, angle.sin() * scale
    zero = torch.zeros_like(angle)
    theta = torch.stack([cos, -sin, zero, sin, cos, zero], 1).view(n, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def relight(x: Tensor, brightness: float, contrast: float, generator: torch.Generator) -> Tensor:
    """Add up to +-brightness to each image and stretch it by up to +-contrast about its mean.

    The result is clipped to [0, 1].
    """
    # One brightness and one contrast an image: (B, 1, 1, 1).
    added = uniform(len(x), -brightness, brightness, generator).view(-1, 1, 1, 1)
    factor = uniform(len(x), 1 - contrast, 1 + contrast, generator).view(-1, 1, 1, 1)
    # The mean of an image stays where it is when the contrast changes.
    mean = x.mean((1, 2, 3), keepdim=True)
    return ((x - mean) * factor + mean + added).clamp(0, 1)


def cutout(x: Tensor, px: int, generator: torch.Generator) -> Tensor:
    """Set a px x px square of each image to mid grey; squares may extend over the edge.

    Source: DeVries and Taylor 2017, arXiv 1708.04552.
    """
    # Every square has the same side, and a centre of its own.
    inside = _squares(x, torch.full((len(x),), px, device=x.device), generator)
    return x.masked_fill(inside, 0.5)


def mix(x: Tensor, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Mix each image with another of the batch, by MixUp or CutMix as the recipe says.

    A coin decides for each batch where the recipe names both.

    Args:
        x: float32 (B, 1, H, W).

    Returns:
        (images, positions (B,) of the partners, share of the first image: 1 where nothing is
        mixed).

    Source: MixUp: Zhang et al. 2017, arXiv 1710.09412. CutMix: Yun et al. 2019, arXiv 1905.04899.
    """
    # Whom each image is mixed with, by which way, and how much.
    partners = torch.randperm(len(x), generator=generator, device=x.device)
    cut = recipe.cutmix_alpha > 0
    if cut and recipe.mixup_alpha:
        cut = uniform(1, 0, 1, generator).item() < 0.5
    share = _beta(recipe.cutmix_alpha if cut else recipe.mixup_alpha, generator)

    # MixUp: a weighted mean of both images.
    if not cut:
        mixed = x * share + x[partners] * (1 - share)
        return mixed, partners, share

    # CutMix: one square for the whole batch; the share is that of the pixels which stay.
    side = int(x.shape[-1] * math.sqrt(1 - share))
    inside = _squares(x[:1], torch.tensor([side], device=x.device), generator)
    mixed = torch.where(inside, x[partners], x)
    return mixed, partners, 1 - inside.float().mean().item()


def _squares(x: Tensor, sides: Tensor, generator: torch.Generator) -> Tensor:
    """Mark a square around a random centre of each image.

    Args:
        x: (N, C, H, W).
        sides: (N,), pixels.

    Returns:
        bool (N, 1, H, W).
    """
    n, _, height, width = x.shape
    # Centres in units of the image's height and width: (2, N, 1).
    centres = torch.rand(2, n, 1, generator=generator, device=x.device)
    half = sides[:, None] / 2

    # A pixel is inside where its centre is less than half a side away along both axes.
    row_centres = torch.arange(height, device=x.device) + 0.5
    column_centres = torch.arange(width, device=x.device) + 0.5
    rows = (row_centres - centres[0] * height).abs() < half
    columns = (column_centres - centres[1] * width).abs() < half
    return (rows[:, :, None] & columns[:, None, :]).unsqueeze(1)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """Draw from Beta(alpha, alpha) by Jöhnk's method (1964), which needs uniform numbers alone."""
    # Pairs outside the unit simplex are rejected; a pair of zeros would divide by 0.
    while True:
        u, v = (uniform(2, 0, 1, generator).double() ** (1 / alpha)).tolist()
        if 0 < u + v <= 1:
            return u / (u + v)
