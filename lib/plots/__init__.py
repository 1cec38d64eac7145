"""Figures and tables of the study: data in, axis or figure out; `show` and `table` put them on the page.

Nothing here touches matplotlib's global state: figures are made without pyplot, and the style holds inside each function only.
"""

from lib.plots.data import bars, counts, points_by_class, scatter_map
from lib.plots.display import number_text, show, table
from lib.plots.results import confusion_change, confusion_matrix, intervals, reliability_diagram
from lib.plots.sheets import before_and_after, class_averages, class_sheet, faces_or_averages, kind_of_images, sheet
from lib.plots.style import colour, palette, panels
from lib.plots.training import curves, training_trace

__all__ = [
    "bars", "before_and_after", "class_averages", "class_sheet", "colour", "confusion_change", "confusion_matrix", "counts", "curves",
    "faces_or_averages", "intervals", "kind_of_images",
    "number_text", "palette", "panels", "points_by_class", "reliability_diagram", "scatter_map", "sheet", "show", "table", "training_trace",
]  # fmt: skip
