"""Names come from outside: of classes, files, pools, studies and settings. None becomes markup."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixture_study import book, html_output, printed
from fixture_study import save as save_notebook
from headless_chromium import chromium, find_chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from lib.compute.progress import Bar
from lib.curation.panel import _Review
from lib.faces.audit_command import audit, page_of
from lib.faces.faceset import FaceSet
from lib.plots.data import bars
from lib.plots.display import figure_html
from lib.plots.hover import hover_map
from lib.plots.tables import table_html
from lib.report import render_study
from lib.study.answer import Sentence, write_answer
from lib.study.paths import study_paths

# What a folder can be called, and what ends a script, an attribute and a title.
NAME = "<img src=x onerror=document.body.id='run'>"
WORDS = f"</script></title>\"'>{NAME} $x$ $\\frac$ %ALT% {{{{ 1 }}}}"


class Tags(HTMLParser):
    """Collects what a browser would take for elements of a name."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if any(name.startswith("on") or value == "x" for name, value in attributes):
            self.found.append((tag, attributes))


def elements_in(text: str) -> list:
    tags = Tags()
    tags.feed(text)
    return tags.found


def outputs() -> list[str]:
    """What notebooks show, with such names wherever names stand."""
    numbers = pd.Series({r"$x$ $\frac$": 40.0, "sad": 80.0})
    table = pd.DataFrame({"pool": [WORDS, "b"], "class": [NAME, "c"], NAME: [1.0, 2.0]})
    points = np.random.default_rng(0).normal(size=(8, 2))
    images = {NAME: np.zeros((4, 48, 48), np.uint8)}
    words = {"alt": WORDS, "caption": WORDS}
    return [
        table_html(table, WORDS),
        table_html(table, WORDS, folded=True),
        figure_html(bars(numbers, xlabel=NAME), WORDS, WORDS),
        hover_map(points, [NAME, "b"] * 4, np.arange(8) % 2, (NAME, WORDS), images, **words),
        Bar(WORDS, 3).html(),
    ]


def test_no_name_in_an_output_is_markup():
    for shown in outputs():
        assert elements_in(shown) == []
        assert "&lt;img src=x" in shown


def test_no_name_in_the_review_panel_is_markup(tmp_path):
    table = pd.DataFrame({"id": [NAME, "b"], "class": [NAME, "sad"]})
    pool = FaceSet(
        np.zeros((2, 8, 8), np.uint8), table.assign(split="train", source="x"), (NAME, "sad")
    )
    verdict = {"id": NAME, "step": NAME, "keep": False, "score": 0.5, "reason": NAME}
    review = _Review(pool, pd.DataFrame([verdict]), tmp_path / "review.csv")
    assert elements_in(review.description()) == []
    assert review.description().count("&lt;img") == 4


def test_no_name_in_an_audit_is_markup(tmp_path):
    from PIL import Image

    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    for number in range(4):
        folder = tmp_path / NAME / ("other", NAME)[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[number % 3]).save(folder / f"{number}{NAME}.png")
    shown = page_of(audit(tmp_path / NAME), NAME)
    assert elements_in(shown) == [] and "&lt;img src=x" in shown


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    """The pages of a study that bears such a name, as its pools, settings and errors do."""
    paths = study_paths(NAME, str(tmp_path_factory.mktemp("output")))
    shown = [printed(f"{WORDS}\n"), printed(WORDS, "stderr"), *map(html_output, outputs())]
    shown.append(new_output("execute_result", data={"text/plain": WORDS}, execution_count=1))
    error = new_output("error", ename=NAME, evalue=WORDS, traceback=[WORDS, f"Cell In[1] {WORDS}"])
    cells = [
        new_markdown_cell(f"## Absent of `{NAME}`", id="cell-04"),
        new_code_cell("1", id="cell-05", outputs=shown),
    ]
    save_notebook(paths, "10_data", book("Data", "What?", *cells), data=WORDS, synthetic_name=WORDS)
    name = f"20_generation-{NAME}"
    save_notebook(paths, name, book("Generation", "What?", *cells, pool=NAME))
    failing = book("Training", "What?", new_code_cell("1", id="cell-05", outputs=[error]))
    save_notebook(paths, "40_training", failing, status="failed")
    save_notebook(paths, "80_findings", book("Findings", "What?", *cells), synthetic_name=WORDS)
    write_answer(paths, [Sentence(WORDS, NAME, "helps"), WORDS])
    render_study(paths)
    return paths.reports.parent


def test_no_name_on_a_page_is_markup(reports):
    pages = sorted(reports.rglob("*.html"))
    assert len(pages) > 6
    for page in pages:
        assert elements_in(page.read_text(encoding="utf-8")) == [], page.name
        assert "x onerror" in page.read_text(encoding="utf-8") or page.name in SILENT, page.name


# Pages on which no such name stands.
SILENT = ("glossary.html", "index.html")


@pytest.mark.skipif(not find_chromium(), reason="no Chromium on this machine")
def test_no_name_runs_in_a_browser(reports, tmp_path):
    with chromium(tmp_path / "profile") as tab:
        for page in sorted(reports.rglob("*.html")):
            visit = tab.open(page.as_uri(), width=1000)
            assert visit.complaints == [], page.name
            assert tab.value("document.body.id") != "run", page.name
            assert tab.value("document.querySelectorAll('img[src=x]').length") == 0, page.name
        # The check can fail.
        tab.value(f'document.body.innerHTML = "{NAME}"')
        tab.value("new Promise(done => setTimeout(done, 200))")
        assert tab.value("document.body.id") == "run"
