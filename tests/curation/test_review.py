"""A person's decisions: read strictly, written at once, undone one by one."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.panel import class_keys, decision_keys, review_panel
from lib.curation.review import least_sure, picture_hash, read_review, review_history, write_review
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError


def faces_of(ids, names, classes=EMOTIONS):
    table = {"id": ids, "class": names, "split": "train", "source": "test"}
    return FaceSet(np.zeros((len(ids), 8, 8), np.uint8), pd.DataFrame(table), classes)


@pytest.fixture
def pool():
    return faces_of(["a", "b", "c"], ["happy", "sad", "fear"])


def test_decisions_come_back_as_verdicts(tmp_path, pool):
    path = tmp_path / "review.csv"
    decisions = [
        ("a", "reject", "", "no face", ""),
        ("b", "relabel", "fear", "", ""),
        ("c", "reject", "", "", ""),
        ("c", "keep", "", "", ""),
    ]
    write_review(path, decisions)
    verdicts = read_review(path, pool).set_index("id")
    assert verdicts["keep"].to_dict() == {"a": False, "b": True, "c": True}
    assert verdicts["relabel"].to_dict() == {"a": "", "b": "fear", "c": ""}
    assert verdicts["reason"].to_dict() == {"a": "a person rejected it: no face", "b": "", "c": ""}


def test_no_file_means_no_decision(tmp_path, pool):
    assert read_review(tmp_path / "review.csv", pool).empty


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,decision\nzz,keep\n", "line 2.*'zz'.*1 of 1"),
        ("id,decision\na,keep\na,reject\n", "line 3.*twice"),
        ("id,decision,class\na,relabel,sad\na,relabel,fear\n", "line 3.*twice"),
        ("id,decision,class\na,relabel,cheerful\n", "line 2.*'cheerful'.*surprise"),
        ("id,decision\na,maybe\n", "line 2.*'maybe'"),
        ("name,verdict\na,keep\n", "name, verdict.*id, decision"),
        ("id,decision\na,keep,x,y,z\nb,keep\n\x00", "review.csv"),
        (
            "id,decision\na,keep,x,y,z\n",
            "review.csv: damaged, cut off or of another kind.*Length of header",
        ),
        ("id;decision\na;keep\n", "columns id;decision; it needs id, decision"),
        ("\x89PNG\r\n\x1a\n", "it needs id, decision"),
    ],
)
def test_wrong_rows_name_file_and_line(tmp_path, pool, text, message):
    (tmp_path / "review.csv").write_text(text)
    with pytest.raises(StudyError, match=message):
        read_review(tmp_path / "review.csv", pool)


def test_the_classes_are_those_of_the_pool(tmp_path):
    (tmp_path / "review.csv").write_text("id,decision,class\na,relabel,yes\n")
    pool = faces_of(["a"], ["no"], ("no", "yes"))
    assert read_review(tmp_path / "review.csv", pool)["relabel"].tolist() == ["yes"]
    with pytest.raises(StudyError, match="relabel to 'yes'; classes are angry"):
        read_review(tmp_path / "review.csv", faces_of(["a"], ["sad"]))


def test_the_same_decision_twice_is_no_conflict(tmp_path, pool):
    (tmp_path / "review.csv").write_text("id,decision,note\na,keep,mine\na,keep,yours\n")
    assert len(read_review(tmp_path / "review.csv", pool)) == 1


def test_a_decision_does_not_apply_to_another_image_of_the_same_name(tmp_path, pool, capsys):
    path = tmp_path / "review.csv"
    hashes = [picture_hash(pool.images[0]), picture_hash(pool.images[1] + 1), ""]
    write_review(path, [(name, "reject", "", "", hash) for name, hash in zip("abc", hashes)])
    assert read_review(path, pool)["id"].tolist() == ["a", "c"]
    expected = "1 decisions are ignored, their images have changed since; review them again"
    assert f"{expected} (first: b)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("step", "keep", "at_the_border"),
    [
        ("blank", np.arange(10) >= 4, {"i3", "i4"}),  # rejects low scores
        ("exposure", np.arange(10) <= 7, {"i7", "i8"}),  # rejects high ones
    ],
)
def test_least_sure_are_the_scores_at_the_border(step, keep, at_the_border):
    ids = [f"i{k}" for k in range(10)]
    columns = {"id": ids, "step": step, "score": np.arange(10.0), "reason": "", "relabel": ""}
    verdicts = pd.DataFrame(columns).assign(keep=keep)
    nearest = least_sure(faces_of(ids, "sad"), verdicts, n=2)
    assert set(nearest["id"]) == at_the_border
    assert [ids[position] for position in nearest["position"]] == nearest["id"].tolist()


def test_a_step_that_measured_nothing_is_not_unsure():
    ids = ["i0", "i1"]
    columns = {"id": ids, "step": "face", "score": np.nan, "reason": "", "relabel": ""}
    verdicts = pd.DataFrame(columns).assign(keep=True)
    assert least_sure(faces_of(ids, "sad"), verdicts, n=2).empty


def widgets_of(panel):
    """The panel's progress, text, buttons by description, and field for keys."""
    progress, body = panel.children
    text, first, second, keys = body.children[1].children
    buttons = {button.description: button for button in (*first.children, *second.children)}
    return progress, text, buttons, keys


@pytest.fixture
def candidates():
    columns = {
        "id": ["c", "a", "b"],
        "step": "face",
        "keep": [True, False, True],
        "score": [1.0, 0.0, 2.0],
        "reason": ["", "none", ""],
    }
    return pd.DataFrame(columns)


@pytest.fixture
def person(monkeypatch):
    """A person who runs the notebook."""
    monkeypatch.setattr("lib.curation.panel.is_interactive", lambda: True)


def test_the_panel_decides_by_click_and_key_and_undoes(tmp_path, pool, candidates, person):
    path = tmp_path / "review.csv"
    panel = review_panel(pool, candidates, path)
    progress, text, buttons, keys = widgets_of(panel)
    assert "1 of 3" in text.value and "fear" in text.value
    assert keys.placeholder == "k keep · r reject · 1–7 new class · s skip · u undo"
    buttons["reject"].click()
    keys.value = "k"
    assert progress.value == 2
    # The field as the browser sends it while somebody types: each key acts once.
    keys.value = "k4"
    assert read_review(path, pool).set_index("id")["relabel"]["b"] == EMOTIONS[3]
    assert "through" in text.value

    buttons["undo"].click()
    assert [row[:2] for row in review_history(path)] == [("c", "reject"), ("a", "keep")]
    assert "3 of 3" in text.value and progress.value == 2


def test_the_panel_goes_on_where_it_stopped(tmp_path, pool, candidates, person):
    path = tmp_path / "review.csv"
    write_review(path, [("c", "reject", "", "", ""), ("a", "keep", "", "", "")])
    panel = review_panel(pool, candidates, path)
    _, text, buttons, _ = widgets_of(panel)
    assert "3 of 3" in text.value
    # Decisions of an earlier session are not undone from here.
    buttons["undo"].click()
    assert len(review_history(path)) == 2


@pytest.mark.parametrize("n", [2, 7, 10, 26])
def test_keys_name_every_class_once(n):
    classes = tuple("abcdefghijklmnopqrstuvwxyz"[:n])
    decisions = decision_keys(classes)
    assert {new for _, new in decisions.values()} == {"", *classes}
    assert decisions["k"] == ("keep", "") and decisions["r"] == ("reject", "")
    assert list(class_keys(classes))[:10] == list("1234567890")[:n]


def test_classes_beyond_the_tenth_have_a_button(tmp_path, person):
    pytest.importorskip("ipywidgets")
    classes = tuple("abcdefghijkl")
    pool = faces_of(["x"], ["a"], classes)
    row = {"id": ["x"], "step": "face", "keep": [True], "score": [1.0], "reason": [""]}
    panel = review_panel(pool, pd.DataFrame(row), tmp_path / "review.csv")
    widgets_of(panel)[2]["l"].click()
    assert review_history(tmp_path / "review.csv")[0][:3] == ("x", "relabel", "l")


def test_a_batch_run_shows_no_panel(tmp_path, pool, capsys):
    candidates = pd.DataFrame({"id": ["a"]})
    assert review_panel(pool, candidates, tmp_path / "review.csv") is None
    assert "JupyterLab" in capsys.readouterr().out
