"""Drawn faces: an image follows from its class and seed, and looks like a face to a detector."""

import cv2
import numpy as np
import pytest

from lib.faces.classes import EMOTIONS
from lib.faces.drawn import CLASS_SHARES, RECORDED_TRAITS, draw_faces, drawn_study
from lib.faces.drawn_expressions import EMOTION_UNITS, action_units
from lib.faces.drawn_people import draw_people
from lib.faces.duplicates import exact_groups
from lib.study.errors import StudyError

LABELS = np.arange(42) % 7
SEEDS = np.arange(42) * 13
FIVE = ("angry", "happy", "neutral", "sad", "surprise")


@pytest.fixture(scope="module")
def drawn():
    return draw_faces(LABELS, SEEDS)


def wrong_share(faces) -> float:
    return (faces.table["class"] != faces.table["true_class"]).mean()


@pytest.mark.parametrize("identities", [0, 5])
@pytest.mark.parametrize("rows", [[7], [41, 0, 20], list(range(5, 40))])
def test_image_depends_on_its_label_and_seed_alone(identities, rows):
    options = {"identities": identities, "mislabelled_share": 0.3}
    whole = draw_faces(LABELS, SEEDS, **options)
    part = draw_faces(LABELS[rows], SEEDS[rows], **options)
    assert (part.images == whole.images[rows]).all()
    assert part.table.equals(whole.table.iloc[rows].reset_index(drop=True))


def test_label_changes_the_expression_and_seed_the_person(drawn):
    same_person = draw_faces(np.arange(7), np.full(7, 3))
    assert len(set(exact_groups(same_person.images))) == 7
    assert same_person.table[["identity", "skin", "yaw", "glasses"]].nunique().max() == 1
    assert len(set(exact_groups(draw_faces(np.zeros(20, int), np.arange(20)).images))) == 20

    # Another expression changes an image less than another person does.
    pixels, others = same_person.images.astype(int), drawn.images.astype(int)
    by_expression = np.abs(pixels - pixels[4]).mean(axis=(1, 2))
    by_person = np.abs(others - others[4]).mean(axis=(1, 2))
    assert by_expression.max() < np.median(by_person)


def test_table_tells_what_was_drawn(drawn):
    assert set(RECORDED_TRAITS) | {"true_class", "seed"} <= set(drawn.table)
    names = [EMOTIONS[i] for i in LABELS]
    assert drawn.table["true_class"].tolist() == names == drawn.table["class"].tolist()
    assert drawn.table["id"].is_unique and set(drawn.table["source"]) == {"drawn"}


def test_identities():
    people, new_people = draw_people(np.arange(200), 6), draw_people(np.arange(200), 0)
    assert set(people["identity"]) == set(range(6))
    traits = people.groupby("identity")[["skin", "eye_x", "nose_length", "glasses"]]
    assert traits.nunique().max().max() == 1
    assert new_people["identity"].nunique() == 200
    assert people["yaw"].std() < new_people["yaw"].std()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mislabelled_share_moves_labels_not_images(share, drawn):
    faces = draw_faces(np.tile(np.arange(7), 60), np.arange(420), px=8, mislabelled_share=share)
    wrong = wrong_share(faces)
    assert abs(wrong - share) < 0.08 and (share not in (0, 1) or wrong == share)
    assert (draw_faces(LABELS, SEEDS, mislabelled_share=share).images == drawn.images).all()
    mislabelled = faces.table["class"] != faces.table["true_class"]
    afraid = faces.table["true_class"] == "fear"
    stated = faces.table.loc[mislabelled & afraid, "class"]
    assert share == 0 or stated.nunique() >= 4


def test_some_of_the_seven_are_drawn_as_they_are_among_all():
    faces = draw_faces(np.arange(10) % 5, np.arange(10), classes=FIVE)
    labels = [EMOTIONS.index(FIVE[i % 5]) for i in range(10)]
    assert faces.classes == FIVE and faces.labels.tolist() == [i % 5 for i in range(10)]
    assert (faces.images == draw_faces(labels, np.arange(10)).images).all()


def test_wrong_labels_are_among_the_classes_of_the_study():
    labels = np.arange(200) % 2
    faces = draw_faces(labels, np.arange(200), classes=("fear", "sad"), px=8, mislabelled_share=0.5)
    assert set(faces.table["class"]) == {"fear", "sad"} and 0.4 < wrong_share(faces) < 0.6


def test_a_study_of_some_classes_keeps_their_proportions():
    faces = drawn_study(140, 0, 70, 0.1, 0, px=8, classes=["happy", "disgust", "sad"])
    assert faces.classes == ("disgust", "happy", "sad")
    shares = np.array([CLASS_SHARES[name] for name in faces.classes])
    true = faces.split("train").table["true_class"].value_counts()[list(faces.classes)]
    assert np.abs(true.to_numpy() - 140 * shares / shares.sum()).max() <= 1
    assert set(faces.table["class"]) == set(faces.classes)


@pytest.mark.parametrize("name", ["contempt", "anger", "cat"])
def test_a_class_that_cannot_be_drawn_is_named(name):
    message = f"drawn faces cannot show '{name}'; they show angry, disgust"
    with pytest.raises(StudyError, match=message):
        drawn_study(10, 0, 10, 0.0, 0, classes=["happy", name])
    with pytest.raises(StudyError, match=message):
        draw_faces([0], [1], classes=[name, "sad"])


def test_expression_moves_its_action_units():
    units = action_units(np.repeat(np.arange(7), 200), np.tile(np.arange(200), 7))
    for i, name in enumerate(EMOTIONS):
        mean = units.iloc[i * 200 : (i + 1) * 200].filter(like="au").mean()
        strong = {int(unit[2:]) for unit in mean.index[mean > 0.35]}
        assert strong == set(EMOTION_UNITS[name]), name


def test_study_has_fixed_sizes_clean_test_labels_and_unbalanced_classes():
    faces = drawn_study(280, 70, 70, 0.2, 0, n_extra=35, px=8)
    sizes = faces.table["split"].value_counts().to_dict()
    assert sizes == {"train": 280, "val": 70, "test": 70, "extra": 35}
    wrong = {name: wrong_share(faces.split(name)) for name in sizes}
    assert wrong["val"] == wrong["test"] == 0 and 0.1 < wrong["train"] < 0.3
    true = faces.split("train").table["true_class"].value_counts().reindex(EMOTIONS)
    shares = np.array([CLASS_SHARES[name] for name in EMOTIONS])
    assert np.abs(true.to_numpy() - 280 * shares).max() <= 1
    assert true.idxmin() == "disgust" and true.idxmax() == "happy"
    assert faces.table["seed"].is_unique


def test_study_is_repeatable_and_seeds_share_no_image():
    first, repeated, other = (drawn_study(30, 10, 10, 0.1, seed) for seed in (0, 0, 1))
    assert first.digest() == repeated.digest() != other.digest()
    groups = exact_groups(np.concatenate([first.images, other.images]))
    assert not set(groups[50:]) & set(range(50))

    # A split does not depend on the others.
    alone = drawn_study(30, 0, 5, 0.1, 0).split("train")
    assert first.split("train").digest() == alone.digest()


def test_most_are_found_by_the_haar_detector():
    faces = draw_faces(np.arange(70) % 7, np.arange(70))
    finder = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    found = 0
    for image in faces.images:
        large = cv2.resize(image, (144, 144))
        framed = cv2.copyMakeBorder(large, 40, 40, 40, 40, cv2.BORDER_REPLICATE)
        found += len(finder.detectMultiScale(framed, 1.1, 3)) > 0
    assert found > 0.7 * 70


@pytest.mark.parametrize("labels, seeds", [([0, 1], [1]), ([0], [-1])])
def test_labels_and_seeds_have_to_fit(labels, seeds):
    with pytest.raises(StudyError, match="one seed, not negative, for each label"):
        draw_faces(labels, seeds)


def test_no_faces_and_other_sizes():
    assert draw_faces([], []).images.shape == (0, 48, 48)
    assert draw_faces([3], [1], px=64).images.shape == (1, 64, 64)
