"""Real faces and ready-made pools as people have them: folders, zip files, CSV, Parquet.

One reader for the whole project. Which kind a source is, is decided by what lies in it, in this
order: metadata that labels pictures; pictures in class folders; a CSV of pixels; Parquet. What is
not read is counted and named.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, class_of, known_class, split_in, split_of
from lib.faces.duplicates import near_groups
from lib.faces.faceset import FaceSet
from lib.faces.fer2013 import believed_splits, is_fer2013, row_numbers
from lib.faces.files import PARQUETS, TABLES, TWICE, Files, open_files
from lib.faces.listing import Listing, decode_listing, picture_ids
from lib.faces.metadata import labelled_metadata, list_metadata
from lib.faces.parquet import holds_faces, list_parquet
from lib.faces.pictures import decode_grey, endings_read
from lib.faces.tables import is_faces_csv, list_csv
from lib.study.errors import StudyError

CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
STREAM = 11  # of the study's seed, for the validation split
# Of a real file with several names the one counts that lies here: never test images in training.
BY_CAUTION = ("test", "val", "train")
# Why pictures are left out.
NO_SPLIT = "pictures in no split folder"
NO_CLASS = "pictures in no class folder"
TWO_CLASSES = "names of pictures that links put into several classes"


def read_faces(path: str | Path, *, px: int = 48, classes: Sequence[str] = ()) -> FaceSet:
    """Read labelled real faces with their splits.

    Args:
        path: a folder (<split>/<class>/ at any depth, or pictures with a metadata.csv or .jsonl), a
            zip of one, fer2013.csv or icml_face_data.csv (also inside a folder or zip), or Parquet.
        px: side that every image is resized to; of others than squares the middle one is taken.
        classes: names of the classes to read; empty: all. `lib.faces.classes.classes_of` decides
            which folder names or codes stand for which class.

    Returns:
        Face set; splits train, val, test. FER2013's own split is taken from file names that agree
        with the folders, or from Usage; in a source with train and one more split, that split
        becomes test. Columns file, and row (FER2013's row number) where the names hold it.

    Raises:
        StudyError: nothing there, an unknown class or layout, a file that does not read, a class
            without training images.
    """
    with open_files(path) as files:
        listing = _listing(files, classes, needs_split=True)
        files.announce(listing.used)
        faces = decode_listing(listing, px, classes=classes)

    # Of two splits the second is the held-out one, hence the test set.
    table = faces.table
    if set(table["split"]) == {"train", "val"}:
        faces = faces.with_columns(split=table["split"].replace("val", "test"))
    require_training_images(faces, files.path)
    return faces


def read_images(
    path: str | Path,
    *,
    px: int = 0,
    classes: Sequence[str] = EMOTIONS,
    strict: bool = True,
    cut: Callable[[np.ndarray], np.ndarray] | None = None,
    skip_damaged: bool = False,
) -> FaceSet:
    """Read labelled images whose splits do not matter: ready-made pools, other data sets.

    Args:
        path: as in read_faces; no split is needed.
        px: side of the images; 0: the most frequent one, others are resized to it.
        classes: of the study; images of other emotions are left out, which is announced.
        strict: a class that is no emotion stops; False leaves it out, too.
        cut, skip_damaged: as in decode_listing.

    Returns:
        Face set of one size, split train, with a column file (path inside the source) where there
        are files.

    Raises:
        StudyError: nothing there, an unknown class, a file that does not read.
    """
    with open_files(path) as files:
        listing = _listing(files, classes, needs_split=False)
        files.announce(listing.used)

        # A class that is none may be a misspelt one; emotions beside the classes are not.
        known = tuple(dict.fromkeys((*classes, *EIGHT_EMOTIONS)))
        for name, place in listing.places.items() if strict else ():
            class_of(name, place, known)
        options = {"classes": classes, "complete": False}
        faces = decode_listing(listing, px, cut=cut, skip_damaged=skip_damaged, **options)
    return faces.with_columns(split="train")


def read_everything(path: str | Path, *, px: int) -> FaceSet:
    """Read all labelled images for an audit: with the splits that are told, train where none is;
    files that do not read are left out, each with a line.

    Args:
        path, px: as in read_faces.
    """
    with open_files(path) as files:
        listing = _listing(files, (), needs_split=False)
        files.announce(listing.used)
        return decode_listing(listing, px, complete=False, skip_damaged=True)


def tells_splits(path: str | Path, *, classes: Sequence[str] = ()) -> bool:
    """Tell whether a source divides its images into training and test images; decodes none.

    Args:
        path, classes: as in read_faces.
    """
    with open_files(path) as files:
        listing = _listing(files, classes, needs_split=False)
    return bool(listing.table["split"].notna().any())


def carve_validation(
    faces: FaceSet, share: float, seed: int, *, near_copy_distance: float
) -> FaceSet:
    """Turn a share of train into val, copies kept together.

    Args:
        share: of the training images, 0 to 0.5.
        seed: of the study.
        near_copy_distance: as near_pairs; 0 keeps exact copies together only.
    """
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


@dataclass(frozen=True)
class _Place:
    """Where a picture lies, as far as that says what it is."""

    split: str | None  # of the nearest split folder, or of FER2013's file name
    folder: str  # that names its class; "" in the source itself
    is_known: bool  # the folder is a class asked for, or an emotion


def _listing(files: Files, classes: Sequence[str], *, needs_split: bool) -> Listing:
    """List a source by the kind that it is of."""
    tables = labelled_metadata(files)
    if tables:
        return list_metadata(files, tables, needs_split=needs_split)
    if files.is_table and files.ending_in(TABLES):
        return list_csv(files, files.names, needs_split=needs_split)

    # Pictures in folders of known classes come before tables; a picture beside one does not.
    places = _places(files, classes, needs_split)
    is_sorted = any(place.is_known for place in places.values())
    if is_sorted and (usable := _usable(files, places, needs_split)):
        return _list_pictures(files, usable)

    # Tables.
    csv = _faces_csv(files)
    if csv:
        return list_csv(files, csv, needs_split=needs_split)
    parquets = files.once(files.ending_in(PARQUETS))
    faces = [name for name in parquets if holds_faces(files, name)]
    if faces:
        return list_parquet(files, faces, needs_split=needs_split)

    # Folders of other names than emotions'.
    usable = _usable(files, places, needs_split)
    if usable:
        return _list_pictures(files, usable)

    # A table that holds no faces says what is missing; else the layout is told.
    tables = files.ending_in(TABLES)
    if not places and len(tables) == 1:
        return list_csv(files, tables, needs_split=needs_split)
    if not places and len(parquets) == 1:
        return list_parquet(files, parquets, needs_split=needs_split)
    raise StudyError(f"{files.path}: {_why_nothing(files, places, needs_split)}")


def _places(files: Files, classes: Sequence[str], needs_split: bool) -> dict[str, _Place]:
    """Find the split and the class folder of each picture.

    The class is the nearest folder below the split that names a class asked for or an emotion
    (train/happy/person 3/1.png), else the folder that the picture lies in. A split may also lie
    inside the class (happy/train/1.png).
    """
    known = tuple(dict.fromkeys((*classes, *EIGHT_EMOTIONS)))

    # Folders are few, pictures many.
    by_folder: dict[str, _Place] = {}
    places = {}
    for name in files.pictures:
        folder = name.rpartition("/")[0]
        if folder not in by_folder:
            by_folder[folder] = _place_of(folder.split("/") if folder else [], known)
        places[name] = by_folder[folder]

    # FER2013's own split is in the file name.
    if not needs_split:
        return places
    splits = believed_splits({name: place.split for name, place in places.items()})
    return {name: replace(place, split=splits[name]) for name, place in places.items()}


def _place_of(folders: list[str], known: Sequence[str]) -> _Place:
    """Read split and class off the folders that a picture lies in, outermost first."""
    if not folders:
        return _Place(None, "", False)

    # The nearest split folder; the innermost one may be a class of that name.
    inner = split_of(folders[-1])
    if inner and len(folders) > 1 and known_class(folders[-2], known):
        return _Place(inner, folders[-2], True)
    above = [split_of(folder) for folder in folders[:-1]]
    at = max((i for i, split in enumerate(above) if split), default=-1)
    below = folders[at + 1 :]
    named = next((name for name in reversed(below) if known_class(name, known)), None)
    return _Place(above[at] if at >= 0 else None, named or below[-1], named is not None)


def _usable(files: Files, places: dict[str, _Place], needs_split: bool) -> dict[str, _Place]:
    """Keep the pictures that lie in a class folder, and in a split where one is needed, once."""
    usable, reasons = {}, {}
    for name, place in places.items():
        if not place.folder or (needs_split and split_of(place.folder) and not place.is_known):
            reasons[name] = NO_CLASS
        elif needs_split and not place.split:
            reasons[name] = NO_SPLIT
        else:
            usable[name] = place

    # Nothing is left out of nothing: the caller says what is wrong.
    if usable:
        for name, reason in reasons.items():
            files.leave_out(reason, name)
    return _once(files, usable)


def _once(files: Files, places: dict[str, _Place]) -> dict[str, _Place]:
    """Take each real file once, in the most cautious of its splits; none with two classes."""
    names_of: dict = {}
    for name in places:
        names_of.setdefault(files.identity.get(name, name), []).append(name)
    kept = dict(places)
    for names in names_of.values():
        if len(names) == 1:
            continue
        if len({_class_in(places[name].folder) for name in names}) > 1:
            left_out, reason = names, TWO_CLASSES
        else:
            left_out, reason = sorted(names, key=lambda name: _caution(places[name]))[1:], TWICE
        for name in left_out:
            files.leave_out(reason, name)
            del kept[name]
    return kept


def _class_in(folder: str) -> str:
    """Tell folders of one class, such as joy and happy, by one name."""
    return known_class(folder) or folder


def _caution(place: _Place) -> int:
    """Order splits: of one real file the test image counts."""
    return BY_CAUTION.index(place.split) if place.split else len(BY_CAUTION)


def _list_pictures(files: Files, places: dict[str, _Place]) -> Listing:
    """List pictures in class folders.

    Args:
        files: the source.
        places: split and class folder of each picture, by its name.
    """
    # Where each class stands first, for messages.
    names = list(places)
    folders = [places[name].folder for name in names]
    first_places = {}
    for name, folder in zip(names, folders):
        first_places.setdefault(folder, f"{files.path}/{name.rpartition('/')[0]}")

    # Copies of FER2013 hold its seven classes, and their names may hold its row numbers.
    table = pd.DataFrame(
        {
            "id": picture_ids(names),
            "split": [place.split for place in places.values()],
            "source": files.path.stem,
            "file": names,
        }
    )
    rows = row_numbers(names)
    if rows is not None:
        table["row"] = pd.array(rows, "Int64")
    declared = EMOTIONS if is_fer2013(names) else ()

    def image(row: int) -> np.ndarray:
        return decode_grey(files.read(names[row]), files.where(names[row]))

    return Listing(str(files.path), folders, first_places, table, image, declared, names)


def _faces_csv(files: Files) -> list[str]:
    """Find the tables of faces among the CSV files of a folder or zip.

    Raises:
        StudyError: several, which are no splits of one set, and none has one of FER2013's names.
    """
    tables = files.once(files.ending_in(TABLES))
    found = [name for name in tables if is_faces_csv(files, name)]
    named = [name for name in found if PurePosixPath(name).name.lower() in CSV_NAMES]
    if named or len(found) < 2:
        return named[:1] or found

    # train.csv and test.csv are one set.
    splits = [split_in(name) for name in found]
    if None in splits or len(set(splits)) < len(splits):
        raise StudyError(
            f"{files.path}: holds several tables of faces ({', '.join(found[:4])}); give one of "
            "them"
        )
    return found


def _why_nothing(files: Files, places: dict[str, _Place], needs_split: bool) -> str:
    """Say why a source holds nothing that can be read, and what would."""
    layout = "train/happy/1.jpg and test/happy/2.jpg" if needs_split else "happy/1.jpg"
    or_metadata = "or a metadata.csv or .jsonl beside them with columns file_name and label"
    if not places:
        return (
            f"holds no pictures and no table of faces: {files.contents()}; expected e.g. {layout}, "
            f"pictures ending in {endings_read()}"
        )

    # Pictures, but in no folder that tells what they are.
    folders = {place.folder for place in places.values()}
    if folders == {""}:
        return (
            "pictures lie in the folder itself; a picture's class is the folder that it lies in: "
            f"expected e.g. {layout}, {or_metadata}"
        )
    if all(split_of(folder) for folder in folders - {""}):
        return (
            "pictures lie in a folder named after a split; a picture's class is the folder that it "
            f"lies in: expected e.g. {layout}, {or_metadata}"
        )
    return f"no pictures in <split>/<class>/ folders here; expected e.g. {layout}, {or_metadata}"
