"""What a study may change about a training beside its recipe: weights of classes, sampling, early stopping, algorithms of a GPU."""

from dataclasses import dataclass, fields

import numpy as np

from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError

EFFECTIVE_BETA = 0.9999  # Cui et al. 2019: the samples of a class cover a volume of 1 / (1 - beta) of them


@dataclass(frozen=True)
class Options:
    """Choices of a study; the defaults change nothing."""

    class_weights: str = "none"  # none, inverse or effective
    sampling: str = "shuffled"  # shuffled, or balanced: every class as often
    early_stopping_patience: int = 0  # looks at the watched set without a better one after which a run stops, 0: never
    deterministic: bool = True  # on a GPU none but algorithms that give the same bytes for the same seed


def options_of(params: dict) -> Options:
    """Take the options from a study's flat parameters."""
    return Options(**{field.name: params[field.name] for field in fields(Options)})


def class_weights(labels: np.ndarray, kind: str) -> np.ndarray:
    """Weigh the classes in the loss.

    Args:
        labels: int64 (N,) of the training images.
        kind: none: all 1; inverse: 1 / count; effective: 1 / effective number of samples.

    Returns:
        float64 (7,), of mean 1 over the images, 0 where a class has none.

    Raises:
        StudyError: an unknown kind.

    Source: effective number: Cui et al. 2019, arXiv 1901.05555, equation 2, with beta 0.9999.
    """
    counts = np.bincount(labels, minlength=len(CLASSES))
    effective = (1 - EFFECTIVE_BETA**counts) / (1 - EFFECTIVE_BETA)
    amounts = {"none": np.ones(len(CLASSES)), "inverse": counts.astype(float), "effective": effective}
    if kind not in amounts:
        raise StudyError(f"class_weights: there is no {kind!r}; there are {', '.join(amounts)}")
    weights = np.divide(1.0, amounts[kind], out=np.zeros(len(CLASSES)), where=counts > 0)
    return weights / weights[labels].mean()


def image_weights(faces: FaceSet, options: Options) -> np.ndarray | None:
    """Weigh each training image in the loss: its own weight times its class's, of mean 1.

    Returns:
        float32 (N,); None where all are equal.

    Raises:
        StudyError: a weight that is negative or no number.
    """
    own = faces.table["weight"].to_numpy(float) if "weight" in faces.table else np.ones(len(faces))
    if not (np.isfinite(own).all() and (own >= 0).all()):
        raise StudyError("weights of training images must be numbers of 0 or more")
    weights = own * class_weights(faces.labels, options.class_weights)[faces.labels]
    return None if np.ptp(weights) <= 1e-12 * weights.max() else (weights / weights.mean()).astype(np.float32)


def present(faces: FaceSet) -> FaceSet:
    """Leave out images of weight 0: they take no part, not even in batch statistics."""
    return faces.select(faces.table["weight"].to_numpy(float) != 0) if "weight" in faces.table else faces
