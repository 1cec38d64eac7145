"""One optimiser step of a training, and what it works on.

A batch is cut, augmented and mixed on the device; the network computes it in the recipe's
precision. What a step draws at random depends on the seed and the step's number alone.

Whoever changes the arithmetic here raises TRAINING_VERSION, see lib.classifiers.versions.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_swa_avg_fn

from lib.classifiers.augmentation import augment, mix
from lib.classifiers.auxiliary_norm import add_auxiliary_norms, select_group
from lib.classifiers.batches import (
    BatchSchedule,
    Phase,
    batch_schedule,
    drop_zero_weight,
    image_weights,
    plan_phases,
    step_seed,
)
from lib.classifiers.models import build_classifier
from lib.classifiers.recipes import Recipe, TrainingPlan
from lib.compute.devices import autocast, precision_on
from lib.faces.faceset import TARGET, FaceSet


@dataclass(frozen=True)
class Trainer:
    """What the loop works on: network and optimiser, the images on the device, their order."""

    plan: TrainingPlan
    model: nn.Module  # in training mode while it trains
    averaged: AveragedModel | None  # mean of the last weights, where the recipe asks for it
    optimiser: torch.optim.Optimizer  # of the model's parameters
    schedule: BatchSchedule  # of the whole run
    phases: tuple[Phase, ...]  # in order of their steps
    images: Tensor  # uint8 (N, H, W)
    labels: Tensor  # int64 (N,)
    weights: Tensor | None  # float32 (N,) of mean 1: of each image in the loss
    groups: Tensor | None  # int64 (N,): by whose batch statistics each image is normalised
    targets: Tensor | None  # float32 (N, C): labels of more than one class, in place of `labels`
    generator: torch.Generator  # of augmentation, on the device
    precision: str  # fp32 or bf16
    teachers: tuple[nn.Module, ...] = ()  # networks to distil from

    @property
    def result(self) -> nn.Module:
        """The network that the run is for."""
        return self.averaged.module if self.averaged else self.model

    @property
    def current(self) -> nn.Module:
        """The network that would be the result if the run ended now."""
        started = self.averaged and self.averaged.n_averaged
        return self.averaged.module if started else self.model

    def rows(self, step: int) -> Tensor:
        """Return the positions of a step's images, int64 (B,)."""
        phase = [phase for phase in self.phases if phase.first_step <= step][-1]
        return phase.rows(step, self.plan.device)


def make_trainer(
    faces: FaceSet, plan: TrainingPlan, teachers: tuple[nn.Module, ...] = ()
) -> Trainer:
    """Build network, optimiser and schedule from a plan, and put the images on the device.

    The network's weights come from torch's own random state, which is seeded here.

    Args:
        teachers: trained networks whose mean probabilities count by the recipe's
            distillation_weight.
    """
    faces, recipe, device = drop_zero_weight(faces), plan.recipe, plan.device

    # How each image takes part.
    ends = _column(faces, "stage_end", np.float64)
    groups = _column(faces, "norm_group", np.int64)
    weights = image_weights(faces, plan.options)
    schedule = batch_schedule(plan, len(faces))
    phases = plan_phases(schedule, faces.labels, ends, plan.options.sampling, device)

    # The network.
    torch.manual_seed(plan.seed)
    px, classes = faces.images.shape[1], len(faces.classes)
    model = build_classifier(plan.classifier, image_px=px, classes=classes)
    if groups is not None:
        add_auxiliary_norms(model, int(groups.max()) + 1)
    model = model.to(device, memory_format=torch.channels_last)

    # The function is named because the one that torch takes otherwise on a GPU cannot average the
    # whole numbers among the buffers.
    averaged = None
    if recipe.weight_averaging_share:
        averaged = AveragedModel(model, avg_fn=get_swa_avg_fn(), use_buffers=True)

    # Teachers predict and do not learn.
    for teacher in teachers:
        teacher.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    return Trainer(
        plan=plan,
        model=model,
        averaged=averaged,
        optimiser=make_optimiser(model, recipe),
        schedule=schedule,
        phases=phases,
        images=torch.from_numpy(faces.images).to(device),
        labels=torch.from_numpy(faces.labels).to(device),
        weights=None if weights is None else torch.from_numpy(weights).to(device),
        groups=None if groups is None else torch.from_numpy(groups).to(device),
        targets=_targets(faces, device),
        generator=torch.Generator(device),
        precision=precision_on(device, recipe.precision),
        teachers=tuple(teachers),
    )


def _targets(faces: FaceSet, device: str) -> Tensor | None:
    """Copy the labels of images that have more than one class, float32 (N, C); None without."""
    columns = [TARGET + name for name in faces.classes]
    if not set(columns) <= set(faces.table):
        return None
    return torch.from_numpy(faces.table[columns].to_numpy(np.float32)).to(device)


def _column(faces: FaceSet, name: str, dtype: type) -> np.ndarray | None:
    """Copy an optional column of the table, (N,); None where it is not there."""
    return np.array(faces.table[name], dtype) if name in faces.table else None


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Build a recipe's optimiser with torch's fused kernels; biases and norms do not decay."""
    # Kernels and matrices decay, biases and the scales of norms do not.
    trained = [p for p in model.parameters() if p.requires_grad]
    kernels = [p for p in trained if p.ndim > 1]
    vectors = [p for p in trained if p.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]

    # Fused kernels update all parameters at once.
    if recipe.optimiser == "adam":
        return torch.optim.Adam(groups, recipe.lr_peak, fused=True)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, recipe.lr_peak, fused=True)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, recipe.lr_peak, momentum=0.9, nesterov=True, fused=True)
    raise ValueError(f"recipe {recipe.name}: optimiser {recipe.optimiser!r} is not known")


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Return the learning rate of a step.

    Args:
        step: 0 to steps - 1.
        steps: optimiser steps of the run.

    Source: one_cycle: Smith and Topin 2017, arXiv 1708.07120, without the last annihilation phase.
    """
    if recipe.lr_schedule == "constant":
        return recipe.lr_peak

    # Two straight lines that meet at the peak.
    warmup = max(1, math.ceil(recipe.warmup_share * steps))
    rise = (step + 1) / warmup
    fall = (steps - step) / max(1, steps - warmup)
    return recipe.lr_peak * min(rise, fall, 1.0)


def take_step(trainer: Trainer, step: int) -> Tensor:
    """Take one optimiser step.

    Args:
        step: from 0; it decides which images are taken and all that is drawn at random.

    Returns:
        float32 (3,) on the device: loss and correct predictions, summed over the images, and the
        number of images.
    """
    recipe, steps = trainer.plan.recipe, trainer.schedule.steps

    # Seed what is drawn: dropout from torch's own state, which `train` puts back, augmentation
    # from the generator.
    seed = step_seed(trainer.plan.seed, step)
    torch.manual_seed(seed)
    trainer.generator.manual_seed(seed)
    for group in trainer.optimiser.param_groups:
        group["lr"] = learning_rate(recipe, step, steps)

    # Forward, in the recipe's precision.
    rows = trainer.rows(step)
    x = augment(trainer.images[rows], recipe, trainer.generator)
    with autocast(trainer.plan.device, trainer.precision):
        loss, correct = batch_loss(trainer, x, rows)

    # Backward and update.
    trainer.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    trainer.optimiser.step()

    # Average the weights of the last steps.
    if trainer.averaged and step >= steps * (1 - recipe.weight_averaging_share):
        trainer.averaged.update_parameters(trainer.model)

    # The sums stay on the device: reading them would wait for it.
    count = torch.full_like(correct, len(rows))
    return torch.stack([loss.detach().float() * len(rows), correct.float(), count.float()])


def batch_loss(trainer: Trainer, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the mean loss of a batch and its number of correct predictions.

    Groups with batch statistics of their own pass through the network one after the other.

    Args:
        x: float32 (B, 1, H, W), augmented.
        rows: int64 (B,), the positions of its images in the training set.
    """
    labels = trainer.labels[rows]
    targets = labels if trainer.targets is None else trainer.targets[rows]
    weights = None if trainer.weights is None else trainer.weights[rows]

    # Mostly there is one group.
    if trainer.groups is None:
        loss, logits = loss_of(trainer, x, targets, weights)
        return loss, (logits.detach().argmax(1) == labels).sum()

    # Each group's loss counts by its share of the batch.
    losses, correct, groups = [], [], trainer.groups[rows]
    for group in groups.unique().tolist():
        select_group(trainer.model, group)
        inside = groups == group
        group_weights = None if weights is None else weights[inside]
        loss, logits = loss_of(trainer, x[inside], targets[inside], group_weights)
        losses.append(loss * (len(logits) / len(rows)))
        correct.append((logits.detach().argmax(1) == labels[inside]).sum())
    return torch.stack(losses).sum(), torch.stack(correct).sum()


def loss_of(
    trainer: Trainer, x: Tensor, labels: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Compute the cross-entropy of images against their labels and what their teachers predict.

    The images are mixed where the recipe says so. Teachers see the same augmented, mixed images.

    Args:
        labels: int64 (B,), or float32 (B, C) of sum 1.

    Returns:
        (mean loss, weighted where there are weights; logits (B, classes)).

    Source: distillation on the student's own views: Beyer et al. 2022, arXiv 2106.05237.
    """
    # What the logits are compared with, and the share of each.
    recipe, targets = trainer.plan.recipe, [(1.0, labels)]
    if recipe.mixup_alpha or recipe.cutmix_alpha:
        x, partners, share = mix(x, recipe, trainer.generator)
        targets = [(share, labels), (1 - share, labels[partners])]

    # The layout that convolutions are fastest in.
    x = x.contiguous(memory_format=torch.channels_last)
    logits = trainer.model(x).float()

    # Against the labels: of both images where two are mixed.
    losses = 0
    for share, target in targets:
        smoothing = recipe.label_smoothing
        loss = F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none")
        losses = losses + share * loss

    # Against the mean of the teachers' probabilities.
    if trainer.teachers:
        weight = recipe.distillation_weight
        with torch.no_grad():
            predicted = [teacher(x).float().softmax(1) for teacher in trainer.teachers]
            soft_labels = torch.stack(predicted).mean(0)
        distilled = F.cross_entropy(logits, soft_labels, reduction="none")
        losses = losses * (1 - weight) + distilled * weight

    # Weights have mean 1 over the training set, not over each batch.
    return (losses if weights is None else losses * weights).mean(), logits
