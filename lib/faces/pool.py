"""A pool: a synthetic face set together with what curation decided about each image.

Nothing is deleted; a rejected image stays, with the reason in a column. Verdicts are one long
table, a row for each image that a step looked at: id, step, keep, score, reason, relabel (new
class or "").
"""

import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet, load_faces, save_faces
from lib.study.errors import StudyError
from lib.study.kept import SEAL, read_sealed
from lib.study.records import atomic_write, parsing

VERDICT_COLUMNS = ("id", "step", "keep", "score", "reason", "relabel")
GENERATOR = "generator.json"  # in a pool's folder: what made it
REVIEW = "review"  # the step of a person, which wins over every other

# Verdicts of the whole chain, where a step sees what those before it kept; and of single steps,
# each of which saw the whole pool.
CHAIN, SINGLE_STEPS = "verdicts", "single_steps"


def decide(verdicts: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    """Reduce the verdicts to one decision an image.

    A person's verdict wins; otherwise an image stays when every step that saw it kept it, and the
    first rejection gives the reason.

    Args:
        verdicts: long table with VERDICT_COLUMNS, in the order of the steps.
        ids: images of the pool, in its order.

    Returns:
        Table with one row per id: keep (bool), reason (str, empty for kept images), curated_class
        ("" where the label stays).
    """
    table = pd.DataFrame(index=pd.Index(ids, name="id"))

    # The steps: the first rejection counts.
    steps = verdicts[verdicts["step"] != REVIEW]
    rejected = steps[~steps["keep"].astype(bool)]
    rejected = rejected.drop_duplicates("id", keep="first").set_index("id")
    table["keep"] = ~table.index.isin(rejected.index)
    table["reason"] = (rejected["step"] + ": " + rejected["reason"]).reindex(table.index)

    # A person overrules them.
    person = verdicts[verdicts["step"] == REVIEW].drop_duplicates("id", keep="last").set_index("id")
    table.loc[person.index, "keep"] = person["keep"].astype(bool)
    table.loc[person.index, "reason"] = REVIEW + ": " + person["reason"]
    table["reason"] = table["reason"].where(~table["keep"], "").fillna("").astype(str)

    # The last new label counts.
    relabelled = verdicts[verdicts["relabel"] != ""].drop_duplicates("id", keep="last")
    classes = relabelled.set_index("id")["relabel"]
    table["curated_class"] = classes.reindex(table.index).fillna("").astype(str)
    return table.reset_index()


def save_verdicts(folder: Path, verdicts: pd.DataFrame, curated: FaceSet | None = None) -> Path:
    """Save what curation decided about a pool, and the curated images as an image folder.

    Args:
        folder: the pool's folder, which holds its faces.
        verdicts: long table with VERDICT_COLUMNS.
        curated: the images that stay, cropped and relabelled; None when only verdicts are saved.

    Returns:
        The path of the verdicts.

    Raises:
        StudyError: a column of the verdicts is missing.
    """
    # Fail before anything is written.
    missing = [name for name in VERDICT_COLUMNS if name not in verdicts.columns]
    if missing:
        raise StudyError(
            f"verdicts for {folder}: column {missing[0]!r} is missing; a verdict has "
            f"{', '.join(VERDICT_COLUMNS)}"
        )

    # Replace the whole folder: pictures that an earlier curation kept must not linger.
    if curated is not None:
        images, fresh = curated_images(folder), curation_folder(folder) / ".images.tmp"
        shutil.rmtree(fresh, ignore_errors=True)
        save_faces(curated, fresh, pictures=True)
        shutil.rmtree(images, ignore_errors=True)
        fresh.replace(images)

    # The verdicts last, so that they never announce images that are not there.
    return _write_verdicts(folder, verdicts, CHAIN)


def save_single_steps(folder: Path, verdicts: pd.DataFrame) -> Path:
    """Save the verdicts that single steps gave on the whole pool, each without the others.

    Arms that are filtered by one step alone are made from them.
    """
    return _write_verdicts(folder, verdicts, SINGLE_STEPS)


def single_steps(folder: Path) -> set[str]:
    """List the steps that gave verdicts on the whole pool without the others."""
    return set(load_verdicts(folder, SINGLE_STEPS)["step"])


def load_verdicts(folder: Path, name: str = CHAIN) -> pd.DataFrame:
    """Load the verdicts on a pool: an empty table when it was never curated.

    Args:
        name: CHAIN or SINGLE_STEPS.
    """
    path = curation_folder(folder) / f"{name}.parquet"
    if path.exists():
        with parsing(path, "run notebook 30 for this pool again"):
            verdicts = pd.read_parquet(io.BytesIO(path.read_bytes()))
            seal = verdicts.attrs.pop(SEAL, None)  # an earlier version wrote none
            if seal not in (None, _digest(verdicts)):
                raise ValueError("its digest is that of other verdicts")
            return verdicts[list(VERDICT_COLUMNS)]
    return no_verdicts()


def no_verdicts() -> pd.DataFrame:
    """Make an empty table of verdicts with the right types."""
    types = {"keep": bool, "score": float}
    columns = {name: pd.Series(dtype=types.get(name, object)) for name in VERDICT_COLUMNS}
    return pd.DataFrame(columns)


def curation_folder(folder: Path) -> Path:
    """Locate what curation writes about a pool: beside the pool's folder, which belongs to the
    notebook that made it.
    """
    return Path(folder).parent / "curation" / Path(folder).name


def curated_images(folder: Path) -> Path:
    """Locate the image folder of the images that curation kept."""
    return curation_folder(folder) / "images"


def load_pool(folder: Path, *, curated: bool = False, steps: tuple[str, ...] = ()) -> FaceSet:
    """Load a pool, with curation's decisions as columns.

    Args:
        folder: the pool's folder.
        curated: False: every image as generated, with columns keep, reason and curated_class (all
            kept when never curated). True: only the images that curation kept, cropped and
            relabelled as it decided, in order of generation.
        steps: instead of the whole chain, only the images that each of these steps keeps when it
            sees the whole pool: uncropped, relabelled where the step decides so, in order of
            generation; a person's decisions do not count. See `filter_arms`.

    Returns:
        The pool as a face set.

    Raises:
        StudyError: no pool there, verdicts about images that the pool does not hold, or a step
            that did not see the whole pool.
    """
    folder = Path(folder)
    # A pool never made.
    if not (folder / "faces.npz").exists():
        raise StudyError(f"no pool in {folder}: run notebook 20 for this pool first")

    # What single steps keep.
    if steps:
        verdicts = _verdicts_of(folder, steps)
        return apply_decisions(_with_decisions(folder, load_faces(folder), verdicts))

    # What the whole chain keeps, as it was saved.
    if curated and (curated_images(folder) / "faces.npz").exists():
        faces = load_faces(curated_images(folder))
        return faces.with_columns(keep=True, reason="", curated_class="")

    # Every image, or those kept where only verdicts were saved.
    pool = _with_decisions(folder, load_faces(folder), load_verdicts(folder))
    return apply_decisions(pool) if curated else pool


def generator_facts(folder: Path) -> dict:
    """Read what a pool's folder says of its generator, see lib.generators.contract; {} where it
    says nothing.

    Raises:
        DamagedFile: it is not as it was written.
    """
    path = Path(folder) / GENERATOR
    return read_sealed(path) if path.exists() else {}


def pool_knowledge(folder: Path) -> tuple[str, int]:
    """Read what a pool's generator knows of the study's real training images.

    Args:
        folder: of the pool, with its generator.json.

    Returns:
        Words, as lib.generators.contract.knowledge gives them: external, same images, all images or
        other images; and from how many real images it learnt, 0 for external. An arm that holds
        fewer real images than that is a bound, not a comparison.
    """
    facts = generator_facts(folder)
    return facts.get("knowledge", "external"), facts.get("learnt_from", {}).get("images", 0)


def apply_decisions(pool: FaceSet) -> FaceSet:
    """Take the kept images of a pool, with the labels that curation gave them.

    Args:
        pool: face set with the columns keep and curated_class.

    Raises:
        StudyError: a new label that is none of the pool's classes.
    """
    kept = pool.select(pool.table["keep"].to_numpy(dtype=bool))
    relabelled = kept.table["curated_class"].to_numpy(dtype=object)
    unknown = sorted(set(relabelled) - set(pool.classes) - {""})
    if unknown:
        raise StudyError(
            f"curation relabels to the unknown class {unknown[0]!r}; classes are "
            f"{', '.join(pool.classes)}"
        )

    # "" keeps the label.
    names = np.where(relabelled == "", kept.table["class"], relabelled)
    return kept.with_columns(**{"class": names})


def _write_verdicts(folder: Path, verdicts: pd.DataFrame, name: str) -> Path:
    """Write verdicts into the pool's curation folder; return the path."""
    path = curation_folder(folder) / f"{name}.parquet"
    table = verdicts[list(VERDICT_COLUMNS)].reset_index(drop=True)
    table.attrs = {SEAL: _digest(table)}  # Parquet has no checksum of its own
    with atomic_write(path) as file:
        table.to_parquet(file, index=False)
    return path


def _digest(verdicts: pd.DataFrame) -> str:
    """Hash a table of verdicts: sha256 hex."""
    return hashlib.sha256(verdicts.to_csv(index=False).encode()).hexdigest()


def _verdicts_of(folder: Path, steps: tuple[str, ...]) -> pd.DataFrame:
    """Take the verdicts that these steps gave without the others."""
    # A step has seen all images or none.
    verdicts = load_verdicts(folder, SINGLE_STEPS)
    for step in steps:
        if step not in set(verdicts["step"]):
            raise StudyError(
                f"pool {folder.name}: there are no verdicts of the step {step!r} alone; put it "
                "into filter_arms and run notebook 30 for this pool"
            )
    return verdicts[verdicts["step"].isin(steps)]


def _with_decisions(folder: Path, faces: FaceSet, verdicts: pd.DataFrame) -> FaceSet:
    """Add the decisions that follow from verdicts as columns: keep, reason, curated_class."""
    # Verdicts on another pool, or on an earlier making of this one, do not count.
    unknown = set(verdicts["id"]) - set(faces.table["id"])
    if unknown:
        raise StudyError(
            f"{curation_folder(folder)}: verdicts on {len(unknown)} ids that are not in the pool "
            f"(first: {min(unknown)}); run notebook 30 again"
        )
    decided = decide(verdicts, faces.table["id"].tolist())
    columns = {name: decided[name].to_numpy() for name in ("keep", "reason", "curated_class")}
    return faces.with_columns(**columns)
