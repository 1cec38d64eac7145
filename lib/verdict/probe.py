"""The probe: within seconds, what a linear classifier on frozen features gains by the images, and
which of their labels a network of the real images doubts.

One small network a fold learns from the real images of the other folds. A real image is judged by
the network that saw neither it nor a copy of it, a generated one by all of them. The label of a
generated image is doubted where it has a lower probability than the labels of all but one in twenty
of the held-out real images of that class: of labels that are as right as the real ones, on images
like these, one in twenty is doubted, however weak the networks are.
"""

from dataclasses import dataclass

import numpy as np

from lib.classifiers.recipes import TrainingPlan, recipe_of
from lib.curation.label_order import label_permutation
from lib.faces.faceset import FaceSet
from lib.metrics.harmonise import harmonise
from lib.metrics.spaces import pixel_space
from lib.study.errors import StudyError
from lib.verdict.inputs import Inputs, Pool
from lib.verdict.protocol import Protocol, stratified_folds

FOLDS = 3  # networks
PASSES, LEAST_SEEN = 12.0, 16_000  # length of a network's training
SEED = 900  # of the first network
STREAM = 91  # of the seed, for the probe's folds

REACH = 1.96  # standard errors of an interval
DOUBT = 0.05  # share of labels that are doubted where nothing is wrong
SURE = 0.8  # probability of another class from which a real label is doubted
LEAST_AGREEMENT = 0.5  # with the real labels, under which nothing is said of single real labels

# Uses of a pool that the probe compares.
AS_GIVEN, UNDOUBTED, RELABELLED, MATCHED = "as given", "undoubted", "relabelled", "matched"
USES = {
    AS_GIVEN: "all images as they are",
    UNDOUBTED: "without the images whose labels are doubted",
    RELABELLED: "with the labels that a classifier of the real images gives them",
    MATCHED: "with brightness, contrast, sharpness and crop of the real images",
}


@dataclass(frozen=True)
class Gain:
    """What a linear classifier gains by some images."""

    difference: float  # accuracy with them minus without
    se: float  # over images; other networks would vary it further

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval for other images."""
        return self.difference - REACH * self.se, self.difference + REACH * self.se


@dataclass(frozen=True)
class PoolProbe:
    """What the probe says of one pool."""

    pool: Pool
    probabilities: np.ndarray  # float32 (N, C), the label classifier's, of the pool's images
    doubted: np.ndarray  # bool (N,)
    gains: dict[str, Gain]  # by use of the pool
    renamed: dict[str, str]  # pool's class names that look like other classes


@dataclass(frozen=True)
class Probe:
    """What the probe says of the real images and of every pool."""

    real: FaceSet  # the training images
    probabilities: np.ndarray  # float32 (M, C), out of fold
    doubted: np.ndarray  # bool (M,), real labels that are doubted; none by weak networks
    pools: tuple[PoolProbe, ...]

    @property
    def agreement(self) -> float:
        """Share of the real labels that the label classifier agrees with, out of fold."""
        return float((self.probabilities.argmax(1) == self.real.labels).mean())


def run_probe(inputs: Inputs, protocol: Protocol) -> Probe:
    """Train the probe's networks and ask them about everything.

    Args:
        inputs: real images and pools.
        protocol: whose network and recipe they have.

    Raises:
        StudyError: the labels of a pool look permuted; names the pairing that looks right.
    """
    # Copies of one picture stay in one fold.
    real = inputs.real.select(inputs.train_rows)
    folds = stratified_folds(real.labels, real.clusters, FOLDS, (protocol.seed, STREAM))

    # Every network judges the images that it has not seen, and every pool.
    of_real = np.zeros((len(real), len(real.classes)), np.float32)
    networks, judged = [], []
    for fold in range(FOLDS):
        network = _Network(real.select(folds != fold), protocol, fold)
        of_real[folds == fold] = network.probabilities(real.images[folds == fold])
        judged.append([network.probabilities(pool.faces.images) for pool in inputs.pools])
        networks.append(network)

    # What the pools gain; permuted labels make everything else meaningless.
    probed = []
    for pool, by_network in zip(inputs.pools, zip(*judged)):
        mean = np.mean(by_network, axis=0)
        renamed = label_permutation(pool.faces.labels, mean.argmax(1), pool.faces.classes)
        doubted = doubted_labels(by_network, pool.faces.labels, of_real, real.labels, folds)
        gains = _gains(pool, _uses(pool, mean, doubted, real), inputs, folds, networks)
        probed.append(PoolProbe(pool, mean, doubted, gains, renamed))
    return Probe(real, of_real, _doubted_real(of_real, real.labels), tuple(probed))


def doubted_labels(
    by_network: list[np.ndarray],
    labels: np.ndarray,
    of_real: np.ndarray,
    real_labels: np.ndarray,
    folds: np.ndarray,
) -> np.ndarray:
    """Find the labels that fit their images worse than nearly all real labels fit theirs.

    Args:
        by_network: probabilities float (N, C) of the pool by each fold's network.
        labels: int64 (N,), the pool's.
        of_real: float (M, C), of the real images, out of fold.
        real_labels, folds: int64 (M,), of the real images.

    Returns:
        bool (N,); none of a class with fewer than 1 / DOUBT real images.

    Source: cross-conformal prediction, Vovk 2015, with the label's probability as the score.
    """
    # Rank each label among held-out real labels of its class, fold by fold.
    lower, count = np.zeros(len(labels)), np.zeros(len(labels))
    for fold, probabilities in enumerate(by_network):
        own = probabilities[np.arange(len(labels)), labels]
        for label in np.unique(labels):
            held = (folds == fold) & (real_labels == label)
            scores = np.sort(of_real[held, label])
            chosen = labels == label
            lower[chosen] += np.searchsorted(scores, own[chosen], side="right")
            count[chosen] += len(scores)
    return (lower + 1) / (count + 1) <= DOUBT


def _doubted_real(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Find real labels in whose place networks are sure of another class, bool (M,)."""
    # Networks that agree with few labels have no say about single ones.
    other = probabilities.argmax(1) != labels
    if 1 - other.mean() < LEAST_AGREEMENT:
        return np.zeros(len(labels), bool)
    return other & (probabilities.max(1) >= SURE)


def refuse_permuted(probe: Probe) -> None:
    """Stop where class names of a pool look exchanged; nothing is renamed silently.

    Raises:
        StudyError: proposes the pairing that looks right.
    """
    for found in probe.pools:
        if found.renamed:
            pairs = ", ".join(f"{name} -> {other}" for name, other in found.renamed.items())
            raise StudyError(
                f"the labels of {found.pool.name} look permuted; by a classifier of your own "
                f"images the folders should be called: {pairs}. Rename them, or correct the class "
                "order of the generator, and give the same command again"
            )


class _Network:
    """A small network of some real images, with a linear classifier on its features."""

    def __init__(self, faces: FaceSet, protocol: Protocol, fold: int):
        from lib.classifiers.reference import one_thread
        from lib.classifiers.training import train

        # A short training on one thread, so that it comes out the same again.
        recipe = recipe_of(protocol.recipe)
        steps = int(np.ceil(max(PASSES * len(faces), LEAST_SEEN) / recipe.batch_size))
        plan = TrainingPlan(protocol.classifier, recipe, SEED + fold, steps)
        with one_thread():
            self.model = train(faces, plan).model

        # Features of what it learnt from are needed for every use of every pool.
        self.faces, self.pixels = faces, pixel_space(faces.images)
        self.own = self.features(faces.images)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Compute class probabilities, float32 (N, C)."""
        from lib.classifiers.models import predict

        return predict(self.model, images, test_time_flip=True)

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute what the linear classifier sees: the penultimate layer and principal pixels."""
        from lib.classifiers.models import features_of

        return np.concatenate([features_of(self.model, images), self.pixels(images)], axis=1)

    def right(
        self, held: np.ndarray, labels: np.ndarray, added: tuple[np.ndarray, np.ndarray] | None
    ) -> np.ndarray:
        """Tell on which images the linear classifier is right, bool (n,).

        Args:
            held: features of images that the network did not learn from.
            labels: int64 (n,).
            added: features and labels of generated images that it learns from, too.
        """
        learnt, classes = self.own, self.faces.labels
        if added is not None:
            learnt = np.concatenate([learnt, added[0]])
            classes = np.concatenate([classes, added[1]])
        return _linear(learnt, classes, held) == labels


def _linear(features: np.ndarray, labels: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Predict classes by linear discriminant analysis with equal priors, int64 (n,).

    Source: Fisher 1936; the covariance is shrunk as by Ledoit and Wolf 2004.
    """
    from sklearn.covariance import ledoit_wolf

    # The mean of each class, and one covariance of what is left around them.
    names = np.unique(labels)
    means = np.stack([features[labels == name].mean(0) for name in names])
    inner = features - means[np.searchsorted(names, labels)]
    covariance, _ = ledoit_wolf(inner, assume_centered=True)

    # With equal priors a rare class is not at a disadvantage.
    weights = np.linalg.solve(covariance, means.T)
    scores = held @ weights - 0.5 * (means.T * weights).sum(0)
    return names[scores.argmax(1)]


def _uses(
    pool: Pool, probabilities: np.ndarray, doubted: np.ndarray, real: FaceSet
) -> dict[str, tuple]:
    """Lay out the uses of a pool: images, mask of those that are left out, labels."""
    none = np.zeros(len(pool.faces), bool)
    labels = pool.faces.labels
    return {
        AS_GIVEN: (pool.faces.images, none, labels),
        UNDOUBTED: (pool.faces.images, doubted, labels),
        RELABELLED: (pool.faces.images, none, probabilities.argmax(1)),
        MATCHED: (harmonise(pool.faces.images, real.images), none, labels),
    }


def _gains(
    pool: Pool, uses: dict[str, tuple], inputs: Inputs, folds: np.ndarray, networks: list[_Network]
) -> dict[str, Gain]:
    """Estimate what every use of a pool gains, over the folds."""
    real = inputs.real.select(inputs.train_rows)
    delta = {use: np.zeros(len(real)) for use in uses}
    for fold, network in enumerate(networks):
        held = folds == fold
        features = network.features(real.images[held])
        alone = network.right(features, real.labels[held], None)

        # Generated copies of the held-out images would be answers, not lessons.
        rows = inputs.train_rows[held]
        is_copy = np.isin(pool.groups, pool.real_groups[rows])
        for use, (images, left_out, labels) in uses.items():
            kept = ~(left_out | is_copy)
            if not kept.any():
                continue
            added = network.features(images[kept]), labels[kept]
            beside = network.right(features, real.labels[held], added)
            delta[use][held] = beside.astype(float) - alone
    return {use: gain_of(change, real.clusters) for use, change in delta.items()}


def gain_of(change: np.ndarray, clusters: np.ndarray) -> Gain:
    """Average the changes of images, with the standard error of clusters of copies.

    Args:
        change: float (N,), right with the pool minus right without.
        clusters: int64 (N,).
    """
    sums = np.bincount(np.unique(clusters, return_inverse=True)[1], change - change.mean())
    return Gain(float(change.mean()), float(np.sqrt((sums**2).sum()) / len(change)))


def signs(probe: Probe) -> dict[str, int]:
    """Tell by pool whether the probe expects a gain (1) or a loss (-1)."""
    return {
        found.pool.name: int(np.sign(found.gains[AS_GIVEN].difference)) for found in probe.pools
    }
