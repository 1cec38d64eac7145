"""The face set: grey images, labels by class name, and a table with one row an image.

On disk a face set is a packed copy (faces.npz and faces.parquet) and, on request, an image folder
`<class>/<id>.png` with `metadata.csv` that torchvision's ImageFolder and Hugging Face's
imagefolder both load.
"""

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.faces.classes import EMOTIONS
from lib.faces.pictures import to_square
from lib.study.errors import StudyError
from lib.study.kept import set_aside
from lib.study.records import atomic_write, parsing

# extra: real images held back for the control with more of them.
SPLITS = ("train", "val", "test", "extra")
REQUIRED = ("id", "class", "split", "source")  # columns of every table
IMAGES, TABLE = "faces.npz", "faces.parquet"  # the packed copy
LONGEST_STEM = 60  # characters of a picture's name, which may have four bytes each
METADATA = "metadata.csv"  # beside the pictures
REMEDY = "run the notebook that makes this face set again"  # where it is damaged
# Optional columns that say how an image takes part in training, see lib.faces.mixing.
TAKES_PART = ("weight", "stage_end", "norm_group")
TARGET = "target_"  # and a class: how much of an image's label is that class, of sum 1


@dataclass(frozen=True)
class FaceSet:
    """Grey images and their table, row by row.

    Args:
        images: uint8 (N, H, W), grey levels 0-255.
        table: N rows with the columns id (unique str), class (a name in `classes`), split (a name
            in SPLITS) and source (str); further columns say where an image came from (generator,
            prompt, seed, file, cluster, leaked, plus_class ...).
        classes: names of all classes that the labels tell apart, alphabetical; FER2013's seven
            emotions by default. A label is a number inside tensors alone: the position here.

    Raises:
        StudyError: shapes that do not fit, a missing column, an unknown class, an id that occurs
            twice.
    """

    images: np.ndarray  # uint8 (N, H, W)
    table: pd.DataFrame  # N rows, numbered from 0
    classes: tuple[str, ...] = EMOTIONS  # alphabetical

    def __post_init__(self):
        # A frozen dataclass sets its own fields this way alone.
        object.__setattr__(self, "classes", tuple(self.classes))
        _check(self.images, self.table, self.classes)
        object.__setattr__(self, "table", self.table.reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> np.ndarray:
        """Positions in `classes`, int64 (N,)."""
        return label_indices(self.table["class"], self.classes)

    @property
    def clusters(self) -> np.ndarray:
        """Numbers that copies of one picture share, int64 (N,); where none were marked
        (`lib.faces.duplicates.mark_copies`), each image has its own.
        """
        if "cluster" in self.table:
            return self.table["cluster"].to_numpy(np.int64)
        return np.arange(len(self))

    def select(self, rows) -> "FaceSet":
        """Take the rows of a boolean mask (N,) or of an index array, in its order."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return replace(self, images=self.images[rows], table=self.table.iloc[rows])

    def split(self, name: str) -> "FaceSet":
        """Take the images of one split: train, val, test or extra."""
        if name not in SPLITS:
            raise StudyError(f"no split is called {name!r}; there are {', '.join(SPLITS)}")
        return self.select((self.table["split"] == name).to_numpy())

    def with_columns(self, **columns) -> "FaceSet":
        """Add or replace columns of the table; images and classes stay."""
        return replace(self, table=self.table.assign(**columns))

    def counts(self) -> pd.Series:
        """Count the images of each class, in the order of `classes`."""
        counts = self.table["class"].value_counts()
        return counts.reindex(self.classes, fill_value=0).rename("images")

    def names(self) -> pd.Series:
        """Name the images: their files, or what identifies them in a table."""
        return self.table["file" if "file" in self.table else "id"]

    def resized(self, px: int) -> "FaceSet":
        """Resize all images to px x px: area when shrinking, bilinear when growing."""
        return replace(self, images=resize(self.images, px))

    def digest(self) -> str:
        """Hash images, classes, splits, ids and how images take part in training: sha256 hex,
        equal exactly where these are, in this order.
        """
        # Images, then class list and columns as text, each name ended by a zero byte.
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update("\x00".join(self.classes).encode())
        for column in ("id", "class", "split"):
            digest.update("\x00".join(self.table[column].astype(str)).encode())

        # Plain mixtures lack these columns.
        columns = [name for name in TAKES_PART if name in self.table]
        columns += [TARGET + name for name in self.classes if TARGET + name in self.table]
        for column in columns:
            digest.update(column.encode() + self.table[column].to_numpy(np.float64).tobytes())
        return digest.hexdigest()


def label_indices(names, classes: tuple[str, ...]) -> np.ndarray:
    """Turn class names into positions in `classes`, int64 (N,); -1 for a name that is not in it."""
    return pd.Index(classes).get_indexer(pd.Index(names)).astype(np.int64)


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
        StudyError: images of different sizes, other classes, or an id that two sets share.
    """
    # Check that they fit.
    sets = list(sets)
    sizes = {faces.images.shape[1:] for faces in sets}
    if len(sizes) != 1:
        raise StudyError(
            f"face sets of different image sizes {sorted(sizes)} cannot be joined; resize them "
            "first (FaceSet.resized)"
        )
    lists = {faces.classes for faces in sets}
    if len(lists) != 1:
        listed = "; ".join(", ".join(classes) for classes in sorted(lists))
        raise StudyError(f"face sets of different classes cannot be joined: {listed}")
    return replace(
        sets[0],
        images=np.concatenate([faces.images for faces in sets]),
        table=pd.concat([faces.table for faces in sets], ignore_index=True),
    )


def save_faces(faces: FaceSet, folder: Path, *, pictures: bool = False) -> list[Path]:
    """Write the packed copy; return the files to record.

    Both halves carry the digest of the faces, so that halves of two different runs are never read
    as one. The images' half carries that of the table's bytes too, which have no checksum.

    Args:
        pictures: write also the image folder that other tools load.
    """
    folder = Path(folder)
    if pictures:
        save_pictures(faces, folder)
    digest = faces.digest()

    # The table, with the class list in its metadata.
    buffer = io.BytesIO()
    table = faces.table.copy()
    table.attrs = {"digest": digest, "classes": list(faces.classes)}
    table.to_parquet(buffer, index=False)
    of_table = hashlib.sha256(buffer.getvalue()).hexdigest()

    # Images first: whoever finds the table finds both.
    with atomic_write(folder / IMAGES) as file:
        texts = {"digest": np.array(digest), "table_sha256": np.array(of_table)}
        np.savez(file, images=faces.images, **texts)
    with atomic_write(folder / TABLE) as file:
        file.write(buffer.getvalue())
    return [folder / IMAGES, folder / TABLE]


def load_faces(folder: Path) -> FaceSet:
    """Read the packed copy of a face set.

    Raises:
        DamagedFile: a file of it is cut off or changed, its two files are of different runs, or an
            earlier version wrote it without its class list.
        StudyError: the folder holds none.
    """
    folder = Path(folder)

    # Both halves have to be there.
    for path in (folder / IMAGES, folder / TABLE):
        if not path.is_file():
            raise StudyError(
                f"{path} does not exist; run the notebook that makes this face set first"
            )

    # Read them; a zip file, which holds the images, has checksums of its own.
    with parsing(folder / IMAGES, REMEDY):
        with np.load(io.BytesIO((folder / IMAGES).read_bytes()), allow_pickle=False) as packed:
            images, digest = packed["images"], str(packed["digest"])
            of_table = str(packed["table_sha256"]) if "table_sha256" in packed else ""
    with parsing(folder / TABLE, REMEDY):
        content = (folder / TABLE).read_bytes()
        if of_table not in ("", hashlib.sha256(content).hexdigest()):
            raise ValueError(f"it was changed, or it and {IMAGES} are of different runs")
        table = pd.read_parquet(io.BytesIO(content))

        # They have to be of one run, and of this version.
        if table.attrs.get("digest") != digest:
            raise ValueError(f"it and {IMAGES} are of different runs")
        if "classes" not in table.attrs:
            raise ValueError("written by an earlier version, without classes")

        # The metadata belongs to the file, not to the table in memory.
        classes = tuple(table.attrs["classes"])
        table.attrs = {}
        return FaceSet(images, table, classes)


def set_faces_aside(folder: Path) -> None:
    """Set both files of a packed copy aside, so that it is made anew."""
    for name in (TABLE, IMAGES):
        if (Path(folder) / name).is_file():
            set_aside(Path(folder) / name)


def save_pictures(faces: FaceSet, folder: Path) -> None:
    """Write one PNG an image as `<class>/<id>.png`, and metadata.csv: file_name and the table."""
    names = _picture_names(faces)
    for name, image in zip(names, faces.images, strict=True):
        with atomic_write(folder / name) as file:
            file.write(_png(image))

    # Hugging Face's imagefolder finds an image's columns by file_name.
    with atomic_write(folder / METADATA) as file:
        file.write(_metadata(faces, names))


def pictures_are_whole(faces: FaceSet, folder: Path) -> bool:
    """Tell whether a folder holds what save_pictures writes, byte for byte."""
    # Encoded anew, which takes less time than looking for the differences.
    names = _picture_names(faces)
    files = [(folder / METADATA, _metadata(faces, names))]
    files += [(folder / name, _png(image)) for name, image in zip(names, faces.images)]
    return all(path.is_file() and path.read_bytes() == content for path, content in files)


def _picture_names(faces: FaceSet) -> pd.Series:
    """Name the picture of each image: happy/dcgan-000001.png."""
    # File names hold letters, digits, dots and hyphens alone, and no more than a file system takes.
    stems = faces.table["id"].str.replace(r"[^\w.-]", "_", regex=True)

    # Where two become one this way, or one a hidden file, all have their row before them.
    is_long, is_hidden = stems.str.len() > LONGEST_STEM, stems.str.startswith(".")
    if (stems.str.lower().duplicated() | is_long | is_hidden).any():
        stems = stems.index.astype(str) + "-" + stems.str[:LONGEST_STEM]
    return faces.table["class"] + "/" + stems + ".png"


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def _metadata(faces: FaceSet, names: pd.Series) -> bytes:
    """Write the table as CSV, with the names of the pictures."""
    return faces.table.assign(file_name=names).to_csv(index=False).encode()


def _check(images: np.ndarray, table: pd.DataFrame, classes: tuple[str, ...]) -> None:
    """Stop on images and table that cannot be one face set."""
    # Shapes.
    if images.ndim != 3 or images.dtype != np.uint8:
        raise StudyError(f"a face set holds uint8 (N, H, W), not {images.dtype} {images.shape}")
    if len(images) != len(table):
        raise StudyError(
            f"a face set has one row an image, not {len(table)} rows for {len(images)} images"
        )

    # Columns.
    missing = [column for column in REQUIRED if column not in table]
    if missing:
        raise StudyError(
            f"a face set's table lacks the column {missing[0]!r}; it has {', '.join(table.columns)}"
        )
    _check_names("class", table["class"], classes)
    _check_names("split", table["split"], SPLITS)

    # Identity.
    repeated = table["id"][table["id"].duplicated()]
    if len(repeated):
        raise StudyError(f"the id {repeated.iloc[0]!r} occurs twice in a face set")


def _check_names(column: str, values: pd.Series, known: tuple[str, ...]) -> None:
    """Stop on a missing or unknown name in a column."""
    unknown = sorted(set(values.dropna()) - set(known))
    if unknown or values.isna().any():
        raise StudyError(
            f"unknown {column} {unknown or 'missing'} in a face set; there are {', '.join(known)}"
        )
