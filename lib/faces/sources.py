"""Real faces and ready-made pools as people have them: folders, zip files, CSV, Parquet.

One reader for the whole project. Which kind a source is, is decided by what lies in it, in this
order: metadata that labels pictures; pictures in class folders; a CSV of pixels; Parquet. What is
not read is counted and named.
"""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from lib.faces.classes import (
    EIGHT_EMOTIONS,
    EMOTIONS,
    class_of,
    known_class,
    names_a_container,
    split_in,
    split_of,
)
from lib.faces.duplicates import near_groups
from lib.faces.faceset import FaceSet
from lib.faces.fer2013 import is_fer2013, row_numbers
from lib.faces.files import PARQUETS, TABLES, TWICE, Files, open_files
from lib.faces.listing import Listing, decode_listing, picture_ids
from lib.faces.metadata import labelled_metadata, list_metadata
from lib.faces.parquet import holds_faces, list_parquet
from lib.faces.pictures import decode_grey
from lib.faces.places import Place, places_of, why_nothing
from lib.faces.tables import is_faces_csv, list_csv
from lib.study.errors import StudyError

CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
STREAM = 11  # of the study's seed, for the validation split
# Of a real file with several names the one counts that lies here: never test images in training.
BY_CAUTION = ("test", "val", "train")
# Why pictures are left out.
NO_SPLIT = "pictures in no split folder"
NO_CLASS = "pictures in no class folder"
AS_CLASS = "files in place of class folders"
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


def _listing(files: Files, classes: Sequence[str], *, needs_split: bool) -> Listing:
    """List a source by the kind that it is of."""
    tables = labelled_metadata(files)
    if tables:
        return list_metadata(files, tables, needs_split=needs_split)
    if files.is_table and files.ending_in(TABLES):
        return list_csv(files, files.names, needs_split=needs_split)

    # Pictures in folders of known classes come before tables; a picture beside one does not.
    places = places_of(files, classes, needs_split)
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

    # Folders of other names than emotions', unless they say nothing: images, data.
    usable = _usable(files, places, needs_split)
    if not all(names_a_container(place.folder) for place in usable.values()):
        return _list_pictures(files, usable)

    # A table that holds no faces says what is missing; else the layout is told.
    tables = files.ending_in(TABLES)
    if not places and len(tables) == 1:
        return list_csv(files, tables, needs_split=needs_split)
    if not places and len(parquets) == 1:
        return list_parquet(files, parquets, needs_split=needs_split)
    raise StudyError(f"{files.path}: {why_nothing(files, places, needs_split)}")


def _usable(files: Files, places: dict[str, Place], needs_split: bool) -> dict[str, Place]:
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


def _once(files: Files, places: dict[str, Place]) -> dict[str, Place]:
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


def _caution(place: Place) -> int:
    """Order splits: of one real file the test image counts."""
    return BY_CAUTION.index(place.split) if place.split else len(BY_CAUTION)


def _list_pictures(files: Files, places: dict[str, Place]) -> Listing:
    """List pictures in class folders.

    Args:
        files: the source.
        places: split and class folder of each picture, by its name.
    """
    # What is no folder though it is called as a class is, as a link that was copied to Windows.
    for name in files.names:
        file = PurePosixPath(name)
        if not file.suffix and known_class(file.name):
            files.leave_out(AS_CLASS, name)

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
