"""The study that leads the overview: its figure, for light and dark pages, and its words.

Notebook 55 writes the files; they travel with the study's pages, and those of the leading study
stand in reports/, for the overview and the README.
"""

import base64
from pathlib import Path

from lib.report.shell import read_summary
from lib.study.paths import StudyPaths
from lib.study.records import copy_whole, read_json

# Words (a word, a number, sentences, advice, alt and caption of the figure) and figure.
WORDS = "gain.json"
ADDED = "gain-uses.json"  # in reports/: what a study of more uses adds to these words
USES = "uses.csv"  # beside the pages of a study of several ways to use the same images
# How such a study trains all its networks better, by its name without its size; the others do not.
BETTER = {"mixup": "with MixUp"}
FILES = (WORDS, "gain.svg", "gain-dark.svg")
# Figures over all studies, written as <name>.svg, <name>-dark.svg and <name>.json (alt, caption).
HEADLINES = ("gain", "answer")
LEADERBOARD = "leaderboard"  # likewise, with boards: title and rows of each ranking


def keep_headline(paths: StudyPaths) -> None:
    """Put the files beside a study's pages, where its notebooks wrote them."""
    # All of them or none: words without their figure would lead nowhere.
    if all((paths.tables / name).exists() for name in FILES):
        for name in FILES:
            copy_whole(paths.tables / name, paths.reports / name)


def keep_leading(reports: Path, studies: list[str]) -> None:
    """Put the files of the leading study into reports/.

    Args:
        reports: folder that holds one folder a study.
        studies: that are published, the one that leads first where it has the files.
    """
    # The first published study that has them.
    leading = [name for name in studies if (reports / name / WORDS).exists()]
    for name in FILES if leading else ():
        copy_whole(reports / leading[0] / name, reports / name)


def leading_words(reports: Path) -> dict:
    """Read the words of the leading study, with what a study of more uses adds to them; {} where
    there is none.
    """
    if not (reports / WORDS).exists():
        return {}
    # Its advice takes the place of the other's.
    added = read_json(reports / ADDED) if (reports / ADDED).exists() else {"beyond": []}
    return read_json(reports / WORDS) | added


def studies_of_uses(reports: Path, studies: list[str]) -> list[str]:
    """Name the published studies of several uses of the same images, as in `keep_leading`."""
    # The table is written where there are several.
    return [name for name in studies if (reports / name / USES).exists()]


def better_training(study: str) -> str:
    """Say how a study of several uses trains all its networks better; "" where it does not."""
    # A study at a reduced size trains as its full one does.
    return BETTER.get(study.removesuffix("-cpu"), "")


def answers_on_uses(reports: Path, studies: list[str]) -> list[dict]:
    """Gather what studies of several ways to use the same images answer.

    Args:
        reports, studies: as in `keep_leading`.

    Returns:
        study, question and answer (a sentence) of each.
    """
    return [
        {
            "study": name,
            "question": _question(better_training(name)),
            "answer": read_summary(reports / name)["answer"],
        }
        for name in studies_of_uses(reports, studies)
    ]


def _question(how: str) -> str:
    """Ask what a study of uses asks.

    Args:
        how: it trains all its networks better; "" where it does not.
    """
    return f"When the network is trained better, {how}?" if how else "Used in another way?"


def headline_figures(reports: Path) -> list[dict]:
    """Read the figures over all studies that stand in reports/, the leading one first.

    Returns:
        As `read_figure`.
    """
    figures = [read_figure(reports, name) for name in HEADLINES]
    return [figure for figure in figures if figure]


def read_figure(reports: Path, name: str) -> dict:
    """Read a figure over all studies with its words.

    Returns:
        light and dark (data addresses; dark "" where there is none), alt, caption and what else the
        words hold; {} for a figure without words, or words without a figure.
    """
    light, dark, words = (reports / f"{name}{end}" for end in (".svg", "-dark.svg", ".json"))
    if not light.exists() or not words.exists():
        return {}
    return (
        {"caption": ""}
        | read_json(words)
        | {
            "light": _data_address(light),
            "dark": _data_address(dark),
        }
    )


def _data_address(file: Path) -> str:
    """Write a picture as an address that holds it, for pages load no files; "" for none."""
    if not file.exists():
        return ""
    return f"data:image/svg+xml;base64,{base64.b64encode(file.read_bytes()).decode()}"
