"""Faults of pools are named for what they are, and a pool without faults has none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib.faces.drawn import draw_faces
from lib.verdict.faults import fault_table, faults_of, look_table, share_table, shown_faults
from lib.verdict.inputs import Inputs, beside_real
from lib.verdict.probe import PoolProbe, Probe

CLASSES = ("happy", "sad", "surprise")
REAL = draw_faces(np.arange(300) % 3, np.arange(300), classes=CLASSES)
REAL = REAL.with_columns(cluster=np.arange(300))
LABELS = np.arange(240) % 3


def drawn(**settings):
    return draw_faces(LABELS, 50_000 + np.arange(240), classes=CLASSES, **settings)


def changed(faces, images):
    return replace(faces, images=np.clip(images, 0, 255).astype(np.uint8))


def names_of(faces, doubted=0.0):
    """Find the faults of a pool of which so many labels are doubted."""
    pool = beside_real("made", faces, REAL, 6.0)
    inputs = Inputs(REAL, (pool,), ())
    probabilities = np.full((len(faces), 3), 1 / 3, np.float32)
    mask = np.arange(len(faces)) < doubted * len(faces)
    found = PoolProbe(pool, probabilities, mask, {}, {})
    probe = Probe(REAL, np.full((300, 3), 1 / 3), np.zeros(300, bool), (found,))
    return {fault.name: fault for fault in faults_of(found, probe, inputs)}


def test_a_pool_of_the_same_source_has_no_fault():
    assert names_of(drawn()) == {}


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("brightness", lambda images: images * 0.5),
        ("contrast", lambda images: 128 + (images - 128.0) * 0.4),
        ("sharpness", lambda images: np.stack([cv2.blur(i, (5, 5)) for i in images])),
    ],
)
def test_a_look_that_gives_the_pool_away_is_named_and_gone_when_matched(name, images):
    faces = drawn()
    pool = changed(faces, images(faces.images))
    assert name in names_of(pool)["look"].text
    table = look_table(pool, REAL, 0).set_index("look")["told apart"]
    assert table[name] > 0.75
    if name != "sharpness":
        assert table["all pixels, looks matched"] < table["all pixels"]


def test_few_people_are_noticed_and_shown():
    fault = names_of(drawn(identities=4))["few identities"]
    assert len(fault.examples) == 10 and "of the distance" in fault.text


def test_copies_of_training_images_are_counted_and_not_shown_unasked():
    faces = drawn()
    images = faces.images.copy()
    images[:30] = REAL.images[:30]
    images[30:40] = np.clip(REAL.images[40:50].astype(int) + 2, 0, 255)
    fault = names_of(changed(faces, images))["copies of training images"]
    assert fault.count == 40 and "30 of them exact" in fault.text
    assert shown_faults([fault], False) == [] and shown_faults([fault], True) == [fault]


def test_one_copy_of_a_test_image_is_a_fault():
    split = np.repeat(["train", "test"], [250, 50])
    real = REAL.with_columns(split=split)
    faces = drawn()
    images = faces.images.copy()
    images[0] = real.images[299]
    pool = beside_real("made", changed(faces, images), real, 6.0)
    found = PoolProbe(pool, np.full((240, 3), 1 / 3), np.zeros(240, bool), {}, {})
    train = real.split("train")
    probe = Probe(train, np.full((250, 3), 1 / 3), np.zeros(250, bool), (found,))
    names = {fault.name for fault in faults_of(found, probe, Inputs(real, (pool,), ()))}
    assert names == {"copies of test images"}


def test_images_that_repeat_another_are_counted():
    faces = drawn()
    images = faces.images.copy()
    images[100:160] = images[:60]
    assert names_of(changed(faces, images))["repeated images"].count == 60


def test_missing_and_frequent_classes_are_named():
    faces = draw_faces(np.repeat([0, 1], [230, 10]), np.arange(240) + 60_000, classes=CLASSES)
    text = names_of(faces)["class shares"].text
    assert "no image of surprise" in text and "few of sad" in text and "many of happy" in text
    table = share_table(faces, REAL)
    assert table["generated images"].tolist() == [230, 10, 0]


def test_doubted_labels_are_a_fault_beyond_what_right_ones_show():
    assert "doubted labels" not in names_of(drawn(), doubted=0.1)
    fault = names_of(drawn(), doubted=0.4)["doubted labels"]
    assert fault.count == 96 and "5% would be" in fault.text
    table = fault_table({"made": [fault]})
    assert table["images"].tolist() == [96] and table["pool"].tolist() == ["made"]
