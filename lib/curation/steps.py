"""The steps by name: what each takes from the parameters and from the inputs."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from lib.curation.balance import reject_surplus
from lib.curation.consistency import probability_table, reject_inconsistent
from lib.curation.copies import reject_exact_copies, reject_leaks, reject_near_copies
from lib.curation.detection import FaceSettings, crop_faces, detect_faces, reject_faceless
from lib.curation.diversity import reject_redundant
from lib.curation.memorisation import reject_memorised
from lib.curation.quality import reject_badly_exposed, reject_blank, reject_blurred
from lib.curation.verdicts import does_not_apply
from lib.faces.faceset import FaceSet
from lib.faces.kinds import is_faces
from lib.study.errors import StudyError

HELD_OUT = ("val", "test")  # splits that nothing may learn from


@dataclass(frozen=True)
class StepInputs:
    """What steps may use besides the pool; `inputs_of` gives all of it."""

    train: FaceSet | None = None  # real training images
    held_out: FaceSet | None = None  # real validation and test images: compared, never learnt
    features: Callable[[np.ndarray], np.ndarray] | None = None  # uint8 (N, H, W) -> float32 (N, D)
    # The label classifier's, one row an image of the pool (index id), one column a class.
    probabilities: pd.DataFrame | None = None
    are_faces: bool = True  # False: other pictures (digits); steps about faces keep them all


def inputs_of(
    real: FaceSet,
    pool: FaceSet,
    *,
    features: Callable[[np.ndarray], np.ndarray],
    probabilities: np.ndarray,
) -> StepInputs:
    """Collect what steps may use about a pool.

    Args:
        real: all real images of the study. Steps may learn from the training split; validation
            and test images are only compared with, so that no copy of one gets into an arm.
        pool: N synthetic images.
        features: uint8 (n, H, W) -> float32 (n, D), the reference classifier's.
        probabilities: float (N, K), the label classifier's, of the pool.
    """
    held_out = real.table["split"].isin(HELD_OUT).to_numpy()
    return StepInputs(
        train=real.split("train"),
        held_out=real.select(held_out),
        features=features,
        probabilities=probability_table(pool, probabilities),
        are_faces=is_faces(real),
    )


def check_steps(steps: list[str]) -> None:
    """Check the names of the steps before any of them runs.

    Raises:
        StudyError: an unknown step, or one named twice.
    """
    # An unknown step is reported before any other runs, however late it stands.
    for i, name in enumerate(steps):
        if name not in STEPS:
            raise StudyError(f"curation_steps: {name!r} is no step; steps are {', '.join(STEPS)}")
        if name in steps[:i]:
            raise StudyError(f"curation_steps: {name!r} is named twice")


def run_step(
    name: str, faces: FaceSet, params: dict, inputs: StepInputs
) -> tuple[pd.DataFrame, FaceSet]:
    """Run one step.

    Args:
        name: a key of STEPS.
        faces: the images to examine.
        params: values of the curation parameters, as base.yaml names them.
        inputs: what the step may use besides.

    Returns:
        The step's verdicts, and the images as it leaves them: the same, or cropped.
    """
    # A search for a face in a digit would reject them all.
    if name in FACE_STEPS and not inputs.are_faces:
        return does_not_apply(faces), faces

    # Steps that leave the images as they are return verdicts alone.
    result = STEPS[name](faces, params, inputs)
    return result if isinstance(result, tuple) else (result, faces)


def face_settings(params: dict) -> FaceSettings:
    """Read the detector's settings from the parameters that begin with face_."""
    # face_min_px sets min_px, and so on; what is absent keeps S1's value.
    names = [field.name for field in fields(FaceSettings)]
    given = {name: params[f"face_{name}"] for name in names if f"face_{name}" in params}
    return FaceSettings(**given)


# Each step takes the images, the parameters and the inputs, and returns its verdicts; one that
# also changes the images returns them as well.


def _blank(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    return reject_blank(faces, std=params["blank_std"])


def _blur(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    return reject_blurred(faces, variance=params["blur_variance"], image_px=params["image_px"])


def _exposure(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    return reject_badly_exposed(faces, clipped_share=params["exposure_clipped_share"])


def _exact_copy(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    return reject_exact_copies(faces)


def _near_copy(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    return reject_near_copies(faces, like=params["near_copy_likeness"])


def _leak(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    return reject_leaks(faces, inputs.held_out, like=params["near_copy_likeness"])


def _face(faces: FaceSet, params: dict, inputs: StepInputs) -> tuple[pd.DataFrame, FaceSet]:
    """Reject images without a face; the one step that may also change the images, by cropping."""
    # Find the faces, decide, then crop what was found.
    boxes = detect_faces(faces.images, face_settings(params))
    verdicts = reject_faceless(faces, boxes, least_share=params["face_least_share"])
    if not params["face_crop"]:
        return verdicts, faces
    margin = params["face_margin_share"]
    images = crop_faces(faces.images, boxes, px=params["face_crop_px"], margin_share=margin)
    return verdicts, replace(faces, images=images)


def _memorised(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    limits = {"quantile": params["memorised_quantile"], "seed": params["seed"]}
    return reject_memorised(faces, inputs.train, inputs.features, **limits)


def _label(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    # The rows of the images that are left, the columns in the order of the classes.
    table = inputs.probabilities
    probabilities = table.loc[faces.table["id"], list(faces.classes)].to_numpy()
    return reject_inconsistent(
        faces,
        probabilities,
        action=params["label_action"],
        confidence=params["label_confidence"],
        doubt=params["label_doubt"],
    )


def _balance(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    if params["balance_to"] == "equal":
        return reject_surplus(faces, pd.Series(1.0, index=faces.classes))
    return reject_surplus(faces, inputs.train.counts())


def _diverse(faces: FaceSet, params: dict, inputs: StepInputs) -> pd.DataFrame:
    train, features = inputs.train, inputs.features
    # 0 asks for all images.
    n = params["diverse_images"] or len(faces)
    return reject_redundant(faces, features(faces.images), train, features(train.images), n=n)


# In the order in which base.yaml lists them.
STEPS = {
    "blank": _blank,
    "blur": _blur,
    "exposure": _exposure,
    "exact_copy": _exact_copy,
    "near_copy": _near_copy,
    "leak": _leak,
    "face": _face,
    "memorised": _memorised,
    "label": _label,
    "balance": _balance,
    "diverse": _diverse,
}
FACE_STEPS = ("face",)  # make sense for images of faces alone
