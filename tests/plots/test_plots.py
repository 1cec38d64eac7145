"""Figures: what they show, and that no photograph appears unasked."""

import base64
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest

from lib import plots
from lib.faces.arms import Arm, arm_table
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet
from lib.metrics.wording import signed
from lib.plots.changes import change_table
from lib.plots.rounds import round_against_round
from lib.study.errors import StudyError

DIGITS = tuple("0123456789")


@pytest.fixture
def page(monkeypatch):
    """Collect what is displayed, as HTML."""
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda item: shown.append(item.data))
    return shown


def faces(n=140, source="drawn", classes=EMOTIONS, **columns) -> FaceSet:
    names = np.resize(classes, n)
    images = np.random.default_rng(0).integers(0, 256, (n, 48, 48), dtype=np.uint8)
    table = {"id": [f"i{i}" for i in range(n)], "class": names, "split": "train", "source": source}
    if source == "drawn":
        table["true_class"] = names
    return FaceSet(images, pd.DataFrame(table | columns), classes)


def text_of(figure) -> str:
    texts = [item.get_text() for item in figure.findobj(matplotlib.text.Text)]
    return " ".join([figure.get_label(), *texts])


def pixels_of(figure) -> np.ndarray:
    """The page of a sheet, uint8 (H, W)."""
    return figure.axes[0].images[0].get_array()


def test_drawing_leaves_the_global_style_alone():
    before = dict(matplotlib.rcParams)
    plots.bars(pd.Series({"base": 0.5}))
    plots.sheet(np.zeros((3, 48, 48), np.uint8))
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in vars(plots)
    assert not __import__("matplotlib.pyplot").pyplot.get_fignums()


def test_show_writes_an_image_with_alternative_text_and_the_same_bytes_each_time(page):
    for _ in range(2):
        plots.show(plots.bars(pd.Series({"base": 0.5})), alt='one bar <"half">', caption="a & b")
    assert 'alt="one bar &lt;&quot;half&quot;&gt;"' in page[0]
    assert "<figcaption>a &amp; b</figcaption>" in page[0]
    assert base64.b64decode(re.search(r"base64,([^\"]+)", page[0])[1]).startswith(b"\x89PNG")
    assert page[0] == page[1]


def test_a_figure_without_alternative_text_is_refused():
    with pytest.raises(StudyError, match="alternative text"):
        plots.show(plots.bars(pd.Series({"base": 0.5})), alt=" ")


def test_a_figure_without_a_caption_is_refused():
    with pytest.raises(StudyError, match="needs a caption"):
        plots.show(plots.bars(pd.Series({"base": 0.5})), alt="one bar")


@pytest.mark.parametrize(
    "value, text",
    [
        (12345, "12,345"),
        (999, "999"),
        (0.0, "0.000"),
        (float("inf"), "∞"),
        (float("-inf"), "−∞"),
        (float("nan"), "–"),
        (None, "–"),
        (-3, "−3"),
        ("x-y", "x-y"),
        (2.0e9, "2,000,000,000"),
    ],
)
def test_number_text(value, text):
    assert plots.number_text(value) == text


def test_sheet_holds_every_pixel_of_every_image_in_order():
    images = faces(5).images
    drawn = pixels_of(plots.sheet(images, columns=3))
    assert np.array_equal(drawn[:48, :48], images[0])
    assert np.array_equal(drawn[51:99, 51:99], images[4])


def test_a_sheet_of_no_image_is_refused():
    with pytest.raises(StudyError, match="at least one image"):
        plots.sheet(faces(5).images[:0])


def test_a_title_is_broken_before_it_runs_into_its_neighbour():
    titles = ["near-copy 0.99", "face 0", "near-copy 0.99"]
    figure = plots.sheet(faces(9).images[:3], titles=titles, columns=3)
    figure.canvas.draw()
    first, _, third = (text.get_window_extent() for text in figure.axes[0].texts)
    assert figure.axes[0].texts[0].get_text() == "near-copy\n0.99"
    assert third.x0 - first.x1 > 48 * 1.2 and first.y1 <= figure.bbox.height + 1


def test_titles_of_a_sheet_may_be_a_column_of_a_table_with_labels_of_its_own():
    images, titles = faces(5).images[:2], pd.Series(["blur", "face"], index=[4, 9])
    written = [text.get_text() for text in plots.sheet(images, titles=titles).axes[0].texts]
    assert written[:2] == ["blur", "face"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "drawings, not photographs"),
        ({"source": "synthetic", "generator": "dcgan"}, "generated, not photographs"),
        ({"source": "digits", "subject": "digits"}, "digits, not photographs"),
    ],
)
def test_what_the_images_are_is_in_the_caption(columns, words):
    assert words in text_of(plots.faces_or_averages(faces(**columns), False))


def test_photographs_are_averaged_unless_asked_for():
    real = faces(7 * 60, source="fer2013")
    averaged = plots.faces_or_averages(real, False)
    assert "angry\n60" in text_of(averaged)
    # The mean of 60 noise images is flat; a single one has a deviation of 74.
    shown = pixels_of(averaged)
    assert shown[shown < 255].std() < 20

    unhidden = plots.faces_or_averages(real, True)
    assert np.array_equal(pixels_of(unhidden)[:48, :48], real.images[0])
    assert "photographs" in text_of(unhidden)


@pytest.mark.parametrize("classes", [EMOTIONS, DIGITS], ids=["seven", "ten"])
def test_every_class_has_its_average_whatever_their_number(classes):
    real = faces(60 * len(classes), source="fer2013", classes=classes)
    written = text_of(plots.class_averages(real))
    assert all(f"{name}\n60" in written for name in classes)


@pytest.mark.parametrize("classes", [EMOTIONS, DIGITS], ids=["seven", "ten"])
def test_every_class_has_its_row_of_faces_whatever_their_number(classes):
    drawn = plots.class_sheet(faces(10 * len(classes), classes=classes), per_class=3)
    assert [text.get_text() for text in drawn.axes[0].texts] == list(classes)


def test_a_class_of_few_photographs_stays_blank():
    real = faces(7 * 49, source="fer2013")
    assert set(np.unique(pixels_of(plots.class_averages(real)))) == {225, 255}


def before_and_after_pair(n: int) -> tuple[FaceSet, FaceSet]:
    """Photographs, and the same made brighter."""
    real = faces(n, source="fer2013")
    made = faces(n, source="synthetic")
    return real, FaceSet(np.minimum(real.images, 200) + np.uint8(20), made.table)


def test_before_and_after_shows_averages_of_photographs():
    real, made = before_and_after_pair(7 * 60)
    shown = pixels_of(plots.before_and_after(real, made, False))
    both = shown[: len(shown) * 2 // 3]
    # Means of 60 noise images; a single one has a deviation of 74.
    assert both[both < 255].std() < 25

    few = plots.before_and_after(*before_and_after_pair(7 * 49), False)
    assert set(np.unique(pixels_of(few))) == {225, 255}


@pytest.mark.parametrize("drawings", [False, True], ids=["asked for", "drawings"])
def test_before_and_after_shows_pairs_of_drawings_and_of_photographs_that_are_asked_for(drawings):
    real, made = before_and_after_pair(7 * 60)
    if drawings:
        real = faces(7 * 60)
    shown = pixels_of(plots.before_and_after(real, made, not drawings))

    # In the first column stand the first face before and the first face after.
    column = [shown[y : y + 48, :48] for y in range(len(shown) - 47)]
    assert any(np.array_equal(part, real.images[0]) for part in column)
    assert any(np.array_equal(part, made.images[0]) for part in column)


def test_the_caption_of_a_sheet_goes_with_it_to_the_page(page):
    plots.show(plots.faces_or_averages(faces(), False, caption="the first ones"), alt="faces")
    assert "<figcaption>the first ones (drawings, not photographs)</figcaption>" in page[0]


@pytest.fixture
def effects() -> pd.DataFrame:
    numbers = {"difference": 0.02, "low": 0.01, "high": 0.03, "verdict": "helps"}
    return arm_table([Arm("supplement", "dcgan", 0.1)]).assign(**numbers)


def test_intervals_show_zero_margin_and_verdict(effects):
    ax = plots.intervals(effects, margin=0.005)
    assert "helps" in text_of(ax.figure)
    assert "±0.5" in ax.get_xlabel()
    lines = [tuple(line.get_xdata()) for line in ax.lines]
    assert (0, 0) in lines
    assert (1, 3) in lines
    assert "DCGAN" in text_of(ax.figure)
    assert "Added to the real images: 10% of the training images" in text_of(ax.figure)


def test_intervals_name_the_reference_where_rows_differ_in_it(effects):
    kinds = ("base", "duplicate")
    two = pd.concat([effects.assign(reference_kind=kind) for kind in kinds])
    shown = text_of(plots.intervals(two).figure).replace("\n", " ")
    assert "against real images repeated" in shown


def test_the_interval_of_a_verdict_is_the_one_that_decides_it(effects):
    decided = effects.assign(low_decided=-0.01, high_decided=0.05, verdict="undecided")
    drawn = [tuple(line.get_xdata()) for line in plots.intervals(decided).lines]
    assert (-1, 5) in drawn and (1, 3) not in drawn
    assert "(−1.0 to 5.0)" in plots.rows_text(decided)


@pytest.mark.parametrize(("far", "shown"), [(-0.2, False), (0.3, False), (-0.04, True)])
def test_a_few_differences_that_are_far_off_are_arrows_and_leave_the_others_their_scale(far, shown):
    differences = np.array([0.01, -0.01, 0.02, 0.01, -0.02, far])
    ends = {"low": differences - 0.01, "high": differences + 0.01}
    rows = pd.DataFrame({"name": list("abcdef"), "difference": differences} | ends)
    ax = plots.intervals(rows)
    drawn = [tuple(np.round(line.get_xdata(), 6)) for line in ax.lines]
    assert ((round(100 * far - 1, 6), round(100 * far + 1, 6)) in drawn) == shown
    assert ("arrows: beyond the scale" in ax.get_xlabel()) != shown
    assert signed(100 * far) in text_of(ax.figure)

    # The scale still holds every other interval.
    low, high = ax.get_xlim()
    assert low < -3 and high > 3 and (shown or high - low < 8)


def test_rows_of_one_heading_stand_together(effects):
    other = arm_table([Arm("replace", "dcgan", 0.5)]).assign(
        difference=0, low=-1, high=1, verdict=""
    )
    mixed = pd.concat([effects, other, effects.assign(pool="diffusion")])
    said = plots.rows_text(mixed)
    assert said.count("Added to the real images") == 1
    assert said.index("diffusion") < said.index("In place of real images")


def test_a_note_stands_in_place_of_the_verdict(effects):
    noted = text_of(plots.intervals(effects.assign(note="+2.0 points")).figure)
    assert "+2.0 points" in noted
    assert "helps" not in noted


def test_a_name_stands_in_place_of_the_arm(effects):
    ax = plots.intervals(effects.assign(name="added faces"))
    assert "added faces" in text_of(ax.figure)
    assert ax.lines[1].get_color() == plots.colour("dcgan")


def test_intervals_without_bounds_are_refused(effects):
    with pytest.raises(StudyError, match="'low' is missing"):
        plots.intervals(effects.drop(columns="low"))


def test_confusion_matrix_shows_shares_of_the_true_class():
    ax = plots.confusion_matrix(np.array([[3, 1], [0, 0]]), ["happy", "sad"])
    assert [item.get_text() for item in ax.texts] == ["75", "25", "0", "0"]


@pytest.mark.parametrize("k", [2, 7, 20])
def test_confusion_matrices_name_every_class_and_grow_with_their_number(k):
    names = [f"class {i}" for i in range(k)]
    for ax in (
        plots.confusion_matrix(np.eye(k), names),
        plots.confusion_change(np.eye(k), np.ones((k, k)), names),
    ):
        assert [label.get_text() for label in ax.get_xticklabels()] == names
        assert [label.get_text() for label in ax.get_yticklabels()] == names
        assert ax.figure.get_figheight() >= 0.4 * k


def test_curves_draw_mean_and_range_over_seeds():
    values = {"seed": [0, 1] * 2, "step": [0, 0, 1, 1], "loss": [1.0, 3.0, 2.0, 2.0]}
    history = pd.DataFrame({"arm": "base"} | values)
    ax = plots.curves(history, y="loss")
    assert list(ax.lines[0].get_ydata()) == [2.0, 2.0]
    assert "range over 2 seeds" in ax.get_title(loc="left")
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 1.0
    assert band[:, 1].max() == 3.0


def test_counts_draw_every_image():
    assert sum(bar.get_height() for bar in plots.counts(faces(70).table).patches) == 70


def test_a_change_that_rounds_to_nothing_has_no_sign():
    base = np.array([[1000, 2, 998], [0, 1000, 1000], [1, 1, 1998]])
    arm = np.array([[1100, 3, 897], [2, 997, 1001], [1, 1, 1998]])
    written = [text.get_text() for text in plots.confusion_change(base, arm, list("abc")).texts]
    assert written == ["+5", "0", "\u22125", "0", "0", "0", "0", "0", "0"]


def test_an_empty_bin_is_not_drawn():
    confidence, accuracy = [0.3, 0.8, np.nan], [0.2, 0.9, np.nan]
    bins = pd.DataFrame({"confidence": confidence, "accuracy": accuracy, "n": [10, 30, 0]})
    assert list(plots.reliability_diagram(bins).lines[1].get_xdata()) == [0.3, 0.8]


def test_points_by_class_are_means_over_seeds():
    scores = pd.DataFrame({"class": ["happy"] * 3, "arm": "base", "value": [0.1, 0.2, 0.6]})
    assert plots.points_by_class(scores).lines[0].get_ydata()[0] == pytest.approx(0.3)


def test_a_trace_leaves_out_what_was_not_logged():
    losses, distances = [1.0, 2.0, 3.0], [np.nan, 5.0, np.nan]
    trace = pd.DataFrame({"step": [1, 2, 3], "loss_d": losses, "fd": distances})
    panels = [plots.TracePanel("loss", ["loss_d"]), plots.TracePanel("distance", ["fd"])]
    figure = plots.training_trace(trace, panels)
    assert [len(ax.lines[0].get_xdata()) for ax in figure.axes] == [3, 1]


def test_thousands_of_steps_and_images_are_written_alike_on_all_axes():
    trace = pd.DataFrame({"step": [1000, 3000], "rate": [0.5, 2500.0]})
    (ax,) = plots.training_trace(trace, [plots.TracePanel("x", ["rate"], from_zero=True)]).axes
    assert [ax.xaxis.get_major_formatter()(value, 0) for value in (1500, 3000)] == [
        "1,500",
        "3,000",
    ]
    assert [ax.yaxis.get_major_formatter()(value, 0) for value in (0.5, 2500)] == ["0.5", "2,500"]


def test_a_trace_without_distances_has_no_panel_of_them_and_its_text_says_so():
    trace = pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.25], "other": [np.nan, np.nan]})
    panels = [plots.TracePanel(name, [name]) for name in ("loss", "distance", "other")]
    assert [ax.get_ylabel() for ax in plots.training_trace(trace, panels).axes] == ["loss"]
    told = plots.training_trace_text(trace, 0.1)
    assert told == "The loss goes from 0.5 to 0.25; distances were not measured."
    told = plots.training_trace_text(trace.assign(distance=[np.nan, 3.0]), 0.1)
    assert told == "The distance to real images goes from 3 to 3; real against real is 0.1."


@pytest.mark.parametrize("label", ["images/s", "speed"])
def test_a_scale_begins_at_zero_where_the_panel_says_so_and_no_mark_is_cut_off(label):
    trace = pd.DataFrame({"step": [1, 2, 3], "rate": [273.0, 280.0, 283.0]})
    panels = [plots.TracePanel(label, ["rate"], from_zero=True), plots.TracePanel(label, ["rate"])]
    figure = plots.training_trace(trace, panels)
    lows, highs = zip(*(ax.get_ylim() for ax in figure.axes), strict=True)
    assert lows[0] == 0 < lows[1]
    assert min(highs) > 283


@pytest.mark.parametrize("classes", [EMOTIONS, DIGITS], ids=["seven", "ten"])
def test_rounds_draw_every_class_in_a_colour_of_its_own(classes):
    columns = {"class": list(classes)}
    columns |= {f"{name} {part}": 0.5 for name in ("consistency", "coverage") for part in (1, 2)}
    figure = round_against_round(pd.DataFrame(columns))
    colours = {line.get_color() for line in figure.axes[0].lines}
    assert len(colours) == len(classes)


def test_an_axis_that_is_given_is_drawn_into():
    figure, axes = plots.panels(1, 2)
    assert plots.bars(pd.Series({"base": 1.0}), axes[1]) is axes[1]
    assert figure.axes == list(axes)


def test_histograms_show_the_share_of_each_set_in_percent_whatever_its_size():
    rng = np.random.default_rng(0)
    values = {"real": rng.normal(size=500), "dcgan": rng.normal(size=50)}
    ax = plots.histograms(values, xlabel="grey levels")
    for bars, name in zip(ax.containers, values, strict=True):
        assert sum(bar.get_height() for bar in bars) == pytest.approx(100)
        assert bars[0].get_facecolor() == matplotlib.colors.to_rgba(plots.colour(name))


def test_a_single_line_is_no_mean_and_large_steps_have_commas():
    history = pd.DataFrame({"arm": "base", "step": [0, 2000], "vendi": [9.0, 11.0]})
    ax = plots.curves(history, y="vendi")
    assert ax.get_title(loc="left") == "Vendi score"
    assert ax.xaxis.get_major_formatter()(2000) == "2,000"


def test_curve_charts_stand_below_each_other_with_their_titles():
    history = pd.DataFrame({"arm": "base", "seed": 0, "step": [0, 1], "loss": [2.0, 1.0]})
    figure = plots.curve_charts({"one": history, "two": history}, y="loss")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["one", "two"]


def test_many_curve_charts_are_small_panels_under_one_legend():
    arms = [Arm("subset", real=9), Arm("supplement", "folder", real=9, added=3)]
    rows = arm_table(arms).merge(
        pd.DataFrame({"step": [0, 1, 0, 1], "seed": [0, 0, 1, 1]}), "cross"
    )
    history = rows.assign(accuracy=0.5)
    charts = {f"Added: {number} images": history for number in range(7)}
    figure = plots.curve_charts(charts, y="accuracy")
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == [
        name.replace(": ", ":\n") for name in charts
    ]
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries == ["real images alone", "ready-made faces"]
    assert figure.get_figheight() < 3 * 3.5 and not any(ax.get_legend() for ax in shown)


def test_a_set_without_images_has_a_sheet_that_says_so():
    nothing = faces(7).select(np.zeros(7, bool))
    drawn = plots.class_sheet(nothing, per_class=3)
    texts = [text.get_text() for ax in drawn.axes for text in ax.texts]
    texts += [ax.get_ylabel() for ax in drawn.axes]
    assert any("no images" in text for text in texts)


def test_changes_of_arms_at_numbers_come_with_the_fewest_real_images_first():
    arms = []
    for size in (2871, 287, 718):
        arms += [Arm("subset", real=size), Arm("extra", real=size, added=9)]
    recalls = arm_table(arms).assign(value=0.5, **{"class": "fear"})
    names = change_table(recalls)["name"].tolist()
    assert names == [f"9 more real images beside {n} real images" for n in ("287", "718", "2,871")]


def test_a_long_title_of_curves_is_broken():
    history = pd.DataFrame({"step": [1, 2], "seed": 0, "arm": "base", "loss": [2.0, 1.0]})
    title = "Added, with a batch norm of its own: 5,096 images beside 718 real images, and more"
    assert "\n" in plots.curves(history, y="loss", title=title).get_title(loc="left")
    assert plots.curves(history, y="loss", title="Short").get_title(loc="left") == "Short"
