"""Models side by side on a film, on answers that are known."""

import threading

import numpy as np
import pandas as pd
import pytest

from lib.application import filmed
from lib.application.live import live_panel, play
from lib.application.model_comparison import class_shares, compared_arms, film_summary, watch
from lib.application.network import Network
from lib.faces.arms import Arm, arm_table
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces


def always(place):
    return Network(
        lambda images: np.tile(np.eye(7, dtype=np.float32)[place], (len(images), 1)),
        48,
        EMOTIONS,
        {},
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film of one happy and one sad face in turn, and its truth."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    return path, filmed.make_video(
        draw_faces(np.array([3, 5]), np.array([3, 5]), px=150), path, frames=40, hold=10
    )


def test_models_are_judged_by_the_face_that_is_shown(film):
    watched = watch({"happy": always(3), "sad": always(5)}, *film)
    assert set(watched["true"]) == {"happy", "sad"} and (watched["class"] == watched["model"]).all()
    table = film_summary(watched).set_index("model")
    assert table["accuracy"].sum() == pytest.approx(1) and (table["images"] == 2).all()
    assert (table["low"] <= table["accuracy"]).all() and (table["accuracy"] <= table["high"]).all()
    assert table["agreement"].tolist() == [1, 0] and (table["flips_per_100"] == 0).all()
    shares = class_shares(watched, EMOTIONS).set_index("class")
    assert shares.loc["happy", ["happy", "sad"]].tolist() == [1, 0]


def test_a_film_without_a_detected_face_has_empty_tables():
    columns = ["model", "frame", "face", "class", "true", "image"]
    nothing = pd.DataFrame([], columns=columns)
    assert len(film_summary(nothing)) == len(class_shares(nothing, EMOTIONS)) == 0
    assert "agreement" in film_summary(nothing)


def test_supplements_come_first_and_shuffled_copies_never():
    arms = [
        Arm("base"),
        Arm("supplement", "a", 0.1),
        Arm("shuffled", "a", 0.1, control_of="supplement"),
        Arm("supplement", "a", 0.2),
        Arm("replace", "a", 0.5),
    ]
    counts = [{"real": 90, "synthetic": n} for n in (0, 10, 10, 20, 50)]
    runs = arm_table(arms).assign(images_by_source=counts, failed="", classifier="small")
    expected = [Arm("base"), arms[3], arms[1], arms[4]]
    assert compared_arms(runs) == expected
    assert compared_arms(runs, most=1) == expected[:2]


def test_the_panel_names_faces_stops_and_says_what_is_wrong(film, capsys):
    assert live_panel(always(3), source="0") is None
    assert "a live panel" in capsys.readouterr().out
    shown, stop = [], threading.Event()

    def show(jpeg, text):
        shown.append((jpeg[:2], text))
        stop.set()

    assert play(always(3), str(film[0]), show, stop) == "stopped"
    assert len(shown) == 1 and shown[0][0] == b"\xff\xd8" and "frame" in shown[0][1]
    assert "no camera answers" in play(always(3), "93", show, threading.Event())


@pytest.fixture
def person(monkeypatch):
    """A person who runs the notebook."""
    monkeypatch.setattr("lib.application.live.is_interactive", lambda: True)


def test_the_panels_switch_starts_and_stops(person):
    panel = live_panel(always(3), source="no-such-file.mp4")
    switch, status = panel.children[0].children[1], panel.children[2]
    switch.value = True
    for thread in threading.enumerate():
        if thread.name.endswith("(work)"):
            thread.join(5)
    assert "no such file" in status.value and switch.value is False


def test_a_panel_started_anew_is_not_stopped_by_the_run_before(film, person):
    panel = live_panel(always(3), source=str(film[0]))
    switch, picture, status = panel.children[0].children[1], panel.children[1], panel.children[2]
    assert picture.layout.display == "none"
    for value in (True, False, True):
        switch.value = value
    for thread in threading.enumerate():
        if thread.name.endswith("(work)"):
            thread.join(30)
    assert status.value == "the source has ended"
    assert switch.value is False and picture.layout.display is None
