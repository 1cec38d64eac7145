"""Progress: what a person sees of a run, on a terminal and in a file."""

import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from lib.study.listing import outlook
from lib.study.outcomes import Outcome, under_way
from lib.study.paths import study_paths
from lib.study.progress import (
    Progress,
    at_most,
    expected_seconds,
    note_seconds,
    seconds_left,
    span,
)
from lib.study.telling import begin_telling, show_activity


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


def code(source: str, printed: str = "", status: str = "completed"):
    """Make a code cell as papermill leaves it."""
    cell = nbformat.v4.new_code_cell(source, metadata={"papermill": {"status": status}})
    cell.outputs = [nbformat.v4.new_output("stream", text=printed)] if printed else []
    return cell


def text(source: str):
    return nbformat.v4.new_markdown_cell(source)


BANNER = code('step = begin("90_verdict", globals())', "study verdict · 90_verdict · commit 1a2\n")
BAR = "first\n|##  |\r|####| 3 of 4\n\n"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([code("1", BAR, "running")], "|####| 3 of 4"),
        ([text("# 90 · Verdict"), code("import os", status="running")], "starting"),
        ([BANNER, text("## The verdict"), code("1", status="running")], "The verdict"),
        ([BANNER, text("## One"), code("1", "found 3\n"), code("2", "", "running")], "found 3"),
        ([text("## One"), code("1", "3\n"), text("## Two"), code("2", "", "running")], "Two"),
        ([text("## One"), code("1", "", "running"), text("## Two"), code("2")], "One"),
    ],
)
def test_what_a_notebook_does_is_its_last_line_in_a_section_or_the_section(tmp_path, cells, words):
    path = tmp_path / "a.ipynb"
    assert under_way(path) == ""
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert under_way(path) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "at most 0 s"), (41.2, "at most 42 s"), (480, "at most 8 min"), (481, "at most 9 min")],
)
def test_a_bound_is_never_too_low(seconds, words):
    assert at_most(seconds) == words


def test_what_may_take_so_long_counts_down_with_the_clock(tmp_path, monkeypatch, capsys):
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    monkeypatch.setattr("lib.study.progress.time", clock)
    verdict = SimpleNamespace(
        name="90_verdict",
        notebook=Path("90_verdict.ipynb"),
        pool="",
        stage=90,
        params={"verdict_minutes": 10.0, "workers": 0},
        paths=study_paths("verdict", str(tmp_path)),
        executed=tmp_path / "90_verdict.ipynb",
    )
    note_seconds(verdict, 240)
    show_activity(verdict.paths, "90_verdict", "12 networks trained")
    progress = Progress([verdict], 2)
    for now[0] in (60, 150, 550, 630):
        progress.tick([(verdict, now[0])], 0, [verdict])
    shown = [line.split(" s   ")[1] for line in capsys.readouterr().out.splitlines()]
    doing = "12 networks trained"
    left = ["at most 9 min left", "at most 8 min left", "at most 50 s left"]
    assert shown == [*(f"{words}, {doing}" for words in left), doing]

    # What it took under other values is no promise; what it did before is forgotten.
    assert outlook([verdict]) == "1 notebook to run, at most 10 min"
    assert expected_seconds([verdict]) == {}
    begin_telling(verdict.paths, "90_verdict")
    now[0] = 700
    progress.tick([(verdict, now[0])], 0, [verdict])
    assert "networks" not in capsys.readouterr().out


def test_of_what_is_under_way_the_rest_is_left(tasks, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    note_seconds(tasks[2], 600)
    progress = Progress(tasks, 2)
    for seconds, words in ((0.0, "about 10 min left"), (360.0, "about 4 min left")):
        progress.shown -= 5
        progress.tick([(tasks[2], seconds)], 2, tasks[2:])
        assert words in capsys.readouterr().out


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
