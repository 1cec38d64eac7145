"""Shapes cover what they should and end where they end; no part of a face is cut off."""

import numpy as np
import pytest

from lib.faces import drawn
from lib.faces.drawn_expressions import mouth_shape
from lib.faces.drawn_shapes import band, cover, ellipse, opening, paint, shade

AXIS = np.linspace(-2, 2, 401, dtype=np.float32)
X, Y = (grid[None] for grid in np.meshgrid(AXIS, AXIS))
EDGE = 0.02


def area(coverage) -> float:
    return float(coverage.sum()) * (AXIS[1] - AXIS[0]) ** 2


def test_cover_is_half_on_the_line():
    assert cover(np.array([-1.0, 0.0, 1.0]), EDGE).tolist() == [1, 0.5, 0]


def test_areas_are_those_of_geometry():
    circle = area(ellipse(X, Y, 0.1, -0.2, 0.8, 0.5, EDGE))
    assert circle == pytest.approx(np.pi * 0.8 * 0.5, rel=0.01)

    # Two parabolic arcs each.
    lens = area(opening(X, Y, 0, 0.9, (0.1, 0, 0), 0.3, 0.2, EDGE))
    assert lens == pytest.approx(4 / 3 * 0.9 * 0.5, rel=0.02)
    straight = area(band(X, Y, 0, 0.9, (0, 0, 0), 0.1, EDGE))
    assert straight == pytest.approx(4 / 3 * 0.9 * 0.2, rel=0.02)


@pytest.mark.parametrize("thin", [0.0, 0.003])
def test_thin_shapes_stop_at_their_ends(thin):
    beyond = np.abs(AXIS) > 0.5 + EDGE
    assert band(X, Y, 0, 0.5, (0, 0.1, 0.2), thin, EDGE)[:, :, beyond].max() == 0
    assert opening(X, Y, 0, 0.5, (0, 0.1, 0.2), thin, 0.0, EDGE)[:, :, beyond].max() == 0


def test_paint_and_shade_blend():
    canvas = np.full((1, 1, 3), 100, np.float32)
    paint(canvas, np.array([[[0, 0.5, 1]]], np.float32), 200)
    assert canvas.ravel().tolist() == [100, 150, 200]
    shade(canvas, np.array([[[1, 0.5, 0]]], np.float32), 0.2)
    assert canvas.ravel() == pytest.approx([80, 135, 200])


@pytest.mark.parametrize("px, zoom", [(48, 1.0), (48, 0.5), (96, 0.6), (32, 1.2)])
def test_rows_that_are_left_out_would_not_change(px, zoom, monkeypatch):
    labels, seeds = np.arange(160) % 7, np.arange(160) * 37 + 5
    images = drawn.draw_faces(labels, seeds, px=px, zoom=zoom).images
    monkeypatch.setattr(drawn, "_rows", lambda v, reach: slice(None))
    assert (drawn.draw_faces(labels, seeds, px=px, zoom=zoom).images == images).all()


def face(**units):
    """Place the mouth of a face at rest but for some action units."""
    rest = {
        "mouth_y": 0.68,
        "mouth_width": 0.35,
        "lip_thick": 0.08,
        "rest_mouth": 0.0,
        "parted": 0.0,
    }
    return mouth_shape(rest | {f"au{n}": 0.0 for n in (9, 12, 15, 16, 20, 23, 26)} | units)


def test_mouths_move_as_their_action_units_say():
    rest = face()
    smile, sad, stretched, dropped = (face(**{f"au{n}": 1.0}) for n in (12, 15, 20, 26))

    # Corners up and down, width, and pressed lips.
    assert smile["lift"] > rest["lift"] > sad["lift"]
    assert smile["width"] > rest["width"]
    assert stretched["width"] > rest["width"] > dropped["width"]
    assert face(au23=1.0)["lips"] < 0.5 * rest["lips"]

    # An open mouth: round in surprise, flat in fear.
    surprised, afraid = face(au26=1.0), face(au26=1.0, au20=1.0)
    height = [one["above"] + one["below"] for one in (rest, afraid, surprised)]
    assert height[0] == 0 and height[0] < height[1] < height[2]
    assert afraid["lift"] < 0, "a stretched open mouth must not look like a smile"
