"""Published pages say what the tables beside them say, though the runs may be gone."""

import html
import shutil
from pathlib import Path

import pytest

from lib.metrics.amount_sentences import read_sentences
from lib.report.leading import FILES, USES
from lib.report.renewed import renew_answer
from lib.report.shell import read_summary
from lib.study.answer import Sentence
from lib.study.paths import ROOT

PUBLISHED = sorted(file.parent for file in (ROOT / "reports").glob("*/gain.json"))
LINES = ["<li><span>An old one.</span></li>", "<li><span>Of another table.</span></li>"]
PAGE = (
    '<main><section class="answer" aria-labelledby="answer"><h2 id="answer">The answer</h2>\n'
    '<div class="headline"><p class="word">No</p></div>\n<p class="lead">Old.</p>\n<ul>\n'
    + "\n".join(LINES)
    + "\n</ul>\n<p>How it was found</p></section><ul><li>elsewhere</li></ul></main>"
)
SENTENCES = [
    Sentence("It helps <few>.", "x", "helps", "Yes", "+2 points", "of accuracy"),
    Sentence("A new one.", "x", "hurts"),
]


@pytest.fixture
def reports(tmp_path) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "gain.json").write_text('{"alt": "Gains & losses", "caption": "Bands."}')
    (tmp_path / "gain.svg").write_text("<svg/>")
    return tmp_path


def test_the_answer_is_new_and_what_other_tables_say_stays(reports):
    assert renew_answer(reports, SENTENCES)
    page = (reports / "index.html").read_text()
    for words in ("It helps &lt;few&gt;.", "A new one.", "+2 points", "Gains &amp; losses"):
        assert words in page
    assert "Old." not in page and LINES[0] not in page
    assert LINES[1] in page and "How it was found" in page and "<li>elsewhere</li>" in page
    assert read_summary(reports)["answer"] == "Yes: +2 points of accuracy."

    # Once more changes nothing.
    assert not renew_answer(reports, SENTENCES)
    assert (reports / "index.html").read_text() == page


def test_a_study_of_uses_keeps_the_figure_of_its_page(reports):
    figure = '<figure class="plot"><img alt="uses" src="x">\n</figure>'
    (reports / "index.html").write_text(
        PAGE.replace('<p class="lead">', f'{figure}<p class="lead">')
    )
    (reports / USES).write_text("arm\n")
    assert renew_answer(reports, SENTENCES)
    page = (reports / "index.html").read_text()
    assert figure in page and "Gains &amp; losses" not in page and "It helps &lt;few&gt;." in page


def test_a_page_without_sentences_stays(reports):
    assert not renew_answer(reports, [])
    assert (reports / "index.html").read_text() == PAGE


def test_a_study_without_a_file_of_its_figure_keeps_the_figure_of_its_page(reports):
    figure = '<figure class="plot"><img alt="own" src="x">\n</figure>'
    page = PAGE.replace('<p class="lead">', f'{figure}<p class="lead">')
    (reports / "index.html").write_text(page)
    (reports / "gain.svg").unlink()
    assert renew_answer(reports, SENTENCES)
    assert figure in (reports / "index.html").read_text()


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_the_page_of_a_published_study_says_what_its_tables_say(folder, tmp_path):
    page = html.unescape((folder / "index.html").read_text(encoding="utf-8"))
    sentences = read_sentences(folder)
    assert sentences and all(sentence.text in page for sentence in sentences)
    assert sentences[0].about in page

    # The page is what it would be anew.
    for name in ("index.html", "study.json", USES, *FILES):
        if (folder / name).exists():
            shutil.copy(folder / name, tmp_path / name)
    assert not renew_answer(tmp_path, sentences)
