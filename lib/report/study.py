"""All pages of a study in one call; a page is rendered again only when what it is made from has changed."""

import json
from pathlib import Path

from lib.report.executions import executions, step_record
from lib.report.index import render_index, render_top
from lib.report.notebook import render_notebook
from lib.report.shell import meta, stamp
from lib.study.paths import StudyPaths


def render_study(paths: StudyPaths) -> Path:
    """Render every executed notebook that has no page of its present state, the study's index, and the index over all studies.

    Returns:
        Path of reports/<study>/index.html.
    """
    paths.reports.mkdir(parents=True, exist_ok=True)
    found = tuple(executions(paths))
    ran = [execution for execution in found if execution.status != "not run"]
    for page in paths.reports.glob("[0-9][0-9]_*.html"):
        if page.name not in {execution.page for execution in ran}:
            page.unlink()  # of an execution that is no more
    neighbours = json.dumps([(e.name, e.status, e.title) for e in found])
    for execution in ran:
        page = paths.reports / execution.page
        record = step_record(paths, execution.name)
        mark = stamp(execution.ipynb.read_bytes(), neighbours, json.dumps(record.get("facts", {})), paths.root.name)
        if meta(page, "made-from") != mark:
            render_notebook(execution.ipynb, page, study=paths.root.name, siblings=found, record=record, mark=mark)
    index = render_index(paths)
    render_top(paths.reports.parent)
    return index
