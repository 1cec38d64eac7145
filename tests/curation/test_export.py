"""The curated pool as an image folder: other tools load it, and its card states what was done."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from lib.curation import card
from lib.curation.card import detector_biases, export_pool, size_category, source_of, write_card
from lib.curation.chain import curate
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet, save_faces
from lib.study.errors import StudyError
from lib.study.params import load_params

PARAMS = load_params("quick")
BIASES = pd.DataFrame(
    [("class", "fear", 100, 60, 0.6, 0.5, 0.7), ("class", "sad", 100, 10, 0.1, 0.05, 0.2)],
    columns=["attribute", "value", "n", "rejected", "share", "low", "high"],
)


@pytest.fixture
def curated(tmp_path):
    """A pool of 21 textures, three of them blank, one relabelled by a person."""
    images = np.random.default_rng(0).integers(20, 230, (21, 48, 48), dtype=np.uint8)
    images[:3] = 99
    table = {
        "id": [f"p{k}" for k in range(21)],
        "class": np.array(EMOTIONS)[np.arange(21) % 7],
        "split": "train",
        "source": "synthetic",
        "generator": "toy",
    }
    pool = FaceSet(images, pd.DataFrame(table))
    person = {"id": ["p3"], "keep": [True], "score": np.nan, "reason": "", "relabel": ["sad"]}
    curation = curate(pool, ["blank"], PARAMS, review=pd.DataFrame(person))
    folder = tmp_path / "pools" / "toy"
    save_faces(pool, folder)
    return folder, pool, curation


@pytest.fixture
def exported(curated):
    folder, pool, curation = curated
    return pool, curation, export_pool(folder, pool, curation, name="toy")


def test_torchvision_reads_the_classes_and_the_pixels(exported):
    datasets = pytest.importorskip("torchvision.datasets")
    _, curation, folder = exported
    loaded = datasets.ImageFolder(str(folder))
    assert loaded.classes == list(EMOTIONS) and len(loaded) == 18
    place = {Path(path).stem: i for i, (path, _) in enumerate(loaded.samples)}
    assert EMOTIONS[loaded.targets[place["p3"]]] == "sad"
    for row, image in zip(curation.faces.table["id"], curation.faces.images, strict=True):
        assert (np.asarray(loaded[place[row]][0])[..., 0] == image).all()


def test_hugging_face_reads_images_and_metadata(exported, tmp_path):
    datasets = pytest.importorskip("datasets")
    _, curation, folder = exported
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == 18 and {"image", "id", "class", "source"} <= set(loaded.column_names)
    by_id = {row["id"]: row for row in loaded}
    assert by_id["p3"]["class"] == "sad"
    image = curation.faces.images[curation.faces.table["id"].tolist().index("p5")]
    assert (np.asarray(by_id["p5"]["image"].convert("L")) == image).all()


def test_the_card_states_what_was_rejected_and_why(exported):
    _, _, folder = exported
    text = (folder / "README.md").read_text()
    head = yaml.safe_load(text.split("---")[1])
    assert head["license"] == "unknown" and head["size_categories"] == ["n<1K"]
    assert head["pretty_name"] == "toy, curated"
    assert "3 of 21\ngenerated images were rejected" in text
    assert "| blank | 21 | 3 | 0.143 | contrast under 5 grey levels |" in text
    assert "made by synthetic, toy" in text and "Known biases" in text


def test_the_card_names_the_classes_of_the_set(curated, tmp_path):
    _, pool, _ = curated
    classes = ("no", "yes")
    names = np.array(classes)[np.arange(21) % 2]
    other = FaceSet(pool.images, pool.table.assign(**{"class": names}), classes)
    curation = curate(other, ["blank"], PARAMS)
    text = write_card(tmp_path, other, curation, name="toy").read_text()
    assert "2 classes" in text and "**Classes**: no, yes" in text
    assert "face" not in text.replace("No face detector", "")


def test_the_card_names_licence_and_measured_biases(exported):
    pool, curation, folder = exported
    asked = {"name": "toy", "license": "cc-by-4.0", "biases": BIASES}
    text = write_card(folder, pool, curation, **asked).read_text()
    assert yaml.safe_load(text.split("---")[1])["license"] == "cc-by-4.0"
    assert "**Licence**: cc-by-4.0" in text
    assert "the detector rejected 60.0% of class fear, and 10.0% of class sad" in text


def test_a_bias_is_named_only_where_it_was_measured_and_found():
    assert "no group more often" in detector_biases(BIASES.iloc[:1])
    assert "not measured" in detector_biases(None)
    assert "not measured" in detector_biases(BIASES.iloc[:0])


def test_an_export_with_other_pictures_is_refused(curated, monkeypatch):
    folder, pool, curation = curated

    def save_all(folder, verdicts, curated):
        original(folder, verdicts, pool)

    original = card.save_verdicts
    monkeypatch.setattr(card, "save_verdicts", save_all)
    with pytest.raises(StudyError, match="21 pictures, 3 of them rejected.*kept 18"):
        export_pool(folder, pool, curation, name="toy")


def test_the_source_is_what_the_table_records(exported):
    pool, _, _ = exported
    assert source_of(pool) == "made by synthetic, toy; 21 images in order of generation"
    prompted = pool.with_columns(prompt=[f"face {k % 3}" for k in range(21)])
    assert "toy, 3 different prompts; 21 images" in source_of(prompted)


@pytest.mark.parametrize(
    ("n", "category"), [(999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K")]
)
def test_size_categories_are_hugging_face_s(n, category):
    assert size_category(n) == category
