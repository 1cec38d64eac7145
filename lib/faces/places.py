"""Where pictures lie: the split and the class that their folders tell, and what to say where these
tell none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lib.faces.classes import EIGHT_EMOTIONS, known_class, names_a_container, split_of
from lib.faces.fer2013 import believed_splits
from lib.faces.files import PARQUETS, TABLES, Files
from lib.faces.pictures import endings_read


@dataclass(frozen=True)
class Place:
    """Where a picture lies, as far as that says what it is."""

    split: str | None  # of the nearest split folder, or of FER2013's file name
    folder: str  # that names its class; "" in the source itself
    is_known: bool  # the folder is a class asked for, or an emotion


def places_of(files: Files, classes: Sequence[str], needs_split: bool) -> dict[str, Place]:
    """Find the split and the class folder of each picture.

    The class is the nearest folder below the split that names a class asked for or an emotion
    (train/happy/person 3/1.png), else the folder that the picture lies in. A split may also lie
    inside the class (happy/train/1.png).
    """
    known = tuple(dict.fromkeys((*classes, *EIGHT_EMOTIONS)))

    # Folders are few, pictures many.
    by_folder: dict[str, Place] = {}
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


def why_nothing(files: Files, places: dict[str, Place], needs_split: bool) -> str:
    """Say why a source holds nothing that can be read, and what would."""
    layout = "train/happy/1.jpg and test/happy/2.jpg" if needs_split else "happy/1.jpg"
    or_metadata = "or a metadata.csv or .jsonl beside them with columns file_name and label"
    if not places:
        return (
            f"holds no pictures and no table of faces: {files.contents()}; expected e.g. {layout}, "
            f"pictures ending in {endings_read()}"
        )

    # Their labels may stand in a table of another name.
    tables = files.ending_in((*TABLES, *PARQUETS))
    if tables:
        or_metadata += (
            f"; is {tables[0]} the table of their labels? Save it as metadata.csv, with such "
            "columns"
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
    if all(names_a_container(folder) for folder in folders):
        return (
            f"pictures lie in folders that name no class ({', '.join(sorted(folders))}); a "
            f"picture's class is the folder that it lies in: expected e.g. {layout}, {or_metadata}"
        )
    classes = sorted({place.folder for place in places.values() if place.is_known})
    if classes:
        return (
            f"pictures lie in class folders ({', '.join(classes)}) that lie in no folder of a "
            f"split; sort them into train and test: expected e.g. {layout}, {or_metadata}"
        )
    return f"no pictures in <split>/<class>/ folders here; expected e.g. {layout}, {or_metadata}"


def _place_of(folders: list[str], known: Sequence[str]) -> Place:
    """Read split and class off the folders that a picture lies in, outermost first."""
    if not folders:
        return Place(None, "", False)

    # The nearest split folder; the innermost one may be a class of that name.
    inner = split_of(folders[-1])
    if inner and len(folders) > 1 and known_class(folders[-2], known):
        return Place(inner, folders[-2], True)
    above = [split_of(folder) for folder in folders[:-1]]
    at = max((i for i, split in enumerate(above) if split), default=-1)
    below = folders[at + 1 :]
    named = next((name for name in reversed(below) if known_class(name, known)), None)
    return Place(above[at] if at >= 0 else None, named or below[-1], named is not None)
