"""What every generator does, and how one is made from parameters."""

import zlib
from pathlib import Path
from typing import Protocol

import numpy as np

from lib.faces.faceset import FaceSet
from lib.generators.sampling import mixed_seed
from lib.study.errors import StudyError


class Generator(Protocol):
    """Labels and seeds in, a face set out; image i depends on its own (label, seed) alone."""

    name: str

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None):
        """Learn from faces; returns the log of the training as a table, empty where nothing is learnt."""

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Make one image per (label, seed), int64 (N,) each."""

    def save(self, folder: Path) -> Path:
        """Write weights as safetensors, settings as JSON."""

    def load(self, folder: Path) -> "Generator":
        """Read what save wrote."""

    def facts(self) -> dict:
        """Name generator, px, settings, training and parameters for the model card."""


def make_generator(params: dict) -> Generator:
    """Make the generator that `params["generator"]` names; a fresh network is initialised from `seed`.

    Args:
        params: the keys of base.yaml, at least those of its pools section, seed, device, image_px and synthetic.

    Raises:
        StudyError: an unknown generator.
    """
    name = params["generator"]
    if name == "drawn":
        from lib.generators.drawn import Drawn

        return Drawn(params["image_px"], params["drawn_identities"], params["drawn_mislabelled_share"])
    if name == "folder":
        from lib.generators.folder import read_folder

        return read_folder(params["synthetic"])
    if name == "stable":
        from lib.generators.hardware import resolve_device
        from lib.generators.prompts import read_prompts
        from lib.generators.stable_diffusion import StableDiffusion

        chosen = {
            key: params[f"sd_{key}"]
            for key in ("model", "px", "steps", "guidance", "batch", "per_prompt", "balanced", "swapped", "compiled")
        }
        return StableDiffusion(**chosen, device=resolve_device(params["device"]), words=read_prompts(emphasised=params["sd_emphasised"]))
    if name in NETWORKS:
        return trained_generator(name, params)
    raise StudyError(f"generator is {name!r}; choices: drawn, folder, stable, {', '.join(NETWORKS)}")


def trained_generator(name: str, params: dict) -> Generator:
    """Make a generator that is a network, weights drawn from `seed`."""
    import torch

    from lib.generators.hardware import resolve_device
    from lib.generators.training_loop import Trained

    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(mixed_seed(params["seed"], zlib.crc32(name.encode())))
        network = NETWORKS[name](params)
    return Trained(
        name,
        network,
        params["gan_px"],
        params["gan_steps"],
        params["gan_batch"],
        params["seed"],
        params["log_every_steps"],
        resolve_device(params["device"]),
    )


def _dcgan(params: dict):
    from lib.generators.dcgan import DCGAN

    return DCGAN(px=params["gan_px"], width=params["gan_width"], lr=params["gan_lr"], conditional=params["gan_conditional"])


def _cgan(params: dict):
    from lib.generators.cgan import CGAN

    return CGAN(px=params["gan_px"], width=params["gan_width"], lr=params["gan_lr"])


def _acgan(params: dict):
    from lib.generators.cgan import ACGAN

    return ACGAN(px=params["gan_px"], width=params["gan_width"], lr=params["gan_lr"])


def _diffusion(params: dict):
    from lib.generators.diffusion import Diffusion

    chosen = {
        "guidance": params["diffusion_guidance"],
        "sample_steps": params["diffusion_sample_steps"],
        "patch": params["diffusion_patch"],
    }
    return Diffusion(px=params["gan_px"], width=params["gan_width"], lr=params["gan_lr"], **chosen)


def _stylegan(params: dict):
    from lib.generators.stylegan import StyleGAN

    chosen = {name: params[f"gan_{name}"] for name in ("px", "width", "lr", "condition", "augment", "r1", "truncation")}
    return StyleGAN(**chosen, share=params["gan_augment_share"])


NETWORKS = {"dcgan": _dcgan, "cgan": _cgan, "acgan": _acgan, "stylegan": _stylegan, "diffusion": _diffusion}


def training_folder(generator: Generator, faces: FaceSet, trainings: Path, folder: Path) -> Path:
    """Choose where a generator trains: under `trainings`, shared by all pools and studies that ask for
    the same training; else the pool's folder.
    """
    return generator.home(faces, trainings) if hasattr(generator, "home") else folder
