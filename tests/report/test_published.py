"""The reports that are kept in the project: complete, small, of photographs that are not shown, and
with nothing of the machine's folders in them.
"""

import html
import re
import subprocess

import pytest
import yaml

from lib.report.shell import read_summary
from lib.study.paths import ROOT

REPORTS = ROOT / "reports"
# Bytes of a study's pages, and of those of each pool; a third is the map with faces.
LARGEST, A_POOL = 2_900_000, 950_000
MACHINE_FOLDER = re.compile(r'(?<![\w./"])/(?:home|tmp|work|root|Users)/\w')
SHOWS_PHOTOGRAPHS = re.compile(r"<code>show_photographs</code></td><td>True")


def published() -> list[str]:
    """List the studies whose reports git keeps."""
    command = ["git", "ls-files", "reports"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    indices = [line.split("/") for line in listed if line.endswith("/index.html")]
    return sorted({parts[1] for parts in indices if len(parts) == 3})


every_study = pytest.mark.parametrize(
    "study",
    published() or [pytest.param("", marks=pytest.mark.skip(reason="no report is published yet"))],
)


def pages(study: str) -> dict[str, str]:
    """Read the pages of a study."""
    files = sorted((REPORTS / study).glob("*.html"))
    return {file.name: file.read_text(encoding="utf-8") for file in files}


@every_study
def test_it_is_small_enough_to_travel(study):
    size = sum((REPORTS / study / name).stat().st_size for name in pages(study))
    pools = sum(name.startswith("20_") for name in pages(study))
    assert size <= LARGEST + A_POOL * pools


@every_study
def test_it_has_an_answer(study):
    assert read_summary(REPORTS / study)["answer"] != ""


@every_study
def test_every_link_leads_to_a_file(study):
    for name, text in pages(study).items():
        links = [html.unescape(link) for link in re.findall(r'href="([^"#]+)"', text)]
        files = [link for link in links if not link.startswith("data:")]
        assert [link for link in files if not (REPORTS / study / link).exists()] == [], name


@every_study
def test_it_shows_no_photographs_and_no_folders_of_the_machine(study):
    for name, text in pages(study).items():
        assert not SHOWS_PHOTOGRAPHS.search(text), name
        without_pictures = re.sub(r"base64,[\w+/=]+", "", text)
        assert not MACHINE_FOLDER.search(without_pictures), name


@every_study
def test_it_is_of_a_commit_and_without_a_failure(study):
    for name, text in pages(study).items():
        assert "uncommitted changes" not in text, name
        assert re.search(r"(?i)commit\W", text), f"{name} cannot be repeated"
        assert 'role="alert"' not in text, f"{name} tells of a failure"


def test_the_overview_names_every_published_study():
    if not published():
        pytest.skip("no report is published yet")
    overview = (REPORTS / "index.html").read_text(encoding="utf-8")
    assert [study for study in published() if f'href="{study}/index.html"' not in overview] == []


def test_the_site_is_the_reports_alone_and_its_workflow_may_do_nothing_else():
    file = ROOT / ".github" / "workflows" / "pages.yml"
    workflow = yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)
    (job,) = workflow["jobs"].values()
    uploads = [step for step in job["steps"] if "upload-pages-artifact" in step.get("uses", "")]
    assert [step["with"]["path"] for step in uploads] == ["reports"]
    assert job["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    assert workflow["on"]["push"]["paths"] == ["reports/**", ".github/workflows/pages.yml"]
