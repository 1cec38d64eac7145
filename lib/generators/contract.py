"""The contract of all generators, and the one place that makes them from parameters.

`Generator` declares everything that pools, notebooks and the command for several GPUs use, with
defaults for what most generators do not have. This module knows no torch: networks and diffusers
are imported when a generator that needs them is made.
"""

import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.compute.seeds import mixed_seed
from lib.faces.faceset import FaceSet
from lib.faces.pool import GENERATOR
from lib.study.errors import StudyError
from lib.study.kept import write_sealed

SHARD = 512  # images that a killed sampling can cost


@dataclass(frozen=True)
class LearntFrom:
    """What a generator learnt from, recorded with every pool in generator.json."""

    # "real": faces that the study gave it. "external": something else, such as ready-made images,
    # Stable Diffusion's own training, or the rules of drawn faces.
    kind: str = "external"
    images: int = 0  # how many faces the study gave it
    digest: str = ""  # of these faces (FaceSet.digest); "" for external
    class_counts: tuple[int, ...] = ()  # how many of each class, in the order of the class list

    def __post_init__(self):
        # A list where it was read from JSON; a frozen dataclass sets its own fields this way alone.
        object.__setattr__(self, "class_counts", tuple(self.class_counts))


def learnt_from_faces(faces: FaceSet) -> LearntFrom:
    """Record faces that the study gave a generator."""
    counts = tuple(faces.counts().tolist())
    return LearntFrom("real", len(faces), faces.digest(), counts)


def knowledge(learnt_from: LearntFrom, real: FaceSet, own: FaceSet) -> str:
    """Name what a generator knows of a study's real training images.

    Args:
        learnt_from: of the generator.
        real: all real training images.
        own: those that the pool's generator was to learn from, see `source.own_faces`.

    Returns:
        "external": none of them. "all images". "same images": the subset that an arm holds beside
        the pool. "other images": real images that are not known to be these, such as those of a
        weights file that was trained elsewhere.
    """
    if learnt_from.kind == "external":
        return "external"
    if learnt_from.digest == real.digest():
        return "all images"
    return "same images" if learnt_from.digest == own.digest() else "other images"


class Generator:
    """Class labels and seeds in, a face set out; image i depends on its own pair alone.

    The defaults are those of a generator that learns nothing, has no weights and makes images from
    noise. A subclass gives at least `name`, `px`, `classes` and `sample`.
    """

    name: str  # kind of generator, as the parameter `generator` names it
    px: int  # side of its images, pixels
    classes: tuple[str, ...]  # what labels number: the classes of the faces that it is fit on
    device: str = "cpu"  # or "cuda"; on the CPU equal seeds give equal bytes everywhere
    shard: int = SHARD  # images that a killed sampling can cost

    is_trained: bool = False  # whether `fit` trains weights on the faces
    can_edit: bool = False  # whether `edit` works
    remade_at_once: bool = False  # a whole pool takes seconds: it is made anew, not checked
    learnt_from: LearntFrom = LearntFrom()  # so far

    # Labels of images that exist already, int64 (N,), in order of generation: seed i is the i-th.
    # None where any label can be asked for.
    ready_made_labels: np.ndarray | None = None

    @property
    def settings(self) -> dict:
        """What makes another generator of the same kind, for the model card."""
        return {}

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None) -> pd.DataFrame:
        """Learn from faces.

        Args:
            faces: training images of the generator's classes.
            folder: receives checkpoints, sheets of samples and the log; see `training_folder`.
            progress: callable(text), called with a line at each log.
            distance: callable(images uint8 (N, px, px), labels int64 (N,)) -> dict of floats,
                measured on samples at each log.

        Returns:
            The log of the training, one row a log with the column step; empty where nothing is
            learnt.
        """
        return pd.DataFrame({"step": []})

    def training_folder(self, faces: FaceSet, trainings: Path, folder: Path) -> Path:
        """Choose where `fit` trains on faces.

        Args:
            faces: training images.
            trainings: folder of all trainings, shared by pools and studies that ask for the same.
            folder: of the pool, for what is not shared.
        """
        return folder

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Make one image per (label, seed), int64 (N,) each, of the generator's classes."""
        raise NotImplementedError(f"{type(self).__name__}.sample")

    def edit(
        self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, *, strength: float
    ) -> FaceSet:
        """Give faces the classes `labels`, image to image; image i depends on its own row alone.

        Args:
            images: uint8 (N, H, W), any size.
            labels: int64 (N,), wanted classes.
            seeds: int64 (N,), of the noise.
            strength: share of the way from noise that is done anew, above 0 to 1.

        Raises:
            StudyError: a generator that makes images from noise alone.
        """
        raise cannot_edit(self.name, strength)

    def prompts(self, labels: np.ndarray, seeds: np.ndarray) -> list[str] | None:
        """Give the text that each (label, seed) is generated from; None where there is no text."""
        return None

    def save(self, folder: Path) -> Path:
        """Write the facts as generator.json, and weights where there are any; return the file."""
        path = Path(folder) / GENERATOR
        write_sealed(path, self.facts())
        return path

    def load(self, folder: Path) -> "Generator":
        """Read the weights that `save` wrote; the generator itself where there are none."""
        return self

    def facts(self) -> dict:
        """Describe the generator for the model card: plain data, as generator.json holds it."""
        return {
            "generator": self.name,
            "px": self.px,
            "classes": list(self.classes),
            "settings": self.settings,
            "training": {},  # steps, batch and seed of a trained generator
            "parameters": {},  # number of weights by part of the network
            "learnt_from": asdict(self.learnt_from),
        }


def make_generator(params: dict, classes: tuple[str, ...]) -> Generator:
    """Make the generator that `params["generator"]` names; a new network draws its weights.

    Args:
        params: the keys of base.yaml, at least those of its pools section, seed, device, image_px
            and synthetic.
        classes: class list of the faces that it is fit on (FaceSet.classes).

    Raises:
        StudyError: an unknown generator, classes that it cannot make, weights of another one, or
            `edit_strength` for one that makes images from noise alone.
    """
    name = params["generator"]
    if params["generator_weights"]:
        generator = _given(params, tuple(classes))
    elif name in NETWORKS:
        generator = _trained(params, tuple(classes))
    elif name in PRETRAINED:
        generator = PRETRAINED[name](params, tuple(classes))
    else:
        known = ", ".join((*PRETRAINED, *NETWORKS))
        raise StudyError(f"generator is {name!r}; choices: {known}")

    # Better known now than after hours of training.
    if params["edit_strength"] and not generator.can_edit:
        raise cannot_edit(name, params["edit_strength"])
    return generator


def cannot_edit(name: str, strength: float) -> StudyError:
    """Make the error that says that a generator makes images from noise alone."""
    return StudyError(
        f"edit_strength is {strength}, but {name} makes images from noise alone; "
        "choose diffusion or stable, or set it to 0"
    )


# --------------------------------------------------------------------------------------------------
# Generators that learn nothing from the study's faces.


def _drawn(params: dict, classes: tuple[str, ...]) -> Generator:
    from lib.generators.drawn import DrawnGenerator

    return DrawnGenerator(
        px=params["image_px"],
        classes=classes,
        identities=params["drawn_identities"],
        mislabelled_share=params["drawn_mislabelled_share"],
    )


def _folder(params: dict, classes: tuple[str, ...]) -> Generator:
    from lib.generators.folder import read_folder

    return read_folder(params["synthetic"], classes)


def _stable(params: dict, classes: tuple[str, ...]) -> Generator:
    from lib.compute.devices import resolve_device
    from lib.faces.prompts import read_prompts
    from lib.generators.stable_diffusion import StableDiffusion

    return StableDiffusion(
        model=params["sd_model"],
        classes=classes,
        px=params["sd_px"],
        steps=params["sd_steps"],
        guidance=params["sd_guidance"],
        batch=params["sd_batch"],
        per_prompt=params["sd_per_prompt"],
        balanced=params["sd_balanced"],
        swapped=params["sd_swapped"],
        compiled=params["sd_compiled"],
        device=resolve_device(params["device"]),
        words=read_prompts(
            chosen=params["sd_prompts"], emphasised=params["sd_emphasised"], classes=classes
        ),
    )


PRETRAINED = {"drawn": _drawn, "folder": _folder, "stable": _stable}

# --------------------------------------------------------------------------------------------------
# Networks that lib.generators.training_loop trains.


def _trained(params: dict, classes: tuple[str, ...]) -> Generator:
    """Make a generator that is a network of ours, its weights drawn from `seed`."""
    import torch

    from lib.compute.devices import resolve_device
    from lib.generators.training_loop import TrainedGenerator

    # Draw the weights, and leave torch's global generator as it was.
    name = params["generator"]
    network_class, _ = NETWORKS[name]()
    seed = mixed_seed(params["seed"], zlib.crc32(name.encode()))
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        network = network_class(**network_settings(params), n_classes=len(classes))

    return TrainedGenerator(
        name=name,
        network=network,
        classes=classes,
        px=params["gan_px"],
        steps=params["gan_steps"],
        batch=params["gan_batch"],
        seed=params["seed"],
        decay_share=params["gan_decay_share"],
        log_every=params["log_every_steps"],
        checkpoints=params["gan_checkpoints"],
        device=resolve_device(params["device"]),
    )


def _given(params: dict, classes: tuple[str, ...]) -> Generator:
    """Make a generator of a weights file; how it samples is the parameters' choice."""
    from lib.compute.devices import resolve_device
    from lib.generators.weights import read_generator, settings_of_sampling

    # The file holds one kind of generator, for one list of classes.
    path, name = params["generator_weights"], params["generator"]
    if name not in NETWORKS:
        choices = ", ".join(NETWORKS)
        raise StudyError(f"generator_weights: {name} reads no weights file; choices: {choices}")
    network_class, _ = NETWORKS[name]()
    chosen = network_settings(params)
    sampling = {key: chosen[key] for key in settings_of_sampling(network_class) if key in chosen}
    generator = read_generator(path, sampling=sampling, device=resolve_device(params["device"]))
    for what, wanted, given in (
        ("the generator", name, generator.name),
        ("the classes", ", ".join(classes), ", ".join(generator.classes)),
    ):
        if wanted != given:
            raise StudyError(f"generator_weights: {path} is of {what} {given}, not {wanted}")
    return generator


def network_settings(params: dict) -> dict:
    """Collect the settings of the network that `params["generator"]` names, by its arguments."""
    _, keys = NETWORKS[params["generator"]]()
    return {setting: params[key] for setting, key in (SIZES | keys).items()}


# Settings that every network has, and the keys that hold them; the number of classes is another.
SIZES = {"px": "gan_px", "lr": "gan_lr", "precision": "gan_precision"}
GAN = {"width": "gan_width", "r1": "gan_r1"}  # those that every GAN has besides


def _dcgan() -> tuple[type, dict[str, str]]:
    from lib.generators.dcgan import DCGAN

    return DCGAN, GAN | {"conditional": "gan_conditional"}


def _cgan() -> tuple[type, dict[str, str]]:
    from lib.generators.cgan import CGAN

    return CGAN, GAN


def _acgan() -> tuple[type, dict[str, str]]:
    from lib.generators.cgan import ACGAN

    return ACGAN, GAN


def _stylegan() -> tuple[type, dict[str, str]]:
    from lib.generators.stylegan import StyleGAN

    return StyleGAN, GAN | {
        "condition": "gan_condition",
        "augment": "gan_augment",
        "share": "gan_augment_share",
        "truncation": "gan_truncation",
    }


def _diffusion() -> tuple[type, dict[str, str]]:
    from lib.generators.diffusion import Diffusion

    return Diffusion, {
        "channels": "diffusion_channels",
        "blocks": "diffusion_blocks",
        "patch": "diffusion_patch",
        "dropout": "diffusion_dropout",
        "augment_share": "diffusion_augment_share",
        "votes_share": "diffusion_votes_share",
        "soft_labels": "diffusion_soft_labels",
        "guidance": "diffusion_guidance",
        "interval": "diffusion_interval",
        "sample_steps": "diffusion_sample_steps",
        "average": "diffusion_average",
        "guide": "diffusion_guide",
    }


# Name: a function that gives the class of the network, and the keys of the settings it alone has.
NETWORKS = {
    "dcgan": _dcgan,
    "cgan": _cgan,
    "acgan": _acgan,
    "stylegan": _stylegan,
    "diffusion": _diffusion,
}
