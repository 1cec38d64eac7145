"""The answer over all studies on real faces: `python -m lib.plots.headline` draws it, prints it, and puts it on the README's first screen.

Nothing here is typed in: a study without results has no row and no sentence.
"""

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from lib.metrics.answers import VERDICTS, tally
from lib.plots.results import intervals
from lib.study.errors import StudyError
from lib.study.params import load_params, studies
from lib.study.paths import ROOT, StudyPaths, study_paths
from lib.study.records import atomic_write

# What is asked, which arms answer it, against what. {} is a share or a multiple, read off the arm's name; the first group of a pattern.
QUESTIONS = (
    ("added", "added to all real faces", re.compile(r"supplement-([\d.]+)-(?!.*only_)(.+)"), ("base",), max),
    ("beside", "added, at equal steps on real faces", re.compile(r"supplement-([\d.]+)-(?!.*only_)(.+)"), ("fewer-",), max),
    ("half", "in place of half of the real faces", re.compile(r"replace-(0\.5)-(.+)"), ("base",), max),
    ("alone", "instead of real faces", re.compile(r"synthetic-(1)x-(.+)"), ("base",), max),
    ("scarce", "where few real faces are left", re.compile(r"scarce-([\d.]+)-(.+)"), ("scarce-",), min),
    ("balance", "to make all classes equally large", re.compile(r"(balance)-(.+)"), ("base",), max),
)
AGAINST = {"scarce": "the same few real faces alone", "beside": "real faces alone for the steps that they have beside the others"}
ROWS_A_QUESTION = 4
POOL_NAMES = {"folder": "S1's Stable Diffusion"}  # the ready-made images of the studies on real faces


def answer_rows(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Choose the comparisons that answer each question, over all studies: of each pool the arm with most synthetic faces.

    Args:
        tables: of `contrasts.effects`, by study.

    Returns:
        Rows of the tables with question, asked, study, pool, share and name (of the pool, in words), the best of each question first.
    """
    found = []
    for study, effects in tables.items():
        if study.endswith("-cpu") and study.removesuffix("-cpu") in tables:
            continue  # the full size has been run
        for question, asked, pattern, references, most in QUESTIONS:
            rows = [row | {"pool": m[2], "share": m[1]} for row in effects.to_dict("records")
                    if (m := pattern.fullmatch(row["arm"])) and _fits(row, references)
                    and not row["arm"].endswith("-shuffled")]  # fmt: skip
            for pool in dict.fromkeys(row["pool"] for row in rows):
                own = [row for row in rows if row["pool"] == pool]
                share = most((row["share"] for row in own), key=_number)
                found += [row | {"question": question, "asked": asked, "study": study} for row in own if row["share"] == share]
    table = pd.DataFrame(found)
    if not len(table):
        return table
    order = [question for question, *_ in QUESTIONS]
    table["name"] = table["pool"].replace(POOL_NAMES)
    return table.sort_values(
        ["question", "difference"], key=lambda column: column.map(order.index) if column.name == "question" else -column, kind="stable"
    )


def answer_sentences(rows: pd.DataFrame) -> list[str]:
    """Say the answer, one sentence a question, from the rows alone: the best pool with its interval and n, and how many do likewise."""
    sentences = []
    if not len(rows):
        return []
    for _, part in rows.groupby("question", sort=False):
        best = part.iloc[0]
        effect = f"{_points(best['difference'])} points of accuracy (95 % interval {_points(best['low'])} to {_points(best['high'])})"
        against = AGAINST.get(best["question"], "real faces alone")
        n = f"{best['n_seeds']:.0f} seeds, {best['n_images']:,.0f} test images"
        told = f"; {_counted(part)}" if len(part) > 1 else f": {part['verdict'].iloc[0]}"
        asked = f"Synthetic faces {best['asked']} ({_amount(best)}): {'at best ' * (len(part) > 1)}{effect} against {against}"
        sentences.append(f"{asked}, with {best['name']} ({n}){told}.")
    counted = rows[rows["question"] != "beside"]  # the same arms as those added, read otherwise
    kept = "real faces alone (where few are left, against those few)"
    first = f"**Of each study and pool the arm with most synthetic faces, against {kept}, at equal steps: {tally(counted['verdict'])}.**"
    return [first] * (len(rows) > 1) + sentences


def answer_figure(rows: pd.DataFrame, path: Path, *, margin: float) -> Path:
    """Draw the rows as a forest plot, the best of each question, and write it as SVG.

    Args:
        rows: of `answer_rows`.
        path: of the file.
        margin: half width of the band of differences that do not matter.
    """
    chosen = rows.groupby("question", sort=False).head(ROWS_A_QUESTION)
    shown = chosen.assign(**{column: 100 * chosen[column] for column in ("difference", "low", "high")})
    shown = shown.assign(
        arm=[f"{row.name} ({_amount(row)})\n{row.asked}" for row in chosen.itertuples()],
        note=[f"{row.verdict}\n{_points(row.difference)} ({_points(row.low)} to {_points(row.high)})" for row in chosen.itertuples()],
    )
    ax = intervals(shown.drop(columns=["reference", "name"]), margin=100 * margin, xlabel="accuracy, points against real faces alone")
    figure = ax.get_figure()
    figure.set_size_inches(9, 0.8 + 0.5 * len(shown))
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context({"svg.hashsalt": "answer"}):  # the same rows make the same bytes
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    return path


def write_answer(readme: Path, rows: pd.DataFrame) -> None:
    """Put figure, sentences and the studies that they come from between the README's marks.

    Args:
        rows: of `answer_rows`.

    Raises:
        StudyError: the marks are not there.
    """
    text = readme.read_text(encoding="utf-8")
    place = re.search(r"(<!-- answer:[^\n]*-->\n).*?(<!-- /answer -->)", text, re.S)
    if place is None:
        raise StudyError(f"{readme.name}: no '<!-- answer: ... -->' and '<!-- /answer -->' to write between")
    links = ", ".join(f"[{study}](reports/{study}/index.html)" for study in dict.fromkeys(rows["study"]))
    sentences, hidden = answer_sentences(rows), rows["question"].value_counts().max() > ROWS_A_QUESTION
    note = f"The figure shows the best {ROWS_A_QUESTION} of each question. " if hidden else ""
    origin = f"{note}From {links}; all reports: [overview](reports/index.html)."
    alt = "Differences in accuracy with 95 % intervals, synthetic faces against real faces alone"
    body = "\n".join(["", f"![{alt}](reports/answer.svg)", "", *(f"- {sentence}" for sentence in sentences), "", origin, "", ""])
    with atomic_write(readme, "w") as file:
        file.write(text[: place.end(1)] + body + text[place.start(2) :])


def effects_of(paths: StudyPaths) -> pd.DataFrame | None:
    """Read a study's published effects on accuracy, None where it has none."""
    file = paths.reports / "effects.csv"
    if not file.exists():
        return None
    effects = pd.read_csv(file, keep_default_na=False, na_values=[""])
    return effects[effects["metric"].eq("accuracy") & effects["class"].isna()]


def _fits(row: dict, references: tuple[str, ...]) -> bool:
    return any(row["reference"] == name or (name.endswith("-") and re.fullmatch(rf"{name}[\d.]+", row["reference"])) for name in references)


def _number(share: str) -> float:
    return float(share) if share != "balance" else 0.0


def _amount(row) -> str:
    """Say how many synthetic faces an arm has."""
    question, share = (row["question"], row["share"]) if isinstance(row, pd.Series) else (row.question, row.share)
    texts = {
        **dict.fromkeys(("added", "beside"), "{:.0f} % of the training images"),
        "scarce": "{:.0f} % of the real faces kept",
        "half": "half of the training images",
    }
    texts |= {"alone": "as many as real ones", "balance": "rare classes filled up"}
    return texts[question].format(100 * _number(share))


def _counted(part: pd.DataFrame) -> str:
    """Count the verdicts of one question, by amount where the arms differ in it."""
    amounts = [(amount, own["verdict"]) for amount, own in part.groupby([_amount(row) for row in part.itertuples()], sort=False)]
    if len(amounts) == 1:
        return tally(part["verdict"])
    return "; ".join(f"{tally(own) if len(own) > 1 else f'1 {VERDICTS[own.iloc[0]][0]}'} with {amount}" for amount, own in amounts)


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "\u2212")


def main(output: str = "") -> int:
    """Write reports/answer.svg and the README's answer from the results of all studies on real faces, and print the sentences.

    Args:
        output: folder that holds reports/, and README.md where it has one; empty for the project's own.
    """
    known = {study: load_params(study) for study in studies()}
    tables = {study: effects_of(study_paths(study, output)) for study, params in known.items() if params["data"] != "drawn"}
    rows = answer_rows({study: table for study, table in tables.items() if table is not None})
    if not len(rows):
        raise StudyError(
            "no study on real faces has results yet; run one first, for example: run_all.py --study comp7055-cpu --data fer2013.csv"
        )
    figure = answer_figure(rows, (Path(output) if output else ROOT) / "reports" / "answer.svg", margin=known["schuermann"]["margin"])
    readme = (Path(output) if output else ROOT) / "README.md"
    if readme.exists():
        write_answer(readme, rows)
    print("\n".join([*answer_sentences(rows), f"figure: {figure}"]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except StudyError as error:
        sys.exit(f"error: {error}")
