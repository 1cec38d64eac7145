"""Drawn faces: an image is a function of its label and seed, and looks like a face to a detector."""

import cv2
import numpy as np
import pytest

from lib.faces.drawn import CLASS_SHARES, TOLD, draw_faces, drawn_study
from lib.faces.drawn_expressions import EMOTION_UNITS, action_units
from lib.faces.drawn_people import draw_people
from lib.faces.duplicates import exact_groups
from lib.faces.faceset import CLASSES
from lib.study.errors import StudyError

LABELS = np.arange(42) % 7
SEEDS = np.arange(42) * 13


@pytest.fixture(scope="module")
def drawn():
    return draw_faces(LABELS, SEEDS)


@pytest.mark.parametrize("identities", [0, 5])
@pytest.mark.parametrize("rows", [[7], [41, 0, 20], list(range(5, 40))])
def test_image_depends_on_its_label_and_seed_alone(identities, rows):
    whole, part = (draw_faces(LABELS[take], SEEDS[take], identities=identities, mislabelled_share=0.3) for take in (slice(None), rows))
    assert (part.images == whole.images[rows]).all()
    assert part.table.equals(whole.table.iloc[rows].reset_index(drop=True))


def test_label_changes_the_expression_and_seed_the_person(drawn):
    same_person = draw_faces(np.arange(7), np.full(7, 3))
    assert len(set(exact_groups(same_person.images))) == 7
    assert same_person.table[["identity", "skin", "yaw", "glasses"]].nunique().max() == 1
    assert len(set(exact_groups(draw_faces(np.zeros(20, int), np.arange(20)).images))) == 20
    apart = np.abs(same_person.images.astype(int) - same_person.images[4]).mean(axis=(1, 2))  # from the neutral face
    others = np.abs(drawn.images.astype(int) - drawn.images[4]).mean(axis=(1, 2))
    assert apart.max() < np.median(others)


def test_table_says_what_was_drawn(drawn):
    assert set(TOLD) | {"true_class", "seed"} <= set(drawn.table)
    assert drawn.table["true_class"].tolist() == [CLASSES[i] for i in LABELS] == drawn.table["class"].tolist()
    assert drawn.table["id"].is_unique and set(drawn.table["source"]) == {"drawn"}


def test_identities():
    people = draw_people(np.arange(200), 6)
    assert set(people["identity"]) == set(range(6))
    assert people.groupby("identity")[["skin", "eye_x", "nose_length", "glasses"]].nunique().max().max() == 1
    assert draw_people(np.arange(200), 0)["identity"].nunique() == 200
    assert people["yaw"].std() < draw_people(np.arange(200), 0)["yaw"].std()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mislabelled_share_moves_labels_not_images(share, drawn):
    faces = draw_faces(np.tile(np.arange(7), 60), np.arange(420), px=8, mislabelled_share=share)
    wrong = (faces.table["class"] != faces.table["true_class"]).mean()
    assert abs(wrong - share) < 0.08 and (share not in (0, 1) or wrong == share)
    assert (draw_faces(LABELS, SEEDS, mislabelled_share=share).images == drawn.images).all()
    said = faces.table.loc[(faces.table["class"] != faces.table["true_class"]) & (faces.table["true_class"] == "fear"), "class"]
    assert share == 0 or said.nunique() >= 4


def test_expression_moves_its_action_units():
    units = action_units(np.repeat(np.arange(7), 200), np.tile(np.arange(200), 7))
    for i, name in enumerate(CLASSES):
        mine = units.iloc[i * 200 : (i + 1) * 200].filter(like="au").mean()
        strong = {int(unit[2:]) for unit in mine.index[mine > 0.35]}
        assert strong == set(EMOTION_UNITS[name]), name


def test_study_has_fixed_sizes_clean_test_labels_and_unbalanced_classes():
    faces = drawn_study(280, 70, 70, 0.2, 0, n_extra=35, px=8)
    assert faces.table["split"].value_counts().to_dict() == {"train": 280, "val": 70, "test": 70, "extra": 35}
    wrong = (faces.table["class"] != faces.table["true_class"]).groupby(faces.table["split"]).mean()
    assert wrong["val"] == wrong["test"] == 0 and 0.1 < wrong["train"] < 0.3
    true = faces.split("train").table["true_class"].value_counts().reindex(CLASSES)
    assert np.abs(true.to_numpy() - 280 * np.array(CLASS_SHARES)).max() <= 1 and true.idxmin() == "disgust" and true.idxmax() == "happy"
    assert faces.table["seed"].is_unique


def test_study_is_repeatable_and_seeds_share_no_image():
    first, again, other = (drawn_study(30, 10, 10, 0.1, seed) for seed in (0, 0, 1))
    assert first.digest() == again.digest() != other.digest()
    assert not set(exact_groups(np.concatenate([first.images, other.images]))[50:]) & set(range(50))
    assert first.split("train").digest() == drawn_study(30, 0, 5, 0.1, 0).split("train").digest()  # a split does not depend on the others


def test_most_are_found_by_the_haar_detector():
    faces = draw_faces(np.arange(70) % 7, np.arange(70))
    finder = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    framed = [cv2.copyMakeBorder(cv2.resize(image, (144, 144)), 40, 40, 40, 40, cv2.BORDER_REPLICATE) for image in faces.images]
    found = [len(finder.detectMultiScale(image, 1.1, 3)) > 0 for image in framed]
    assert np.mean(found) > 0.7


@pytest.mark.parametrize("labels, seeds", [([0, 1], [1]), ([0], [-1])])
def test_labels_and_seeds_have_to_fit(labels, seeds):
    with pytest.raises(StudyError, match="one seed, not negative, for each label"):
        draw_faces(labels, seeds)


def test_no_faces_and_other_sizes():
    assert draw_faces([], []).images.shape == (0, 48, 48) and draw_faces([3], [1], px=64).images.shape == (1, 64, 64)
