"""The real faces of a study: drawn, or read from where its parameters say."""

from lib.faces.audit import limited
from lib.faces.drawn import drawn_study
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError


def study_faces(params: dict) -> FaceSet:
    """Load the real faces as a study's parameters ask for, resized, limited, with copies marked.

    Args:
        params: data, ferplus, image_px, train_limit, test_limit, val_share, drawn_*, near_copy_distance, seed.

    Raises:
        StudyError: no data named, a path that does not read, a split that is missing.
    """
    if not params["data"]:
        raise StudyError("data: this study needs real faces; give them with --data PATH (folder, zip, csv or parquet)")
    if params["data"] == "drawn":
        sizes = [params[f"drawn_{split}"] for split in ("train", "val", "test")]
        extra, px = params["drawn_extra"], params["image_px"]
        faces = drawn_study(*sizes, params["drawn_label_noise"], params["seed"], n_extra=extra, px=px)
    else:
        faces = _real_faces(params)
    faces = limited(faces, params["train_limit"], params["test_limit"], params["seed"])
    missing = [split for split in ("train", "test") if split not in set(faces.table["split"])]
    if missing:
        raise StudyError(f"{params['data']}: holds no {missing[0]} images; a study needs both, train to learn and test to report on")
    return mark_copies(faces, params["near_copy_distance"])


def _real_faces(params: dict) -> FaceSet:
    """Read photographs, with annotators' votes where there are some."""
    from lib.faces.sources import carve_validation, read_faces
    from lib.faces.tables import read_ferplus

    faces = read_faces(params["data"], px=params["image_px"])
    faces = read_ferplus(faces, params["ferplus"], beside=params["data"])
    if params["val_share"] and "val" not in set(faces.table["split"]):
        faces = carve_validation(faces, params["val_share"], params["seed"], near_copy_distance=params["near_copy_distance"])
    return faces
