"""Figures as SVG files beside the pages: one for light pages, one for dark ones."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from lib.plots.style import GRID, INK, MUTED
from lib.study.records import atomic_write

# The figure's colours on a light page, and what takes their place on a dark one.
DARK = {INK: "#e3e8ee", MUTED: "#a3aebb", GRID: "#2d3742", "#ffffff": "#12171d"}


def write_svg(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as SVG for light pages, and as <name>-dark.svg for dark ones.

    Args:
        path: of the file for light pages.

    Returns:
        Both paths.
    """
    # The same figure makes the same bytes.
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "answer"}):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})

    # On a dark page the same with other colours of text, lines and ground.
    dark = path.read_text(encoding="utf-8")
    for light_hue, dark_hue in DARK.items():
        dark = dark.replace(light_hue, dark_hue)
    with atomic_write(dark_beside(path), "w") as file:
        file.write(dark)
    return [path, dark_beside(path)]


def dark_beside(path: Path) -> Path:
    """Name the figure for dark pages that stands beside one for light pages."""
    return path.with_name(f"{path.stem}-dark{path.suffix}")
