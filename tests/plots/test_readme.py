"""The README's answer is printed from the published study, and typed by nobody."""

import json

import pytest

from lib.plots.headline import main
from lib.plots.readme import COLUMNS, between, gain_lines, write_between
from lib.report import published_studies
from lib.report.leading import answers_on_uses, leading_words
from lib.study.errors import StudyError
from lib.study.paths import ROOT

GAIN = {
    "study": "amounts-cpu",
    "word": "With few, yes",
    "verdict": "helps",
    "number": "+2.8 points",
    "about": "of accuracy by adding 5,096 generated images to 287 real ones",
    "first_screen": ["Beside 287 real images they help (6 draws). " * 4, "The help ends at 1,300."],
    "sentences": ["All that was found."],
    "advice": ["With few (287 real images), add Schürmann's faces."],
    "beyond": [],
    "alt": 'Gain, "points": beside 287 +2.8.',
    "caption": "Bands are intervals.",
}
PUBLISHED = ROOT / "reports" / "gain.json"


@pytest.fixture
def project(tmp_path):
    """A folder with a README and the words of a published study."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "gain.json").write_text(json.dumps(GAIN))
    text = "# Title\n\n<!-- answer: written -->\nold\n<!-- /answer -->\n\nThe rest.\n"
    (tmp_path / "README.md").write_text(text)
    return tmp_path


def test_one_command_prints_the_answer_into_the_readme(project, capsys):
    for _ in range(2):
        assert main(str(project)) == 0
    text = (project / "README.md").read_text()
    assert text.startswith("# Title\n\n<!-- answer: written -->\n\n**With few, yes: +2.8 points**")
    assert text.endswith("<!-- /answer -->\n\nThe rest.\n") and "old" not in text
    assert between(project / "README.md") == gain_lines(GAIN)
    assert "The help ends at 1,300." in capsys.readouterr().out


def test_the_figure_has_a_light_and_a_dark_face_and_words():
    lines = "\n".join(gain_lines(GAIN))
    assert 'srcset="reports/gain-dark.svg"' in lines and 'src="reports/gain.svg"' in lines
    assert 'alt="Gain, &quot;points&quot;: beside 287 +2.8."' in lines


def test_three_sentences_and_the_advice_are_lists_of_short_lines():
    lines = gain_lines(GAIN)
    assert all(len(line) <= COLUMNS for line in lines if "<" not in line)
    text = "\n".join(lines)
    assert sum(line.startswith("- ") for line in lines) == 3
    assert text.index("The help ends") < text.index("What to do") < text.index("With few (287 real")
    assert "All that was found" not in text and "all reports: [overview]" in " ".join(lines)


def test_a_readme_without_marks_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("# Title\n")
    with pytest.raises(StudyError, match="README.md: no '<!-- answer"):
        write_between(tmp_path / "README.md", ["x"])


@pytest.mark.skipif(not PUBLISHED.exists(), reason="no study of numbers of images is published")
def test_the_readme_says_what_is_published():
    published = PUBLISHED.parent, published_studies(PUBLISHED.parent)
    lines = gain_lines(leading_words(PUBLISHED.parent), answers_on_uses(*published))
    assert between(ROOT / "README.md") == lines


def test_what_other_studies_say_of_the_answer_stands_with_it_and_only_there():
    said = {"uses-cpu": "Trained better, it may be less.", "mixup-cpu": "With both it is more."}
    added = {"beyond": [{"text": text, "study": study} for study, text in said.items()]}
    uses = [{"study": study, "question": "Otherwise?", "answer": "Yes."} for study in said]
    text = " ".join(gain_lines(GAIN | added, uses))
    links = {study: f"([{study}](reports/{study}/index.html))" for study in said}
    stands = " ".join(f"{text} {links[study]}" for study, text in said.items())
    assert f"real ones. {stands}" in text and "Otherwise?" not in text


def test_other_uses_of_the_images_have_a_line():
    asked = {"study": "uses-cpu", "question": "Used in another way?"}
    uses = [asked | {"answer": "Yes: +1.3 points of accuracy."}]
    text = " ".join(" ".join(gain_lines(GAIN, uses)).split())
    assert "Used in another way? Yes: +1.3 points of accuracy." in text
    assert "([uses-cpu](reports/uses-cpu/index.html))" in text
