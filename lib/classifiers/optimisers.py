"""Optimisers and learning rates as recipes name them, with weight decay where it belongs."""

import math

import torch
from torch import nn

from lib.classifiers.recipes import Recipe
from lib.study.errors import StudyError

OPTIMISERS = ("adam", "adamw", "sgd")


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Build a recipe's optimiser: torch's fused kernels, no decay on biases and norms.

    Raises:
        StudyError: an optimiser that is not known.
    """
    groups = parameter_groups(model, recipe.weight_decay)
    if recipe.optimiser == "adam":
        return torch.optim.Adam(groups, recipe.lr_peak, fused=True)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, recipe.lr_peak, fused=True)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, recipe.lr_peak, momentum=0.9, nesterov=True, fused=True)
    raise StudyError(f"recipe {recipe.name}: optimiser {recipe.optimiser!r} is none of {', '.join(OPTIMISERS)}")


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Split the trainable parameters into matrices and kernels, which decay, and vectors, which do not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices, vectors = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Return the learning rate of a step.

    Args:
        step: 0 to steps - 1.
        steps: optimiser steps of the run.

    Source: one_cycle: Smith and Topin 2017, arXiv 1708.07120, without the final annihilation phase.
    """
    if recipe.schedule == "constant":
        return recipe.lr_peak
    warm = max(1, math.ceil(recipe.warmup_share * steps))
    rise, fall = (step + 1) / warm, (steps - step) / max(1, steps - warm)
    return recipe.lr_peak * min(rise, fall, 1.0)
