"""The studies that have pages: which of them are published, and in what order they are shown."""

from pathlib import Path

from lib.report.shell import read_summary
from lib.study.cells import MARK
from lib.study.params import size_of, summary

# Studies that are published, as the overview lists them; .gitignore names them too.
ORDER = ("amounts", "uses", "mixup", "quality", "schuermann", "comp7055", "internship", "full")


def published_studies(reports: Path) -> list[str]:
    """List the studies that are published in a folder of reports, in the overview's order."""
    # What somebody runs for himself is none of them.
    return [study["name"] for study in listed_studies(reports) if study["is_published"]]


def listed_studies(reports: Path) -> list[dict]:
    """List the studies that have pages, in the overview's order: name, answer, data, about, size,
    is_published.
    """
    # A page of its own makes a study; what it says stands beside it.
    studies = []
    for index in sorted(reports.glob("*/index.html")):
        name, known = index.parent.name, read_summary(index.parent)
        row = {"name": name, "answer": known["answer"] or "No answer yet.", "data": known["data"]}
        row |= {"about": summary(name), "size": size_of(name)}
        studies.append(row | {"is_published": is_published(name, known["data"])})
    return sorted(studies, key=_place)


def is_published(name: str, data: str) -> bool:
    """Tell whether a study is one of those that the project publishes: on real faces, in ORDER, and
    no cell of a grid of settings.
    """
    return not data and MARK not in name and name.split("-")[0] in ORDER


def _place(study: dict) -> tuple:
    """Order the studies: real faces before the project's own data, then as ORDER says."""
    # A study of reduced size stands where the full one does.
    full = study["name"].split("-")[0]
    return bool(study["data"]), ORDER.index(full) if full in ORDER else len(ORDER)
