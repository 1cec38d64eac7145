"""Why a pool teaches less than real faces: the cost of each candidate cause.

Each candidate cause is injected into real faces alone, as much of it as the pool shows, and the
accuracy that it costs is measured. The accuracy is that of a learner that is handed in:
`linear_probe` takes a moment, a network minutes. Candidate causes overlap (copies also cover less),
so that their costs need not add up to the gap.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.compute.neighbours import covered
from lib.faces.duplicates import near_groups
from lib.faces.faceset import FaceSet, label_indices
from lib.metrics.harmonise import harmonise
from lib.metrics.pools import draw_like
from lib.metrics.spaces import Extract
from lib.metrics.statistics import compare
from lib.metrics.wording import points
from lib.report.names import pool_text

NEAR_GREY_LEVELS = 6.0  # mean difference of thumbnails under which two images are copies
DRAWS = 4  # of training faces, over which the cost is averaged
LEAST_GAP = 0.02  # accuracy lost, up to which there is no gap to explain

COLUMNS = ["pool", "cause", "evidence", "lost", "low", "high"]
COLUMNS += ["regained", "regained_low", "regained_high", "main", "n"]

Faces = tuple[np.ndarray, np.ndarray]  # images uint8 (N, H, W), labels int64 (N,)

# Images and labels of training faces to predicted classes int64 (M,) of the test faces.
Learner = Callable[[np.ndarray, np.ndarray], np.ndarray]

# uint8 (N, H, W) to class probabilities float (N, C).
Classifier = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class CandidateCause:
    """One candidate cause, as a pool shows it."""

    evidence: str  # how much of it the pool shows, in words
    injected: Faces | None  # real faces with as much of it; None where too few are left to train on
    repaired: Faces | None = None  # the pool without it; None where it cannot be taken away


def causes_of_gap(
    real: FaceSet,
    pool: FaceSet,
    test: FaceSet,
    *,
    learn: Learner,
    features: Extract,
    classify: Classifier,
    n: int,
    seed: int,
) -> pd.DataFrame:
    """Measure what each candidate cause costs.

    Args:
        real: real training faces.
        pool: synthetic faces of the same classes.
        test: real faces whose classes the learner predicts.
        learn: trains on faces and predicts the classes of `test`.
        features: the feature space in which coverage is measured.
        classify: of a network trained on real faces other than `test`.
        n: most training faces of either kind.
        seed: of the first of DRAWS draws of training faces.

    Returns:
        One row a cause, "gap" (all of them) first: cause, evidence, lost, low, high (accuracy that
        real faces lose by the injected cause, 95% interval over draws and test images), regained,
        regained_low, regained_high (what the pool gains when it is repaired; missing where it
        cannot be), n, main (the cause that costs most, where there is a gap and the cost is beyond
        doubt).
    """
    # How reliable is the classifier? Measured on real labels first.
    agreement = float((classify(test.images).argmax(1) == test.labels).mean())
    correct = {}
    evidence = {}
    for draw in range(DRAWS):
        # Each draw takes other faces, so that the interval holds for others too.
        real_draw, pool_draw = _draw(real, pool, n, seed + draw)
        rng = np.random.default_rng([seed, draw])
        causes = _candidates(real_draw, pool_draw, features, classify, agreement, rng)

        # Learn from real faces, from the pool, and from each injected or repaired set.
        sets = {"real": _labelled(real_draw), "pool": _labelled(pool_draw)}
        for name, cause in causes.items():
            if cause.injected:
                sets[name] = cause.injected
            if cause.repaired:
                sets[_repaired(name)] = cause.repaired
        for name, faces in sets.items():
            correct.setdefault(name, []).append(learn(*faces) == test.labels)

        # The evidence in words is that of the first draw.
        if not evidence:
            evidence = {name: cause.evidence for name, cause in causes.items()}

    # Copies among the test faces count as one image.
    clusters = test.clusters
    scores = {name: np.array(rows, float) for name, rows in correct.items()}

    # The gap first: the pool itself against as many real faces.
    both = f"real {scores['real'].mean():.3f}, pool {scores['pool'].mean():.3f}"
    rows = [{"cause": "gap", "evidence": both} | _cost(scores, "pool", clusters)]

    # Then each cause, against the same real faces.
    for name, text in evidence.items():
        row = {"cause": name, "evidence": text}
        if len(correct.get(name, [])) == DRAWS:  # else it could not be injected in every draw
            row |= _cost(scores, name, clusters)
        rows.append(row)
    table = pd.DataFrame(rows).assign(n=len(real_draw))
    return table.assign(main=_is_main(table))


def linear_probe(features: Extract, test: FaceSet) -> Learner:
    """Make a learner of linear discriminant analysis on fixed features.

    It is quick, and blind to what the features do not hold.

    Args:
        features: the feature space.
        test: faces whose classes the learner predicts.

    Source: Ledoit and Wolf 2004 for the shrinkage of covariances.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    # The test faces are the same for every training set.
    test_features = features(test.images)

    def learn(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        train_features = features(images)
        with warnings.catch_warnings():
            # A rare class may be drawn once: it then adds a mean and no spread, as it should.
            warnings.filterwarnings("ignore", "Only one sample available", UserWarning)
            return model.fit(train_features, labels).predict(test_features)

    return learn


def causes_of_pools(
    pools: dict[str, FaceSet],
    real: FaceSet,
    test: FaceSet,
    *,
    features: Extract,
    classify: Classifier,
    n: int,
    seed: int,
) -> pd.DataFrame:
    """Measure the candidate causes of every pool's gap by the linear probe on the same features.

    Args:
        pools: by name.
        real, test, features, classify, n, seed: as in `causes_of_gap`.

    Returns:
        Column pool, and those of `causes_of_gap`.
    """
    learn = linear_probe(features, test)

    # One table a pool.
    tables = []
    for name, pool in pools.items():
        table = causes_of_gap(
            real, pool, test, learn=learn, features=features, classify=classify, n=n, seed=seed
        )
        tables.append(table.assign(pool=name))
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def cause_sentences(causes: pd.DataFrame) -> list[str]:
    """Say of each pool, in a sentence, why it teaches less than as many real faces.

    Args:
        causes: of `causes_of_pools`.
    """
    sentences = []
    for pool, rows in causes.groupby("pool", sort=False):
        gap = rows.iloc[0]

        # The gap and its interval, in percentage points.
        lost = f"{100 * gap['lost']:.1f} points"
        interval = f"({100 * gap['low']:.1f} to {100 * gap['high']:.1f})"
        if not _has_gap(gap):
            change = f"{points(-gap['lost'])} points"
            bounds = f"({points(-gap['high'])} to {points(-gap['low'])})"
            sentences.append(
                f"{pool_text(pool)}: {change} against as many real faces {bounds}; there is no gap "
                "to explain."
            )
            continue

        text = f"{pool_text(pool)}: the images teach {lost} less than as many real faces {interval}"

        # The cause that costs most, where its cost is beyond doubt.
        main = rows[rows["main"]]
        if not len(main):
            sentences.append(f"{text}; the cost of no candidate cause is beyond doubt.")
            continue
        row = main.iloc[0]
        sentences.append(
            f"{text}; the costliest candidate cause is {row['cause']} ({row['evidence']}): real "
            f"faces lose {100 * row['lost']:.1f} points by it "
            f"({100 * row['low']:.1f} to {100 * row['high']:.1f})."
        )
    return sentences


def _draw(real: FaceSet, pool: FaceSet, n: int, seed: int) -> tuple[FaceSet, FaceSet]:
    """Draw as many real as synthetic faces, with the class shares of the real ones."""
    rows = draw_like(pool.labels, real.labels, min(n, len(real), len(pool)), seed)

    # Pools may have images of another side.
    synthetic = pool.select(rows).resized(real.images.shape[1])
    order = np.random.default_rng(seed).permutation(len(real))
    return real.select(order[: len(synthetic)]), synthetic


def _candidates(
    real: FaceSet,
    pool: FaceSet,
    features: Extract,
    classify: Classifier,
    agreement: float,
    rng: np.random.Generator,
) -> dict[str, CandidateCause]:
    """Make the candidate causes of one draw, by name."""
    # The domain shift is injected by making real faces look like the pool, and repaired by the
    # opposite.
    like_real = harmonise(pool.images, real.images)
    like_pool = harmonise(real.images, pool.images)
    shift = (
        f"mean grey {pool.images.mean():.0f}, real {real.images.mean():.0f}; sharpness and crop "
        "beside"
    )

    # The classifier sees the pool in the look that it was trained on.
    predicted = classify(like_real).argmax(1)
    return {
        "wrong labels": _wrong_labels(real, pool, predicted, agreement, rng),
        "domain shift": CandidateCause(shift, (like_pool, real.labels), (like_real, pool.labels)),
        "poor coverage": _poor_coverage(real, features(real.images), features(like_real)),
        "copies": _copies(real, pool, rng),
    }


def _wrong_labels(
    real: FaceSet,
    pool: FaceSet,
    predicted: np.ndarray,
    agreement: float,
    rng: np.random.Generator,
) -> CandidateCause:
    """Give as many real faces another label as the pool has wrong.

    The number is known of drawn faces, and estimated by a classifier elsewhere.

    Args:
        real: real faces.
        pool: synthetic faces.
        predicted: int64 (M,), the classifier's classes of the pool.
        agreement: share of real labels that the classifier agrees with, 0 to 1.
        rng: chooses faces and labels.
    """
    k = len(real.classes)

    # Drawn faces know what they show; of others a classifier says it.
    truth = _true_labels(pool)
    if truth is not None:
        wrong = 1 - float((truth == pool.labels).mean())
        source = "drawn otherwise than labelled"
    else:
        truth = predicted
        wrong = _wrong_share(pool.labels, predicted, agreement, k)
        source = f"by a classifier that agrees with {agreement:.0%} of real labels"

    # Any other class is as likely as the next.
    labels = real.labels.copy()
    changed = rng.random(len(labels)) < wrong
    labels[changed] = (labels[changed] + rng.integers(1, k, changed.sum())) % k
    evidence = f"{wrong:.0%} of labels, {source}"
    return CandidateCause(evidence, (real.images, labels), (pool.images, truth))


def _true_labels(pool: FaceSet) -> np.ndarray | None:
    """Look up what the images of a pool show, int64 (M,); None where it is not known of all."""
    if "true_class" not in pool.table:
        return None

    # A class that the list does not know is not known.
    truth = label_indices(pool.table["true_class"], pool.classes)
    return None if (truth < 0).any() else truth


def _wrong_share(labels: np.ndarray, predicted: np.ndarray, agreement: float, k: int) -> float:
    """Estimate the share of wrong labels from a classifier that is itself sometimes wrong.

    The classifier's agreement lies between that of chance, where labels say nothing, and that with
    real labels, where all are right. Of labels that say nothing, one in k is right nevertheless.
    """
    # Agreement by chance: labels and predictions independent of each other.
    label_counts = np.bincount(labels, minlength=k)
    predicted_counts = np.bincount(predicted, minlength=k)
    chance = float((label_counts * predicted_counts).sum() / len(labels) ** 2)
    observed = float((predicted == labels).mean())

    # Where the observed agreement lies between the two.
    informative = (observed - chance) / max(agreement - chance, 1e-6)
    return float(np.clip(1 - informative, 0, 1)) * (1 - 1 / k)


def _poor_coverage(
    real: FaceSet, real_features: np.ndarray, pool_features: np.ndarray
) -> CandidateCause:
    """Keep the real faces that have a synthetic one near them, repeated to the same number."""
    # Real faces that the pool comes near to.
    kept = np.flatnonzero(covered(real_features, pool_features))
    evidence = f"{len(kept) / len(real):.0%} of real faces have a synthetic one near"

    # Nothing can be learned from what such a pool comes near to.
    if len(np.unique(real.labels[kept])) < 2:
        return CandidateCause(f"{evidence}; too few to train on", None)

    # Where all are kept this is every face once.
    chosen = kept[np.arange(len(real)) % len(kept)]
    return CandidateCause(evidence, (real.images[chosen], real.labels[chosen]))


def _copies(real: FaceSet, pool: FaceSet, rng: np.random.Generator) -> CandidateCause:
    """Keep as many different real faces as the pool holds, repeated to the same number."""
    # Near-copies count as one face.
    different = len(np.unique(near_groups(pool.images, NEAR_GREY_LEVELS)))
    kept = rng.permutation(len(real))[:different]
    chosen = kept[np.arange(len(real)) % different]
    evidence = f"{different / len(pool):.0%} of images differ from all others"
    return CandidateCause(evidence, (real.images[chosen], real.labels[chosen]))


def _labelled(faces: FaceSet) -> Faces:
    return faces.images, faces.labels


def _repaired(cause: str) -> str:
    """Name the pool without a cause, among the sets that are learned from."""
    return f"{cause}, repaired"


def _cost(scores: dict[str, np.ndarray], name: str, clusters: np.ndarray) -> dict[str, float]:
    """Compare learning from a set with learning from real faces, and the repaired with the pool.

    Args:
        scores: float (DRAWS, N) of zeros and ones, right or wrong, by set.
        name: of the set.
        clusters: int64 (N,) of the test faces.
    """
    # Positive: real faces teach more than this set.
    loss = compare(scores[name], scores["real"], clusters=clusters)
    row = {"lost": loss.difference, "low": loss.low, "high": loss.high}

    # Positive: the pool teaches more without the cause.
    if _repaired(name) in scores:
        gain = compare(scores["pool"], scores[_repaired(name)], clusters=clusters)
        row["regained"] = gain.difference
        row["regained_low"] = gain.low
        row["regained_high"] = gain.high
    return row


def _has_gap(gap: pd.Series) -> bool:
    """Tell whether a pool's loss against real faces is beyond doubt and large enough."""
    return bool(gap["low"] > 0 and gap["lost"] > LEAST_GAP)


def _is_main(table: pd.DataFrame) -> np.ndarray:
    """Mark the costliest cause, bool (rows); none where there is no gap or no cost is sure."""
    main = np.zeros(len(table), bool)

    # A cost is sure where its interval lies above zero.
    sure = table[(table["low"] > 0) & (table["cause"] != "gap")]
    if len(sure) and _has_gap(table.iloc[0]):
        main[sure["lost"].idxmax()] = True
    return main
