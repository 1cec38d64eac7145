"""Pools: what curation said is kept beside the images, never instead of them."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.faceset import FaceSet, save_faces
from lib.faces.pool import curated_images, decide, load_pool, load_verdicts, save_alone, save_verdicts
from lib.study.errors import StudyError


def pool_of(n=6):
    images = np.arange(n, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    table = pd.DataFrame({"id": [f"p{i}" for i in range(n)], "class": ["happy", "sad"] * (n // 2), "split": "train", "source": "test"})
    return FaceSet(images, table)


def verdict(id, step, keep, reason="why", relabel=""):
    return {"id": id, "step": step, "keep": keep, "score": 1.0, "reason": "" if keep else reason, "relabel": relabel}


def test_first_rejection_gives_the_reason():
    decided = decide(
        pd.DataFrame([verdict("a", "blank", False, "flat"), verdict("b", "blank", True), verdict("b", "face", False, "none")]),
        ["a", "b", "c"],
    )
    assert decided["keep"].tolist() == [False, False, True]
    assert decided["reason"].tolist() == ["blank: flat", "face: none", ""]


def test_a_person_wins_over_every_step_both_ways():
    rows = [verdict("a", "face", False), verdict("b", "face", True), verdict("a", "review", True), verdict("b", "review", False, "ugly")]
    decided = decide(pd.DataFrame(rows), ["a", "b"])
    assert decided["keep"].tolist() == [True, False]
    assert decided["reason"].tolist() == ["", "review: ugly"]


def test_last_relabelling_holds():
    rows = [
        verdict("a", "label", True, relabel="sad"),
        verdict("a", "review", True, relabel="fear"),
        verdict("b", "label", True, relabel="happy"),
    ]
    assert decide(pd.DataFrame(rows), ["a", "b", "c"])["curated_class"].tolist() == ["fear", "happy", ""]


def test_pool_never_curated_keeps_all(tmp_path):
    save_faces(pool_of(), tmp_path)
    pool = load_pool(tmp_path)
    assert pool.table["keep"].all() and (pool.table["reason"] == "").all()
    assert load_verdicts(tmp_path).empty


def test_rejected_images_stay_in_the_pool_and_leave_the_curated_one(tmp_path):
    save_faces(pool_of(), tmp_path)
    save_verdicts(tmp_path, pd.DataFrame([verdict("p0", "face", False, "none"), verdict("p1", "label", True, relabel="fear")]))
    pool, curated = load_pool(tmp_path), load_pool(tmp_path, curated=True)
    assert len(pool) == 6 and pool.table["reason"].tolist()[0] == "face: none"
    assert pool.table["class"].tolist()[1] == "sad"
    assert curated.table["id"].tolist() == ["p1", "p2", "p3", "p4", "p5"]
    assert curated.table["class"].tolist()[0] == "fear"


def test_curated_images_are_the_saved_ones(tmp_path):
    pool = pool_of()
    save_faces(pool, tmp_path)
    cropped = FaceSet(pool.images[1:, 2:6, 2:6], pool.table.iloc[1:].reset_index(drop=True))
    save_verdicts(tmp_path, pd.DataFrame([verdict("p0", "face", False)]), cropped)
    assert load_pool(tmp_path, curated=True).images.shape == (5, 4, 4)
    assert load_pool(tmp_path).images.shape == (6, 8, 8)


def test_pictures_of_an_earlier_curation_do_not_linger(tmp_path):
    pool = pool_of()
    save_faces(pool, tmp_path)
    save_verdicts(tmp_path, pd.DataFrame([verdict("p5", "face", False)]), pool.select(range(5)))
    save_verdicts(tmp_path, pd.DataFrame([verdict("p0", "face", False)]), pool.select(range(1, 3)))
    assert sorted(p.stem for p in curated_images(tmp_path).glob("*/*.png")) == ["p1", "p2"]


def test_missing_pool_and_foreign_verdicts_are_explained(tmp_path):
    with pytest.raises(StudyError, match="notebook 20"):
        load_pool(tmp_path)
    save_faces(pool_of(), tmp_path)
    save_verdicts(tmp_path, pd.DataFrame([verdict("elsewhere", "face", False)]))
    with pytest.raises(StudyError, match="elsewhere"):
        load_pool(tmp_path)
    with pytest.raises(StudyError, match="'relabel' is missing"):
        save_verdicts(tmp_path, pd.DataFrame([{"id": "p0", "step": "face", "keep": True, "score": 0.0, "reason": ""}]))


def test_one_step_alone_keeps_its_own_images_in_order_and_nobody_else_s_verdict_counts(tmp_path):
    save_faces(pool_of(), tmp_path)
    save_verdicts(tmp_path, pd.DataFrame([verdict("p0", "blank", False), verdict("p1", "face", False), verdict("p1", "review", True)]))
    alone = [verdict(f"p{i}", "face", i not in (1, 4)) for i in range(6)] + [
        verdict(f"p{i}", "label", i > 1, relabel="fear" if i == 2 else "") for i in range(6)
    ]
    save_alone(tmp_path, pd.DataFrame(alone))
    assert load_pool(tmp_path, steps=("face",)).table["id"].tolist() == ["p0", "p2", "p3", "p5"]
    label = load_pool(tmp_path, steps=("label",)).table
    assert label["id"].tolist() == ["p2", "p3", "p4", "p5"] and label["class"].tolist()[0] == "fear"
    assert load_pool(tmp_path, steps=("face", "label")).table["id"].tolist() == ["p2", "p3", "p5"]
    assert len(load_pool(tmp_path)) == 6 and len(load_pool(tmp_path, curated=True)) == 5


def test_a_step_that_never_judged_the_pool_alone_is_named(tmp_path):
    save_faces(pool_of(), tmp_path)
    with pytest.raises(StudyError, match="'blur' has not judged it alone; set filter_arms"):
        load_pool(tmp_path, steps=("blur",))
