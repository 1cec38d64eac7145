"""One training loop, one prediction. The whole face set lies on the device as uint8; batches are made there by tensor functions.

What a step draws depends on the seed and the step's number alone: same seed, same bytes (on a CPU), and a run that was killed goes on
from its last checkpoint to the very result it would have had.
"""

import math
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from lib.classifiers.augmentation import to_float
from lib.classifiers.models import parameter_count
from lib.classifiers.options import Options, present
from lib.classifiers.recipes import Recipe, recipe_of
from lib.classifiers.resume import Progress, drop_progress, load_progress, save_progress
from lib.classifiers.splitnorm import join_norms
from lib.classifiers.trainer import Trainer, make_trainer, take_step
from lib.classifiers.weights import load_facts, load_model, save_model
from lib.faces.faceset import CLASSES, FaceSet
from lib.generators.hardware import deterministic, repeatable
from lib.study.errors import StudyError
from lib.study.records import content_hash

CHECKPOINT_SECONDS = 60.0  # between two checkpoints of a run; shorter runs write none
TEACHERS, WEIGHTS = "teachers", "network.safetensors"  # in a run's folder while the run is under way


@dataclass(frozen=True)
class TrainingResult:
    """What a run leaves.

    Attributes:
        model: trained network in evaluation mode, on the CPU.
        history: the learning curve, one row a stretch of steps: step, epoch, loss and accuracy (of the stretch's batches, in training
            mode), accuracy_watched (where a set is watched), seconds (of training so far).
        probabilities: float32 (N, 7) for each evaluated set.
        facts: parameters, steps, images, epochs, seconds, images_per_second, device, precision,
            deterministic (whether the same seed gives the same bytes), threads, best_step (whose weights the model has).
    """

    model: nn.Module
    history: pd.DataFrame
    probabilities: dict
    facts: dict


def train(
    faces: FaceSet, *, classifier: str, recipe: Recipe | str, seed: int, steps: int = 0, epochs: int = 0,
    evaluate: dict | None = None, watch: str = "", device: str = "cpu", folder: Path | None = None, progress=None,
    options: Options = Options(), teachers: tuple | None = None,
) -> TrainingResult:  # fmt: skip
    """Train a network on a face set.

    Args:
        faces: training images, square. The columns weight, stage_end and norm_group of the table
            say how each takes part, see lib.faces.mixing.
        classifier: name of a network.
        recipe: how to train, or the name of a recipe.
        seed: of initialisation, order, augmentation and dropout.
        steps: optimiser steps; 0: `epochs` passes over the faces, and when these are 0 too, the recipe's own.
        evaluate: face sets by name, predicted after the last step.
        watch: name of an evaluated set whose accuracy is followed through training; "" for none.
        device: cpu or cuda.
        folder: receives checkpoints of a run that takes minutes, and is where such a run goes on; None: no checkpoints.
        progress: called with each row of the learning curve.
        teachers: trained networks to learn from; None: those that the recipe asks for are trained first.
        options: weights of classes, sampling, early stopping (each point of the learning curve is a look at the watched set).

    Raises:
        StudyError: no training images; a loss that is not finite; early stopping with nothing to watch; what the options or the columns of
            the faces ask for cannot be.
    """
    recipe, evaluate = recipe_of(recipe) if isinstance(recipe, str) else recipe, evaluate or {}
    if not len(present(faces)):
        raise StudyError("there are no training images in this arm")
    if options.early_stopping_patience and watch not in evaluate:
        raise StudyError(
            "early stopping looks at real validation images, and there are none: set val_share, or early_stopping_patience to 0"
        )
    with torch.random.fork_rng(range(torch.cuda.device_count())), deterministic(device != "cpu" and options.deterministic):
        settings = {"steps": steps, "epochs": epochs, "evaluate": evaluate, "watch": watch, "device": device, "options": options}
        teachers = earlier_networks(faces, classifier, recipe, seed, folder, **settings) if teachers is None else teachers
        trainer = make_trainer(faces, classifier, recipe, seed, steps, epochs, device, options, tuple(teachers))
        key = [faces.digest(), classifier, asdict(recipe), asdict(trainer.schedule), device, trainer.precision, asdict(options)]
        history, kept = fit(trainer, evaluate.get(watch), folder, key, progress, options.early_stopping_patience)
        join_norms(trainer.result)
        facts = training_facts(trainer, history)
    if recipe.teachers and folder is not None:
        shutil.rmtree(folder / TEACHERS, ignore_errors=True)
    probabilities = {name: predict(trainer.result, held.images, flip_average=recipe.flip_average) for name, held in evaluate.items()}
    return TrainingResult(trainer.result.eval().cpu(), history, probabilities, facts | {"best_step": kept})


def earlier_networks(faces: FaceSet, classifier: str, recipe: Recipe, seed: int, folder: Path | None, **settings) -> list[nn.Module]:
    """Train the networks that teach, one after the other, each with a seed of its own and taught by those before it.

    A run with a folder keeps them there until they have taught to the end, so that a killed run does not train them twice.

    Source: Furlanello et al. 2018, arXiv 1805.04770; that each learns from all before it, not from the last alone, is ours.
    """
    networks, plain = [], {name: settings[name] for name in ("steps", "epochs", "watch")} | asdict(settings["options"])
    for number in range(recipe.teachers):
        earlier, its_seed = replace(recipe, teachers=number), seed + recipe.teachers - number
        own = folder and Path(folder) / TEACHERS / str(number)
        key = content_hash([faces.digest(), classifier, asdict(earlier), its_seed, plain])
        if own and (own / WEIGHTS).exists() and load_facts(own / WEIGHTS).get("key") == key:
            networks.append(load_model(own / WEIGHTS))
            continue
        result = train(faces, classifier=classifier, recipe=earlier, seed=its_seed, folder=own, teachers=tuple(networks), **settings)
        networks.append(result.model)
        if own:
            save_model(result.model, own / WEIGHTS, classifier=classifier, image_px=faces.images.shape[1], facts={"key": key})
    return networks


def training_facts(trainer: Trainer, history: pd.DataFrame) -> dict:
    """Say how large, how long and how fast a training was."""
    images, steps, seconds = len(trainer.images), int(history["step"].iloc[-1]), float(history["seconds"].iloc[-1])
    seen = steps / trainer.schedule.steps_per_epoch * images
    size = {"parameters": parameter_count(trainer.result), "steps": steps, "images": images, "epochs": seen / images}
    speed = {"seconds": seconds, "images_per_second": seen / seconds}
    repeats = trainer.device == "cpu" or torch.are_deterministic_algorithms_enabled()
    hardware = {"device": trainer.device, "precision": trainer.precision, "threads": torch.get_num_threads(), "deterministic": repeats}
    return size | speed | hardware


def fit(
    trainer: Trainer, watched: FaceSet | None, folder: Path | None, key: list, progress=None, patience: int = 0
) -> tuple[pd.DataFrame, int]:  # fmt: skip
    """Take all steps of a schedule, from a checkpoint if there is one, or stop early and put the best weights back.

    Returns:
        (learning curve, step whose weights the network has)
    """
    steps, points = trainer.schedule.steps, min(trainer.recipe.curve_points, trainer.schedule.steps)
    state = load_progress(trainer, folder, key)
    clock = saved = time.perf_counter()
    while state.step < steps and not (patience and state.waited >= patience):
        trainer.model.train()
        sums = take_step(trainer, state.step)
        state = replace(state, step=state.step + 1, sums=sums if state.sums is None else state.sums + sums)
        due = state.step * points // steps > (state.step - 1) * points // steps
        if due or trainer.device == "cpu":  # on a GPU each look at a loss waits for it
            check_finite(float(state.sums[0]), trainer, state.step)
        state, clock = replace(state, seconds=state.seconds + time.perf_counter() - clock), time.perf_counter()
        if due:
            row = curve_row(trainer, state, watched)
            state = replace(state, sums=None, history=(*state.history, row))
            state = state.after_look(row["accuracy_watched"], trainer.current) if patience else state
            clock = time.perf_counter()
            if progress:
                progress(row)
        if folder is not None and clock - saved > CHECKPOINT_SECONDS:
            save_progress(trainer, folder, key, state)
            saved = time.perf_counter()
    drop_progress(folder)
    if patience:
        trainer.result.load_state_dict(state.best)
    return pd.DataFrame(list(state.history)), state.best_step if patience else state.step


def check_finite(loss: float, trainer: Trainer, step: int) -> None:
    """Stop a training whose loss is no number any more.

    Raises:
        StudyError: it is not finite.
    """
    if not math.isfinite(loss):
        rate, steps = trainer.recipe.lr_peak, trainer.schedule.steps
        raise StudyError(f"training diverged: the loss is {loss} at step {step} of {steps}; lower the recipe's lr_peak ({rate})")


def curve_row(trainer: Trainer, state: Progress, watched: FaceSet | None) -> dict:
    """Summarise a stretch of steps as one point of the learning curve."""
    loss, hits, images = state.sums.tolist()
    row = {"step": state.step, "epoch": state.step / trainer.schedule.steps_per_epoch, "loss": loss / images, "accuracy": hits / images}
    if watched is not None:
        found = predict(trainer.current, watched.images, flip_average=trainer.recipe.flip_average).argmax(1)
        row["accuracy_watched"] = float((found == watched.labels).mean())
    return row | {"seconds": state.seconds}


@torch.inference_mode()
def predict(model: nn.Module, images: np.ndarray, *, batch: int = 512, flip_average: bool = False) -> np.ndarray:
    """Give class probabilities, computed in float32.

    Args:
        model: on any device; left in evaluation mode.
        images: uint8 (N, H, W).
        batch: images at once.
        flip_average: average over each image and its mirror.

    Returns:
        float32 (N, 7), rows summing to 1.
    """
    model.eval()
    device = next(model.parameters()).device
    parts = [torch.zeros(0, len(CLASSES))]
    with repeatable():
        for first in range(0, len(images), batch):
            x = to_float(torch.from_numpy(images[first : first + batch]).to(device)).contiguous(memory_format=torch.channels_last)
            p = model(x).softmax(1)
            parts.append(((p + model(x.flip(3)).softmax(1)) / 2 if flip_average else p).cpu())
    return torch.cat(parts).numpy()
