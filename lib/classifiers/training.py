"""Training of a classifier: one loop of optimiser steps, from a plan to a trained network.

The whole face set lies on the device as uint8; batches are cut, augmented and mixed there. What a
step draws at random depends on the seed and the step's number alone: the same seed gives the same
bytes (on a CPU), and a killed run continues from its last checkpoint to the same result.

Whoever changes the arithmetic here raises TRAINING_VERSION, see lib.classifiers.versions.
"""

import contextlib
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lib.classifiers.auxiliary_norm import keep_main_norms
from lib.classifiers.batches import drop_zero_weight
from lib.classifiers.models import load_facts, load_model, parameter_count, predict, save_model
from lib.classifiers.recipes import TrainingPlan
from lib.classifiers.trainer import Trainer, make_trainer, take_step
from lib.compute import checkpoints
from lib.compute.devices import deterministic
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.records import content_hash

CHECKPOINT_SECONDS = 60.0  # between two checkpoints of a run; shorter runs write none
CHECKPOINT = "checkpoint.safetensors"

# In a run's folder while it trains: the networks that it is distilled from.
TEACHERS, TEACHER_WEIGHTS = "teachers", "network.safetensors"


@dataclass(frozen=True)
class TrainingResult:
    """The result of a run."""

    model: nn.Module  # in evaluation mode, on the CPU

    # The learning curve, one row a stretch of steps: step, epoch, loss and accuracy (of the
    # stretch's batches, in training mode), accuracy_watched (where a set is watched), seconds (of
    # training so far).
    history: pd.DataFrame
    probabilities: dict[str, np.ndarray]  # float32 (N, classes) for each evaluated set

    # parameters, steps, images, epochs, seconds, images_per_second, device, precision, threads,
    # deterministic (whether the same seed gives the same bytes), best_step (whose weights it has).
    facts: dict


@dataclass(frozen=True)
class TrainingState:
    """Where a run stands."""

    step: int = 0  # optimiser steps taken
    seconds: float = 0.0  # spent on them
    sums: Tensor | None = None  # (3,) of the curve's current stretch, see take_step
    history: tuple[dict, ...] = ()  # rows of the learning curve so far

    # Early stopping.
    best: dict[str, Tensor] | None = None  # state of the network at its best evaluation
    best_accuracy: float = -1.0
    best_step: int = 0
    evaluations_since_best: int = 0

    def evaluated(self, accuracy: float, network: nn.Module) -> "TrainingState":
        """Note an evaluation of the watched set; the best network so far is kept."""
        if accuracy <= self.best_accuracy:
            return replace(self, evaluations_since_best=self.evaluations_since_best + 1)
        best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        return replace(
            self, best=best, best_accuracy=accuracy, best_step=self.step, evaluations_since_best=0
        )


# The fields of a state that are plain numbers: the header of a checkpoint.
STATE_FACTS = ("step", "seconds", "best_accuracy", "best_step", "evaluations_since_best")


def train(
    faces: FaceSet,
    plan: TrainingPlan,
    *,
    evaluate: dict[str, FaceSet] | None = None,
    watch: str = "",
    folder: Path | None = None,
    progress: Callable[[dict], None] | None = None,
    teachers: tuple[nn.Module, ...] | None = None,
) -> TrainingResult:
    """Train a network on a face set.

    Args:
        faces: training images, square. The columns weight, stage_end and norm_group of the table
            say how each takes part, see lib.faces.mixing.
        plan: network, recipe, seed, length, device and options.
        evaluate: face sets by name, predicted after the last step.
        watch: name of an evaluated set whose accuracy is followed through training; "" for none.
        folder: receives the checkpoints of a run that takes minutes, and is where such a run
            continues; None: no checkpoints.
        progress: called with each row of the learning curve.
        teachers: trained networks to distil from; None: those of the recipe are trained first.

    Raises:
        StudyError: no training images; evaluated sets of other classes; a loss that is not finite;
            early stopping without a watched set; options or columns that cannot be followed.
    """
    # Stop before anything expensive.
    evaluate = evaluate or {}
    check_feasible(faces, plan, evaluate, watch)

    # Torch's own random state is put back afterwards.
    gpu_repeats = plan.device != "cpu" and plan.options.deterministic
    random_state = torch.random.fork_rng(range(torch.cuda.device_count()))
    with random_state, deterministic(gpu_repeats):
        # Those that the network is distilled from come first.
        if teachers is None:
            teachers = train_teachers(faces, plan, folder, evaluate, watch)

        # The network itself.
        trainer = make_trainer(faces, plan, teachers)
        key = content_hash([faces.digest(), plan.definition(), trainer.precision, watch])
        watched = evaluate.get(watch)
        history, kept = fit(trainer, watched=watched, folder=folder, key=key, progress=progress)
        keep_main_norms(trainer.result)
        facts = training_facts(trainer, history) | {"best_step": kept}

    # The teachers were kept until the network had learnt from them to the end.
    if plan.recipe.distillation_teachers and folder is not None:
        shutil.rmtree(folder / TEACHERS, ignore_errors=True)

    # Predict the evaluated sets.
    flip = plan.recipe.test_time_flip
    probabilities = {
        name: predict(trainer.result, held.images, test_time_flip=flip)
        for name, held in evaluate.items()
    }
    return TrainingResult(trainer.result.eval().cpu(), history, probabilities, facts)


def check_feasible(
    faces: FaceSet, plan: TrainingPlan, evaluate: dict[str, FaceSet], watch: str
) -> None:
    """Stop before a training that cannot be.

    Raises:
        StudyError: no training images, evaluated sets of other classes, nothing to stop early by.
    """
    if not len(drop_zero_weight(faces)):
        raise StudyError("there are no training images in this arm")
    for name, held in evaluate.items():
        if held.classes != faces.classes:
            raise StudyError(
                f"the training images have the classes {', '.join(faces.classes)}, "
                f"those of {name} {', '.join(held.classes)}; take both from one source"
            )
    if plan.options.early_stopping_patience and watch not in evaluate:
        raise StudyError(
            "early stopping evaluates real validation images, and there are none: "
            "set val_share, or early_stopping_patience to 0"
        )


def train_teachers(
    faces: FaceSet,
    plan: TrainingPlan,
    folder: Path | None,
    evaluate: dict[str, FaceSet],
    watch: str,
) -> tuple[nn.Module, ...]:
    """Train the networks that a plan's network is distilled from, one after the other.

    Each has a seed of its own and is distilled from those before it. A run with a folder keeps them
    there, so that a killed run does not train them twice. Arguments as `train` takes them.

    Source: Furlanello et al. 2018, arXiv 1805.04770; that each learns from all before it, not from
    the last alone, is ours.
    """
    count, teachers = plan.recipe.distillation_teachers, ()
    for number in range(count):
        # The first learns from labels alone, the second from the first, and so on.
        recipe = replace(plan.recipe, distillation_teachers=number)
        its_plan = replace(plan, recipe=recipe, seed=plan.seed + count - number)
        its_folder = Path(folder) / TEACHERS / str(number) if folder else None

        # Load the one that a killed run has left, or train it.
        key = content_hash([faces.digest(), its_plan.definition(), watch])
        if its_folder and _key_of(its_folder / TEACHER_WEIGHTS) == key:
            teachers += (load_model(its_folder / TEACHER_WEIGHTS),)
            continue
        held = {"evaluate": evaluate, "watch": watch}
        teacher = train(faces, its_plan, folder=its_folder, teachers=teachers, **held).model
        teachers += (teacher,)
        if its_folder:
            save_model(
                teacher,
                its_folder / TEACHER_WEIGHTS,
                classifier=plan.classifier,
                image_px=faces.images.shape[1],
                classes=faces.classes,
                facts={"key": key},
            )
    return teachers


def _key_of(path: Path) -> str:
    """Read the key of a finished teacher; "" where there is none, or a damaged one."""
    with contextlib.suppress(StudyError):
        return load_facts(path).get("key", "")
    return ""


def fit(
    trainer: Trainer,
    *,
    watched: FaceSet | None = None,
    folder: Path | None = None,
    key: str = "",
    progress: Callable[[dict], None] | None = None,
) -> tuple[pd.DataFrame, int]:
    """Take all steps of a plan, from a checkpoint if there is one, or stop early.

    Args:
        trainer: whose network is trained in place; after early stopping it has its best weights.
        watched: the set whose accuracy is followed.
        folder: of the checkpoints; None: there are none.
        key: of the run; only a checkpoint with the same key is resumed.
        progress: called with each row of the learning curve.

    Returns:
        (learning curve, step whose weights the network has).
    """
    steps, patience = trainer.schedule.steps, trainer.plan.options.early_stopping_patience
    points = min(trainer.plan.recipe.curve_points, steps)
    state = load_checkpoint(trainer, folder, key)
    clock = saved = time.perf_counter()
    while state.step < steps and not (patience and state.evaluations_since_best >= patience):
        # One optimiser step.
        trainer.model.train()
        sums = take_step(trainer, state.step)
        sums = sums if state.sums is None else state.sums + sums
        state = replace(state, step=state.step + 1, sums=sums)

        # On a GPU reading the loss waits for the step, so it is read at the curve's points alone.
        at_point = state.step * points // steps > (state.step - 1) * points // steps
        if at_point or trainer.plan.device == "cpu":
            check_finite(trainer, float(sums[0]), state.step)
        now = time.perf_counter()
        state = replace(state, seconds=state.seconds + now - clock)
        clock = now

        # A point of the learning curve; its evaluation is not training time.
        if at_point:
            row = curve_row(trainer, state, watched)
            state = replace(state, sums=None, history=(*state.history, row))
            if patience:
                state = state.evaluated(row["accuracy_watched"], trainer.current)
            clock = time.perf_counter()
            if progress:
                progress(row)
        if folder is not None and clock - saved > CHECKPOINT_SECONDS:
            save_checkpoint(trainer, folder, key, state)
            saved = time.perf_counter()

    # The run is over: its checkpoint is not needed any more.
    if folder is not None:
        (Path(folder) / CHECKPOINT).unlink(missing_ok=True)
    if patience:
        trainer.result.load_state_dict(state.best)
    return pd.DataFrame(list(state.history)), state.best_step if patience else state.step


def check_finite(trainer: Trainer, loss: float, step: int) -> None:
    """Stop a training that has diverged.

    Raises:
        StudyError: the loss is not finite.
    """
    if not math.isfinite(loss):
        rate, steps = trainer.plan.recipe.lr_peak, trainer.schedule.steps
        raise StudyError(
            f"training diverged: the loss is {loss} at step {step} of {steps}; "
            f"lower the recipe's lr_peak ({rate})"
        )


def curve_row(trainer: Trainer, state: TrainingState, watched: FaceSet | None) -> dict:
    """Summarise a stretch of steps as one point of the learning curve."""
    # Means over the images of the stretch.
    loss, correct, images = state.sums.tolist()
    row = {
        "step": state.step,
        "epoch": state.step / trainer.schedule.steps_per_epoch,
        "loss": loss / images,
        "accuracy": correct / images,
    }

    # The accuracy on the watched set, as if the run ended now.
    if watched is not None:
        flip = trainer.plan.recipe.test_time_flip
        predicted = predict(trainer.current, watched.images, test_time_flip=flip).argmax(1)
        row["accuracy_watched"] = float((predicted == watched.labels).mean())
    return row | {"seconds": state.seconds}


def training_facts(trainer: Trainer, history: pd.DataFrame) -> dict:
    """Collect how large, how long and how fast a training was."""
    # Early stopping may have ended the run before its last step.
    images = len(trainer.images)
    steps, seconds = int(history["step"].iloc[-1]), float(history["seconds"].iloc[-1])
    seen = steps / trainer.schedule.steps_per_epoch * images
    on_cpu = trainer.plan.device == "cpu"
    return {
        "parameters": parameter_count(trainer.result),
        "steps": steps,
        "images": images,
        "epochs": seen / images,
        "seconds": seconds,
        "images_per_second": seen / seconds,
        "device": trainer.plan.device,
        "precision": trainer.precision,
        "threads": torch.get_num_threads(),
        "deterministic": on_cpu or torch.are_deterministic_algorithms_enabled(),
    }


def save_checkpoint(trainer: Trainer, folder: Path, key: str, state: TrainingState) -> None:
    """Write a checkpoint of a run, in place of the last one."""
    # Networks and optimiser, each tensor named after its part.
    parts = {"network": trainer.model.state_dict(), "best": state.best or {}}
    if trainer.averaged:
        parts["averaged"] = trainer.averaged.state_dict()
    tensors = checkpoints.optimiser_tensors({"of": trainer.optimiser})
    for part, values in parts.items():
        tensors |= {f"{part}/{name}": tensor for name, tensor in values.items()}
    if state.sums is not None:
        tensors["sums"] = state.sums

    # Plain numbers go into the header, beside the key that identifies the run.
    facts = {name: getattr(state, name) for name in STATE_FACTS}
    facts |= {"key": key, "history": list(state.history)}
    checkpoints.save_tensors(Path(folder) / CHECKPOINT, tensors, facts)


def load_checkpoint(trainer: Trainer, folder: Path | None, key: str) -> TrainingState:
    """Put a run back to its last checkpoint, and return where it stood.

    A checkpoint that is missing, damaged (cut off by a full disk) or of another run means the
    beginning.
    """
    if folder is None or not (Path(folder) / CHECKPOINT).exists():
        return TrainingState()
    try:
        tensors, facts = checkpoints.load_tensors(Path(folder) / CHECKPOINT)
    except StudyError:
        return TrainingState()
    if facts.get("key") != key:
        return TrainingState()

    # Network and optimiser, in place.
    trainer.model.load_state_dict(_part(tensors, "network/"))
    if trainer.averaged:
        trainer.averaged.load_state_dict(_part(tensors, "averaged/"))
    checkpoints.restore_optimisers({"of": trainer.optimiser}, tensors)
    _lay_out_like_parameters(trainer.optimiser)

    # What the loop remembers.
    device = trainer.plan.device
    best = {name: tensor.to(device) for name, tensor in _part(tensors, "best/").items()}
    return TrainingState(
        sums=tensors["sums"].to(device) if "sums" in tensors else None,
        history=tuple(facts["history"]),
        best=best or None,
        **{name: facts[name] for name in STATE_FACTS},
    )


def _lay_out_like_parameters(optimiser: torch.optim.Optimizer) -> None:
    """Give each moment the memory layout of its parameter, which fused kernels rely on."""
    for parameter, state in optimiser.state.items():
        for name, value in state.items():
            if value is not None and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
