"""The page that compares the cells of a grid of settings: reports/<study>~vary/index.html."""

import itertools
from pathlib import Path

import pandas as pd

from lib.faces.arms import arm_of
from lib.metrics.grid import KEYS, grid_effects, moved, read_estimates
from lib.metrics.statistics import VERDICTS
from lib.metrics.wording import deciding_interval, points
from lib.report.executions import executions, ready_made_words
from lib.report.index import OVERVIEWS, render_top
from lib.report.names import arm_text, name_ready_made, reference_text
from lib.report.shell import BANNERS, read_summary, write_page, write_summary
from lib.study.answer import read_answer
from lib.study.cells import MARK, settings_of, settings_text
from lib.study.params import size_of
from lib.study.paths import StudyPaths
from lib.study.records import write_csv

TABLE = "grid.csv"  # beside the page
CONTENTS = {"cells": "The studies", "moved": "What moved", "same": "What stayed"}


def render_grid(study: str, cells: dict[str, StudyPaths]) -> Path:
    """Write the comparison of a grid's cells, as a page and as a table beside it.

    Args:
        study: that the cells belong to.
        cells: folders by the cell's name; cells that have not finished are named, and left out.

    Returns:
        Path of the page.
    """
    # What every cell measured.
    found = {cell: read_estimates(paths) for cell, paths in cells.items()}
    effects = grid_effects({cell: each for cell, each in found.items() if each is not None})
    finished = itertools.chain.from_iterable(map(executions, cells.values()))
    name_ready_made(ready_made_words(finished))
    different = moved(effects)
    same = effects.drop(different.index)

    # The page, and what the overview says of it.
    reports = next(iter(cells.values())).reports.parent
    folder, names = reports / f"{study}{MARK}vary", list(cells)
    data = read_summary(next(iter(cells.values())).reports)["data"]
    lead = lead_sentence(effects, different, len(cells))
    write_csv(folder / TABLE, effects)
    write_summary(folder, answer=lead, data=data)
    page = write_page(
        folder / "index.html",
        "grid.html.j2",
        study=study,
        size=size_of(study),
        title=f"What changes with {_varied(names)}?",
        description=lead,
        lead=lead,
        banner=BANNERS.get(data),
        cells=[cell_row(cell, paths, effects) for cell, paths in cells.items()],
        verdicts=VERDICTS,
        columns=[settings_text(name) for name in names],
        moved=comparison_rows(different, names),
        same=comparison_rows(same, names),
        table=TABLE,
        overview=OVERVIEWS[False],
        contents=[
            {"anchor": anchor, "text": text, "level": 2} for anchor, text in CONTENTS.items()
        ],
    )
    render_top(reports)
    return page


def lead_sentence(effects: pd.DataFrame, different: pd.DataFrame, n_cells: int) -> str:
    """Say in one sentence how many verdicts depend on the settings.

    Args:
        effects: of `grid.grid_effects`.
        different: of `grid.moved`.
        n_cells: of the grid, finished or not.
    """
    if not len(effects):
        return f"None of the {n_cells} studies has finished its metrics yet."
    # A comparison counts once, in however many studies it was made.
    total, changed = (len(rows.drop_duplicates(KEYS)) for rows in (effects, different))
    finished = effects["cell"].nunique()
    whole = f"all {n_cells}" if finished == n_cells else f"{finished} of {n_cells}"
    if not changed:
        return f"Each of {total} comparisons has the same verdict in {whole} studies of the grid."
    return (
        f"{changed} of {total} comparisons have another verdict in one study of the grid than in "
        f"another ({whole} studies have finished)."
    )


def cell_row(cell: str, paths: StudyPaths, effects: pd.DataFrame) -> dict:
    """Describe a cell: settings, page, its own answer, and how often each verdict stands in it."""
    counts = effects.loc[effects["cell"] == cell, "verdict"].value_counts()
    answer = read_answer(paths)
    return {
        "settings": settings_text(cell),
        "page": f"../{cell}/index.html",
        "answer": answer[0].text if answer else "No answer yet.",
        "counts": [int(counts.get(verdict, 0)) for verdict in VERDICTS],
    }


def comparison_rows(effects: pd.DataFrame, cells: list[str]) -> list[dict]:
    """Lay comparisons out with a column a cell, those of the first cell first.

    Args:
        effects: rows of `grid.grid_effects`.
        cells: names, in order.

    Returns:
        arm and against (in words), classifier, and cells: verdict, difference, interval and alone
        (the cell's own verdict where it is another one) of each, or None where the cell lacks the
        comparison.
    """
    # A network is named where there are several.
    rows, has_several = [], effects["classifier"].nunique() > 1
    for _, group in effects.groupby(KEYS, sort=False):
        by_cell = {row["cell"]: row for row in group.to_dict("records")}
        first = next(iter(by_cell.values()))
        rows.append(
            {
                "arm": arm_text(arm_of(first)),
                "classifier": first["classifier"] if has_several else "",
                "against": reference_text(first["reference_kind"]),
                "cells": [_shown(by_cell[cell]) if cell in by_cell else None for cell in cells],
            }
        )
    return rows


def _shown(row: dict) -> dict:
    """Write a comparison of one cell: the interval is the one that decides in the grid."""
    low, high = deciding_interval(row)
    alone = row["verdict_alone"] if row["verdict_alone"] != row["verdict"] else ""
    interval = f"{points(low)} to {points(high)}"
    shown = {"verdict": row["verdict"], "difference": points(row["difference"])}
    return shown | {"interval": interval, "alone": alone}


def _varied(cells: list[str]) -> str:
    """Name the parameters that a grid varies: "seeds and pool_images"."""
    keys = [text.partition("=")[0] for text in settings_of(cells[0])]
    return " and ".join(keys) if len(keys) < 3 else f"{', '.join(keys[:-1])} and {keys[-1]}"
