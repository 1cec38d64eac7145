"""Training sets: real faces, synthetic faces, and how each image takes part, put together as an arm says.

Where an arm asks for more than a mixture, columns of the table say how an image takes part in
training: `weight` in the loss (0: not at all),
`stage_end`, the share of the steps after which the run turns to the images of the next stage, and `norm_group`, whose batch statistics
normalise it (0: those of real images, which stay when the training is over).
"""

import numpy as np

from lib.faces.arms import Arm, filtered_pool
from lib.faces.faceset import CLASSES, FaceSet, concat
from lib.study.errors import StudyError


def synthetic_count(n_real: int, share: float) -> int:
    """Count the synthetic images that make `share` of the total beside n_real real ones."""
    if share >= 1:
        raise StudyError(f"a synthetic share of {share:g} beside real images cannot be; synthetic images alone are synthetic_multiples")
    return round(share / (1 - share) * n_real)


def build_arm(arm: Arm, real: FaceSet, pools: dict[str, FaceSet], *, seed: int, extra: FaceSet | None = None) -> FaceSet:
    """Build the training set of an arm.

    Args:
        arm: which.
        real: the real training images.
        pools: synthetic face sets by name, in order of generation, as curation left them; those of filter arms by `filtered_pool`.
        seed: of subsets, duplicates and shuffles: drawn once per study, so that all arms share them.
        extra: held-back real images, for the control `extra`.

    Raises:
        StudyError: a pool that is not there or too small.
    """
    rng, n = np.random.default_rng([seed, 40]), len(real)
    if arm.kind in ("base", "fewer"):
        return real
    if arm.kind == "subset":
        return real.select(stratified(real.labels, round(arm.share * n), rng))
    if arm.kind == "duplicate":
        return _oversampled(real, rng) if arm.control_of == "balance" else concat([real, _copies(real, synthetic_count(n, arm.share), rng)])
    if arm.kind == "extra":
        return concat([real, _first(extra, synthetic_count(n, arm.share), arm, "the held-back real images (drawn_extra)")])
    kind, pool = arm.control_of if arm.kind == "shuffled" else arm.kind, _pool(arm, pools)
    if kind in ("replace", "scarce"):
        real = real.select(stratified(real.labels, round(arm.share * n), rng))
    added = (
        pool.select(_fill(real, pool, arm))
        if kind == "balance"
        else _first(pool, _count(kind, arm.share, n, len(real)), arm, f"pool {arm.pool}")
    )
    added = _shuffled(added, rng) if arm.kind == "shuffled" else added
    return added if kind == "synthetic" else _joined(kind, arm, real, added)


def _count(kind: str, share: float, n: int, kept: int) -> int:
    """Count the synthetic images beside `kept` of n real ones."""
    return round(share * n) if kind == "synthetic" else n - kept if kind in ("replace", "scarce") else synthetic_count(n, share)


def _joined(kind: str, arm: Arm, real: FaceSet, added: FaceSet) -> FaceSet:
    """Put real and synthetic images together and say of each how it takes part in training."""
    first = len(added) / max(1, len(real) + len(added))  # of the steps: each image is seen as often as in a plain supplement
    columns = {"staged": ("stage_end", 1.0, first), "reversed": ("stage_end", 1 - first, 1.0), "weighted": ("weight", 1.0, arm.weight),
               "splitnorm": ("norm_group", 0, 1)}  # fmt: skip
    joined = concat([real, added])
    if kind not in columns:
        return joined
    name, of_real, of_synthetic = columns[kind]
    return FaceSet(joined.images, joined.table.assign(**{name: np.repeat([of_real, of_synthetic], [len(real), len(added)])}))


def stratified(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Choose n positions that keep the class shares, in rising order; for one seed a smaller choice is part of every larger one.

    Source: seats by Webster's divisors (Balinski and Young 1982), which never take one back as their number grows.
    """
    place = np.empty(len(labels))
    for c in range(len(CLASSES)):
        rows = rng.permutation(np.flatnonzero(labels == c))
        place[rows] = (np.arange(len(rows)) + 0.5) / max(1, len(rows))
    return np.sort(np.argsort(place, kind="stable")[:n])


def _pool(arm: Arm, pools: dict[str, FaceSet]) -> FaceSet:
    name = filtered_pool(arm.pool, arm.only) if arm.only else arm.pool
    if arm.only and name not in pools:
        raise StudyError(f"arm {arm.name}: no step {arm.only!r} judged pool {arm.pool} alone; set filter_arms for it and run notebook 30")
    if name not in pools:
        raise StudyError(f"arm {arm.name}: pool {name!r} is not there; there are {', '.join(pools) or 'none'}. Run notebook 20 for it")
    pool = pools[name]
    return FaceSet(pool.images, pool.table.assign(id=f"{arm.pool}/" + pool.table["id"]))


def _first(faces: FaceSet | None, n: int, arm: Arm, what: str) -> FaceSet:
    """Take the first n images in order of generation: arms of growing share are cumulative, as S1's."""
    have = 0 if faces is None else len(faces)
    if have < n:
        raise StudyError(f"arm {arm.name}: needs {n} images, {what} holds {have}; raise pool_images, or ask for a smaller share")
    return faces.select(np.arange(n))


def _copies(faces: FaceSet, wanted: int, rng: np.random.Generator) -> FaceSet:
    """Duplicate images at random, each once before any twice; a copy's id says which copy it is."""
    n = len(faces)
    chosen = np.concatenate([rng.permutation(n) for _ in range(-(-wanted // n))] or [np.zeros(0, int)])[:wanted]
    table = faces.table.iloc[chosen]
    return FaceSet(faces.images[chosen], table.assign(id=table["id"] + [f"-copy{place // n + 1}" for place in range(wanted)]))


def _oversampled(real: FaceSet, rng: np.random.Generator) -> FaceSet:
    """Duplicate images until every class is as large as the largest, each once before any twice."""
    largest = real.counts().max()
    classes = [real.select(real.labels == c) for c in np.unique(real.labels)]
    return concat([real, *(_copies(faces, largest - len(faces), rng) for faces in classes if len(faces) < largest)])


def _shuffled(faces: FaceSet, rng: np.random.Generator) -> FaceSet:
    """Permute the labels over the images: class counts stay, what they say is gone."""
    return FaceSet(faces.images, faces.table.assign(**{"class": rng.permutation(faces.table["class"].to_numpy())}))


def _fill(real: FaceSet, pool: FaceSet, arm: Arm) -> np.ndarray:
    """Choose the pool's first images of every class that bring it to the largest class's count."""
    missing = real.counts().max() - real.counts()
    chosen = []
    for name in CLASSES:
        of_class = np.flatnonzero(pool.table["class"] == name)
        if len(of_class) < missing[name]:
            raise StudyError(
                f"arm {arm.name}: needs {missing[name]} images of {name}, pool {arm.pool} holds {len(of_class)}; raise pool_images"
            )
        chosen.append(of_class[: missing[name]])
    return np.sort(np.concatenate(chosen))
