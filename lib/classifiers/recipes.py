"""Training recipes and plans: everything about a training that is neither data nor code, as data.

A `Recipe` says how a network is trained, `TrainingOptions` what a study may change beside it, and
a `TrainingPlan` is one training in full: network, recipe, seed, length, device and options.
"""

from dataclasses import asdict, dataclass, fields, replace

import pandas as pd

from lib.classifiers.versions import NETWORK_VERSIONS, TRAINING_VERSION
from lib.study.errors import StudyError


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. A number of 0 switches an augmentation or a technique off."""

    name: str

    # Optimisation.
    optimiser: str = "adam"  # adam, adamw or sgd (Nesterov, momentum 0.9)
    lr_peak: float = 0.001  # highest learning rate of the run
    lr_schedule: str = "constant"  # constant, or one_cycle: linear up, then linear down to 0
    warmup_share: float = 0.2  # one_cycle: share of the steps on which the rate rises
    weight_decay: float = 0.0  # of weights, not of biases and norms; decoupled for adamw
    batch_size: int = 128  # images a step
    epochs: int = 20  # passes over the data when a plan names neither steps nor epochs
    precision: str = "fp32"  # fp32; bf16 where the device has it; mixed: bf16 on GPUs alone
    label_smoothing: float = 0.0  # share of the target spread over all classes, 0 to 1

    # Augmentation, see lib.classifiers.augmentation.
    flip: bool = False  # mirror half of the images
    shift_px: int = 0  # largest shift along each axis, pixels; the edge is replicated
    rotation_degrees: float = 0.0  # largest rotation
    zoom_share: float = 0.0  # largest relative change of size
    brightness_share: float = 0.0  # largest change of brightness, of the full range
    contrast_share: float = 0.0  # largest relative change of contrast
    cutout_px: int = 0  # side of the square that is blanked, pixels
    mixup_alpha: float = 0.0  # Beta parameter of MixUp
    cutmix_alpha: float = 0.0  # Beta parameter of CutMix

    # Averages of networks and predictions.
    weight_averaging_share: float = 0.0  # share of the steps, the last, whose weights are averaged
    distillation_teachers: int = 0  # networks trained beforehand by this recipe, in turn
    distillation_weight: float = 0.0  # share of the loss that is against the teachers' mean
    test_time_flip: bool = False  # predictions are averaged over each image and its mirror

    curve_points: int = 10  # points on the learning curve, evenly over the steps


# S1 to the letter: pixels in [0, 1], no augmentation, the network of the last epoch counts.
SCHUERMANN = Recipe("schuermann", batch_size=128, epochs=250, curve_points=250)

# For minutes on two cores: 160 steps of 64 images take the small network to 63% on drawn faces
# (0.615 to 0.646 over 4 seeds).
QUICK = Recipe(
    "quick",
    optimiser="adamw",
    lr_peak=0.006,
    lr_schedule="one_cycle",
    warmup_share=0.3,
    weight_decay=0.05,
    batch_size=64,
    label_smoothing=0.1,
    flip=True,
    shift_px=1,
    curve_points=5,
)

# S1's accuracy in the least time: one_cycle after Smith and Topin 2017, the rest after
# cifar10-airbench (Jordan 2024, arXiv 2404.00498). A shift of 2 px rather than 3 or 4 was chosen on
# images held out of S1's training set.
FAST = Recipe(
    "fast",
    optimiser="sgd",
    lr_peak=0.3,
    lr_schedule="one_cycle",
    warmup_share=0.25,
    weight_decay=0.0005,
    batch_size=256,
    epochs=8,
    precision="mixed",
    label_smoothing=0.1,
    flip=True,
    shift_px=2,
    test_time_flip=True,
    curve_points=8,
)

# The best single network that FER2013's own images give: a long training, no augmentation that
# changes an expression, nothing at test time. The weights of the last steps are averaged
# (Izmailov et al. 2018, arXiv 1803.05407), and the network is distilled from two of its kind, the
# second distilled from the first (Furlanello et al. 2018, arXiv 1805.04770).
# The deep network, one seed, reached on PublicTest and PrivateTest: 68.1 and 68.7% (the first
# teacher, with cut-outs of 8 pixels), 68.3 and 69.5% (the second, with a distillation_weight of
# 0.7), 68.8 and 70.3% (the last; 68.2% on images that have no copy in training).
# 40 epochs with MixUp, larger cut-outs and shifts, without the deep network's first block, had
# ended at 65.4 and 67.6%.
BEST = Recipe(
    "best",
    optimiser="sgd",
    lr_peak=0.15,
    lr_schedule="one_cycle",
    warmup_share=0.15,
    weight_decay=0.0005,
    batch_size=128,
    epochs=60,
    precision="mixed",
    label_smoothing=0.1,
    flip=True,
    shift_px=3,
    rotation_degrees=10.0,
    zoom_share=0.1,
    cutout_px=12,
    weight_averaging_share=0.03,
    distillation_teachers=2,
    distillation_weight=0.8,
    curve_points=30,
)

# What a person would try on real images alone who has no others: changes of a recipe, or of the
# options of a training.
IMPROVEMENTS = {
    "mixup": {"mixup_alpha": 0.4},
    "cutout": {"cutout_px": 12},
    "geometry": {"rotation_degrees": 10.0, "zoom_share": 0.1},
    "class_balance": {"sampling": "balanced"},
}

# FAST on pairs of images laid over each other (Zhang et al. 2018, arXiv 1710.09412): of four ways
# to train 718 real images alone it is the best on validation images (study uses-cpu).
MIXUP = replace(FAST, name="mixup", **IMPROVEMENTS["mixup"])

RECIPES = {recipe.name: recipe for recipe in (SCHUERMANN, QUICK, FAST, BEST, MIXUP)}


@dataclass(frozen=True)
class TrainingOptions:
    """What a study may change about a training beside its recipe; the defaults change nothing."""

    class_weights: str = "none"  # none, inverse or effective, see lib.classifiers.batches
    sampling: str = "shuffled"  # shuffled, or balanced: every class as often
    early_stopping_patience: int = 0  # evaluations without a gain until a run stops; 0: never
    deterministic: bool = True  # on a GPU, only algorithms that repeat the same bytes


@dataclass(frozen=True)
class TrainingPlan:
    """One training in full, but for the images."""

    classifier: str  # name of a network, see lib.classifiers.models
    recipe: Recipe  # how it is trained
    seed: int  # of initialisation, order of the images, augmentation and dropout
    steps: int = 0  # optimiser steps; 0: `epochs` decides
    epochs: int = 0  # passes over the images; 0 too: the recipe's own
    device: str = "cpu"  # cpu or cuda
    options: TrainingOptions = TrainingOptions()  # what the study changes beside the recipe

    def definition(self) -> dict:
        """Return all that decides what this plan trains to on given images: the heart of a run's
        key. It holds no hash of code, see lib.classifiers.versions.
        """
        return {
            "training_version": TRAINING_VERSION,
            "classifier": self.classifier,
            "network_version": _network_version(self.classifier),
            "recipe": _switched_on(self.recipe),
            "seed": self.seed,
            "steps": self.steps,
            "epochs": self.epochs,
            "device": self.device,
            "options": _switched_on(self.options),
        }


def options_of(params: dict) -> TrainingOptions:
    """Take the training options from a study's flat parameters."""
    return TrainingOptions(**{field.name: params[field.name] for field in fields(TrainingOptions)})


def recipe_of(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        StudyError: no such recipe.
    """
    if name not in RECIPES:
        raise StudyError(f"recipe: there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def recipes_of(classifiers: list[str], names: list[str]) -> dict[str, Recipe]:
    """Return the recipe of each classifier.

    Args:
        classifiers: networks to train, each once.
        names: one recipe for all, or one a classifier.

    Raises:
        StudyError: a recipe that does not exist.
    """
    # Lists that do not fit stop a study before (lib.study.parameter_rules).
    each = names * len(classifiers) if len(names) == 1 else names
    return {name: recipe_of(recipe) for name, recipe in zip(classifiers, each, strict=True)}


def improved(recipe: Recipe, options: TrainingOptions, way: str) -> tuple[Recipe, TrainingOptions]:
    """Change a recipe and the options as one of IMPROVEMENTS does; "" changes nothing."""
    changes, own = IMPROVEMENTS.get(way, {}), {field.name for field in fields(Recipe)}
    of_recipe = {name: value for name, value in changes.items() if name in own}
    of_options = {name: value for name, value in changes.items() if name not in own}
    return replace(recipe, **of_recipe), replace(options, **of_options)


def recipe_table(classifiers: list[str], names: list[str]) -> pd.DataFrame:
    """Lay each classifier's recipe out: one row a setting, one column a classifier."""
    recipes = recipes_of(classifiers, names)
    columns = {
        classifier: pd.Series(asdict(recipe)).astype(str) for classifier, recipe in recipes.items()
    }
    return pd.DataFrame(columns).rename_axis("setting").reset_index()


def _network_version(classifier: str) -> int:
    """Return the version of a network's definition; those of torchvision share one."""
    return NETWORK_VERSIONS.get(classifier, NETWORK_VERSIONS["torchvision"])


def _switched_on(settings: Recipe | TrainingOptions) -> dict:
    """List the settings that are not 0, False or empty.

    A setting that is added later, switched off by default, therefore changes no key.
    """
    return {name: value for name, value in asdict(settings).items() if value}
