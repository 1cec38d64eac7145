"""A pool: a synthetic face set together with what curation said of each image. Nothing is deleted; rejected is a column with a reason.

Verdicts are one long table, a row for each image that a step looked at: id, step, keep, score, reason, relabel (new class or "").
"""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES, FaceSet, load_faces, save_faces
from lib.study.errors import StudyError
from lib.study.records import atomic_write

VERDICT_COLUMNS = ("id", "step", "keep", "score", "reason", "relabel")
REVIEW = "review"  # the step of a person, which wins over every other


def decide(verdicts: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    """Reduce the verdicts to one decision an image.

    A person's verdict wins; otherwise an image stays when every step that saw it kept it, and the first rejection gives the reason.

    Args:
        verdicts: long table with VERDICT_COLUMNS, in the order of the steps.
        ids: images of the pool, in its order.

    Returns:
        Table with one row per id: keep (bool), reason (str, empty for kept images), curated_class ("" where the label stays).
    """
    steps = verdicts[verdicts["step"] != REVIEW]
    rejected = steps[~steps["keep"].astype(bool)].drop_duplicates("id", keep="first").set_index("id")
    person = verdicts[verdicts["step"] == REVIEW].drop_duplicates("id", keep="last").set_index("id")
    relabelled = verdicts[verdicts["relabel"] != ""].drop_duplicates("id", keep="last").set_index("id")["relabel"]
    table = pd.DataFrame(index=pd.Index(ids, name="id"))
    table["keep"] = ~table.index.isin(rejected.index)
    table["reason"] = (rejected["step"] + ": " + rejected["reason"]).reindex(table.index)
    table.loc[person.index, "keep"] = person["keep"].astype(bool)
    table.loc[person.index, "reason"] = REVIEW + ": " + person["reason"]
    table["reason"] = table["reason"].where(~table["keep"], "").fillna("").astype(str)
    table["curated_class"] = relabelled.reindex(table.index).fillna("").astype(str)
    return table.reset_index()


def save_verdicts(folder: Path, verdicts: pd.DataFrame, curated: FaceSet | None = None) -> Path:
    """Save what curation said of a pool, and the curated images as an image folder.

    Args:
        folder: the pool's folder, which holds its faces.
        verdicts: long table with VERDICT_COLUMNS.
        curated: the images that stay, cropped and relabelled; None when only verdicts are saved.

    Returns:
        The path of the verdicts.
    """
    missing = [name for name in VERDICT_COLUMNS if name not in verdicts.columns]
    if missing:
        raise StudyError(f"verdicts for {folder}: column {missing[0]!r} is missing; a verdict has {', '.join(VERDICT_COLUMNS)}")
    if curated is not None:
        images, fresh = curated_images(folder), curation_folder(folder) / ".images.tmp"
        shutil.rmtree(fresh, ignore_errors=True)
        save_faces(curated, fresh, pictures=True)
        shutil.rmtree(images, ignore_errors=True)  # pictures that an earlier curation kept must not linger
        fresh.replace(images)
    path = curation_folder(folder) / "verdicts.parquet"
    with atomic_write(path) as file:  # last, so that verdicts never announce images that are not there
        verdicts[list(VERDICT_COLUMNS)].to_parquet(file, index=False)
    return path


def save_alone(folder: Path, verdicts: pd.DataFrame) -> Path:
    """Save what single steps say of the whole pool, each without the others: arms filtered by one step alone are made from it."""
    path = curation_folder(folder) / "alone.parquet"
    with atomic_write(path) as file:
        verdicts[list(VERDICT_COLUMNS)].to_parquet(file, index=False)
    return path


def judged_alone(folder: Path) -> set[str]:
    """List the steps that judged the whole pool without the others."""
    return set(load_verdicts(folder, "alone")["step"])


def load_verdicts(folder: Path, name: str = "verdicts") -> pd.DataFrame:
    """Load the verdicts of a pool, or what steps say `alone`; an empty table when it was never curated."""
    path = curation_folder(folder) / f"{name}.parquet"
    if not path.exists():
        return pd.DataFrame({name: pd.Series(dtype=bool if name == "keep" else object) for name in VERDICT_COLUMNS})
    return pd.read_parquet(path)


def curation_folder(folder: Path) -> Path:
    """Locate what curation writes about a pool: beside the pool's folder, which belongs to the notebook that made it."""
    return Path(folder).parent / "curation" / Path(folder).name


def curated_images(folder: Path) -> Path:
    """Locate the image folder of the images that curation kept."""
    return curation_folder(folder) / "images"


def load_pool(folder: Path, *, curated: bool = False, steps: tuple[str, ...] = ()) -> FaceSet:
    """Load a pool, with curation's decisions as columns.

    Args:
        folder: the pool's folder.
        curated: False: every image as generated, with columns keep, reason and curated_class (all kept when never curated).
            True: only the images that curation kept, cropped and relabelled as it decided, in order of generation.
        steps: instead of the whole chain, only the images that each of these steps keeps when it judges the whole pool alone: uncropped,
            relabelled where the step says so, in order of generation; a person's decisions do not count. See `filter_arms`.

    Returns:
        The pool as a face set.

    Raises:
        StudyError: no pool there, verdicts about images that the pool does not hold, or a step that did not judge it alone.
    """
    folder = Path(folder)
    if not (folder / "faces.npz").exists():
        raise StudyError(f"no pool in {folder}: run notebook 20 for this pool first")
    if curated and not steps and (curated_images(folder) / "faces.npz").exists():
        faces = load_faces(curated_images(folder))
        return FaceSet(faces.images, faces.table.assign(keep=True, reason="", curated_class=""))
    pool = _with_decisions(folder, load_faces(folder), _alone(folder, steps) if steps else load_verdicts(folder))
    return apply_decisions(pool) if curated or steps else pool


def _alone(folder: Path, steps: tuple[str, ...]) -> pd.DataFrame:
    """Take the verdicts that these steps gave without the others."""
    verdicts = load_verdicts(folder, "alone")
    for step in steps:
        if step not in set(verdicts["step"]):
            raise StudyError(
                f"pool {folder.name}: the step {step!r} has not judged it alone; set filter_arms to hold it and run notebook 30 for this "
                f"pool"
            )
    return verdicts[verdicts["step"].isin(steps)]


def _with_decisions(folder: Path, faces: FaceSet, verdicts: pd.DataFrame) -> FaceSet:
    """Add what verdicts come to as columns: keep, reason, curated_class."""
    unknown = set(verdicts["id"]) - set(faces.table["id"])
    if unknown:
        raise StudyError(
            f"{curation_folder(folder)}: verdicts on {len(unknown)} ids that are not in the pool (first: {min(unknown)}); run notebook 30 "
            f"again"
        )
    decided = decide(verdicts, faces.table["id"].tolist())
    return FaceSet(faces.images, faces.table.assign(**{name: decided[name].to_numpy() for name in ("keep", "reason", "curated_class")}))


def apply_decisions(pool: FaceSet) -> FaceSet:
    """Take the kept images of a pool, with the labels that curation gave them.

    Args:
        pool: face set with the columns keep and curated_class.
    """
    kept = pool.select(pool.table["keep"].to_numpy(dtype=bool))
    new = kept.table["curated_class"].to_numpy(dtype=object)
    bad = sorted(set(new) - set(CLASSES) - {""})
    if bad:
        raise StudyError(f"curation relabels to the unknown class {bad[0]!r}; classes are {', '.join(CLASSES)}")
    return FaceSet(kept.images, kept.table.assign(**{"class": np.where(new == "", kept.table["class"], new)}))
