"""Figures: what they show, that a name keeps its colour, that no photograph appears unasked."""

import base64
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest

from lib import plots
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError


@pytest.fixture
def page(monkeypatch):
    """Collect what is displayed, as HTML."""
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda item: shown.append(item.data))
    return shown


def faces(n=140, source="drawn", **columns) -> FaceSet:
    names = np.resize(CLASSES, n)
    images = np.random.default_rng(0).integers(0, 256, (n, 48, 48), dtype=np.uint8)
    own = {"true_class": names} if source == "drawn" else {}
    return FaceSet(
        images, pd.DataFrame({"id": [f"i{i}" for i in range(n)], "class": names, "split": "train", "source": source} | own | columns)
    )


def text_of(figure) -> str:
    return " ".join([figure.get_label(), *(item.get_text() for item in figure.findobj(matplotlib.text.Text))])


def test_a_name_keeps_its_colour_and_known_names_differ():
    pools = ["drawn-faithful", "drawn-narrow", "drawn-mislabelled", "dcgan", "folder"]
    assert len({plots.colour(name) for name in ["base", *pools]}) == 6
    assert plots.colour("supplement-0.1502-dcgan") == plots.colour("dcgan") != plots.colour("shuffled-0.1502-dcgan")
    assert plots.colour("something new") == plots.colour("something new")
    assert len(set(plots.palette(CLASSES).values())) == 7


def test_drawing_leaves_the_global_style_alone():
    before = dict(matplotlib.rcParams)
    plots.bars(pd.Series({"base": 0.5}))
    plots.sheet(np.zeros((3, 48, 48), np.uint8))
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in vars(plots) and not __import__("matplotlib.pyplot").pyplot.get_fignums()


def test_show_writes_an_image_with_alternative_text_and_the_same_bytes_each_time(page):
    for _ in range(2):
        plots.show(plots.bars(pd.Series({"base": 0.5})), alt='one bar <"half">', caption="a & b")
    assert 'alt="one bar &lt;&quot;half&quot;&gt;"' in page[0] and "<figcaption>a &amp; b</figcaption>" in page[0]
    assert base64.b64decode(re.search(r"base64,([^\"]+)", page[0])[1]).startswith(b"\x89PNG")
    assert page[0] == page[1]
    with pytest.raises(StudyError, match="alternative text"):
        plots.show(plots.bars(pd.Series({"base": 0.5})), alt=" ")


def test_table_rounds_escapes_and_scrolls_in_its_own_box(page):
    data = pd.DataFrame(
        {"arm": ["base", "<b>"], "n": [28821, 5], "accuracy": [0.57881, np.nan], "p": [0.00002, -0.25], "ok": [True, False]}
    )
    plots.table(data, "what was found")
    for text in (
        "28,821",
        "0.579",
        "–",
        "2.0e-05",
        "−0.250",
        "&lt;b&gt;",
        "yes",
        "<figcaption>what was found</figcaption>",
        "overflow-x:auto",
    ):
        assert text in page[0]
    assert "0.57881" not in page[0] and "<b>" not in page[0]
    plots.table(data.set_index("arm"))
    assert ">arm</th>" in page[1]


def test_names_stay_on_one_line_sentences_wrap_and_row_numbers_are_left_out(page):
    columns = {"arm": ["supplement-0.1-dcgan"], "effect": ["+1.8 (+0.3 to +3.3)"], "advice": ["a sentence that goes on and on and on"]}
    plots.table(pd.DataFrame(columns, index=[7]))
    wraps = re.findall(r"td\.col(\d) \{\s*text-align: left;\s*white-space: (\w+)", page[0])
    assert wraps == [("0", "nowrap"), ("1", "nowrap"), ("2", "normal")] and "index" not in page[0]


@pytest.mark.parametrize(
    "value, text",
    [
        (12345, "12,345"),
        (999, "999"),
        (0.0, "0.000"),
        (float("inf"), "∞"),
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
    drawn = plots.sheet(images, columns=3).axes[0].images[0].get_array()
    assert np.array_equal(drawn[:48, :48], images[0]) and np.array_equal(drawn[51:99, 51:99], images[4])
    with pytest.raises(StudyError, match="at least one image"):
        plots.sheet(images[:0])


def test_titles_of_a_sheet_may_be_a_column_of_a_table_with_labels_of_its_own():
    images, titles = faces(5).images[:2], pd.Series(["blur", "face"], index=[4, 9])
    written = [text.get_text() for text in plots.sheet(images, titles=titles).axes[0].texts]
    assert written[:2] == ["blur", "face"]


def test_drawings_are_called_drawings_and_generated_images_generated():
    assert "drawings, not photographs" in text_of(plots.faces_or_averages(faces(), False))
    assert "generated" in text_of(plots.faces_or_averages(faces(source="synthetic", generator="dcgan"), False))


def test_photographs_are_averaged_unless_asked_for():
    real = faces(7 * 60, source="fer2013")
    averaged = plots.faces_or_averages(real, False)
    shown = averaged.axes[0].images[0].get_array()
    assert "angry\n60" in text_of(averaged)
    assert shown[shown < 255].std() < 20  # the mean of 60 noise images is flat; a single one has a deviation of 74
    asked = plots.faces_or_averages(real, True)
    assert np.array_equal(asked.axes[0].images[0].get_array()[:48, :48], real.images[0]) and "photographs" in text_of(asked)


def test_before_and_after_shows_averages_of_photographs_and_pairs_of_drawings():
    real, made = faces(7 * 60, source="fer2013"), faces(7 * 60, source="synthetic")
    made = FaceSet(np.minimum(real.images, 200) + np.uint8(20), made.table)
    shown = plots.before_and_after(real, made, False).axes[0].images[0].get_array()
    before_after = shown[: len(shown) * 2 // 3]
    assert before_after[before_after < 255].std() < 25  # means of 60 noise images; a single one has a deviation of 74
    few = plots.before_and_after(real.select(np.arange(7 * 49)), made.select(np.arange(7 * 49)), False).axes[0].images[0].get_array()
    assert set(np.unique(few)) == {225, 255}
    for pair in (plots.before_and_after(real, made, True), plots.before_and_after(faces(7 * 60), made, False)):
        page = pair.axes[0].images[0].get_array()
        first = np.argwhere((page == real.images[0][0, 0]) & (page != 255))  # the top line of the first face before
        assert any(np.array_equal(page[y : y + 48, x : x + 48], real.images[0]) for y, x in first if x == 0)
        assert any(np.array_equal(page[y : y + 48, 0:48], made.images[0]) for y in range(len(page) - 47)), "and after"


def test_the_caption_of_a_sheet_goes_with_it_to_the_page(page):
    plots.show(plots.faces_or_averages(faces(), False, caption="the first ones"), alt="faces")
    assert "<figcaption>the first ones (drawings, not photographs)</figcaption>" in page[0]


def test_a_class_of_few_photographs_stays_blank():
    real = faces(7 * 49, source="fer2013")
    shown = plots.class_averages(real).axes[0].images[0].get_array()
    assert set(np.unique(shown)) == {225, 255}


def test_intervals_show_zero_margin_and_verdict():
    effects = pd.DataFrame({"arm": ["supplement-0.1-dcgan"], "difference": [0.02], "low": [0.01], "high": [0.03], "verdict": ["helps"]})
    ax = plots.intervals(effects, margin=0.005)
    assert "helps" in text_of(ax.figure) and "±0.005" in ax.get_xlabel()
    lines = [tuple(line.get_xdata()) for line in ax.lines]
    assert (0, 0) in lines and (0.01, 0.03) in lines
    assert [label.get_text() for label in ax.get_yticklabels()] == ["supplement-0.1-dcgan"]
    two = pd.concat([effects.assign(reference="base"), effects.assign(reference="duplicate-0.1")])
    assert "– duplicate-0.1" in text_of(plots.intervals(two).figure)
    noted = text_of(plots.intervals(effects.assign(note="+2.0 points")).figure)
    assert "+2.0 points" in noted and "helps" not in noted
    with pytest.raises(StudyError, match="'low' is missing"):
        plots.intervals(effects.drop(columns="low"))


def test_confusion_matrix_shows_shares_of_the_true_class():
    ax = plots.confusion_matrix(np.array([[3, 1], [0, 0]]), ["happy", "sad"])
    assert [item.get_text() for item in ax.texts] == ["75", "25", "0", "0"]


def test_curves_draw_mean_and_range_over_seeds():
    history = pd.DataFrame({"arm": "base", "seed": [0, 1] * 2, "step": [0, 0, 1, 1], "loss": [1.0, 3.0, 2.0, 2.0]})
    ax = plots.curves(history, y="loss")
    assert list(ax.lines[0].get_ydata()) == [2.0, 2.0] and "range over 2 seeds" in ax.get_title(loc="left")
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 1.0 and band[:, 1].max() == 3.0


def test_remaining_charts_draw_what_they_are_given():
    table = faces(70).table
    assert sum(bar.get_height() for bar in plots.counts(table).patches) == 70
    bins = pd.DataFrame({"confidence": [0.3, 0.8, np.nan], "accuracy": [0.2, 0.9, np.nan], "n": [10, 30, 0]})
    assert list(plots.reliability_diagram(bins).lines[1].get_xdata()) == [0.3, 0.8]
    scores = pd.DataFrame({"class": ["happy"] * 3, "arm": "base", "value": [0.1, 0.2, 0.6]})
    assert plots.points_by_class(scores).lines[0].get_ydata()[0] == pytest.approx(0.3)
    cloud = plots.scatter_map(np.zeros((9, 2)), ["real"] * 4 + ["dcgan"] * 5, caption="n = 9")
    assert len(cloud.collections[0].get_offsets()) == 9 and "n = 9" in text_of(cloud.figure)
    trace = pd.DataFrame({"step": [1, 2, 3], "loss_d": [1.0, 2.0, 3.0], "fd": [np.nan, 5.0, np.nan]})
    figure = plots.training_trace(trace, {"loss": ["loss_d"], "distance": ["fd"]})
    assert [len(ax.lines[0].get_xdata()) for ax in figure.axes] == [3, 1]


def test_an_axis_that_is_given_is_drawn_into():
    figure, axes = plots.panels(1, 2)
    assert plots.bars(pd.Series({"base": 1.0}), axes[1]) is axes[1] and figure.axes == list(axes)
