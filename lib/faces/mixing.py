"""Training sets of arms: real images, synthetic images, and how each takes part in training.

Where an arm asks for more than a mixture, columns of the table say how an image takes part:
`weight` in the loss (0: not at all), `stage_end`, the share of the steps after which the run turns
to the images of the next stage, `norm_group`, whose batch statistics normalise it (0: those of
real images, which stay when the training is over), and `target_<class>`, how much of its label is
that class.
"""

from collections.abc import Callable

import numpy as np

from lib.faces.arms import REAL_SHARES, Arm, filtered_pool
from lib.faces.faceset import TARGET, FaceSet, concat
from lib.faces.sampling import apportion, copies, stratified, surest
from lib.study.errors import StudyError

STREAM = 40  # of the study's seed, for subsets, duplicates and shuffles

# callable(real, others) -> float (N, C): class probabilities of other images by a label classifier
# that learnt from the real ones.
LabelClassifier = Callable[[FaceSet, FaceSet], np.ndarray]


def synthetic_count(n_real: int, share: float) -> int:
    """Count the synthetic images that make `share` of the total beside n_real real ones.

    Raises:
        StudyError: a share of 1 or more.
    """
    if share >= 1:
        raise StudyError(
            f"a synthetic share of {share:g} beside real images cannot be; synthetic images alone "
            "are synthetic_multiples"
        )
    return round(share / (1 - share) * n_real)


def build_arm(
    arm: Arm,
    real: FaceSet,
    pools: dict[str, FaceSet],
    *,
    seed: int,
    extra: FaceSet | None = None,
    draw: int | None = None,
    classify: LabelClassifier | None = None,
) -> FaceSet:
    """Build the training set of an arm.

    Args:
        arm: which.
        real: the real training images.
        pools: synthetic face sets by `arm.source`, in order of generation, as curation left them;
            those of filtered arms by `filtered_pool(arm.source, arm.only)`.
        seed: of subsets, duplicates and shuffles: drawn once per study, so that all arms share
            them.
        extra: held-back real images, for the control `extra` of an arm that holds all others.
        draw: number of the draw, each with subsets, duplicates and shuffles of its own; None: one
            draw for the study.
        classify: label classifier, for the kinds label_filtered and soft_labels.

    Raises:
        StudyError: a pool that is not there, has other classes or is too small; more held-back
            real images than there are.
    """
    # Every arm starts the same stream, so that arms share their subsets and copies.
    rng = np.random.default_rng(_stream(seed, draw))
    if arm.real or arm.added:
        return _at_numbers(arm, real, pools, rng, draw is not None, classify)
    if arm.pool:
        return _synthetic_arm(arm, real, _pool_of(arm, pools, real), rng)
    return _real_arm(arm, real, extra, rng)


def draw_subset(real: FaceSet, count: int, *, seed: int, draw: int | None) -> FaceSet:
    """Draw the real images that an arm with `real` images holds.

    Args:
        real: the real training images.
        count: images; 0: all.
        seed, draw: as in `build_arm`.

    Raises:
        StudyError: there are fewer.
    """
    return _choose(real, count, np.random.default_rng(_stream(seed, draw)))


def _stream(seed: int, draw: int | None) -> list[int]:
    """Name the stream of random numbers of a study, or of one of its draws."""
    return [seed, STREAM] if draw is None else [seed, STREAM, draw]


def _choose(real: FaceSet, count: int, rng: np.random.Generator) -> FaceSet:
    """Choose a number of real images that keeps the class shares; a number of 0 keeps all.

    For one stream a smaller choice is part of every larger one.
    """
    if not count:
        return real

    # A smaller set than asked for would change what the arm means.
    if count > len(real):
        raise StudyError(f"real_counts: {count:,} real images are wanted, {len(real):,} are there")
    return real.select(stratified(real.labels, count, rng))


def _at_numbers(
    arm: Arm,
    real: FaceSet,
    pools: dict[str, FaceSet],
    rng: np.random.Generator,
    at_random: bool,
    classify: LabelClassifier | None,
) -> FaceSet:
    """Build an arm that numbers of images define.

    Args:
        at_random: take images of the pool at random; else the first ones in order of generation.
        classify: as in `build_arm`.
    """
    # Held-back real images make the larger choice of the same stream.
    if arm.kind == "extra":
        held_back = len(real) - (arm.real or len(real))
        if arm.added > held_back:
            raise StudyError(
                f"arm {arm.name}: needs {arm.added:,} held-back real images, there are "
                f"{held_back:,}"
            )
        return _choose(real, arm.real + arm.added, rng)

    # Real images alone.
    chosen = _choose(real, arm.real, rng)
    if arm.kind in ("subset", "fewer_steps", "improved"):
        return chosen

    # Copies of the chosen ones, in the class counts of what they control.
    if arm.kind == "duplicate":
        counts = apportion(chosen.counts(), arm.added)
        if arm.class_shares != REAL_SHARES:
            counts = _from_pool(arm, chosen, pools, rng, at_random).counts()
        return concat([chosen, _copies_by_class(chosen, counts, arm, rng)])

    # Synthetic images beside them.
    added = _from_pool(arm, chosen, pools, rng, at_random)
    if arm.kind == "shuffled":
        added = _shuffled(added, rng)

    # What a classifier of the same real images says of their labels.
    if arm.kind == "label_filtered":
        added = added.select(surest(added.labels, classify(chosen, added), arm.share))
    if arm.kind == "soft_labels":
        return _with_targets(chosen, added, classify(chosen, added))
    return _with_roles(arm.use, arm.weight, chosen, added)


def _with_targets(real: FaceSet, added: FaceSet, probabilities: np.ndarray) -> FaceSet:
    """Join real images with their own labels and others with probabilities as labels, (N, C)."""
    # Real images are of one class.
    own = np.eye(len(real.classes))[real.labels]
    targets = np.concatenate([own, probabilities])
    columns = {TARGET + name: targets[:, place] for place, name in enumerate(real.classes)}
    return concat([real, added]).with_columns(**columns)


def _from_pool(
    arm: Arm, chosen: FaceSet, pools: dict[str, FaceSet], rng: np.random.Generator, at_random: bool
) -> FaceSet:
    """Take an arm's synthetic images from its pool, in the pool's class shares or the real ones.

    Args:
        chosen: the arm's real images.
        at_random: as in `_at_numbers`.
    """
    # In order of generation, or in the order of this draw.
    pool = _pool_of(arm, pools, chosen)
    order = rng.permutation(len(pool)) if at_random else np.arange(len(pool))
    if arm.class_shares != REAL_SHARES:
        _require(arm.added, len(pool), arm, f"pool {arm.source}")
        return pool.select(np.sort(order[: arm.added]))

    # The first of every class, by the class shares of the real images.
    rows, labels = [], pool.labels[order]
    counts = apportion(chosen.counts(), arm.added)
    for label, (name, count) in enumerate(zip(pool.classes, counts)):
        of_class = order[labels == label]
        _require(count, len(of_class), arm, f"pool {arm.source}", f" of {name}")
        rows.append(of_class[:count])
    return pool.select(np.sort(np.concatenate(rows)))


def _copies_by_class(
    faces: FaceSet, counts: np.ndarray, arm: Arm, rng: np.random.Generator
) -> FaceSet:
    """Duplicate images of every class, each once before any twice.

    Args:
        counts: int (C,), copies of each class.

    Raises:
        StudyError: copies of a class that has no image.
    """
    parts = []
    for label, count in enumerate(counts):
        # Copy within the class, so that the class counts are those asked for.
        of_class = faces.select(faces.labels == label)
        if count and not len(of_class):
            raise StudyError(
                f"arm {arm.name}: there is no real image of {faces.classes[label]} to copy"
            )
        if count:
            parts.append(copies(of_class, int(count), rng))
    return concat(parts)


def _real_arm(arm: Arm, real: FaceSet, extra: FaceSet | None, rng: np.random.Generator) -> FaceSet:
    """Build an arm of real images alone."""
    # Fewer steps and other ways to train differ from base by their training alone.
    if arm.kind in ("base", "fewer_steps", "improved"):
        return real

    # Fewer real images.
    if arm.kind == "subset":
        return _subset(real, arm.share, rng)

    # More images: copies of the same ones, or held-back real ones.
    if arm.kind == "duplicate" and arm.control_of == "balance":
        return _oversampled(real, rng)
    if arm.kind == "duplicate":
        return concat([real, copies(real, synthetic_count(len(real), arm.share), rng)])
    if arm.kind == "extra":
        count = synthetic_count(len(real), arm.share)
        return concat([real, _first(extra, count, arm, "the held-back real images (drawn_extra)")])
    raise StudyError(f"arm {arm.name}: a {arm.kind} arm needs a pool")


def _synthetic_arm(arm: Arm, real: FaceSet, pool: FaceSet, rng: np.random.Generator) -> FaceSet:
    """Build an arm with synthetic images; a shuffled one like the arm that it controls."""
    shuffled, kind = arm.kind == "shuffled", arm.use
    total = len(real)

    # Arms with little real data keep a subset of it.
    if kind in ("replace", "scarce"):
        real = _subset(real, arm.share, rng)

    # Choose the synthetic images.
    if kind == "balance":
        added = pool.select(_fill(real, pool, arm))
    elif kind == "synthetic":
        added = _first(pool, round(arm.share * total), arm, f"pool {arm.source}")
    elif kind in ("replace", "scarce"):
        added = _first(pool, total - len(real), arm, f"pool {arm.source}")
    else:
        added = _first(pool, synthetic_count(total, arm.share), arm, f"pool {arm.source}")

    # Put them beside the real ones.
    if shuffled:
        added = _shuffled(added, rng)
    if kind == "synthetic":
        return added
    return _with_roles(kind, arm.weight, real, added)


def _with_roles(kind: str, weight: float, real: FaceSet, added: FaceSet) -> FaceSet:
    """Join real and synthetic images, and write down how each takes part in training.

    Args:
        weight: of a synthetic image in the loss, for the kind weighted.
    """
    joined = concat([real, added])
    counts = [len(real), len(added)]

    # In stages each image is seen as often as in a plain supplement.
    synthetic_share = len(added) / max(1, len(joined))
    if kind == "staged":
        return joined.with_columns(stage_end=np.repeat([1.0, synthetic_share], counts))
    if kind == "reversed":
        return joined.with_columns(stage_end=np.repeat([1 - synthetic_share, 1.0], counts))

    # In a mixture each image has its weight, or its batch statistics.
    if kind == "weighted":
        return joined.with_columns(weight=np.repeat([1.0, weight], counts))
    if kind == "auxiliary_norm":
        return joined.with_columns(norm_group=np.repeat([0, 1], counts))
    return joined


def _pool_of(arm: Arm, pools: dict[str, FaceSet], real: FaceSet) -> FaceSet:
    """Find an arm's pool; its ids begin with the pool's name.

    Raises:
        StudyError: it is not there, or its classes are not those of the real images.
    """
    # A pool as one curation step left it has a name of its own.
    name = filtered_pool(arm.source, arm.only) if arm.only else arm.source
    if arm.only and name not in pools:
        raise StudyError(
            f"arm {arm.name}: there are no verdicts of the step {arm.only!r} alone on pool "
            f"{arm.source}; put it into filter_arms and run notebook 30"
        )
    if name not in pools:
        raise StudyError(
            f"arm {arm.name}: pool {name!r} is not there; there are "
            f"{', '.join(pools) or 'none'}. Run notebook 20 for it"
        )

    # Labels are positions in the class list, so the lists have to be equal.
    pool = pools[name]
    if pool.classes != real.classes:
        raise StudyError(
            f"arm {arm.name}: pool {name} has the classes {', '.join(pool.classes)}, the real "
            f"images {', '.join(real.classes)}; run notebook 20 for it again"
        )
    return pool.with_columns(id=f"{arm.source}/" + pool.table["id"])


def _subset(real: FaceSet, share: float, rng: np.random.Generator) -> FaceSet:
    """Choose a share of the real images that keeps the class shares."""
    return real.select(stratified(real.labels, round(share * len(real)), rng))


def _first(faces: FaceSet | None, count: int, arm: Arm, source: str) -> FaceSet:
    """Take the first images in order of generation: arms of growing share are cumulative, as S1's.

    Args:
        source: what the images are, for the message.

    Raises:
        StudyError: there are fewer.
    """
    _require(count, 0 if faces is None else len(faces), arm, source)
    return faces.select(np.arange(count))


def _require(count: int, available: int, arm: Arm, source: str, which: str = "") -> None:
    """Refuse an arm that needs more images than its source holds.

    Args:
        which: of these images, for the message: " of happy".
    """
    if available < count:
        raise StudyError(
            f"arm {arm.name}: needs {count} images{which}, {source} holds {available}; raise "
            "pool_images, or ask for fewer"
        )


def _oversampled(real: FaceSet, rng: np.random.Generator) -> FaceSet:
    """Duplicate images until every class is as large as the largest, each once before any twice."""
    largest = real.counts().max()
    parts = [real]
    for label in np.unique(real.labels):
        of_class = real.select(real.labels == label)
        if len(of_class) < largest:
            parts.append(copies(of_class, largest - len(of_class), rng))
    return concat(parts)


def _shuffled(faces: FaceSet, rng: np.random.Generator) -> FaceSet:
    """Permute the labels over the images: class counts stay, the labels no longer mean anything."""
    return faces.with_columns(**{"class": rng.permutation(faces.table["class"].to_numpy())})


def _fill(real: FaceSet, pool: FaceSet, arm: Arm) -> np.ndarray:
    """Choose the pool's first images of every class that bring it to the largest class's count.

    Returns:
        int64 (N,), positions in the pool, rising.

    Raises:
        StudyError: the pool holds too few images of a class.
    """
    # Images that each class lacks.
    missing = real.counts().max() - real.counts()
    chosen = []
    for name in real.classes:
        # The first ones in order of generation.
        of_class = np.flatnonzero(pool.table["class"] == name)
        _require(missing[name], len(of_class), arm, f"pool {arm.source}", f" of {name}")
        chosen.append(of_class[: missing[name]])
    return np.sort(np.concatenate(chosen))
