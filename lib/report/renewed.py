"""The answer on a published study's page, written anew from what is published beside it.

Tables follow from published predictions, whose runs need not be there any more; the page of the
study is rendered from runs. So its answer can be brought up to the tables without them.
"""

import re
from pathlib import Path

from lib.report.leading import USES, read_figure
from lib.report.shell import environment, write_summary
from lib.study.answer import Sentence
from lib.study.records import atomic_write

SECTION, BEGIN, END = '<section class="answer"', '<div class="headline">', "</ul>"
LINE = re.compile(r"<li>.*</li>")  # a sentence of the page
FIGURE = "gain"  # gain.svg, gain-dark.svg and gain.json beside the page
OWN = re.compile(r'<figure class="plot".*?</figure>', re.DOTALL)  # a figure of the page


def renew_answer(reports: Path, sentences: list[Sentence]) -> bool:
    """Write the answer of a study anew, on its page and in its summary.

    Args:
        reports: folder of the study's pages; where the figure of its answer is not among them, or
            is that of several uses, the page's own stays.
        sentences: that the page begins with, as `amount_sentences.read_sentences`; what else it
            says stays.

    Returns:
        Whether the page was another before.
    """
    page = Path(reports) / "index.html"
    if not (page.exists() and sentences):
        return False
    before = page.read_text(encoding="utf-8")
    start = before.index(BEGIN, before.index(SECTION))
    end = before.index(END, start) + len(END)

    # The first sentence stands over the list, those of other tables behind.
    further = LINE.findall(before[start:end])[len(sentences) - 1 :]
    plot = _figure(Path(reports), before[start:end])
    answer = environment().get_template("answer.html.j2")
    text = answer.render(sentences=sentences, figure=plot, further=further).strip()
    if text == before[start:end]:
        return False

    # The overview reads the summary.
    with atomic_write(page, "w") as file:
        file.write(before[:start] + text + before[end:])
    write_summary(Path(reports), answer=sentences[0].short)
    return True


def _figure(reports: Path, answer: str) -> str:
    """Draw the figure of an answer anew, where it is a file; others are on the page alone."""
    # Their numbers are the tables' too, but nothing draws them without the runs.
    figure = {} if (reports / USES).exists() else read_figure(reports, FIGURE)
    if not figure:
        own = OWN.search(answer)
        return own.group() if own else ""
    return environment().get_template("plot.html.j2").module.plot(figure)
