"""Folds: each image held out once, copies together; pools that know the real faces are refused."""

import json

import numpy as np
import pytest

from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import FaceSet, concat
from lib.faces.folds import (
    assign_folds,
    evaluation_faces,
    in_fold,
    require_independent,
    without_real_copies,
)
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """100 drawn faces, and copies of three training images in test."""
    drawn = drawn_study(60, 10, 30, 0.1, 0)
    repeated = drawn.select(np.flatnonzero(drawn.table["split"] == "train")[:3])
    copies = repeated.with_columns(id=["a", "b", "c"], split="test")
    return mark_copies(concat([drawn, copies]), 6.0)


def test_folds_have_nearly_one_size_and_keep_clusters_together():
    clusters = np.repeat(np.arange(40), np.arange(40) % 4 + 1)
    fold = assign_folds(clusters, 5, seed=0)
    assert np.ptp(np.bincount(fold)) <= 1
    assert all(len(set(fold[clusters == cluster])) == 1 for cluster in range(40))
    for folds in (1, 41):
        with pytest.raises(StudyError, match=f"40 groups of copies .* {folds} folds"):
            assign_folds(clusters, folds, seed=0)


def test_every_image_is_held_out_once_and_copies_stay_together(faces):
    parts = [in_fold(faces, 3, number, seed=0) for number in (1, 2, 3)]
    held_out = np.concatenate([part.split("test").table["id"] for part in parts])
    assert sorted(held_out) == sorted(faces.table.loc[faces.table["split"] != "val", "id"])
    for part in parts:
        train, test = part.split("train"), part.split("test")
        assert set(train.table["cluster"]).isdisjoint(test.table["cluster"])
        assert part.split("val").digest() == faces.split("val").digest()
        assert len(train) + len(test) == 93


def test_the_evaluation_faces_are_those_of_all_folds_in_one_order(faces):
    evaluated, fold = evaluation_faces(faces, 3, 0)
    for number in (1, 2, 3):
        test = in_fold(faces, 3, number, seed=0).split("test")
        assert evaluated.select(fold == number).table["id"].tolist() == test.table["id"].tolist()
    assert not evaluated.table["leaked"].any() and (evaluated.table["split"] == "test").all()


def test_without_folds_all_stays(faces):
    evaluated, fold = evaluation_faces(faces, 0, 0)
    assert evaluated.digest() == faces.split("test").digest() and not fold.any()
    assert in_fold(faces, 0, 0, seed=0) is faces


def test_copies_of_real_faces_leave_a_pool(faces):
    pool = draw_faces(np.arange(10) % 7, 7_000_000 + np.arange(10))
    stolen = faces.select([0, 1]).with_columns(id=["x", "y"])
    left = without_real_copies(concat([pool, stolen]), faces, 6.0)
    assert left.table["id"].tolist() == pool.table["id"].tolist()


def test_pools_whose_generator_learned_from_real_faces_are_refused(faces, tmp_path):
    pool, card = faces.split("val"), tmp_path / "generator.json"
    card.write_text(json.dumps({"training": {}}))
    require_independent("drawn", tmp_path, pool)
    card.write_text(json.dumps({"training": {"steps": 5}}))
    with pytest.raises(StudyError, match="pool dcgan cannot be read over folds, for its generator"):
        require_independent("dcgan", tmp_path, pool)


def test_pools_of_edited_real_faces_are_refused(faces, tmp_path):
    pool = faces.split("val").with_columns(edited_from="train-1")
    with pytest.raises(StudyError, match="its images are edited real faces"):
        require_independent("edited", tmp_path / "none", pool)
