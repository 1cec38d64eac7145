"""Arms: what a classifier is trained on. Real faces, synthetic faces, and the controls that every synthetic arm is read against."""

from dataclasses import dataclass

import numpy as np

from lib.faces.faceset import CLASSES, FaceSet, concat
from lib.study.errors import StudyError


@dataclass(frozen=True)
class Arm:
    """One training set by rule.

    Attributes:
        name: a sentence, e.g. supplement-0.1502-dcgan; unique in a study.
        kind: base, supplement, replace, synthetic, scarce, balance, or a control: duplicate, shuffled, subset, extra.
        pool: the pool whose images it takes, "" for real data alone.
        share: synthetic share of the total (supplement, shuffled, duplicate, extra), real share (replace, subset, scarce),
            or multiple of the real amount (synthetic).
        control_of: for a control, the kind of arm that it controls; "" otherwise.
    """

    name: str
    kind: str
    pool: str = ""
    share: float = 0.0
    control_of: str = ""


def plan_arms(params: dict) -> list[Arm]:
    """List the arms that the flat parameters ask for: base first, each synthetic arm with its controls."""
    pools, controls = params["arm_pools"] or params["pools"], set(params["controls"])
    arms = [Arm("base", "base")]
    for share in params["supplement_shares"]:
        text = f"{share:.4g}"
        arms += [Arm(f"duplicate-{text}", "duplicate", share=share, control_of="supplement")] * ("duplicate" in controls)
        arms += [Arm(f"extra-{text}", "extra", share=share, control_of="supplement")] * ("extra" in controls)
        for pool in pools:
            arms.append(Arm(f"supplement-{text}-{pool}", "supplement", pool, share))
            arms += [Arm(f"shuffled-{text}-{pool}", "shuffled", pool, share, "supplement")] * ("shuffled" in controls)
    for share in params["replace_shares"]:
        text = f"{share:.4g}"
        arms += [Arm(f"subset-{text}", "subset", share=share, control_of="replace")] * ("subset" in controls and 0 < share < 1)
        arms += [Arm(f"replace-{text}-{pool}", "replace", pool, share) for pool in pools]
    for multiple in params["synthetic_multiples"]:
        for pool in pools:
            name = f"synthetic-{multiple:g}x-{pool}"
            arms.append(Arm(name, "synthetic", pool, multiple))
            arms += [Arm(f"{name}-shuffled", "shuffled", pool, multiple, "synthetic")] * ("shuffled" in controls)
    for share in params["scarce_shares"]:
        arms += [Arm(f"scarce-{share:.4g}", "subset", share=share, control_of="scarce")] * (share < 1)
        arms += [Arm(f"scarce-{share:.4g}-{pool}", "scarce", pool, share) for pool in pools]
    arms += [Arm(f"balance-{pool}", "balance", pool) for pool in pools if params["balance"]]
    return arms


def synthetic_count(n_real: int, share: float) -> int:
    """Count the synthetic images that make `share` of the total beside n_real real ones."""
    return round(share / (1 - share) * n_real)


def build_arm(arm: Arm, real: FaceSet, pools: dict[str, FaceSet], *, seed: int, extra: FaceSet | None = None) -> FaceSet:
    """Build the training set of an arm.

    Args:
        arm: which.
        real: the real training images.
        pools: synthetic face sets by name, in order of generation, as curation left them.
        seed: of subsets, duplicates and shuffles: drawn once per study, so that all arms share them.
        extra: held-back real images, for the control `extra`.

    Raises:
        StudyError: a pool that is not there or too small.
    """
    rng = np.random.default_rng([seed, 40])
    n = len(real)
    if arm.kind == "base":
        return real
    if arm.kind == "duplicate":
        return concat([real, _copies(real, synthetic_count(n, arm.share), rng)])
    if arm.kind == "subset":
        return real.select(stratified(real.labels, round(arm.share * n), rng))
    if arm.kind == "extra":
        return concat([real, _first(extra, synthetic_count(n, arm.share), arm, "the held-back real images (drawn_extra)")])
    pool = _pool(arm, pools)
    if arm.kind == "supplement" or (arm.kind, arm.control_of) == ("shuffled", "supplement"):
        added = _first(pool, synthetic_count(n, arm.share), arm, f"pool {arm.pool}")
        return concat([real, _shuffled(added, rng) if arm.kind == "shuffled" else added])
    if arm.kind == "synthetic" or (arm.kind, arm.control_of) == ("shuffled", "synthetic"):
        only = _first(pool, round(arm.share * n), arm, f"pool {arm.pool}")
        return _shuffled(only, rng) if arm.kind == "shuffled" else only
    if arm.kind in ("replace", "scarce"):
        kept = stratified(real.labels, round(arm.share * n), rng)
        return concat([real.select(kept), _first(pool, n - len(kept), arm, f"pool {arm.pool}")])
    if arm.kind == "balance":
        return concat([real, pool.select(_fill(real, pool, arm))])
    raise StudyError(f"arm {arm.name}: unknown kind {arm.kind!r}")


def stratified(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Choose n positions that keep the class shares (largest remainders), in rising order; nested for one seed is not promised."""
    counts = np.bincount(labels, minlength=len(CLASSES))
    quota = counts * n / max(1, len(labels))
    take = np.floor(quota).astype(int)
    take[np.argsort(take - quota, kind="stable")[: n - take.sum()]] += 1
    chosen = [rng.permutation(np.flatnonzero(labels == c))[: take[c]] for c in range(len(CLASSES))]
    return np.sort(np.concatenate(chosen))


def _pool(arm: Arm, pools: dict[str, FaceSet]) -> FaceSet:
    if arm.pool not in pools:
        raise StudyError(f"arm {arm.name}: pool {arm.pool!r} is not there; there are {', '.join(pools) or 'none'}. Run notebook 20 for it")
    pool = pools[arm.pool]
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
            raise StudyError(f"arm {arm.name}: needs {missing[name]} images of {name}, pool {arm.pool} holds {len(of_class)}; raise pool_images")
        chosen.append(of_class[: missing[name]])
    return np.sort(np.concatenate(chosen))
