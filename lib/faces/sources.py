"""Real faces and ready-made pools as people have them: folders, zip files, CSV, Parquet."""

import os
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.naming import announce_aliases, class_of, split_of
from lib.faces.pictures import decode_grey, to_square
from lib.faces.tables import read_csv_faces, read_parquet_faces
from lib.study.errors import StudyError

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm"}
FER2013_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_(\d+)\.[A-Za-z]+$")  # <Usage>_<row>, the names of FER2013's copies
MOST_BYTES = 200_000_000  # a picture that unpacks to more is a mistake or an attack


def read_faces(path: str | Path, *, px: int = 48, grey: str = "luma") -> FaceSet:
    """Read labelled real faces with their splits.

    Args:
        path: a folder (<split>/<class>/ at any depth), a zip of one, fer2013.csv or icml_face_data.csv (also inside a zip), or Parquet.
        px: side that every image is resized to.
        grey: as decode_grey.

    Returns:
        Face set; splits train, val, test. FER2013's own split is taken from file names or Usage;
        a source with train and one more part reports on that part. Columns file, and row (FER2013's row number) where the names hold it.

    Raises:
        StudyError: nothing there, an unknown class or layout, a file that does not read.
    """
    path = _existing(path)
    if path.suffix.lower() == ".csv":
        return _finish(read_csv_faces(path, path.name), px, path)
    if path.suffix.lower() == ".parquet" or (path.is_dir() and any(path.glob("**/*.parquet"))):
        return _finish(read_parquet_faces(path, grey), px, path)
    with _Store(path) as store:
        if store.csv and not store.pictures:
            with store.stream(store.csv[0]) as file:
                return _finish(read_csv_faces(file, f"{path}/{store.csv[0]}"), px, path)
        return _finish(_read_pictures(store, _splits(store.pictures, path), px, grey), px, path)


def read_images(path: str | Path, *, grey: str = "luma") -> FaceSet:
    """Read ready-made images sorted into class folders, at their own size; split folders above the classes do not matter.

    Returns:
        Face set of one size (the most frequent, others are resized to it), split train, with a column file (path inside the source).

    Raises:
        StudyError: nothing there, an unknown class folder, a file that does not read.
    """
    path = _existing(path)
    with _Store(path) as store:
        return _read_pictures(store, dict.fromkeys(store.pictures, "train"), 0, grey)


class _Store:
    """A folder or a zip file, read through the same names; nothing is unpacked."""

    def __init__(self, path: Path):
        self.path, self.zip = path, None
        if path.is_dir():
            walk = os.walk(path, followlinks=True)  # folders of data are often links to another disk
            names = [Path(folder, file).relative_to(path).as_posix() for folder, _, files in walk for file in files]
        else:
            self.zip = _open_zip(path)
            names = [info.filename for info in self.zip.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX")]
        shown = sorted(name for name in names if not PurePosixPath(name).name.startswith("."))
        self.pictures = [name for name in shown if PurePosixPath(name).suffix.lower() in PICTURES]
        self.csv = [name for name in shown if name.lower().endswith(("fer2013.csv", "icml_face_data.csv"))]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.zip:
            self.zip.close()

    def stream(self, name: str):
        return self.zip.open(name) if self.zip else open(self.path / name, "rb")

    def read(self, name: str) -> bytes:
        """Read one file.

        Raises:
            StudyError: its part of the zip is damaged.
        """
        if self.zip and self.zip.getinfo(name).file_size > MOST_BYTES:
            raise StudyError(
                f"{self.path}: {name} unpacks to {self.zip.getinfo(name).file_size:,} bytes, too large for a picture; remove it"
            )
        try:
            return self.zip.read(name) if self.zip else (self.path / name).read_bytes()
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
            raise StudyError(f"{self.path}: {name} does not read ({error}); copy or download the file again") from None


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError):
        raise StudyError(
            f"{path}: neither a folder nor a whole zip file; if it is a zip, it was cut off: copy or download it again"
        ) from None


def _existing(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if not path.exists():
        raise StudyError(f"{path}: no such file or folder")
    return path


def _splits(names: list[str], path: Path) -> dict[str, str]:
    """Find each picture's split: FER2013's prefix in the file name, else the nearest split folder above it."""
    found = {}
    for name in names:
        parts = PurePosixPath(name).parts
        prefix = FER2013_NAME.match(parts[-1])
        official = split_of(prefix[1]) if prefix else None
        nearest = next((s for part in reversed(parts[:-2]) if (s := split_of(part))), None)
        if official or nearest:
            found[name] = official or nearest
    if len(found) < len(names) and found:
        print(f"{path.name}: {len(names) - len(found):,} of {len(names):,} pictures lie in no split folder and are left out")
    if not found:
        raise StudyError(f"{path}: no pictures in <split>/<class>/ folders here; expected e.g. train/happy/1.jpg and test/happy/2.jpg")
    return found


def _read_pictures(store: _Store, splits: dict[str, str], px: int, grey: str) -> FaceSet:
    """Decode pictures in parallel; the class is the folder that a picture lies in."""
    names = sorted(splits)
    if not names:
        raise StudyError(f"{store.path}: holds no pictures ({', '.join(sorted(PICTURES))})")
    folders = {str(PurePosixPath(name).parent) for name in names}
    classes = {folder: class_of(PurePosixPath(folder).name, f"{store.path}/{folder}") for folder in sorted(folders)}
    announce_aliases({PurePosixPath(f).name: c for f, c in classes.items() if PurePosixPath(f).name.lower() != c})
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        images = list(threads.map(lambda name: decode_grey(store.read(name), f"{store.path}/{name}", grey=grey), names, chunksize=64))
    side = px or int(pd.Series([max(image.shape) for image in images]).mode().iloc[0])
    table = pd.DataFrame({"id": [_id_of(name) for name in names], "class": [classes[str(PurePosixPath(name).parent)] for name in names]})
    table = table.assign(split=[splits[name] for name in names], source=store.path.stem, file=names)
    if table["id"].duplicated().any():  # one name in two folders of one class, as in train/ and validation/
        table["id"] = [name.replace("/", "-").rsplit(".", 1)[0] for name in names]
    return FaceSet(np.stack([to_square(image, side) for image in images]), table)


def _id_of(name: str) -> str:
    parts = PurePosixPath(name).parts
    return "-".join([*parts[-2:-1], PurePosixPath(name).stem])


def _finish(faces: FaceSet, px: int, path: Path) -> FaceSet:
    """Resize, number FER2013's rows, settle which part is reported on, and refuse an empty class."""
    table = faces.table
    if "row" not in table and "file" in table:
        row = table["file"].str.extract(FER2013_NAME)[1]
        table = table.assign(row=row.astype("Int64")) if row.notna().all() else table
    if set(table["split"]) == {"train", "val"}:  # two parts: the second is what was held out, so it is reported on
        table = table.assign(split=table["split"].replace("val", "test"))
    faces = FaceSet(faces.images, table).resized(px)
    for split, part in table.groupby("split"):
        empty = sorted(set(CLASSES) - set(part["class"]))
        if empty and split == "train":
            raise StudyError(f"{path}: no training images of {', '.join(empty)}; all of {', '.join(CLASSES)} are needed")
    return faces


def carve_validation(faces: FaceSet, share: float, seed: int, *, near_copy_distance: float = 0.0) -> FaceSet:
    """Turn a share of train into val, copies kept together.

    Args:
        share: of the training images, 0 to 0.5.
        near_copy_distance: as near_pairs; 0 keeps exact copies together only.
    """
    from lib.faces.duplicates import near_groups

    train = np.flatnonzero((faces.table["split"] == "train").to_numpy())
    if not len(train):
        return faces
    groups = near_groups(faces.images[train], near_copy_distance)
    order = np.random.default_rng([seed, 11]).permutation(int(groups.max()) + 1)
    chosen = train[order[groups] < share * len(order)]
    split = faces.table["split"].to_numpy(object).copy()
    split[chosen] = "val"
    return FaceSet(faces.images, faces.table.assign(split=split))
