"""The curated pool as an image folder: it loads in other people's tools, and its card says what was done."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from lib.curation.card import measured_biases, size_category, source_of, write_card
from lib.curation.chain import curate
from lib.faces.faceset import CLASSES, FaceSet, save_faces
from lib.faces.pool import curated_images, save_verdicts
from lib.study.params import load_params

PARAMS = load_params("quick")


@pytest.fixture
def exported(tmp_path):
    """A pool of 21 textures, three of them blank, one relabelled by a person; curated and saved."""
    images = np.random.default_rng(0).integers(20, 230, (21, 48, 48), dtype=np.uint8)
    images[:3] = 99
    table = pd.DataFrame(
        {
            "id": [f"p{k}" for k in range(21)],
            "class": np.array(CLASSES)[np.arange(21) % 7],
            "split": "train",
            "source": "synthetic",
            "generator": "toy",
        }
    )
    pool = FaceSet(images, table)
    person = pd.DataFrame({"id": ["p3"], "keep": [True], "score": np.nan, "reason": "", "relabel": ["sad"]})
    curation = curate(pool, ["blank"], PARAMS, review=person)
    folder = tmp_path / "pools" / "toy"
    save_faces(pool, folder)
    save_verdicts(folder, curation.verdicts, curation.faces)
    write_card(curated_images(folder), pool, curation.faces, curation.verdicts, name="toy, curated", source=source_of(pool))
    return pool, curation, curated_images(folder)


def test_torchvision_reads_the_classes_and_the_pixels(exported):
    datasets = pytest.importorskip("torchvision.datasets")
    _, curation, folder = exported
    loaded = datasets.ImageFolder(str(folder))
    assert loaded.classes == list(CLASSES) and len(loaded) == 18
    name = {Path(path).stem: (i, label) for i, (path, label) in enumerate(loaded.samples)}
    assert CLASSES[name["p3"][1]] == "sad"
    for row, image in zip(curation.faces.table["id"], curation.faces.images, strict=True):
        assert (np.asarray(loaded[name[row][0]][0])[..., 0] == image).all()


def test_hugging_face_reads_images_and_metadata(exported, tmp_path):
    datasets = pytest.importorskip("datasets")
    _, curation, folder = exported
    loaded = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 18 and {"image", "id", "class", "source"} <= set(loaded.column_names)
    by_id = {row["id"]: row for row in loaded}
    assert by_id["p3"]["class"] == "sad"
    assert (np.asarray(by_id["p5"]["image"].convert("L")) == curation.faces.images[curation.faces.table["id"].tolist().index("p5")]).all()


def test_card_says_what_was_rejected_and_why(exported):
    _, _, folder = exported
    text = (folder / "README.md").read_text()
    head = yaml.safe_load(text.split("---")[1])
    assert head["license"] == "unknown" and head["size_categories"] == ["n<1K"]
    assert "3 of 21 generated images were rejected" in text
    assert "| blank | 21 | 3 | 0.143 | contrast under 5 grey levels |" in text
    assert "made by synthetic, toy" in text and "Known biases" in text


def test_card_names_licence_and_measured_biases(exported):
    pool, curation, folder = exported
    biases = pd.DataFrame([("class", "fear", 100, 60, 0.6, 0.5, 0.7), ("class", "sad", 100, 10, 0.1, 0.05, 0.2)],
                          columns=["attribute", "value", "n", "rejected", "share", "low", "high"])  # fmt: skip
    text = write_card(
        folder, pool, curation.faces, curation.verdicts, name="toy", source="", license="cc-by-4.0", biases=biases
    ).read_text()
    assert yaml.safe_load(text.split("---")[1])["license"] == "cc-by-4.0" and "**Licence**: cc-by-4.0" in text
    assert "the detector rejected 60.0% of class fear, and 10.0% of class sad" in text
    assert "no group more often" in measured_biases(biases.iloc[:1]) and "not in the chain" in measured_biases(None)


def test_size_categories_are_hugging_face_s():
    assert [size_category(n) for n in (999, 1000, 99_999)] == ["n<1K", "1K<n<10K", "10K<n<100K"]
