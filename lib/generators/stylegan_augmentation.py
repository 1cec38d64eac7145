"""Augmentation of all that the discriminator sees, and the heuristic that sets its probability.

Source: Karras et al. 2020b, arXiv 2006.06676, appendix B (pixel blitting, geometric and colour
transformations) and section 3.1 (r_t).
Differs: for grey images, on which hue and saturation do nothing; bilinear resampling with
reflection, without the wavelet prefilter.
"""

import math

import torch
from torch.nn.functional import affine_grid, grid_sample

TARGET = 0.6  # of r_t, the mean sign of the discriminator's logits of real images
RAMP_IMAGES = 500_000  # images over which the probability can go from 0 to 1

# Ranges of the transformations (appendix B).
SHIFT = 0.125  # translation, share of the side
ZOOM_STD = 0.2  # of the logarithm to base 2, isotropic and anisotropic
BRIGHTNESS_STD = 0.2  # of images in [-1, 1]
CONTRAST_STD = 0.5  # of the logarithm to base 2


def augment(
    images: torch.Tensor,  # float (N, 1, px, px) in [-1, 1]
    p: torch.Tensor,  # float scalar, 0 to 1
) -> torch.Tensor:
    """Transform images, each kind of transformation with probability p: float (N, 1, px, px).

    At p = 0 this is the identity, to the bit.
    """
    # Move the pixels of the images that are moved at all: where p is small they are few.
    matrix, moved = random_geometry(len(images), images.shape[-1], p)
    rows = moved.nonzero()[:, 0]
    if len(rows):
        chosen = images[rows]
        grid = affine_grid(matrix[rows, :2], list(chosen.shape), align_corners=False)
        warped = grid_sample(
            chosen,
            grid.to(chosen.dtype),
            mode="bilinear",
            padding_mode="reflection",
            align_corners=False,
        )
        images = images.index_copy(0, rows, warped)

    # Change grey levels.
    scale, shift = random_colour(len(images), p)
    return images * scale[:, None, None, None] + shift[:, None, None, None]


def random_geometry(
    n: int,  # images
    px: int,  # their side
    p: torch.Tensor,  # probability of each kind of transformation
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw affine maps from output to input, in affine_grid's coordinates [-1, 1].

    Returns:
        float (n, 3, 3), and bool (n,): which images are transformed at all.
    """
    # Each kind of transformation draws its own random numbers for all images.
    device = p.device
    one = torch.ones(n, device=device)

    def uniform() -> torch.Tensor:
        return torch.rand(n, device=device)

    def normal() -> torch.Tensor:
        return torch.randn(n, device=device)

    def mirror() -> torch.Tensor:
        return scaling(torch.where(uniform() < 0.5, -1.0, 1.0), one)

    def quarter_turns() -> torch.Tensor:
        return rotation(torch.floor(uniform() * 4) * math.pi / 2)

    def whole_pixels() -> torch.Tensor:
        x, y = (torch.round((uniform() * 2 - 1) * SHIFT * px) * 2 / px for _ in range(2))
        return translation(x, y)

    def zoom() -> torch.Tensor:
        factor = torch.exp2(ZOOM_STD * normal())
        return scaling(factor, factor)

    def any_rotation() -> torch.Tensor:
        return rotation((uniform() * 2 - 1) * math.pi)

    def stretch() -> torch.Tensor:
        factor = torch.exp2(ZOOM_STD * normal())
        return scaling(factor, 1 / factor)

    def any_shift() -> torch.Tensor:
        x, y = (SHIFT * 2 * normal() for _ in range(2))
        return translation(x, y)

    # One of the two rotations, before or after stretching, happens with probability p.
    p_rotation = 1 - torch.sqrt(1 - p.clamp(0, 1))
    matrix = torch.eye(3, device=device).repeat(n, 1, 1)
    moved = torch.zeros(n, dtype=torch.bool, device=device)
    for chance, draw in (
        (p, mirror),
        (p, quarter_turns),
        (p, whole_pixels),
        (p, zoom),
        (p_rotation, any_rotation),
        (p, stretch),
        (p_rotation, any_rotation),
        (p, any_shift),
    ):
        chosen = uniform() < chance
        matrix = torch.where(chosen[:, None, None], matrix @ draw(), matrix)
        moved = moved | chosen
    return matrix, moved


def random_colour(n: int, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw brightness, contrast and inversion: float (n,) scales and shifts."""
    device = p.device
    chosen = torch.rand(3, n, device=device) < p  # brightness, contrast, inversion
    shift = torch.where(chosen[0], BRIGHTNESS_STD * torch.randn(n, device=device), 0.0)
    contrast = torch.exp2(CONTRAST_STD * torch.randn(n, device=device))
    contrast = torch.where(chosen[1], contrast, 1.0)

    # An inversion turns the sign of image and shift.
    inverted = chosen[2] & (torch.rand(n, device=device) < 0.5)
    scale = contrast * torch.where(inverted, -1.0, 1.0)
    return scale, shift * scale


def adapted(
    p: torch.Tensor,  # probability of augmentations, scalar
    sign: torch.Tensor,  # r_t, mean sign of the logits of real images; overfitting is above TARGET
    images: int,  # real images since the last adaptation
) -> torch.Tensor:
    """Move the probability towards where the discriminator does not overfit, within 0 and 1."""
    return (p + torch.sign(sign - TARGET) * images / RAMP_IMAGES).clamp(0, 1)


def scaling(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Scale the axes: (n,) each to (n, 3, 3)."""
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], 1))


def rotation(angle: torch.Tensor) -> torch.Tensor:
    """Rotate by angles in radians: (n,) to (n, 3, 3)."""
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return _matrix((cos, -sin, zero), (sin, cos, zero), (zero, zero, zero + 1))


def translation(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Move by parts of half a side: (n,) each to (n, 3, 3)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix((one, zero, x), (zero, one, y), (zero, zero, one))


def _matrix(*rows: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Put entries, (n,) each, into matrices (n, 3, 3)."""
    return torch.stack([torch.stack(row, 1) for row in rows], 1)
