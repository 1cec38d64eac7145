"""Cross-dataset evaluation: a classifier's accuracy on any labelled pictures, class by class."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.application.detection import S1, make_detector
from lib.application.drawing import crop
from lib.application.network import Network
from lib.curation.intervals import wilson
from lib.faces.classes import announce_aliases, class_of
from lib.faces.faceset import FaceSet
from lib.faces.pictures import decode_grey, to_square
from lib.faces.sources import PICTURES, read_faces
from lib.study.errors import StudyError


def read_labelled(
    path: Path,
    *,
    px: int,
    classes: tuple[str, ...],
    find_faces: bool = False,
    margin_share: float = 0.0,
) -> FaceSet:
    """Read labelled pictures of any size: a picture's class is the folder it lies in.

    Other folders and damaged pictures are left out, and what was taken for what is printed.

    Args:
        path: folder, or what lib.faces.sources.read_faces takes (zip, CSV, Parquet).
        px: side of the result, pixels.
        classes: those that the classifier tells apart; known aliases of them are understood.
        find_faces: cut the largest face out of each picture, with S1's detector; a picture without
            one is taken whole.
        margin_share: widening of the face's box on each side, as the application cuts it.

    Raises:
        StudyError: nothing there, or no folder whose name is a class.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return read_faces(path, px=px, classes=classes, complete=False)

    # Decide which folders are classes, and say so.
    files = [file for file in path.rglob("*") if file.suffix.lower() in PICTURES]
    files = sorted(file for file in files if not file.name.startswith("."))
    class_by_folder = _classes_of_folders(files, classes)

    # Read their pictures.
    detect = make_detector(S1) if find_faces else None
    images, rows = [], []
    for file in files:
        name = class_by_folder[file.parent]
        grey = _decoded(file) if name else None
        if grey is None:
            continue
        images.append(_face_of(grey, detect, px, margin_share))
        rows.append(
            {
                "id": f"{len(rows)}-{file.stem}",
                "class": name,
                "split": "test",
                "source": path.name,
                "file": str(file.relative_to(path)),
            }
        )
    if not images:
        raise StudyError(
            f"{path}: no pictures in folders named after a class ({', '.join(classes)}, or an "
            "alias, such as anger)"
        )
    return FaceSet(np.stack(images), pd.DataFrame(rows), classes)


def class_accuracy(network: Network, faces: FaceSet, *, batch: int = 256) -> pd.DataFrame:
    """Give a network's accuracy on the faces of each class.

    Args:
        network: classifier.
        faces: labelled, of the network's size.
        batch: images at once.

    Returns:
        One row a class that occurs and one for all: class, accuracy, low, high (95 % Wilson), n,
        most often taken for (where the network is wrong).
    """
    # Predict in batches.
    starts = range(0, len(faces), batch)
    parts = [network.classify(faces.images[i : i + batch]).argmax(1) for i in starts]
    predicted = np.array(network.classes)[np.concatenate(parts)]
    true = faces.table["class"].to_numpy()

    rows = []
    for name in [*(c for c in faces.classes if (true == c).any()), "all"]:
        # Accuracy on this class, or on all.
        chosen = (true == name) | (name == "all")
        correct = predicted[chosen] == true[chosen]
        accuracy, low, high = wilson(int(correct.sum()), len(correct))

        # What the network takes its images for, where it is wrong.
        wrong = pd.Series(predicted[chosen][~correct])
        confusion = wrong.mode().iloc[0] if len(wrong) else ""
        rows.append((name, accuracy, low, high, len(correct), confusion))
    columns = ["class", "accuracy", "low", "high", "n", "most often taken for"]
    return pd.DataFrame(rows, columns=columns)


def _classes_of_folders(files: list[Path], classes: tuple[str, ...]) -> dict[Path, str | None]:
    """Give the class that each folder's name stands for, None for no class; print both."""
    class_by_folder = {}
    aliases = {}
    left_out = {}
    for file in files:
        # Each folder is decided once.
        folder = file.parent
        if folder not in class_by_folder:
            class_by_folder[folder] = _class_or_none(folder.name, classes)

        # Note what will be printed.
        name = class_by_folder[folder]
        if name is None:
            left_out[folder.name] = left_out.get(folder.name, 0) + 1
        elif folder.name.lower() != name.lower():
            aliases[folder.name] = name
    announce_aliases(aliases)
    if left_out:
        counts = ", ".join(f"{name} ({left_out[name]:,} pictures)" for name in sorted(left_out))
        print(f"left out, no class of this study: {counts}")
    return class_by_folder


def _class_or_none(name: str, classes: tuple[str, ...]) -> str | None:
    """Give the class that a folder's name stands for, None where it stands for none."""
    try:
        return class_of(name, "folder", classes)
    except StudyError:
        return None


def _decoded(file: Path) -> np.ndarray | None:
    """Decode a picture to grey; a damaged one is named and gives None."""
    try:
        return decode_grey(file.read_bytes(), str(file))
    except (StudyError, OSError) as error:
        print(f"left out: {error}")
        return None


def _face_of(grey: np.ndarray, detect, px: int, margin_share: float) -> np.ndarray:
    """Cut the largest detected face out of a picture, or take it whole; uint8 (px, px)."""
    # Detect, and take the widest box.
    boxes = detect(grey, np.zeros((0, 4))) if detect else []
    largest = max(boxes, key=lambda box: box[2], default=None)
    if largest is None:
        return to_square(grey, px)
    return crop(grey, largest, px=px, margin_share=margin_share)
