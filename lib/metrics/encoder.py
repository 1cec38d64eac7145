"""A general feature space without downloaded weights: an encoder that the study trains itself on real training faces, without labels.

Filters are learned from patches; a linear layer keeps what two altered views of one face share (person, pose, expression) against what
differs between them (crop, mirror, light, grain). Both are solved in closed form or nearly: seconds on one core are enough, where a deep
self-supervised network needs hours to become better than pixels. It sees what a classifier of expressions learns to ignore.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lib.faces.faceset import FaceSet
from lib.generators.checkpoints import load_tensors, save_tensors
from lib.study.errors import StudyError
from lib.study.fingerprints import code_digest
from lib.study.records import content_hash

PX, PATCH, STRIDE, FILTERS, CELLS, DIMENSIONS = 48, 8, 2, 200, 3, 128
IMAGES, PATCHES, ROUNDS = 4000, 60_000, 12  # most images and patches learned from; rounds of k-means
FLAT, ROUGH = 0.002, 0.1  # variances added before patches are divided by their own
THRESHOLD, RIDGE = 1.0, 0.1  # of a filter's response; share of the mean variance added before axes are found
FILE = "encoder.safetensors"


@dataclass(frozen=True)
class Encoder:
    """A trained encoder.

    Attributes:
        tensors: filters float32 (200, 1, 8, 8), bias (200,), centre (1800,), axes (1800, 128).
        facts: images, kept (share of a feature's variance that two views of one face share, mean over features), digest.
    """

    tensors: dict
    facts: dict

    def features(self, images: np.ndarray) -> np.ndarray:
        """Give features, float32 (N, 128), of uint8 (N, H, W) images of any size."""
        parts = [np.zeros((0, DIMENSIONS), np.float32)]
        for first in range(0, len(images), 256):
            found = _respond(_floats(images[first : first + 256]), self.tensors["filters"], self.tensors["bias"])
            parts.append(((found - self.tensors["centre"]) @ self.tensors["axes"]).numpy())
        return np.concatenate(parts)


def fit_encoder(faces: FaceSet, folder: Path, *, seed: int = 0) -> Encoder:
    """Train the encoder on real training faces, or load it when these faces have been trained on before.

    Args:
        faces: real faces; only the split train is looked at, at most 4,000 images of it, and no label.
        folder: where it is kept.
        seed: of images, patches and views.
    Source: filters, Coates, Ng and Lee 2011, sec. 3 (whitened patches, k-means, soft threshold); linear layer, VICReg's closed solution,
        Balestriero and LeCun 2022, arXiv 2205.11508, sec. 3.
    """
    real = faces.split("train")
    if len(real) < 2 * DIMENSIONS:
        found = f"at least {2 * DIMENSIONS} real training images, found {len(real)}"
        raise StudyError(f"the encoder needs {found}: raise train_limit or drawn_train")
    digest = content_hash([real.digest(), seed, code_digest(__name__, without=("lib.study", "lib.faces", "lib.generators"))])
    path = Path(folder) / FILE
    if path.exists() and load_tensors(path)[1].get("digest") == digest:
        return load_encoder(folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # bytes repeat on any machine
    try:
        tensors, kept = _learn(real.images, torch.Generator().manual_seed(seed))
    finally:
        torch.set_num_threads(threads)
    encoder = Encoder(tensors, {"images": min(len(real), IMAGES), "kept": kept, "digest": digest})
    save_tensors(path, tensors, encoder.facts)
    return encoder


def load_encoder(folder: Path) -> Encoder:
    """Read the encoder that notebook 10 trained.

    Raises:
        StudyError: none there, or none that reads.
    """
    path = Path(folder) / FILE
    if not path.exists():
        raise StudyError(f"{folder}: no encoder here; run notebook 10 first")
    wide = FILTERS * CELLS**2
    shapes = {"filters": (FILTERS, 1, PATCH, PATCH), "bias": (FILTERS,), "centre": (wide,), "axes": (wide, DIMENSIONS)}
    return Encoder(*load_tensors(path, {name: torch.empty(shape) for name, shape in shapes.items()}))


def _learn(images: np.ndarray, rng: torch.Generator) -> tuple[dict, float]:
    x = _floats(images[torch.randperm(len(images), generator=rng)[:IMAGES].numpy()])
    filters, bias = _filters(x, rng)
    one, other = (_respond(_views(x, rng), filters, bias) for _ in range(2))
    both = torch.cat([one, other])
    centre = both.mean(0)
    total, within = _spread(both - centre), _spread(one - other) / 2
    axes, kept = _shared_axes(total.double().numpy(), within.double().numpy())
    return {"filters": filters, "bias": bias, "centre": centre, "axes": torch.from_numpy(axes)}, float(kept.mean())


def _shared_axes(total: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the directions with the largest share of variance between faces, each scaled by that share: float32 (D, 128), float64 (128,)."""
    from scipy.linalg import eigh

    steadied = total + RIDGE * np.trace(total) / len(total) * np.eye(len(total))
    share, axes = eigh(total - within, steadied, subset_by_index=[len(total) - DIMENSIONS, len(total) - 1])
    share = np.clip(share[::-1], 0, 1)
    return np.ascontiguousarray(axes[:, ::-1] * np.sqrt(share), np.float32), share


def _filters(x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Learn filters for `_respond`: centres of whitened patches, with the whitening folded in."""
    patches = _patches(x, rng)
    mean = patches.mean(0)
    variances, basis = torch.linalg.eigh(_spread(patches - mean))
    whiten = (basis / (variances + ROUGH).sqrt()) @ basis.T
    centres = _centres((patches - mean) @ whiten, rng)
    filters = whiten @ centres.T  # (64, 200)
    bias = mean @ filters
    filters = filters - filters.mean(0)  # a filter of mean 0 does not see the patch's mean, which need not be subtracted then
    return filters.T.reshape(FILTERS, 1, PATCH, PATCH).contiguous(), bias


def _patches(x: Tensor, rng: torch.Generator) -> Tensor:
    """Cut patches at random places, each of mean 0 and about unit variance: (n, 64)."""
    each = -(-PATCHES // len(x))
    corner = torch.randint(PX - PATCH + 1, (2, len(x), each, 1, 1), generator=rng)
    step = torch.arange(PATCH)
    patches = x[torch.arange(len(x))[:, None, None, None], 0, corner[0] + step[:, None], corner[1] + step].reshape(-1, PATCH**2)
    patches = patches - patches.mean(1, keepdim=True)
    return patches / (patches.var(1, keepdim=True, correction=0) + FLAT).sqrt()


def _centres(points: Tensor, rng: torch.Generator) -> Tensor:
    """Cluster by direction: unit vectors (200, D)."""
    centres = F.normalize(points[torch.randperm(len(points), generator=rng)[:FILTERS]])
    for _ in range(ROUNDS):
        nearest = (points @ centres.T).argmax(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        centres = torch.where(sums.norm(dim=1, keepdim=True) > 0, F.normalize(sums), centres)
    return centres


def _respond(x: Tensor, filters: Tensor, bias: Tensor) -> Tensor:
    """Filter faces and pool what exceeds a threshold over a grid of 3 x 3 cells: (N, 1, 48, 48) to (N, 1800)."""
    parts = []
    for own in x.split(64):
        mean, power = (F.avg_pool2d(z, PATCH, STRIDE) for z in (own, own**2))
        spread = ((power - mean**2).clamp(min=0) + FLAT).sqrt()
        found = F.conv2d(own, filters, stride=STRIDE) / spread - bias[:, None, None]
        parts.append(F.adaptive_avg_pool2d(F.relu(found - THRESHOLD), CELLS).flatten(1))
    return torch.cat(parts)


def _views(x: Tensor, rng: torch.Generator) -> Tensor:
    """Alter each image: crop, mirror, contrast, brightness, grain."""
    n = len(x)
    zoom = torch.empty(n).uniform_(0.75, 1.0, generator=rng)
    shift = torch.empty(n, 2).uniform_(-1, 1, generator=rng) * (1 - zoom[:, None])
    place = torch.zeros(n, 2, 3)
    place[:, 0, 0] = zoom * torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)
    place[:, 1, 1], place[:, :, 2] = zoom, shift
    x = F.grid_sample(x, F.affine_grid(place, x.shape, align_corners=False), padding_mode="border", align_corners=False)
    contrast = torch.empty(n, 1, 1, 1).uniform_(0.6, 1.4, generator=rng)
    brightness = torch.empty(n, 1, 1, 1).uniform_(-0.2, 0.2, generator=rng)
    return (x - 0.5) * contrast + 0.5 + brightness + 0.03 * torch.randn(x.shape, generator=rng)


def _spread(rows: Tensor) -> Tensor:
    return rows.T @ rows / (len(rows) - 1)


def _floats(images: np.ndarray) -> Tensor:
    """Turn uint8 (N, H, W) of any size into float32 (N, 1, 48, 48) in [0, 1]."""
    if images.shape[1:] != (PX, PX):
        how = cv2.INTER_AREA if images.shape[1] > PX else cv2.INTER_LINEAR
        images = np.stack([cv2.resize(image, (PX, PX), interpolation=how) for image in images])
    return torch.from_numpy(images).unsqueeze(1).float() / 255
