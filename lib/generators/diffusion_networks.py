"""The U-Net of the diffusion model: noisy faces, noise level and label vector in, EDM's F out.

Source: Karras et al. 2022, arXiv 2206.00364 (EDM: what enters and leaves the network); Dhariwal and
Nichol 2021, arXiv 2105.05233 (scale and shift after the second norm, attention); Hoogeboom et al.
2023, arXiv 2301.11093 (patches of pixels as channels).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.study.errors import StudyError

NORM_GROUPS = 8  # of every GroupNorm; channels are multiples of it
HEAD_CHANNELS = 64  # channels of one attention head, at least
CONDITION = 128  # length of the vector that noise level and label become


class UNet(nn.Module):
    """A U-Net on small patches of pixels, conditioned on the noise level and a label vector.

    Names of the state dict, which weights files rely on and which never change: noise_features,
    noise_embedding, noise_mixing, label_embedding, augmentation_embedding, conv_in,
    encoder.level<l>_block<b>, downsample.level<l>, middle, decoder.level<l>_block<b>,
    upsample.level<l>, norm_out, conv_out; of a block norm1, conv1, scale_shift, norm2, conv2,
    shortcut, attention.norm, attention.qkv, attention.out.

    Raises:
        StudyError: sizes that do not fit each other.
    """

    def __init__(
        self,
        *,
        px: int,  # side of the images, a multiple of patch * 2 ** (number of levels - 1)
        n_classes: int,  # length of a label vector
        channels: tuple[int, ...],  # of each level, finest first; multiples of 16 are fastest
        blocks: tuple[int, ...],  # residual blocks of each level, down and up; one more at the end
        patch: int,  # side of the squares whose pixels become channels
        augmentation: int = 0,  # length of the vector that describes an augmentation, 0: none
        dropout: float = 0.0,  # probability of a zero before the second convolution of a block
    ):
        super().__init__()
        _check_sizes(px, channels, blocks, patch)
        self.patch = patch
        levels = range(len(channels))

        # Condition.
        self.noise_features = FourierFeatures(CONDITION)
        self.noise_embedding = nn.Linear(CONDITION, CONDITION)
        self.noise_mixing = nn.Linear(CONDITION, CONDITION)
        self.label_embedding = nn.Linear(n_classes, CONDITION, bias=False)
        self.augmentation_embedding = None
        if augmentation:
            self.augmentation_embedding = nn.Linear(augmentation, CONDITION, bias=False)

        def block(inputs: int, level: int) -> Block:
            # The coarsest level alone attends: its maps are small.
            attends = level == levels[-1]
            return Block(inputs, channels[level], attends=attends, dropout=dropout)

        # Down: remember the channels of every output that the way up will read.
        self.conv_in = nn.Conv2d(patch**2, channels[0], 3, padding=1)
        self.encoder = nn.ModuleDict()
        self.downsample = nn.ModuleDict()
        width = channels[0]
        skips = [width]
        for level in levels:
            if level:
                self.downsample[f"level{level}"] = nn.Conv2d(width, width, 3, stride=2, padding=1)
            for number in range(blocks[level]):
                self.encoder[f"level{level}_block{number}"] = block(width, level)
                width = channels[level]
                skips.append(width)

        # Bottom.
        self.middle = Block(width, width, attends=False, dropout=dropout)

        # Up: a 1x1 convolution changes the channels before the pixels are repeated, at a quarter
        # of the cost of doing it after.
        self.decoder = nn.ModuleDict()
        self.upsample = nn.ModuleDict()
        for level in reversed(levels):
            for number in range(blocks[level] + (level == 0)):
                self.decoder[f"level{level}_block{number}"] = block(width + skips.pop(), level)
                width = channels[level]
            if level:
                self.upsample[f"level{level}"] = nn.Conv2d(width, channels[level - 1], 1)
                width = channels[level - 1]

        # Out.
        self.norm_out = GroupNorm(NORM_GROUPS, width)
        self.conv_out = zeroed(nn.Conv2d(width, patch**2, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(
        self, x: Tensor, noise: Tensor, labels: Tensor, augmentation: Tensor | None = None
    ) -> Tensor:
        """Compute F of EDM's equation 7.

        Args:
            x: float (N, 1, px, px), noisy images scaled to variance 1.
            noise: float (N,), ln(sigma) / 4.
            labels: float (N, n_classes), rows of sum 1; zeros for no label.
            augmentation: float (N, augmentation); None for images as they are.

        Returns:
            float (N, 1, px, px), of variance about 1.
        """
        with torch.autocast(x.device.type, enabled=False):
            condition = self.condition(noise, labels, augmentation)
        x = F.pixel_unshuffle(x, self.patch)
        x = x.contiguous(memory_format=torch.channels_last)

        # Down.
        x = self.conv_in(x)
        skips = [x]
        for name, block in self.encoder.items():
            level = level_of(name)
            if level in self.downsample and name.endswith("_block0"):
                x = self.downsample[level](x)
            x = block(x, condition)
            skips.append(x)

        # Bottom.
        x = self.middle(x, condition)

        # Up: between two levels the map grows.
        below = ""
        for name, block in self.decoder.items():
            level = level_of(name)
            if below not in ("", level):
                x = self.upsample[below](x)
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = torch.cat([x, skips.pop()], 1)
            x = block(x, condition)
            below = level

        # Out.
        x = F.silu(self.norm_out(x))
        return F.pixel_shuffle(self.conv_out(x), self.patch)

    def condition(self, noise: Tensor, labels: Tensor, augmentation: Tensor | None) -> Tensor:
        """Turn noise level, label and augmentation into one vector, float (N, CONDITION)."""
        vector = self.noise_features(noise)
        vector = F.silu(self.noise_embedding(vector))
        vector = self.noise_mixing(vector)
        vector = vector + self.label_embedding(labels)
        if self.augmentation_embedding is not None and augmentation is not None:
            vector = vector + self.augmentation_embedding(augmentation)
        return F.silu(vector)


class Block(nn.Module):
    """Norm, SiLU, 3x3, norm scaled and shifted by the condition, SiLU, 3x3; beside a shortcut.

    The second convolution starts at zero, so that a fresh block passes its input on.
    """

    def __init__(
        self,
        inputs: int,  # channels
        outputs: int,  # channels
        *,
        attends: bool,  # self-attention follows
        dropout: float,  # probability of a zero before the second convolution
    ):
        super().__init__()
        self.norm1 = GroupNorm(NORM_GROUPS, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.scale_shift = zeroed(nn.Linear(CONDITION, 2 * outputs))
        self.norm2 = GroupNorm(NORM_GROUPS, outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attention = SelfAttention(outputs) if attends else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map (N, inputs, H, W) and (N, CONDITION) to (N, outputs, H, W)."""
        scale, shift = self.scale_shift(condition)[:, :, None, None].chunk(2, 1)
        y = self.conv1(F.silu(self.norm1(x)))
        y = torch.addcmul(shift, self.norm2(y), scale + 1)
        y = self.conv2(self.dropout(F.silu(y)))
        return self.attention(self.shortcut(x) + y)


class SelfAttention(nn.Module):
    """Self-attention over the pixels of a map, added to it; at first it adds nothing."""

    def __init__(self, channels: int):
        super().__init__()
        self.heads = heads_of(channels)
        self.norm = GroupNorm(NORM_GROUPS, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        # Queries, keys and values, (N, heads, pixels, channels of a head) each.
        n, c, height, width = x.shape
        qkv = self.qkv(self.norm(x)).permute(0, 2, 3, 1)
        qkv = qkv.reshape(n, height * width, 3, self.heads, c // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)

        # The softmax needs float32.
        with torch.autocast(x.device.type, enabled=False):
            attended = F.scaled_dot_product_attention(query.float(), key.float(), value.float())
        attended = attended.transpose(1, 2).reshape(n, height, width, c).permute(0, 3, 1, 2)
        return x + self.out(attended)


class GroupNorm(nn.GroupNorm):
    """GroupNorm in float32, whatever autocast makes of the rest."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape, float32."""
        return super().forward(x.float())


class FourierFeatures(nn.Module):
    """Cosines of random frequencies and phases, of variance 1; both are part of the weights.

    Source: Tancik et al. 2020, arXiv 2006.10739.
    """

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("frequencies", 2 * math.pi * torch.randn(features))
        self.register_buffer("phases", 2 * math.pi * torch.rand(features))

    def forward(self, values: Tensor) -> Tensor:
        """Map (N,) to (N, features)."""
        angles = values[:, None] * self.frequencies + self.phases
        return angles.cos() * math.sqrt(2)


def heads_of(channels: int) -> int:
    """Count the heads of attention over so many channels."""
    return max(1, channels // HEAD_CHANNELS)


def zeroed(layer: nn.Module) -> nn.Module:
    """Set weight and bias of a layer to zero."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def level_of(name: str) -> str:
    """Take level<l> from level<l>_block<b>."""
    return name.split("_")[0]


def _check_sizes(px: int, channels: tuple[int, ...], blocks: tuple[int, ...], patch: int) -> None:
    """Stop at sizes of which no U-Net can be made."""
    if not channels or len(channels) != len(blocks) or min(blocks) < 1:
        raise StudyError(
            f"diffusion_channels is {list(channels)} and diffusion_blocks {list(blocks)}; both "
            "need one entry a level, and a level at least one block"
        )
    if any(width % NORM_GROUPS for width in channels):
        raise StudyError(
            f"diffusion_channels is {list(channels)}; channels are multiples of {NORM_GROUPS}"
        )

    # The coarsest level attends.
    heads = heads_of(channels[-1])
    if channels[-1] % heads:
        raise StudyError(
            f"diffusion_channels is {list(channels)}; the last one is shared by {heads} heads of "
            f"attention and must be a multiple of {heads}"
        )

    # Each level after the first halves the map.
    multiple = patch * 2 ** (len(channels) - 1)
    if px % multiple:
        raise StudyError(
            f"gan_px is {px}; {len(channels)} levels on patches of {patch} need a multiple of "
            f"{multiple}"
        )
