"""All pages of a study in one call; a page is rendered again only when what it is made from has
changed.
"""

import json
from pathlib import Path

from lib.report.answer import render_earlier
from lib.report.executions import Execution, executions, step_record
from lib.report.index import render_index, render_top
from lib.report.notebook import render_notebook
from lib.report.shell import read_summary, stamp, write_summary
from lib.study.paths import StudyPaths


def render_study(paths: StudyPaths) -> Path:
    """Render every executed notebook that has no page of its present state, the study's index, and
    the index over all studies.

    Returns:
        Path of reports/<study>/index.html.
    """
    paths.reports.mkdir(parents=True, exist_ok=True)

    # All notebooks, and those that left a copy.
    listed = tuple(executions(paths))
    executed = [execution for execution in listed if execution.status != "not run"]

    # Pages of executions that are no more.
    current = {execution.page for execution in executed}
    for page in paths.reports.glob("[0-9][0-9]_*.html"):
        if page.name not in current:
            page.unlink()

    # Pages whose notebook, record or neighbours are not those that they were made from.
    before, stamps = read_summary(paths.reports)["pages"], {}
    for execution in executed:
        page = paths.reports / execution.page
        stamps[page.name] = _stamp_of(execution, listed, paths)
        if not page.exists() or before.get(page.name) != stamps[page.name]:
            render_notebook(
                execution.ipynb,
                page,
                study=paths.root.name,
                siblings=listed,
                record=step_record(paths, execution.name),
            )

    # The notebook behind an answer that a later run left as it was.
    render_earlier(paths, listed)

    # The indices are quick, and always written.
    index = render_index(paths)
    write_summary(paths.reports, pages=stamps)
    render_top(paths.reports.parent)
    return index


def _stamp_of(execution: Execution, siblings: tuple[Execution, ...], paths: StudyPaths) -> str:
    """Hash what an execution's page is made from: the copy, its record, and the links to others."""
    # A page links to its siblings, by name and title, and marks those that failed.
    links = [(sibling.name, sibling.status, sibling.title) for sibling in siblings]
    facts = step_record(paths, execution.name).get("facts", {})
    return stamp(
        execution.ipynb.read_bytes(), json.dumps(links), json.dumps(facts), paths.root.name
    )
