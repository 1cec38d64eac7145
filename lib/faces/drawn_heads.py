"""Background, hair, ears, neck and the head with its pose; glasses, beard and what hides a face.

Each function draws into a canvas, float (B, rows, px). `at` holds the place of every pixel on the
head (u across, v down the face), `p` the traits of the batch by name, each (B, 1, 1).
"""

import numpy as np

from lib.faces.drawn_shapes import cover, ellipse, paint, shade

LONG_HAIR = 0.6  # hair_length from which hair covers the ears


def place_head(p: dict, px: int, zoom: float) -> dict:
    """Give every pixel its place on the head.

    The head is an ellipsoid with a narrowing jaw; what is drawn on its front moves as the front
    turns (yaw, pitch, roll).

    Args:
        p: traits of a batch, each (B, 1, 1).
        px: side of the images.
        zoom: size of the head, 1 for a tight crop.

    Returns:
        Arrays (B, px, px): x, y in the picture plane and u, v on the turned surface (units: the
        head's half-width, centre between the features), z (0 at the rim to 1), rim (below 1 inside
        the head), picture_x, picture_y (-1 to 1); `pixel` (B, 1, 1) in these units.
    """
    # Place in the picture, then on the head before it turns.
    axis = ((np.arange(px, dtype=np.float32) + 0.5) * (2 / px) - 1)[None]
    picture_x, picture_y = axis[:, None, :], axis[:, :, None]
    size = p["head_width"] * p["scale"] * zoom
    across, down = (picture_x - p["centre_x"]) / size, (picture_y - p["centre_y"]) / size
    x = across * np.cos(p["roll"]) + down * np.sin(p["roll"])
    y = down * np.cos(p["roll"]) - across * np.sin(p["roll"])

    # On the unit sphere: the jaw narrows, and drops with an open mouth.
    low = np.maximum(y, 0)
    tall = p["head_aspect"] + 0.13 * p["au26"] * (y > 0)
    low /= tall
    a, b = x / (1 - p["jaw"] * low * low), y / tall
    square = a * a + b * b
    z = np.sqrt(np.maximum(1 - square, 0))

    # On the turned surface.
    u = x * np.cos(p["yaw"]) - z * np.sin(p["yaw"])
    forward = x * np.sin(p["yaw"]) + z * np.cos(p["yaw"])
    v = y * np.cos(p["pitch"]) - forward * np.sin(p["pitch"]) * p["head_aspect"]
    v = v + p["asymmetry"] * u
    return {
        "x": x,
        "y": y,
        "u": u,
        "v": v,
        "a": a,  # with b and z a point of the unit sphere
        "b": b,
        "z": z,
        "rim": np.sqrt(square),
        "pixel": 2 / px / size,
        "picture_x": picture_x,
        "picture_y": picture_y,
    }


def draw_background(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Fill the canvas with a wall that has a gradient, and with shoulders."""
    # The wall.
    canvas[:] = p["back"] + p["back_x"] * at["picture_x"] + p["back_y"] * at["picture_y"]

    # Shoulders below the chin.
    below = p["head_aspect"] + 1.0
    shoulders = ellipse(at["x"], at["y"], 0, below, 1.6, 0.75, 3 * at["pixel"])
    paint(canvas, shoulders, p["cloth"])


def draw_head(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Draw hair behind the head, neck, ears and the head."""
    x, y, pixel, side = at["x"], at["y"], at["pixel"], np.sin(p["yaw"])
    is_long = p["hair_length"] > LONG_HAIR

    # Hair behind the head.
    volume = np.where(p["bald"], 0.8, p["hair_volume"])
    height = p["head_aspect"] * (0.95 + 0.3 * is_long)
    hair = ellipse(x, y, -0.1 * side, -0.16 + 0.5 * is_long, volume, height, 3 * pixel)
    paint(canvas, hair, p["hair_grey"])

    # Neck and ears, then the head over them.
    neck = cover(np.maximum(np.abs(x) - 0.55, 0.4 - y), 3 * pixel)
    paint(canvas, neck, 0.72 * p["skin"])
    ears = ellipse(np.abs(x + 0.15 * side), y, 1.0, -0.02, p["ear"], 0.24, 2 * pixel)
    ears *= p["hair_length"] < LONG_HAIR
    paint(canvas, ears, 0.86 * p["skin"])
    paint(canvas, cover(at["rim"] - 1, 1.5 * pixel), p["skin"])


def draw_front_hair(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Draw the hair over the forehead and at the temples, with strands."""
    u, v, pixel = at["u"], at["v"], at["pixel"]
    # Inside the hairline and the temples, and on the head.
    line = p["hairline"] + p["hair_curve"] * u * u + p["hair_part"] * u
    temple = 0.90 - np.abs(u) + 0.25 * np.maximum(v, 0) * (p["hair_length"] < LONG_HAIR)
    inside = cover(np.minimum(v - line, np.maximum(temple, v - 0.2)), 2.5 * pixel)
    inside *= cover(at["rim"] - 1.06, 2 * pixel)
    inside *= ~p["bald"]

    # Strands are stripes of grey.
    strands = (u * 5 + v * 1.5 + 8) % 1
    paint(canvas, inside, p["hair_grey"] * (0.85 + 0.5 * np.abs(strands - 0.5)))


def draw_beard(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Darken jaw, chin and upper lip."""
    u, v, edge = at["u"], at["v"], 0.22
    # The jaw without the cheeks, upper lip and chin.
    cheeks = ellipse(u, v, 0, 0.22, 0.72, 0.80, edge)
    jaw = cover(0.42 - v, edge) * (1 - cheeks) * cover(at["rim"] - 1, edge)
    lip = ellipse(u, v, 0, p["mouth_y"] - 0.15, 0.36, 0.09, 0.1)
    chin = ellipse(u, v, 0, p["mouth_y"] + 0.36, 0.40, 0.26, 0.2)
    shade(canvas, np.maximum(jaw, np.maximum(lip, chin)), 0.62 * np.minimum(p["beard"], 1))


def draw_glasses(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Draw round frames, a bridge, and dark lenses on a few."""
    s, v, pixel = np.abs(at["u"]), at["v"], at["pixel"]
    across, down = s - p["eye_x"] - 0.01, (v + 0.12) / 0.9

    # Distance from the rim of the nearer lens.
    ring = np.sqrt(across * across + down * down) - p["lens_size"]
    lens = cover(ring, pixel)
    frame = cover(np.abs(ring) - 0.012, 1.3 * pixel)

    # The bridge between the lenses.
    bridge = cover(np.maximum(np.abs(v + 0.18) - 0.015, s - 0.12), 1.3 * pixel)
    shade(canvas, lens, p["dark_lens"] * 0.72)
    shade(canvas, np.maximum(frame, bridge), p["glasses"] * 0.75)


def light_up(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Light the head from one side: a Lambert term on the ellipsoid, ambient light elsewhere."""
    # Lambert: the cosine between the light and the surface, whose normal is (a, b, z).
    inside = cover(at["rim"] - 1.05, 0.15)
    lit = p["light"] * (p["light_x"] * at["a"] + p["light_y"] * at["b"] + 0.9 * at["z"] - 0.55)
    shade(canvas, inside * lit, -1)
    canvas *= p["ambient"] + 0.28


def draw_obstacle(canvas: np.ndarray, at: dict, p: dict) -> None:
    """Hide a part of some faces behind a round thing: a hand, a microphone, a lock of hair."""
    # Adding zeros of the canvas's shape gives x the batch's shape.
    x, y = at["picture_x"] + 0 * canvas, at["picture_y"] + 0.3 * at["picture_x"]
    inside = ellipse(x, y, p["hide_x"], p["hide_y"], 0.30, 0.24, 0.1)
    inside *= p["hidden"]
    paint(canvas, inside, p["hide_grey"])
