"""The interactive map: everything in one piece, nothing shown that must not be, no text that could
become code."""

import base64
import json
import re

import cv2
import numpy as np
import pytest

from lib.faces.classes import EMOTIONS
from lib.plots.hover import hover_map
from lib.study.errors import StudyError

POINTS = np.random.default_rng(0).normal(size=(60, 2))
SOURCES = ["real"] * 30 + ["drawn"] * 30
LABELS = np.full(60, EMOTIONS.index("happy"))
IMAGES = {"drawn": np.random.default_rng(1).integers(0, 255, (30, 48, 48), dtype=np.uint8)}
WORDS = {"alt": "a map", "caption": "c"}


def data_of(page: str) -> dict:
    return json.loads(re.search(r"const data = (\{.*\});\n", page)[1])


def test_only_sources_that_are_given_have_images():
    page = hover_map(POINTS, SOURCES, LABELS, EMOTIONS, IMAGES, **WORDS)
    data = data_of(page)
    cells = np.array(data["points"])[:, 4]
    assert (cells[:30] == -1).all()
    assert sorted(cells[30:]) == list(range(30))
    assert "not shown" in data["unseen"]
    assert "c; not shown: real images</figcaption>" in page


def test_without_images_there_is_no_sheet():
    page = hover_map(POINTS, SOURCES, LABELS, EMOTIONS, {}, **WORDS)
    assert "image/jpeg" not in page
    assert max(np.array(data_of(page)["points"])[:, 4]) == -1


def test_a_face_of_48_pixels_keeps_its_own():
    # Smooth faces, as faces are: noise does not survive any compression.
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in IMAGES["drawn"]])
    page = hover_map(POINTS, SOURCES, LABELS, EMOTIONS, {"drawn": smooth}, **WORDS)
    encoded = base64.b64decode(re.search(r"data:image/jpeg;base64,([^\"]+)", page)[1])
    sheet = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert sheet.shape == (48, 50 * 48)
    for cell, face in enumerate(smooth):
        shown = sheet[:, 48 * cell : 48 * (cell + 1)]
        assert np.abs(shown.astype(float) - face).mean() < 3


def test_it_asks_for_nothing_and_fills_every_place():
    page = hover_map(POINTS, SOURCES, LABELS, EMOTIONS, IMAGES, **WORDS)
    assert not re.search(r"https?://|%[A-Z]+%", page)
    assert 'aria-label="a map"' in page
    places = np.array(data_of(page)["points"])[:, :2]
    assert places.min() == 0
    assert places.max() == 1000


@pytest.mark.parametrize("classes", [EMOTIONS, tuple("0123456789")], ids=["seven", "ten"])
def test_classes_are_named_and_coloured_by_the_class_list(classes):
    labels = np.arange(60) % len(classes)
    data = data_of(hover_map(POINTS, SOURCES, labels, classes, {}, **WORDS))
    assert data["names"] == [["real images", "drawn"], list(classes)]
    assert len(set(data["colours"][1])) == len(classes)
    assert np.array_equal(np.array(data["points"])[:, 3], labels)


def test_names_cannot_become_code():
    sources = ["</script><b>"] * 60
    page = hover_map(POINTS, sources, LABELS, EMOTIONS, {}, alt='"><i>', caption="<u>")
    assert page.count("</script>") == 1
    assert "<i>" not in page
    assert "<u>" not in page
    assert "<b>" not in page


def test_few_thumbnails_are_shared():
    page = hover_map(POINTS, SOURCES, LABELS, EMOTIONS, IMAGES, **WORDS, most_images=10)
    assert (np.array(data_of(page)["points"])[:, 4] >= 0).sum() == 10


def test_wrong_numbers_and_a_missing_text_are_refused():
    few = {"drawn": IMAGES["drawn"][:29]}
    with pytest.raises(StudyError, match="30 points and 29 images"):
        hover_map(POINTS, SOURCES, LABELS, EMOTIONS, few, **WORDS)
    with pytest.raises(StudyError, match="60 points, 60 sources and 59 labels"):
        hover_map(POINTS, SOURCES, LABELS[:59], EMOTIONS, {}, **WORDS)
    with pytest.raises(StudyError, match="alternative text"):
        hover_map(POINTS, SOURCES, LABELS, EMOTIONS, {}, alt="", caption="c")
