"""One training loop, one prediction. The whole face set lies on the device as uint8; batches are made there by tensor functions."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from lib.classifiers.models import build_classifier, parameter_count
from lib.classifiers.recipes import Recipe
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError

POINTS = 20  # rows of a learning curve


@dataclass(frozen=True)
class TrainingResult:
    """What a run leaves.

    Attributes:
        model: trained network in evaluation mode, on the CPU.
        history: one row a stretch of steps: step, epoch, loss (mean), accuracy (of the batches, in training mode), then
            accuracy_<set> where a set is watched.
        probabilities: float32 (N, 7) for each evaluated set.
        facts: parameters, steps, images, seconds, images_per_second, threads.
    """

    model: nn.Module
    history: pd.DataFrame
    probabilities: dict
    facts: dict


def train(
    faces: FaceSet, *, classifier: str, recipe: Recipe, seed: int, steps: int = 0, epochs: int = 0, evaluate=None, watch="", device="cpu"
) -> TrainingResult:
    """Train a network on a face set; the same seed gives the same bytes on one machine with one number of threads.

    Args:
        faces: training images, square.
        classifier: name of a network.
        recipe: how to train.
        seed: of initialisation, shuffling, augmentation and dropout.
        steps: optimiser steps; 0: `epochs` passes over the faces.
        epochs: passes over the faces, when steps is 0.
        evaluate: face sets by name, predicted after the last step.
        watch: name of an evaluated set whose accuracy is followed through training; "" for none.
        device: cpu or cuda.

    Raises:
        StudyError: neither steps nor epochs; a set smaller than a batch; a loss that is not finite.
    """
    per_epoch = _steps_per_epoch(len(faces), recipe.batch_size)
    total = steps or epochs * per_epoch
    if total < 1:
        raise StudyError("train_steps and train_epochs are both 0; give one of them")
    evaluate = evaluate or {}
    began = time.perf_counter()
    with torch.random.fork_rng(devices=[device] if device != "cpu" else []):
        torch.manual_seed(seed)
        model = build_classifier(classifier, image_px=faces.images.shape[1]).to(device, memory_format=torch.channels_last)
        history = _fit(model, faces, recipe, total, seed, device, evaluate.get(watch))
    seconds = time.perf_counter() - began
    model = model.eval().cpu()
    facts = {"parameters": parameter_count(model), "steps": total, "images": len(faces), "seconds": seconds}
    facts |= {"images_per_second": total * min(recipe.batch_size, len(faces)) / seconds, "threads": torch.get_num_threads()}
    probabilities = {name: predict(model, s.images, flip_average=recipe.flip_average) for name, s in evaluate.items()}
    return TrainingResult(model, history, probabilities, facts)


def _steps_per_epoch(n: int, batch_size: int) -> int:
    return -(-n // batch_size)  # the last batch of an epoch may be smaller, as S1's DataLoader has it


def _fit(model, faces, recipe, total, seed, device, watched) -> pd.DataFrame:
    """Take `total` optimiser steps; return the learning curve."""
    images = torch.from_numpy(faces.images).to(device)
    labels = torch.from_numpy(faces.labels).to(device)
    generator = torch.Generator().manual_seed(seed)
    optimiser, scheduler = _optimiser(model, recipe, total)
    per_epoch, rows, losses, hits = _steps_per_epoch(len(faces), recipe.batch_size), [], [], []
    model.train()
    for step in range(total):
        if step % per_epoch == 0:
            order = torch.randperm(len(faces), generator=generator).to(device)
        chosen = order[(step % per_epoch) * recipe.batch_size :][: recipe.batch_size]
        if len(chosen) == 1:  # batch norm cannot normalise one image: a stray last one is paired with the first of its epoch
            chosen = order[[-1, 0]]
        logits = model(augment(images[chosen], recipe, generator))
        loss = F.cross_entropy(logits, labels[chosen], label_smoothing=recipe.label_smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        scheduler.step()
        losses.append(loss.detach())
        hits.append((logits.detach().argmax(1) == labels[chosen]).float().mean())
        if (step + 1) % max(1, total // POINTS) == 0 or step + 1 == total:
            rows.append(_row(model, step + 1, per_epoch, losses, hits, recipe, watched))
            losses, hits = [], []
    return pd.DataFrame(rows)


def _row(model, step, per_epoch, losses, hits, recipe, watched) -> dict:
    """Summarise a stretch of steps.

    Raises:
        StudyError: the loss is not a finite number.
    """
    loss = float(torch.stack(losses).mean())
    if not np.isfinite(loss):
        raise StudyError(f"training diverged: the loss was {loss} by step {step}; lower the recipe's lr_peak ({recipe.lr_peak})")
    row = {"step": step, "epoch": step / per_epoch, "loss": loss, "accuracy": float(torch.stack(hits).mean())}
    if watched is not None:
        row["accuracy_watched"] = float((predict(model, watched.images).argmax(1) == watched.labels).mean())
        model.train()
    return row


def _optimiser(model, recipe, total):
    """Build optimiser and schedule. Weight decay is decoupled from nothing here: it is torch's own for each optimiser."""
    if recipe.optimiser == "adam":
        optimiser = torch.optim.Adam(model.parameters(), recipe.lr_peak, weight_decay=recipe.weight_decay)
    else:
        optimiser = torch.optim.SGD(model.parameters(), recipe.lr_peak, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay)
    if recipe.schedule == "constant" or total < 4:
        return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0)
    # One cycle (Smith and Topin 2018): warm up over a quarter, then cosine to nearly zero; momentum stays as it is.
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.lr_peak, total_steps=total + 1, pct_start=0.25, cycle_momentum=False
    )


def augment(images: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """Make a batch: mirror and shift as the recipe says, scale to [0, 1].

    Args:
        images: uint8 (N, H, W).
        generator: on the CPU; governs every random choice.

    Returns:
        float32 (N, 1, H, W) in [0, 1].
    """
    n, height, width = images.shape
    device = images.device
    if recipe.flip:
        mirrored = (torch.rand(n, generator=generator) < 0.5).to(device)
        images = torch.where(mirrored[:, None, None], images.flip(2), images)
    x = images[:, None].float() / 255
    if recipe.shift_px:
        s = recipe.shift_px
        x = F.pad(x, (s, s, s, s), mode="replicate")
        corner = torch.randint(0, 2 * s + 1, (n, 2), generator=generator).to(device)
        rows = corner[:, 0, None] + torch.arange(height, device=device)
        columns = corner[:, 1, None] + torch.arange(width, device=device)
        x = x[torch.arange(n, device=device)[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]
    return x


@torch.no_grad()
def predict(model: nn.Module, images: np.ndarray, *, batch: int = 512, flip_average: bool = False) -> np.ndarray:
    """Give class probabilities.

    Args:
        images: uint8 (N, H, W).
        flip_average: average over each image and its mirror.

    Returns:
        float32 (N, 7), rows summing to 1.
    """
    model.eval()
    device = next(model.parameters()).device
    parts = [torch.zeros(0, 7)]
    for first in range(0, len(images), batch):
        x = torch.from_numpy(images[first : first + batch]).to(device)[:, None].float() / 255
        p = model(x).softmax(1)
        parts.append(((p + model(x.flip(3)).softmax(1)) / 2 if flip_average else p).cpu())
    return torch.cat(parts).numpy()
