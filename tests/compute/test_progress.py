"""Progress: lines in a batch run, a bar where a person watches, nothing for short work."""

import pytest

from lib.compute import progress
from lib.compute.progress import Bar, with_progress

PARTS = [[1, 2], [3], [4, 5]]


@pytest.fixture
def watched(monkeypatch):
    """A person watches, and sees every change."""
    monkeypatch.setattr(progress, "LIVE_EVERY_S", 0)
    monkeypatch.setattr(progress, "is_interactive", lambda: True)


def test_long_work_prints_a_line_from_time_to_time(capsys, monkeypatch):
    monkeypatch.setattr(progress, "BATCH_EVERY_S", 0)
    assert list(with_progress(PARTS, 5, "faces")) == PARTS
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["faces: 2 of 5 images, 0 s left", "faces: 3 of 5 images, 0 s left"]


def test_short_work_prints_nothing(capsys):
    assert list(with_progress(PARTS, 5, "faces")) == PARTS
    assert capsys.readouterr().out == ""


def test_images_of_a_part_are_counted_as_asked(capsys, monkeypatch):
    monkeypatch.setattr(progress, "BATCH_EVERY_S", 0)
    list(with_progress("abc", 6, "faces", size=lambda part: 2))
    assert capsys.readouterr().out.startswith("faces: 2 of 6 images, 0 s left\nfaces: 4 of 6")


def test_where_a_person_watches_a_bar_moves_and_is_wiped(capsys, watched):
    assert list(with_progress(PARTS, 5, "faces")) == PARTS
    first, second, wiped, end = capsys.readouterr().out.split("\r")
    assert first == "faces [#########...............] 2 of 5 images, 0 s left"
    assert second.count("#") == 14
    assert wiped == " " * len(second) and end == ""


@pytest.fixture
def page(monkeypatch):
    """What JupyterLab shows in a cell: displayed, updated, and cleared."""
    shown = []

    class Handle:
        def update(self, item):
            shown[-1] = item.data

    def display(item, display_id=False):
        shown.append(item.data)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("IPython.display.clear_output", shown.clear)
    return shown


def test_a_bar_counts_names_the_time_left_and_leaves_nothing_behind(page, watched, monkeypatch):
    times = iter([0.0, *[10.0] * 9])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(times))
    with Bar("training", 20, "runs") as bar:
        assert 'max="20"' in page[0] and "training: 0 of 20 runs" in page[0]
        bar.step(5)
        assert "training: 5 of 20 runs, about 30 s left" in page[0]
        assert 'value="5"' in page[0] and len(page) == 1
    assert page == []


def test_a_bar_is_cleared_when_the_work_fails(page, watched):
    with pytest.raises(ValueError), Bar("maps", 3):
        raise ValueError
    assert page == []


def test_nobody_watches_a_batch_run(page, capsys):
    with Bar("maps", 3) as bar:
        bar.step()
    assert page == [] and capsys.readouterr().out == ""
