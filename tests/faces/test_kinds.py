"""What counts as a drawing, a generated image or a photograph."""

import numpy as np
import pandas as pd

from lib.faces.drawn import draw_faces
from lib.faces.kinds import kind_of_images

DRAWN = draw_faces(np.arange(3), np.arange(3)).table
MADE = pd.DataFrame({"id": ["a"], "class": "sad", "split": "train", "source": "synthetic", "generator": "dcgan"})


def test_drawings_and_generated_images_say_so_in_their_own_columns():
    assert kind_of_images(DRAWN) == "drawings"
    assert kind_of_images(MADE) == "generated"
    assert kind_of_images(pd.concat([DRAWN, MADE])) == "generated"


def test_the_name_of_a_folder_makes_no_drawing_of_a_photograph():
    for name in ("drawn", "drawings", "synthetic", "fer2013"):
        assert kind_of_images(MADE.drop(columns="generator").assign(source=name)) == "photographs"


def test_one_photograph_among_drawings_makes_a_set_of_photographs():
    assert kind_of_images(pd.concat([DRAWN, MADE.assign(generator=None)])) == "photographs"
