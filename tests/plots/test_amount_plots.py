"""Charts of gains and lengths: what they show, with legends outside and text of a readable size."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lib.faces.arms import REAL_SHARES, VARIANT_KINDS, Arm, controls
from lib.metrics.amounts import ALONE, BEST, DUPLICATES, EQUAL_STEPS
from lib.metrics.lengths import CURVE_COLUMNS
from lib.metrics.recovered import BOUNDED, UNBOUNDED
from lib.plots.amounts import gains_figure, lengths_figure, line_hues
from lib.plots.colours import arm_colour, colour
from lib.plots.measure import measure

SIZES, LEAST_POINTS = (287, 718, 0), 8
SUPPLEMENT = Arm("supplement", "folder", real=287, added=5096)


def arms_of(pool: str, real: int) -> list[Arm]:
    supplement = replace(SUPPLEMENT, pool=pool, real=real)
    kept = [arm for arm in controls(supplement) if arm.kind != "fewer_steps"]
    return [supplement, *(arm for arm in kept if arm.kind != "extra" or real)]


def made_gains(pools: tuple = ("folder", "dcgan")) -> pd.DataFrame:
    rows = []
    for real in SIZES:
        for arm in dict.fromkeys(arm for pool in pools for arm in arms_of(pool, real)):
            difference = {"extra": 0.19, "shuffled": -0.07}.get(arm.kind, 0.02 - real / 50000)
            row = {"arm": arm.name, **asdict(arm), "n_real": real or 28709, "classifier": "small"}
            row |= {"knowledge": "external" if arm.kind == "supplement" else ""}
            row |= {"scoring": "test", "metric": "accuracy", "difference": difference}
            row |= {"n_seeds": 6 if real else 3}
            row |= {"low": difference - 0.01, "high": difference + 0.01, "against": ALONE}
            rows.append(row | {"reading": BEST})
            if arm.kind == "supplement":
                rows.append(row | {"reading": BEST, "against": DUPLICATES, "difference": 9.0})
                rows.append(row | {"reading": EQUAL_STEPS, "difference": 9.0})
    return pd.DataFrame(rows)


def made_fractions(gains: pd.DataFrame) -> pd.DataFrame:
    """Recovered fractions, of which those beside most real images have no bound."""
    rows = gains[gains["kind"].isin(["supplement", "duplicate"]) & (gains["against"] == ALONE)]
    rows = rows[rows["n_real"] < 28709].drop(columns=["difference", "against"])
    unbounded = rows["n_real"] == 718
    ends = {"low": np.where(unbounded, -np.inf, 0.05), "high": np.where(unbounded, np.inf, 0.2)}
    interval = np.where(unbounded, UNBOUNDED, BOUNDED)
    return rows.assign(recovered=0.12, interval=interval, **ends)


def made_curve() -> pd.DataFrame:
    rows = []
    for real in SIZES:
        alone = Arm("subset", real=real) if real else Arm("base")
        for arm in (alone, *arms_of("folder", real)):
            for length, value in ((1, 0.3), (2, 0.4), (4, 0.35)):
                row = {"arm": arm.name, **asdict(arm), "classifier": "small", "length": length}
                row |= {"steps": 140 * length, "accuracy_val": value, "accuracy_train": value}
                rows.append(row | {"n_seeds": 10, "chosen": length == 2})
    return pd.DataFrame(rows)[list(CURVE_COLUMNS)]


def drawn_gains(*pools: str):
    gains = made_gains(pools)
    return gains_figure(gains, made_fractions(gains))


FIGURES = {
    "gains": lambda: drawn_gains("folder", "dcgan"),
    "one pool": lambda: drawn_gains("folder"),
    "lengths": lambda: lengths_figure(made_curve()),
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


@every_figure
def test_every_text_is_readable_on_a_page_and_nothing_stands_over_anything(draw):
    measured = measure(draw())
    assert measured.faults == ()
    assert measured.points >= LEAST_POINTS


@every_figure
def test_the_legend_stands_outside_the_panels(draw):
    figure = draw()
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    box = figure.legends[0].get_window_extent(renderer)
    for ax in figure.axes:
        assert not box.overlaps(ax.get_tightbbox(renderer))


@every_figure
def test_every_panel_has_a_title_and_units(draw):
    row = {}  # label of a row of panels, by its bottom
    for ax in draw().axes:
        assert ax.get_title(loc="left") and ax.get_xlabel()
        bottom = ax.get_subplotspec().rowspan.start
        assert ax.get_ylabel() or row[bottom]
        row.setdefault(bottom, ax.get_ylabel())


def test_the_first_figure_shows_gains_at_the_best_length_against_the_real_images_alone():
    gain, worth, bounds = drawn_gains("folder").axes
    heights = [line.get_ydata() for line in gain.lines[1:]]
    assert np.allclose(sorted(heights[0]), [0.564, 1.426, 2.0])
    assert max(np.max(line.get_ydata()) for line in bounds.lines) == pytest.approx(19)
    assert min(np.min(line.get_ydata()) for line in bounds.lines) == pytest.approx(-7)
    assert [label.get_text() for label in gain.get_xticklabels()] == [
        "287\nn = 6",
        "718\nn = 6",
        "28,709\nn = 3",
    ]
    assert worth.get_ylim()[1] <= 1.5


def test_an_interval_without_bounds_is_not_drawn():
    worth = drawn_gains("folder").axes[1]
    segments = [
        len(lines.get_segments()) for lines in worth.collections if hasattr(lines, "get_segments")
    ]
    assert sum(segments) == 2


def test_copies_of_real_images_are_coloured_as_real_ones():
    duplicate = next(arm for arm in controls(SUPPLEMENT) if arm.kind == "duplicate")
    assert duplicate.pool == "folder"
    assert arm_colour(duplicate) == arm_colour(Arm("duplicate", share=0.5)) != colour("folder")


def test_lines_name_what_is_added_and_what_its_generator_knew():
    figure = drawn_gains("folder", "dcgan")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:2] == [
        "ready-made faces (knew none of these images)",
        "DCGAN (knew none of these images)",
    ]
    assert (
        "held-back real images (the ceiling)" in names
        and "ready-made faces, labels shuffled" in names
    )
    assert len(names) == len(set(names))
    assert list(line_hues(made_gains().assign(line=lambda rows: rows["kind"])))[0] == "supplement"


def test_the_pool_that_the_answer_is_about_leads_the_legend():
    gains = made_gains(("dcgan", "folder"))
    gains = gains[(gains["pool"] != "dcgan") | (gains["n_real"] == min(gains["n_real"]))]
    figure = gains_figure(gains, made_fractions(gains))
    assert figure.legends[0].get_texts()[0].get_text().startswith("ready-made faces")


def test_other_class_shares_of_one_pool_are_named():
    curve = made_curve()
    real_shares = curve[curve["kind"] == "supplement"].assign(class_shares=REAL_SHARES, arm="other")
    figure = lengths_figure(pd.concat([curve, real_shares], ignore_index=True))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert (
        "ready-made faces, 5,096 in real shares" in names
        and "ready-made faces, 5,096 in pool shares" in names
    )


def test_the_chosen_length_is_the_large_mark():
    ax = lengths_figure(made_curve()).axes[0]
    large = [line for line in ax.lines if line.get_markersize() > 5]
    assert {float(line.get_xdata()[0]) for line in large} == {280.0}
    assert ax.get_title(loc="left") == "287 real images"


def test_uses_of_one_pool_share_its_colour_and_differ_in_their_mark():
    curve = made_curve()
    mixed = curve[curve["kind"] == "supplement"]
    others = [mixed.assign(kind=kind, arm=kind) for kind in VARIANT_KINDS]
    figure = lengths_figure(pd.concat([curve, *others], ignore_index=True))
    handles = figure.legends[0].legend_handles
    of_pool = [handle for handle in handles if handle.get_color() == colour("folder")]
    assert len({handle.get_marker() for handle in of_pool}) == 1 + len(VARIANT_KINDS)
    drawn = {line.get_marker() for line in figure.axes[0].lines}
    assert {handle.get_marker() for handle in of_pool} <= drawn


def test_without_ceiling_and_shuffled_labels_no_panel_stands_empty():
    gains = made_gains()
    gains = gains[~gains["kind"].isin(["extra", "shuffled"])]
    figure = gains_figure(gains, made_fractions(gains)[:0])
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["gain over the real images alone"]


def test_real_images_that_were_trained_at_one_length_have_no_panel():
    curve = made_curve()
    once = curve[(curve["real"] > 0) | (curve["length"] == 1)]
    titles = [ax.get_title(loc="left") for ax in lengths_figure(once).axes]
    assert titles == ["287 real images", "718 real images"]


def test_shuffled_labels_in_another_use_are_named_with_it():
    staged = made_curve().query("kind == 'supplement'").assign(kind="staged", arm="staged")
    shuffled = staged.assign(kind="shuffled", control_of="staged", arm="shuffled")
    figure = lengths_figure(pd.concat([made_curve(), staged, shuffled], ignore_index=True))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    first = "generated images first, real ones last"
    assert {first, f"{first}, labels shuffled", "mixed in, labels shuffled"} <= set(names)
