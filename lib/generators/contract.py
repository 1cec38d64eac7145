"""What every generator does, how one is made from parameters, and how a pool is made with it."""

import shutil
import zlib
from pathlib import Path
from typing import Protocol

import numpy as np

from lib.faces.faceset import CLASSES, FaceSet, concat, load_faces, save_faces
from lib.generators.sampling import mixed_seed
from lib.study.errors import StudyError
from lib.study.records import content_hash, file_digest

SHARD = 512  # images that a kill can cost


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
        from lib.generators.prompts import read_prompts
        from lib.generators.stable_diffusion import StableDiffusion

        chosen = {
            key: params[f"sd_{key}"]
            for key in ("model", "px", "steps", "guidance", "batch", "per_prompt", "balanced", "swapped", "compiled")
        }
        return StableDiffusion(**chosen, device=device_of(params), words=read_prompts(emphasised=params["sd_emphasised"]))
    if name in NETWORKS:
        return trained_generator(name, params)
    raise StudyError(f"generator is {name!r}; choices: drawn, folder, stable, {', '.join(NETWORKS)}")


def trained_generator(name: str, params: dict) -> Generator:
    """Make a generator that is a network, weights drawn from `seed`."""
    import torch

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
        device_of(params),
    )


def device_of(params: dict) -> str:
    """Resolve the parameter `device` into "cpu" or "cuda".

    Raises:
        StudyError: cuda asked for where there is none.
    """
    import torch

    if params["device"] == "cuda" and not torch.cuda.is_available():
        raise StudyError("device is cuda, but there is no GPU that torch can use; set device: cpu or auto")
    return "cuda" if params["device"] != "cpu" and torch.cuda.is_available() else "cpu"


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


def plan_pool(params: dict, counts=None) -> tuple[np.ndarray, np.ndarray]:
    """Choose labels and seeds of a pool; a longer pool begins with the images of a shorter one.

    Args:
        params: pool, pool_images, pool_class_counts, round_of, seed.
        counts: images by class whose shares are taken: those of the real training set for pool_class_counts "real", in a later round
            those which the round before asks for.

    Returns:
        labels, seeds: int64 (N,) in order of generation; balanced labels come in shuffled rounds of one image a class,
            others so that every beginning has the wanted shares.
    """
    n, key = params["pool_images"], [params["seed"], zlib.crc32(params["pool"].encode())]
    if n < 1:
        raise StudyError(f"pool_images is {n}; the pool {params['pool']!r} is generated and needs a number (0 means all ready-made images)")
    rng = np.random.default_rng(key)
    if params["pool_class_counts"] == "real" or params["round_of"]:
        if counts is None:
            raise StudyError("pool_class_counts is 'real', but no real counts are at hand; pass them, or set balanced")
        shares = np.asarray(counts, np.float64) / np.sum(counts)
        labels = labels_by_share(shares, n)
    else:
        labels = np.concatenate([rng.permutation(len(CLASSES)) for _ in range(-(-n // len(CLASSES)))])[:n]
    group = params["sd_per_prompt"] if params["generator"] == "stable" else 1  # images of one prompt stand together and share a label
    first = mixed_seed(*key) // 2
    return np.repeat(labels, group)[:n].astype(np.int64), first - first % group + np.arange(n, dtype=np.int64)


def labels_by_share(shares: np.ndarray, n: int) -> np.ndarray:
    """Give each class its share of every beginning of the list, as nearly as whole numbers can: the class furthest behind is next.

    Args:
        shares: float (7,) of sum 1.
        n: how many labels.
    """
    given, labels = np.zeros(len(shares)), np.empty(n, np.int64)
    for i in range(n):
        labels[i] = np.argmax(shares * (i + 1) - given)
        given[labels[i]] += 1
    return labels


def make_pool(generator: Generator, params: dict, folder: Path, counts=None) -> FaceSet:
    """Sample a pool and save it; a killed call goes on after its last whole shard.

    Args:
        generator: trained.
        params: see plan_pool; for ready-made images pool_images 0 means all.
        folder: of the pool.
        counts: see plan_pool.

    Returns:
        The pool, ids `<pool>-<number>` in order of generation.
    """
    if params["generator"] == "folder":
        n = params["pool_images"] or len(generator.faces)
        seeds = np.arange(n)
        labels = generator.faces.labels[:n] if n <= len(generator.faces) else np.zeros(n, np.int64)
    else:
        labels, seeds = plan_pool(params, counts)
    shards = Path(folder) / f"shards-{shard_key(generator, folder, labels, seeds)}"
    size = getattr(generator, "shard", SHARD)
    pieces = [slice(start, start + size) for start in range(0, len(labels), size)]
    pool = concat([_shard(generator, shards / f"{piece.start:07d}", labels[piece], seeds[piece]) for piece in pieces])
    pool = FaceSet(pool.images, pool.table.assign(id=[f"{params['pool']}-{i:06d}" for i in range(len(pool))]))
    save_faces(pool, folder, pictures=True)
    shutil.rmtree(shards, ignore_errors=True)
    return pool


def pool_files(folder: Path) -> list[Path]:
    """List the files that stand for a pool in the record of its notebook: pictures and checkpoints follow from them."""
    names = ("faces.npz", "faces.parquet", "metadata.csv", "generator.json", "generator.safetensors")
    return [Path(folder) / name for name in names if (Path(folder) / name).exists()]


def shard_key(generator: Generator, folder: Path, labels: np.ndarray, seeds: np.ndarray) -> str:
    """Hash what decides a pool's images, so that shards of another set-up are never taken for these."""
    weights = Path(folder) / "generator.safetensors"
    return content_hash([generator.facts(), file_digest(weights) if weights.exists() else "", labels, seeds])[:16]


def _shard(generator: Generator, folder: Path, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
    """Sample one piece of a pool, or read it from an earlier, unfinished call."""
    if (folder / "faces.parquet").exists():  # written last
        return load_faces(folder)
    faces = generator.sample(labels, seeds)
    save_faces(faces, folder)
    return faces
