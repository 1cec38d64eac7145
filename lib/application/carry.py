"""How far a classifier carries: its answers on any labelled pictures, another data set's for instance, class by class."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.application.detection import S1, make_detector
from lib.application.drawing import crop
from lib.application.network import Network
from lib.curation.intervals import wilson
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.naming import announce_aliases, class_of
from lib.faces.pictures import decode_grey, to_square
from lib.faces.sources import PICTURES, read_faces
from lib.study.errors import StudyError


def read_labelled(path: Path, *, px: int, find_faces: bool = False, margin_share: float = 0.0) -> FaceSet:
    """Read labelled pictures of any size: a picture's class is the folder it lies in, under whatever known name.

    Other folders and damaged pictures are left out, and what was taken for what is printed.

    Args:
        path: folder, or what lib.faces.sources.read_faces takes (zip, CSV, Parquet).
        px: side of the result.
        find_faces: cut the largest face out of each picture, with S1's detector; a picture without one is taken whole.
        margin_share: widening of the face's box on each side, as the application cuts it.

    Raises:
        StudyError: nothing there, or no folder whose name is a class.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return read_faces(path, px=px)
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURES and not p.name.startswith("."))
    kinds = {folder: _class_or_none(folder.name) for folder in {file.parent for file in files}}
    announce_aliases({folder.name: kind for folder, kind in kinds.items() if kind and folder.name.lower() != kind})
    _say_left_out(files, kinds)
    detect, images, rows = make_detector(S1) if find_faces else None, [], []
    for file in files:
        if kinds[file.parent] is None:
            continue
        try:
            grey = decode_grey(file.read_bytes(), str(file))
        except (StudyError, OSError) as error:
            print(f"left out: {error}")
            continue
        boxes = detect(grey, np.zeros((0, 4))) if detect else []
        largest = max(boxes, key=lambda box: box[2], default=None)
        images.append(to_square(grey, px) if largest is None else crop(grey, largest, px=px, margin_share=margin_share))
        rows.append((f"{len(rows)}-{file.stem}", kinds[file.parent], "test", path.name, str(file.relative_to(path))))
    if not images:
        raise StudyError(f"{path}: no pictures in folders named after a class ({', '.join(CLASSES)}, or an alias, such as anger)")
    return FaceSet(np.stack(images), pd.DataFrame(rows, columns=["id", "class", "split", "source", "file"]))


def class_accuracy(network: Network, faces: FaceSet, *, batch: int = 256) -> pd.DataFrame:
    """Tell how many faces of each class a network names rightly.

    Returns:
        One row a class that occurs and one for all: class, accuracy, low, high (95 % Wilson), n, most often taken for (where it is wrong).
    """
    parts = [network.classify(faces.images[i : i + batch]).argmax(1) for i in range(0, len(faces), batch)]
    said, true = np.array(network.classes)[np.concatenate(parts)], faces.table["class"].to_numpy()
    rows = []
    for name in [*(c for c in CLASSES if (true == c).any()), "all"]:
        mine = (true == name) | (name == "all")
        wrong = pd.Series(said[mine & (said != true)])
        share, low, high = wilson(int((said == true)[mine].sum()), int(mine.sum()))
        rows.append((name, share, low, high, int(mine.sum()), wrong.mode().iloc[0] if len(wrong) else ""))
    return pd.DataFrame(rows, columns=["class", "accuracy", "low", "high", "n", "most often taken for"])


def _class_or_none(name: str) -> str | None:
    try:
        return class_of(name, "folder")
    except StudyError:
        return None


def _say_left_out(files: list[Path], kinds: dict) -> None:
    """Print the folders whose names are no class, with how many pictures are in them."""
    counts = pd.Series([file.parent.name for file in files if kinds[file.parent] is None], dtype=str).value_counts().sort_index()
    if len(counts):
        print("left out, no class of this study: " + ", ".join(f"{name} ({n:,} pictures)" for name, n in counts.items()))
