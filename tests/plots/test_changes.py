"""Changes class by class, gains against measures and amounts."""

import numpy as np
import pandas as pd
import pytest

from lib import plots
from lib.faces.arms import Arm, arm_table
from lib.plots.changes import change_table

SUPPLEMENT = Arm("supplement", "dcgan", 0.5)


def recalls(base: dict, arm: dict) -> pd.DataFrame:
    """Recalls of two seeds of base and of a supplement, by class."""
    parts = []
    for shown, values in ((Arm("base"), base), (SUPPLEMENT, arm)):
        for name, pair in values.items():
            for value in pair:
                parts.append(arm_table([shown]).assign(**{"class": name, "value": value}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def table() -> pd.DataFrame:
    base = {"fear": [0.2, 0.4], "happy": [0.8, 0.8]}
    return recalls(base, {"fear": [0.5, 0.5], "happy": [0.7, 0.8]})


def test_changes_are_means_over_seeds_in_points_against_base(table):
    changes = change_table(table)
    assert changes[["fear", "happy"]].to_numpy() == pytest.approx(np.array([[20.0, -5.0]]))
    assert changes["name"].tolist() == ["DCGAN"]
    assert changes["heading"].tolist() == ["Added to the real images: 50 % of the training images"]


def test_an_arm_of_few_real_images_is_held_against_these_alone():
    few = [Arm("subset", real=20), Arm("supplement", "dcgan", real=20, added=10)]
    values = {Arm("base"): 0.9, few[0]: 0.3, few[1]: 0.35, Arm("subset", real=40): 0.5}
    parts = [arm_table([arm]).assign(value=value) for arm, value in values.items()]
    changes = change_table(pd.concat(parts).assign(**{"class": "fear"}))
    assert changes["fear"].tolist() == pytest.approx([5.0])


def test_every_change_stands_in_its_cell_and_the_extremes_in_the_text(table):
    texts = [text.get_text() for text in plots.class_changes(table).texts]
    assert {"+20.0", "−5.0", "fear", "happy", "DCGAN"} <= set(texts)
    said = plots.changes_text(table)
    assert "gain +20.0 points for fear with DCGAN" in said
    assert "loss −5.0 points for happy with DCGAN" in said


def test_a_pool_is_one_mark_with_the_interval_of_its_gain():
    data = pd.DataFrame({"pool": ["dcgan"], "measure": [40.0], "difference": 0.01})
    data = data.assign(low=-0.01, high=0.03)
    ax = plots.gain_against(data, xlabel="label agreement, %")
    assert [list(line.get_ydata()) for line in ax.lines[1:]] == [[-1.0, 3.0], [1.0]]
    decided = data.assign(low_decided=-0.02, high_decided=0.04)
    lines = plots.gain_against(decided, xlabel="label agreement, %").lines[1:]
    assert list(lines[0].get_ydata()) == [-2.0, 4.0], "the interval beside a verdict decides it"
    assert plots.gain_text(data) == "Measure and gain of each pool: DCGAN 40.0: +1.0 points."


def test_a_dose_is_a_point_on_the_line_of_its_pool():
    arms = [Arm("supplement", "dcgan", share) for share in (0.5, 0.1)]
    data = arm_table(arms).assign(difference=[0.02, 0.01], low=0.0, high=0.03)
    line = plots.dose_response(data).lines[1]
    assert list(line.get_xdata()) == [10.0, 50.0] and list(line.get_ydata()) == [1.0, 2.0]
