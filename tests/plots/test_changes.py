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
    assert changes["heading"].tolist() == ["Added to the real images: 50% of the training images"]


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


def gains(pools: list[str], settings: tuple[str, ...] = ("added",)) -> pd.DataFrame:
    """The same gain for every pool in every setting, at measures of 40, 41, ..."""
    own = pd.DataFrame({"pool": pools, "measure": 40.0 + np.arange(len(pools)), "gain": 0.01})
    own = own.assign(low=-0.01, high=0.03)
    return pd.concat([own.assign(setting=setting) for setting in settings], ignore_index=True)


def crossing(setting: str, low: float = np.nan) -> list[dict]:
    return [{"setting": setting, "break_even": 41.0, "low": low, "high": 43.0}]


NOTHING = []


def test_a_pool_is_one_mark_with_the_interval_of_its_gain():
    data = gains(["dcgan"])
    (ax,) = plots.gain_against(data, NOTHING, xlabel="label agreement").axes
    assert [list(line.get_ydata()) for line in ax.lines[1:]] == [[-1.0, 3.0], [1.0]]
    assert plots.gain_text(data).endswith("added: DCGAN 40.00: +1.0.")


def test_where_gains_break_even_stands_a_line_in_the_panel_of_its_setting():
    data = gains(["dcgan", "acgan"], ("few", "many"))
    few, many = plots.gain_against(data, crossing("many", 40.5), xlabel="x").axes
    assert [line.get_xdata()[0] for line in many.lines[-1:]] == [41.0]
    assert (many.patches[0].get_x(), many.patches[0].get_width()) == pytest.approx((40.5, 2.5))
    assert not few.patches and len(few.lines) == 5


def test_an_interval_without_an_end_reaches_to_the_edge():
    (ax,) = plots.gain_against(gains(["dcgan", "acgan"]), crossing("added"), xlabel="x").axes
    assert ax.patches[0].get_x() == pytest.approx(ax.get_xlim()[0])


def test_many_pools_are_named_by_their_family():
    few = [f"dcgan~gan_steps={number}" for number in range(1, 4)]
    many = few + [f"acgan~gan_steps={number}" for number in range(1, 8)]
    names = {
        len(pools): [
            text.get_text()
            for text in plots.gain_against(gains(pools), NOTHING, xlabel="x").legends[0].texts
        ]
        for pools in (few, many)
    }
    assert names[3] == [f"DCGAN, {number} training steps" for number in range(1, 4)]
    assert names[10] == ["DCGAN", "ACGAN"]


def test_a_dose_is_a_point_on_the_line_of_its_pool():
    arms = [Arm("supplement", "dcgan", share) for share in (0.5, 0.1)]
    data = arm_table(arms).assign(difference=[0.02, 0.01], low=0.0, high=0.03)
    line = plots.dose_response(data).lines[1]
    assert list(line.get_xdata()) == [10.0, 50.0] and list(line.get_ydata()) == [1.0, 2.0]
