"""Pools: which labels and seeds, sampled shard by shard and kept whole.

A kill costs a shard, and a finished pool is never sampled twice.
"""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib.compute.seeds import mixed_seed
from lib.faces.faceset import (
    IMAGES,
    METADATA,
    TABLE,
    FaceSet,
    concat,
    load_faces,
    pictures_are_whole,
    save_faces,
    save_pictures,
    set_faces_aside,
)
from lib.faces.pool import GENERATOR
from lib.generators.contract import Generator, knowledge
from lib.study.errors import StudyError
from lib.study.kept import write_sealed
from lib.study.records import content_hash, file_digest

PROBES = 32  # images of a finished pool that are sampled again to see that it is the one asked for
GPU_ROUNDING = 1.0  # grey levels, mean difference of images that another GPU may make

# Files that stand for a pool in the record of its notebook; pictures follow from them.
POOL_FILES = (
    IMAGES,
    TABLE,
    METADATA,
    GENERATOR,
    "generator.safetensors",
)

# --------------------------------------------------------------------------------------------------
# Which images.


def plan_pool(params: dict, classes: tuple[str, ...], counts=None) -> tuple[np.ndarray, np.ndarray]:
    """Choose labels and seeds of a pool; a longer pool begins with the images of a shorter one.

    Args:
        params: pool, pool_images, pool_class_counts, round_of, seed, generator, sd_per_prompt.
        classes: names of the classes that the labels number.
        counts: images by class, (classes,), whose shares are taken: those of the real training set
            where pool_class_counts is "real", in a later round those that the round before wants.

    Returns:
        labels and seeds, int64 (N,) each, in order of generation. Balanced labels come in shuffled
        rounds of one image a class, others so that every beginning has the wanted shares.

    Raises:
        StudyError: no images are asked for, or counts are needed and not given.
    """
    n = params["pool_images"]
    if n < 1:
        raise StudyError(
            f"pool_images is {n}; the pool {params['pool']!r} is generated and needs a number "
            "(0 means all ready-made images)"
        )

    # Draw the labels; pools of other names draw others.
    key = [params["seed"], zlib.crc32(params["pool"].encode())]
    if params["pool_class_counts"] == "real" or params["round_of"]:
        labels = labels_by_share(_shares(counts), n)
    else:
        labels = _balanced_labels(len(classes), n, np.random.default_rng(key))

    # Images of one prompt stand together and share a label; their seeds begin at a multiple.
    group = params["sd_per_prompt"] if params["generator"] == "stable" else 1
    first = mixed_seed(*key) // 2  # half of the range, so that no seed overflows
    first -= first % group
    labels = np.repeat(labels, group)[:n].astype(np.int64)
    return labels, first + np.arange(n, dtype=np.int64)


def labels_by_share(shares: np.ndarray, n: int) -> np.ndarray:
    """Order labels so that each class has its share of every beginning, to the nearest image.

    Args:
        shares: float (classes,), of sum 1.
        n: number of labels.

    Returns:
        int64 (n,).
    """
    counts = np.zeros(len(shares))
    labels = np.empty(n, np.int64)
    for i in range(n):
        # The next label is of the class that is furthest behind its share.
        labels[i] = np.argmax(shares * (i + 1) - counts)
        counts[labels[i]] += 1
    return labels


def _shares(counts) -> np.ndarray:
    """Turn images by class into shares of sum 1, float64 (classes,)."""
    if counts is None:
        raise StudyError(
            "pool_class_counts is 'real', but no real counts are at hand; pass them, "
            "or set balanced"
        )
    return np.asarray(counts, np.float64) / np.sum(counts)


def _balanced_labels(n_classes: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """List n labels in shuffled rounds of one image a class."""
    rounds = -(-n // n_classes)  # the last one may be cut
    return np.concatenate([rng.permutation(n_classes) for _ in range(rounds)])[:n]


def _plan_ready_made(available: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Take the first n ready-made images, or all (n = 0), as their labels and places."""
    if n > len(available):
        raise StudyError(
            f"pool_images is {n}: {n} images asked for, {len(available)} there; "
            "lower it (0: all there are)"
        )
    n = n or len(available)
    return available[:n], np.arange(n)


# --------------------------------------------------------------------------------------------------
# Sampling.


def save_generator(generator: Generator, folder: Path, real: FaceSet, own: FaceSet) -> None:
    """Save a pool's generator, and in generator.json what it knows of the real images.

    Args:
        generator: trained.
        folder: of the pool.
        real, own: see contract.knowledge.
    """
    generator.save(folder)
    known = knowledge(generator.learnt_from, real, own)
    write_sealed(Path(folder) / GENERATOR, generator.facts() | {"knowledge": known})


def make_pool(generator: Generator, params: dict, folder: Path, counts=None) -> FaceSet:
    """Sample a pool and save it, or take what an earlier call finished or began.

    Args:
        generator: trained.
        params: see plan_pool; for ready-made images pool_images 0 means all.
        folder: of the pool.
        counts: see plan_pool.

    Returns:
        The pool, ids `<pool>-<number>` in order of generation.
    """
    # Choose its images.
    if generator.ready_made_labels is None:
        labels, seeds = plan_pool(params, generator.classes, counts)
    else:
        labels, seeds = _plan_ready_made(generator.ready_made_labels, params["pool_images"])

    # Take the finished pool, or sample what is missing of it.
    pool = finished_pool(generator, folder, labels, seeds)
    if pool is None:
        pool = sample_pool(generator, params["pool"], folder, labels, seeds)
    elif not pictures_are_whole(pool, folder):
        save_pictures(pool, folder)

    # Shards of this pool are in it now, others are of a set-up that is no longer asked for.
    for shards in Path(folder).glob("shards-*"):
        shutil.rmtree(shards, ignore_errors=True)
    return pool


def sample_pool(
    generator: Generator,
    name: str,
    folder: Path,
    labels: np.ndarray,
    seeds: np.ndarray,
    progress: Callable[[str], None] | None = None,
) -> FaceSet:
    """Sample a pool shard by shard, after those of an earlier, unfinished call; save it whole.

    Args:
        generator: trained.
        name: of the pool, which the ids begin with.
        folder: of the pool.
        labels: int64 (N,).
        seeds: int64 (N,).
        progress: called with a line after each shard.
    """
    # Sample.
    shards = Path(folder) / f"shards-{shard_key(generator, folder, labels, seeds)}"
    pieces = []
    for start in range(0, len(labels), generator.shard):
        rows = slice(start, start + generator.shard)
        pieces.append(_shard(generator, shards / f"{start:07d}", labels[rows], seeds[rows]))
        if progress is not None:
            progress(f"{name}: {min(start + generator.shard, len(labels))} of {len(labels)}")

    # Name the images after the pool, and save them.
    pool = concat(pieces)
    ids = [f"{name}-{number:06d}" for number in range(len(pool))]
    pool = pool.with_columns(id=ids)
    save_faces(pool, folder, pictures=True)
    return pool


def _shard(generator: Generator, folder: Path, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
    """Sample one shard of a pool, or load it where an earlier, unfinished call saved it."""
    if (folder / TABLE).exists():  # the last file that save_faces writes
        try:
            return load_faces(folder)
        except StudyError:  # damaged
            set_faces_aside(folder)
    faces = generator.sample(labels, seeds)
    save_faces(faces, folder)
    return faces


def shard_key(generator: Generator, folder: Path, labels: np.ndarray, seeds: np.ndarray) -> str:
    """Hash what decides a pool's images: shards of another set-up are never taken for these."""
    weights = Path(folder) / "generator.safetensors"
    digest = file_digest(weights) if weights.exists() else ""
    return content_hash([generator.facts(), digest, labels, seeds])[:16]


# --------------------------------------------------------------------------------------------------
# Finished pools.


def finished_pool(
    generator: Generator, folder: Path, labels: np.ndarray, seeds: np.ndarray
) -> FaceSet | None:
    """Load the pool in a folder if it is the one that the generator would make; None if not.

    It is where classes, labels, seeds and prompts are the same and so are PROBES images, spread
    over all of it, sampled again: other weights, settings or code change every image.
    """
    if generator.remade_at_once or not (Path(folder) / TABLE).exists():
        return None
    try:
        pool = load_faces(folder)
    except StudyError:  # damaged, or half of it gone
        set_faces_aside(folder)
        return None

    # Compare what was asked for.
    if pool.classes != tuple(generator.classes) or not np.array_equal(pool.labels, labels):
        return None
    if "seed" not in pool.table or not np.array_equal(pool.table["seed"], seeds):
        return None
    prompts = generator.prompts(labels, seeds)
    if prompts is not None and prompts != pool.table["prompt"].tolist():
        return None

    # Compare what comes out.
    return pool if _probes_agree(generator, pool, labels, seeds) else None


def _probes_agree(
    generator: Generator, pool: FaceSet, labels: np.ndarray, seeds: np.ndarray
) -> bool:
    """Sample some images of a pool again and compare them with those in it."""
    rows = np.unique(np.linspace(0, len(pool) - 1, PROBES).astype(int))
    images = generator.sample(labels[rows], seeds[rows]).images.astype(float)
    if images.shape != pool.images[rows].shape:
        return False

    # On a CPU they are the same to the bit, another GPU may round otherwise.
    tolerance = 0.0 if generator.device == "cpu" else GPU_ROUNDING
    return bool(np.abs(images - pool.images[rows]).mean() <= tolerance)


def pool_files(folder: Path) -> list[Path]:
    """List the files that stand for a pool in the record of its notebook."""
    paths = [Path(folder) / name for name in POOL_FILES]
    return [path for path in paths if path.exists()]
