"""How far a synthetic set lies from a real one in a feature space.

Arrays in, dict of floats out, always in the order (real, synth): float (N, D) features of two sets
from one network. Sums run in float64; neighbour searches run in blocks of rows
(lib.compute.neighbours), so that nothing of size N x N is ever held.
"""

from collections.abc import Callable

import numpy as np

from lib.compute.neighbours import neighbour_distances, squared_distances
from lib.study.errors import StudyError

# Images a side up to which the kernel distance takes all of them at once: 72 MB a kernel.
WHOLE_SETS = 3000
KERNEL_SUBSET = 1000  # images a side of a subset, as published
RECALL_K = 3  # neighbours of precision and recall, as published
DENSITY_K = 5  # neighbours of density and coverage, as published
MIN_NORM = 1e-12  # keeps a feature row of zeros finite when rows are scaled to length 1


def frechet(real: np.ndarray, synth: np.ndarray) -> float:
    """Measure the Fréchet distance of Gaussians fitted to both sets: FID for Inception features.

    Args:
        real: float (N, D), N >= 2.
        synth: float (M, D), M >= 2.

    Source: Heusel et al. 2017, arXiv 1706.08500, eq. 6. Covariances with n - 1.
    """
    _check(real, synth, 2)

    # Sums of many squares lose digits in float32.
    real = real.astype(np.float64)
    synth = synth.astype(np.float64)
    shift = real.mean(0) - synth.mean(0)

    # The trace of (C_r C_s)^(1/2) by the symmetric product, whose eigenvalues are real and not
    # negative.
    root = _covariance_root(real)
    inner = root @ np.atleast_2d(np.cov(synth, rowvar=False)) @ root
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh(inner), 0, None)).sum()

    real_spread = real.var(0, ddof=1).sum()
    synth_spread = synth.var(0, ddof=1).sum()
    return float(shift @ shift + real_spread + synth_spread - 2 * overlap)


def distance_to(real: np.ndarray, features: Callable) -> Callable:
    """Make the measure that a training log calls on its samples: their Fréchet distance to `real`.

    Args:
        real: features of real images, float (N, D).
        features: images uint8 (M, H, W) -> float (M, D).

    Returns:
        callable(images, labels) -> {"distance": float}; labels are not used.
    """

    def measure(images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        return {"distance": frechet(real, features(images))}

    return measure


def kernel_distance(
    real: np.ndarray,
    synth: np.ndarray,
    *,
    subset: int = KERNEL_SUBSET,
    subsets: int = 50,
    seed: int = 0,
) -> dict[str, float]:
    """Measure the squared maximum mean discrepancy with a cubic kernel, unbiased: KID.

    Args:
        real: float (N, D), N >= 2.
        synth: float (M, D), M >= 2.
        subset: images per side of a subset; the smaller set is the limit.
        subsets: random subsets over which the estimate is averaged.
        seed: governs the subsets.

    Returns:
        kd (mean over the subsets) and kd_std (standard deviation over the subsets).

    Source: Bińkowski et al. 2018, arXiv 1801.01401, sec. 3 and 4.
    """
    _check(real, synth, 2)
    rng = np.random.default_rng(seed)
    size = min(subset, len(real), len(synth))

    # Where a subset is the whole of both sets, one draw says all.
    if size == len(real) == len(synth):
        subsets = 1

    estimates = []
    for _ in range(subsets):
        real_rows = rng.choice(len(real), size, replace=False)
        synth_rows = rng.choice(len(synth), size, replace=False)
        estimates.append(_squared_discrepancy(real[real_rows], synth[synth_rows]))
    return {"kd": float(np.mean(estimates)), "kd_std": float(np.std(estimates))}


def precision_recall(real: np.ndarray, synth: np.ndarray, *, k: int = RECALL_K) -> dict[str, float]:
    """Measure improved precision and recall.

    Precision is the share of synthetic images inside the real manifold, recall the share of real
    images inside the synthetic one; k is the neighbour that sets the radius of a manifold's ball.

    Source: Kynkäänniemi et al. 2019, arXiv 1904.06991, eq. 1 and 2; k = 3.
    """
    values = neighbourhoods(real, synth, k_recall=k, k_density=k)

    # One pass gives all four; two are asked for.
    return {name: values[name] for name in ("precision", "recall")}


def density_coverage(
    real: np.ndarray, synth: np.ndarray, *, k: int = DENSITY_K
) -> dict[str, float]:
    """Measure density and coverage.

    Density is the number of synthetic images per real neighbourhood, over k; coverage the share of
    real neighbourhoods that hold a synthetic image.

    Source: Naeem et al. 2020, arXiv 2002.09797, eq. 2 and 3; k = 5.
    """
    values = neighbourhoods(real, synth, k_recall=k, k_density=k)
    return {name: values[name] for name in ("density", "coverage")}


def neighbourhoods(
    real: np.ndarray,
    synth: np.ndarray,
    *,
    k_recall: int = RECALL_K,
    k_density: int = DENSITY_K,
) -> dict[str, float]:
    """Measure precision, recall, density and coverage in one pass over all pairs.

    Args:
        real: float (N, D).
        synth: float (M, D).
        k_recall: neighbour that sets the radius for precision and recall.
        k_density: neighbour that sets the radius for density and coverage.

    Raises:
        StudyError: a set holds no more images than k.
    """
    k_most = max(k_recall, k_density)
    _check(real, synth, k_most + 1)
    real = real.astype(np.float32)
    synth = synth.astype(np.float32)

    # The nearest neighbour of an image in its own set is the image itself, hence k + 1; column k
    # is then the k-th other image, as in the published code.
    real_radii = neighbour_distances(real, real, k_most + 1)
    synth_radii = neighbour_distances(synth, synth, k_recall + 1)

    # Accumulate over blocks of real images.
    balls_around = np.zeros(len(synth))  # wide real balls that hold each synthetic image
    in_real_manifold = np.zeros(len(synth), bool)
    in_synth_manifold = np.zeros(len(real), bool)
    holds_synthetic = np.zeros(len(real), bool)
    for rows, squared in squared_distances(real, synth):
        # Squared radii, compared with squared distances: no root of all pairs.
        wide = real_radii[rows, k_density, None] ** 2
        narrow = real_radii[rows, k_recall, None] ** 2
        balls_around += (squared < wide).sum(0)
        in_real_manifold |= (squared < narrow).any(0)
        in_synth_manifold[rows] = (squared < synth_radii[None, :, k_recall] ** 2).any(1)
        holds_synthetic[rows] = squared.min(1) < wide[:, 0]

    return {
        "precision": float(in_real_manifold.mean()),
        "recall": float(in_synth_manifold.mean()),
        "density": float(balls_around.mean() / k_density),
        "coverage": float(holds_synthetic.mean()),
    }


def vendi(features: np.ndarray) -> float:
    """Count the effectively different images of one set, 1 to N: the Vendi score.

    The score is exp of the entropy of the eigenvalues of the cosine kernel.

    Args:
        features: float (N, D), N >= 1.

    Source: Friedman and Dieng 2023, arXiv 2210.02410, eq. 3, by the D x D dual of the N x N kernel.
    """
    _check(features, features, 1)
    unit = features.astype(np.float64)

    # The cosine kernel is the dot product of rows of length 1.
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), MIN_NORM)

    # The eigenvalues of the kernel sum to 1; rounding can make one of them negative.
    shares = np.clip(np.linalg.eigvalsh(unit.T @ unit / len(unit)), 0, None)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def all_distances(real: np.ndarray, synth: np.ndarray, *, seed: int = 0) -> dict[str, float]:
    """Measure fd, kd, precision, recall, density, coverage and vendi of two sets as they are.

    Args:
        real: float (N, D).
        synth: float (M, D); vendi is that of this set alone.
        seed: governs the subsets of the kernel distance.
    """
    # Few enough images are compared whole: one kernel instead of fifty, and less noise.
    few = max(len(real), len(synth)) <= WHOLE_SETS
    subset = WHOLE_SETS if few else KERNEL_SUBSET
    values = {
        "fd": frechet(real, synth),
        "kd": kernel_distance(real, synth, subset=subset, seed=seed)["kd"],
    }

    # Both sides count here; the Vendi score sees the synthetic set alone.
    values |= neighbourhoods(real, synth)
    return values | {"vendi": vendi(synth)}


def draw_rows(features: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Draw n rows without replacement, all of them in another order where there are fewer."""
    return features[np.random.default_rng(seed).permutation(len(features))[:n]]


def _squared_discrepancy(real: np.ndarray, synth: np.ndarray) -> float:
    """Estimate the squared discrepancy of two sets of one size, both (n, D), without bias."""
    real = real.astype(np.float64)
    synth = synth.astype(np.float64)
    n, dimensions = real.shape

    # A pair of an image with itself does not count.
    within = 0.0
    for features in (real, synth):
        kernel = _cubic_kernel(features @ features.T, dimensions)
        within += (kernel.sum() - np.trace(kernel)) / (n * (n - 1))
    return float(within - 2 * _cubic_kernel(real @ synth.T, dimensions).mean())


def _cubic_kernel(products: np.ndarray, dimensions: int) -> np.ndarray:
    """Turn dot products into the kernel (x.y / D + 1)^3."""
    kernel = products / dimensions + 1
    return kernel * kernel * kernel  # numpy's power takes twice the time


def _covariance_root(features: np.ndarray) -> np.ndarray:
    """Take the symmetric square root of a set's covariance, float64 (D, D)."""
    # Rounding can leave a small negative variance along an axis.
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(features, rowvar=False)))
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def _check(real: np.ndarray, synth: np.ndarray, least: int) -> None:
    """Refuse features of two networks, too few of them, or values that are not finite."""
    # Features of two networks have nothing in common.
    if real.ndim != 2 or synth.ndim != 2 or real.shape[1] != synth.shape[1]:
        raise StudyError(
            f"distances need features (N, D) of one network, found {real.shape} and "
            f"{synth.shape}: extract both with the same one"
        )

    # Every distance has a smallest number of images from which it is defined.
    if min(len(real), len(synth)) < least:
        raise StudyError(
            f"this distance needs at least {least} images a side, found {len(real)} real and "
            f"{len(synth)} synthetic: make more"
        )
    if not (np.isfinite(real).all() and np.isfinite(synth).all()):
        raise StudyError(
            "features hold NaN or infinity: the network that made them is broken; train the "
            "reference classifier again"
        )
