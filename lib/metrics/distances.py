"""How far a synthetic set lies from a real one in a feature space: arrays in, dict of floats out, always (real, synthetic).

real, synth: float (N, D) features of two sets from one network. Sums run in float64; neighbour searches run in blocks of rows,
so that nothing of size N x N is ever held.
"""

from collections.abc import Iterator

import numpy as np

from lib.study.errors import StudyError

BLOCK = 2048  # rows per block: 2,048 x 28,821 float32 distances are 236 MB
WHOLE = 3000  # images a side up to which the kernel distance takes all of them at once: 72 MB a kernel


def frechet(real: np.ndarray, synth: np.ndarray) -> float:
    """Measure the Fréchet distance between Gaussians fitted to both sets (FID where the features are Inception's).

    Source: Heusel et al. 2017, arXiv 1706.08500, eq. 6. Covariances with n - 1.
    """
    _check(real, synth, 2)
    real, synth = real.astype(np.float64), synth.astype(np.float64)
    shift = real.mean(0) - synth.mean(0)
    root = _covariance_root(real)
    # trace of (C_r C_s)^(1/2) by the symmetric product, whose eigenvalues are real and not negative
    inner = root @ np.atleast_2d(np.cov(synth, rowvar=False)) @ root
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh(inner), 0, None)).sum()
    return float(shift @ shift + real.var(0, ddof=1).sum() + synth.var(0, ddof=1).sum() - 2 * overlap)


def kernel_distance(real: np.ndarray, synth: np.ndarray, *, subset: int = 1000, subsets: int = 50, seed: int = 0) -> dict[str, float]:
    """Measure the squared maximum mean discrepancy with a cubic kernel, unbiased, as a mean over random subsets (KID).

    Args:
        subset: images per side of a subset; the smaller set is the limit.
        subsets: number of subsets.
        seed: governs the subsets.
    Returns:
        kd (mean), kd_std (standard deviation over subsets).
    Source: Bińkowski et al. 2018, arXiv 1801.01401, sec. 3 and 4.
    """
    _check(real, synth, 2)
    rng = np.random.default_rng(seed)
    size = min(subset, len(real), len(synth))
    if size == len(real) == len(synth):
        subsets = 1  # every subset would be the whole
    pairs = ([rng.choice(len(own), size, replace=False) for own in (real, synth)] for _ in range(subsets))
    draws = [_mmd2(real[left], synth[right]) for left, right in pairs]
    return {"kd": float(np.mean(draws)), "kd_std": float(np.std(draws))}


def precision_recall(real: np.ndarray, synth: np.ndarray, *, k: int = 3) -> dict[str, float]:
    """Measure improved precision (share of synthetic images inside the real manifold) and recall (the reverse).

    Source: Kynkäänniemi et al. 2019, arXiv 1904.06991, eq. 1 and 2; k = 3.
    """
    return _pick(neighbourhoods(real, synth, k_recall=k, k_density=k), "precision", "recall")


def density_coverage(real: np.ndarray, synth: np.ndarray, *, k: int = 5) -> dict[str, float]:
    """Measure density (synthetic images per real neighbourhood, over k) and coverage (share of real neighbourhoods that hold one).

    Source: Naeem et al. 2020, arXiv 2002.09797, eq. 2 and 3; k = 5.
    """
    return _pick(neighbourhoods(real, synth, k_recall=k, k_density=k), "density", "coverage")


def neighbourhoods(real: np.ndarray, synth: np.ndarray, *, k_recall: int = 3, k_density: int = 5) -> dict[str, float]:
    """Measure precision, recall, density and coverage in one pass over the distances between the sets.

    Raises:
        StudyError: where a set holds no more than k images.
    """
    k_most = max(k_recall, k_density)
    _check(real, synth, k_most + 1)
    real, synth = real.astype(np.float32), synth.astype(np.float32)
    radii_real = neighbour_distances(real, real, k_most + 1)  # the nearest is the image itself, as in the published code
    radii_synth = neighbour_distances(synth, synth, k_recall + 1)
    inside_wide = np.zeros(len(synth))
    inside_narrow = np.zeros(len(synth), bool)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, squared in squared_distances(real, synth):
        wide, narrow = radii_real[rows, k_density, None] ** 2, radii_real[rows, k_recall, None] ** 2
        inside_wide += (squared < wide).sum(0)
        inside_narrow |= (squared < narrow).any(0)
        recalled[rows] = (squared < radii_synth[None, :, k_recall] ** 2).any(1)
        covered[rows] = squared.min(1) < wide[:, 0]
    return {
        "precision": float(inside_narrow.mean()),
        "recall": float(recalled.mean()),
        "density": float(inside_wide.mean() / k_density),
        "coverage": float(covered.mean()),
    }


def covered(real: np.ndarray, synth: np.ndarray, *, k: int = 5) -> np.ndarray:
    """Find the real images with a synthetic one nearer than their k-th real neighbour: bool (N,), whose mean is coverage.

    Source: Naeem et al. 2020, arXiv 2002.09797, eq. 3.
    """
    radius = neighbour_distances(real, real, k + 1)[:, k] ** 2
    found = np.zeros(len(real), bool)
    for rows, squared in squared_distances(real, synth):
        found[rows] = squared.min(1) < radius[rows]
    return found


def vendi(features: np.ndarray) -> float:
    """Count the effectively different images of one set: exp of the entropy of the cosine kernel's eigenvalues, 1 to N.

    Source: Friedman and Dieng 2023, arXiv 2210.02410, eq. 3, by the D x D dual of the N x N kernel.
    """
    _check(features, features, 1)
    unit = features.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    shares = np.clip(np.linalg.eigvalsh(unit.T @ unit / len(unit)), 0, None)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def all_distances(real: np.ndarray, synth: np.ndarray, *, seed: int = 0) -> dict[str, float]:
    """Measure fd, kd, precision, recall, density, coverage, and the synthetic set's Vendi score, of the sets as they are."""
    # few enough images are compared whole: one kernel instead of fifty, and less noise
    subset = WHOLE if max(len(real), len(synth)) <= WHOLE else 1000
    kernel = kernel_distance(real, synth, subset=subset, seed=seed)["kd"]
    return {"fd": frechet(real, synth), "kd": kernel} | neighbourhoods(real, synth) | {"vendi": vendi(synth)}


def distances(real: np.ndarray, synth: np.ndarray, *, n: int, seed: int, space: str) -> dict[str, float]:
    """Measure all distances at equal size, with the protocol in the key, for example `fd_classifier_n5000`.

    Args:
        n: images per side, drawn without replacement; the smaller set is the limit, and the key names the number used.
        seed: governs which images are drawn and the kernel's subsets.
        space: name of the feature space.
    """
    n = min(n, len(real), len(synth))
    values = all_distances(draw(real, n, seed), draw(synth, n, seed + 1), seed=seed)
    return {f"{name}_{space}_n{n}": value for name, value in values.items()}


def draw(features: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Draw n rows without replacement."""
    return features[np.random.default_rng(seed).permutation(len(features))[:n]]


def squared_distances(left: np.ndarray, right: np.ndarray, block: int = BLOCK) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (rows of left, squared Euclidean distances float32 (rows, len(right))) block by block."""
    # centred, so that |a|^2 + |b|^2 - 2ab loses no digits to a common offset
    centre = right.mean(0, dtype=np.float64).astype(np.float32)
    left, right = np.asarray(left, np.float32) - centre, np.asarray(right, np.float32) - centre
    left_norm, right_norm = (left**2).sum(1), (right**2).sum(1)
    for start in range(0, len(left), block):
        rows = slice(start, min(start + block, len(left)))
        squared = left[rows] @ right.T
        squared *= -2
        squared += left_norm[rows, None]
        squared += right_norm
        yield rows, np.maximum(squared, 0, out=squared)


def neighbour_distances(left: np.ndarray, right: np.ndarray, k: int) -> np.ndarray:
    """Find the distances from each left row to its k nearest right rows, ascending, float32 (len(left), k)."""
    found = np.empty((len(left), k), np.float32)
    for rows, squared in squared_distances(left, right):
        found[rows] = np.sqrt(np.sort(np.partition(squared, k - 1, axis=1)[:, :k], axis=1))
    return found


def _mmd2(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    n, d = x.shape
    own = [_cubic(z @ z.T, d) for z in (x, y)]
    within = sum((kernel.sum() - np.trace(kernel)) / (n * (n - 1)) for kernel in own)
    return float(within - 2 * _cubic(x @ y.T, d).mean())


def _cubic(products: np.ndarray, dimensions: int) -> np.ndarray:
    kernel = products / dimensions + 1
    return kernel * kernel * kernel  # numpy's power takes twice the time


def _covariance_root(features: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(features, rowvar=False)))
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def _pick(values: dict[str, float], *names: str) -> dict[str, float]:
    return {name: values[name] for name in names}


def _check(real: np.ndarray, synth: np.ndarray, least: int) -> None:
    if real.ndim != 2 or synth.ndim != 2 or real.shape[1] != synth.shape[1]:
        shapes = f"{real.shape} and {synth.shape}"
        raise StudyError(f"distances need features (N, D) of one network, found {shapes}: extract both with the same one")
    if min(len(real), len(synth)) < least:
        found = f"{len(real)} real and {len(synth)} synthetic"
        raise StudyError(f"this distance needs at least {least} images a side, found {found}: make more")
    if not (np.isfinite(real).all() and np.isfinite(synth).all()):
        raise StudyError("features hold NaN or infinity: the network that made them is broken; train the instrument again")
