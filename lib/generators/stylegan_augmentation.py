"""Augmentation of all that the discriminator sees, and the heuristic that sets its probability.

Source: Karras et al. 2020b, arXiv 2006.06676, appendix B (pixel blitting, geometric and colour transformations) and section 3.1 (r_t).
Differs: for grey images, on which hue and saturation do nothing; bilinear resampling with reflection, without the wavelet prefilter.
"""

import math

import torch
from torch.nn.functional import affine_grid, grid_sample

TARGET = 0.6  # of r_t, the mean sign of the discriminator's logits of real images
SPEED_IMAGES = 500_000  # images over which the probability can go from 0 to 1


def augment(images: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Transform images, each kind of transformation with probability p; at p = 0 this is the identity, to the bit.

    Args:
        images: float (N, 1, px, px) in [-1, 1].
        p: float scalar tensor, 0 to 1.

    Returns:
        float (N, 1, px, px).
    """
    matrix, moved = geometry(len(images), images.shape[-1], p)
    grid = affine_grid(matrix[:, :2], list(images.shape), align_corners=False)
    warped = grid_sample(images, grid.to(images.dtype), mode="bilinear", padding_mode="reflection", align_corners=False)
    images = torch.where(moved[:, None, None, None], warped, images)
    scale, shift = colour(len(images), p)
    return images * scale[:, None, None, None] + shift[:, None, None, None]


def geometry(n: int, px: int, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw affine maps from output to input, in affine_grid's coordinates [-1, 1].

    Returns:
        float (n, 3, 3), and bool (n,): which images are transformed at all.
    """
    device = p.device
    matrix, moved = torch.eye(3, device=device).repeat(n, 1, 1), torch.zeros(n, dtype=torch.bool, device=device)
    rotated = 1 - torch.sqrt(1 - p.clamp(0, 1))  # either of the two rotations happens with probability p
    uniform, normal, zero = (lambda: torch.rand(n, device=device)), (lambda: torch.randn(n, device=device)), torch.zeros(n, device=device)
    steps = (
        (p, lambda: scaling(torch.where(uniform() < 0.5, -1.0, 1.0), zero + 1)),
        (p, lambda: rotation(torch.floor(uniform() * 4) * math.pi / 2)),
        (p, lambda: translation(*(torch.round((uniform() * 2 - 1) * 0.125 * px) * 2 / px for _ in range(2)))),
        (p, lambda: zoomed(torch.exp2(0.2 * normal()))),
        (rotated, lambda: rotation((uniform() * 2 - 1) * math.pi)),
        (p, lambda: stretched(torch.exp2(0.2 * normal()))),
        (rotated, lambda: rotation((uniform() * 2 - 1) * math.pi)),
        (p, lambda: translation(*(0.125 * 2 * normal() for _ in range(2)))),
    )  # fmt: skip
    for chance, make in steps:
        chosen = torch.rand(n, device=device) < chance
        matrix = torch.where(chosen[:, None, None], matrix @ make(), matrix)
        moved = moved | chosen
    return matrix, moved


def colour(n: int, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw brightness, contrast and inversion: float (n,) scales and shifts."""
    chosen = torch.rand(3, n, device=p.device) < p
    shift = torch.where(chosen[0], 0.2 * torch.randn(n, device=p.device), 0.0)
    contrast = torch.where(chosen[1], torch.exp2(0.5 * torch.randn(n, device=p.device)), 1.0)
    sign = torch.where(chosen[2] & (torch.rand(n, device=p.device) < 0.5), -1.0, 1.0)
    return contrast * sign, shift * contrast * sign


def adapted(p: torch.Tensor, sign: torch.Tensor, images: int) -> torch.Tensor:
    """Move the probability up where the discriminator overfits (mean sign of real logits above TARGET), else down; within 0 and 1."""
    return (p + torch.sign(sign - TARGET) * images / SPEED_IMAGES).clamp(0, 1)


def scaling(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Scale the axes: (n,) each to (n, 3, 3)."""
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], 1))


def zoomed(factor: torch.Tensor) -> torch.Tensor:
    """Scale both axes alike."""
    return scaling(factor, factor)


def stretched(factor: torch.Tensor) -> torch.Tensor:
    """Stretch one axis and shrink the other."""
    return scaling(factor, 1 / factor)


def rotation(angle: torch.Tensor) -> torch.Tensor:
    """Rotate by angles in radians: (n,) to (n, 3, 3)."""
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [torch.stack(row, 1) for row in ((cos, -sin, zero), (sin, cos, zero), (zero, zero, zero + 1))]
    return torch.stack(rows, 1)


def translation(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Move by parts of half a side: (n,) each to (n, 3, 3)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([torch.stack(row, 1) for row in ((one, zero, x), (zero, one, y), (zero, zero, one))], 1)
