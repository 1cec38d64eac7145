"""The interactive map: everything in one piece, nothing shown that must not be, no text that could become code."""

import json
import re

import numpy as np
import pytest

from lib.plots.hover import hover_map
from lib.study.errors import StudyError

POINTS = np.random.default_rng(0).normal(size=(60, 2))
SOURCES = ["real"] * 30 + ["drawn"] * 30
IMAGES = {"drawn": np.random.default_rng(1).integers(0, 255, (30, 48, 48), dtype=np.uint8)}


def data_of(page: str) -> dict:
    return json.loads(re.search(r"const data = (\{.*?\}), side", page)[1])


def test_only_sources_that_are_given_have_images():
    data = data_of(hover_map(POINTS, SOURCES, ["happy"] * 60, IMAGES, alt="a map", caption="c"))
    cells = np.array(data["points"])[:, 4]
    assert (cells[:30] == -1).all() and sorted(cells[30:]) == list(range(30)) and "not shown" in data["unseen"]
    none = hover_map(POINTS, SOURCES, ["happy"] * 60, {}, alt="a map", caption="c")
    assert "image/jpeg" not in none and max(np.array(data_of(none)["points"])[:, 4]) == -1


def test_it_asks_for_nothing_and_fills_every_place():
    page = hover_map(POINTS, SOURCES, ["happy"] * 60, IMAGES, alt="a map", caption="c")
    assert not re.search(r"https?://|%[A-Z]+%", page) and 'aria-label="a map"' in page
    assert np.array(data_of(page)["points"])[:, :2].min() == 0 and np.array(data_of(page)["points"])[:, :2].max() == 1000


def test_names_cannot_become_code():
    page = hover_map(POINTS, ["</script><b>"] * 60, ["happy"] * 60, {}, alt='"><i>', caption="<u>")
    assert page.count("</script>") == 1 and "<i>" not in page and "<u>" not in page


def test_few_thumbnails_are_shared_and_wrong_lengths_refused():
    data = data_of(hover_map(POINTS, SOURCES, ["happy"] * 60, IMAGES, alt="a map", caption="c", most_images=10))
    assert (np.array(data["points"])[:, 4] >= 0).sum() == 10
    with pytest.raises(StudyError, match="30 points and 29 images"):
        hover_map(POINTS, SOURCES, ["happy"] * 60, {"drawn": IMAGES["drawn"][:29]}, alt="a map", caption="c")
    with pytest.raises(StudyError, match="alternative text"):
        hover_map(POINTS, SOURCES, ["happy"] * 60, {}, alt="", caption="c")
