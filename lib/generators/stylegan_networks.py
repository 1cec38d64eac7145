"""The networks of StyleGAN2-ADA at small sizes: grey images, conditional on the class.

A mapping network, a generator with skip connections and a residual discriminator.

Source: Karras et al. 2020, arXiv 1912.04958; Karras et al. 2020b, arXiv 2006.06676 (class embedding
in the mapping, projection in the discriminator).
Differs: the networks end at half the side of the images, four pixels a place (PATCH): at full
resolution a narrow layer costs most and learns least. The linear path of the discriminator averages
2 x 2 places instead of filtering them: the strided filter's backward pass was 39% of a step. The
spread of a group of images is one more feature instead of one more channel, for 257 channels are
computed like 272.
"""

import math

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, one_hot, pixel_shuffle, pixel_unshuffle

from lib.generators.stylegan_layers import (
    Conv,
    Dense,
    ModulatedConv,
    StyledConv,
    unit,
    upsample,
)

PATCH = 2  # side of the squares of pixels that are the channels of one place
SIZE = 8  # components of noise, style and features of the discriminator, times the width
MAX_WIDTHS = 8  # channels grow with falling resolution up to so many times the width
GROUP = 4  # images whose spread the discriminator sees together
MEAN_MOMENTUM = 0.002  # of the running mean style, a batch
MAPPING_LR = 0.01  # multiplier of the mapping's learning rate


def resolutions(px: int) -> list[int]:
    """List the sides from the lowest, 3 or 4 (or what px allows), to px, each twice the last."""
    # Halve the side as long as it is even and above 4.
    sides = [px]
    while sides[0] % 2 == 0 and sides[0] > 4:
        sides.insert(0, sides[0] // 2)
    return sides


def channels_at(side: int, px: int, width: int) -> int:
    """Choose the channels of a layer: width at full resolution, doubling to MAX_WIDTHS times it."""
    return width * min(px // side, MAX_WIDTHS)


def class_condition(
    labels: torch.Tensor,  # int64 (N,)
    kind: str,  # "one-hot", or "number" for S2's class id as one real number
    n_classes: int,
) -> torch.Tensor:
    """Turn labels into what the networks see of them.

    Returns:
        float32 (N, n_classes) or (N, 1).
    """
    if kind == "one-hot":
        return one_hot(labels, n_classes).float()
    return labels.float()[:, None]


def conditions_of(kind: str, n_classes: int) -> int:
    """Count the components of a condition."""
    return n_classes if kind == "one-hot" else 1


class Mapping(nn.Module):
    """Noise z and condition to a style w; keeps the running mean style for truncation."""

    def __init__(
        self,
        size: int,  # components of z and w
        conditions: int,  # components of the condition
        layers: int = 2,  # after the embedding
    ):
        super().__init__()
        self.embed = Dense(conditions, size)
        sizes = [2 * size] + [size] * layers
        self.layers = nn.Sequential(
            *(
                Dense(inner, outer, lr=MAPPING_LR, active=True)
                for inner, outer in zip(sizes, sizes[1:])
            )
        )
        self.register_buffer("mean", torch.zeros(size))

    def forward(self, z: torch.Tensor, c: torch.Tensor, truncation: float = 1.0) -> torch.Tensor:
        """(N, size) and (N, conditions) to (N, size); truncation 0 is the mean style, 1 none."""
        # Map.
        w = self.layers(torch.cat([unit(z), unit(self.embed(c))], 1))
        if self.training:
            self.mean.lerp_(w.detach().float().mean(0), MEAN_MOMENTUM)

        # Pull towards the mean.
        return w if truncation == 1 else self.mean.lerp(w, truncation)


class Synthesis(nn.Module):
    """A style to an image: a learnt constant, styled convolutions, and a sum over resolutions.

    Each resolution has two styled convolutions, the lowest one, and adds its own part of the image.
    """

    def __init__(
        self,
        px: int,  # side of the images
        width: int,  # channels at full resolution
        style: int,  # components of the style
    ):
        super().__init__()
        places = px // PATCH
        self.sides = resolutions(places)
        widths = [channels_at(side, places, width) for side in self.sides]

        # Layers of each resolution.
        self.constant = nn.Parameter(torch.randn(widths[0], self.sides[0], self.sides[0]))
        self.grow = nn.ModuleList(
            StyledConv(inner, outer, style, up=True) for inner, outer in zip(widths, widths[1:])
        )
        self.refine = nn.ModuleList(StyledConv(outer, outer, style) for outer in widths)
        self.to_image = nn.ModuleList(
            ModulatedConv(outer, PATCH**2, 1, style, demodulate=False) for outer in widths
        )

    def noise_size(self) -> int:
        """Count the noise values of one image: a map for each styled convolution."""
        return sum(side**2 for side in self.sides) + sum(side**2 for side in self.sides[1:])

    def forward(self, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Styles (N, style) and noise (N, noise_size()) to images (N, 1, px, px)."""
        # Start from the constant.
        maps = iter(self.noise_maps(noise))
        x = self.constant.expand(len(w), -1, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)
        image = None
        for number in range(len(self.sides)):
            # Styled convolutions; at the lowest resolution the constant stands for the first.
            if number:
                x = self.grow[number - 1](x, w, next(maps))
            x = self.refine[number](x, w, next(maps))

            # Add this resolution's part of the image.
            part = pixel_shuffle(self.to_image[number](x, w).float(), PATCH)
            image = part if image is None else upsample(image) + part
        return image

    def noise_maps(self, noise: torch.Tensor) -> list[torch.Tensor]:
        """Cut noise (N, noise_size()) into a map (N, 1, side, side) for each styled convolution."""
        # One map at the lowest resolution, two at each other.
        sides = [self.sides[0]]
        for side in self.sides[1:]:
            sides += [side, side]
        parts = noise.split([side**2 for side in sides], dim=1)
        return [part.view(-1, 1, side, side) for part, side in zip(parts, sides)]


class StyleGenerator(nn.Module):
    """Mapping and synthesis; the noise of an image is its latent, then its noise maps."""

    def __init__(
        self,
        px: int,  # side of the images
        width: int,  # channels at full resolution
        n_classes: int,
        condition: str,  # see class_condition
    ):
        super().__init__()
        self.size = SIZE * width
        self.n_classes, self.condition = n_classes, condition
        self.mapping = Mapping(self.size, conditions_of(condition, n_classes))
        self.synthesis = Synthesis(px, width, self.size)
        self.noise_size = self.size + self.synthesis.noise_size()

    def forward(
        self, noise: torch.Tensor, labels: torch.Tensor, truncation: float = 1.0
    ) -> torch.Tensor:
        """Noise (N, noise_size) and labels (N,) to images (N, 1, px, px)."""
        c = class_condition(labels, self.condition, self.n_classes)
        w = self.mapping(noise[:, : self.size], c, truncation)
        return self.synthesis(w, noise[:, self.size :])


class ResidualBlock(nn.Module):
    """Halve the side: two convolutions beside a linear path, their sum scaled to unit variance."""

    def __init__(self, inner: int, outer: int):  # channels of input and output
        super().__init__()
        self.first = Conv(inner, inner, 3)
        self.second = Conv(inner, outer, 3, down=True)
        self.skip = Conv(inner, outer, 1, active=False, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inner, h, w) to (N, outer, h / 2, w / 2)."""
        skipped = self.skip(avg_pool2d(x, 2))
        return (self.second(self.first(x)) + skipped) / math.sqrt(2)


class StyleDiscriminator(nn.Module):
    """Image and label to one logit, positive for real."""

    def __init__(
        self,
        px: int,  # side of the images
        width: int,  # channels at full resolution
        n_classes: int,
        condition: str,  # see class_condition
    ):
        super().__init__()
        places, self.size = px // PATCH, SIZE * width
        self.n_classes, self.condition = n_classes, condition
        sides = resolutions(places)[::-1]
        widths = [channels_at(side, places, width) for side in sides]
        lowest = widths[-1]

        # From the image down to the lowest resolution.
        self.start = Conv(PATCH**2, widths[0], 3)
        self.blocks = nn.Sequential(
            *(ResidualBlock(inner, outer) for inner, outer in zip(widths, widths[1:]))
        )
        self.last = Conv(lowest, lowest, 3)

        # Features of the image, the spread among their inputs, and of the condition.
        self.end = nn.Sequential(
            Dense(lowest * sides[-1] ** 2 + 1, lowest, active=True), Dense(lowest, self.size)
        )
        self.embed = nn.Sequential(
            Dense(conditions_of(condition, n_classes), self.size),
            Dense(self.size, self.size, lr=MAPPING_LR, active=True),
            Dense(self.size, self.size, lr=MAPPING_LR, active=True),
        )

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(N, 1, px, px) and (N,) to (N,)."""
        return self.logits(self.features(images), labels)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, px, px) to features (N, size)."""
        x = pixel_unshuffle(images, PATCH).contiguous(memory_format=torch.channels_last)
        x = self.blocks(self.start(x))
        flat = self.last(x).permute(0, 2, 3, 1).flatten(1)
        return self.end(torch.cat([flat, spread(x)], 1))

    def logits(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Features (N, size) under labels (N,) to logits (N,)."""
        # In full precision for what is compared.
        kind = self.start.weight.dtype
        c = class_condition(labels, self.condition, self.n_classes).to(kind)
        embedding = unit(self.embed(c).to(kind))
        return (features.to(kind) * embedding).sum(1) / math.sqrt(self.size)


def spread(x: torch.Tensor, group: int = GROUP) -> torch.Tensor:
    """Compute the mean standard deviation over groups of images.

    By it the discriminator notices a generator that makes copies.

    Args:
        x: float (N, C, h, w).
        group: images in a group, at most; the largest number that divides N is taken.

    Returns:
        float (N, 1), the same for all images of a group.

    Source: Karras et al. 2018, arXiv 1710.10196, section 3.
    """
    # Images i, i + N / group, ... form a group; rows of the maps as they lie in memory.
    n = len(x)
    group = max(size for size in range(1, min(group, n) + 1) if n % size == 0)
    grouped = x.permute(0, 2, 3, 1).reshape(group, n // group, -1)
    variance = (grouped - grouped.mean(0)).square().mean(0)
    return (variance + 1e-8).sqrt().mean(1, keepdim=True).repeat(group, 1)
