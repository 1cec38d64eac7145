"""Progress: what a person sees of a run, on a terminal and in a file."""

import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from lib.study.outcomes import Outcome, last_line
from lib.study.progress import Progress, expected_seconds, note_seconds, seconds_left, span


@pytest.fixture
def tasks(tmp_path):
    """Two pools' notebooks and the training."""

    def task(name: str):
        notebook, _, pool = name.partition("-")
        return SimpleNamespace(
            name=name,
            notebook=Path(f"{notebook}.ipynb"),
            pool=pool,
            stage=int(name[:2]),
            paths=SimpleNamespace(state=tmp_path),
            executed=tmp_path / f"{name}.ipynb",
        )

    return [task("20_generation-a"), task("20_generation-b"), task("40_training")]


def test_a_task_is_expected_to_take_what_it_took_and_a_new_pool_what_others_did(tasks, tmp_path):
    assert expected_seconds(tasks) == {}
    note_seconds(tasks[0], 40)
    note_seconds(tasks[2], 100.04)
    expected = {"20_generation-a": 40, "20_generation-b": 40, "40_training": 100}
    assert expected_seconds(tasks) == expected
    (tmp_path / "seconds.json").write_text('{"40_training": "x"}')
    assert expected_seconds(tasks) == {}


@pytest.mark.parametrize(("at_once", "seconds"), [(1, 180), (2, 140), (8, 140)])
def test_pools_beside_each_other_take_the_time_of_one(tasks, at_once, seconds):
    expected = {"20_generation-a": 40, "20_generation-b": 40, "40_training": 100}
    assert seconds_left(tasks, expected, at_once) == seconds
    assert seconds_left(tasks, {}, at_once) == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(4, "4 s"), (99, "99 s"), (150, "2 min"), (9000, "2.5 h")]
)
def test_a_span_has_one_unit(seconds, text):
    assert span(seconds) == text


def test_the_last_line_is_the_notebook_s_own(tmp_path):
    path = tmp_path / "a.ipynb"
    assert last_line(path) == ""
    cell = nbformat.v4.new_code_cell("1")
    cell.outputs = [nbformat.v4.new_output("stream", text="first\n|##  |\r|####| 3 of 4\n\n")]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    assert last_line(path) == "|####| 3 of 4"


def test_a_line_a_minute_and_the_slowest_at_the_end(tasks, monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(
        "lib.study.progress.time", SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    )
    note_seconds(tasks[2], 120)
    progress = Progress(tasks, 2)
    for now[0] in range(0, 125, 5):
        progress.tick([(tasks[0], now[0])], 0, tasks)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith(
        "20_generation-a  ...        0/0 cells      60 s"
    )

    outcomes = {task.name: Outcome("done", 50.0, "3/3 cells") for task in tasks[:2]}
    progress.ended(tasks[1], outcomes, tasks[2:])
    assert capsys.readouterr().out.endswith("50 s   2 of 3 notebooks, about 2 min left\n")
    progress.ended(tasks[0], {tasks[0].name: Outcome("kept")}, [])
    assert not capsys.readouterr().out
    outcomes = {str(number): Outcome("done", number) for number in range(1, 40)}
    progress.summary(outcomes)
    assert capsys.readouterr().out == "slowest: 39 39 s, 38 38 s, 37 37 s\n"


def test_on_a_terminal_one_line_moves(tasks, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    progress = Progress(tasks, 2)
    progress.shown -= 5
    progress.tick([(tasks[0], 3.0)], 1, tasks)
    shown = capsys.readouterr().out
    assert shown.startswith("\r1 of 3 notebooks · 20_generation-a ...") and "\n" not in shown
    assert len(shown) <= 60 + len("\r\x1b[K")
    progress.ended(tasks[0], {tasks[0].name: Outcome("done", 4.0)}, [])
    assert capsys.readouterr().out.startswith("\r\x1b[K20_generation-a  done")
