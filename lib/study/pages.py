"""The pages of a study: renders executed notebooks that have none yet, and the index over all."""

from lib.study.fingerprints import code_digest
from lib.study.plan import Task
from lib.study.records import file_digest, read_json, write_json


def render(tasks: list[Task], outcomes: dict, pages) -> None:
    """Render what is new.

    Args:
        tasks: all of the study.
        outcomes: how those that were asked for ended.
        pages: imports and returns the module that renders; called only where something is new.
    """
    paths = tasks[0].paths
    book = paths.state / "pages.json"
    before = read_json(book) if book.exists() else {}
    code = code_digest("lib.report", "lib.study.pages")
    ready = [task for task in tasks if task.executed.exists()]
    now = {task.name: [code, file_digest(task.executed)] for task in ready}
    stale = [task for task in ready if before.get(task.name) != now[task.name] or not task.page.exists()]
    if not stale and before == now and (paths.reports / "index.html").exists() and all(o.status == "kept" for o in outcomes.values()):
        return
    library = pages()
    for task in stale:
        library.render_notebook(task.executed, task.page, study=task.params["study"])
    library.render_index(paths)
    write_json(book, now)
