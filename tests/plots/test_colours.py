"""A name keeps its colour in every figure: arms by their fields, classes by the class list."""

import io

import numpy as np
import pandas as pd
import pytest
from colour_vision import VISIONS, difference, least_difference
from PIL import Image

from lib import plots
from lib.faces.arms import Arm, arm_table, controls
from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.metrics.human_baseline import PERSON
from lib.plots.colours import (
    CLASS_COLOURS,
    REAL_ARM_COLOURS,
    arm_colour,
    class_palette,
    colour,
    line_colours,
    palette,
    row_colours,
)
from lib.plots.display import picture
from lib.study.generations import family_of
from lib.study.params import load_params, studies

POOLS = ["drawn-faithful", "drawn-narrow", "drawn-mislabelled", "dcgan", "folder"]
SUPPLEMENT = Arm("supplement", "dcgan", 0.1502)


def test_pools_of_one_study_have_different_colours():
    assert len({colour(name) for name in ["base", *POOLS]}) == 6


def test_a_name_that_nobody_gave_a_colour_keeps_the_one_that_it_gets():
    assert colour("something new") == colour("something new")
    assert palette(["a", "b", "a"]) == {"a": colour("a"), "b": colour("b")}


def test_every_generation_of_a_pool_has_its_colour():
    assert colour("dcgan-generation2") == colour("dcgan")


def test_a_pool_with_another_setting_has_the_colour_of_its_family():
    assert colour("dcgan~gan_steps=9") == colour("dcgan~gan_steps=9-generation2") == colour("dcgan")


def test_an_arm_has_the_hue_of_its_pool_pale_where_its_labels_are_shuffled():
    shuffled = Arm("shuffled", "dcgan", 0.1502, control_of="supplement")
    assert arm_colour(SUPPLEMENT) == colour("dcgan") != arm_colour(shuffled)


def test_a_pool_whose_name_holds_another_pools_name_has_its_own_colour():
    assert arm_colour(Arm("supplement", "diffusion-all", 0.5)) == colour("diffusion-all")
    assert colour("diffusion-all") != colour("diffusion")


def test_arms_of_real_images_alone_differ_by_kind():
    arms = [Arm("base")]
    for kind in ("supplement", "replace", "scarce"):
        arms += [arm for arm in controls(Arm(kind, "dcgan", 0.5)) if not arm.pool]
    assert len(arms) == 6
    assert len({arm_colour(arm) for arm in arms}) == 6


@pytest.mark.parametrize("k", [2, 8, 10, 14, 30])
def test_every_class_of_any_list_has_a_colour_of_its_own(k):
    classes = [f"class {i}" for i in range(k)]
    colours = class_palette(classes)
    assert list(colours) == classes
    assert len(set(colours.values())) == k


@pytest.mark.parametrize("classes", [EMOTIONS, EIGHT_EMOTIONS], ids=["seven", "eight"])
def test_the_emotions_keep_their_colours(classes):
    assert class_palette(classes) == {name: CLASS_COLOURS[name] for name in classes}
    assert len(set(class_palette(classes).values())) == len(classes)


def test_emotions_among_other_classes_keep_theirs_and_the_others_take_none_of_them():
    classes = ("bored", "confused", "happy", "sad", "tired")
    colours = class_palette(classes)
    assert colours["happy"] == CLASS_COLOURS["happy"]
    assert len(set(colours.values())) == 5


def test_rows_that_describe_arms_are_coloured_by_their_fields():
    table = arm_table([Arm("base"), SUPPLEMENT]).assign(name=["one", "two"])
    assert row_colours(table, "name") == [colour("base"), colour("dcgan")]
    assert line_colours(table, "name") == {"one": colour("base"), "two": colour("dcgan")}


def test_a_row_without_an_arm_is_coloured_by_its_name():
    person = pd.DataFrame({"arm": ["one annotator"]})
    table = pd.concat([arm_table([SUPPLEMENT]), person], ignore_index=True)
    assert row_colours(table, "arm") == [colour("dcgan"), colour("one annotator")]


@pytest.mark.parametrize("column", ["pool", "source"])
def test_rows_of_pools_are_coloured_by_them_whatever_they_are_called(column):
    table = pd.DataFrame({"name": ["x", "y"], column: ["dcgan", "folder"]})
    assert row_colours(table, "name") == [colour("dcgan"), colour("folder")]


def test_the_difference_of_colours_is_that_of_the_published_examples():
    """Sharma, Wu and Dalal 2005, table 1, pairs 1, 7, 10, 17 and 25."""
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.4900, -0.0010), (50, -2.4900, 0.0009), 7.1792),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]
    for one, other, expected in pairs:
        assert difference(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("vision", VISIONS)
def test_the_classes_are_told_apart_by_every_kind_of_colour_vision(vision):
    """By 16.5 or more; of Okabe and Ito's colours, which they had before, 2.2 under protanopia."""
    apart, pair = least_difference(list(CLASS_COLOURS.values()), vision)
    assert apart >= 16.4, pair


def test_the_colours_that_the_classes_had_before_were_not_told_apart():
    before = ["#d55e00", "#009e73", "#9467bd", "#e69f00", "#7f7f7f", "#0072b2", "#cc79a7"]
    apart, pair = least_difference(before, "protanopia")
    assert apart < 3 and set(pair) == {"#9467bd", "#0072b2"}  # fear and sad


@pytest.mark.parametrize("vision", VISIONS)
def test_arms_of_real_images_alone_are_told_apart(vision):
    assert least_difference(list(REAL_ARM_COLOURS.values()), vision)[0] >= 10


STUDIES = [study for study in studies() if load_params(study)["pools"]]


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("vision", VISIONS)
def test_real_images_a_person_and_the_pools_of_a_study_are_told_apart(study, vision):
    families = dict.fromkeys(family_of(pool) for pool in load_params(study)["pools"])
    names = ["real", PERSON, *families]
    colours = [colour(name) for name in names]
    assert len(set(colours)) == len(names)
    assert least_difference(colours, vision)[0] >= 10


def test_real_images_are_black_in_every_figure():
    assert colour("real") == colour("train") == colour("base") == arm_colour(Arm("base"))
    assert colour("real") == "#000000"


def test_a_single_mark_keeps_its_colour_among_many_others_in_the_small_picture():
    figure, ax = plots.panels()
    for place, shade in enumerate(np.linspace(0.2, 0.8, 200)):
        ax.bar(place, 1, color=(shade, 0.3, 1 - shade))
    ax.plot(100, 0.5, "o", color=colour("diffusion-287"), ms=4)
    kind, drawn = picture(figure)
    pixels = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")).reshape(-1, 3)
    wanted = np.array([int(colour("diffusion-287")[i : i + 2], 16) for i in (1, 3, 5)])
    assert kind == "png" and np.abs(pixels.astype(int) - wanted).sum(1).min() <= 6


def test_bars_of_names_that_nobody_gave_a_colour_have_one_colour():
    chart = plots.bars(pd.Series({"coverage (pixels)": 0.8, "precision (encoder)": 0.4}))
    assert len({patch.get_facecolor() for patch in chart.patches}) == 1
    classes = plots.bars(pd.Series({"happy": 0.8, "sad": 0.4}))
    assert len({patch.get_facecolor() for patch in classes.patches}) == 2
