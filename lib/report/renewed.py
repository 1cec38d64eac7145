"""The answer on a published study's page, written anew from what is published beside it.

Tables follow from published predictions, whose runs need not be there any more; the page of the
study is rendered from runs. So its answer can be brought up to the tables without them.
"""

import re
from pathlib import Path

from lib.report.leading import read_figure
from lib.report.shell import environment, write_summary
from lib.study.answer import Sentence
from lib.study.records import atomic_write

SECTION, BEGIN, END = '<section class="answer"', '<div class="headline">', "</ul>"
LINE = re.compile(r"<li>.*</li>")  # a sentence of the page
FIGURE = "gain"  # gain.svg, gain-dark.svg and gain.json beside the page


def renew_answer(reports: Path, sentences: list[Sentence]) -> bool:
    """Write the answer of a study of numbers of real images anew, on its page and in its summary.

    Args:
        reports: folder of the study's pages, with the figure of its answer.
        sentences: that the page begins with, as `amount_sentences.read_sentences`; what else it
            says stays.

    Returns:
        Whether the page was another before.
    """
    page, figure = Path(reports) / "index.html", read_figure(Path(reports), FIGURE)
    if not (page.exists() and figure and sentences):
        return False
    before = page.read_text(encoding="utf-8")
    start = before.index(BEGIN, before.index(SECTION))
    end = before.index(END, start) + len(END)

    # The first sentence stands over the list, those of other tables behind.
    further = LINE.findall(before[start:end])[len(sentences) - 1 :]
    templates = environment()
    plot = templates.get_template("plot.html.j2").module.plot(figure)
    answer = templates.get_template("answer.html.j2")
    text = answer.render(sentences=sentences, figure=plot, further=further).strip()
    if text == before[start:end]:
        return False

    # The overview reads the summary.
    with atomic_write(page, "w") as file:
        file.write(before[:start] + text + before[end:])
    write_summary(Path(reports), answer=sentences[0].short)
    return True
