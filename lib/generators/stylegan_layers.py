"""Layers of StyleGAN2 in plain PyTorch: equalised learning rates, modulated convolutions, FIR resampling.

Source: Karras et al. 2020, arXiv 1912.04958 (modulation and demodulation, eq. 1 to 3, section 2.2; skip and residual networks, section 4).
Differs: the weights stay shared by the batch and the activations are scaled instead, which is the same
by linearity and needs no grouped convolution.
"""

import math

import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear

GAIN = math.sqrt(2)  # keeps the variance through a leaky ReLU; taken before it, on the weights, where it costs no pass over the activations


class Dense(nn.Module):
    """A linear layer whose weights have unit variance and are scaled when used.

    Args:
        inner, outer: components.
        lr: multiplier of its learning rate.
        bias: initial value.
        active: a leaky ReLU follows.
    """

    def __init__(self, inner: int, outer: int, *, lr: float = 1.0, bias: float = 0.0, active: bool = False):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(outer, inner) / lr), nn.Parameter(torch.full((outer,), bias / lr))
        self.scale, self.lr, self.active = lr / math.sqrt(inner), lr, active
        self.gain = GAIN if active else 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = linear(x, (self.weight * (self.scale * self.gain)).to(x.dtype), (self.bias * (self.lr * self.gain)).to(x.dtype))
        return leaky_relu(x, 0.2) if self.active else x


class Conv(nn.Module):
    """A plain convolution with equalised learning rate; `down` halves the side after a blur."""

    def __init__(self, inner: int, outer: int, size: int, *, down: bool = False, active: bool = True, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner, size, size))
        self.bias = nn.Parameter(torch.zeros(outer)) if bias else None
        self.gain = GAIN if active else 1.0
        self.scale, self.down, self.active = self.gain / math.sqrt(inner * size**2), down, active

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padding = self.weight.shape[2] // 2
        if self.down:  # blur and stride together keep the place: the side is halved exactly
            x, padding = blur(x, padding + 1, 1.0), 0
        bias = None if self.bias is None else (self.bias * self.gain).to(x.dtype)
        x = conv2d(x, (self.weight * self.scale).to(x.dtype), bias, stride=1 + self.down, padding=padding)
        return leaky_relu(x, 0.2) if self.active else x


class Modulated(nn.Module):
    """A convolution whose input channels are scaled by a style.

    Args:
        inner, outer: channels.
        size: of the kernel, odd.
        style: components of the style vector w.
        up: doubles the side, followed by a blur.
        demodulate: scale the output back to unit variance.
    """

    def __init__(self, inner: int, outer: int, size: int, style: int, *, up: bool = False, demodulate: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner, size, size))
        self.style = Dense(style, inner, bias=1.0)
        self.up, self.demodulate = up, demodulate
        self.scale = 1 / math.sqrt(inner * size**2)

    def forward(self, x: torch.Tensor, w: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        return modulated_convolution(x, self.weight * self.scale, self.style(w), up=self.up, demodulate=self.demodulate, gain=gain)


def modulated_convolution(x, weight, style, *, up: bool = False, demodulate: bool = True, gain: float = 1.0) -> torch.Tensor:
    """Convolve with weights that each image's style scales.

    Args:
        x: float (N, inner, h, w).
        weight: float (outer, inner, k, k).
        style: float (N, inner).
        up: double the side.
        demodulate: divide each output channel by the norm of its modulated weights.
        gain: factor of a demodulated output.

    Returns:
        float (N, outer, h, w), or twice the side.

    Source: Karras et al. 2020, eq. 1 and 3.
    """
    x = x * style[:, :, None, None].to(x.dtype)
    if up:
        x = blur(conv_transpose2d(x, weight.transpose(0, 1).to(x.dtype), stride=2), 1, 4.0)
    else:
        x = conv2d(x, weight.to(x.dtype), padding=weight.shape[2] // 2)
    if demodulate:
        norm = style.float().square() @ weight.float().square().sum((2, 3)).t()  # (N, outer)
        x = x * (gain * (norm + 1e-8).rsqrt())[:, :, None, None].to(x.dtype)
    return x


class Styled(nn.Module):
    """A modulated convolution with noise, bias and leaky ReLU."""

    def __init__(self, inner: int, outer: int, style: int, *, up: bool = False):
        super().__init__()
        self.convolution = Modulated(inner, outer, 3, style, up=up)
        self.strength, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(outer))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = self.convolution(x, w, GAIN)
        return leaky_relu(x + (GAIN * (self.strength * noise + self.bias.view(-1, 1, 1))).to(x.dtype), 0.2)


def blur(x: torch.Tensor, padding: int, gain: float, stride: int = 1) -> torch.Tensor:
    """Filter each channel with the binomial kernel [1, 3, 3, 1], padded on all sides.

    A constant image keeps its value times gain inside the border.
    """
    channels = x.shape[1]
    return conv2d(x, binomial(x, gain).expand(channels, 1, 4, 4), stride=stride, padding=padding, groups=channels)


def upsample(x: torch.Tensor) -> torch.Tensor:
    """Double the side of images with the binomial filter."""
    channels = x.shape[1]
    return conv_transpose2d(x, binomial(x, 4.0).expand(channels, 1, 4, 4), stride=2, padding=1, groups=channels)


def binomial(x: torch.Tensor, gain: float) -> torch.Tensor:
    """Make the 4 x 4 kernel whose sum is gain, of x's kind."""
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=x.dtype) / 8
    return (line[:, None] * line * gain)[None, None]


def unit(x: torch.Tensor) -> torch.Tensor:
    """Scale each row to a mean square of one."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
