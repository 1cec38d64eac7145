"""Augmentation of the images that the diffusion model learns from.

Source: Karras et al. 2022, arXiv 2206.00364, appendix F.2 and table 6.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

AUGMENTATIONS = 6  # numbers that describe how an image was augmented
SCALE_STD = 0.2 * math.log(2)  # of the logs of scale and stretch
SHIFT_STD = 0.125  # of a shift, sides of the image


def mirror(images: Tensor) -> Tensor:
    """Mirror each image, float (N, 1, px, px), with probability one half."""
    mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def augment(images: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Scale, turn, stretch and shift images at random, for training sets of few images.

    Differs from EDM: stretches along the axes alone, edges repeated instead of reflected.

    Args:
        images: float (N, 1, px, px).
        probability: of each of the four, 0 to 1.

    Returns:
        The images, and float32 (N, AUGMENTATIONS): log of the scale, cosine of the angle less 1,
        its sine, log of the stretch, shifts right and down; zeros where an image is as it was. The
        network reads it, so that zeros draw images as they are.
    """
    n, device = len(images), images.device

    def is_chosen() -> Tensor:
        return torch.rand(n, device=device) < probability

    def amounts(std: float) -> Tensor:
        chosen = is_chosen()
        return torch.randn(n, device=device) * std * chosen

    # Draw what happens to each image.
    scale = amounts(SCALE_STD)
    angle = (torch.rand(n, device=device) * 2 - 1) * math.pi * is_chosen()
    stretch = amounts(SCALE_STD)
    chosen = is_chosen().float()
    right, down = torch.randn(2, n, device=device) * SHIFT_STD * chosen

    # Where each pixel of the result comes from, in units of half the side.
    across = torch.exp(-scale - stretch)
    along = torch.exp(-scale + stretch)
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([cos * across, sin * across, -2 * right], 1),
        torch.stack([-sin * along, cos * along, -2 * down], 1),
    ]

    # Move the pixels.
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved, torch.stack([scale, cos - 1, sin, stretch, right, down], 1)
