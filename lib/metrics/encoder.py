"""A general feature space without downloaded weights.

The study trains the encoder itself on real training faces, without labels. Filters are learned from
patches; a linear layer keeps what two altered views of one face share (person, pose, expression)
against what differs between them (crop, mirror, light, grain). Both are solved in closed form or
nearly: seconds on one core are enough, where a deep self-supervised network needs hours to become
better than pixels. The encoder sees what a classifier of expressions learns to ignore.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lib.classifiers.reference import one_thread
from lib.compute.checkpoints import load_tensors, save_tensors
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.records import content_hash

# Raise when the arithmetic changes: an encoder of another version is trained anew. A test holds the
# features of a tiny encoder to values recorded for this version.
ENCODER_VERSION = 1

PX = 48  # side of the images that the filters see
PATCH = 8  # side of a filter, pixels
STRIDE = 2  # pixels between two places of a filter
FILTERS = 200
CELLS = 3  # a side of the grid over which responses are pooled
DIMENSIONS = 128  # of the features

MOST_IMAGES = 4000  # learned from
MOST_PATCHES = 60_000  # learned from
ROUNDS = 12  # of k-means
FLAT = 0.002  # variance added before a patch is divided by its standard deviation
ROUGH = 0.1  # variance added before patches are whitened
THRESHOLD = 1.0  # of a filter's response
RIDGE = 0.1  # share of the mean variance added before axes are found

BATCH = 256  # images whose features are computed at once
RESPONSE_BATCH = 64  # images whose filter responses are held at once
FILE = "encoder.safetensors"

# The ranges of the alterations that make two views of one face.
ZOOM = (0.75, 1.0)
CONTRAST = (0.6, 1.4)
BRIGHTNESS = (-0.2, 0.2)
GRAIN_SD = 0.03


@dataclass(frozen=True)
class Encoder:
    """A trained encoder.

    Attributes:
        tensors: filters float32 (200, 1, 8, 8), bias (200,), centre (1800,), axes (1800, 128).
        facts: images, kept (share of a feature's variance that two views of one face share, mean
            over features), digest (key of the faces, the seed and the recipe).
    """

    tensors: dict[str, Tensor]
    facts: dict

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute features, float32 (N, 128), of uint8 (N, H, W) images of any size."""
        parts = [np.zeros((0, DIMENSIONS), np.float32)]
        for first in range(0, len(images), BATCH):
            x = _floats(images[first : first + BATCH])
            responses = _respond(x, self.tensors["filters"], self.tensors["bias"])
            projected = (responses - self.tensors["centre"]) @ self.tensors["axes"]
            parts.append(projected.numpy())
        return np.concatenate(parts)


def fit_encoder(faces: FaceSet, folder: Path, *, seed: int = 0) -> Encoder:
    """Train the encoder on real training faces, or load it when it was trained on these before.

    Args:
        faces: real faces; only the split train is used, at most 4,000 images of it, and no label.
        folder: where the encoder is kept.
        seed: of images, patches and views.

    Raises:
        StudyError: too few training images.

    Source: filters, Coates, Ng and Lee 2011, sec. 3 (whitened patches, k-means, soft threshold);
        linear layer, VICReg's closed solution, Balestriero and LeCun 2022, arXiv 2205.11508,
        sec. 3.
    """
    # Axes of the covariance need more images than there are of them.
    real = faces.split("train")
    if len(real) < 2 * DIMENSIONS:
        raise StudyError(
            f"the encoder needs at least {2 * DIMENSIONS} real training images, found {len(real)}: "
            "raise train_limit or drawn_train"
        )
    path = Path(folder) / FILE
    digest = content_hash([real.digest(), seed, ENCODER_VERSION, _recipe()])
    with contextlib.suppress(StudyError):  # none there, or a damaged one
        known = load_encoder(folder)
        if known.facts.get("digest") == digest:
            return known

    # One thread, so that the bytes repeat on any number of cores.
    with one_thread():
        tensors, kept = _learn(real.images, torch.Generator().manual_seed(seed))

    facts = {"images": min(len(real), MOST_IMAGES), "kept": kept, "digest": digest}
    save_tensors(path, tensors, facts)
    return Encoder(tensors, facts)


def load_encoder(folder: Path) -> Encoder:
    """Read the encoder that notebook 10 trained.

    Raises:
        StudyError: none there, or none that reads.
    """
    path = Path(folder) / FILE
    if not path.exists():
        raise StudyError(f"{folder}: no encoder here; run notebook 10 first")

    # A file of another network is refused by its shapes.
    responses = FILTERS * CELLS**2
    expected = {
        "filters": torch.empty(FILTERS, 1, PATCH, PATCH),
        "bias": torch.empty(FILTERS),
        "centre": torch.empty(responses),
        "axes": torch.empty(responses, DIMENSIONS),
    }
    return Encoder(*load_tensors(path, expected))


def _recipe() -> dict:
    """Name the settings that decide, beside images and seed, what an encoder learns."""
    return {
        "filters": [PX, PATCH, STRIDE, FILTERS, CELLS, DIMENSIONS, THRESHOLD],
        "learning": [MOST_IMAGES, MOST_PATCHES, ROUNDS, FLAT, ROUGH, RIDGE],
        "views": [ZOOM, CONTRAST, BRIGHTNESS, GRAIN_SD],
    }


def _learn(images: np.ndarray, rng: torch.Generator) -> tuple[dict[str, Tensor], float]:
    """Learn filters and axes from uint8 (N, H, W): the encoder's tensors, and `kept`."""
    chosen = torch.randperm(len(images), generator=rng)[:MOST_IMAGES].numpy()
    x = _floats(images[chosen])
    filters, bias = _filters(x, rng)

    # Two views of each face: what they share varies between faces, what differs within them.
    one = _respond(_views(x, rng), filters, bias)
    other = _respond(_views(x, rng), filters, bias)
    both = torch.cat([one, other])
    centre = both.mean(0)
    total = _covariance(both - centre)
    within = _covariance(one - other) / 2

    axes, kept = _shared_axes(total.double().numpy(), within.double().numpy())
    tensors = {"filters": filters, "bias": bias, "centre": centre, "axes": torch.from_numpy(axes)}
    return tensors, float(kept.mean())


def _shared_axes(total: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the directions with the largest share of variance between faces.

    Returns:
        The directions, each scaled by the root of its share, float32 (D, 128); the shares,
        float64 (128,), 0 to 1.
    """
    from scipy.linalg import eigh

    size = len(total)
    ridge = RIDGE * np.trace(total) / size * np.eye(size)
    last = [size - DIMENSIONS, size - 1]
    shares, axes = eigh(total - within, total + ridge, subset_by_index=last)

    # eigh sorts ascending.
    shares = np.clip(shares[::-1], 0, 1)
    return np.ascontiguousarray(axes[:, ::-1] * np.sqrt(shares), np.float32), shares


def _filters(x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Learn filters for `_respond`: centres of whitened patches, with the whitening folded in.

    Args:
        x: float32 (N, 1, 48, 48).
        rng: of patches and first centres.

    Returns:
        filters (200, 1, 8, 8) and bias (200,).
    """
    patches = _patches(x, rng)
    mean = patches.mean(0)
    variances, basis = torch.linalg.eigh(_covariance(patches - mean))
    whiten = (basis / (variances + ROUGH).sqrt()) @ basis.T
    centres = _centres((patches - mean) @ whiten, rng)

    # A filter of mean 0 does not see a patch's mean, which then need not be subtracted.
    filters = whiten @ centres.T  # (64, 200)
    bias = mean @ filters
    filters = filters - filters.mean(0)
    return filters.T.reshape(FILTERS, 1, PATCH, PATCH).contiguous(), bias


def _patches(x: Tensor, rng: torch.Generator) -> Tensor:
    """Cut patches at random places, each of mean 0 and about unit variance: (n, 64)."""
    n = len(x)
    each = -(-MOST_PATCHES // n)
    corner = torch.randint(PX - PATCH + 1, (2, n, each, 1, 1), generator=rng)
    offset = torch.arange(PATCH)
    image = torch.arange(n)[:, None, None, None]
    patches = x[image, 0, corner[0] + offset[:, None], corner[1] + offset].reshape(-1, PATCH**2)

    # Normalise each patch.
    patches = patches - patches.mean(1, keepdim=True)
    return patches / (patches.var(1, keepdim=True, correction=0) + FLAT).sqrt()


def _centres(points: Tensor, rng: torch.Generator) -> Tensor:
    """Cluster points (n, D) by direction, k-means on the sphere: unit vectors (200, D)."""
    first = torch.randperm(len(points), generator=rng)[:FILTERS]
    centres = F.normalize(points[first])
    for _ in range(ROUNDS):
        nearest = (points @ centres.T).argmax(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)

        # A centre that no point is nearest to stays.
        centres = torch.where(sums.norm(dim=1, keepdim=True) > 0, F.normalize(sums), centres)
    return centres


def _respond(x: Tensor, filters: Tensor, bias: Tensor) -> Tensor:
    """Filter faces and pool what exceeds a threshold over a grid of 3 x 3 cells.

    Args:
        x: float32 (N, 1, 48, 48).
        filters: (200, 1, 8, 8).
        bias: (200,).

    Returns:
        float32 (N, 1800).
    """
    parts = []
    for batch in x.split(RESPONSE_BATCH):
        # Divide each patch by its standard deviation, as in training.
        mean = F.avg_pool2d(batch, PATCH, STRIDE)
        power = F.avg_pool2d(batch**2, PATCH, STRIDE)
        deviation = ((power - mean**2).clamp(min=0) + FLAT).sqrt()
        responses = F.conv2d(batch, filters, stride=STRIDE) / deviation - bias[:, None, None]

        pooled = F.adaptive_avg_pool2d(F.relu(responses - THRESHOLD), CELLS)
        parts.append(pooled.flatten(1))
    return torch.cat(parts)


def _views(x: Tensor, rng: torch.Generator) -> Tensor:
    """Alter each image (N, 1, 48, 48): crop, mirror, contrast, brightness, grain."""
    n = len(x)
    zoom = torch.empty(n).uniform_(*ZOOM, generator=rng)
    shift = torch.empty(n, 2).uniform_(-1, 1, generator=rng) * (1 - zoom[:, None])
    mirror = torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)

    # Crop and mirror in one sampling.
    place = torch.zeros(n, 2, 3)
    place[:, 0, 0] = zoom * mirror
    place[:, 1, 1] = zoom
    place[:, :, 2] = shift
    grid = F.affine_grid(place, x.shape, align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)

    # Light and grain.
    contrast = torch.empty(n, 1, 1, 1).uniform_(*CONTRAST, generator=rng)
    brightness = torch.empty(n, 1, 1, 1).uniform_(*BRIGHTNESS, generator=rng)
    grain = GRAIN_SD * torch.randn(x.shape, generator=rng)
    return (x - 0.5) * contrast + 0.5 + brightness + grain


def _covariance(rows: Tensor) -> Tensor:
    """Estimate the covariance of centred rows (n, D): (D, D)."""
    return rows.T @ rows / (len(rows) - 1)


def _floats(images: np.ndarray) -> Tensor:
    """Turn uint8 (N, H, W) of any size into float32 (N, 1, 48, 48) in [0, 1]."""
    if images.shape[1:] != (PX, PX):
        how = cv2.INTER_AREA if images.shape[1] > PX else cv2.INTER_LINEAR
        images = np.stack([cv2.resize(image, (PX, PX), interpolation=how) for image in images])
    return torch.from_numpy(images).unsqueeze(1).float() / 255
