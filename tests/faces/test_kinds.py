"""What counts as a drawing, a generated image or a photograph, and what as a face."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.digits import digits_study
from lib.faces.drawn import draw_faces
from lib.faces.faceset import concat, load_faces, save_faces
from lib.faces.kinds import is_faces, kind_of_images

DRAWN = draw_faces(np.arange(3), np.arange(3))
DIGITS = digits_study(0, px=16)
MADE = pd.DataFrame(
    {"id": ["a"], "class": "sad", "split": "train", "source": "synthetic", "generator": "dcgan"}
)


def test_drawings_and_generated_images_are_known_by_their_own_columns():
    assert kind_of_images(DRAWN.table) == "drawings"
    assert kind_of_images(MADE) == "generated"
    assert kind_of_images(pd.concat([DRAWN.table, MADE])) == "generated"


@pytest.mark.parametrize("name", ["drawn", "drawings", "synthetic", "fer2013", "digits"])
def test_the_name_of_a_folder_makes_no_drawing_of_a_photograph(name):
    table = MADE.drop(columns="generator").assign(source=name)
    assert kind_of_images(table) == "photographs"


def test_one_photograph_among_drawings_makes_a_set_of_photographs():
    photograph = MADE.assign(generator=None)
    assert kind_of_images(pd.concat([DRAWN.table, photograph])) == "photographs"
    assert kind_of_images(pd.concat([DIGITS.table, photograph])) == "photographs"


def test_an_edited_photograph_still_is_one():
    assert kind_of_images(MADE.assign(edited_from="train-1")) == "photographs"


def test_digits_are_no_faces_and_may_be_shown(tmp_path):
    assert kind_of_images(DIGITS.table) == "digits" and not is_faces(DIGITS)
    assert kind_of_images(pd.concat([DIGITS.table, MADE])) == "generated"
    save_faces(DIGITS.select([0, 1]), tmp_path)
    assert not is_faces(load_faces(tmp_path))


def test_everything_else_is_taken_for_faces():
    assert is_faces(DRAWN)
    made = DIGITS.with_columns(source="digits")
    table = made.table.drop(columns="subject")
    assert is_faces(type(made)(made.images, table, made.classes))
    digit_pool = DIGITS.with_columns(id="pool/" + DIGITS.table["id"], subject=None)
    assert not is_faces(concat([DIGITS, digit_pool]))
