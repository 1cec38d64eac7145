"""A name keeps its colour in every figure: arms by their fields, classes by the class list."""

import pandas as pd
import pytest

from lib.faces.arms import Arm, arm_table, controls
from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.plots.colours import (
    CLASS_COLOURS,
    arm_colour,
    class_palette,
    colour,
    line_colours,
    palette,
    row_colours,
)

POOLS = ["drawn-faithful", "drawn-narrow", "drawn-mislabelled", "dcgan", "folder"]
SUPPLEMENT = Arm("supplement", "dcgan", 0.1502)


def test_pools_of_one_study_have_different_colours():
    assert len({colour(name) for name in ["base", *POOLS]}) == 6


def test_a_name_that_nobody_gave_a_colour_keeps_the_one_that_it_gets():
    assert colour("something new") == colour("something new")
    assert palette(["a", "b", "a"]) == {"a": colour("a"), "b": colour("b")}


def test_every_generation_of_a_pool_has_its_colour():
    assert colour("dcgan-generation2") == colour("dcgan")


def test_an_arm_has_the_hue_of_its_pool_pale_where_its_labels_are_shuffled():
    shuffled = Arm("shuffled", "dcgan", 0.1502, control_of="supplement")
    assert arm_colour(SUPPLEMENT) == colour("dcgan") != arm_colour(shuffled)


def test_a_pool_whose_name_holds_another_pools_name_has_its_own_colour():
    assert arm_colour(Arm("supplement", "dcgan-long", 0.5)) == colour("dcgan-long")
    assert colour("dcgan-long") != colour("dcgan")


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
