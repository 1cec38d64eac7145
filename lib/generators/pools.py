"""Pools: which labels and seeds, sampled shard by shard, kept whole; a kill costs a shard, a finished pool is never sampled twice."""

import shutil
import zlib
from pathlib import Path

import numpy as np

from lib.faces.faceset import CLASSES, FaceSet, concat, load_faces, save_faces
from lib.generators.contract import Generator
from lib.generators.sampling import mixed_seed
from lib.study.errors import StudyError
from lib.study.records import content_hash, file_digest

SHARD = 512  # images that a kill can cost
PROBES = 32  # images of a finished pool that are drawn again to see that it is still the one asked for
GPU_ROUNDING = 1.0  # mean difference up to which another GPU may draw them, grey levels


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
    """Sample a pool and save it; a killed call goes on after its last whole shard, a finished pool is not sampled again.

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
    pool = finished_pool(generator, folder, labels, seeds)
    if pool is None:
        pool = sample_pool(generator, params["pool"], folder, labels, seeds)
    for left in Path(folder).glob("shards-*"):
        shutil.rmtree(left, ignore_errors=True)
    return pool


def sample_pool(generator: Generator, name: str, folder: Path, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
    """Sample a pool shard by shard, those of an earlier, unfinished call first, and save it whole."""
    shards = Path(folder) / f"shards-{shard_key(generator, folder, labels, seeds)}"
    size = getattr(generator, "shard", SHARD)
    pieces = [slice(start, start + size) for start in range(0, len(labels), size)]
    pool = concat([_shard(generator, shards / f"{piece.start:07d}", labels[piece], seeds[piece]) for piece in pieces])
    pool = FaceSet(pool.images, pool.table.assign(id=[f"{name}-{i:06d}" for i in range(len(pool))]))
    save_faces(pool, folder, pictures=True)
    return pool


def finished_pool(generator: Generator, folder: Path, labels: np.ndarray, seeds: np.ndarray) -> FaceSet | None:
    """Take the pool that lies in a folder, where it is the one that the generator would make; None where it is not.

    It is when labels, seeds and prompts are the same and so are PROBES images, spread over all of it, drawn again: other weights, settings
    or code change every image. On a GPU they are the same when they differ by no more than another GPU's rounding. Drawn and
    ready-made pools are made anew in seconds, image by image, and always are.
    """
    if generator.name in ("drawn", "folder") or not (Path(folder) / "faces.parquet").exists():
        return None
    pool = load_faces(folder)
    if not (np.array_equal(pool.labels, labels) and np.array_equal(pool.table["seed"], seeds)):
        return None
    if hasattr(generator, "prompts") and generator.prompts(labels, seeds) != pool.table["prompt"].tolist():
        return None
    rows = np.unique(np.linspace(0, len(pool) - 1, PROBES).astype(int))
    again, off = generator.sample(labels[rows], seeds[rows]).images.astype(float), 0.0 if generator.device == "cpu" else GPU_ROUNDING
    return pool if again.shape == pool.images[rows].shape and np.abs(again - pool.images[rows]).mean() <= off else None


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
