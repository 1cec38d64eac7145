"""Pages in a real browser: no error on the console, no request leaves the machine, no sideways
scrolling on a phone, nothing that a reader with low vision or a keyboard would stumble over, tables
that sort, copy and print.
"""

from pathlib import Path

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
    "local.html",
    "glossary.html",
)
ACCESSIBILITY = (Path(__file__).parent / "accessibility.js").read_text(encoding="utf-8")
# A4 between its margins, pixels of which an inch has 96.
SHEET_PX = 688
# Cells of the first column, and of the one after it, in their order.
COLUMNS = """[...document.querySelectorAll('figure.table tbody tr')].map(
  (row) => [row.cells[0].textContent, row.cells[1].textContent, row.checkVisibility()])"""
HEADS = "document.querySelectorAll('figure.table th button.sort')"


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


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_on_a_page_is_hard_to_see_or_to_reach(browser, reports, page, width, dark):
    """Contrast, landmarks, headings, heads of tables, names of controls, boxes that scroll."""
    browser.open((reports / page).as_uri(), width=width, dark=dark)
    browser.unfold()
    found = browser.value(ACCESSIBILITY)
    assert found["texts"] > 5
    assert found["faults"] == []


@pytest.mark.parametrize(
    ("style", "fault"),
    [
        ("main p, main li { color: #999 !important }", "contrast"),
        ("main p { opacity: .4 }", "contrast"),
    ],
)
def test_what_is_hard_to_see_is_found(browser, reports, style, fault):
    browser.open((reports / "local.html").as_uri(), width=1280)
    browser.value(
        f"document.head.append(Object.assign(document.createElement('style'), "
        f"{{textContent: {style!r}}}))"
    )
    faults = browser.value(ACCESSIBILITY)["faults"]
    assert faults and all(one.startswith(fault) for one in faults)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("document.querySelector('h1').remove()", "heading: not one h1"),
        ("document.querySelector('h2').outerHTML = '<h4>deep</h4>'", "heading: level skipped"),
        (
            "document.body.append(Object.assign(document.createElement('p'), {textContent: 'x'}))",
            "landmark: outside of all",
        ),
        (
            "document.querySelector('main').innerHTML += '<img src=\"data:,\">'",
            "picture: no alternative text",
        ),
        (
            "document.querySelector('main').innerHTML += '<table><tr><th></th></tr></table>'",
            "table: empty head",
        ),
        ("document.querySelector('main').innerHTML += '<button></button>'", "control: no name"),
    ],
)
def test_what_is_hard_to_reach_is_found(browser, reports, change, fault):
    browser.open((reports / "glossary.html").as_uri(), width=1280)
    browser.value(change)
    assert any(one.startswith(fault) for one in browser.value(ACCESSIBILITY)["faults"])


def test_a_table_is_folded_and_unfolded(browser, reports):
    browser.open((reports / "quick/10_data.html").as_uri(), width=1280)
    assert [shown for *_, shown in browser.value(COLUMNS)] == [True] * 4 + [False] * 4
    browser.value("document.querySelector('.more-rows').click()")
    assert all(shown for *_, shown in browser.value(COLUMNS))
    browser.value("document.querySelector('.more-rows').click()")
    assert [shown for *_, shown in browser.value(COLUMNS)] == [True] * 4 + [False] * 4


def test_a_table_is_sorted_by_its_numbers_up_and_down_and_stays_folded(browser, reports):
    browser.open((reports / "quick/10_data.html").as_uri(), width=1280)
    browser.value(f"{HEADS}[1].click()")
    rows = browser.value(COLUMNS)
    assert [name for name, *_ in rows][:3] == ["drawings of few people", "f", "c"]
    assert [shown for *_, shown in rows] == [True] * 4 + [False] * 4
    order = "document.querySelectorAll('figure.table th')[1].getAttribute('aria-sort')"
    assert browser.value(order) == "ascending"

    browser.value(f"{HEADS}[1].click()")
    assert [text for _, text, _ in browser.value(COLUMNS)][0].startswith("+40.0")
    assert browser.value(order) == "descending"


def test_a_table_is_copied_as_csv_with_machine_names_and_unrounded_numbers(browser, reports):
    browser.open((reports / "quick/10_data.html").as_uri(), width=1280)
    text = browser.value("csv(document.querySelector('figure.table table'))")
    lines = text.splitlines()
    assert lines[0] == "pool,difference,low,high,p,verdict"
    assert lines[1] == "dcgan,0.02,0.01,0.03,0.002,helps"
    assert lines[3].startswith("a,1e-05,-0.00999,0.01001,1e-06,") and len(lines) == 9


def test_the_first_column_stays_in_sight_when_a_table_is_scrolled(browser, reports):
    browser.open((reports / "quick/10_data.html").as_uri(), width=390)
    left = "document.querySelector('figure.table tbody th').getBoundingClientRect().left"
    before = browser.value(left)
    browser.value("document.querySelector('figure.table .scroll').scrollLeft = 200")
    assert browser.value("document.querySelector('figure.table .scroll').scrollLeft") > 50
    assert browser.value(left) == before


@pytest.mark.parametrize("width", [390, 1280])
def test_a_chart_is_scrolled_by_keys_where_it_is_wider_than_the_page_and_not_elsewhere(
    browser, reports, width
):
    browser.open((reports / "quick/index.html").as_uri(), width=width)
    box = "document.querySelector('figure.plot')"
    wide = browser.value(f"{box}.querySelector('img').getBoundingClientRect().width")
    assert 500 < wide < 700, "its type is of a readable size, and no larger than on a desk"
    assert browser.value(f"{box}.tabIndex") == (0 if width < 500 else -1)


@pytest.mark.parametrize("width", [390, 1400])
def test_the_contents_and_the_place_in_the_study_stay_in_view(browser, reports, width):
    browser.open((reports / "quick/10_data.html").as_uri(), width=width)
    browser.value("document.body.style.minHeight = '9000px'; window.scrollTo(0, 600)")
    for words in ("header.top", "nav.contents"):
        box = browser.value(
            f"(() => {{ const box = document.querySelector('{words}').getBoundingClientRect();"
            " return [box.top, box.bottom]; })()"
        )
        assert 0 <= box[0] < box[1] <= 900
    assert browser.value("document.querySelectorAll('nav.contents [aria-current]').length") == 1


PRINTED = ("quick/index.html", "quick/10_data.html", "quick/80_findings.html")


@pytest.mark.parametrize("page", PRINTED)
def test_on_paper_no_table_is_cut_and_a_page_is_a_few_sheets(browser, reports, page):
    browser.open((reports / page).as_uri(), width=SHEET_PX)
    assert browser.sheets() <= 6
    browser.call("Emulation.setEmulatedMedia", media="print")
    reach = browser.value(
        "Math.max(...[...document.querySelectorAll('table, img, pre')]"
        ".filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().right))"
    )
    broken = browser.value(
        "[...document.querySelectorAll('td .pill')].filter((one) => one.getClientRects().length > 1"
        " || one.getBoundingClientRect().height > 20).map((one) => one.textContent)"
    )
    parameters = browser.value("document.querySelector('.parameters')?.checkVisibility() ?? false")
    browser.call("Emulation.setEmulatedMedia", media="")
    assert reach <= SHEET_PX + 1
    assert broken == [] and not parameters
