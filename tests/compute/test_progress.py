"""Progress: lines in a batch run, a bar where a person watches, nothing for short work."""

from lib.compute import progress
from lib.compute.progress import with_progress

PARTS = [[1, 2], [3], [4, 5]]


def test_long_work_prints_a_line_from_time_to_time(capsys):
    assert list(with_progress(PARTS, 5, "faces", every_s=0)) == PARTS
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["faces: 2 of 5 images, 0 s left", "faces: 3 of 5 images, 0 s left"]


def test_short_work_prints_nothing(capsys):
    assert list(with_progress(PARTS, 5, "faces")) == PARTS
    assert capsys.readouterr().out == ""


def test_images_of_a_part_are_counted_as_asked(capsys):
    list(with_progress("abc", 6, "faces", size=lambda part: 2, every_s=0))
    assert capsys.readouterr().out.startswith("faces: 2 of 6 images, 0 s left\nfaces: 4 of 6")


def test_where_a_person_watches_a_bar_moves_and_is_wiped(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LIVE_EVERY_S", 0)
    assert list(with_progress(PARTS, 5, "faces", live=True)) == PARTS
    first, second, wiped, end = capsys.readouterr().out.split("\r")
    assert first == "faces [#########...............] 2 of 5 images, 0 s left"
    assert second.count("#") == 14
    assert wiped == " " * len(second) and end == ""
