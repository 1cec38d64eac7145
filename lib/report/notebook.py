"""One executed notebook as a page: prose and results in sight, code folded away, parameters as a table, an error first."""

import functools
import html
import logging
import re
from pathlib import Path

from lib.report.executions import Execution, executions, first_error, heading, is_drawn, parameters, read_cells, step_record, study_beside
from lib.report.pictures import smaller_pictures
from lib.report.shell import TEMPLATES, environment, write_page
from lib.study.params import size_of

PATH = re.compile(r"(?<![\w./\u2026])/(?:[\w.+@-]+/)+([\w.+@-]+)")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
DROPPED = ("injected-parameters", "papermill-error-cell-tag")  # shown as a table, and as the page's own banner
# Parameters in sight where there are many, beside those that differ from the default.
FIRST = ("study", "pool", "data", "seed", "generator")
NO_TEXT = "No description has been provided for this image"  # nbconvert's
NOTE = '<p class="note">An interactive part: open the notebook in JupyterLab to use it.</p>'


def render_notebook(
    ipynb: Path, page: Path, *, study: str, siblings: tuple[Execution, ...] = (), record: dict | None = None, mark: str = ""
) -> Path:
    """Render an executed notebook, complete or half-done.

    Args:
        ipynb: the executed copy.
        page: the HTML file to write.
        study: name of the study.
        siblings: all executions of the study, for the navigation; empty: those that lie beside ipynb.
        record: of the step (seconds, facts), shown in the head of the page; None: as it lies beside ipynb.
        mark: digest that the page carries, see `shell.stamp`.
    """
    name = page.stem
    siblings = siblings or tuple(executions(study_beside(ipynb)))
    cells = read_cells(ipynb)
    title, question = heading(cells)
    return write_page(
        page, "notebook_page.html.j2", study=study, name=name, title=title or name, description=question, mark=mark, drawn=is_drawn(cells),
        error=_error(cells), body=notebook_body(ipynb, title or name), navigation=navigation(name, siblings), up="index.html",
        record=step_record(study_beside(ipynb), name) if record is None else record, size=size_of(study),
    )  # fmt: skip


def notebook_body(ipynb: Path, title: str) -> str:
    """Render the cells alone, every image with an alternative text, every table in a box of its own."""
    import nbformat

    book = nbformat.read(ipynb, as_version=4)
    shown = [row | {"first": row["name"] in FIRST or row["value"] != row["default"]} for row in parameters(read_cells(ipynb))]
    shown = [row | {"value": short_paths(row["value"]) if isinstance(row["value"], str) else row["value"]} for row in shown]
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.metadata["report_html"] = environment().get_template("parameters.html.j2").render(rows=shown)
        if cell.cell_type == "code":
            cell.outputs = [
                without_paths(still(output)) for output in cell.outputs if "application/javascript" not in output.get("data", {})
            ]
    book.cells = [cell for cell in book.cells if not set(DROPPED) & set(cell.metadata.get("tags", []))]
    body, _ = _exporter().from_notebook_node(book)
    body = re.sub(
        r"<table\b.*?</table>", r'<div class="scroll" tabindex="0" role="region" aria-label="table">\g<0></div>', body, flags=re.S
    )
    return smaller_pictures(describe_images(body, title))


def short_paths(text: str) -> str:
    """Keep of each absolute path its last name: reports travel, the folders of the machine do not."""
    return PATH.sub("\u2026/\\1", text)


def without_paths(output):
    """Shorten the paths in what a cell printed or showed as text; pictures, whose encoding looks like paths, stay as they are."""
    if "text" in output:
        output.text = short_paths(output.text)
    for kind, shown in output.get("data", {}).items():
        if kind in ("text/plain", "text/html") and ";base64," not in shown:
            output.data[kind] = short_paths(shown)
    return output


def still(output):
    """Replace a widget, which needs a running kernel, by its HTML or a note."""
    data = output.get("data", {})
    if any("widget-view" in kind for kind in data):
        output.data = {"text/html": data.get("text/html", NOTE)}
    return output


def describe_images(body: str, title: str) -> str:
    """Give each image without alternative text the heading that it stands under."""
    under = title

    def visit(found: re.Match) -> str:
        nonlocal under
        if found[0].startswith("<h"):
            under = " ".join(re.sub(r"<[^>]*>|¶", "", found[0]).split())
            return found[0]
        return found[0].replace(NO_TEXT, html.escape(f"Figure: {html.unescape(under)}"), 1)

    return re.sub(r"<h[1-6]\b.*?</h[1-6]>|<img\b[^>]*>", visit, body, flags=re.S)


def navigation(name: str, siblings: tuple[Execution, ...]) -> dict:
    """Lay out the links of a page: its stages (same pool where there is one), pools of its stage, and the pages before and after."""
    pages = [execution for execution in siblings if execution.status != "not run"]
    here = next((execution for execution in pages if execution.name == name), None)
    stages = {}
    for execution in pages:
        if execution.stage not in stages or (here and execution.pool == here.pool != ""):
            stages[execution.stage] = execution
    place = pages.index(here) if here else -1
    return {
        "here": here,
        "stages": list(stages.values()),
        "pools": [execution for execution in pages if here and here.pool and execution.stage == here.stage],
        "before": pages[place - 1] if place > 0 else None,
        "after": pages[place + 1] if here and place + 1 < len(pages) else None,
    }


def _error(cells: list[dict]) -> dict | None:
    """Prepare the first error for the head of the page: kind, message, cell and traceback without colours."""
    error = first_error(cells)
    if error is None:
        return None
    trace = ANSI.sub("", "\n".join(error["traceback"]))
    return {"kind": error["ename"], "message": ANSI.sub("", error["evalue"]), "trace": trace, "cell": error["cell"]}


@functools.cache
def _exporter():
    """Set up nbconvert with the project's cell template: no CDN, no prompts, no anchors."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="basic", raw_template=(TEMPLATES / "cells.html.j2").read_text(encoding="utf-8"), exclude_input_prompt=True,
        exclude_output_prompt=True, exclude_anchor_links=True, mathjax_url="", require_js_url="", mermaid_js_url="", jquery_url="",
    )  # fmt: skip
    exporter.log = logging.getLogger(__name__)
    exporter.log.setLevel(logging.ERROR)  # images without text are given one here
    return exporter
