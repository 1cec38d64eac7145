"""Figures and tables of the study.

Data in, axis or figure out; `show` and `table` put them on the page. Nothing here touches
matplotlib's global state: figures are made without pyplot, and the style holds inside each function
only.
"""

from lib.plots.changes import (
    changes_text,
    class_changes,
    dose_response,
    gain_against,
    gain_text,
)
from lib.plots.colours import arm_colour, class_palette, colour, palette
from lib.plots.data import bars, counts, histograms, points_by_class
from lib.plots.display import absent, show
from lib.plots.forest import intervals, rows_text, show_intervals
from lib.plots.maps import map_figure, maps_text
from lib.plots.results import (
    confusion_change,
    confusion_matrix,
    confusion_panels,
    confusion_text,
    reliability_diagram,
    reliability_text,
)
from lib.plots.sheets import (
    before_and_after,
    certainty_sheet,
    class_averages,
    class_sheet,
    faces_or_averages,
    kind_of_images,
    pool_gallery,
    sheet,
)
from lib.plots.style import panels
from lib.plots.tables import number_text, table
from lib.plots.training import (
    TracePanel,
    curve_charts,
    curves,
    curves_text,
    training_trace,
    training_trace_text,
)

__all__ = [
    "TracePanel",
    "absent",
    "arm_colour",
    "bars",
    "before_and_after",
    "certainty_sheet",
    "changes_text",
    "class_averages",
    "class_changes",
    "class_palette",
    "class_sheet",
    "colour",
    "confusion_change",
    "confusion_matrix",
    "confusion_panels",
    "confusion_text",
    "counts",
    "curve_charts",
    "curves",
    "curves_text",
    "dose_response",
    "faces_or_averages",
    "gain_against",
    "gain_text",
    "histograms",
    "intervals",
    "kind_of_images",
    "map_figure",
    "maps_text",
    "number_text",
    "palette",
    "panels",
    "points_by_class",
    "pool_gallery",
    "reliability_diagram",
    "reliability_text",
    "rows_text",
    "sheet",
    "show",
    "show_intervals",
    "table",
    "training_trace",
    "training_trace_text",
]
