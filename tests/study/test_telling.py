"""What a notebook tells while it runs reaches whoever started it, once."""

import time

from lib.study.paths import study_paths
from lib.study.telling import begin_telling, news, tell


def test_lines_are_read_once_and_those_of_an_earlier_execution_never(tmp_path):
    paths, since = study_paths("quick", str(tmp_path)), time.time() - 1
    assert news(paths, "90_verdict", 0, since) == []
    tell(paths, "90_verdict", "one")
    tell(paths, "90_verdict", "two")
    assert news(paths, "90_verdict", 0, since) == ["one", "two"]
    assert news(paths, "90_verdict", 1, since) == ["two"]
    assert news(paths, "90_verdict", 0, time.time() + 60) == []
    begin_telling(paths, "90_verdict")
    assert news(paths, "90_verdict", 0, since) == []


def test_a_line_that_is_being_written_is_none_yet(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    tell(paths, "90_verdict", "whole")
    with open(paths.state / "90_verdict.told", "a") as file:
        file.write("half of a li")
    assert news(paths, "90_verdict", 0, 0) == ["whole"]


def test_the_terminal_shows_what_a_notebook_tells(toy):
    body = (
        'from lib.study.step import begin\nstep = begin("90_verdict", globals())\n'
        'step.tell("known so far: nothing")\n\n'
        "from lib.study.records import atomic_write\n"
        'with atomic_write(step.paths.tables / "x.txt", "w") as file:\n    file.write("1")\n\n'
        'import time\ntime.sleep(0.5)\nstep.finish([step.paths.tables / "x.txt"])'
    )
    toy.notebook("90_verdict", body)
    done = toy.run("--set", "stages=90")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("90_verdict  known so far: nothing") == 1
