"""Maps of feature space: square panels that the points fill, with one legend for all of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.metrics.map_quality import nearest_rows
from lib.plots.style import GRID, panels, shared_legend, styled
from lib.report.names import in_words
from lib.study.errors import StudyError

MAPS_WIDTH = 8.0  # inches: the width of a report's page
MAX_PANEL = 3.0  # inches, the side of a panel where there are few
MAX_COLUMNS = 3
TITLE_HEIGHT = 0.35  # inches over a panel
NEIGHBOURS, MEASURED = 10, 1000  # of a point, and points of which they are counted
MARGIN = 0.03  # of the points' range, left free on each side

# Area of a mark, points squared: smaller where there are more points.
SMALLEST_MARK, LARGEST_MARK = 3.0, 14.0
INK_AREA = 12_000


@styled
def map_figure(
    maps: dict[str, np.ndarray],
    names: Sequence[str],
    colours: dict[str, str],
    *,
    columns: int = MAX_COLUMNS,
) -> Figure:
    """Draw maps of the same images beside each other, coloured by source or class.

    Each axis is stretched to the range of its points, for the axes of a map have no unit.

    Args:
        maps: points float (N, 2) by title.
        names: N names, of a source or class each.
        colours: by name, in the order of the legend; a name that no point has is left out.
        columns: most panels in a row.

    Raises:
        StudyError: a map of another number of points than names.
    """
    names = np.asarray(names).astype(str)
    for title, points in maps.items():
        if len(points) != len(names):
            raise StudyError(
                f"map_figure: {len(points)} points on the map {title!r} and {len(names)} names; "
                "one name a point"
            )
    shown = {name: hue for name, hue in colours.items() if name in set(names)}

    # A panel is as wide as the page allows; the figure is as high as panels, titles and legend.
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    side = min(MAX_PANEL, MAPS_WIDTH / columns)
    figure, axes = panels(rows, columns, height=side + TITLE_HEIGHT, width=side * columns)
    legend_height = shared_legend(figure, {in_words(name): hue for name, hue in shown.items()})
    figure.set_figheight(figure.get_figheight() + legend_height)

    axes = np.ravel(axes)
    for ax, (title, points) in zip(axes, maps.items(), strict=False):
        _draw_map(ax, np.asarray(points), names, shown)
        ax.set_title(title)
    for ax in axes[len(maps) :]:
        ax.remove()
    return figure


def maps_text(maps: dict[str, np.ndarray], names: Sequence[str]) -> str:
    """Describe maps for those who cannot see them: how far names lie together on each.

    Args:
        maps, names: as in `map_figure`.
    """
    # By chance a neighbour has a point's name as often as the names are common.
    names = np.asarray(names).astype(str)
    counts = np.unique(names, return_counts=True)[1]
    chance = float(((counts / len(names)) ** 2).sum())
    rows = np.random.default_rng(0).permutation(len(names))[:MEASURED]
    parts = []
    for title, points in maps.items():
        near = nearest_rows(np.asarray(points), rows, min(NEIGHBOURS, len(names) - 1))
        together = float((names[near] == names[rows][:, None]).mean())
        parts.append(f"{title} {together:.0%}")
    shares = ", ".join(parts)
    return (
        f"Of the ten nearest neighbours on a map, so many are of one colour: {shares}; by chance "
        f"{chance:.0%}."
    )


def _draw_map(ax: Axes, points: np.ndarray, names: np.ndarray, colours: dict[str, str]) -> None:
    """Draw one map in a mixed order, so that no group lies on top."""
    order = np.random.default_rng(0).permutation(len(points))
    ax.scatter(
        *points[order].T,
        c=[colours[name] for name in names[order]],
        s=np.clip(INK_AREA / len(points), SMALLEST_MARK, LARGEST_MARK),
        alpha=0.7,
        lw=0,
    )

    # Axes without numbers, square, with a frame.
    ax.set(xticks=[], yticks=[])
    ax.margins(MARGIN)
    ax.set_box_aspect(1)
    ax.spines[:].set(visible=True, color=GRID)
