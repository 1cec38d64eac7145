"""Layers of StyleGAN2 in plain PyTorch: equalised learning rates, modulated convolutions, filters.

Source: Karras et al. 2020, arXiv 1912.04958 (modulation and demodulation, eq. 1 to 3, section 2.2;
skip and residual networks, section 4).
Differs: the weights stay shared by the batch and the activations are scaled instead, which is the
same by linearity and needs no grouped convolution.
"""

import functools
import math

import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear

SLOPE = 0.2  # of leaky ReLUs
# Keeps the variance through a leaky ReLU; taken before it, on the weights, where it costs no pass
# over the activations.
GAIN = math.sqrt(2)
EPSILON = 1e-8  # keeps norms from being zero


class Dense(nn.Module):
    """A linear layer whose weights have unit variance and are scaled when used."""

    def __init__(
        self,
        inner: int,  # components of the input
        outer: int,  # components of the output
        *,
        lr: float = 1.0,  # multiplier of its learning rate
        bias: float = 0.0,  # initial value
        active: bool = False,  # a leaky ReLU follows
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner) / lr)
        self.bias = nn.Parameter(torch.full((outer,), bias / lr))
        self.active = active
        gain = GAIN if active else 1.0
        self.weight_scale = lr / math.sqrt(inner) * gain
        self.bias_scale = lr * gain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inner) to (N, outer)."""
        weight = (self.weight * self.weight_scale).to(x.dtype)
        x = linear(x, weight, (self.bias * self.bias_scale).to(x.dtype))
        return leaky_relu(x, SLOPE) if self.active else x


class Conv(nn.Module):
    """A plain convolution with equalised learning rate."""

    def __init__(
        self,
        inner: int,  # channels of the input
        outer: int,  # channels of the output
        size: int,  # of the kernel, odd
        *,
        down: bool = False,  # halve the side, after a blur
        active: bool = True,  # a leaky ReLU follows
        bias: bool = True,  # whether there is one, initially 0
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner, size, size))
        self.bias = nn.Parameter(torch.zeros(outer)) if bias else None
        self.gain = GAIN if active else 1.0
        self.scale = self.gain / math.sqrt(inner * size**2)
        self.down = down
        self.active = active

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inner, h, w) to (N, outer, h, w), or half the side."""
        # Blur where the side is halved.
        padding = self.weight.shape[2] // 2
        stride = 1
        if self.down:  # blur and stride together keep the place: the side is halved exactly
            x = blur(x, padding + 1, 1.0)
            padding, stride = 0, 2

        # Convolve with scaled weights.
        bias = None
        if self.bias is not None:
            bias = (self.bias * self.gain).to(x.dtype)
        weight = (self.weight * self.scale).to(x.dtype)
        x = conv2d(x, weight, bias, stride=stride, padding=padding)
        return leaky_relu(x, SLOPE) if self.active else x


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by a style."""

    def __init__(
        self,
        inner: int,  # channels of the input
        outer: int,  # channels of the output
        size: int,  # of the kernel, odd
        style: int,  # components of the style vector w
        *,
        up: bool = False,  # doubles the side, followed by a blur
        demodulate: bool = True,  # scale the output back to unit variance
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner, size, size))
        self.style = Dense(style, inner, bias=1.0)
        self.up = up
        self.demodulate = demodulate
        self.scale = 1 / math.sqrt(inner * size**2)

    def forward(self, x: torch.Tensor, w: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        """(N, inner, h, w) and styles (N, style) to (N, outer, h, w), or twice the side."""
        return modulated_convolution(
            x,
            self.weight * self.scale,
            self.style(w),
            up=self.up,
            demodulate=self.demodulate,
            gain=gain,
        )


def modulated_convolution(
    x: torch.Tensor,  # float (N, inner, h, w)
    weight: torch.Tensor,  # float (outer, inner, k, k)
    style: torch.Tensor,  # float (N, inner)
    *,
    up: bool = False,  # double the side
    demodulate: bool = True,  # divide each output channel by the norm of its modulated weights
    gain: float = 1.0,  # factor of a demodulated output
) -> torch.Tensor:
    """Convolve with weights that each image's style scales.

    Returns:
        float (N, outer, h, w), or twice the side.

    Source: Karras et al. 2020, eq. 1 and 3.
    """
    # Modulate: scaling the input is scaling the weights.
    x = x * style[:, :, None, None].to(x.dtype)

    # Convolve.
    if up:
        x = conv_transpose2d(x, weight.transpose(0, 1).to(x.dtype), stride=2)
        x = blur(x, 1, 4.0)
    else:
        x = conv2d(x, weight.to(x.dtype), padding=weight.shape[2] // 2)
    if not demodulate:
        return x

    # Demodulate: divide by the norm that the scaled weights would have.
    squares = weight.float().square().sum((2, 3))  # (outer, inner)
    norm = style.float().square() @ squares.t()  # (N, outer)
    factor = gain * (norm + EPSILON).rsqrt()
    return x * factor[:, :, None, None].to(x.dtype)


class StyledConv(nn.Module):
    """A modulated 3 x 3 convolution with noise, bias and leaky ReLU."""

    def __init__(
        self,
        inner: int,  # channels of the input
        outer: int,  # channels of the output
        style: int,  # components of the style vector w
        *,
        up: bool = False,  # doubles the side
    ):
        super().__init__()
        self.convolution = ModulatedConv(inner, outer, 3, style, up=up)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outer))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(N, inner, h, w), styles and noise (N, 1, h', w') to (N, outer, h', w')."""
        x = self.convolution(x, w, GAIN)
        offset = GAIN * (self.noise_strength * noise + self.bias.view(-1, 1, 1))
        return leaky_relu(x + offset.to(x.dtype), SLOPE)


def blur(
    x: torch.Tensor,  # float (N, C, h, w)
    padding: int,  # zeros on every side
    gain: float,  # sum of the kernel
    stride: int = 1,  # 2 halves the side
) -> torch.Tensor:
    """Filter each channel with the binomial kernel [1, 3, 3, 1].

    A constant image keeps its value times gain inside the border.
    """
    channels = x.shape[1]
    kernel = binomial_kernel(x, gain).expand(channels, 1, 4, 4)
    return conv2d(x, kernel, stride=stride, padding=padding, groups=channels)


def upsample(x: torch.Tensor) -> torch.Tensor:
    """Double the side of images (N, C, h, w) with the binomial filter."""
    channels = x.shape[1]
    kernel = binomial_kernel(x, 4.0).expand(channels, 1, 4, 4)
    return conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)


def binomial_kernel(x: torch.Tensor, gain: float) -> torch.Tensor:
    """Give the binomial kernel (1, 1, 4, 4) of sum gain, on x's device and of its dtype."""
    return _binomial_kernel(gain, x.device, x.dtype)


@functools.cache
def _binomial_kernel(gain: float, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Make it once: each new one would be copied to a GPU, which waits for all steps before it."""
    with torch.inference_mode(False):
        # A blur along each axis.
        line = torch.tensor([1.0, 3.0, 3.0, 1.0], device=device, dtype=dtype) / 8
        return (line[:, None] * line * gain)[None, None]


def unit(x: torch.Tensor) -> torch.Tensor:
    """Scale each row to a mean square of one."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()
