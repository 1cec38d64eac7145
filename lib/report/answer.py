"""What a study's page answers, and what that rests on: the executions of now, or those of before a
run that failed or was stopped.
"""

from dataclasses import dataclass

from lib.report.executions import Execution, read_cells
from lib.report.notebook import render_notebook, short_paths
from lib.study.answer import Sentence, read_answer
from lib.study.earlier import Earlier, earlier_answer
from lib.study.parameter_cells import has_tag
from lib.study.paths import StudyPaths
from lib.study.stages import ANSWERING

# The cell of the findings whose last output is the figure beside the answer.
FIGURE_TAG = "answer-figure"
PLOT = '<figure class="plot"'  # how `lib.plots.show` begins a figure
PAGE = "answer.html"  # of the notebook behind an answer that stays


@dataclass(frozen=True)
class Answer:
    """An answer as the page shows it."""

    sentences: list[Sentence]
    figure: str  # HTML, "" for none
    page: str  # of the notebook that found it, "" for none
    records: dict[str, dict]  # of the executions behind it, by name
    earlier: Earlier | None = None  # where it is that of before a run without one
    command: str = ""  # that asked for an earlier answer, as a page may show it
    later: str = ""  # that ended without one


def answer_of(paths: StudyPaths, listed: list[Execution], records: dict[str, dict]) -> Answer:
    """Gather what a study answers.

    Args:
        listed: its executions.
        records: of these, by name.
    """
    earlier = earlier_answer(paths)
    if earlier is None:
        pages = [e.page for e in listed if e.stage in ANSWERING and e.status != "not run"]
        figure = answer_figure(listed)
        return Answer(read_answer(paths), figure, pages[0] if pages else "", records)

    # In the place of the execution that has no answer stands the one that had.
    before = Execution(earlier.name, earlier.ipynb, "done", "", "")
    return Answer(
        earlier.sentences,
        answer_figure([before]),
        PAGE,
        records | {earlier.name: earlier.record},
        earlier,
        short_paths(earlier.command),
        short_paths(earlier.later),
    )


def render_earlier(paths: StudyPaths, siblings: tuple[Execution, ...]) -> None:
    """Write the page of the notebook behind an answer that stays; without one it goes.

    Args:
        siblings: all executions of the study, for the navigation.
    """
    page, earlier = paths.reports / PAGE, earlier_answer(paths)
    if earlier is None:
        page.unlink(missing_ok=True)
        return
    study, record = paths.root.name, earlier.record
    render_notebook(
        earlier.ipynb, page, name=earlier.name, study=study, siblings=siblings, record=record
    )


def answer_figure(listed: list[Execution]) -> str:
    """Take the figure of the findings that stands beside the answer, as HTML; "" for none."""
    # Notebook 80 marks cells, of which the first with a figure has it; it shows it last.
    findings = [e for e in listed if e.notebook == "80_findings" and e.status == "done"]
    # A failed or unfinished execution of 80 has no answer to stand beside.
    cells = [cell for execution in findings for cell in read_cells(execution.ipynb)]
    for cell in cells:
        if has_tag(cell, FIGURE_TAG):
            shown = [output["data"] for output in cell["outputs"] if "data" in output]
            last = "".join(shown[-1].get("text/html", "")) if shown else ""
            if PLOT in last:
                return last
    return ""
