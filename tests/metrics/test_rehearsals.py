"""Rehearsals: pools are what their truth says, and answers are counted as right, undecided or wrong."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.drawn import drawn_study
from lib.faces.mixing import synthetic_count
from lib.metrics.rehearsals import RECORD, SHARE, TRUTHS, WRONG, pools_of, rates, recorded


def test_the_harmless_pool_holds_nothing_new_and_the_harmful_one_mostly_wrong_labels():
    real = drawn_study(60, 0, 0, 0.1, 1003).split("train")
    pools = pools_of(real, 3)
    assert {len(pool) for pool in pools.values()} == {synthetic_count(60, SHARE)}
    known = {image.tobytes() for image in real.images}
    assert all(image.tobytes() in known for image in pools["harmless"].images)
    assert not any(image.tobytes() in known for image in pools["helping"].images)
    assert (pools["helping"].table["true_class"] == pools["helping"].table["class"]).all()
    wrong = (pools["harmful"].table["true_class"] != pools["harmful"].table["class"]).mean()
    assert wrong == pytest.approx(WRONG, abs=0.12)


def test_an_undecided_answer_is_not_right_and_not_wrong():
    truths = dict(TRUTHS)
    found = pd.DataFrame([truths, truths | {"helping": "undecided"}, truths | {"helping": "hurts"}, truths])
    table = rates(found).set_index("pool")
    assert table.loc["helping", "right"] == 0.5 and table.loc["helping", "wrong"] == 1
    assert (table.drop("helping")["right"] == 1).all()
    assert (table["low"] <= table["right"]).all() and (table["right"] <= table["high"] + 1e-9).all()


@pytest.mark.skipif(not RECORD.exists(), reason="no rehearsals recorded yet")
def test_the_recorded_rehearsals_are_of_forty_studies_and_the_study_was_mostly_right():
    table = recorded()
    assert list(table["pool"]) == list(TRUTHS)
    assert (table["studies"] >= 40).all()
    assert np.all(table["wrong"] / table["studies"] <= 0.1)
