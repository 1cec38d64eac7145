"""The blind spot check: labels stay hidden, each answer is written at once and counted once."""

import numpy as np
import pandas as pd
import pytest

from lib.curation import spotcheck
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spot_check.csv"


def test_pools_and_classes_are_mixed_and_drawn_equally():
    pools = {
        "a": draw_faces(np.arange(21) % 7, np.arange(21)),
        "b": draw_faces(np.arange(21) % 7, 100 + np.arange(21)),
    }
    drawn = spotcheck.sample(pools, per_class=2, seed=0)
    assert len(drawn) == 28 and drawn["pool"].nunique() == 2
    assert drawn["pool"].iloc[:14].nunique() == 2
    assert (drawn.groupby(["pool", "class"]).size() == 2).all()
    for row in drawn.itertuples(index=False):
        assert pools[row.pool].table["id"][row.position] == row.id


def test_answers_are_counted_by_pool_and_class(path):
    pools = {
        "a": draw_faces(np.arange(21) % 7, np.arange(21)),
        "b": draw_faces(np.arange(21) % 7, 100 + np.arange(21)),
    }
    drawn = spotcheck.sample(pools, per_class=2, seed=0)
    for _, row in drawn.iterrows():
        answer = row["class"] if row["pool"] == "a" else EMOTIONS[0]
        spotcheck.save_answer(path, row, answer)
    # Once more: it counts once.
    spotcheck.save_answer(path, drawn.iloc[0], drawn["class"].iloc[0])

    table = spotcheck.recognition(path, EMOTIONS)
    whole = table[table["class"] == "all"].set_index("pool")
    assert whole.loc["a", "n"] == 14 and whole.loc["a", "recognised"] == 1
    assert whole.loc["b", "recognised"] < 0.3
    assert table.loc[table["pool"] == "a", "class"].tolist() == ["all", *EMOTIONS]


def test_without_answers_the_table_is_empty(path):
    assert spotcheck.recognition(path, EMOTIONS).empty


def parts_of(panel):
    """The panel's progress, question, buttons by description, and field for keys."""
    progress, text, _, first, second, keys = panel.children
    buttons = {button.description: button for button in (*first.children, *second.children)}
    return progress, text, buttons, keys


@pytest.fixture
def person(monkeypatch):
    """A person who runs the notebook."""
    monkeypatch.setattr("lib.curation.spotcheck.is_interactive", lambda: True)


def test_the_panel_asks_counts_and_writes_each_answer(path, person):
    pytest.importorskip("ipywidgets")
    pools = {"a": draw_faces(np.arange(14) % 7, np.arange(14))}
    progress, text, buttons, keys = parts_of(spotcheck.spot_check(pools, path, per_class=1))
    assert "Which expression does this face show?" in text.value and "image 1 of 7" in text.value
    buttons["happy"].click()
    keys.value = "1"
    keys.value = "12x"
    assert spotcheck.read_answers(path)["answer"].tolist() == ["happy", "angry", "disgust"]
    assert progress.value == 3 and "image 4 of 7" in text.value


def test_who_cannot_tell_says_so_and_an_answer_can_be_taken_back(path, person):
    pytest.importorskip("ipywidgets")
    pools = {"a": draw_faces(np.arange(14) % 7, np.arange(14))}
    progress, text, buttons, keys = parts_of(spotcheck.spot_check(pools, path, per_class=1))
    keys.value = "n"
    buttons["cannot tell"].click()
    keys.value = "n1"
    assert spotcheck.read_answers(path)["answer"].tolist() == ["cannot tell"] * 2 + ["angry"]
    buttons["undo"].click()
    keys.value = "n1u"
    assert spotcheck.read_answers(path)["answer"].tolist() == ["cannot tell"]
    assert progress.value == 1 and "image 2 of 7" in text.value
    whole = spotcheck.recognition(path, EMOTIONS).iloc[0]
    assert (whole["n"], whole["recognised"], whole["unclear"]) == (1, 0, 1)


def test_answers_of_an_earlier_session_are_not_taken_back(path, person):
    pytest.importorskip("ipywidgets")
    pools = {"a": draw_faces(np.arange(14) % 7, np.arange(14))}
    parts_of(spotcheck.spot_check(pools, path, per_class=1))[3].value = "1"
    keys = parts_of(spotcheck.spot_check(pools, path, per_class=1))[3]
    keys.value = "u"
    assert len(spotcheck.read_answers(path)) == 1


def test_the_panel_offers_the_classes_of_the_pools(path, person):
    pytest.importorskip("ipywidgets")
    table = {"id": ["x", "y"], "class": ["no", "yes"], "split": "train", "source": "test"}
    pool = FaceSet(np.zeros((2, 8, 8), np.uint8), pd.DataFrame(table), ("no", "yes"))
    _, _, buttons, keys = parts_of(spotcheck.spot_check({"a": pool}, path, per_class=1))
    assert list(buttons) == ["no", "yes", "cannot tell", "undo"]
    assert keys.placeholder == "1 no · 2 yes · n cannot tell · u undo"


def test_a_batch_run_shows_no_panel(path, capsys):
    pools = {"a": draw_faces(np.arange(14) % 7, np.arange(14))}
    assert spotcheck.spot_check(pools, path) is None
    assert "JupyterLab" in capsys.readouterr().out
