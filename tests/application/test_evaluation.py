"""What notebook 70 asks: whose faces play in the film, of whichever classes the study has."""

import numpy as np
import pandas as pd
import pytest

from lib.application.evaluation import AVERAGED, CAST, FIRST_SEED, actors_of
from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.faces.kinds import kind_of_images


def photographs(classes, each=6) -> FaceSet:
    """Pictures that could be photographs of people, as far as their table tells."""
    names = np.repeat(classes, each)
    images = np.random.default_rng(0).integers(0, 256, (len(names), 48, 48), dtype=np.uint8)
    table = pd.DataFrame({"id": [f"p{i}" for i in range(len(names))], "class": names})
    return FaceSet(images, table.assign(split="test", source="folder"), tuple(classes))


@pytest.mark.parametrize(
    "classes", [EMOTIONS, ("fear", "happy"), ("angry", "happy", "sad", "surprise"), EIGHT_EMOTIONS]
)
def test_the_actors_show_the_classes_of_the_study_and_nobody_s_photograph(classes):
    test = photographs(classes)
    actors = actors_of(test, False, seed=3)
    assert len(actors) == CAST and actors.classes == classes
    assert set(actors.table["class"]) == set(classes) - {"contempt"}
    assert kind_of_images(actors.table) == "drawings"


def test_the_seven_are_drawn_as_they_were():
    numbers = np.arange(CAST)
    before = draw_faces(numbers % 7, FIRST_SEED + 3 * CAST + numbers)
    assert (actors_of(photographs(EMOTIONS), False, seed=3).images == before.images).all()


def test_classes_that_cannot_be_drawn_are_averages_of_many_photographs():
    test = photographs(("cat", "dog"), AVERAGED)
    actors = actors_of(test, False, seed=0)
    assert actors.classes == ("cat", "dog") and set(actors.table["class"]) == {"cat", "dog"}
    dog = actors.images[(actors.table["class"] == "dog").to_numpy()]
    assert (dog[0] == np.rint(test.images[AVERAGED:].mean(0))).all()
    assert not {image.tobytes() for image in actors.images} & {
        image.tobytes() for image in test.images
    }


def test_an_average_of_few_photographs_is_not_shown():
    actors = actors_of(photographs(("cat", "dog"), AVERAGED - 1), False, seed=0)
    assert (actors.images == 128).all() and len(actors) == CAST


def test_photographs_act_where_they_may_be_shown():
    test = photographs(("cat", "dog"))
    actors = actors_of(test, True, seed=0)
    assert set(actors.table["id"]) <= set(test.table["id"])
    drawn = draw_faces(np.arange(14) % 7, np.arange(14))
    assert set(actors_of(drawn, False, seed=0).table["id"]) <= set(drawn.table["id"])
