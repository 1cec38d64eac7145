"""Names of classes and splits: by name, never by position, and announced when translated."""

import pytest

from lib.faces.classes import (
    ALIASES,
    EIGHT_EMOTIONS,
    EMOTIONS,
    FER2013_CODES,
    announce_aliases,
    announce_left_out,
    checked_classes,
    class_of,
    classes_of,
    label_images,
    split_of,
)
from lib.study.errors import StudyError


def places(*names: str) -> dict[str, str]:
    return {name: f"data/train/{name}" for name in names}


def test_fer2013_codes_are_not_alphabetical():
    assert set(FER2013_CODES) == set(EMOTIONS)
    assert [FER2013_CODES[i] for i in (4, 5, 6)] == ["sad", "surprise", "neutral"]
    assert EMOTIONS[4:] == ("neutral", "sad", "surprise")


@pytest.mark.parametrize(
    "name, emotion",
    [("Happy", "happy"), (" ANGER ", "angry"), ("joy", "happy"), ("surprised", "surprise")],
)
def test_names_aliases_and_case(name, emotion):
    assert class_of(name, "x") == emotion


def test_aliases_stand_for_emotions():
    assert set(ALIASES.values()) <= set(EIGHT_EMOTIONS) and not set(ALIASES) & set(EIGHT_EMOTIONS)


@pytest.mark.parametrize(
    "name, hint",
    [
        ("hapy", "did you mean 'happy'"),
        ("surprize", "did you mean 'surprise'"),
        ("contempt", "unknown class 'contempt'. Classes are"),
        ("qqq", "unknown class 'qqq'. Classes are"),
    ],
)
def test_unknown_class_names_place_and_nearest(name, hint):
    with pytest.raises(StudyError, match=f"there/{name}") as error:
        class_of(name, f"there/{name}")
    assert hint in str(error.value)


def test_classes_of_another_study_have_no_aliases_of_emotions_that_it_lacks():
    assert class_of("CAT", "x", ("cat", "happy")) == "cat"
    assert class_of("joy", "x", ("cat", "happy")) == "happy"
    with pytest.raises(StudyError, match="unknown class 'anger'. Classes are cat, happy"):
        class_of("anger", "x", ("cat", "happy"))


# The rule of classes_of, branch by branch.


@pytest.mark.parametrize(
    "names, classes",
    [
        (EMOTIONS, EMOTIONS),
        (EIGHT_EMOTIONS, EIGHT_EMOTIONS),
        (("Joy", "Anger"), ("angry", "happy")),
        (("joy", "happy", "sadness"), ("happy", "sad")),
        (("contempt", "fear", "neutral"), ("contempt", "fear", "neutral")),
    ],
)
def test_emotions_that_occur_are_the_classes(names, classes):
    found, by_name = classes_of(places(*names))
    assert found == classes and set(by_name) == set(names) and set(by_name.values()) == set(classes)


def test_emotions_that_a_source_declares_are_classes_even_without_images():
    assert classes_of(places("joy", "fear"), declared=FER2013_CODES)[0] == EMOTIONS
    declared = ["Anger", "unknown"]
    assert classes_of(places("joy", "fear"), declared=declared)[0] == ("angry", "fear", "happy")


@pytest.mark.parametrize(
    "names, classes",
    [
        (("dog", " Cat "), ("Cat", "dog")),
        (tuple("9876543210"), tuple("0123456789")),
        (("Zug", "apfel", "Birne"), ("apfel", "Birne", "Zug")),
    ],
)
def test_names_that_are_no_emotions_are_the_classes_as_written(names, classes):
    found, by_name = classes_of(places(*names), declared=FER2013_CODES)
    assert found == classes
    assert by_name == {name: name.strip() for name in names}


def test_a_mixture_is_refused_and_names_the_unknown_one_and_the_way_out():
    with pytest.raises(StudyError) as error:
        classes_of(places(*EMOTIONS[:-1], "suprise"))
    message = str(error.value)
    assert message.startswith(
        "data/train/suprise: unknown class 'suprise'; did you mean 'surprise'?"
    )
    assert "rename it, or list all classes to read in the parameter `classes`" in message


def test_wanted_classes_make_any_mixture_right_and_leave_others_out():
    found, by_name = classes_of(places("happy", "joy", "cat", "horse"), ["happy", "cat"])
    assert found == ("cat", "happy")
    assert by_name == {"happy": "happy", "joy": "happy", "cat": "cat"}


def test_a_wanted_name_is_taken_as_it_is_written():
    found, by_name = classes_of(places("joy", "happy", "fear"), ["joy", "Fear"])
    assert found == ("Fear", "joy") and by_name == {"joy": "joy", "fear": "Fear"}


def test_a_wanted_class_without_images_is_refused_unless_the_source_may_lack_it():
    names = places("happy", "sad")
    with pytest.raises(StudyError, match="there are no images of hapy; did you mean 'happy'"):
        classes_of(names, ["hapy", "sad"])
    found, by_name = classes_of(names, ["fear", "sad"], complete=False)
    assert found == ("fear", "sad") and by_name == {"sad": "sad"}


@pytest.mark.parametrize(
    "names, wanted, message",
    [
        (("cat",), (), "at least 2 classes, not 1: cat"),
        (("happy", "joy"), (), "at least 2 classes, not 1: happy"),
        (("happy", "sad"), ("sad",), "at least 2 classes, not 1: sad"),
        (("Cat", "cat", "dog"), (), "'Cat' and 'cat' have one name"),
        (("cat", "dog"), ("Dog", "dog", "cat"), "'Dog' and 'dog' have one name"),
        (("a/b", "c"), (), "'a/b' cannot be the name of a class"),
        (("..", "c"), (), "'..' cannot be the name of a class"),
    ],
)
def test_class_lists_that_cannot_be(names, wanted, message):
    with pytest.raises(StudyError, match=message):
        classes_of(places(*names), wanted)


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "\x1b[31m", "x" * 201, "../x", "a\\b"])
def test_what_cannot_be_a_folder_is_no_class(name):
    with pytest.raises(StudyError, match="cannot be the name of a class") as error:
        checked_classes(["sad", name])
    assert str(error.value).isprintable() and len(str(error.value)) < 150


def test_one_name_in_two_spellings_of_unicode_is_one_class():
    composed, apart = "w\u00fctend", "wu\u0308tend"
    classes, by_name = classes_of({composed: "a", apart: "b", "froh": "c"})
    assert classes == ("froh", composed) and by_name[apart] == composed
    classes, by_name = classes_of({composed: "a", "froh": "c"}, ["froh", apart])
    assert classes == ("froh", composed) and by_name[composed] == composed


def test_checked_classes_are_alphabetical_whatever_their_case():
    assert checked_classes(["b", "C", "a"]) == ("a", "b", "C")


def test_images_get_their_classes_and_left_out_ones_are_counted(capsys):
    names = ["joy", "fear", "cat", "joy", "cat", "dog"]
    classes, labels = label_images(names, places(*names), ["happy", "fear"])
    assert classes == ("fear", "happy")
    assert labels == ["happy", "fear", None, "happy", None, None]
    assert capsys.readouterr().out.splitlines() == [
        "class names taken as: joy -> happy",
        "images of other classes, 3 in all, are left out: cat (2), dog (1)",
    ]


def test_splits():
    names = ("Training", "PublicTest", "PrivateTest", "Private_Test", "validation", "VAL", "test")
    splits = ["train", "val", "test", "test", "val", "val", "test"]
    assert [split_of(name) for name in names] == splits
    assert split_of("happy") is None and split_of("") is None


def test_aliases_are_announced_once(capsys):
    announce_aliases({"joy": "happy", "anger": "angry", "Sad": "sad"})
    announce_aliases({})
    announce_left_out({})
    assert capsys.readouterr().out == "class names taken as: anger -> angry, joy -> happy\n"
