"""Running averages of weights whose length grows with the training.

Source: Karras et al. 2023, arXiv 2312.02696 (EDM2), section 3.1 and appendix C.
"""

import functools

import numpy as np
import torch
from torch import nn

LONGEST = 0.28  # lengths are shorter: the profile that is 1 at all steps has 12 ** -0.5


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, step: int, length: float) -> None:
    """Take the weights after a step into their running average, in place.

    The weights of step t count as t ** gamma: the average spans the same share of the training so
    far, whenever that is.

    Args:
        average: a copy of the network; running statistics among its buffers are averaged too.
        network: as it is after the step.
        step: counted from 1; the average forgets what it was before the first.
        length: relative standard deviation of the profile, a share of the training.
    """
    # The share that is kept of the average after the step before (section 3.1).
    decay = (1 - 1 / step) ** (power_of_length(length) + 1)
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    for averaged, current in zip(average.buffers(), network.buffers()):
        if averaged.is_floating_point():
            averaged.lerp_(current, 1 - decay)


@functools.cache
def power_of_length(length: float) -> float:
    """Find gamma of a profile t ** gamma with this relative standard deviation.

    Source: Karras et al. 2023, equation 126.
    """
    t = length**-2
    return float(np.roots([1, 7, 16 - t, 12 - t]).real.max())
