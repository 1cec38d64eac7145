"""Pages: what they must show, that nothing in them points outside, that they are made again only
when something changed.
"""

import html
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from fixture_study import ANSWER, book, error_output, html_output, make_study, printed, save
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from lib.report import render_index, render_notebook, render_study, render_top
from lib.report.executions import executions, parameters
from lib.report.shell import read_summary
from lib.study.answer import write_answer
from lib.study.generations import folded_generations
from lib.study.paths import study_paths

HEAVY = ("nbconvert", "nbformat", "jinja2", "pandas", "matplotlib")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A study with its pages, read only."""
    paths = make_study(tmp_path_factory.mktemp("output"))
    render_study(paths)
    return paths


def text(paths, name) -> str:
    return (paths.reports / name).read_text(encoding="utf-8")


def pages(paths) -> list[Path]:
    return sorted(paths.reports.parent.rglob("*.html"))


def links(page: Path) -> list[str]:
    """List where a page's links lead."""
    found = re.findall(r'href="([^"#]+)"', page.read_text(encoding="utf-8"))
    return [html.unescape(link) for link in found if not link.startswith("data:")]


def real_study(tmp_path, name: str):
    """A study on photographs, with one page."""
    paths = study_paths(name, str(tmp_path))
    save(paths, "10_data", book("Data", "What faces?"), data="faces.zip")
    render_study(paths)
    return paths


def test_the_index_opens_with_the_answer_then_what_was_run_then_the_evidence(rendered):
    index = text(rendered, "index.html")
    parts = (
        "1 of 2 synthetic pools",
        "What was run",
        "1a2b3c4",
        "<code>seeds</code>",
        "The evidence",
        'href="10_data.html"',
    )
    main = index[index.index("<main") :]
    order = [main.index(part) for part in parts]
    assert order == sorted(order)
    assert '<span class="pill helps">helps</span>' in index and "20_generation-dcgan.html" in index
    assert "What faces does the study stand on" in index and "numpy 2.4.6" in index
    assert "gan_steps" not in index, "parameters of one pool are not parameters of the study"


def test_the_figure_beside_the_answer_is_the_last_output_of_the_marked_cell(rendered):
    index = text(rendered, "index.html")
    assert index.count('<figure class="plot"') == 1 and "n = 9" in index
    assert index.index("1 of 2 synthetic pools") < index.index("n = 9")


def test_every_page_links_back_and_every_link_leads_to_a_file(rendered):
    for page in pages(rendered):
        assert all((page.parent / link).exists() for link in links(page)), page.name
        assert page.name in ("index.html", "local.html") or "index.html" in links(page)
        assert page.name == "glossary.html" or {"glossary.html", "../glossary.html"} & set(
            links(page)
        )
    assert "quick/index.html" in links(rendered.reports.parent / "local.html")


def test_pages_of_pools_link_to_each_other_and_turn_in_order(rendered):
    page = text(rendered, "20_generation-dcgan.html")
    assert 'class="before" href="10_data.html"' in page
    assert 'class="after" href="20_generation-drawn-faithful.html"' in page
    assert re.search(r'<nav class="pools".*drawn-faithful.*</nav>', page, re.DOTALL)


def test_every_page_calls_ready_made_images_what_their_notebook_calls_them(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    folder = book("Generation", "What is made?", pool="folder")
    folder.cells[2].source += 'synthetic_name = "somebody\'s faces"\n'
    save(paths, "10_data", book("Data", "What faces?"))
    save(paths, "20_generation-folder", folder)
    render_study(paths)
    pages = [text(paths, name) for name in ("10_data.html", "20_generation-folder.html")]
    assert all("somebody&#39;s faces" in page for page in pages)
    assert "<title>Generation: somebody&#39;s faces" in pages[1]


def test_nothing_on_a_page_points_outside(rendered):
    for page in pages(rendered):
        shown = page.read_text(encoding="utf-8")
        loaded = re.findall(r'\b(?:src|srcset|poster|data)="([^"]*)"', shown)
        loaded += re.findall(r"url\(([^)]*)\)", shown)
        loaded += re.findall(r'<link[^>]*href="([^"]*)"', shown)
        assert all(address.startswith("data:") for address in loaded), (page.name, loaded)
        assert not re.search(r"https?://|@import|<script[^>]*\bsrc", shown), page.name


def test_every_image_has_an_alternative_text(rendered):
    shown = text(rendered, "10_data.html")
    with_text = re.findall(r"<img[^>]*\salt=\"[^\"]+\"", shown)
    assert len(with_text) == 2

    # Of what is pointed at on a map a sentence tells; its picture is empty until then.
    assert len(re.findall("<img", shown)) == len(re.findall(r"<img[^>]*\salt=", shown)) == 3
    assert 'alt="Figure: Figures without words"' in shown
    assert 'alt="what the figure finds"' in shown


def test_code_is_folded_and_the_parameters_that_ran_are_shown(rendered):
    shown = text(rendered, "10_data.html")
    assert len(re.findall(r'<details class="code">', shown)) == 4
    assert "something_rather_long_3" in shown and "# Parameters" not in shown
    table = re.search(r'<section[^>]*class="parameters".*?</section>', shown, re.DOTALL)[0]
    row = "<td>128 <small>default 64</small></td><td>images in a batch, 1 to 4096</td>"
    assert f"<code>batch</code></td>{row}" in table
    assert "<code>seed</code>" in table and "<code>write</code>" not in table


def test_of_many_parameters_those_that_differ_stay_in_sight(tmp_path):
    notebook = book("Data", "What?")
    notebook.cells[1].source += "".join(f"\nextra_{i}: int = {i}  # number {i}" for i in range(20))
    nbformat.write(notebook, tmp_path / "10_data.ipynb")
    page = render_notebook(
        tmp_path / "10_data.ipynb", tmp_path / "10_data.html", study="quick"
    ).read_text()
    parts = ("default 64", "21 more at their defaults", "extra_7")
    order = [page.index(part) for part in parts]
    assert order == sorted(order)


def test_by_hand_the_defaults_are_the_parameters():
    source = '# of the study\npools: list = ["a", "b"]\nlow: float = -0.5  # a number'
    cells = [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source}]
    assert parameters(cells) == [
        {"name": "pools", "value": ["a", "b"], "default": ["a", "b"], "meaning": "of the study"},
        {"name": "low", "value": -0.5, "default": -0.5, "meaning": "a number"},
    ]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [("drawn", "drawn faces, not about photographs"), ("digits", "digits, not about faces")],
)
def test_data_of_the_projects_own_is_announced_on_every_page(tmp_path, data, wanted):
    paths = study_paths("quick", str(tmp_path))
    save(paths, "10_data", book("Data", "What faces?"), data=data)
    save(paths, "40_training", book("Training", "Which arm?"))
    render_study(paths)
    for page in ("index.html", "10_data.html", "40_training.html"):
        banner = re.search(r'<p class="banner drawn">.*?</p>', text(paths, page))[0]
        assert wanted in banner


def test_photographs_are_not_called_drawings(tmp_path):
    paths = real_study(tmp_path, "schuermann")
    assert "banner drawn" not in text(paths, "10_data.html") + text(paths, "index.html")


def test_a_failed_notebook_shows_its_error_first_and_in_the_index(rendered):
    page, index = text(rendered, "40_training.html"), text(rendered, "index.html")
    message = "data: \u2026/faces.zip: no such &lt;file&gt;; give --data PATH"
    assert page.index(message) < page.index("<h1") and 'role="alert"' in page
    assert 'href="#cell-id=cell-09"' in page and 'id="cell-id=cell-09"' in page
    assert "An Exception was encountered" not in page and "\x1b" not in page
    assert message in index and "of an earlier run" in index
    assert "/home/jo" not in page and "/home/jo" not in index
    assert '<p class="state failed">failed</p>' in index


def test_widgets_scripts_and_messages_do_no_harm(rendered):
    shown = text(rendered, "10_data.html")
    assert "open the notebook in JupyterLab" in shown
    assert "require(" not in shown and "$(" not in shown
    messages = r'<details class="messages">.*FutureWarning: &lt;b&gt;soon'
    assert re.search(messages, shown, re.DOTALL)


def test_a_half_done_copy_hides_the_older_complete_one_and_goes_when_repaired(tmp_path):
    def status() -> list[str]:
        return [e.status for e in executions(paths) if e.name == "10_data"]

    paths = study_paths("quick", str(tmp_path))
    save(paths, "10_data", book("Data", "What?"))
    broken = new_code_cell("x", id="cell-09", outputs=[error_output()])
    half_done = save(paths, "10_data", book("Data", "What?", broken), status="failed")
    assert status() == ["failed"]
    half_done.unlink()
    assert status() == ["done"]
    (paths.state / "10_data.json").unlink()
    assert status() == ["unfinished"]


def test_numbers_in_the_names_of_pools_are_listed_as_numbers(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    steps = ["dcgan", "dcgan-generation2", "dcgan-generation10", "dcgan~gan_steps=90"]
    names = [f"20_generation-{pool}" for pool in [*steps, "dcgan~gan_steps=800"]]
    for name in sorted(names):
        save(paths, name, book("Pool", "What?"))
    assert [e.name for e in executions(paths) if e.stage == 20] == names


@pytest.mark.parametrize("name", ["20_generation-dcgan~gan_lr=0.002", "30_curation-cgan~gan_lr=.1"])
def test_an_execution_whose_name_has_dots_is_told_from_one_that_is_under_way(tmp_path, name):
    paths = study_paths("quick", str(tmp_path))
    done = save(paths, name, book("Pool", "What?"))
    done.with_suffix(".running.ipynb").write_text("")
    assert [e.status for e in executions(paths) if e.name == name] == ["done"]
    assert not [e for e in executions(paths) if "running" in e.name]
    save(paths, name, book("Pool", "What?"), status="failed")
    assert [e.status for e in executions(paths) if e.name == name] == ["failed"]


def test_pages_are_made_again_only_when_something_changed_and_then_the_same(tmp_path):
    def times() -> dict:
        return {page: page.stat().st_mtime_ns for page in paths.reports.glob("*_*.html")}

    paths = make_study(tmp_path)
    render_study(paths)
    before = times()
    contents = {page: page.read_bytes() for page in before}
    render_study(paths)
    assert times() == before

    # Another notebook makes another page of its own.
    save(paths, "10_data", book("Data", "What faces, now?"), data="drawn")
    render_study(paths)
    assert "What faces, now?" in text(paths, "10_data.html")

    # The same notebooks make the same bytes.
    shutil.rmtree(paths.reports)
    make_study(tmp_path)
    render_study(paths)
    assert {page: page.read_bytes() for page in before} == contents


def test_a_page_that_was_removed_is_made_again(tmp_path):
    paths = make_study(tmp_path)
    render_study(paths)
    (paths.reports / "10_data.html").unlink()
    render_study(paths)
    assert "What faces does the study" in text(paths, "10_data.html")


def test_a_page_goes_with_its_execution(tmp_path):
    paths = make_study(tmp_path)
    render_study(paths)
    (paths.notebooks / "20_generation-dcgan.ipynb").unlink()
    render_study(paths)
    assert not (paths.reports / "20_generation-dcgan.html").exists()
    assert "dcgan.html" not in text(paths, "index.html")


def test_without_any_execution_the_index_says_so(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    assert "There is none yet" in render_index(paths).read_text()
    render_top(paths.reports.parent)
    assert "quick" in (paths.reports.parent / "local.html").read_text()


def test_what_the_overview_needs_lies_beside_the_pages_as_data(rendered):
    summary = read_summary(rendered.reports)
    assert summary["answer"] == ANSWER[0].short == ANSWER[0].text and summary["data"] == "drawn"
    assert set(summary["pages"]) == {page.name for page in rendered.reports.glob("*_*.html")}
    assert json.loads((rendered.reports / "study.json").read_text()) == summary
    overview = (rendered.reports.parent / "local.html").read_text()
    assert ANSWER[0].text in overview


def test_one_notebook_alone_can_be_rendered(tmp_path):
    nbformat.write(book("Data", "What faces?"), tmp_path / "10_data.ipynb")
    page = render_notebook(
        tmp_path / "10_data.ipynb", tmp_path / "pages" / "10_data.html", study="quick"
    )
    assert "<h1" in page.read_text() and "What faces?" in page.read_text()


def test_importing_is_cheap():
    code = f"import lib.report, sys; print([name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("page", ["10_data.html", "index.html"])
def test_every_page_says_size_machine_versions_and_commit(tmp_path, page):
    shown = text(real_study(tmp_path, "comp7055-cpu"), page)
    parts = ("reduced size", "1a2b3c4", "numpy 2.4.6", "2 cores")
    assert [part for part in parts if part not in shown] == []


def test_the_overview_lists_published_studies_in_their_order_and_others_apart(tmp_path):
    make_study(tmp_path)
    for study in ("full", "internship-cpu", "comp7055-cpu"):
        real_study(tmp_path, study)
    render_study(study_paths("quick", str(tmp_path)))
    overview = (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
    listed = re.findall(r'href="([\w-]+)/index.html"', overview)
    assert listed == ["comp7055-cpu", "internship-cpu", "full"]
    assert overview.count("real faces, reduced size") == 2 and "drawn faces<" not in overview
    local = (tmp_path / "reports" / "local.html").read_text(encoding="utf-8")
    assert re.findall(r'href="([\w-]+)/index.html"', local) == ["quick"]


def test_a_study_of_ones_own_leaves_the_published_overview_as_it_is(tmp_path):
    """README's first command must not change a file that git keeps."""
    real_study(tmp_path, "full")
    overview = tmp_path / "reports" / "index.html"
    before = overview.read_bytes()
    make_study(tmp_path)
    render_study(study_paths("quick", str(tmp_path)))
    real_study(tmp_path, "quick")
    assert overview.read_bytes() == before


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            "They help.\nThey <end>.\n",
            '<ul class="said"><li>They help.</li><li>They &lt;end&gt;.</li>',
        ),
        ("They help.\n", '<p class="said">They help.</p>'),
        ("a  b\n1  2.\n", '<pre tabindex="0">'),
    ],
)
def test_printed_sentences_are_text_of_the_page_and_columns_are_not(tmp_path, text, expected):
    cell = new_code_cell("print(text)", id="cell-20", outputs=[printed(text)])
    file, page = tmp_path / "50_metrics.ipynb", tmp_path / "pages" / "50_metrics.html"
    nbformat.write(book("Metrics", "Which differ?", cell), file)
    assert expected in render_notebook(file, page, study="quick").read_text()


def test_a_pool_made_several_times_is_named_once_in_lists():
    pools = ["folder", "dcgan", "dcgan-generation2", "dcgan-generation3", "x-generation2", 10, 10]
    named = ["folder", "dcgan (3 generations)", "x-generation2", "10", "10"]
    assert folded_generations(pools) == named


def test_sections_that_show_nothing_are_listed_in_one_line_each_at_the_end(tmp_path):
    nothing = html_output('<p class="absent">no control was run</p>')
    few = html_output('<p class="absent">no arm is small</p>')
    cells = [
        new_markdown_cell("## Controls\n\nA long explanation.", id="cell-20"),
        new_code_cell("controls", id="cell-21", outputs=[nothing]),
        new_markdown_cell("## Arms", id="cell-22"),
        new_code_cell("arms", id="cell-23", outputs=[html_output("<p>five</p>"), nothing]),
        new_markdown_cell("Beside them the arms of few images.", id="cell-24"),
        new_code_cell("few", id="cell-25", outputs=[few]),
        new_markdown_cell("Then the others.", id="cell-26"),
        new_code_cell("others", id="cell-27", outputs=[html_output("<p>nine</p>")]),
    ]
    file, page = tmp_path / "50_metrics.ipynb", tmp_path / "pages" / "50_metrics.html"
    nbformat.write(book("Metrics", "Which differ?", *cells), file)
    shown = render_notebook(file, page, study="quick").read_text()
    assert "A long explanation" not in shown
    assert "<li>Controls: no control was run</li>" in shown
    assert "<li>Arms: no control was run; no arm is small</li>" in shown
    assert "five" in shown and '<h2 id="arms">' in shown
    assert shown.index("five") < shown.rindex("What did not occur")

    # What leads up to nothing goes too; what stands around it stays.
    assert "arms of few images" not in shown
    assert shown.index("Then the others.") < shown.index("nine")


def test_what_a_cell_prints_bit_by_bit_stands_in_one_box(tmp_path):
    bits = [new_output("stream", text=f"step {i}\n") for i in range(3)]
    cell = new_code_cell("train", id="cell-20", outputs=bits)
    nothing = new_code_cell("print()", id="cell-21", outputs=[new_output("stream", text=" \n")])
    file, page = tmp_path / "20_generation.ipynb", tmp_path / "pages" / "20_generation.html"
    nbformat.write(book("Generation", "What is made?", cell, nothing), file)
    shown = render_notebook(file, page, study="quick").read_text()
    boxes = re.findall(r"<pre[^>]*>(.*?)</pre>", shown, re.S)
    assert "step 0\nstep 1\nstep 2\n" in boxes

    # Nothing that was printed needs no box.
    assert all(box.strip() for box in boxes)


def test_every_section_is_listed_in_the_contents_and_can_be_linked_to(rendered):
    page = text(rendered, "10_data.html")
    listed = re.findall(r'<li(?: class="sub")?><a href="#([^"]+)">', page)
    assert listed == ["parameters", "tables", "figures-without-words"]
    assert all(page.count(f'id="{anchor}"') == 1 for anchor in listed)


def test_the_answer_is_a_word_and_a_number_before_the_sentences(tmp_path):
    paths = make_study(tmp_path)
    first = replace(ANSWER[0], word="It helps", number="+2.1 points", about="with the best pool")
    write_answer(paths, [first, *ANSWER[1:]])
    render_study(paths)
    main = text(paths, "index.html")
    main = main[main.index("<main") :]
    order = [main.index(part) for part in ("It helps", "+2.1 points", "n = 9", "1 of 2 synthetic")]
    assert order == sorted(order)


def test_the_overview_shows_the_headline_figure_for_light_and_dark_and_the_leaderboard(tmp_path):
    real_study(tmp_path, "full")
    reports = tmp_path / "reports"
    for name in ("answer.svg", "answer-dark.svg"):
        (reports / name).write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    row = {"pool": "dcgan", "name": "DCGAN", "study": "full", "effect": "+1.0 (0.1 to 1.9)"}
    row |= {"values": "0.01|0.001|0.019", "verdict": "helps", "n_seeds": 5, "n_images": 7066}
    answer = {"sentences": ["In short.", "At length."], "leaderboard": [row]}
    answer |= {"alt": "it falls", "caption": "n = 10"}
    (reports / "answer.json").write_text(json.dumps(answer))
    overview = render_top(reports).read_text()
    assert 'alt="it falls"' in overview and "n = 10" in overview
    assert overview.count("data:image/svg+xml;base64,") == 2
    assert '<span title="dcgan">DCGAN</span>' in overview and "7,066" in overview
    assert 'data-v="0.01|0.001|0.019"' in overview  # what the column sorts by
    assert overview.index("In short.") < overview.index("it falls") < overview.index("At length.")
    assert all(name in overview for name in ("S1", "S2", "S3"))


def test_a_classifier_that_is_small_enough_lies_beside_the_pages(tmp_path, monkeypatch):
    paths = make_study(tmp_path)
    paths.application.mkdir()
    accuracies = "network,accuracy\nfloats,0.61\n8 bit,0.6\n"
    (paths.tables / "application_networks.csv").write_text(accuracies)
    (paths.application / "classifier.onnx").write_bytes(b"0" * 9000)
    (paths.application / "classifier-int8.onnx").write_bytes(b"0" * 4000)
    render_study(paths)
    index = text(paths, "index.html")
    assert "classifier.onnx</a>, 9 kB" in index and "61.0%" in index
    assert (paths.reports / "classifier.onnx").stat().st_size == 9000

    monkeypatch.setattr("lib.report.index.LARGEST_CLASSIFIER", 5000)
    render_study(paths)
    assert "classifier-int8.onnx</a>, 4 kB" in text(paths, "index.html")


def test_figures_lie_beside_the_pages_as_tables_and_stay_when_the_run_is_gone(tmp_path):
    paths = make_study(tmp_path)
    table = "arm,kind,difference\nduplicate-0.5,duplicate,0.01\n"
    (paths.tables / "effects.csv").write_text(table)
    render_study(paths)
    (paths.tables / "effects.csv").unlink()
    render_study(paths)
    assert (paths.reports / "effects.csv").read_text() == table
    index = text(paths, "index.html")
    assert '<a href="effects.csv">' in index and "levels.csv" not in index


def test_what_was_not_run_has_no_time_of_an_earlier_run(tmp_path):
    paths = make_study(tmp_path)
    (executed,) = paths.notebooks.glob("10_data.ipynb")
    executed.unlink()
    render_study(paths)
    index = text(paths, "index.html")
    assert ">not run</p>" in index and "not run in" not in index


def test_the_answer_links_to_the_page_of_the_notebook_that_gave_it(tmp_path):
    paths = make_study(tmp_path)
    (paths.notebooks / "80_findings.ipynb").rename(paths.notebooks / "90_verdict.ipynb")
    render_study(paths)
    index = text(paths, "index.html")
    assert "80_findings.html" not in index and 'href="90_verdict.html">How this' in index
    assert "help an emotion classifier?" not in index  # the question is that notebook's own
    assert (paths.reports / "90_verdict.html").exists()


def test_a_table_without_rows_is_no_link(tmp_path):
    paths = make_study(tmp_path)
    (paths.tables / "gains.csv").write_text("arm,difference\n")
    (paths.tables / "levels.csv").write_text("arm,value\nbase,0.6\n")
    (paths.tables / "amounts.json").write_text('{"sentences": []}')
    render_study(paths)
    index = text(paths, "index.html")
    assert "levels.csv" in index
    assert "gains.csv" not in index and "amounts.json" not in index


def test_the_predictions_travel_with_the_pages_and_all_tables_follow_from_them(tmp_path):
    paths = make_study(tmp_path)
    (paths.tables / "predictions.npz").write_bytes(b"PK\x03\x04")
    (paths.tables / "runs.csv").write_text("arm,seed\nbase,0\n")
    render_study(paths)
    assert (paths.reports / "predictions.npz").read_bytes() == b"PK\x03\x04"
    index = text(paths, "index.html")
    assert 'href="predictions.npz"' in index and 'href="runs.csv"' in index


def test_folders_of_the_machine_do_not_travel(tmp_path):
    line = "read /home/jo/faces/fer2013.csv at 300 images/s, 1/2 done"
    cell = new_code_cell("x", id="cell-09", outputs=[new_output("stream", text=line)])
    paths = study_paths("quick", str(tmp_path))
    save(paths, "10_data", book("Data", "What?", cell))
    page = render_notebook(
        paths.notebooks / "10_data.ipynb", tmp_path / "10_data.html", study="quick"
    ).read_text(encoding="utf-8")
    assert "read \u2026/fer2013.csv at 300 images/s, 1/2 done" in page and "/home/jo" not in page
