"""Tiny runs train to the values recorded for the versions of the arithmetic.

The keys of finished runs hold TRAINING_VERSION and NETWORK_VERSIONS (lib.classifiers.versions) and
no hash of code. These tests fail when the arithmetic has changed and the numbers have not, so that
no stale run is ever served. The values stand in training_version.json; after raising a version,
record them anew:

    python tests/classifiers/test_training_version.py
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lib.classifiers.models import NETWORKS
from lib.classifiers.recipes import BEST, FAST, QUICK, RECIPES, TrainingOptions, TrainingPlan
from lib.classifiers.reference import fit_reference
from lib.classifiers.training import train
from lib.classifiers.versions import NETWORK_VERSIONS, TRAINING_VERSION
from lib.faces.faceset import FaceSet

RECORD = Path(__file__).with_name("training_version.json")
COMMAND = "python tests/classifiers/test_training_version.py"

# Of probabilities. Other CPUs and versions of torch add numbers up in another order, and training
# amplifies it: convolutions by another library move these runs by up to 6e-4. A changed arithmetic
# moves them by 1e-2 and more, see below.
TOLERANCE = 2e-3

CLASSES = ("a", "b", "c", "d")
PX = 48  # side of the images, pixels
SHOWN = 6  # evaluated images
SIZES = {"batch_size": 8, "curve_points": 4}  # of all recipes here

# The recipes' own rates are for larger batches: probabilities would be 0 and 1 whatever changes.
GENTLE_FAST = replace(FAST, lr_peak=0.06)
GENTLE_BEST = replace(BEST, lr_peak=0.03, weight_averaging_share=0.3)

# One small step of plain gradient descent, as deep networks at small batches amplify rounding.
ONE_STEP = replace(FAST, lr_peak=0.01)


@dataclass(frozen=True)
class Case:
    """One tiny run, by its plan and by how images take part (columns of the table)."""

    plan: TrainingPlan
    column: str = ""
    of_first_half: float = 1.0  # value of the column for the first half of the images
    of_second_half: float = 1.0


def plan(classifier: str, recipe, steps: int = 6, epochs: int = 0, **options) -> TrainingPlan:
    """Plan a tiny run of a recipe."""
    tiny = replace(recipe, **SIZES)
    return TrainingPlan(
        classifier, tiny, seed=3, steps=steps, epochs=epochs, options=TrainingOptions(**options)
    )


def recipe_cases() -> dict[str, Case]:
    """List every recipe, and every setting that no recipe uses."""
    unused = {
        "adam with decay": replace(QUICK, optimiser="adam", weight_decay=0.1),
        "relighting": replace(QUICK, brightness_share=0.2, contrast_share=0.4),
        "mixup": replace(QUICK, mixup_alpha=0.4),
        "cutmix": replace(QUICK, cutmix_alpha=1.0),
        "mixup or cutmix": replace(QUICK, mixup_alpha=0.4, cutmix_alpha=1.0),
    }
    recipes = RECIPES | {"fast": GENTLE_FAST, "mixup": replace(GENTLE_FAST, mixup_alpha=0.4)}
    cases = {f"recipe {name}": Case(plan("small", recipe)) for name, recipe in recipes.items()}
    cases["recipe best"] = Case(plan("small", GENTLE_BEST, steps=16))
    cases |= {f"setting {name}": Case(plan("small", recipe)) for name, recipe in unused.items()}
    return cases | {"whole epochs": Case(plan("small", QUICK, steps=0, epochs=2))}


def option_cases() -> dict[str, Case]:
    """List every option of a study, and every way in which images take part."""
    stopping = plan("small", replace(QUICK, lr_peak=0.05), 20, early_stopping_patience=1)
    return {
        "option inverse weights": Case(plan("small", QUICK, class_weights="inverse")),
        "option effective weights": Case(plan("small", QUICK, class_weights="effective")),
        "option balanced": Case(plan("small", QUICK, sampling="balanced")),
        "option early stopping": Case(stopping),
        "staged": Case(plan("small", QUICK), "stage_end", 0.5, 1.0),
        "weighted": Case(plan("small", QUICK), "weight", 0.2, 1.0),
        "auxiliary norm": Case(plan("fast", GENTLE_FAST), "norm_group", 0, 1),
    }


def network_cases() -> dict[str, Case]:
    """List every network but those that begin with ImageNet's weights, which a test cannot load."""
    names = [name for name in NETWORKS if "imagenet" not in name]
    return {f"network {name}": Case(plan(name, ONE_STEP, steps=1)) for name in names}


CASES = recipe_cases() | option_cases() | network_cases()

# More than a second each.
QUICK_NETWORKS = {f"network {name}" for name in ("s1", "small", "fast", "deep", "s2")}
SLOW = set(network_cases()) - QUICK_NETWORKS - {"network shufflenetv2"}


def faces(n: int, seed: int, split: str) -> FaceSet:
    """Make noise with a bright band whose height is the class; the first classes are rarer."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(CLASSES), n, p=[0.1, 0.2, 0.3, 0.4])
    images = rng.integers(0, 60, (n, PX, PX))
    for image, label in zip(images, labels):
        image[10 * label + 4 : 10 * label + 8] += 150
    table = pd.DataFrame({"id": [f"{split}{i}" for i in range(n)]})
    table["class"] = np.array(CLASSES)[labels]
    table = table.assign(split=split, source="made", cluster=np.arange(n))
    return FaceSet(images.astype(np.uint8), table, CLASSES)


def values_of(case: Case) -> np.ndarray:
    """Train a tiny run and return its probabilities of held images, (SHOWN, classes)."""
    torch.set_num_threads(1)
    training, held = faces(32, 0, "train"), faces(SHOWN, 1, "test")
    if case.column:
        first_half = np.arange(len(training)) < len(training) // 2
        values = np.where(first_half, case.of_first_half, case.of_second_half)
        training = replace(training, table=training.table.assign(**{case.column: values}))
    result = train(training, case.plan, evaluate={"held": held}, watch="held")
    return result.probabilities["held"]


def reference_values(folder: Path) -> np.ndarray:
    """Train a tiny reference classifier and return its probabilities of held images."""
    real, held = faces(32, 0, "train"), faces(SHOWN, 1, "test")
    table = pd.concat([real.table, held.table], ignore_index=True)
    both = FaceSet(np.concatenate([real.images, held.images]), table, CLASSES)
    return fit_reference(both, folder, steps=6, seed=3).probabilities(held.images)


def recorded() -> dict:
    """Read the versions and values on record."""
    return json.loads(RECORD.read_text())


def versions() -> dict:
    """Return the versions that the code has."""
    return {"TRAINING_VERSION": TRAINING_VERSION, "NETWORK_VERSIONS": NETWORK_VERSIONS}


def check(name: str, values: np.ndarray) -> None:
    """Fail where values are not those on record."""
    difference = np.abs(values - np.array(recorded()["values"][name])).max()
    remedy = f"raise TRAINING_VERSION and record anew with `{COMMAND}`"
    if name.startswith("network "):
        remedy += " (where this network alone has changed, raise its number in NETWORK_VERSIONS)"
    assert difference < TOLERANCE, f"{name} moved by {difference:.4f}: arithmetic changed: {remedy}"


def test_the_values_are_those_of_the_present_versions():
    assert recorded()["versions"] == versions(), f"record anew with `{COMMAND}`"


@pytest.mark.parametrize("name", sorted(set(CASES) - SLOW))
def test_a_tiny_run_gives_the_recorded_values(name):
    check(name, values_of(CASES[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
def test_a_tiny_run_of_a_large_network_gives_the_recorded_values(name):
    check(name, values_of(CASES[name]))


def test_the_reference_classifier_gives_the_recorded_values(tmp_path):
    check("reference", reference_values(tmp_path))


CHANGES = {
    "another learning rate": {"lr_peak": 0.033},
    "another schedule": {"lr_schedule": "constant"},
    "another optimiser": {"optimiser": "adamw"},
    "another loss": {"label_smoothing": 0.15},
    "another augmentation": {"shift_px": 2},
    "another order of random draws": {"flip": False},
    "another average of weights": {"weight_averaging_share": 0.5},
    "another distillation": {"distillation_teachers": 1},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_arithmetic_moves_the_values_far_beyond_the_tolerance(change):
    changed = plan("small", replace(GENTLE_BEST, **CHANGES[change]), steps=16)
    difference = np.abs(values_of(Case(changed)) - recorded()["values"]["recipe best"]).max()
    assert difference > 3 * TOLERANCE


def record() -> None:
    """Write the values of all cases for the present versions."""
    import tempfile

    values = {name: values_of(case) for name, case in CASES.items()}
    with tempfile.TemporaryDirectory() as folder:
        values["reference"] = reference_values(Path(folder))
    lines = []
    for name, array in values.items():
        rounded = np.round(array.astype(float), 5).tolist()
        lines.append(f"{json.dumps(name)}: {json.dumps(rounded)}")
    body = ",\n".join(lines)
    RECORD.write_text(f'{{"versions": {json.dumps(versions())},\n"values": {{\n{body}\n}}}}\n')
    print(f"{len(values)} tiny runs recorded in {RECORD}")


if __name__ == "__main__":
    record()
