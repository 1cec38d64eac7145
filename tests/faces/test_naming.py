"""Names of classes and splits: by name, never by position, and said aloud when they were translated."""

import pytest

from lib.faces.faceset import CLASSES
from lib.faces.naming import ALIASES, FER2013_CODES, announce_aliases, class_of, split_of
from lib.study.errors import StudyError


def test_fer2013_codes_are_not_alphabetical():
    assert set(FER2013_CODES) == set(CLASSES)
    assert [FER2013_CODES[i] for i in (4, 5, 6)] == ["sad", "surprise", "neutral"] and CLASSES[4:] == ("neutral", "sad", "surprise")


def test_names_aliases_and_case():
    assert [class_of(name, "x") for name in ("Happy", " ANGER ", "joy", "surprised")] == ["happy", "angry", "happy", "surprise"]
    assert set(ALIASES.values()) <= set(CLASSES)


@pytest.mark.parametrize(
    "name, hint", [("hapy", "did you mean 'happy'"), ("surprize", "did you mean 'surprise'"), ("qqq", "unknown class 'qqq'. Classes are")]
)
def test_unknown_class_names_place_and_nearest(name, hint):
    with pytest.raises(StudyError, match=f"there/{name}") as error:
        class_of(name, f"there/{name}")
    assert hint in str(error.value)


def test_splits():
    names = ("Training", "PublicTest", "PrivateTest", "Private_Test", "validation", "VAL", "test")
    assert [split_of(name) for name in names] == ["train", "val", "test", "test", "val", "val", "test"]
    assert split_of("happy") is None and split_of("") is None


def test_aliases_are_announced_once(capsys):
    announce_aliases({"joy": "happy", "anger": "angry"})
    announce_aliases({})
    assert capsys.readouterr().out == "class names taken as: anger -> angry, joy -> happy\n"
