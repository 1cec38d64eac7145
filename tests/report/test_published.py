"""The reports that are kept in the project: complete, small, of photographs that are not shown, and with nothing of the machine's folders
in them.
"""

import html
import re
import subprocess

import pytest

from lib.report.shell import meta
from lib.study.paths import ROOT

REPORTS = ROOT / "reports"
LARGEST, A_POOL = 2_100_000, 800_000  # bytes of a study's pages, and of those of each pool; a third is the map with faces under the mouse
NAMED = re.compile(r'(?<![\w./"])/(?:home|tmp|work|root|Users)/\w')


def published() -> list:
    """List the studies whose reports git keeps."""
    listed = subprocess.run(["git", "ls-files", "reports"], cwd=ROOT, capture_output=True, text=True)
    return sorted({line.split("/")[1] for line in listed.stdout.splitlines() if line.endswith("/index.html") and line.count("/") == 2})


@pytest.mark.parametrize("study", published() or [pytest.param("", marks=pytest.mark.skip(reason="no report is published yet"))])
def test_a_published_report(study):
    pages = sorted((REPORTS / study).glob("*.html"))
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    assert sum(page.stat().st_size for page in pages) <= LARGEST + A_POOL * sum(name.startswith("20_") for name in texts)
    assert meta(REPORTS / study / "index.html", "description") not in ("", "No answer yet.")
    for name, text in texts.items():
        links = [html.unescape(link) for link in re.findall(r'href="([^"#]+)"', text) if not link.startswith("data:")]
        assert [link for link in links if not (REPORTS / study / link).exists()] == [], name
        assert not re.search(r"<code>show_photographs</code></td><td>True", text), f"{name} shows photographs"
        assert not NAMED.search(re.sub(r"base64,[\w+/=]+", "", text)), f"{name} names a folder of the machine"
        assert "uncommitted changes" not in text and re.search(r"(?i)commit\W", text), f"{name} cannot be repeated"
        assert 'role="alert"' not in text, f"{name} tells of a failure"


def test_the_overview_names_every_published_study():
    if not published():
        pytest.skip("no report is published yet")
    overview = (REPORTS / "index.html").read_text(encoding="utf-8")
    assert [study for study in published() if f'href="{study}/index.html"' not in overview] == []
