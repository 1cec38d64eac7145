"""Folds: each image held out once, copies together, val untouched; pools that know the real faces are refused."""

import json

import numpy as np
import pytest

from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import FaceSet, concat
from lib.faces.folds import in_fold, judged_faces, require_independent, without_copies
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    drawn = drawn_study(60, 10, 30, 0.1, 0)
    again = drawn.select(np.flatnonzero(drawn.table["split"] == "train")[:3])
    copies = FaceSet(again.images, again.table.assign(id=["a", "b", "c"], split="test"))
    return mark_copies(concat([drawn, copies]), 6.0)


def test_every_image_is_held_out_once_and_copies_stay_together(faces):
    parts = [in_fold(faces, 3, number, seed=0) for number in (1, 2, 3)]
    held = np.concatenate([part.split("test").table["id"] for part in parts])
    assert sorted(held) == sorted(faces.table.loc[faces.table["split"] != "val", "id"])
    for part in parts:
        assert set(part.split("train").table["cluster"]).isdisjoint(part.split("test").table["cluster"])
        assert part.split("val").digest() == faces.split("val").digest()
        assert len(part.split("train")) + len(part.split("test")) == 93


def test_the_judged_images_are_those_of_all_folds_in_one_order(faces):
    judged, fold = judged_faces(faces, 3, 0)
    for number in (1, 2, 3):
        assert judged.select(fold == number).table["id"].tolist() == in_fold(faces, 3, number, seed=0).split("test").table["id"].tolist()
    assert not judged.table["leaked"].any() and (judged.table["split"] == "test").all()


def test_without_folds_all_stays(faces):
    judged, fold = judged_faces(faces, 0, 0)
    assert judged.digest() == faces.split("test").digest() and not fold.any()
    assert in_fold(faces, 0, 0, seed=0) is faces


def test_copies_of_real_faces_leave_a_pool(faces):
    pool = draw_faces(np.arange(10) % 7, 7_000_000 + np.arange(10))
    stolen = FaceSet(faces.images[:2], faces.table.iloc[:2].assign(id=["x", "y"]))
    assert without_copies(concat([pool, stolen]), faces, 6.0).table["id"].tolist() == pool.table["id"].tolist()


def test_pools_that_know_the_real_faces_are_refused(faces, tmp_path):
    pool = faces.split("val")
    for training in ({}, {"steps": 5}):
        (tmp_path / "generator.json").write_text(json.dumps({"training": training}))
        if training:
            with pytest.raises(StudyError, match="cannot be read over folds"):
                require_independent("dcgan", tmp_path, pool)
        else:
            require_independent("drawn", tmp_path, pool)
    with pytest.raises(StudyError, match="edited"):
        require_independent("edited", tmp_path / "none", FaceSet(pool.images, pool.table.assign(edited_from="train-1")))
