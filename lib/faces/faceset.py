"""The face set: grey images, and a table with one row an image. Labels travel by class name; a number exists only inside a tensor."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lib.study.errors import StudyError
from lib.study.records import atomic_write

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SPLITS = ("train", "val", "test", "extra")
REQUIRED = ("id", "class", "split", "source")


@dataclass(frozen=True)
class FaceSet:
    """Grey face images with their table.

    Attributes:
        images: uint8 (N, H, W), 0 to 255.
        table: N rows in the order of the images, index 0..N-1; columns id (unique), class (of CLASSES), split (of SPLITS), source,
            and what else is known of an image (true_class, generator, prompt, seed, file, cluster, leaked, plus_class, ...).
    """

    images: np.ndarray
    table: pd.DataFrame

    def __post_init__(self):
        if self.images.dtype != np.uint8 or self.images.ndim != 3:
            raise StudyError(f"face set: images must be uint8 (N, H, W), got {self.images.dtype} {self.images.shape}")
        if len(self.images) != len(self.table):
            raise StudyError(f"face set: {len(self.images)} images but {len(self.table)} table rows")
        missing = [name for name in REQUIRED if name not in self.table.columns]
        if missing:
            raise StudyError(f"face set: the table lacks the columns {missing}; it has {list(self.table.columns)}")
        unknown = sorted(set(self.table["class"]) - set(CLASSES))
        if unknown:
            raise StudyError(f"face set: unknown classes {unknown}; classes are {', '.join(CLASSES)}")
        object.__setattr__(self, "table", self.table.reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> np.ndarray:
        """Class numbers, int64 (N,): positions in CLASSES."""
        return self.table["class"].map({name: i for i, name in enumerate(CLASSES)}).to_numpy(np.int64)

    def select(self, rows) -> "FaceSet":
        """Return the images named by a boolean mask (N,) or by positions, in that order."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return FaceSet(self.images[rows], self.table.iloc[rows])

    def split(self, name: str) -> "FaceSet":
        """Return the images of one split."""
        return self.select((self.table["split"] == name).to_numpy())

    def counts(self) -> pd.Series:
        """Count images per class, every class of CLASSES in order, zeros included."""
        return self.table["class"].value_counts().reindex(CLASSES, fill_value=0)

    def resized(self, px: int) -> "FaceSet":
        """Return the set at px x px: area average when shrinking, bilinear when growing."""
        if self.images.shape[1:] == (px, px):
            return self
        shrinks = self.images.shape[1] > px
        how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
        images = [np.asarray(Image.fromarray(image).resize((px, px), how)) for image in self.images]
        return FaceSet(np.stack(images) if images else np.zeros((0, px, px), np.uint8), self.table)

    def digest(self) -> str:
        """Hash images, classes, splits and ids (SHA-256, hex): equal exactly where these are."""
        sha = hashlib.sha256(repr(self.images.shape).encode())
        sha.update(np.ascontiguousarray(self.images).tobytes())
        for column in ("id", "class", "split"):
            sha.update("\x00".join(self.table[column].astype(str)).encode())
        return sha.hexdigest()


def concat(sets: list[FaceSet]) -> FaceSet:
    """Join face sets of one image size; a column that a set lacks is missing in its rows."""
    sizes = {faces.images.shape[1:] for faces in sets}
    if len(sizes) != 1:
        raise StudyError(f"face sets of different image sizes cannot be joined: {sorted(sizes)}; resize them first")
    return FaceSet(np.concatenate([faces.images for faces in sets]), pd.concat([faces.table for faces in sets], ignore_index=True))


def save_faces(faces: FaceSet, folder: Path, *, pictures: bool = False) -> None:
    """Write the packed copy (faces.npz, faces.parquet); with pictures also <class>/<id>.png and metadata.csv.

    The picture folder loads in torchvision's ImageFolder and in Hugging Face's imagefolder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "faces.npz") as f:
        np.savez(f, images=faces.images)
    with atomic_write(folder / "faces.parquet") as f:
        faces.table.to_parquet(f, index=False)
    if pictures:
        save_pictures(faces, folder)


def save_pictures(faces: FaceSet, folder: Path) -> None:
    """Write one PNG an image as <class>/<id>.png, and metadata.csv with file_name and the table's columns."""
    files = [f"{row_class}/{row_id}.png" for row_class, row_id in zip(faces.table["class"], faces.table["id"])]
    for name in set(faces.table["class"]):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for image, file in zip(faces.images, files):
        Image.fromarray(image).save(folder / file, compress_level=1)
    with atomic_write(folder / "metadata.csv", "w") as f:
        faces.table.assign(file_name=files).set_index("file_name").reset_index().to_csv(f, index=False)


def load_faces(folder: Path) -> FaceSet:
    """Read a packed face set.

    Raises:
        StudyError: nothing there, or cut off.
    """
    folder = Path(folder)
    if not (folder / "faces.npz").exists():
        raise StudyError(f"{folder}: no face set here (faces.npz is missing); run the notebook that makes it first")
    try:
        with np.load(folder / "faces.npz", allow_pickle=False) as packed:
            images = packed["images"]
        table = pd.read_parquet(folder / "faces.parquet")
    except Exception as error:  # zipfile, numpy and pyarrow each raise their own kind on a cut file
        raise StudyError(f"{folder}: the packed face set does not read ({error}); delete the folder and run again") from error
    return FaceSet(images, table)
