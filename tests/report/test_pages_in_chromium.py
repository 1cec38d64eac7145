"""Pages in a real browser: no error on the console, no request leaves the machine, no sideways
scrolling on a phone.
"""

import pytest
from fixture_study import make_study
from headless_chromium import chromium, find_chromium

from lib.report import render_study

pytestmark = pytest.mark.skipif(
    not find_chromium(),
    reason="no Chromium on this machine: pages are not opened in a browser (apt install chromium)",
)
PAGES = (
    "quick/index.html",
    "quick/10_data.html",
    "quick/20_generation-dcgan.html",
    "quick/40_training.html",
    "index.html",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    return render_study(make_study(tmp_path_factory.mktemp("output"))).parent.parent


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width, dark", [(390, False), (1280, True)])
def test_a_page_is_quiet_local_and_as_wide_as_its_window(browser, reports, page, width, dark):
    visit = browser.open((reports / page).as_uri(), width=width, dark=dark)
    assert visit.complaints == []
    assert [url for url in visit.requests if not url.startswith(("file:", "data:"))] == []
    assert visit.view_width == width and visit.page_width == width
    assert browser.unfold() == width


def test_the_button_opens_and_closes_all_code(browser, reports):
    browser.open((reports / "quick/10_data.html").as_uri(), width=1280)
    folds = "[...document.querySelectorAll('details.code')].filter(fold => fold.open).length"
    assert browser.value(folds) == 0
    browser.value("document.querySelector('button.unfold').click()")
    assert browser.value(folds) == 4
    browser.value("document.querySelector('button.unfold').click()")
    assert browser.value(folds) == 0


WIDE = "<div style='width:2000px'>x</div>"
LOADS = "<img src='http://127.0.0.1:9/x.png'>"
FAILS = "<script>nothing()</script>"


def test_the_check_sees_what_it_is_meant_to_see(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(f"<body>{WIDE}{LOADS}{FAILS}")
    visit = browser.open(page.as_uri(), width=390)
    assert visit.page_width > 390 and visit.complaints
    assert any("127.0.0.1" in address for address in visit.requests)
