"""Figures as SVG files beside the pages: one for light pages, one for dark ones."""

import re
from pathlib import Path

import matplotlib
import matplotlib.colors
import numpy as np
from matplotlib.figure import Figure

from lib.plots.style import GRID, INK, MUTED
from lib.study.records import atomic_write

# The figure's colours on a light page, and what takes their place on a dark one.
GROUND = "#12171d"
DARK = {INK: "#e3e8ee", MUTED: "#a3aebb", GRID: "#2d3742", "#ffffff": GROUND}
# Contrast that lines and marks have on the dark ground, as WCAG 2.2 asks of graphics (1.4.11), and
# the steps in which a hue becomes paler until it has.
LEAST_CONTRAST, PALER = 3.0, 0.05
HUE = re.compile(r"(?<=: )#[0-9a-f]{6}\b")  # of a style; other marks of this form are names


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
    dark = HUE.sub(lambda found: on_dark(found[0]), path.read_text(encoding="utf-8"))
    with atomic_write(dark_beside(path), "w") as file:
        file.write(dark)
    return [path, dark_beside(path)]


def on_dark(hue: str) -> str:
    """Give the colour that stands for one of a light page on a dark page.

    Args:
        hue: hex.
    """
    # Ground, text and grid have colours of their own; a hue stays if it can be seen.
    if hue in DARK:
        return DARK[hue]
    colour, paler = np.array(matplotlib.colors.to_rgb(hue)), hue
    for share in np.arange(PALER, 1 + PALER, PALER):
        if contrast(paler, GROUND) >= LEAST_CONTRAST:
            break
        paler = matplotlib.colors.to_hex(colour + share * (1 - colour))
    return paler


def contrast(hue: str, ground: str) -> float:
    """Compute the contrast of two colours, 1 to 21.

    Source: WCAG 2.2, contrast ratio and relative luminance.
    """
    lights = []
    for one in (hue, ground):
        # sRGB's values as light.
        values = np.array(matplotlib.colors.to_rgb(one))
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05)
    return max(lights) / min(lights)


def dark_beside(path: Path) -> Path:
    """Name the figure for dark pages that stands beside one for light pages."""
    return path.with_name(f"{path.stem}-dark{path.suffix}")
