"""One executed notebook as a page: prose and results in sight, code folded away, parameters as a
table, an error first.
"""

import functools
import html
import logging
import re
from pathlib import Path

from lib.report.executions import (
    Execution,
    embedded_data,
    executions,
    first_error,
    heading,
    parameters,
    plain,
    read_cells,
    ready_made_words,
    step_record,
    study_beside,
)
from lib.report.names import name_ready_made
from lib.report.pictures import smaller_pictures
from lib.report.shell import (
    BANNERS,
    TEMPLATES,
    contents_of,
    environment,
    with_anchors,
    write_page,
)
from lib.study.errors import FOR_USERS
from lib.study.generations import folded_generations
from lib.study.notebooks import quick_imports
from lib.study.parameter_cells import TAG, TAG_INJECTED, has_tag
from lib.study.params import size_of

# An absolute path of two folders or more: /home/jo/faces/fer2013.csv, not 1/2 or images/s.
PATH = re.compile(r"(?<![\w./\u2026])/(?:[\w.+@-]+/)+([\w.+@-]+)")
# Escape sequences of a terminal, which tracebacks are full of.
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Shown as a table, and as the page's own banner.
DROPPED = (TAG_INJECTED, "papermill-error-cell-tag")
# Parameters in sight where there are many, beside those that differ from the default.
FIRST = ("study", "pool", "data", "seed", "generator")
# What stands for a widget, and the box in which a wide table scrolls.
NOTE = '<p class="note">An interactive part: open the notebook in JupyterLab to use it.</p>'
SCROLL = '<div class="scroll" tabindex="0" role="group" aria-label="table">'
# Tables that no box was made for: those of lib.plots bring theirs.
BARE_TABLE = re.compile(r'<table\b(?! class="shown")[^>]*>.*?</table>', re.DOTALL)
# A row of heads without a word, as Markdown writes it over a list of facts.
EMPTY_HEAD = re.compile(r"<thead>\s*<tr>\s*(?:<th[^>]*>\s*</th>\s*)+</tr>\s*</thead>")
# What tables say to JupyterLab's style sheet; a page has its own.
INLINE_STYLE = re.compile(r'(<figure class="table"[^>]*>)<style>.*?</style>')
# What lib.plots.absent displays.
ABSENT = re.compile(r'<p class="absent">(.*?)</p>')
ANCHOR = re.compile(r'<figure class="table" id="([^"]+)"')


def render_notebook(
    ipynb: Path,
    page: Path,
    *,
    study: str,
    name: str = "",
    siblings: tuple[Execution, ...] = (),
    record: dict | None = None,
) -> Path:
    """Render an executed notebook, complete or half-done.

    Args:
        ipynb: the executed copy.
        page: the HTML file to write.
        study: name of the study.
        name: of the execution; empty: as the page is called.
        siblings: all executions of the study, for the navigation; empty: those beside ipynb.
        record: of the step (seconds, facts), shown in the head of the page; None: as it lies beside
            ipynb.
    """
    # A notebook that is rendered alone takes its study from where it lies.
    name, paths = name or page.stem, study_beside(ipynb)
    siblings = siblings or tuple(executions(paths))
    name_ready_made(ready_made_words(siblings))
    cells = read_cells(ipynb)
    title, question = heading(cells)
    body = notebook_body(ipynb, title or name)
    return write_page(
        page,
        "notebook_page.html.j2",
        contents=contents_of(body),
        study=study,
        name=name,
        title=title or name,
        description=question,
        banner=BANNERS.get(embedded_data(paths, cells)),
        error=_error(cells),
        body=body,
        navigation=navigation(name, siblings),
        up="index.html",
        record=step_record(paths, name) if record is None else record,
        size=size_of(study),
    )


def notebook_body(ipynb: Path, title: str) -> str:
    """Render the cells alone, every image with an alternative text, every table in a box of its
    own.

    Args:
        ipynb: the executed copy.
        title: of the page, for images before the first heading.
    """
    with quick_imports():
        import nbformat

    book = nbformat.read(ipynb, as_version=4)

    # What papermill added is shown elsewhere on the page.
    book.cells = [cell for cell in book.cells if not any(has_tag(cell, tag) for tag in DROPPED)]
    book.cells, nothing = without_absent(book.cells)
    describe_images(book.cells, title)
    for cell in book.cells:
        if has_tag(cell, TAG):
            cell.metadata["report_html"] = _parameter_table(ipynb)
        if cell.cell_type == "code":
            shown = [_for_readers(output) for output in cell.outputs if _is_shown(output)]
            cell.outputs = [output for output in _joined(shown) if not _is_blank(output)]

    # HTML by nbconvert; wide tables scroll, and large pictures shrink.
    body, _ = _exporter().from_notebook_node(book)
    body = INLINE_STYLE.sub(r"\1", EMPTY_HEAD.sub("", body))
    body = BARE_TABLE.sub(rf"{SCROLL}\g<0></div>", body)

    # Sections can be linked to, and boxes that scroll be reached by keys.
    body = with_anchors(body.replace("<pre>", '<pre tabindex="0">') + _absent_list(nothing))
    return smaller_pictures(_each_anchor_once(body))


def without_absent(cells: list) -> tuple[list, list[str]]:
    """Take out what shows nothing but that there is nothing to show.

    Args:
        cells: of an executed notebook, with their outputs.

    Returns:
        The other cells, and a line for each section that had such an output: its heading, and why.
        A section that shows nothing else is taken out whole.
    """
    # A section begins with a heading; what stands before the first one stays.
    sections = [[]]
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.lstrip().startswith("#"):
            sections.append([])
        sections[-1].append(cell)

    # What a section lacks becomes one line; what it shows stays.
    kept, lines = [], []
    for section in sections:
        reasons = [reason for cell in section for reason in _take_absent(cell)]
        if not reasons:
            kept += section
            continue
        name = plain(section[0].source.lstrip().splitlines()[0].lstrip("# "))
        lines.append(f"{html.escape(name)}: {'; '.join(reasons)}")
        if any(cell.get("outputs") for cell in section):
            kept += _without_idle(section)
    return kept, lines


def _take_absent(cell) -> list[str]:
    """Take the outputs that say why there is nothing out of a cell, and list the reasons."""
    reasons, others = [], []
    for output in cell.get("outputs", []):
        text = "".join(output.get("data", {}).get("text/html", ""))
        found = ABSENT.fullmatch(text.strip())
        if found:
            reasons.append(found[1])
        else:
            others.append(output)
    if reasons:
        cell.outputs = others
        cell.metadata["idle"] = not others
    return reasons


def _without_idle(section: list) -> list:
    """Leave out the cells of a section that had nothing to show, and the texts that led to them."""
    # A text leads to the cells up to the next one; the heading stays.
    blocks = [[]]
    for cell in section:
        if cell.cell_type == "markdown":
            blocks.append([])
        blocks[-1].append(cell)

    # A block that lost all that it showed goes with its text.
    kept = []
    for block in blocks:
        busy = [cell for cell in block if not cell.metadata.get("idle")]
        shows = any(cell.get("outputs") for cell in busy)
        if len(busy) == len(block) or shows or block[0] is section[0]:
            kept += busy
    return kept


def _absent_list(lines: list[str]) -> str:
    """Write what did not occur as the last section of a page; "" for nothing."""
    if not lines:
        return ""
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f'<h2>What did not occur</h2><ul class="absent">{items}</ul>'


def _each_anchor_once(body: str) -> str:
    """Number the anchors of tables whose captions begin alike."""
    seen = {}

    def numbered(match: re.Match) -> str:
        seen[match[1]] = seen.get(match[1], 0) + 1
        ending = f"-{seen[match[1]]}" if seen[match[1]] > 1 else ""
        return f'<figure class="table" id="{match[1]}{ending}"'

    return ANCHOR.sub(numbered, body)


def describe_images(cells: list, title: str) -> None:
    """Give the images of each code cell the heading that it stands under, for those that come
    without a text of their own.
    """
    under = title
    for cell in cells:
        if cell.cell_type == "code":
            # nbconvert takes the text of an image from here.
            cell.metadata.setdefault("alt", f"Figure: {under}")
            continue

        # A cell of text may hold several headings: the last one is nearest.
        headings = [line for line in cell.source.splitlines() if line.startswith("#")]
        if headings:
            under = plain(headings[-1].lstrip("# "))


def short_paths(text: str) -> str:
    """Keep of each absolute path its last name: reports travel, the folders of the machine do
    not.
    """
    # Between the colours of a traceback, whose last letter would be part of a path.
    parts = re.split(f"({COLOURS.pattern})", text)
    return "".join(PATH.sub("\u2026/\\1", part) for part in parts)


def navigation(name: str, siblings: tuple[Execution, ...]) -> dict:
    """Lay out the links of a page.

    Args:
        name: of the page's execution.
        siblings: all executions of the study.

    Returns:
        here (the execution), stages (one link a stage, to the same pool where there is one), pools
        (those of its stage), before and after (the next pages).
    """
    pages = [execution for execution in siblings if execution.status != "not run"]
    here = next((execution for execution in pages if execution.name == name), None)

    # A page that is rendered alone links to the first page of each stage.
    if here is None:
        stages = {execution.stage: execution for execution in reversed(pages)}
        links = [stages[stage] for stage in sorted(stages)]
        return {"here": None, "stages": links, "pools": [], "before": None, "after": None}

    # The first page of each stage, or that of the same pool.
    stages = {}
    for execution in pages:
        is_same_pool = execution.pool == here.pool != ""
        if execution.stage not in stages or is_same_pool:
            stages[execution.stage] = execution

    # Its siblings of other pools, and the pages before and after it.
    pools = [execution for execution in pages if here.pool and execution.stage == here.stage]
    place = pages.index(here)
    return {
        "here": here,
        "stages": list(stages.values()),
        "pools": pools,
        "before": pages[place - 1] if place > 0 else None,
        "after": pages[place + 1] if place + 1 < len(pages) else None,
    }


def _parameter_table(ipynb: Path) -> str:
    """Render the parameters that a notebook ran with."""
    rows = []
    for row in parameters(read_cells(ipynb)):
        if row["name"] == "write":
            continue  # true in every batch: no reader asks
        # What differs from the default matters most, then what every notebook has.
        is_first = row["name"] in FIRST or row["value"] != row["default"]
        shown = {key: value_text(row[key]) for key in ("value", "default")}
        rows.append(row | shown | {"first": is_first})
    return environment().get_template("parameters.html.j2").render(rows=rows)


def value_text(value) -> str:
    """Write a parameter's value for readers: no folder of the machine, each pool once."""
    if isinstance(value, list):
        return ", ".join(folded_generations(value)) or "none"
    return short_paths(str(value)) or "empty"


def _is_shown(output) -> bool:
    """Tell whether an output belongs on a page: scripts do not."""
    # The pages' own script is the only one: theirs may not even load without a kernel.
    return "application/javascript" not in output.get("data", {})


def _is_blank(output) -> bool:
    """Tell whether an output is text without a letter: an empty box on a page."""
    return output["output_type"] == "stream" and not output["text"].strip()


def _joined(outputs: list) -> list:
    """Join what a cell printed bit by bit: one text where no other output stands between."""
    # Errors and output are two streams.
    joined = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if "stream" == output["output_type"] == before.get("output_type"):
            if output["name"] == before["name"]:
                before["text"] += output["text"]
                continue
        joined.append(output)
    return joined


def _for_readers(output):
    """Make an output fit to travel: without widgets, which need a kernel, and without the folders
    of the machine.
    """
    # A widget may bring HTML of its own.
    data = output.get("data", {})
    if any("widget-view" in kind for kind in data):
        output.data = {"text/html": data.get("text/html", NOTE)}
    if "text" in output:
        output.text = short_paths(output.text)
    if output["output_type"] == "error":
        output.traceback = [short_paths(line) for line in output.traceback]

    # Pictures, whose encoding looks like paths, stay as they are.
    for kind, shown in output.get("data", {}).items():
        if kind in ("text/plain", "text/html") and ";base64," not in shown:
            output.data[kind] = short_paths(shown)
    return output


def _error(cells: list[dict]) -> dict | None:
    """Prepare the first error for the head of the page: kind, message, cell and traceback."""
    error = first_error(cells)
    if error is None:
        return None

    # The page links to the cell, and folds the traceback.
    return {
        "kind": "" if error["ename"] in FOR_USERS else error["ename"],  # a sentence says it all
        "message": short_paths(COLOURS.sub("", error["evalue"])),
        "trace": short_paths(COLOURS.sub("", "\n".join(error["traceback"]))),
        "cell": error["cell"],
    }


@functools.cache
def _exporter():
    """Set up nbconvert with the project's cell template: no CDN, no prompts, no anchors."""
    with quick_imports():
        from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="basic",
        raw_template=(TEMPLATES / "cells.html.j2").read_text(encoding="utf-8"),
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        mathjax_url="",
        require_js_url="",
        mermaid_js_url="",
        jquery_url="",
    )
    # It would warn of images whose text this module adds.
    exporter.log = logging.getLogger(__name__)
    exporter.log.setLevel(logging.ERROR)
    return exporter
