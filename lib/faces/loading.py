"""The real images of a study: drawn, bundled, or read from where its parameters say."""

import numpy as np

from lib.faces.classes import EMOTIONS
from lib.faces.digits import digits_study
from lib.faces.drawn import drawn_study
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import SPLITS, FaceSet
from lib.faces.fer2013 import read_ferplus
from lib.faces.sampling import stratified
from lib.faces.sources import carve_validation, read_faces, require_training_images
from lib.study.errors import StudyError

STREAM = 10  # of the study's seed, for what limits keep


def study_faces(params: dict) -> FaceSet:
    """Load the real images that a study's parameters ask for: resized, limited, copies marked.

    Args:
        params: data, classes, labels, ferplus, image_px, train_limit, test_limit, val_share,
            drawn_*, near_copy_distance, seed.

    Raises:
        StudyError: no data named, a path that does not read, a class or a split that is missing.
    """
    faces = _source_faces(params)

    # Fewer images, where a study is to be small.
    faces = limited(faces, params["train_limit"], params["test_limit"], params["seed"])

    # Without training or test images there is no study.
    for split in ("train", "test"):
        if not faces.table["split"].eq(split).any():
            raise StudyError(
                f"{params['data']}: holds no {split} images; a study needs both, train to learn "
                "and test to report on"
            )
    return mark_copies(faces, params["near_copy_distance"])


def limited(faces: FaceSet, train_limit: int, test_limit: int, seed: int) -> FaceSet:
    """Take a limited number of images of train, and of each of val and test, by class share.

    Args:
        train_limit, test_limit: the most to take; 0 keeps all.
        seed: of the study.
    """
    limits = {"train": train_limit, "val": test_limit, "test": test_limit}
    kept = []  # positions, split by split
    for split in SPLITS:
        rows = np.flatnonzero(faces.table["split"] == split)
        limit = limits.get(split, 0)
        if limit and len(rows) > limit:
            # One seed for every split and limit: a smaller choice is part of a larger one.
            rng = np.random.default_rng([seed, STREAM])
            rows = rows[stratified(faces.labels[rows], limit, rng)]
        kept.append(rows)
    return faces.select(np.concatenate(kept))


def _source_faces(params: dict) -> FaceSet:
    """Load all images of the study's source."""
    source = params["data"]
    if not source:
        raise StudyError(
            "data: this study needs real faces; give them with --data PATH (folder, zip, csv or "
            "parquet)"
        )

    # One branch a source.
    if source == "drawn":
        return _drawn_faces(params)
    if source == "digits":
        return digits_study(params["seed"], px=params["image_px"], classes=params["classes"])
    return _photographs(params)


def _drawn_faces(params: dict) -> FaceSet:
    """Draw the faces of the embedded study."""
    return drawn_study(
        params["drawn_train"],
        params["drawn_val"],
        params["drawn_test"],
        params["drawn_label_noise"],
        params["seed"],
        n_extra=params["drawn_extra"],
        px=params["image_px"],
        classes=params["classes"] or EMOTIONS,
    )


def _photographs(params: dict) -> FaceSet:
    """Read photographs, with annotators' votes where there are some, and a validation split."""
    path, classes, labels = params["data"], params["classes"], params["labels"]

    # Labels of FER+ replace the source's own, so that classes are chosen among those.
    source_classes = classes if labels == "own" else ()
    faces = read_faces(path, px=params["image_px"], classes=source_classes)
    faces = read_ferplus(faces, params["ferplus"], beside=path, labels=labels, classes=classes)
    require_training_images(faces, path)

    # A validation split, where the source has none.
    if params["val_share"] and not faces.table["split"].eq("val").any():
        distance = params["near_copy_distance"]
        faces = carve_validation(
            faces, params["val_share"], params["seed"], near_copy_distance=distance
        )
    return faces
