"""Pools: what curation decided is kept beside the images, never instead of them."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.faceset import FaceSet, save_faces
from lib.faces.pool import (
    apply_decisions,
    curated_images,
    decide,
    load_pool,
    load_verdicts,
    save_single_steps,
    save_verdicts,
    single_steps,
)
from lib.study.errors import StudyError


def pool_of(n=6):
    """Flat grey images, happy and sad in turn."""
    images = np.arange(n, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    table = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "class": ["happy", "sad"] * (n // 2),
            "split": "train",
            "source": "test",
        }
    )
    return FaceSet(images, table)


def verdict(id, step, keep, reason="why", relabel=""):
    reason = "" if keep else reason
    row = {"id": id, "step": step, "keep": keep, "score": 1.0, "reason": reason}
    return row | {"relabel": relabel}


def verdicts(*rows):
    return pd.DataFrame([verdict(*row) for row in rows])


def test_first_rejection_gives_the_reason():
    rows = [("a", "blank", False, "flat"), ("b", "blank", True), ("b", "face", False, "none")]
    decided = decide(verdicts(*rows), ["a", "b", "c"])
    assert decided["keep"].tolist() == [False, False, True]
    assert decided["reason"].tolist() == ["blank: flat", "face: none", ""]


def test_a_person_wins_over_every_step_both_ways():
    rows = [("a", "face", False), ("b", "face", True)]
    rows += [("a", "review", True), ("b", "review", False, "ugly")]
    decided = decide(verdicts(*rows), ["a", "b"])
    assert decided["keep"].tolist() == [True, False]
    assert decided["reason"].tolist() == ["", "review: ugly"]


def test_last_relabelling_holds():
    rows = [("a", "label", True, "", "sad"), ("a", "review", True, "", "fear")]
    rows += [("b", "label", True, "", "happy")]
    decided = decide(verdicts(*rows), ["a", "b", "c"])
    assert decided["curated_class"].tolist() == ["fear", "happy", ""]


def test_pool_never_curated_keeps_all(tmp_path):
    save_faces(pool_of(), tmp_path)
    pool = load_pool(tmp_path)
    assert pool.table["keep"].all() and (pool.table["reason"] == "").all()
    assert load_verdicts(tmp_path).empty and single_steps(tmp_path) == set()


def test_rejected_images_stay_in_the_pool_and_leave_the_curated_one(tmp_path):
    save_faces(pool_of(), tmp_path)
    rows = [("p0", "face", False, "none"), ("p1", "label", True, "", "fear")]
    save_verdicts(tmp_path, verdicts(*rows))
    pool, curated = load_pool(tmp_path), load_pool(tmp_path, curated=True)
    assert len(pool) == 6 and pool.table["reason"].tolist()[0] == "face: none"
    assert pool.table["class"].tolist()[1] == "sad"
    assert curated.table["id"].tolist() == ["p1", "p2", "p3", "p4", "p5"]
    assert curated.table["class"].tolist()[0] == "fear"


def test_curated_images_are_the_saved_ones(tmp_path):
    pool = pool_of()
    save_faces(pool, tmp_path)
    cropped = FaceSet(pool.images[1:, 2:6, 2:6], pool.table.iloc[1:])
    save_verdicts(tmp_path, verdicts(("p0", "face", False)), cropped)
    assert load_pool(tmp_path, curated=True).images.shape == (5, 4, 4)
    assert load_pool(tmp_path).images.shape == (6, 8, 8)


def test_pictures_of_an_earlier_curation_do_not_linger(tmp_path):
    pool = pool_of()
    save_faces(pool, tmp_path)
    save_verdicts(tmp_path, verdicts(("p5", "face", False)), pool.select(range(5)))
    save_verdicts(tmp_path, verdicts(("p0", "face", False)), pool.select(range(1, 3)))
    assert sorted(p.stem for p in curated_images(tmp_path).glob("*/*.png")) == ["p1", "p2"]


def test_missing_pool_and_foreign_verdicts_are_explained(tmp_path):
    with pytest.raises(StudyError, match="notebook 20"):
        load_pool(tmp_path)
    save_faces(pool_of(), tmp_path)
    save_verdicts(tmp_path, verdicts(("elsewhere", "face", False)))
    with pytest.raises(StudyError, match="elsewhere"):
        load_pool(tmp_path)
    with pytest.raises(StudyError, match="'relabel' is missing"):
        save_verdicts(tmp_path, verdicts(("p0", "face", False)).drop(columns="relabel"))


def test_a_single_step_keeps_its_own_images_in_order_and_no_other_verdict_counts(tmp_path):
    save_faces(pool_of(), tmp_path)
    chain = [("p0", "blank", False), ("p1", "face", False), ("p1", "review", True)]
    save_verdicts(tmp_path, verdicts(*chain))
    alone = [(f"p{i}", "face", i not in (1, 4)) for i in range(6)]
    alone += [(f"p{i}", "label", i > 1, "", "fear" if i == 2 else "") for i in range(6)]
    save_single_steps(tmp_path, verdicts(*alone))
    assert single_steps(tmp_path) == {"face", "label"}

    # Each step, and both.
    face = load_pool(tmp_path, steps=("face",)).table
    label = load_pool(tmp_path, steps=("label",)).table
    both = load_pool(tmp_path, steps=("face", "label")).table
    assert face["id"].tolist() == ["p0", "p2", "p3", "p5"]
    assert label["id"].tolist() == ["p2", "p3", "p4", "p5"] and label["class"].tolist()[0] == "fear"
    assert both["id"].tolist() == ["p2", "p3", "p5"]
    assert len(load_pool(tmp_path)) == 6 and len(load_pool(tmp_path, curated=True)) == 5


def test_a_step_without_verdicts_of_its_own_is_named(tmp_path):
    save_faces(pool_of(), tmp_path)
    message = "no verdicts of the step 'blur' alone; put it into filter_arms"
    with pytest.raises(StudyError, match=message):
        load_pool(tmp_path, steps=("blur",))


def test_pools_of_other_classes_keep_them_and_refuse_a_label_that_is_none(tmp_path):
    table = pool_of().table.assign(**{"class": ["cat", "dog"] * 3})
    save_faces(FaceSet(pool_of().images, table, ("cat", "dog")), tmp_path)
    rows = [("p0", "face", False), ("p1", "label", True, "", "cat")]
    save_verdicts(tmp_path, verdicts(*rows))
    curated = load_pool(tmp_path, curated=True)
    assert curated.classes == ("cat", "dog") and curated.table["class"].tolist()[0] == "cat"
    wrong = load_pool(tmp_path).with_columns(curated_class="happy")
    with pytest.raises(StudyError, match="unknown class 'happy'; classes are cat, dog"):
        apply_decisions(wrong)
