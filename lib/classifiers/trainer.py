"""One optimiser step: the batch is cut, augmented and mixed on the device, the network takes it in the recipe's precision."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_swa_avg_fn

from lib.classifiers.augmentation import augment, mix
from lib.classifiers.models import build_classifier
from lib.classifiers.optimisers import learning_rate, make_optimiser
from lib.classifiers.options import Options, image_weights, present
from lib.classifiers.order import Schedule, plan_stages, step_seed
from lib.classifiers.recipes import Recipe
from lib.classifiers.splitnorm import select_group, split_norms
from lib.faces.faceset import FaceSet
from lib.generators.hardware import autocast, precision_on


@dataclass(frozen=True)
class Trainer:
    """What a loop needs: the network and its optimiser, the images on the device, the order of the batches."""

    model: nn.Module
    averaged: AveragedModel | None  # mean of the weights over the last steps, where the recipe asks for it
    optimiser: torch.optim.Optimizer
    recipe: Recipe
    schedule: Schedule
    stages: tuple  # of Stage: mostly one
    images: torch.Tensor  # uint8 (N, H, W)
    labels: torch.Tensor  # int64 (N,)
    weights: torch.Tensor | None  # float32 (N,) of mean 1: of each image in the loss
    groups: torch.Tensor | None  # int64 (N,): by whose batch statistics each image is normalised
    generator: torch.Generator
    device: str
    precision: str
    teachers: tuple = ()  # networks whose mean probabilities are learnt beside the labels

    @property
    def result(self) -> nn.Module:
        """The network that the run is for."""
        return self.averaged.module if self.averaged else self.model

    @property
    def current(self) -> nn.Module:
        """The network that the run would be for if it ended now."""
        return self.averaged.module if self.averaged and self.averaged.n_averaged else self.model

    def rows(self, step: int) -> torch.Tensor:
        """Return the positions of a step's images, int64 (B,)."""
        return next(stage for stage in reversed(self.stages) if stage.first <= step).rows(step, self.device)


def make_trainer(
    faces: FaceSet, classifier: str, recipe: Recipe, seed: int, steps: int, epochs: int, device: str, options: Options = Options(),
    teachers: tuple = (),
) -> Trainer:  # fmt: skip
    """Build network, optimiser and schedule from a seed, through torch's own random state, and put the images on the device.

    Args:
        steps: optimiser steps; 0: `epochs` passes over the faces, and when these are 0 too, the recipe's own.
        teachers: trained networks whose mean probabilities count by the recipe's taught_share.
    """
    faces = present(faces)
    schedule = Schedule(len(faces), recipe.batch_size, steps, not steps, seed)
    if not steps:
        schedule = replace(schedule, steps=(epochs or recipe.epochs) * int(schedule.steps_per_epoch))
    columns = {name: faces.table[name].to_numpy() if name in faces.table else None for name in ("stage_end", "norm_group")}
    stages = plan_stages(schedule, faces.labels, columns["stage_end"], options.sampling, device)
    groups = None if columns["norm_group"] is None else torch.from_numpy(columns["norm_group"].astype(np.int64)).to(device)
    torch.manual_seed(seed)
    model = build_classifier(classifier, image_px=faces.images.shape[1])
    model = model if groups is None else split_norms(model, int(groups.max()) + 1)
    model = model.to(device, memory_format=torch.channels_last)
    # the function is named, since on a GPU the one taken otherwise cannot average the whole numbers among the buffers
    averaged = AveragedModel(model, avg_fn=get_swa_avg_fn(), use_buffers=True) if recipe.average_share else None
    images, labels, weights = (
        torch.from_numpy(faces.images).to(device),
        torch.from_numpy(faces.labels).to(device),
        image_weights(faces, options),
    )
    weights = None if weights is None else torch.from_numpy(weights).to(device)
    precision, optimiser, generator = precision_on(device, recipe.precision), make_optimiser(model, recipe), torch.Generator(device)
    teachers = tuple(own.to(device, memory_format=torch.channels_last).eval().requires_grad_(False) for own in teachers)
    return Trainer(
        model, averaged, optimiser, recipe, schedule, stages, images, labels, weights, groups, generator, device, precision, teachers
    )


def take_step(trainer: Trainer, step: int) -> torch.Tensor:
    """Take one optimiser step.

    Args:
        step: its number, from 0; it decides which images are taken and all that is drawn at random.

    Returns:
        float32 (3,) on the device: the loss and the hits, summed over the images, and the number of images.
    """
    recipe, schedule = trainer.recipe, trainer.schedule
    seed = step_seed(schedule.seed, step)
    torch.manual_seed(seed)  # dropout; the caller keeps torch's own random state
    trainer.generator.manual_seed(seed)
    for group in trainer.optimiser.param_groups:
        group["lr"] = learning_rate(recipe, step, schedule.steps)
    rows = trainer.rows(step)
    x = augment(trainer.images[rows], recipe, trainer.generator)
    with autocast(trainer.device, trainer.precision):
        loss, hits = batch_loss(trainer, x, rows)
    trainer.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    trainer.optimiser.step()
    if trainer.averaged and step >= schedule.steps * (1 - recipe.average_share):
        trainer.averaged.update_parameters(trainer.model)
    count = torch.full_like(hits, len(rows))
    return torch.stack([loss.detach().float() * len(rows), hits.float(), count.float()])


def batch_loss(trainer: Trainer, x: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the loss of a batch x of the images `rows`, and its hits; each group with batch statistics of its own goes through alone."""
    labels, weights = trainer.labels[rows], None if trainer.weights is None else trainer.weights[rows]
    if trainer.groups is None:
        loss, logits = loss_of(trainer.model, x, labels, weights, trainer.recipe, trainer.generator, trainer.teachers)
        return loss, (logits.detach().argmax(1) == labels).sum()
    losses, hits, groups = [], [], trainer.groups[rows]
    for group in groups.unique().tolist():
        select_group(trainer.model, group)
        own = groups == group
        own_weights = None if weights is None else weights[own]
        loss, logits = loss_of(trainer.model, x[own], labels[own], own_weights, trainer.recipe, trainer.generator, trainer.teachers)
        losses.append(loss * (len(logits) / len(rows)))
        hits.append((logits.detach().argmax(1) == labels[own]).sum())
    return torch.stack(losses).sum(), torch.stack(hits).sum()


def loss_of(
    model: nn.Module, x: torch.Tensor, labels: torch.Tensor, weights, recipe: Recipe, generator, teachers: tuple = ()
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the (weighted) mean cross-entropy of a batch, mixed where the recipe says so, against labels and what teachers say.

    Returns:
        (loss, logits); with mixing the logits are those of mixed images.

    Source: teaching on the student's own views: Beyer et al. 2022, arXiv 2106.05237.
    """
    targets = [(1.0, labels)]
    if recipe.mixup_alpha or recipe.cutmix_alpha:
        x, partners, share = mix(x, recipe, generator)
        targets = [(share, labels), (1 - share, labels[partners])]
    x = x.contiguous(memory_format=torch.channels_last)
    logits, smooth = model(x).float(), recipe.label_smoothing
    losses = sum(share * F.cross_entropy(logits, target, label_smoothing=smooth, reduction="none") for share, target in targets)
    if teachers:
        with torch.no_grad():
            taught = torch.stack([teacher(x).float().softmax(1) for teacher in teachers]).mean(0)
        losses = losses * (1 - recipe.taught_share) + F.cross_entropy(logits, taught, reduction="none") * recipe.taught_share
    return weighted_mean(losses, weights), logits


def weighted_mean(losses: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Average losses (B,), times weights (B,) where there are any: of mean 1 over the training set, not over each batch."""
    return losses.mean() if weights is None else (losses * weights).mean()
