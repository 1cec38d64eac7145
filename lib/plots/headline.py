"""The answer over all studies on real faces: `python -m lib.plots.headline` draws it, prints it,
and puts it on the README's first screen.

Nothing here is typed in: a study without results has no row and no sentence.
"""

import sys
from pathlib import Path

import pandas as pd

from lib.faces.arms import ARM_FIELDS
from lib.metrics.amount_headline import HEADLINE, other_uses
from lib.metrics.amount_sentences import read_sentences
from lib.metrics.answers import number_sentences, question_sentence
from lib.metrics.evidence import of_first_classifier
from lib.metrics.pages import read_csv
from lib.metrics.predictions import PREDICTIONS, read_predictions
from lib.metrics.questions import BY_KEY, QUESTIONS, Question
from lib.metrics.wording import tally
from lib.plots.amounts import write_headline
from lib.plots.boards import board_row, pool_name, ranked_gains, write_leaderboard
from lib.plots.forest import intervals, rows_text
from lib.plots.readme import OVERVIEW, gain_lines, picture_lines, write_between
from lib.plots.vector import write_svg
from lib.report import published_studies, render_top
from lib.report.leading import (
    ADDED,
    USES,
    answers_on_uses,
    better_training,
    leading_words,
    studies_of_uses,
)
from lib.report.names import name_ready_made
from lib.report.renewed import renew_answer
from lib.report.shell import read_summary
from lib.study.errors import StudyError
from lib.study.parameter_rules import EMBEDDED_DATA
from lib.study.params import load_params, studies
from lib.study.paths import ROOT, StudyPaths, study_paths
from lib.study.records import read_json, write_json

ROWS_A_QUESTION = 4  # of the figure
# All studies on real faces have one margin; the figure shows it as a band.
MARGIN_STUDY = "schuermann"
# Columns that the questions and sentences need of a published table.
NEEDED = ("metric", "class", "reference_kind", "steps", "reference_steps", *ARM_FIELDS)

CAPTION = "Lines are the intervals that decide; marks are shaped by the verdict."
# `Question.headline` in words.
AMOUNTS = (
    "Of each study and pool one amount is shown: added, the largest share; in place of real faces, "
    "one half; instead of real faces, as many; where few are left, the fewest."
)


def headline_rows(
    tables: dict[str, pd.DataFrame], ready_made: dict[str, str] | None = None
) -> pd.DataFrame:
    """Choose the comparisons that answer each question, over all studies: of each pool one amount.

    Args:
        tables: of `contrasts.effects`, by study; a study's first classifier answers.
        ready_made: what the ready-made images of each study are called.

    Returns:
        Rows of the tables with question (its key), study and name (of the pool, in words), the
        largest difference of each question first.
    """
    parts = []
    for study, effects in tables.items():
        # Where the full size has been run, the reduced one says less.
        full_size = study.rpartition("-")[0]
        if full_size in tables:
            continue

        # Every question, by the classifier that answers.
        effects = of_first_classifier(effects)
        for question in QUESTIONS:
            rows = question.at_headline(question.rows(effects))
            names = [pool_name(pool, (ready_made or {}).get(study, "")) for pool in rows["pool"]]
            parts.append(rows.assign(question=question.key, study=study, name=names))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if not len(table):
        return table

    # In the order of the questions, the best arm of each first.
    table["place"] = table["question"].map(list(BY_KEY).index)
    order = {"by": ["place", "difference"], "ascending": [True, False], "kind": "stable"}
    return table.sort_values(**order, ignore_index=True).drop(columns="place")


def headline_sentences(rows: pd.DataFrame) -> list[str]:
    """Write the answer, one sentence a question: the best arm with its interval and n, and all
    verdicts.

    Args:
        rows: of `headline_rows`.
    """
    if not len(rows):
        return []
    # In short: every arm once, whatever it was asked.
    sentences = []
    if len(rows) > 1:
        counted = rows[[BY_KEY[key].counted for key in rows["question"]]]
        against = "against real faces alone (where few are left, against those few)"
        equal = (counted["steps"] == counted["reference_steps"]).all()
        steps = ", at equal steps" if equal else ""
        verdicts = tally(counted["verdict"])
        sentences.append(f"**Over all studies and pools, {against}{steps}: {verdicts}.**")

    # Question by question.
    for key, part in rows.groupby("question", sort=False):
        sentences.append(question_sentence(BY_KEY[key], part, with_power=False))
    return sentences


def leaderboard(rows: pd.DataFrame) -> list[dict]:
    """Rank the pools by what adding them to all real images changes, for the overview.

    Args:
        rows: of `headline_rows`.

    Returns:
        pool, name, study, effect and values (difference, low, high: in words, and unrounded),
        verdict, n_seeds and n_images of each, the best first.
    """
    added = rows[rows["question"] == "added"].to_dict("records")
    return [board_row(row) for row in added]


def draw_headline(rows: pd.DataFrame, path: Path, *, margin: float) -> Path:
    """Draw the rows as a forest plot, the best of each question, and write it as SVG for light
    pages, and as <name>-dark.svg for dark ones.

    Args:
        rows: of `headline_rows`.
        path: of the file for light pages.
        margin: half width of the band of differences that do not matter, 0 to 1.

    Returns:
        The path.
    """
    shown = shown_rows(rows)
    label = "accuracy, points against the real faces of each question"
    figure = intervals(shown, margin=margin, xlabel=label).get_figure()

    write_svg(figure, path)
    return path


def shown_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Name the rows that the figure shows: the best of each question, under it.

    Args:
        rows: of `headline_rows`.
    """
    shown = rows.groupby("question", sort=False).head(ROWS_A_QUESTION).copy()
    records = shown.to_dict("records")
    shown["group"] = [_heading(BY_KEY[row["question"]]) for row in records]
    amounts = [BY_KEY[row["question"]].amount(row["share"]) for row in records]
    shown["name"] = [f"{row['name']}, {words}" for row, words in zip(records, amounts, strict=True)]
    return shown


def write_answer_data(path: Path, rows: pd.DataFrame) -> None:
    """Write what the overview shows beside the figure: its alternative text, caption, sentences and
    leaderboard.

    Args:
        path: of the JSON file.
        rows: of `headline_rows`.
    """
    data = {"alt": _alt(rows), "caption": f"{AMOUNTS} {CAPTION}"}
    write_json(path, data | {"sentences": _plain(rows), "leaderboard": leaderboard(rows)})


def write_readme(readme: Path, rows: pd.DataFrame) -> None:
    """Put figure, sentences and the studies that they come from between the README's marks.

    Args:
        readme: with a line that begins with BEGIN, and END after it.
        rows: of `headline_rows`.

    Raises:
        StudyError: the marks are not there.
    """
    # Where the numbers come from, and what the figure leaves out.
    names = dict.fromkeys(rows["study"])
    links = ", ".join(f"[{study}](reports/{study}/index.html)" for study in names)
    notes = [AMOUNTS]
    if rows["question"].value_counts().max() > ROWS_A_QUESTION:
        notes.append(f"The figure shows the best {ROWS_A_QUESTION} of each question.")
    notes.append(f"From {links}; {OVERVIEW}.")

    # Figure, sentences, notes.
    bullets = [f"- {sentence}" for sentence in headline_sentences(rows)]
    figure = picture_lines("answer", _alt(rows))
    write_between(readme, [*figure, "", *bullets, "", " ".join(notes)])


def published_effects(paths: StudyPaths) -> pd.DataFrame | None:
    """Read a study's published effects on accuracy, None where it has none.

    Raises:
        StudyError: a table of before the fields of arms were columns.
    """
    # A study that has not been run has published nothing.
    file = paths.reports / "effects.csv"
    if not file.exists():
        return None

    # Questions are asked of columns; a table without them has no answer.
    effects = read_csv(file)
    missing = [column for column in NEEDED if column not in effects]
    if missing:
        raise StudyError(
            f"{file}: column {missing[0]!r} is missing, the table is of an earlier version; run "
            "notebook 50 of the study again"
        )
    return effects[(effects["metric"] == "accuracy") & (effects["class"] == "")]


def main(output: str = "") -> int:
    """Write the overview, its leaderboard, the README's answer and those on the pages of studies of
    numbers of real images from published results alone, and print the answer.

    The study of numbers of real images answers where it is published (reports/gain.json). Without
    it all studies on real faces do, by shares of synthetic images: reports/answer.svg.

    Args:
        output: folder that holds reports/, and README.md where it has one; empty for the project's
            own.

    Raises:
        StudyError: no study on real faces has results, or no such folder.
    """
    folder = Path(output) if output else ROOT
    reports, readme = folder / "reports", folder / "README.md"
    if not reports.is_dir():
        raise StudyError(f"{reports}: no such folder; give the one that holds reports/")
    # Pools beside numbers of real images, ranked.
    margin = load_params(MARGIN_STUDY)["margin"]
    tables, ready_made = _published(output, of_numbers=True)
    knowledge = {study: _knowledge(study_paths(study, output)) for study in tables}
    ranked = ranked_gains(tables, ready_made, knowledge)
    if len(ranked):
        write_leaderboard(reports, ranked, margin=margin)
    published = published_studies(reports)
    renew_answers(reports, published, ready_made)
    renew_answers_of_pools(reports, tables, knowledge, ready_made)
    add_uses(reports, published, ready_made)
    render_top(reports)

    # Numbers of real images lead.
    if (reports / HEADLINE).exists():
        lines = gain_lines(leading_words(reports), answers_on_uses(reports, published))
        print("\n".join(lines))
        if readme.exists():
            write_between(readme, lines)
        return 0

    # Figure, overview, README and the terminal say the same.
    rows = headline_rows(*_published(output))
    if not len(rows):
        raise StudyError(
            "no study on real faces has results yet; run one first, for example: run_all.py "
            "--study amounts-cpu --data fer2013.csv --synthetic dataset_synthetic"
        )
    figure = draw_headline(rows, reports / "answer.svg", margin=margin)
    write_answer_data(reports / "answer.json", rows)
    render_top(reports)
    if readme.exists():
        write_readme(readme, rows)
    print("\n".join([*headline_sentences(rows), f"figure: {figure}"]))
    return 0


def renew_answers(reports: Path, published: list[str], ready_made: dict[str, str]) -> None:
    """Draw the figures of studies of numbers of real images anew, from the tables beside their
    pages, and write the answers on these pages anew.

    Args:
        published: names of the studies.
        ready_made: what the ready-made images of each study are called.
    """
    for study in published:
        folder = reports / study
        if not (folder / HEADLINE).exists():
            continue
        # Figure and sentences name the images as the study does; one of uses shows another figure.
        name_ready_made(ready_made.get(study, ""))
        if not (folder / USES).exists():
            tables = [read_csv(folder / f"{name}.csv") for name in ("gains", "recovered")]
            write_headline(folder, read_json(folder / HEADLINE), *tables)
        renew_answer(folder, read_sentences(folder))


def renew_answers_of_pools(
    reports: Path,
    tables: dict[str, pd.DataFrame],
    knowledge: dict[str, dict[str, str]],
    ready_made: dict[str, str],
) -> None:
    """Write the answers of studies that compare many pools beside numbers of real images anew.

    Args:
        tables: published effects, by study.
        knowledge: what the generators of its pools knew, by study.
        ready_made: as in `renew_answers`.
    """
    for study, effects in tables.items():
        # Those with a figure of numbers of real images have been written.
        if (reports / study / HEADLINE).exists():
            continue
        name_ready_made(ready_made.get(study, ""))
        renew_answer(
            reports / study, number_sentences(of_first_classifier(effects), knowledge[study])
        )


def add_uses(reports: Path, published: list[str], ready_made: dict[str, str]) -> None:
    """Write what studies of several uses add to the words of the one that leads, where there are
    both: reports/gain-uses.json.

    Args:
        reports, published, ready_made: as in `renew_answers`.
    """
    # Those that train their networks as the leading one come before those that train them better.
    asked = sorted(studies_of_uses(reports, published), key=lambda study: better_training(study))
    words = read_json(reports / HEADLINE) if (reports / HEADLINE).exists() else {"study": ""}
    leading = reports / words["study"]
    if not asked or not (leading / "advice.csv").exists():
        (reports / ADDED).unlink(missing_ok=True)
        return

    # Their tables, in their own words for the images.
    others = {}
    for study in asked:
        tables = {name: read_csv(reports / study / f"{name}.csv") for name in ("advice", "uses")}
        names = {"how": better_training(study), "ready_made": ready_made.get(study, "")}
        others[study] = tables | names
    tables = {name: read_csv(leading / f"{name}.csv") for name in ("advice", "gains")}
    write_json(reports / ADDED, other_uses(tables, others))


def _published(
    output: str, *, of_numbers: bool = False
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Read the published effects of all studies on real faces, and what their ready-made images
    are called; both by study.

    Args:
        output: as in `main`.
        of_numbers: only studies that ask for numbers of real images.
    """
    # What a study was run on stands beside its pages.
    params = {study: load_params(study) for study in studies()}
    tables = {}
    for study, values in params.items():
        paths = study_paths(study, output)
        if of_numbers and not values["real_counts"]:
            continue
        if read_summary(paths.reports)["data"] in EMBEDDED_DATA:
            continue
        effects = published_effects(paths)
        if effects is not None:
            tables[study] = effects
    return tables, {study: values["synthetic_name"] for study, values in params.items()}


def _knowledge(paths: StudyPaths) -> dict[str, str]:
    """Read what the generator of each pool of a published study knew, by pool."""
    if not (paths.reports / PREDICTIONS).exists():
        return {}
    return read_predictions(paths.reports).facts["knowledge"]


def _heading(question: Question) -> str:
    """Write a question as the heading over its rows."""
    return f"{question.label[0].upper()}{question.label[1:]}, against {question.against}"


def _alt(rows: pd.DataFrame) -> str:
    """Describe the figure for those who cannot see it."""
    return f"Change in accuracy, points. {rows_text(shown_rows(rows))}"


def _plain(rows: pd.DataFrame) -> list[str]:
    """Write the sentences without the marks of Markdown."""
    return [sentence.replace("**", "") for sentence in headline_sentences(rows)]


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except StudyError as error:
        sys.exit(f"error: {error}")
