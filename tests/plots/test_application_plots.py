"""The chart of sweeps: one column a disturbance, one line a model."""

import pandas as pd
import pytest

from lib.plots.application import sweeps
from lib.study.errors import StudyError


def swept(*kinds):
    rows = [(m, k, a, 0.5, 0.4, 0.6, 0.1, 0.05, 0.15) for m in ("base", "supplement-0.1-dcgan") for k in kinds for a in (0.0, 1.0)]
    return pd.DataFrame(rows, columns=["model", "disturbance", "amount", "accuracy", "low", "high", "ece_15", "ece_low", "ece_high"])


@pytest.mark.parametrize("kinds", [("blur",), ("blur", "darkness", "low_resolution")])
def test_each_disturbance_has_a_column_and_each_model_a_line(kinds):
    figure = sweeps(swept(*kinds))
    assert len(figure.axes) == 2 * len(kinds) and all(len(ax.lines) == 2 for ax in figure.axes)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["base", "supplement-0.1-dcgan"]


def test_a_table_without_intervals_is_refused():
    with pytest.raises(StudyError, match="ece_low"):
        sweeps(swept("blur").drop(columns="ece_low"))
