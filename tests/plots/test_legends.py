"""Legends take their room from the page: axes keep theirs, and no legend leaves the canvas."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lib import plots
from lib.faces.arms import Arm, arm_table
from lib.faces.classes import EMOTIONS
from lib.plots.application import sweeps
from lib.plots.style import legend_layout
from lib.plots.training import MOST_LINES, spread_lines
from lib.report.names import in_words
from lib.study.errors import StudyError

SOURCES = ["real", "drawn-faithful", "drawn-narrow", "drawn-mislabelled", "dcgan", "stable"]
LONG_SOURCES = [f"stylegan64truncated-generation{i}" for i in range(2, 14)]
TWENTY = [f"class {i}" for i in range(20)]


def drawn(figure):
    """Render a figure, so that its parts have their places."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def legends_of(figure) -> list:
    return [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]


def assert_legends_on_canvas(figure):
    renderer = drawn(figure)
    for legend in legends_of(figure):
        box = legend.get_window_extent(renderer)
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width
        assert box.y0 >= 0 and box.y1 <= figure.bbox.height


def map_figure(n_maps: int, names: list[str], columns: int = 3):
    """Draw maps whose points carry the names in turn."""
    rng = np.random.default_rng(0)
    maps = {f"t-SNE, perplexity {i}": rng.normal(size=(500, 2)) for i in range(n_maps)}
    colours = plots.palette(names) if names[0] == "real" else plots.class_palette(names)
    return plots.map_figure(maps, np.resize(names, 500), colours, columns=columns)


MAP_FIGURES = pytest.mark.parametrize(
    ("n_maps", "names", "columns"),
    [
        (3, list(EMOTIONS), 3),
        (3, SOURCES, 3),
        (8, SOURCES, 2),
        (3, LONG_SOURCES, 3),
        (3, TWENTY, 3),
        (1, SOURCES, 3),
        (2, list(EMOTIONS), 1),
        (5, SOURCES, 3),
    ],
)


@MAP_FIGURES
def test_the_axes_of_maps_have_at_least_half_of_their_share_of_the_canvas(n_maps, names, columns):
    figure = map_figure(n_maps, names, columns)
    drawn(figure)
    cells = -(-n_maps // min(columns, n_maps)) * min(columns, n_maps)
    share = figure.bbox.width * figure.bbox.height / cells
    for ax in figure.axes:
        box = ax.get_window_extent()
        assert box.width * box.height >= 0.5 * share


@MAP_FIGURES
def test_the_panels_of_maps_are_squares_of_one_size(n_maps, names, columns):
    figure = map_figure(n_maps, names, columns)
    drawn(figure)
    assert len(figure.axes) == n_maps
    for ax in figure.axes:
        box = ax.get_window_extent()
        assert box.width == pytest.approx(box.height, rel=0.01)
        assert box.width == pytest.approx(figure.axes[0].get_window_extent().width, rel=0.01)


@MAP_FIGURES
def test_the_points_fill_their_panel(n_maps, names, columns):
    for ax in map_figure(n_maps, names, columns).axes:
        points = ax.collections[0].get_offsets()
        assert len(points) == 500
        for axis, (low, high) in enumerate((ax.get_xlim(), ax.get_ylim())):
            assert np.ptp(points[:, axis]) >= 0.9 * (high - low)


@MAP_FIGURES
def test_maps_share_one_legend_that_stays_on_the_canvas(n_maps, names, columns):
    figure = map_figure(n_maps, names, columns)
    assert_legends_on_canvas(figure)
    (legend,) = legends_of(figure)
    written = [text.get_text().replace("\n", " ") for text in legend.get_texts()]
    assert written == [in_words(name) for name in names]

    # It covers no panel.
    bottom = legend.get_window_extent().y0
    assert all(ax.get_window_extent().y1 <= bottom for ax in figure.axes)


def test_a_name_that_no_point_has_is_not_in_the_legend():
    points = {"map": np.zeros((4, 2)) + np.arange(4)[:, None]}
    figure = plots.map_figure(points, ["fear"] * 4, plots.class_palette(EMOTIONS))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fear"]


def test_a_map_of_another_number_of_points_is_refused():
    with pytest.raises(StudyError, match="4 points on the map 'a' and 3 names"):
        plots.map_figure({"a": np.zeros((4, 2))}, ["real"] * 3, plots.palette(["real"]))


def history(names: list[str]) -> pd.DataFrame:
    """Learning curves of some lines."""
    rows = [(name, 0, step, 1.0 / (step + 1)) for name in names for step in range(4)]
    return pd.DataFrame(rows, columns=["arm", "seed", "step", "loss"])


@pytest.mark.parametrize("names", [SOURCES, LONG_SOURCES], ids=["short", "long"])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_a_legend_over_an_axis_stays_on_the_canvas_and_leaves_the_axis_its_size(names, columns):
    heights = []
    for shown in (names[:1], names):
        figure, axes = plots.panels(1, columns, width=6.0)
        for ax in np.ravel(axes):
            plots.curves(history(shown), ax, y="loss")
        assert_legends_on_canvas(figure)
        heights.append(figure.axes[0].get_window_extent().height)
        widths = [ax.get_window_extent().width for ax in figure.axes]
        assert min(widths) >= 0.5 * figure.bbox.width / columns
    assert heights[1] >= 0.9 * heights[0]


def test_panels_below_each_other_keep_their_size_each_with_its_own_legend():
    figure, axes = plots.panels(3, 1, height=2.3)
    for ax in axes:
        plots.curves(history(SOURCES), ax, y="loss")
    assert_legends_on_canvas(figure)
    for ax in axes:
        assert ax.get_window_extent().height >= 1.3 * figure.dpi


def test_of_many_lines_both_ends_and_the_real_images_are_drawn():
    many = [Arm("supplement", f"dcgan~gan_steps={n}", real=718, added=9) for n in range(1, 31)]
    arms = [Arm("subset", real=718), Arm("extra", real=718, added=9), *many]
    ends = dict(zip(arms, [0.0, 9.0, *range(1, 31)], strict=True))
    rows = [(arm.name, 0, step, step * ends[arm]) for arm in arms for step in (0, 1)]
    of_arms = pd.DataFrame(rows, columns=["arm", "seed", "step", "loss"])
    of_arms = of_arms.merge(arm_table(arms), on="arm")
    kept = spread_lines(of_arms, y="loss")
    assert kept["arm"].nunique() == MOST_LINES
    names = [arms[place].name for place in (0, 1, 2, -1)]
    assert set(names) <= set(kept["arm"])
    assert spread_lines(kept, y="loss") is kept

    # The title says so, and lines of one colour differ in their dashes.
    ax = plots.curves(of_arms, y="loss")
    assert ax.get_title("left").endswith("\n10 of 32 lines")
    of_pools = [line for line in ax.lines if len(line.get_xdata())][2:]
    assert len({line.get_color() for line in of_pools}) == 1
    assert len({line._dash_pattern[1] and tuple(line._dash_pattern[1]) for line in of_pools}) > 4


def test_a_single_line_needs_no_legend():
    ax = plots.curves(history(["base"]), y="loss")
    assert ax.get_legend() is None


def test_the_legend_of_sweeps_stays_on_the_canvas():
    rows = []
    for name in LONG_SOURCES:
        rows += [(name, "blur", amount, 0.5, 0.4, 0.6, 0.1, 0.05, 0.15) for amount in (0.0, 1.0)]
    columns = ["model", "disturbance", "amount", "accuracy", "low", "high"]
    columns += ["ece_15", "ece_low", "ece_high"]
    assert_legends_on_canvas(sweeps(pd.DataFrame(rows, columns=columns)))


def test_a_wide_room_takes_more_columns_and_a_name_too_wide_more_lines():
    narrow, _ = legend_layout(SOURCES, 2.0)
    wide, labels = legend_layout(SOURCES, 8.0)
    assert wide > narrow >= 1
    assert labels == SOURCES
    columns, labels = legend_layout(["a name that is far wider than its room"], 1.5)
    assert columns == 1
    assert "\n" in labels[0]
    assert labels[0].replace("\n", " ") == "a name that is far wider than its room"
