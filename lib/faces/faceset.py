"""The face set: grey images, labels by class name, and a table with one row an image.

On disk a face set is a packed copy (faces.npz + faces.parquet) and, on request, an image folder `<class>/<id>.png` with
`metadata.csv` that torchvision's ImageFolder and Hugging Face's imagefolder both load.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.faces.pictures import to_square
from lib.study.errors import StudyError
from lib.study.records import atomic_write

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # alphabetical; a number exists only inside a tensor
SPLITS = ("train", "val", "test", "extra")
REQUIRED = ("id", "class", "split", "source")
TAKES_PART = ("weight", "stage_end", "norm_group")  # optional columns that say how an image takes part in training, see lib.faces.mixing


@dataclass(frozen=True)
class FaceSet:
    """Grey images and their table, row by row.

    Args:
        images: uint8 (N, H, W), grey levels 0-255.
        table: N rows with the columns id (unique str), class (a name in CLASSES), split (a name in SPLITS) and source (str);
            further columns say where an image came from (generator, prompt, seed, file, cluster, leaked, plus_class ...).

    Raises:
        StudyError: shapes that do not fit, a missing column, an unknown class, an id that occurs twice.
    """

    images: np.ndarray
    table: pd.DataFrame

    def __post_init__(self):
        _check(self.images, self.table)
        object.__setattr__(self, "table", self.table.reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> np.ndarray:
        """Indices into CLASSES, int64 (N,)."""
        return label_indices(self.table["class"])

    def select(self, rows) -> "FaceSet":
        """Take the rows of a boolean mask (N,) or of an index array, in its order."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return FaceSet(self.images[rows], self.table.iloc[rows])

    def split(self, name: str) -> "FaceSet":
        """Take the images of one split: train, val, test or extra."""
        if name not in SPLITS:
            raise StudyError(f"no split is called {name!r}; there are {', '.join(SPLITS)}")
        return self.select((self.table["split"] == name).to_numpy())

    def counts(self) -> pd.Series:
        """Count the images of each class, in the order of CLASSES."""
        return self.table["class"].value_counts().reindex(CLASSES, fill_value=0).rename("images")

    def resized(self, px: int) -> "FaceSet":
        """Resize all images to px x px: area when shrinking, bilinear when growing."""
        return FaceSet(resize(self.images, px), self.table)

    def digest(self) -> str:
        """Hash images, classes, splits, ids and how images take part in training: sha256 hex,
        equal exactly where these are, in this order.
        """
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        for column in ("id", "class", "split"):
            digest.update("\x00".join(self.table[column].astype(str)).encode())
        for column in [name for name in TAKES_PART if name in self.table]:
            digest.update(column.encode() + self.table[column].to_numpy(np.float64).tobytes())
        return digest.hexdigest()


def label_indices(names) -> np.ndarray:
    """Turn class names into int64 indices into CLASSES."""
    return pd.Index(CLASSES).get_indexer(pd.Index(names)).astype(np.int64)


def resize(images: np.ndarray, px: int) -> np.ndarray:
    """Resize uint8 (N, H, W) to (N, px, px): area when shrinking, bilinear when growing."""
    if images.shape[1:] == (px, px):
        return images
    resized = np.empty((len(images), px, px), np.uint8)
    for i, image in enumerate(images):
        resized[i] = to_square(image, px)
    return resized


def concat(sets) -> FaceSet:
    """Put face sets one after the other; columns that a set lacks are empty there.

    Raises:
        StudyError: images of different sizes, or an id that two sets share.
    """
    sets = list(sets)
    sizes = {faces.images.shape[1:] for faces in sets}
    if len(sizes) != 1:
        raise StudyError(f"face sets of different image sizes {sorted(sizes)} cannot be joined; resize them first (FaceSet.resized)")
    return FaceSet(np.concatenate([faces.images for faces in sets]), pd.concat([faces.table for faces in sets], ignore_index=True))


def save_faces(faces: FaceSet, folder: Path, *, pictures: bool = False) -> list[Path]:
    """Write the packed copy, and with `pictures` the image folder that other tools load; return the files to record.

    Both halves of the packed copy carry the digest of the faces, so that halves of two different runs are never read as one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if pictures:
        save_pictures(faces, folder)
    digest = faces.digest()
    with atomic_write(folder / "faces.npz") as file:
        np.savez(file, images=faces.images, digest=np.array(digest))
    with atomic_write(folder / "faces.parquet") as file:
        buffer = io.BytesIO()
        table = faces.table.copy()
        table.attrs = {"digest": digest}
        table.to_parquet(buffer, index=False)
        file.write(buffer.getvalue())
    return [folder / "faces.npz", folder / "faces.parquet"]


def load_faces(folder: Path) -> FaceSet:
    """Read the packed copy of a face set.

    Raises:
        StudyError: the folder holds none, it is cut off, or its two files are of different runs.
    """
    folder = Path(folder)
    images_path, table_path = folder / "faces.npz", folder / "faces.parquet"
    for path in (images_path, table_path):
        if not path.is_file():
            raise StudyError(f"{path} does not exist; run the notebook that makes this face set first")
    try:
        with np.load(images_path, allow_pickle=False) as packed:
            images, digest = packed["images"], str(packed["digest"])
        table = pd.read_parquet(table_path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StudyError(f"{folder} holds a damaged face set ({error}); delete the folder and run its notebook again") from error
    if table.attrs.get("digest") != digest:
        raise StudyError(f"{images_path} and {table_path.name} are of different runs; delete the folder and run its notebook again")
    table.attrs = {}
    return FaceSet(images, table)


def save_pictures(faces: FaceSet, folder: Path) -> None:
    """Write one PNG an image as `<class>/<id>.png`, and metadata.csv with its file_name and the table's columns."""
    names = faces.table["class"] + "/" + faces.table["id"].str.replace(r"[^\w.-]", "_", regex=True) + ".png"
    for name in sorted(set(faces.table["class"])):
        (folder / name).mkdir(exist_ok=True)
    for name, image in zip(names, faces.images, strict=True):
        with atomic_write(folder / name) as file:
            file.write(cv2.imencode(".png", image)[1].tobytes())
    with atomic_write(folder / "metadata.csv") as file:
        file.write(faces.table.assign(file_name=names).to_csv(index=False).encode())


def _check(images: np.ndarray, table: pd.DataFrame) -> None:
    """Stop on images and table that cannot be one face set."""
    if images.ndim != 3 or images.dtype != np.uint8:
        raise StudyError(f"a face set holds uint8 (N, H, W), not {images.dtype} {images.shape}")
    if len(images) != len(table):
        raise StudyError(f"a face set has one row an image, not {len(table)} rows for {len(images)} images")
    missing = [column for column in REQUIRED if column not in table]
    if missing:
        raise StudyError(f"a face set's table lacks the column {missing[0]!r}; it has {', '.join(table.columns)}")
    for column, known in (("class", CLASSES), ("split", SPLITS)):
        unknown = set(table[column].dropna()) - set(known)
        if unknown or table[column].isna().any():
            raise StudyError(f"unknown {column} {sorted(unknown) or 'missing'} in a face set; there are {', '.join(known)}")
    if table["id"].duplicated().any():
        raise StudyError(f"the id {table['id'][table['id'].duplicated()].iloc[0]!r} occurs twice in a face set")
