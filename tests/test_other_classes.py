"""Studies of other classes than FER2013's seven: all nine notebooks, by parameters alone."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from smallest_study import GENERATED, command_of

from lib.faces.classes import EIGHT_EMOTIONS, FER2013_CODES
from lib.faces.drawn import draw_faces
from lib.faces.faceset import load_faces


def run_study(folder: Path, **values) -> Path:
    """Run the quick study with other values; return the folder of what it made."""
    done = subprocess.run(command_of(folder, **values), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "runs" / "quick"


def study_classes(runs: Path) -> tuple[str, ...]:
    """Read the classes of a study's real images, and check that its tables speak of no others."""
    classes = load_faces(runs / "data").classes
    by_class = pd.read_parquet(runs / "tables" / "results.parquet")["class"]
    assert set(by_class) - {""} == set(classes)
    return classes


def votes_file(folder: Path, images: int) -> None:
    """Write a fer2013.csv of drawn faces and FER+ votes in which some faces are contemptuous."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % 7
    faces = draw_faces(labels, np.arange(images))
    usages = np.array(["Training"] * 3 + ["PublicTest", "PrivateTest"])
    pixels = [" ".join(map(str, image.ravel())) for image in faces.images]
    codes = [FER2013_CODES.index(name) for name in faces.table["class"]]
    usage = usages[np.arange(images) // 7 % len(usages)]
    table = pd.DataFrame({"emotion": codes, "pixels": pixels, "Usage": usage})
    table.to_csv(folder / "fer2013.csv", index=False)

    # Ten votes an image: most for its own class, or for contempt in one image of nine.
    columns = {
        "neutral": "neutral",
        "happiness": "happy",
        "surprise": "surprise",
        "sadness": "sad",
        "anger": "angry",
        "disgust": "disgust",
        "fear": "fear",
        "contempt": "contempt",
        "unknown": "",
        "NF": "",
    }
    contemptuous = rng.random(images) < 1 / 9
    truth = np.where(contemptuous, "contempt", faces.table["class"])
    votes = {column: 8 * (truth == name) for column, name in columns.items()}
    votes["unknown"] = np.full(images, 2)
    names = [f"fer{row:07d}.png" for row in range(images)]
    head = {"Usage": usage, "Image name": names}
    pd.DataFrame(head | votes).to_csv(folder / "fer2013new.csv", index=False)


@pytest.mark.slow
def test_the_digits_of_scikit_learn(tmp_path):
    runs = run_study(tmp_path, data="digits", **GENERATED | {"curation_steps": "blank,face"})
    assert study_classes(runs) == tuple("0123456789")
    page = (tmp_path / "reports" / "quick" / "30_curation-dcgan.html").read_text()
    assert "does not apply" in page


@pytest.mark.slow
def test_five_emotions(tmp_path):
    five = ("angry", "fear", "happy", "sad", "surprise")
    pools = {"pools": "drawn-faithful,drawn-mislabelled", "pool_images": 500}
    sizes = {"drawn_train": 400, "drawn_val": 150, "drawn_test": 300}
    runs = run_study(tmp_path, classes=",".join(five), **pools, **sizes)
    assert study_classes(runs) == five


@pytest.mark.slow
def test_the_eight_classes_of_ferplus(tmp_path):
    votes_file(tmp_path, 1400)
    values = {"data": tmp_path / "fer2013.csv", "labels": "ferplus"}
    runs = run_study(tmp_path, **values, **GENERATED)
    assert study_classes(runs) == EIGHT_EMOTIONS
