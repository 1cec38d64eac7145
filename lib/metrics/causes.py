"""Why a pool teaches less than real faces: each suspect is put into real faces alone, as much as the pool shows, and its cost counted.

Points are those of a learner that is handed in: `linear_probe` takes a moment, a network minutes. Suspects overlap (copies also cover
less), so that their points need not add up to the gap.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.faces.duplicates import near_groups
from lib.faces.faceset import CLASSES, FaceSet
from lib.metrics.arms import ArmPredictions
from lib.metrics.distances import covered
from lib.metrics.harmonise import harmonise
from lib.metrics.pools import draw_like
from lib.metrics.statistics import compare
from lib.study.errors import StudyError

NEAR_GREY_LEVELS, DRAWS, LEAST_GAP = 6.0, 4, 0.02
KINDS = ("synthetic", "replace", "scarce", "supplement")  # of arms, from most to least synthetic
Faces = tuple[np.ndarray, np.ndarray]  # images uint8 (N, H, W), labels int64 (N,)
Learner = Callable[[np.ndarray, np.ndarray], np.ndarray]  # images and labels of training faces -> classes int64 (M,) of the test faces


@dataclass(frozen=True)
class Fault:
    """One suspect: how much of it a pool shows, real faces that have it, and the pool without it where it can be taken away."""

    evidence: str
    spoiled: Faces
    mended: Faces | None = None


def attribute(
    real: FaceSet, pool: FaceSet, test: FaceSet, *, learn: Learner, features: Callable, judge: Callable, n: int, seed: int
) -> pd.DataFrame:
    """Count what each suspect costs.

    Args:
        real: real training faces; pool: synthetic ones; test: real faces that the learner is asked about.
        learn: trains on faces and answers for `test`.
        features: uint8 (N, H, W) to float (N, D), in which coverage is measured.
        judge: uint8 (N, H, W) to class probabilities float (N, 7), of a network trained on real faces other than `test`.
        n: most training faces of either kind; DRAWS draws of them are averaged.
    Returns:
        One row a cause, "gap" (all of them) first: cause, evidence, lost, low, high (accuracy that real faces lose by the fault, 95 %
        interval over draws and test images), regained, regained_low, regained_high (what the pool gains without it; missing where it
        cannot be taken away), main (the fault that costs most, where there is a gap and the cost is beyond doubt), n.
    """
    agreed = float((judge(test.images).argmax(1) == test.labels).mean())
    right, evidence = {}, {}
    for number in range(DRAWS):
        own, theirs = _draw(real, pool, n, seed + number)
        faults = _faults(own, theirs, features, judge, agreed, np.random.default_rng([seed, number]))
        sets = {"real": _faces(own), "pool": _faces(theirs)} | {name: fault.spoiled for name, fault in faults.items()}
        sets |= {f"{name}, mended": fault.mended for name, fault in faults.items() if fault.mended}
        for name, faces in sets.items():
            right.setdefault(name, []).append(learn(*faces) == test.labels)
        evidence = {name: fault.evidence for name, fault in faults.items()} if not evidence else evidence
    clusters = test.table["cluster"].to_numpy() if "cluster" in test.table else np.arange(len(test))
    scores = {name: np.array(rows, float) for name, rows in right.items()}
    levels = f"real {scores['real'].mean():.3f}, pool {scores['pool'].mean():.3f}"
    rows = [{"cause": "gap", "evidence": levels} | _lost(scores, "pool", clusters)]
    rows += [{"cause": name, "evidence": text} | _lost(scores, name, clusters) for name, text in evidence.items()]
    table = pd.DataFrame(rows).assign(n=len(own))
    sure = table[(table["low"] > 0) & (table["cause"] != "gap")]
    main = sure["lost"].idxmax() if len(sure) and table.loc[0, "low"] > 0 and table.loc[0, "lost"] > LEAST_GAP else -1
    return table.assign(main=table.index == main)


def linear_probe(features: Callable, test: FaceSet) -> Learner:
    """Learn by linear discriminant analysis on fixed features: quick, and blind to what the features do not hold.

    Source: Ledoit and Wolf 2004 for the shrinkage of covariances.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    asked = features(test.images)

    def learn(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        given, model = features(images), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        with warnings.catch_warnings():  # a rare class may be drawn once: it adds a mean and no spread, as it should
            warnings.filterwarnings("ignore", "Only one sample available", UserWarning)
            return model.fit(given, labels).predict(asked)

    return learn


def causes_of_pools(
    pools: dict[str, FaceSet], real: FaceSet, test: FaceSet, *, features: Callable, judge: Callable, n: int, seed: int
) -> pd.DataFrame:
    """Attribute every pool's gap by the linear probe on the same features: the columns of `attribute` and pool."""
    given = {"learn": linear_probe(features, test), "features": features, "judge": judge, "n": n, "seed": seed}
    columns = ["pool", "cause", "evidence", "lost", "low", "high", "regained", "regained_low", "regained_high", "main", "n"]
    tables = [attribute(real, pool, test, **given).assign(pool=name) for name, pool in pools.items()]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def sentences(causes: pd.DataFrame) -> list[str]:
    """Say of each pool why it teaches less than as many real faces."""
    said = []
    for pool, rows in causes.groupby("pool", sort=False):
        gap, main = rows.iloc[0], rows[rows["main"]]
        reach = f"({100 * gap['low']:.1f} to {100 * gap['high']:.1f})"
        if gap["low"] <= 0 or gap["lost"] <= LEAST_GAP:
            said.append(f"{pool}: against as many real faces it loses {100 * gap['lost']:.1f} points {reach}; there is no gap to explain.")
            continue
        text = f"{pool} teaches {100 * gap['lost']:.1f} points less than as many real faces {reach}"
        if len(main):
            row = main.iloc[0]
            text += f"; the costliest suspect is {row['cause']} ({row['evidence']}): real faces lose {100 * row['lost']:.1f} points by it"
            text += f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
        said.append(text + ("." if len(main) else "; no suspect's cost is beyond doubt."))
    return said


def blind_spots(found: dict[str, tuple], arms: dict, runs: pd.DataFrame, labels: np.ndarray, clusters: np.ndarray) -> pd.DataFrame:
    """Ask of each pool whether its classifier fails where the pool has no faces, more than one taught by real faces fails there.

    Args:
        found: features and labels of one space by name; "real" are the test faces.
        arms: predictions by (arm, classifier) of the test faces; "base" is read beside each pool's most synthetic arm.
        runs: of `evidence.recorded_runs`: which arm is of which pool and kind.
        labels, clusters: int64 (N,) of the test faces.
    Returns:
        One row a pool and classifier: pool, arm, classifier, uncovered (share of the test faces), drop_covered, drop_uncovered (accuracy of
        base minus that of the arm on either), extra (their difference), low, high (95 % interval over seeds and images), n_uncovered.
    """
    rows = []
    for pool, (features, _) in found.items():
        own = runs[(runs["pool"] == pool) & runs["kind"].isin(KINDS) & (runs["failed"] == "")]
        if pool == "real" or not len(own):
            continue
        real_share = own["share"].where(own["kind"].isin(("replace", "scarce")), -own["share"])  # elsewhere the share is the synthetic one
        order = own.assign(place=own["kind"].map(KINDS.index), real_share=real_share).sort_values(["place", "real_share"])
        arm, blind = order["arm"].iloc[0], ~covered(found["real"][0], features)
        for classifier in dict.fromkeys(name for arm_, name in arms if arm_ == arm):
            fixed = {"pool": pool, "arm": arm, "classifier": classifier, "uncovered": float(blind.mean()), "n_uncovered": int(blind.sum())}
            rows.append(fixed | _extra_drop(arms["base", classifier], arms[arm, classifier], labels, clusters, blind))
    return pd.DataFrame(rows)


def _draw(real: FaceSet, pool: FaceSet, n: int, seed: int) -> tuple[FaceSet, FaceSet]:
    """Draw as many real as synthetic faces, with the class shares of the real ones."""
    chosen = draw_like(pool.labels, real.labels, min(n, len(real), len(pool)), seed)
    theirs = pool.select(chosen).resized(real.images.shape[1])
    return real.select(np.random.default_rng(seed).permutation(len(real))[: len(theirs)]), theirs


def _faults(real: FaceSet, pool: FaceSet, features: Callable, judge: Callable, agreed: float, rng: np.random.Generator) -> dict[str, Fault]:
    alike, unlike = harmonise(pool.images, real.images), harmonise(real.images, pool.images)
    grey = f"mean grey {pool.images.mean():.0f}, real {real.images.mean():.0f}; sharpness and crop beside"
    return {
        "wrong labels": _wrong_labels(real, pool, judge(alike), agreed, rng),
        "domain shift": Fault(grey, (unlike, real.labels), (alike, pool.labels)),
        "poor coverage": _poor_coverage(real, features(real.images), features(alike), rng),
        "copies": _copies(real, pool, rng),
    }


def _wrong_labels(real: FaceSet, pool: FaceSet, said: np.ndarray, agreed: float, rng: np.random.Generator) -> Fault:
    """Give as many real faces another label as the pool has wrong: known of drawn faces, estimated by the judge's agreement elsewhere."""
    known = "true_class" in pool.table and pool.table["true_class"].notna().all()
    truth = pool.table["true_class"].map({name: c for c, name in enumerate(CLASSES)}).to_numpy() if known else said.argmax(1)
    chance = float((np.bincount(pool.labels, minlength=7) * np.bincount(said.argmax(1), minlength=7)).sum() / len(pool) ** 2)
    right = float((truth == pool.labels).mean())
    wrong = 1 - right
    if not known:  # the share of labels that say nothing; of those drawn at random one in seven is right
        wrong = float(np.clip(1 - (right - chance) / max(agreed - chance, 1e-6), 0, 1)) * (1 - 1 / len(CLASSES))
    labels = real.labels.copy()
    hit = rng.random(len(labels)) < wrong
    labels[hit] = (labels[hit] + rng.integers(1, len(CLASSES), hit.sum())) % len(CLASSES)
    source = "drawn otherwise than labelled" if known else f"by a judge that agrees with {agreed:.0%} of real labels"
    return Fault(f"{wrong:.0%} of labels, {source}", (real.images, labels), (pool.images, truth))


def _poor_coverage(real: FaceSet, own: np.ndarray, theirs: np.ndarray, rng: np.random.Generator) -> Fault:
    """Keep the real faces that have a synthetic one near them, repeated to the same number."""
    kept = np.flatnonzero(covered(own, theirs))
    if not len(kept):
        raise StudyError("no real face has a synthetic one near it: look at the pool (notebook 30) before asking why it does not help")
    chosen = kept[np.arange(len(real)) % len(kept)] if len(kept) < len(real) else np.arange(len(real))
    return Fault(f"{len(kept) / len(real):.0%} of real faces have a synthetic one near", (real.images[chosen], real.labels[chosen]))


def _copies(real: FaceSet, pool: FaceSet, rng: np.random.Generator) -> Fault:
    """Keep as many different real faces as the pool holds, repeated to the same number."""
    different = len(np.unique(near_groups(pool.images, NEAR_GREY_LEVELS)))
    chosen = rng.permutation(len(real))[:different][np.arange(len(real)) % different]
    return Fault(f"{different / len(pool):.0%} of images differ from all others", (real.images[chosen], real.labels[chosen]))


def _lost(scores: dict, name: str, clusters: np.ndarray) -> dict[str, float]:
    effect = compare(scores[name], scores["real"], clusters=clusters)
    row = {"lost": effect.difference, "low": effect.low, "high": effect.high}
    if f"{name}, mended" in scores:
        mended = compare(scores["pool"], scores[f"{name}, mended"], clusters=clusters)
        row |= {"regained": mended.difference, "regained_low": mended.low, "regained_high": mended.high}
    return row


def _faces(faces: FaceSet) -> Faces:
    return faces.images, faces.labels


def _extra_drop(base: ArmPredictions, arm: ArmPredictions, labels: np.ndarray, clusters: np.ndarray, blind: np.ndarray) -> dict[str, float]:
    """Contrast the drop where the pool is blind with the drop elsewhere, as one mean over images, so that `compare` gives its interval."""
    seeds = sorted(set(base.seeds) & set(arm.seeds))
    right = [np.stack([x.probabilities[x.seeds.index(s)].argmax(1) == labels for s in seeds]).astype(float) for x in (base, arm)]
    drop = (right[0] - right[1]).mean(0)
    share = blind.mean()
    if share in (0, 1):
        return {"drop_covered": float(drop.mean()), "drop_uncovered": np.nan, "extra": np.nan, "low": np.nan, "high": np.nan}
    weight = np.where(blind, 1 / share, -1 / (1 - share))  # the mean of weight x drop is the difference of the two means
    centred = [matrix - matrix[:, blind].mean() * blind - matrix[:, ~blind].mean() * ~blind for matrix in right]
    noise = compare(weight * centred[1], weight * centred[0], clusters=clusters)
    extra = float(drop[blind].mean() - drop[~blind].mean())
    reach = (noise.low, noise.high)
    return {"drop_covered": float(drop[~blind].mean()), "drop_uncovered": float(drop[blind].mean()), "extra": extra,
            "low": extra + reach[0], "high": extra + reach[1]}  # fmt: skip
