"""The images of a verdict: a person's own labelled faces, and one or more folders of generated
ones.

What cannot be decided is refused with a sentence that says what is missing; what is cut down or
left out is said in a note.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lib.faces.drawn import draw_faces
from lib.faces.duplicates import exact_groups, near_groups
from lib.faces.faceset import FaceSet
from lib.faces.loading import limited, study_faces
from lib.faces.sampling import stratified
from lib.faces.sources import read_faces, read_images, tells_splits
from lib.generators.folder import generation_order
from lib.study.errors import StudyError
from lib.study.names import EMBEDDED_DATA
from lib.study.parameter_rules import VERDICT_PX, check_verdict_px
from lib.study.sources import check_pools_apart

LEAST_IMAGES = 30  # real images of each class: fewer say nothing about it
SMALLEST_PX, LARGEST_PX = VERDICT_PX  # sides that faces are compared at
STREAM = 90  # of the study's seed, for what limits keep
SAME = 0.95  # share of a pool's images that are the real ones from which it is no pool
USES = {"train": "train on", "test": "be tested on"}  # of the splits, in a note
DEMONSTRATION = "drawn-faithful"  # the pool that drawn faces come with
DEMONSTRATION_SEED = 6_000_000_000  # of its first image


@dataclass(frozen=True)
class Pool:
    """Generated images, and which real ones they repeat."""

    name: str
    faces: FaceSet  # at the real images' size
    groups: np.ndarray  # int64 (N,), pool and real images that show one picture share a number
    real_groups: np.ndarray  # int64 (M,), of all real images

    @cached_property
    def digest(self) -> str:
        """Hash of the images."""
        return self.faces.digest()

    @property
    def of_real(self) -> np.ndarray:
        """Which images are copies of a real one, exact or near: bool (N,)."""
        return np.isin(self.groups, self.real_groups)

    def without_copies_of(self, real_rows: np.ndarray) -> FaceSet:
        """Leave out copies of some real images, for these are to be predicted."""
        return self.faces.select(~np.isin(self.groups, self.real_groups[real_rows]))


@dataclass(frozen=True)
class Inputs:
    """All images of a verdict."""

    real: FaceSet  # splits train and, where the source has one, test; column cluster
    pools: tuple[Pool, ...]
    notes: tuple[str, ...]  # what was cut down or left out, as sentences
    real_name: str = "your own images"  # what the real images are called

    @cached_property
    def digest(self) -> str:
        """Hash of the real images."""
        return self.real.digest()

    @property
    def has_test(self) -> bool:
        """Whether the source has a test split of its own."""
        return bool(self.real.table["split"].eq("test").any())

    @property
    def train_rows(self) -> np.ndarray:
        """Positions of the training images, int64."""
        return np.flatnonzero(self.real.table["split"].eq("train"))

    @property
    def scored_rows(self) -> np.ndarray:
        """Positions of the images that are predicted: the test split, or else all."""
        if self.has_test:
            return np.flatnonzero(self.real.table["split"].eq("test"))
        return self.train_rows


def read_inputs(params: dict) -> Inputs:
    """Read the real and the generated images that the parameters name.

    Args:
        params: data, classes, synthetic, more_synthetic, image_px, train_limit, test_limit,
            pool_images, near_copy_distance, seed, and for drawn data drawn_* and val_share.

    Raises:
        StudyError: too few images or classes, generated images that are the real ones, sizes out
            of range, or whatever the readers refuse.
    """
    px = params["image_px"]
    check_verdict_px(px)

    # The real images, then the pools in the same classes and at the same size.
    check_pools_apart(params)
    real, notes, whole = real_images(params)
    pools = []
    for name, faces in _generated(params, real).items():
        refuse_real_images(name, faces.resized(px), whole)
        count = len(faces)
        faces = _limited_pool(faces, params["pool_images"], params["seed"]).resized(px)
        if len(faces) < count:
            notes.append(f"Of the {count:,} images of {name} {len(faces):,} are used.")
        pools.append(beside_real(name, faces, real, params["near_copy_distance"]))
    source = params["data"]
    named = {} if source in EMBEDDED_DATA else {"real_name": _plain(Path(source).stem)}
    return Inputs(real, tuple(pools), tuple(notes), **named)


def real_images(params: dict) -> tuple[FaceSet, list[str], FaceSet]:
    """Read, limit and check the real images.

    Args:
        params: as in `read_inputs`.

    Returns:
        The images, with the column cluster that numbers copies; notes on what was left out; and all
        of them, before limits.
    """
    source = params["data"]
    if source in EMBEDDED_DATA:
        unused = {"labels": "own", "ferplus": "", "val_share": 0.0}
        faces = study_faces(params | unused)
    else:
        faces = read_real(source, px=params["image_px"], classes=params["classes"])

    # Validation images are of no use of their own: what is chosen is chosen within train.
    split = faces.table["split"]
    if split.eq("test").any():
        faces = faces.select(split.isin(["train", "test"]).to_numpy())
    else:
        faces = faces.with_columns(split="train")
    notes = require_enough(faces, source)

    # Fewer images, where there are more than the time allows.
    whole = faces
    faces = limited(faces, params["train_limit"], params["test_limit"], params["seed"])
    if len(faces) < len(whole):
        counts = faces.table["split"].value_counts()
        parts = [f"{counts[name]:,} to {use}" for name, use in USES.items() if name in counts]
        notes.append(
            f"Of the {len(whole):,} real images {len(faces):,} are used, drawn by class share: "
            f"{', '.join(parts)}."
        )
    clusters = near_groups(faces.images, params["near_copy_distance"])
    return faces.with_columns(cluster=clusters), notes, whole


def read_real(path: str, *, px: int, classes: list[str]) -> FaceSet:
    """Read labelled real faces, with splits where the source has some and as training images else.

    Args:
        path: whatever the studies read.
        px: side of the images.
        classes: those to read; none: all.
    """
    if tells_splits(path, classes=classes):
        return read_faces(path, px=px, classes=classes)
    return read_images(path, px=px, classes=classes, strict=False)


def require_enough(faces: FaceSet, source: str) -> list[str]:
    """Refuse real images that are too few to say anything.

    Returns:
        A note on classes that are there but too rare to say anything of them.

    Raises:
        StudyError: not two classes with LEAST_IMAGES training images; says what is missing.
    """
    # Classes that are too rare, and what they lack.
    counts = faces.split("train").counts()
    counts = counts[counts > 0]
    few = counts[counts < LEAST_IMAGES]
    listed = ", ".join(f"{name} {count}" for name, count in few.items())
    if len(counts) - len(few) < 2:
        missing = ", ".join(f"{LEAST_IMAGES - count} of {name}" for name, count in few.items())
        raise StudyError(
            f"{source}: a verdict needs two classes with {LEAST_IMAGES} real training images each; "
            f"found {listed}: collect {missing} more"
        )
    if not len(few):
        return []
    return [f"Too few real images to say anything of these classes by themselves: {listed}."]


def beside_real(name: str, faces: FaceSet, real: FaceSet, near: float) -> Pool:
    """Find which real images a pool's images repeat.

    Args:
        name: of the pool.
        faces: its images, of the real ones' size.
        real: the real images.
        near: mean difference of thumbnails under which two images are copies, grey levels.
    """
    # Groups of the real images are counted with those of the pool, for this question alone.
    groups = near_groups(np.concatenate([real.images, faces.images]), near)
    return Pool(name, faces, groups[len(real) :], groups[: len(real)])


def refuse_real_images(name: str, pool: FaceSet, real: FaceSet) -> None:
    """Refuse a pool that is the real images, bit by bit.

    Args:
        name: of the pool.
        pool, real: all images, of one size: what limits keep of two copies of one folder differs.

    Raises:
        StudyError: says whether they are the training or the test images.
    """
    # Identical pixels, whatever the files are called.
    exact = exact_groups(np.concatenate([real.images, pool.images]))
    of_real, of_pool = exact[: len(real)], exact[len(real) :]
    for split, words in (("test", "test images"), ("train", "training images")):
        rows = real.table["split"].eq(split).to_numpy()
        share = float(np.isin(of_pool, of_real[rows]).mean())
        if share >= SAME:
            raise StudyError(
                f"synthetic: {share:.0%} of the images of {name} are your own {words}, bit by "
                "bit; nothing can be learnt from them: give the folder of generated images"
            )


def pool_names(paths: list[str]) -> list[str]:
    """Name pools after the last parts of their paths that tell them apart."""
    # The last part tells most paths apart, the folder above it some more.
    stems = [_plain(Path(path).stem) for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    parents = [
        f"{_plain(Path(path).resolve().parent.name)}_{stem}" for path, stem in zip(paths, stems)
    ]
    if len(set(parents)) == len(parents):
        return parents
    return [f"{stem}_{number}" for number, stem in enumerate(stems, 1)]


def _plain(name: str) -> str:
    """Keep letters, digits and underscores of a name, for files are called after it."""
    return "".join(c if c.isalnum() or c == "_" else "_" for c in name) or "pool"


def _generated(params: dict, real: FaceSet) -> dict[str, FaceSet]:
    """Read the pools by name; drawn faces bring one along where none is given."""
    # Paths of the user, in the order in which they were given.
    paths = [path for path in (params["synthetic"], *params["more_synthetic"]) if path]
    if not paths and params["data"] == "drawn":
        return {DEMONSTRATION: _drawn_pool(params, real)}
    if not paths:
        raise StudyError("synthetic: give the generated images with --synthetic PATH")

    return {name: read_pool(path, real.classes) for name, path in zip(pool_names(paths), paths)}


def read_pool(path: str, classes: tuple[str, ...]) -> FaceSet:
    """Read generated images in their order of generation.

    Args:
        path: whatever the studies read.
        classes: of the real images; a folder that stands for none of them stops.
    """
    # A table has no files, and its rows are in order.
    faces = read_images(path, classes=classes)
    if "file" in faces.table:
        faces = faces.select(generation_order(faces.table["file"]))
    return faces.with_columns(split="train", source="synthetic", generator="folder")


def _drawn_pool(params: dict, real: FaceSet) -> FaceSet:
    """Draw a pool that is as good as the real drawings, for a demonstration."""
    labels = np.arange(params["pool_images"] or len(real)) % len(real.classes)
    seeds = DEMONSTRATION_SEED + np.arange(len(labels))
    return draw_faces(labels, seeds, classes=real.classes, px=params["image_px"])


def _limited_pool(faces: FaceSet, most: int, seed: int) -> FaceSet:
    """Take at most so many images of a pool, by its class shares; 0: all."""
    if not most or len(faces) <= most:
        return faces
    return faces.select(stratified(faces.labels, most, np.random.default_rng([seed, STREAM])))
