"""A small study as a run leaves it: executed notebooks, one half-done, records, tables.

Not a test module.
"""

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lib.study.answer import Sentence, write_answer
from lib.study.paths import StudyPaths, study_paths

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
FACTS = {
    "commit": "1a2b3c4",
    "dirty": False,
    "python": "3.11.7",
    "versions": {"numpy": "2.4.6", "torch": "2.15.0"},
    "platform": "Linux",
    "cpu": "A processor with a long name @ 2.40GHz",
    "cores": 2,
    "device": "cpu",
    "date": "2026-03-01T12:30:05+00:00",
}
PARAMETERS = """\
# --- study ---
study: str = "quick"  # name of the study
# folder that receives runs/ and reports/; empty for the project's own
output: str = ""
write: bool = False  # true: write into the study
seed: int = 0  # governs what is drawn once per study

# --- training ---
batch: int = 64  # images in a batch, 1 to 4096"""
BANNER = "study quick · commit 1a2b3c4 · cpu\n"
OPENING = """\
# {title}

{question}

| | |
|---|---|
| reads | `data/faces.npz`, `a/rather/long/path/without/a/single/space/in/it/metadata.csv` |
| takes | seconds |"""
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
LONG_LINE = "value = " + " + ".join(f"something_rather_long_{i}" for i in range(12))
ANSWER = [
    Sentence("On drawn faces, 1 of 2 synthetic pools help when added to all real images."),
    Sentence("drawn-faithful helps: +2.1 points (1.0 to 3.2).", "drawn-faithful", "helps"),
    Sentence("dcgan is undecided: −0.3 points (−1.2 to 0.6).", "dcgan", "undecided"),
]


def html_output(text: str):
    plain = "<IPython.core.display.HTML object>"
    return new_output("display_data", data={"text/html": text, "text/plain": plain})


def printed(text: str, name: str = "stdout"):
    return new_output("stream", name=name, text=text)


def wide_table() -> str:
    head = "".join(f"<th>a_long_column_name_{i}</th>" for i in range(14))
    row = "<td>0.123</td>" * 14
    return f"<table><thead><tr>{head}</tr></thead><tbody><tr>{row}</tr></tbody></table>"


def long_table() -> str:
    """A table of the project's own: sorted by a click, folded after four rows."""
    import pandas as pd

    from lib.plots.tables import table_html

    numbers = [0.02, -0.3, 0.00001, 0.15, -0.001, 0.4, 0.07, -0.2]
    data = pd.DataFrame(
        {
            "pool": ["dcgan", "drawn-narrow", *"abcdef"],
            "difference": numbers,
            "low": [number - 0.01 for number in numbers],
            "high": [number + 0.01 for number in numbers],
            "p": [abs(number) / 10 for number in numbers],
            "verdict": ["helps", "hurts"] * 4,
        }
    )
    return table_html(data, "a long table of differences", first=4)


def figure() -> str:
    """A chart of the project's own, as wide as they are."""
    import pandas as pd

    from lib.plots.data import bars
    from lib.plots.display import figure_html

    chart = bars(pd.Series({"fear": 40.0, "happy": 80.0}), xlabel="accuracy, %")
    return figure_html(chart, alt="what the figure finds", caption="n = 9")


def interactive_map() -> str:
    """The map that is explored by pointing at it."""
    import numpy as np

    from lib.plots.hover import hover_map

    points = np.random.default_rng(0).normal(size=(40, 2))
    sources, labels = ["real", "dcgan"] * 20, np.arange(40) % 2
    images = {"dcgan": np.zeros((20, 48, 48), np.uint8)}
    words = {"alt": "two groups apart", "caption": "n = 40"}
    return hover_map(points, sources, labels, ("fear", "happy"), images, **words)


def error_output():
    trace = [
        "\x1b[0;31m---------\x1b[0m",
        "\x1b[0;31mStudyError\x1b[0m Traceback (most recent call last)",
        "Cell \x1b[0;32mIn[4], line 1\x1b[0m",
        "File \x1b[0;32m/home/jo/secret/lib.py:3\x1b[0m",
        "x" * 300,
    ]
    message = "data: /home/jo/secret/faces.zip: no such <file>; give --data PATH"
    return new_output("error", ename="StudyError", evalue=message, traceback=trace)


def book(title: str, question: str, *cells, pool: str = ""):
    """Compose an executed notebook as papermill leaves it."""
    injected = '# Parameters\nstudy = "quick"\noutput = ""\nseed = 0\nbatch = 128\n'
    if pool:
        injected += f'pool = "{pool}"\n'
    opening = [
        new_markdown_cell(OPENING.format(title=title, question=question), id="cell-01"),
        new_code_cell(
            PARAMETERS, id="cell-02", metadata={"tags": ["parameters"]}, execution_count=1
        ),
        new_code_cell(
            injected, id="deadbeef", metadata={"tags": ["injected-parameters"]}, execution_count=2
        ),
        new_code_cell(
            'step = begin("10_data", globals())',
            id="cell-03",
            outputs=[printed(BANNER)],
            execution_count=3,
        ),
    ]
    return new_notebook(cells=[*opening, *cells], metadata={"kernelspec": KERNEL})


def results_cells() -> list:
    """Cells with everything a page must bear: wide tables, long lines, images with and without
    text, messages, widgets, scripts.
    """
    png = new_output("display_data", data={"image/png": PIXEL, "text/plain": "<Figure>"})
    view = {"model_id": "a", "version_major": 2, "version_minor": 0}
    widget_data = {"application/vnd.jupyter.widget-view+json": view, "text/plain": "VBox()"}
    widget = new_output("display_data", data=widget_data)
    script_data = {"application/javascript": "require(['x'], () => 0)", "text/plain": "js"}
    script = new_output("display_data", data=script_data)
    warning = printed("FutureWarning: <b>soon</b>\n", "stderr")
    return [
        new_markdown_cell("## Tables\n\nExpect a table wider than a phone.", id="cell-04"),
        new_code_cell(
            LONG_LINE,
            id="cell-05",
            outputs=[
                html_output(wide_table()),
                html_output(long_table()),
                printed("y" * 400 + "\n"),
            ],
            execution_count=4,
        ),
        new_markdown_cell("### Figures without words", id="cell-06"),
        new_code_cell(
            "figure",
            id="cell-07",
            metadata={"tags": ["answer-figure"]},
            outputs=[png, html_output(interactive_map()), html_output(figure())],
            execution_count=5,
        ),
        new_code_cell("panel", id="cell-08", outputs=[widget, script, warning], execution_count=6),
    ]


def save(
    paths: StudyPaths,
    name: str,
    notebook,
    *,
    status: str = "done",
    seconds: float = 12.4,
    **parameters,
) -> Path:
    """Write an executed notebook and, if it is done, its record."""
    paths.notebooks.mkdir(parents=True, exist_ok=True)
    paths.state.mkdir(parents=True, exist_ok=True)
    file = paths.notebooks / (f"{name}.failed.ipynb" if status == "failed" else f"{name}.ipynb")
    nbformat.write(notebook, file)
    if status == "done":
        record = {
            "step": name,
            "parameters": {"study": "quick", "output": "", "seed": 0} | parameters,
            "facts": FACTS,
            "seconds": seconds,
            "outputs": {},
        }
        (paths.state / f"{name}.json").write_text(json.dumps(record))
    return file


def make_study(folder: Path) -> StudyPaths:
    """Leave a study in a folder: two notebooks done, two pools, one notebook failed, an answer."""
    paths = study_paths("quick", str(folder))
    question = "What faces does the study stand on, and which are copies?"
    save(paths, "10_data", book("Data", question, *results_cells()), data="drawn", seeds=7)
    for pool in ("dcgan", "drawn-faithful"):
        generation = book(
            "Generation", "What does the generator make?", *results_cells(), pool=pool
        )
        save(paths, f"20_generation-{pool}", generation, seconds=75, gan_steps=9)

    # A training that failed, as papermill marks it.
    failing = new_code_cell(
        "faces = read_faces(data)", id="cell-09", outputs=[error_output()], execution_count=7
    )
    tags = {"tags": ["papermill-error-cell-tag"]}
    marker = new_markdown_cell("An Exception was encountered", id="cafe", metadata=tags)
    training = book("Training", "Which arm learns what?", results_cells()[0], marker, failing)
    save(paths, "40_training", training, status="failed")

    save(paths, "80_findings", book("Findings", "Do synthetic faces help?", *results_cells()))
    write_answer(paths, ANSWER)
    return paths
