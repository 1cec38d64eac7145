"""Pages: what they must show, that nothing in them points outside, that they are made again only when something changed."""

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from fixture_study import book, error_output, make_study, save
from nbformat.v4 import new_code_cell

from lib.report import render_index, render_notebook, render_study, render_top
from lib.report.executions import executions, parameters
from lib.study.paths import study_paths


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


def test_the_index_opens_with_the_answer_then_what_was_run_then_the_evidence(rendered):
    index = text(rendered, "index.html")
    order = [
        index.index(part)
        for part in ("1 of 2 synthetic pools", "What was run", "1a2b3c4", "<code>seeds</code>", "The evidence", 'href="10_data.html"')
    ]
    assert order == sorted(order)
    assert '<span class="pill helps">helps</span>' in index and "20_generation-dcgan.html" in index
    assert "What faces does the study stand on" in index and "numpy 2.4.6" in index
    assert "gan_steps" not in index, "parameters of one pool are not parameters of the study"
    assert index.count('<figure class="plot">') == 1, "the first figure of the findings stands beside the answer"


def test_every_page_links_back_and_every_link_leads_to_a_file(rendered):
    for page in pages(rendered):
        links = [
            html.unescape(link) for link in re.findall(r'href="([^"#]+)"', page.read_text(encoding="utf-8")) if not link.startswith("data:")
        ]
        assert all((page.parent / link).exists() for link in links), page.name
        if page.name != "index.html":
            assert "index.html" in links
    assert 'href="quick/index.html"' in (rendered.reports.parent / "index.html").read_text()


def test_pages_of_pools_link_to_each_other_and_turn_in_order(rendered):
    page = text(rendered, "20_generation-dcgan.html")
    assert 'class="before" href="10_data.html"' in page and 'class="after" href="20_generation-drawn-faithful.html"' in page
    assert re.search(r'<nav class="pools".*drawn-faithful.*</nav>', page, re.S)


def test_nothing_on_a_page_points_outside(rendered):
    for page in pages(rendered):
        found = page.read_text(encoding="utf-8")
        loaded = (
            re.findall(r'\b(?:src|srcset|poster|data)="([^"]*)"', found)
            + re.findall(r"url\(([^)]*)\)", found)
            + re.findall(r'<link[^>]*href="([^"]*)"', found)
        )
        assert all(address.startswith("data:") for address in loaded), (page.name, loaded)
        assert not re.search(r"https?://|@import|<script[^>]*\bsrc", found), page.name


def test_every_image_has_an_alternative_text(rendered):
    found = text(rendered, "10_data.html")
    assert len(re.findall("<img", found)) == len(re.findall(r"<img[^>]*\salt=\"[^\"]+\"", found)) == 2
    assert 'alt="Figure: Figures without words"' in found and 'alt="what the figure finds"' in found


def test_code_is_folded_and_the_parameters_that_ran_are_shown(rendered):
    found = text(rendered, "10_data.html")
    assert len(re.findall(r'<details class="code">', found)) == 4 and "something_rather_long_3" in found
    table = re.search(r'<section[^>]*class="parameters".*?</section>', found, re.S)[0]
    assert re.search(r"<code>batch</code></td><td>128 <small>default 64</small></td><td>images in a batch, 1 to 4096</td>", table)
    assert "# Parameters" not in found


def test_of_many_parameters_those_that_differ_stay_in_sight(tmp_path):
    notebook = book("Data", "What?")
    notebook.cells[1].source += "".join(f"\nextra_{i}: int = {i}  # number {i}" for i in range(20))
    nbformat.write(notebook, tmp_path / "10_data.ipynb")
    page = render_notebook(tmp_path / "10_data.ipynb", tmp_path / "10_data.html", study="quick").read_text()
    assert page.index("default 64") < page.index("21 more at their defaults") < page.index("extra_7")


def test_by_hand_the_defaults_are_the_parameters():
    cells = [
        {
            "cell_type": "code",
            "metadata": {"tags": ["parameters"]},
            "source": 'pools: list = ["a", "b"]  # of the study\nlow: float = -0.5  # a number',
        }
    ]
    assert parameters(cells) == [
        {"name": "pools", "value": ["a", "b"], "default": ["a", "b"], "meaning": "of the study"},
        {"name": "low", "value": -0.5, "default": -0.5, "meaning": "a number"},
    ]


def test_drawings_are_announced_and_photographs_are_not_called_drawings(rendered, tmp_path):
    assert "drawn faces, not about photographs" in re.search(r'<p class="banner drawn">.*?</p>', text(rendered, "10_data.html"))[0]
    paths = study_paths("schuermann", str(tmp_path))
    save(paths, "10_data", book("Data", "What faces?", drawn=False), data="faces.zip")
    render_study(paths)
    assert "banner drawn" not in text(paths, "10_data.html") + text(paths, "index.html")


def test_a_failed_notebook_shows_its_error_first_and_in_the_index(rendered):
    page, index = text(rendered, "40_training.html"), text(rendered, "index.html")
    message = "data: faces.zip: no such &lt;file&gt;; give --data PATH"
    assert page.index(message) < page.index("<h1") and 'role="alert"' in page
    assert 'href="#cell-id=cell-09"' in page and 'id="cell-id=cell-09"' in page
    assert "An Exception was encountered" not in page and "\x1b" not in page
    assert message in index and '<p class="state failed">failed</p>' in index and "of an earlier run" in index


def test_widgets_scripts_and_messages_do_no_harm(rendered):
    found = text(rendered, "10_data.html")
    assert "open the notebook in JupyterLab" in found and "require(" not in found and "$(" not in found
    assert re.search(r'<details class="messages">.*FutureWarning: &lt;b&gt;soon', found, re.S)


def test_a_half_done_copy_hides_the_older_complete_one_and_goes_when_mended(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    save(paths, "10_data", book("Data", "What?"))
    broken = save(paths, "10_data", book("Data", "What?", new_code_cell("x", id="cell-09", outputs=[error_output()])), status="failed")
    assert [e.status for e in executions(paths) if e.name == "10_data"] == ["failed"]
    broken.unlink()
    assert [e.status for e in executions(paths) if e.name == "10_data"] == ["done"]
    (paths.state / "10_data.json").unlink()
    assert [e.status for e in executions(paths) if e.name == "10_data"] == ["unfinished"]


def test_pages_are_made_again_only_when_something_changed_and_then_the_same(tmp_path):
    paths = make_study(tmp_path)
    render_study(paths)
    before = {page: (page.stat().st_mtime_ns, page.read_bytes()) for page in paths.reports.glob("*_*.html")}
    render_study(paths)
    assert {page: page.stat().st_mtime_ns for page in before} == {page: stamp for page, (stamp, _) in before.items()}
    save(paths, "10_data", book("Data", "What faces, now?"), data="drawn")
    render_study(paths)
    assert "What faces, now?" in text(paths, "10_data.html")
    shutil.rmtree(paths.reports)
    make_study(tmp_path)
    render_study(paths)
    assert {page: page.read_bytes() for page in before} == {page: content for page, (_, content) in before.items()}


def test_a_page_goes_with_its_execution(tmp_path):
    paths = make_study(tmp_path)
    render_study(paths)
    (paths.notebooks / "20_generation-dcgan.ipynb").unlink()
    render_study(paths)
    assert not (paths.reports / "20_generation-dcgan.html").exists() and "dcgan.html" not in text(paths, "index.html")


def test_without_any_execution_the_index_says_so(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    assert "There is none yet" in render_index(paths).read_text()
    assert "quick" in render_top(paths.reports.parent).read_text()


def test_one_notebook_alone_can_be_rendered(tmp_path):
    nbformat.write(book("Data", "What faces?"), tmp_path / "10_data.ipynb")
    page = render_notebook(tmp_path / "10_data.ipynb", tmp_path / "pages" / "10_data.html", study="quick")
    assert "<h1" in page.read_text() and "What faces?" in page.read_text()


def test_importing_is_cheap():
    heavy = "import lib.report, sys; print([m for m in ('nbconvert', 'nbformat', 'jinja2', 'pandas', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_page_says_size_machine_versions_and_commit(tmp_path):
    paths = study_paths("schuermann-cpu", str(tmp_path))
    save(paths, "10_data", book("Data", "What faces?", drawn=False), data="faces.zip")
    render_study(paths)
    for page in ("10_data.html", "index.html"):
        assert [part for part in ("reduced size", "1a2b3c4", "numpy 2.4.6", "2 cores") if part not in text(paths, page)] == [], page


def test_the_overview_lists_real_faces_before_drawn_ones_in_the_order_of_the_studies(tmp_path):
    make_study(tmp_path)
    for study in ("full", "comp7055-cpu", "schuermann-cpu"):
        paths = study_paths(study, str(tmp_path))
        save(paths, "10_data", book("Data", "What faces?", drawn=False), data="faces.zip")
        render_study(paths)
    render_study(study_paths("quick", str(tmp_path)))
    overview = (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="([\w-]+)/index.html"', overview) == ["schuermann-cpu", "comp7055-cpu", "full", "quick"]
    assert overview.count("real faces, reduced size") == 2 and overview.count("drawn faces<") == 1


def test_a_classifier_that_is_small_enough_lies_beside_the_pages(tmp_path, monkeypatch):
    paths = make_study(tmp_path)
    paths.application.mkdir()
    (paths.tables / "application_networks.csv").write_text("network,accuracy\nfloats,0.61\n8 bit,0.6\n")
    for name in ("classifier.onnx", "classifier-int8.onnx"):
        (paths.application / name).write_bytes(b"0" * (4000 if "int8" in name else 9000))
    render_study(paths)
    assert "classifier.onnx</a>, 9 kB" in text(paths, "index.html") and "61.0%" in text(paths, "index.html")
    assert (paths.reports / "classifier.onnx").stat().st_size == 9000
    monkeypatch.setattr("lib.report.index.LARGEST_CLASSIFIER", 5000)
    render_study(paths)
    assert "classifier-int8.onnx</a>, 4 kB" in text(paths, "index.html")


def test_figures_lie_beside_the_pages_as_tables_and_stay_when_the_run_is_gone(tmp_path):
    paths = make_study(tmp_path)
    (paths.tables / "effects.csv").write_text("arm,difference\nduplicate,0.01\n")
    render_study(paths)
    (paths.tables / "effects.csv").unlink()
    render_study(paths)
    assert (paths.reports / "effects.csv").read_text() == "arm,difference\nduplicate,0.01\n"
    assert '<a href="effects.csv">' in (paths.reports / "index.html").read_text() and "levels.csv" not in text(paths, "index.html")


def test_folders_of_the_machine_do_not_travel(tmp_path):
    told = "read /home/jo/faces/fer2013.csv at 300 images/s, 1/2 done"
    cell = new_code_cell("x", id="cell-09", outputs=[nbformat.v4.new_output("stream", text=told)])
    paths = study_paths("quick", str(tmp_path))
    save(paths, "10_data", book("Data", "What?", cell))
    page = render_notebook(paths.notebooks / "10_data.ipynb", tmp_path / "10_data.html", study="quick").read_text(encoding="utf-8")
    assert "read \u2026/fer2013.csv at 300 images/s, 1/2 done" in page and "/home/jo" not in page
