"""Images in few small files: lossless WebP sheets with a list of what they hold.

A machine that is lent for minutes gives back a handful of files of limited size; a sheet takes 0.7
bytes a pixel of a face. `unpack` makes image folders of them, which the generator `folder` reads.
"""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet, save_pictures
from lib.study.errors import StudyError
from lib.study.records import atomic_write, parsing, read_json, write_json

COLUMNS = 256  # images in a row of a sheet; WebP allows 16,383 pixels
LIST = "images.json"  # what the sheets hold
ENTRY = ("name", "file", "px", "labels", "seeds", "classes")  # keys of each set in it
LOSSLESS = [cv2.IMWRITE_WEBP_QUALITY, 101]  # OpenCV: above 100


def encoded_sheet(sets: dict[str, FaceSet]) -> bytes:
    """Encode sets of faces of one size as one sheet."""
    images = np.concatenate([faces.images for faces in sets.values()])
    return cv2.imencode(".webp", sheet_of(images), LOSSLESS)[1].tobytes()


def pack(folder: Path, file: str, sheet: bytes, sets: dict[str, FaceSet]) -> None:
    """Write a sheet, and add what it holds to the list.

    Args:
        folder: of the files.
        file: name of the sheet; a set may go on from one sheet to the next.
        sheet: see encoded_sheet.
        sets: by name, what it was made of.
    """
    with atomic_write(folder / file) as out:
        out.write(sheet)
    entries = []
    for name, faces in sets.items():
        entry = {"name": name, "file": file, "px": faces.images.shape[1]}
        entry |= {"labels": faces.labels.tolist(), "seeds": faces.table["seed"].tolist()}
        entries.append(entry | {"classes": list(faces.classes)})
    listed = read_json(folder / LIST)["sets"] if (folder / LIST).exists() else []
    write_json(folder / LIST, {"sets": [*listed, *entries]})


def unpack(folder: Path, out: Path) -> dict[str, FaceSet]:
    """Make an image folder of each set of images that was packed.

    Args:
        folder: of the sheets and their list.
        out: receives a folder for each set, `<class>/<id>.png` with metadata.csv.

    Returns:
        The sets by name.

    Raises:
        StudyError: there is no list, or a sheet is missing or damaged.
    """
    # Where in its sheet a set begins follows from those before it.
    parts: dict[str, list] = {}
    begun: dict[str, int] = {}
    listed = Path(folder) / LIST
    with parsing(listed, "fetch it again"):
        entries = [dict(entry) for entry in read_json(listed)["sets"]]
        missing = [key for entry in entries for key in ENTRY if key not in entry]
        if missing:
            raise ValueError(f"a set has no {missing[0]}")
    for entry in entries:
        first = begun.get(entry["file"], 0)
        begun[entry["file"]] = first + len(entry["labels"])
        images = _images_of(Path(folder), entry)[first : begun[entry["file"]]]
        parts.setdefault(entry["name"], []).append((entry, images))

    # Join the sheets of each set.
    sets = {}
    for name, sheets in parts.items():
        entries, images = zip(*sheets)
        classes = tuple(entries[0]["classes"])
        labels = np.concatenate([entry["labels"] for entry in entries])
        table = pd.DataFrame(
            {
                "id": [f"{name}-{number:06d}" for number in range(len(labels))],
                "class": [classes[label] for label in labels],
                "split": "train",
                "source": "synthetic",
                "generator": name,
                "seed": np.concatenate([entry["seeds"] for entry in entries]).astype(np.int64),
            }
        )
        sets[name] = FaceSet(np.concatenate(images), table, classes)
        save_pictures(sets[name], Path(out) / name)
    return sets


def sheet_of(images: np.ndarray) -> np.ndarray:
    """Lay images uint8 (N, px, px) out row by row; the last row is filled up with black."""
    # Whole rows.
    px, columns = images.shape[1], min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    filled = np.zeros((rows * columns, px, px), np.uint8)
    filled[: len(images)] = images

    # (rows, columns, px, px) to (rows * px, columns * px).
    return filled.reshape(rows, columns, px, px).swapaxes(1, 2).reshape(rows * px, columns * px)


def _images_of(folder: Path, entry: dict) -> np.ndarray:
    """Read all images of the sheet of an entry, uint8 (N, px, px)."""
    sheet = cv2.imread(str(folder / entry["file"]), cv2.IMREAD_GRAYSCALE)
    px = entry["px"]
    if sheet is None or sheet.shape[1] % px:
        raise StudyError(f"{folder / entry['file']}: no sheet of images of {px} px; fetch it again")

    # The inverse of sheet_of.
    columns = sheet.shape[1] // px
    return sheet.reshape(-1, px, columns, px).swapaxes(1, 2).reshape(-1, px, px)
