"""The page of a study keeps its last answer, and says whose it is."""

import html
import re
from types import SimpleNamespace

import pytest
from fixture_study import book, error_output, save
from nbformat.v4 import new_code_cell

from lib.report import render_study
from lib.study.answer import write_answer
from lib.study.earlier import HAS_FAILED, WAS_STOPPED, keep_answer, note_end
from lib.study.paths import StudyPaths, study_paths

COMMANDS = [f"run_all.py --data drawn --synthetic /home/jo/{name}" for name in ("mine", "typo")]


@pytest.fixture
def verdict(tmp_path) -> StudyPaths:
    """A verdict on drawn faces, and its page."""
    paths = study_paths("verdict", str(tmp_path))
    save(paths, "90_verdict", book("Verdict", "Should one?"), data="drawn", margin=0.03)
    write_answer(paths, ["Yes."])
    note_end(paths, COMMANDS[0], "", has_answered=True)
    render_study(paths)
    return paths


def end_later_run(paths: StudyPaths, ended: str) -> None:
    """Leave the study as a later run does that has no answer."""
    state = paths.state
    keep_answer(
        SimpleNamespace(
            stage=90,
            paths=paths,
            done=state / "90_verdict.done.json",
            record=state / "90_verdict.json",
            executed=paths.notebooks / "90_verdict.ipynb",
        )
    )
    if ended == HAS_FAILED:
        cell = new_code_cell("x", id="cell-09", outputs=[error_output()], execution_count=7)
        save(paths, "90_verdict", book("Verdict", "Should one?", cell), status="failed")
    note_end(paths, COMMANDS[1], ended, has_answered=False)
    render_study(paths)


def index_of(paths: StudyPaths) -> str:
    return html.unescape((paths.reports / "index.html").read_text())


def link_of(page: str) -> str:
    return re.search('<a href="([^"]+)">How this was found', page)[1]


def test_the_answer_of_a_verdict_links_to_the_notebook_that_found_it(verdict):
    page = index_of(verdict)
    assert '<p class="lead">Yes.</p>' in page and "of an earlier run" not in page
    assert (verdict.reports / link_of(page)).exists() and "<b>Drawings.</b>" in page


@pytest.mark.parametrize("ended", [HAS_FAILED, WAS_STOPPED])
def test_after_a_run_without_an_answer_the_page_shows_the_last_and_says_so(verdict, ended):
    before = index_of(verdict)
    end_later_run(verdict, ended)
    page = index_of(verdict)
    assert '<p class="lead">Yes.</p>' in page and "<b>Drawings.</b>" in page
    first, last = (command.replace("/home/jo", "…") for command in COMMANDS)
    assert f"This is the answer of an earlier run, <code>{first}</code>." in page
    assert f"The last one, <code>{last}</code>, {ended} and gave no answer." in page

    # What it rests on is shown with it, and its notebook is still a page.
    assert "<td>0.03</td>" in page and "Nothing has finished yet" not in page
    assert re.search("<dt>Finished</dt><dd>.*?</dd>", page)[0] in before
    answer = (verdict.reports / link_of(page)).read_text()
    assert "90_verdict.ipynb" in answer and 'role="alert"' not in answer
    assert ('role="alert"' in page) == (ended == HAS_FAILED)
    assert "60 · " not in page and "Training" not in page

    # With a new answer all of that goes.
    (verdict.notebooks / "90_verdict.failed.ipynb").unlink(missing_ok=True)
    save(verdict, "90_verdict", book("Verdict", "Should one?"), data="drawn")
    write_answer(verdict, ["No."])
    note_end(verdict, COMMANDS[1], "", has_answered=True)
    render_study(verdict)
    assert "No." in index_of(verdict) and "earlier run" not in index_of(verdict)
    assert not (verdict.reports / "answer.html").exists()


def test_a_sentence_for_users_has_no_kind_of_error_before_it(verdict):
    end_later_run(verdict, HAS_FAILED)
    for name in ("index.html", "90_verdict.html"):
        head = (verdict.reports / name).read_text().split("<article")[0]
        section = head[head.index('role="alert"') :].split("</section>")[0].split("<details")[0]
        assert "no such &lt;file&gt;; give --data PATH" in section and "StudyError" not in section


def test_a_study_finished_when_its_last_notebook_ended_not_when_it_began(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    for name, seconds in (("10_data", 5000.0), ("80_findings", 400.0)):
        save(paths, name, book("Title", "What?"), seconds=seconds)
    render_study(paths)
    assert "<dt>Finished</dt><dd>2026-03-01 13:53</dd>" in index_of(paths)
    page = (paths.reports / "80_findings.html").read_text()
    assert "finished 2026-03-01 12:36 after 6 min 40 s" in page
