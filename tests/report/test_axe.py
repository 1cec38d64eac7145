"""axe-core, which checks pages for accessibility, finds nothing on any kind of page."""

import pytest
from fixture_study import make_study
from headless_chromium import chromium, find_axe, find_chromium

from lib.report import render_study

pytestmark = pytest.mark.skipif(
    not (find_chromium() and find_axe()),
    reason="no Chromium, or no axe-core: npm install axe-core somewhere outside of the project, "
    "then AXE_CORE=<there>/node_modules/axe-core/axe.min.js",
)
PAGES = (
    "quick/index.html",
    "quick/10_data.html",
    "quick/20_generation-dcgan.html",
    "quick/40_training.html",
    "index.html",
    "local.html",
    "glossary.html",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    return render_study(make_study(tmp_path_factory.mktemp("output"))).parent.parent


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_axe_finds_nothing(browser, reports, page, width, dark):
    browser.open((reports / page).as_uri(), width=width, dark=dark)
    browser.unfold()
    assert browser.violations() == []


def test_axe_sees_what_it_is_meant_to_see(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text("<body><main><p style='color:#bbb'>faint</p><img src='data:,'></main>")
    browser.open(page.as_uri(), width=1280)
    rules = {one.partition(":")[0] for one in browser.violations()}
    assert {"color-contrast", "image-alt", "html-has-lang", "document-title"} <= rules
