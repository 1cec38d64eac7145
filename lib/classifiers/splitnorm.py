"""Batch norm with statistics of their own for synthetic images: what they are like does not blur what real ones are like.

Source: auxiliary batch norm, Xie et al. 2020, "Adversarial Examples Improve Image Recognition" (AdvProp), arXiv 1911.09665.
"""

import copy

from torch import Tensor, nn
from torch.nn import functional as F

from lib.study.errors import StudyError

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class SplitNorm(nn.Module):
    """A batch norm for each group of images, with its own scale, shift and statistics; evaluation takes those of group 0.

    Args:
        norm: of group 0; the other groups begin as its copies.
        groups: how many.
    """

    def __init__(self, norm: nn.Module, groups: int):
        super().__init__()
        self.norms, self.group = nn.ModuleList([norm, *(copy.deepcopy(norm) for _ in range(groups - 1))]), 0

    def forward(self, x: Tensor) -> Tensor:
        norm = self.norms[self.group if self.training else 0]
        if self.training and x.numel() == x.shape[1]:  # one value a channel has no variance: the running statistics stand in
            return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)
        return norm(x)


def split_norms(model: nn.Module, groups: int) -> nn.Module:
    """Give every batch norm of a network one set of statistics a group, in place.

    Raises:
        StudyError: the network has no batch norm.
    """
    found = [name for name, module in model.named_modules() if isinstance(module, NORMS)]
    if not found:
        raise StudyError("this network has no batch norm to split: train splitnorm arms with another, or leave split_norm_shares empty")
    for name in found:
        _replace(model, name, SplitNorm(model.get_submodule(name), groups))
    return model


def select_group(model: nn.Module, group: int) -> None:
    """Say of which group the next training batch is."""
    for module in model.modules():
        if isinstance(module, SplitNorm):
            module.group = group


def join_norms(model: nn.Module) -> nn.Module:
    """Keep group 0's batch norms alone, in place: the network is again what it was built as."""
    for name in [name for name, module in model.named_modules() if isinstance(module, SplitNorm)]:
        _replace(model, name, model.get_submodule(name).norms[0])
    return model


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)
