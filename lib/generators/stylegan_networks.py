"""The networks of StyleGAN2-ADA at small sizes: mapping, skip generator, residual discriminator; grey, conditional on the class.

Source: Karras et al. 2020, arXiv 1912.04958; Karras et al. 2020b, arXiv 2006.06676 (class
embedding in the mapping, projection in the judge).
"""

import math

import torch
from torch import nn
from torch.nn.functional import one_hot

from lib.faces.faceset import CLASSES
from lib.generators.stylegan_layers import Conv, Dense, Modulated, Styled, blur, unit, upsample

WIDEST = 8  # channels grow with falling resolution up to so many times the width
GROUP = 4  # images whose spread the judge sees together


def levels(px: int) -> list[int]:
    """List the sides from the lowest, 3 or 4 (or what px allows), to px, each twice the one before."""
    sides = [px]
    while sides[0] % 2 == 0 and sides[0] > 4:
        sides.insert(0, sides[0] // 2)
    return sides


def channels(side: int, px: int, width: int) -> int:
    """Choose the channels of a layer: width at full resolution, doubling downwards to WIDEST times it."""
    return width * min(px // side, WIDEST)


def condition(labels: torch.Tensor, kind: str) -> torch.Tensor:
    """Turn labels (N,) into what the networks see: one-hot (N, 7), or S2's single real number (N, 1)."""
    return one_hot(labels, len(CLASSES)).float() if kind == "one-hot" else labels.float()[:, None]


class Mapping(nn.Module):
    """Noise z and condition to a style w; keeps the running mean style for truncation."""

    def __init__(self, size: int, conditions: int, layers: int = 2):
        super().__init__()
        self.embed = Dense(conditions, size)
        self.layers = nn.Sequential(*(Dense(2 * size if i == 0 else size, size, lr=0.01, active=True) for i in range(layers)))
        self.register_buffer("mean", torch.zeros(size))

    def forward(self, z: torch.Tensor, c: torch.Tensor, truncation: float = 1.0) -> torch.Tensor:
        w = self.layers(torch.cat([unit(z), unit(self.embed(c))], 1))
        if self.training:
            self.mean.lerp_(w.detach().float().mean(0), 0.002)
        return w if truncation == 1 else self.mean.lerp(w, truncation)


class Synthesis(nn.Module):
    """Styles to an image: a learnt constant, two styled convolutions a resolution, and a sum of what each resolution adds to the image."""

    def __init__(self, px: int, width: int, style: int):
        super().__init__()
        self.sides = levels(px)
        wide = [channels(side, px, width) for side in self.sides]
        self.constant = nn.Parameter(torch.randn(wide[0], self.sides[0], self.sides[0]))
        self.grow = nn.ModuleList(Styled(inner, outer, style, up=True) for inner, outer in zip(wide, wide[1:]))
        self.refine = nn.ModuleList(Styled(outer, outer, style) for outer in wide)
        self.shown = nn.ModuleList(Modulated(outer, 1, 1, style, demodulate=False) for outer in wide)
        self.styles = 2 * len(wide)  # one style for each layer that takes one, shared by a resolution's output

    def noise_size(self) -> int:
        """Count the noise values of one image."""
        return sum(side**2 for side in self.sides) + sum(side**2 for side in self.sides[1:])

    def forward(self, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Styles (N, styles, size) and noise (N, noise_size()) to images (N, 1, px, px)."""
        x, image, used = self.constant.expand(len(w), -1, -1, -1), None, 0
        for level, side in enumerate(self.sides):
            for layer in ([self.grow[level - 1]] if level else []) + [self.refine[level]]:
                x = layer(x, w[:, 2 * level + (layer is self.refine[level])], noise[:, used : used + side**2].view(-1, 1, side, side))
                used += side**2
            added = self.shown[level](x, w[:, min(2 * level + 2, self.styles - 1)]).float()
            image = added if image is None else upsample(image) + added
        return image


class Generator(nn.Module):
    """Mapping and synthesis."""

    def __init__(self, px: int, width: int, conditions: int, size: int):
        super().__init__()
        self.size, self.mapping, self.synthesis = size, Mapping(size, conditions), Synthesis(px, width, size)

    def styles(self, z: torch.Tensor, c: torch.Tensor, truncation: float = 1.0) -> torch.Tensor:
        """One style for all layers, (N, styles, size)."""
        return self.mapping(z, c, truncation)[:, None].expand(-1, self.synthesis.styles, -1)


class Residual(nn.Module):
    """Halve the side: two convolutions beside a linear path, their sum scaled back to unit variance."""

    def __init__(self, inner: int, outer: int):
        super().__init__()
        self.first, self.second = Conv(inner, inner, 3), Conv(inner, outer, 3, down=True)
        self.straight = Conv(inner, outer, 1, active=False, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        straight = self.straight(blur(x, 1, 1.0, stride=2))
        return (self.second(self.first(x)) + straight) / math.sqrt(2)


class Discriminator(nn.Module):
    """Image and condition to one logit, positive for real."""

    def __init__(self, px: int, width: int, conditions: int, size: int):
        super().__init__()
        sides = levels(px)[::-1]
        wide = [channels(side, px, width) for side in sides]
        self.start = Conv(1, wide[0], 1)
        self.blocks = nn.Sequential(*(Residual(inner, outer) for inner, outer in zip(wide, wide[1:])))
        self.end = nn.Sequential(
            Conv(wide[-1] + 1, wide[-1], 3), nn.Flatten(), Dense(wide[-1] * sides[-1] ** 2, wide[-1], active=True), Dense(wide[-1], size)
        )
        self.embed = nn.Sequential(
            Dense(conditions, size), Dense(size, size, lr=0.01, active=True), Dense(size, size, lr=0.01, active=True)
        )

    def forward(self, images: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        kind = self.start.weight.dtype  # full precision for what is compared
        x = with_spread(self.blocks(self.start(images)).to(kind))
        return (self.end(x).to(kind) * unit(self.embed(c).to(kind))).sum(1) / math.sqrt(self.embed[0].weight.shape[0])


def with_spread(x: torch.Tensor, group: int = GROUP) -> torch.Tensor:
    """Append the mean standard deviation over groups of images as one more channel, so that the judge notices copies.

    Source: Karras et al. 2018, arXiv 1710.10196, section 3.
    """
    n = len(x)
    group = max(size for size in range(1, min(group, n) + 1) if n % size == 0)
    grouped = x.reshape(group, -1, *x.shape[1:])
    spread = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return torch.cat([x, spread.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])], 1)
