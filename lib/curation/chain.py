"""The chain of curation steps: each judges what the steps before it kept, in the order that the parameters give."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from lib.curation.copies import reject_exact_copies, reject_leaks, reject_near_copies
from lib.curation.detection import FaceSettings, crop_faces, detect_faces, reject_faceless
from lib.curation.quality import reject_badly_exposed, reject_blank, reject_blurred
from lib.faces.faceset import FaceSet
from lib.faces.pool import REVIEW, VERDICT_COLUMNS, apply_decisions, decide
from lib.study.errors import StudyError


@dataclass(frozen=True)
class Evidence:
    """What steps may look at besides the pool; a step says so when what it needs is missing."""

    train: FaceSet | None = None  # real training images
    held_out: FaceSet | None = None  # real validation and test images: compared against, never learnt from
    features: Callable[[np.ndarray], np.ndarray] | None = None  # uint8 (N, H, W) -> float32 (N, D)
    probabilities: np.ndarray | None = None  # float32 (N, 7), the judge's, one row per image of the pool


@dataclass(frozen=True)
class Curation:
    """What the chain says of a pool."""

    verdicts: pd.DataFrame  # id, step, keep, score, reason, relabel; a row for each image that reached the step
    faces: FaceSet  # what stays, cropped and relabelled
    seconds: dict[str, float]  # per step


def face_settings(params: dict) -> FaceSettings:
    """Read the detector's settings from the face_ parameters."""
    names = FaceSettings.__dataclass_fields__
    return FaceSettings(**{name: params[f"face_{name}"] for name in names if f"face_{name}" in params})


def _face(faces: FaceSet, params: dict, evidence: Evidence) -> tuple[pd.DataFrame, FaceSet]:
    boxes = detect_faces(faces.images, face_settings(params))
    cropped = faces
    if params["face_crop"]:
        images = crop_faces(faces.images, boxes, px=params["face_crop_px"], margin_share=params["face_margin_share"])
        cropped = FaceSet(images, faces.table)
    return reject_faceless(faces, boxes), cropped


STEPS = {
    "blank": lambda faces, params, _: reject_blank(faces, std=params["blank_std"]),
    "blur": lambda faces, params, _: reject_blurred(faces, variance=params["blur_variance"], image_px=params["image_px"]),
    "exposure": lambda faces, params, _: reject_badly_exposed(faces, clipped_share=params["exposure_clipped_share"]),
    "exact_copy": lambda faces, params, _: reject_exact_copies(faces),
    "near_copy": lambda faces, params, _: reject_near_copies(faces, distance=params["near_copy_distance"]),
    "leak": lambda faces, params, evidence: reject_leaks(
        faces, _needed(evidence.held_out, "leak", "held-out images"), distance=params["near_copy_distance"]
    ),
    "face": _face,  # the one step that may also change the images
}


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


def curate(pool: FaceSet, steps: list[str], params: dict, evidence: Evidence = Evidence(), review: pd.DataFrame | None = None) -> Curation:
    """Run the chain over a pool.

    Args:
        pool: the synthetic images, in order of generation.
        steps: names of steps, in the order in which they judge.
        params: values of the curation parameters, as base.yaml names them.
        evidence: what steps may look at besides the pool.
        review: a person's decisions (id, keep, reason, relabel), which win over every step.

    Returns:
        Verdicts, the kept images and the seconds of each step.
    """
    check_steps(steps)
    tables, seconds, left, images, position = [_no_verdicts()], {}, pool, list(pool.images), np.arange(len(pool))
    for name in steps:
        began = time.perf_counter()
        result = STEPS[name](left, params, evidence)
        verdicts, judged = result if isinstance(result, tuple) else (result, left)
        if judged is not left:
            for i, image in zip(position, judged.images, strict=True):
                images[i] = image
        keep = verdicts["keep"].to_numpy()
        left, position = judged.select(keep), position[keep]
        tables.append(verdicts.assign(step=name))
        seconds[name] = time.perf_counter() - began
    if review is not None:
        tables.append(review.assign(step=REVIEW))
    verdicts = pd.concat(tables, ignore_index=True)[list(VERDICT_COLUMNS)].astype({"keep": bool, "score": float})
    return Curation(verdicts, _kept(pool, images, left.images.shape[1:], verdicts), seconds)


def _no_verdicts() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype={"keep": bool, "score": float}.get(name, object)) for name in VERDICT_COLUMNS})


def _kept(pool: FaceSet, images: list[np.ndarray], shape: tuple[int, int], verdicts: pd.DataFrame) -> FaceSet:
    """Collect the images that stay, at the size which the chain left; what a person kept without a crop is resized whole."""
    decided = decide(verdicts, pool.table["id"].tolist())
    rows = np.flatnonzero(decided["keep"])
    stack = np.zeros((len(rows), *shape), np.uint8)
    for out, i in zip(stack, rows, strict=True):
        out[:] = images[i] if images[i].shape == shape else cv2.resize(images[i], shape[::-1], interpolation=cv2.INTER_AREA)
    table = pool.table.iloc[rows].assign(keep=True, curated_class=decided["curated_class"].to_numpy()[rows])
    faces = apply_decisions(FaceSet(stack, table.reset_index(drop=True)))
    return FaceSet(faces.images, faces.table.drop(columns=["keep", "curated_class"]))
