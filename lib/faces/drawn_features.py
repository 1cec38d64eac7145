"""Brows, eyes, nose, mouth and the lines of a face, drawn on the turned surface of the head.

Left and right are drawn at once on the folded axis s = |u|; pose, light and `asymmetry` make the
halves differ. Numbers are lengths in units of the head's half-width, and shares of darkening.
Canvas, `at` and `p` are those of lib.faces.drawn_heads.
"""

import numpy as np

from lib.faces.drawn_expressions import brow_shape, eye_shape, mouth_shape
from lib.faces.drawn_shapes import band, cover, ellipse, opening, paint, shade


def draw_eyes(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Draw sockets, whites, irises with pupils and a glint, lids and their crease."""
    s, v, pixel = np.abs(at["u"]), at["v"], at["pixel"]
    bend, above, below = eye_shape(p)
    place = (s, v, p["eye_x"], p["eye_width"])

    # Socket and white.
    socket = ellipse(s, v, p["eye_x"] - 0.04, -0.17, 0.30, 0.19, 0.22)
    shade(canvas, socket, 0.20 + 0.05 * p["age_lines"])
    white = opening(*place, bend, above, below, pixel)
    inside = white.copy()
    paint(canvas, white, 0.5 * p["skin"] + 75)

    # Both irises look the same way, so that the gaze differs in sign on the folded axis.
    gaze = p["eye_x"] + np.where(at["u"] > 0, 1, -1) * p["gaze_x"] * 0.25
    gaze_y = bend[0] + 0.2 * p["gaze_y"] * above + 0.005
    iris = ellipse(s, v, gaze, gaze_y, 0.085, 0.088, pixel) * inside
    paint(canvas, iris, p["iris"])
    glint = ellipse(s, v, gaze - 0.02, bend[0] - 0.03, 0.028, 0.028, pixel) * inside
    paint(canvas, glint, 200)

    # Lids and the crease above.
    upper = (bend[0] - above, bend[1], bend[2] + above)
    lower = (bend[0] + below, bend[1], bend[2] - below)
    crease = (upper[0] - 0.065, upper[1], upper[2])
    shade(canvas, band(*place, upper, 0.030, 1.2 * pixel), 0.72)
    shade(canvas, band(*place, lower, 0.014, 1.2 * pixel), 0.28 + 0.15 * p["au6"] + 0.12 * p["au7"])
    depth = np.clip(0.22 + 0.18 * p["au5"] - 0.2 * p["au9"], 0, 1)
    shade(canvas, band(*place, crease, 0.010, 1.5 * pixel), depth)


def draw_brows(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Draw the brows, and the furrow between them when they are knitted."""
    s, v, pixel = np.abs(at["u"]), at["v"], at["pixel"]
    bend, shift, knit = brow_shape(p)
    centre, thickness = p["eye_x"] + 0.02 + shift, p["brow_thick"] + 0.012 * p["au4"]
    shade(canvas, band(s, v, centre, 0.27, bend, thickness, 1.3 * pixel), p["brow_dark"])
    furrow = cover(np.maximum(np.abs(s - 0.075) - 0.012, np.abs(v + 0.36) - 0.10), 1.5 * pixel)
    shade(canvas, furrow, 0.45 * knit)


def draw_nose(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Draw bridge, tip, nostrils and wings; wrinkle the bridge (action unit 9)."""
    # The tip stands off the face and turns further.
    u = at["u"] + 0.10 * np.sin(p["yaw"]) * np.clip(at["v"] + 0.3, 0, 0.6)
    s, v, pixel = np.abs(u), at["v"], at["pixel"]
    width, tip = p["nose_width"], p["nose_length"] - 0.05 * p["au9"]

    # Flanks, bridge and tip.
    shade(canvas, ellipse(s, v, width + 0.02, 0.02, 0.05, 0.30, 0.12), 0.12)
    shade(canvas, ellipse(u, v, 0, 0.02, 0.06, 0.32, 0.12), -0.12)
    shade(canvas, ellipse(u, v, 0, tip - 0.06, 0.10, 0.09, 0.10), -0.10)

    # Nostrils, wings, and the shadow under the tip.
    nostril = ellipse(s, v, 0.45 * width + 0.02, tip + 0.06, 0.055, 0.030, 1.5 * pixel)
    shade(canvas, nostril, 0.55)
    wing = ellipse(s, v, width + 0.02 * p["au9"], tip + 0.02, 0.030, 0.085, 1.8 * pixel)
    shade(canvas, wing, 0.28 + 0.20 * p["au9"])
    shade(canvas, ellipse(u, v, 0, tip + 0.13, 0.14, 0.05, 0.10), 0.14)

    # Wrinkles.
    for height in (-0.16, -0.05):
        wrinkle = band(s, v, 0.04, 0.16, (height, 0.03, 0), 0.022, 1.3 * pixel)
        shade(canvas, wrinkle, 0.45 * np.clip(p["au9"] - 0.15, 0, 1))


def draw_mouth(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Draw lips, the dark of an open mouth, teeth, and the line where closed lips meet."""
    u, v, pixel = at["u"], at["v"], at["pixel"]
    m = mouth_shape(p)
    bend = m["bend"]
    place = (u, v, 0, m["width"])

    # Lips, and the gap between them.
    outer_above, outer_below = m["above"] + 0.85 * m["lips"], m["below"] + m["lower_lip"]
    shade(canvas, opening(*place, bend, outer_above, outer_below, 1.2 * pixel), p["lip_dark"])
    gap = opening(*place, bend, m["above"], m["below"], pixel)
    inside = gap.copy()
    paint(canvas, gap, 22)

    # Upper teeth hang from the upper lip's curve.
    edge = bend[0] - m["above"]
    curve = (bend[2] + m["above"]) / (m["width"] * m["width"])
    teeth = cover(v - edge - curve * u * u - (0.07 + 0.07 * p["au12"]), pixel) * inside
    teeth *= cover(np.abs(u) - 0.85 * m["width"], 2 * pixel)
    paint(canvas, teeth, 22 + 203 * m["teeth"])

    # Lower teeth show when the lower lip is drawn down.
    lower = bend[0] + m["below"] - 0.05
    low_teeth = cover(np.maximum(lower - v, np.abs(u) - 0.6 * m["width"]), pixel) * inside
    paint(canvas, low_teeth, 22 + 150 * np.clip(p["au16"] + p["au9"] - 0.3, 0, 1))

    # The line between closed lips, and the shadow under the lower one.
    closed = np.clip(1 - 8 * (m["above"] + m["below"]), 0.25, 1)
    shade(canvas, band(*place, bend, 0.022, 1.4 * pixel), 0.62 * closed)
    under = m["centre"] + m["below"] + m["lower_lip"] + 0.08
    shade(canvas, ellipse(u, v, 0, under, 0.16, 0.045, 0.09), 0.16 + 0.14 * p["au15"])


def draw_lines(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Draw cheeks and lines: nasolabial folds, forehead, crow's feet, from expression and age."""
    s, v, pixel = np.abs(at["u"]), at["v"], at["pixel"]
    mouth, age = mouth_shape(p), p["age_lines"]
    _draw_folds(canvas, s, v, pixel, mouth, p)

    # Cheeks, and the pouches under the eyes.
    cheek = ellipse(s, v, 0.46, 0.18 - 0.04 * p["au6"], 0.20, 0.15, 0.16)
    shade(canvas, cheek, -0.10 - 0.12 * p["au6"])
    pouch = band(s, v, p["eye_x"], 0.20, (0.03, 0, -0.04), 0.016, 1.6 * pixel)
    shade(canvas, pouch, np.clip(0.35 * p["au6"] + 0.22 * age, 0, 0.5))

    # Two lines across the forehead.
    raised = np.clip(0.8 * p["au1"] * (0.3 + 0.7 * p["au2"]) + 0.6 * age - 0.15, 0, 0.8)
    for height in (-0.62, -0.76):
        shade(canvas, band(s, v, 0, 0.55, (height, 0, 0.04), 0.016, 1.5 * pixel), 0.30 * raised)

    # Crow's feet.
    feet = np.abs(s - 0.70) - 0.08
    for tilt in (-0.5, 0.5):
        ray = np.maximum(np.abs(v + 0.12 - tilt * (s - 0.62)) - 0.008, feet)
        shade(canvas, cover(ray, 1.4 * pixel), np.clip(0.45 * p["au6"] + 0.3 * age - 0.1, 0, 0.5))

    # The pull at the corners of the mouth.
    pull = ellipse(s, v, mouth["width"] + 0.03, mouth["bend"][0] + 0.16, 0.05, 0.12, 0.08)
    shade(canvas, pull, np.clip(0.35 * p["au15"] + 0.12 * age, 0, 0.5))


def _draw_folds(canvas: np.ndarray, s, v, pixel, mouth: dict, p: dict) -> None:
    """Draw the nasolabial folds, from the wings of the nose (t = 0) to the mouth (t = 1)."""
    corner_x, corner_y = mouth["width"] + 0.08, mouth["bend"][0] - mouth["lift"]
    top_x, top_y = p["nose_width"] + 0.05, p["nose_length"] - 0.03
    t = np.clip((v - top_y) / np.maximum(corner_y - top_y, 0.15), -1, 2)
    bulge = (0.10 * p["au12"] + 0.08 * p["au9"]) * t * (1 - t)
    off = np.abs(s - (top_x + (corner_x - top_x) * t + bulge))
    fold = cover(np.maximum(off - 0.014, np.maximum(-t, t - 1) * 0.5), 2 * pixel)
    depth = 0.30 * p["au12"] + 0.42 * p["au9"] + 0.30 * p["age_lines"] + 0.08
    shade(canvas, fold, np.clip(depth, 0, 0.6))
