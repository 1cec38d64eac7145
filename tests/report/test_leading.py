"""The study of numbers of real images leads the overview with its figure and its words."""

import json

import pytest

from lib.report import render_top
from lib.report.leading import FILES, USES, WORDS, keep_headline
from lib.report.shell import write_summary
from lib.study.paths import ROOT, study_paths

GAIN = {
    "study": "amounts-cpu",
    "word": "With few, yes",
    "verdict": "helps",
    "number": "+2.8 points",
    "about": "of accuracy by adding 500 generated images to 20 real ones",
    "sentences": ["Beside 20 real images they help.", "The help ends at about 90."],
    "advice": ["With few (20 real images), add x."],
    "alt": "Gain in accuracy, points: beside 20 +2.8.",
    "caption": "Bands are intervals.",
}


def publish(reports, study: str, number: str) -> None:
    """Leave what the pages of a published study leave."""
    (reports / study).mkdir(parents=True)
    (reports / study / "index.html").write_text("a page")
    write_summary(reports / study, answer="An answer.", data="")
    (reports / study / WORDS).write_text(json.dumps(GAIN | {"study": study, "number": number}))
    for name in FILES[1:]:
        (reports / study / name).write_text(f"<svg>{study}</svg>")


def test_the_overview_leads_with_word_number_figure_sentences_and_advice(tmp_path):
    publish(tmp_path, "amounts-cpu", "+2.8 points")
    page = render_top(tmp_path).read_text()
    for words in ("With few, yes", "+2.8 points", *GAIN["sentences"], *GAIN["advice"]):
        assert words in page
    order = ["With few, yes", GAIN["alt"], GAIN["sentences"][0], GAIN["advice"][0]]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    assert 'href="amounts-cpu/55_amounts.html"' in page
    assert "prefers-color-scheme: dark" in page and "data:image/svg+xml;base64," in page


def test_the_full_size_leads_where_it_is_published(tmp_path):
    publish(tmp_path, "amounts-cpu", "+2.8 points")
    render_top(tmp_path)
    assert (tmp_path / "gain.svg").read_text() == "<svg>amounts-cpu</svg>"
    publish(tmp_path, "amounts", "+1.1 points")
    assert "+1.1 points" in render_top(tmp_path).read_text()
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (tmp_path / "amounts" / name).read_bytes()


def test_without_such_a_study_nothing_leads(tmp_path):
    assert "What to do" not in render_top(tmp_path).read_text()
    assert not (tmp_path / WORDS).exists()


def test_the_files_travel_with_the_pages_when_all_were_written(tmp_path):
    paths = study_paths("amounts-cpu", str(tmp_path))
    paths.tables.mkdir(parents=True)
    paths.reports.mkdir(parents=True)
    (paths.tables / WORDS).write_text("{}")
    keep_headline(paths)
    assert not (paths.reports / WORDS).exists()
    for name in FILES:
        (paths.tables / name).write_text("x")
    keep_headline(paths)
    assert all((paths.reports / name).exists() for name in FILES)


@pytest.mark.skipif(not (ROOT / "reports" / WORDS).exists(), reason="no such study is published")
def test_what_leads_is_what_the_published_study_says():
    reports = ROOT / "reports"
    study = json.loads((reports / WORDS).read_text())["study"]
    for name in FILES:
        assert (reports / name).read_bytes() == (reports / study / name).read_bytes()
    overview = (reports / "index.html").read_text()
    assert json.loads((reports / WORDS).read_text())["number"] in overview


def test_the_advice_names_the_answer_on_other_uses_of_the_images(tmp_path):
    publish(tmp_path, "amounts-cpu", "+2.8 points")
    assert "Used in another way" not in render_top(tmp_path).read_text()
    publish(tmp_path, "uses-cpu", "+0.2 points")
    (tmp_path / "uses-cpu" / USES).write_text("arm")
    page = render_top(tmp_path).read_text()
    assert "Used in another way? An answer." in page
    assert 'href="uses-cpu/55_amounts.html"' in page and "+2.8 points" in page


def test_a_study_of_better_training_asks_its_own_question(tmp_path):
    publish(tmp_path, "amounts-cpu", "+2.8 points")
    publish(tmp_path, "mixup-cpu", "+0.2 points")
    (tmp_path / "mixup-cpu" / USES).write_text("arm")
    page = render_top(tmp_path).read_text()
    assert "When the network is trained better, with MixUp? An answer." in page
