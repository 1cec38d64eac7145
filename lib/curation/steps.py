"""The steps by name: what each needs from the parameters and from the evidence."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.curation.balance import reject_surplus
from lib.curation.consistency import reject_inconsistent
from lib.curation.copies import reject_exact_copies, reject_leaks, reject_near_copies
from lib.curation.detection import FaceSettings, crop_faces, detect_faces, reject_faceless
from lib.curation.diversity import reject_redundant
from lib.curation.memorisation import reject_memorised
from lib.curation.quality import reject_badly_exposed, reject_blank, reject_blurred
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError


@dataclass(frozen=True)
class Evidence:
    """What steps may look at besides the pool; a step says so when what it needs is missing."""

    train: FaceSet | None = None  # real training images
    held_out: FaceSet | None = None  # real validation and test images: compared against, never learnt from
    features: Callable[[np.ndarray], np.ndarray] | None = None  # uint8 (N, H, W) -> float32 (N, D)
    probabilities: pd.DataFrame | None = None  # the judge's, one row per image of the pool, index id, one column per class


def face_settings(params: dict) -> FaceSettings:
    """Read the detector's settings from the face_ parameters."""
    return FaceSettings(**{name: params[f"face_{name}"] for name in FaceSettings.__dataclass_fields__ if f"face_{name}" in params})


def _blank(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    return reject_blank(faces, std=params["blank_std"])


def _blur(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    return reject_blurred(faces, variance=params["blur_variance"], image_px=params["image_px"])


def _exposure(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    return reject_badly_exposed(faces, clipped_share=params["exposure_clipped_share"])


def _exact_copy(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    return reject_exact_copies(faces)


def _near_copy(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    return reject_near_copies(faces, like=params["near_copy_likeness"])


def _leak(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    held_out = _needed(evidence.held_out, "leak", "the real validation and test images")
    return reject_leaks(faces, held_out, like=params["near_copy_likeness"])


def _memorised(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    train = _needed(evidence.train, "memorised", "the real training images")
    features = _needed(evidence.features, "memorised", "a feature extractor")
    return reject_memorised(faces, train, features, quantile=params["memorised_quantile"], seed=params["seed"])


def _label(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    said = _needed(evidence.probabilities, "label", "the judge's probabilities")
    own = said.loc[faces.table["id"], list(CLASSES)].to_numpy()
    return reject_inconsistent(
        faces, own, action=params["label_action"], confidence=params["label_confidence"], doubt=params["label_doubt"]
    )


def _balance(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    if params["balance_to"] == "equal":
        return reject_surplus(faces, pd.Series(1.0, index=CLASSES))
    return reject_surplus(faces, _needed(evidence.train, "balance", "the real training images").counts())


def _diverse(faces: FaceSet, params: dict, evidence: Evidence) -> pd.DataFrame:
    train = _needed(evidence.train, "diverse", "the real training images")
    features = _needed(evidence.features, "diverse", "a feature extractor")
    n = params["diverse_images"] or len(faces)
    return reject_redundant(faces, features(faces.images), train, features(train.images), n=n)


def _face(faces: FaceSet, params: dict, evidence: Evidence) -> tuple[pd.DataFrame, FaceSet]:
    """The one step that may also change the images."""
    boxes = detect_faces(faces.images, face_settings(params))
    verdicts = reject_faceless(faces, boxes, least_share=params["face_least_share"])
    if not params["face_crop"]:
        return verdicts, faces
    images = crop_faces(faces.images, boxes, px=params["face_crop_px"], margin_share=params["face_margin_share"])
    return verdicts, FaceSet(images, faces.table)


STEPS = {"blank": _blank, "blur": _blur, "exposure": _exposure, "exact_copy": _exact_copy, "near_copy": _near_copy, "leak": _leak,
         "face": _face, "memorised": _memorised, "label": _label, "balance": _balance, "diverse": _diverse}  # fmt: skip


def _needed(value, step: str, what: str):
    """Return what a step cannot do without, or explain."""
    if value is None:
        raise StudyError(f"curation_steps: the step {step!r} needs {what}, which this call does not give; take it out of the list")
    return value


def check_steps(steps: list[str]) -> None:
    """Check the names of the steps before any of them runs.

    Raises:
        StudyError: an unknown step, or one named twice.
    """
    for i, name in enumerate(steps):
        if name not in STEPS:
            raise StudyError(f"curation_steps: {name!r} is no step; steps are {', '.join(STEPS)}")
        if name in steps[:i]:
            raise StudyError(f"curation_steps: {name!r} is named twice")
