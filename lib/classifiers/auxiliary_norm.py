"""Batch norm with separate statistics for synthetic images: they leave those of real ones alone.

Source: auxiliary batch norm, Xie et al. 2020, "Adversarial Examples Improve Image Recognition"
(AdvProp), arXiv 1911.09665.
"""

import copy

from torch import Tensor, nn
from torch.nn import functional as F

from lib.study.errors import StudyError

# Norms that have statistics of the batch.
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class AuxiliaryBatchNorm(nn.Module):
    """One batch norm for each group of images, with its own scale, shift and statistics.

    In evaluation mode all images take the one of group 0.

    Args:
        norm: of group 0; the other groups begin as copies of it.
        groups: how many.
    """

    def __init__(self, norm: nn.Module, groups: int):
        super().__init__()
        # Group 0 keeps the network's own norm, so that nothing has to be copied back at the end.
        auxiliary = [copy.deepcopy(norm) for _ in range(groups - 1)]
        self.norms = nn.ModuleList([norm, *auxiliary])
        self.group = 0  # of the next training batch

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.norms[0](x)
        norm = self.norms[self.group]

        # One value a channel has no variance: the running statistics stand in for the batch's.
        if x.numel() == x.shape[1]:
            mean, variance = norm.running_mean, norm.running_var
            return F.batch_norm(x, mean, variance, norm.weight, norm.bias, eps=norm.eps)
        return norm(x)


def add_auxiliary_norms(model: nn.Module, groups: int) -> nn.Module:
    """Give every batch norm of a network one set of statistics for each group, in place.

    Raises:
        StudyError: the network has no batch norm.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, NORMS)]
    if not names:
        raise StudyError(
            "this network has no batch norm to split: train auxiliary_norm arms with another, "
            "or leave auxiliary_norm_shares empty"
        )

    # The names are listed first, for the modules change while they are replaced.
    for name in names:
        model.set_submodule(name, AuxiliaryBatchNorm(model.get_submodule(name), groups))
    return model


def select_group(model: nn.Module, group: int) -> None:
    """Choose the group that the next training batch belongs to."""
    for module in model.modules():
        if isinstance(module, AuxiliaryBatchNorm):
            module.group = group


def keep_main_norms(model: nn.Module) -> nn.Module:
    """Keep only group 0's batch norms, in place: the network is again what it was built as."""
    modules = model.named_modules()
    names = [name for name, module in modules if isinstance(module, AuxiliaryBatchNorm)]
    for name in names:
        model.set_submodule(name, model.get_submodule(name).norms[0])
    return model
