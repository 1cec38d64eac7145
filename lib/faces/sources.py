"""Real faces and ready-made pools as people have them: folders, zip files, CSV, Parquet."""

import os
import re
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, class_of, label_images, split_of
from lib.faces.duplicates import near_groups
from lib.faces.faceset import FaceSet
from lib.faces.pictures import decode_grey, to_square
from lib.faces.tables import read_csv_faces, read_parquet_faces
from lib.study.errors import StudyError

# Endings of picture files, and names of tables, that a folder or zip is searched for.
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm"}
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
# <Usage>_<row>.<ending>, the file names of FER2013's copies.
FER2013_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_(\d+)\.[A-Za-z]+$")
MOST_BYTES = 200_000_000  # a picture that unpacks to more is a mistake or an attack
STREAM = 11  # of the study's seed, for the validation split


def read_faces(
    path: str | Path,
    *,
    px: int = 48,
    grey: str = "luma",
    classes: Sequence[str] = (),
    complete: bool = True,
) -> FaceSet:
    """Read labelled real faces with their splits.

    Args:
        path: a folder (<split>/<class>/ at any depth), a zip of one, fer2013.csv or
            icml_face_data.csv (also inside a zip), or Parquet.
        px: side that every image is resized to.
        grey: as decode_grey.
        classes: names of the classes to read; empty: all. `lib.faces.classes.classes_of` decides
            which folder names or codes stand for which class.
        complete: False allows a source without some of `classes`, or without training images of
            them (another data set that is for evaluation only).

    Returns:
        Face set; splits train, val, test. FER2013's own split is taken from file names or Usage;
        in a source with train and one more split, that split becomes test. Columns file, and row
        (FER2013's row number) where the names hold it.

    Raises:
        StudyError: nothing there, an unknown class or layout, a file that does not read, a class
            without training images.
    """
    path = _existing(path)
    faces = _read_any(path, px, grey, {"classes": classes, "complete": complete})

    # FER2013's row numbers, where every file name holds one.
    table = faces.table
    if "row" not in table and "file" in table:
        row = table["file"].str.extract(FER2013_NAME)[1]
        if row.notna().all():
            faces = faces.with_columns(row=row.astype("Int64"))

    # Of two splits the second is the held-out one, hence the test set.
    if set(table["split"]) == {"train", "val"}:
        faces = faces.with_columns(split=table["split"].replace("val", "test"))
    if complete:
        require_training_images(faces, path)
    return faces.resized(px)


def read_images(
    path: str | Path, *, grey: str = "luma", classes: Sequence[str] = EMOTIONS
) -> FaceSet:
    """Read ready-made images sorted into class folders, at their own size.

    Split folders above the classes do not matter.

    Args:
        grey: as decode_grey.
        classes: of the study; images of other emotions are left out, which is announced.

    Returns:
        Face set of one size (the most frequent, others are resized to it), split train, with a
        column file (path inside the source).

    Raises:
        StudyError: nothing there, an unknown class folder, a file that does not read.
    """
    path = _existing(path)
    with _Store(path) as store:
        # A folder that is no class may be a misspelt one; emotions beside the classes are not.
        for name, place in _class_folders(store.pictures, path).items():
            class_of(name, place, tuple(dict.fromkeys((*classes, *EIGHT_EMOTIONS))))
        splits = dict.fromkeys(store.pictures, "train")
        return _read_pictures(store, splits, 0, grey, classes=classes, complete=False)


def carve_validation(
    faces: FaceSet, share: float, seed: int, *, near_copy_distance: float = 0.0
) -> FaceSet:
    """Turn a share of train into val, copies kept together.

    Args:
        share: of the training images, 0 to 0.5.
        seed: of the study.
        near_copy_distance: as near_pairs; 0 keeps exact copies together only.
    """
    # Without training images there is nothing to carve.
    train = np.flatnonzero((faces.table["split"] == "train").to_numpy())
    if not len(train):
        return faces

    # Draw groups of copies, not images.
    groups = near_groups(faces.images[train], near_copy_distance)
    order = np.random.default_rng([seed, STREAM]).permutation(int(groups.max()) + 1)
    chosen = train[order[groups] < share * len(order)]

    # The groups drawn move as a whole.
    split = faces.table["split"].to_numpy(object).copy()
    split[chosen] = "val"
    return faces.with_columns(split=split)


def require_training_images(faces: FaceSet, where: str | Path) -> None:
    """Stop on a class without training images; a set without a training split passes.

    Raises:
        StudyError: names the empty classes.
    """
    train = faces.table.loc[faces.table["split"] == "train", "class"]
    empty = sorted(set(faces.classes) - set(train))
    if len(train) and empty:
        raise StudyError(
            f"{where}: no training images of {', '.join(empty)}; all of "
            f"{', '.join(faces.classes)} are needed. To study fewer, list them in the parameter "
            "`classes`"
        )


def _read_any(path: Path, px: int, grey: str, options: dict) -> FaceSet:
    """Read a source of any layout.

    Args:
        options: classes and complete, as in read_faces.
    """
    # Tables.
    if path.suffix.lower() == ".csv":
        return read_csv_faces(path, path.name, **options)
    if path.suffix.lower() == ".parquet" or (path.is_dir() and any(path.glob("**/*.parquet"))):
        return read_parquet_faces(path, grey, **options)

    # A folder or a zip: of pictures, or around a table.
    with _Store(path) as store:
        if store.csv and not store.pictures:
            with store.stream(store.csv[0]) as file:
                return read_csv_faces(file, f"{path}/{store.csv[0]}", **options)
        return _read_pictures(store, _splits(store.pictures, path), px, grey, **options)


class _Store:
    """A folder or a zip file, read through the same names; nothing is unpacked."""

    def __init__(self, path: Path):
        # All files, by their path inside the source.
        self.path, self.zip = path, None
        if path.is_dir():
            names = _names_in_folder(path)
        else:
            self.zip = _open_zip(path)
            names = _names_in_zip(self.zip)

        # What can be read of them, hidden files left out.
        shown = sorted(name for name in names if not PurePosixPath(name).name.startswith("."))
        self.pictures = [name for name in shown if PurePosixPath(name).suffix.lower() in PICTURES]
        self.csv = [name for name in shown if name.lower().endswith(CSV_NAMES)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.zip:
            self.zip.close()

    def stream(self, name: str):
        """Open one file for reading bytes."""
        return self.zip.open(name) if self.zip else open(self.path / name, "rb")

    def read(self, name: str) -> bytes:
        """Read one file.

        Raises:
            StudyError: its part of the zip is damaged, or unpacks to more than MOST_BYTES.
        """
        # A zip states how large a file will be.
        size = self.zip.getinfo(name).file_size if self.zip else 0
        if size > MOST_BYTES:
            raise StudyError(
                f"{self.path}: {name} unpacks to {size:,} bytes, too large for a picture; remove it"
            )
        try:
            return self.zip.read(name) if self.zip else (self.path / name).read_bytes()
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
            raise StudyError(
                f"{self.path}: {name} does not read ({error}); copy or download the file again"
            ) from None


def _names_in_folder(path: Path) -> list[str]:
    """List all files below a folder; folders of data are often links to another disk."""
    names = []
    for folder, _, files in os.walk(path, followlinks=True):
        names += [Path(folder, file).relative_to(path).as_posix() for file in files]
    return names


def _names_in_zip(archive: zipfile.ZipFile) -> list[str]:
    """List all files of a zip, without what macOS adds."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    return [info.filename for info in infos if not info.filename.startswith("__MACOSX")]


def _open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip file, or tell that it is none."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError):
        raise StudyError(
            f"{path}: neither a folder nor a whole zip file; if it is a zip, it was cut off: copy "
            "or download it again"
        ) from None


def _existing(path: str | Path) -> Path:
    """Resolve ~ in a path, and stop where nothing lies there."""
    path = Path(path).expanduser()
    if not path.exists():
        raise StudyError(f"{path}: no such file or folder")
    return path


def _splits(names: list[str], path: Path) -> dict[str, str]:
    """Find each picture's split.

    FER2013's prefix in the file name decides, else the nearest split folder above it.

    Returns:
        Split by name, without pictures that lie in no split folder, which is announced.
    """
    splits = {}
    for name in names:
        parts = PurePosixPath(name).parts

        # FER2013's own split is in the file name.
        official = FER2013_NAME.match(parts[-1])
        if official:
            splits[name] = split_of(official[1])
            continue

        # The last part is the file, the one before it the class.
        above = [split_of(folder) for folder in reversed(parts[:-2])]
        nearest = next((split for split in above if split), None)
        if nearest:
            splits[name] = nearest

    # Tell what was left out.
    if not splits:
        raise StudyError(
            f"{path}: no pictures in <split>/<class>/ folders here; expected e.g. "
            "train/happy/1.jpg and test/happy/2.jpg"
        )
    if len(splits) < len(names):
        print(
            f"{path.name}: {len(names) - len(splits):,} of {len(names):,} pictures lie in no split "
            "folder and are left out"
        )
    return splits


def _class_folders(names: list[str], path: Path) -> dict[str, str]:
    """Name the folders that pictures lie in, and the first place where each occurs."""
    # The first place in alphabetical order is named in messages.
    places = {}
    for folder in sorted({str(PurePosixPath(name).parent) for name in names}):
        places.setdefault(PurePosixPath(folder).name, f"{path}/{folder}")
    return places


def _refuse_split_folders(places: dict[str, str]) -> None:
    """Stop where pictures lie in train/ itself, whose name would be taken for their class."""
    for name, place in places.items():
        if split_of(name):
            raise StudyError(
                f"{place}: pictures lie in a folder named after a split; a picture's class is the "
                "folder that it lies in, e.g. train/happy/1.jpg"
            )


def _read_pictures(
    store: _Store,
    splits: dict[str, str],
    px: int,
    grey: str,
    *,
    classes: Sequence[str],
    complete: bool,
) -> FaceSet:
    """Decode pictures in parallel; the class is the folder that a picture lies in.

    Args:
        splits: split by name of the picture.
        px: side of the images; 0 takes the most frequent one.
        classes, complete: as in read_faces.
    """
    names = sorted(splits)
    if not names:
        raise StudyError(f"{store.path}: holds no pictures ({', '.join(sorted(PICTURES))})")

    # Classes. Copies of FER2013 are known to hold its seven.
    folders = [PurePosixPath(name).parent.name for name in names]
    is_fer2013 = all(FER2013_NAME.match(PurePosixPath(name).name) for name in names)
    declared = EMOTIONS if is_fer2013 else ()
    places = _class_folders(names, store.path)
    if not classes:
        _refuse_split_folders(places)
    classes, labels = label_images(folders, places, classes, declared=declared, complete=complete)
    class_of_file = {name: label for name, label in zip(names, labels) if label is not None}

    # A pool or another data set may hold nothing of the study's classes.
    if not class_of_file:
        raise StudyError(f"{store.path}: holds no pictures of {', '.join(classes)}")

    # Pictures.
    files = list(class_of_file)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        images = list(threads.map(lambda name: _decode(store, name, grey), files, chunksize=64))

    # All of one side: the one asked for, or the most frequent.
    side = px or int(pd.Series([max(image.shape) for image in images]).mode().iloc[0])
    squares = np.stack([to_square(image, side) for image in images])
    table = pd.DataFrame(
        {
            "id": _ids(files),
            "class": list(class_of_file.values()),
            "split": [splits[name] for name in files],
            "source": store.path.stem,
            "file": files,
        }
    )
    return FaceSet(squares, table, classes)


def _decode(store: _Store, name: str, grey: str) -> np.ndarray:
    """Read and decode one picture, uint8 (H, W)."""
    return decode_grey(store.read(name), f"{store.path}/{name}", grey=grey)


def _ids(files: list[str]) -> list[str]:
    """Name pictures after class folder and file: angry-12; by the whole path where that repeats."""
    # Class folder and file name are enough in most layouts.
    paths = [PurePosixPath(file) for file in files]
    ids = ["-".join([*path.parts[-2:-1], path.stem]) for path in paths]
    if len(set(ids)) == len(ids):
        return ids

    # One name in two folders of one class, as in train/ and validation/.
    return [file.replace("/", "-").rsplit(".", 1)[0] for file in files]
