"""The chart of sweeps: one column a disturbance, one line a model."""

import pandas as pd
import pytest

from lib.faces.arms import Arm, arm_table
from lib.plots.application import sweeps
from lib.plots.colours import colour
from lib.study.errors import StudyError

ARMS = [Arm("base"), Arm("supplement", "dcgan", 0.1)]


def swept(*kinds: str) -> pd.DataFrame:
    """Sweep two models over some disturbances, at two amounts."""
    parts = []
    for kind in kinds:
        for amount in (0.0, 1.0):
            where = {"disturbance": kind, "amount": amount}
            parts.append(arm_table(ARMS).rename(columns={"arm": "model"}).assign(**where))
    numbers = {"accuracy": 0.5, "low": 0.4, "high": 0.6}
    numbers |= {"ece_15": 0.1, "ece_low": 0.05, "ece_high": 0.15}
    return pd.concat(parts, ignore_index=True).assign(**numbers)


@pytest.mark.parametrize("kinds", [("blur",), ("blur", "darkness", "low_resolution")])
def test_each_disturbance_has_a_column_and_each_model_a_line(kinds):
    figure = sweeps(swept(*kinds))
    assert len(figure.axes) == 2 * len(kinds)
    assert all(len(ax.lines) == 2 for ax in figure.axes)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["all real images", "DCGAN"]


def test_the_amount_of_each_disturbance_has_its_unit():
    from lib.application.behaviour import DISTURBANCES

    below = sweeps(swept(*DISTURBANCES)).axes[len(DISTURBANCES) :]
    assert all(ax.get_xlabel() not in ("", "amount") for ax in below)


def test_models_have_the_colours_of_their_arms():
    lines = sweeps(swept("blur")).axes[0].lines
    assert [line.get_color() for line in lines] == [colour("base"), colour("dcgan")]


def test_a_table_without_intervals_is_refused():
    with pytest.raises(StudyError, match="ece_low"):
        sweeps(swept("blur").drop(columns="ece_low"))
