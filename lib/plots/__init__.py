"""Figures and tables of the study.

Data in, axis or figure out; `show` and `table` put them on the page. Nothing here touches
matplotlib's global state: figures are made without pyplot, and the style holds inside each function
only.
"""

from lib.plots.colours import arm_colour, class_palette, colour, palette
from lib.plots.data import bars, counts, histograms, points_by_class
from lib.plots.display import number_text, show, table
from lib.plots.maps import map_figure
from lib.plots.results import confusion_change, confusion_matrix, intervals, reliability_diagram
from lib.plots.sheets import (
    before_and_after,
    class_averages,
    class_sheet,
    faces_or_averages,
    kind_of_images,
    sheet,
)
from lib.plots.style import panels
from lib.plots.training import curve_charts, curves, training_trace

__all__ = [
    "arm_colour",
    "bars",
    "before_and_after",
    "class_averages",
    "class_palette",
    "class_sheet",
    "colour",
    "confusion_change",
    "confusion_matrix",
    "counts",
    "curve_charts",
    "curves",
    "faces_or_averages",
    "histograms",
    "intervals",
    "kind_of_images",
    "map_figure",
    "number_text",
    "palette",
    "panels",
    "points_by_class",
    "reliability_diagram",
    "sheet",
    "show",
    "table",
    "training_trace",
]
