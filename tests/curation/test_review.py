"""A person's decisions: read strictly, written at once, undone one by one."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.panel import KEYS, review_panel
from lib.curation.review import least_sure, picture_hash, read_review, review_history, write_review
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError


@pytest.fixture
def pool():
    table = pd.DataFrame({"id": ["a", "b", "c"], "class": ["happy", "sad", "fear"], "split": "train", "source": "test"})
    return FaceSet(np.zeros((3, 8, 8), np.uint8), table)


def test_decisions_come_back_as_verdicts(tmp_path, pool):
    write_review(
        tmp_path / "review.csv",
        [("a", "reject", "", "no face", ""), ("b", "relabel", "fear", "", ""), ("c", "reject", "", "", ""), ("c", "keep", "", "", "")],
    )
    verdicts = read_review(tmp_path / "review.csv", pool).set_index("id")
    assert verdicts["keep"].to_dict() == {"a": False, "b": True, "c": True}
    assert verdicts["relabel"].to_dict() == {"a": "", "b": "fear", "c": ""}
    assert "no face" in verdicts["reason"]["a"]


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
        ("id,decision\na,keep,x,y,z\n", "review.csv: cannot be read as CSV.*Length of header"),
        ("id;decision\na;keep\n", "columns id;decision; it needs id, decision"),
        ("\x89PNG\r\n\x1a\n", "it needs id, decision"),
    ],
)
def test_wrong_rows_name_file_and_line(tmp_path, pool, text, message):
    (tmp_path / "review.csv").write_text(text)
    with pytest.raises(StudyError, match=message):
        read_review(tmp_path / "review.csv", pool)


def test_the_same_decision_twice_is_no_conflict(tmp_path, pool):
    (tmp_path / "review.csv").write_text("id,decision,note\na,keep,mine\na,keep,yours\n")
    assert len(read_review(tmp_path / "review.csv", pool)) == 1


def test_a_decision_does_not_fall_on_another_image_of_the_same_name(tmp_path, pool, capsys):
    seen = [picture_hash(pool.images[0]), picture_hash(pool.images[1] + 1), ""]
    write_review(tmp_path / "review.csv", [(name, "reject", "", "", image) for name, image in zip("abc", seen)])
    assert read_review(tmp_path / "review.csv", pool)["id"].tolist() == ["a", "c"]
    assert "1 decisions do not count, their images have changed since; review them again (first: b)" in capsys.readouterr().out


def test_least_sure_are_the_scores_at_the_border():
    low_is_bad = pd.DataFrame({"id": [f"i{k}" for k in range(10)], "step": "blank", "score": np.arange(10.0), "reason": "", "relabel": ""})
    low_is_bad["keep"] = low_is_bad["score"] >= 4
    faces = FaceSet(
        np.zeros((10, 8, 8), np.uint8), pd.DataFrame({"id": low_is_bad["id"], "class": "sad", "split": "train", "source": "test"})
    )
    assert set(least_sure(faces, low_is_bad, n=2)["id"]) == {"i3", "i4"}
    high_is_bad = low_is_bad.assign(step="exposure", keep=low_is_bad["score"] <= 7)
    assert set(least_sure(faces, high_is_bad, n=2)["position"]) == {7, 8}


def widgets_of(panel):
    """The panel's widgets by what they say."""
    progress, body = panel.children
    text, first, second, keys = body.children[1].children
    return progress, text, {b.description: b for b in (*first.children, *second.children)}, keys


def test_panel_decides_by_click_and_key_and_undoes(tmp_path, pool):
    path = tmp_path / "review.csv"
    candidates = pd.DataFrame(
        {"id": ["c", "a", "b"], "step": "face", "keep": [True, False, True], "score": [1.0, 0.0, 2.0], "reason": ["", "none", ""]}
    )
    progress, text, buttons, keys = widgets_of(review_panel(pool, candidates, path, interactive=True))
    assert "1 of 3" in text.value and "fear" in text.value
    buttons["reject"].click()
    keys.value = "k"
    assert progress.value == 2
    keys.value = "k4"  # the field as the browser sends it while somebody types: each key acts once
    assert read_review(path, pool).set_index("id")["relabel"]["b"] == CLASSES[3]
    assert "through" in text.value
    buttons["undo"].click()
    assert [row[:2] for row in review_history(path)] == [("c", "reject"), ("a", "keep")]
    assert "3 of 3" in text.value and progress.value == 2
    _, text, _, _ = widgets_of(review_panel(pool, candidates, path, interactive=True))
    assert "3 of 3" in text.value  # goes on where it stopped


def test_keys_name_every_class():
    assert {new for _, new in KEYS.values()} == {"", *CLASSES}


def test_batch_shows_no_panel(tmp_path, pool, capsys):
    assert review_panel(pool, pd.DataFrame({"id": ["a"]}), tmp_path / "review.csv", interactive=False) is None
    assert "JupyterLab" in capsys.readouterr().out
