"""Face sets: labels travel by name, classes travel with them, files come back, damage is named."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.faces.faceset import (
    FaceSet,
    concat,
    label_indices,
    load_faces,
    pictures_are_whole,
    save_faces,
    save_pictures,
)
from lib.faces.sources import read_images
from lib.study.errors import StudyError

PETS = ("cat", "dog")


def small_set(n=6, px=8, prefix="a", split="train", classes=EMOTIONS):
    """Noise images; classes in turn, from the last one on."""
    images = np.random.default_rng(0).integers(0, 256, (n, px, px), dtype=np.uint8)
    table = pd.DataFrame(
        {
            "id": [f"{prefix}-{i}" for i in range(n)],
            "class": [classes[-1 - i % len(classes)] for i in range(n)],
            "split": split,
            "source": "made",
        }
    )
    return FaceSet(images, table, classes)


def test_labels_are_positions_in_classes():
    faces = small_set(7)
    assert faces.labels.tolist() == [6, 5, 4, 3, 2, 1, 0] and faces.labels.dtype == np.int64
    assert list(faces.counts().index) == list(EMOTIONS) and faces.counts().sum() == 7
    assert small_set(3, classes=PETS).labels.tolist() == [1, 0, 1]
    assert label_indices(["dog", "happy"], PETS).tolist() == [1, -1]


def test_select_by_mask_and_by_order():
    faces = small_set()
    assert faces.select([2, 0]).table["id"].tolist() == ["a-2", "a-0"]
    assert (faces.select(faces.labels == 6).images == faces.images[:1]).all()
    assert len(faces.select([])) == 0 and len(faces.split("val")) == 0


def test_classes_travel_with_every_set_that_is_made_from_another(tmp_path):
    faces = small_set(classes=PETS)
    save_faces(faces, tmp_path)
    made = [
        faces.select([0]),
        faces.split("val"),
        faces.resized(4),
        faces.with_columns(seed=1),
        concat([faces, small_set(prefix="b", classes=PETS)]),
        load_faces(tmp_path),
    ]
    assert [part.classes for part in made] == [PETS] * 6
    assert small_set(classes=list(PETS)).classes == PETS


def test_new_columns_leave_the_first_set_alone():
    faces = small_set()
    assert faces.with_columns(seed=7).table["seed"].tolist() == [7] * 6
    assert "seed" not in faces.table


def test_concat_keeps_rows_and_refuses_other_sizes_classes_and_shared_ids():
    joined = concat([small_set(), small_set(prefix="b")])
    assert len(joined) == 12 and joined.table.index.tolist() == list(range(12))
    with pytest.raises(StudyError, match="sizes"):
        concat([small_set(), small_set(px=9)])
    with pytest.raises(StudyError, match="'a-0' occurs twice"):
        concat([small_set(), small_set()])
    with pytest.raises(StudyError, match="different classes cannot be joined: angry, .*; cat, dog"):
        concat([small_set(), small_set(prefix="b", classes=PETS)])


@pytest.mark.parametrize(
    "column, value", [("class", "contempt"), ("split", "holdout"), ("class", None)]
)
def test_unknown_names_are_refused(column, value):
    faces = small_set()
    with pytest.raises(StudyError, match=f"unknown {column}"):
        FaceSet(faces.images, faces.table.assign(**{column: value}))


def test_packed_copy_comes_back_equal(tmp_path):
    faces = small_set()
    save_faces(faces, tmp_path)
    loaded = load_faces(tmp_path)
    assert (loaded.images == faces.images).all() and loaded.digest() == faces.digest()
    pd.testing.assert_frame_equal(loaded.table, faces.table, check_dtype=False)


def test_digest_sees_images_labels_classes_split_and_order():
    faces = small_set()
    others = [
        faces.select([1, 0, 2, 3, 4, 5]),
        FaceSet(255 - faces.images, faces.table),
        faces.with_columns(split="val"),
        faces.with_columns(**{"class": "sad"}),
        replace(faces, classes=EIGHT_EMOTIONS),
    ]
    assert len({one.digest() for one in [faces, *others]}) == 6


def test_damage_is_named(tmp_path):
    with pytest.raises(StudyError, match="does not exist"):
        load_faces(tmp_path)
    save_faces(small_set(), tmp_path)
    whole = (tmp_path / "faces.npz").read_bytes()
    (tmp_path / "faces.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StudyError, match="damaged"):
        load_faces(tmp_path)


def test_a_packed_copy_of_before_tables_had_digests_reads(tmp_path):
    save_faces(small_set(), tmp_path)
    with np.load(tmp_path / "faces.npz") as packed:
        np.savez(tmp_path / "faces.npz", images=packed["images"], digest=packed["digest"])
    assert load_faces(tmp_path).digest() == small_set().digest()


def test_halves_of_two_runs_are_refused(tmp_path):
    save_faces(small_set(), tmp_path / "one")
    save_faces(small_set(5), tmp_path / "two")
    (tmp_path / "two" / "faces.npz").replace(tmp_path / "one" / "faces.npz")
    with pytest.raises(StudyError, match="different runs"):
        load_faces(tmp_path / "one")


def test_a_packed_copy_without_its_classes_is_named(tmp_path):
    save_faces(small_set(), tmp_path)
    table = pd.read_parquet(tmp_path / "faces.parquet")
    del table.attrs["classes"]
    table.to_parquet(tmp_path / "faces.parquet", index=False)
    with np.load(tmp_path / "faces.npz") as packed:  # which held no digest of the table then
        np.savez(tmp_path / "faces.npz", images=packed["images"], digest=packed["digest"])
    with pytest.raises(StudyError, match="an earlier version, without classes.*again"):
        load_faces(tmp_path)


def test_picture_folder_holds_the_same_pixels(tmp_path):
    faces = small_set()
    save_faces(faces, tmp_path, pictures=True)
    rows = pd.read_csv(tmp_path / "metadata.csv")
    for image, name in zip(faces.images, rows["file_name"], strict=True):
        assert (cv2.imread(str(tmp_path / name), cv2.IMREAD_GRAYSCALE) == image).all()


def test_resizing_shrinks_by_area_and_grows_bilinearly():
    board = FaceSet(np.tile(np.uint8([[0, 200], [200, 0]]), (1, 4, 4)), small_set(1).table)
    assert (board.resized(4).images == 100).all()
    assert board.resized(16).images.shape == (1, 16, 16)


def test_every_image_has_a_picture_of_its_own_whatever_it_is_called(tmp_path):
    ids = ["a b", "a_b", "a:b", "A_B", "ä" * 300, "ä" * 301, "plain", "../up"]
    images = np.random.default_rng(0).integers(0, 256, (len(ids), 8, 8)).astype(np.uint8)
    table = pd.DataFrame({"id": ids, "class": "sad", "split": "train", "source": "x"})
    faces = FaceSet(images, table)
    save_pictures(faces, tmp_path)
    files = sorted(tmp_path.rglob("*.png"))
    assert len({str(file).lower() for file in files}) == len(ids)
    assert pictures_are_whole(faces, tmp_path)
    back = read_images(tmp_path, classes=["sad", "happy"])
    assert sorted(image.tobytes() for image in back.images) == sorted(map(bytes, images))
