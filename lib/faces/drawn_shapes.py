"""Shapes by signed distance: anti-aliased coverage of soft ellipses, curved bands and openings.

A batch of images is drawn at once. Every array broadcasts to (B, H, W): coordinates are (B, H, W)
in units of the head's half-width, shape parameters (B, 1, 1). Only additions, products, quotients,
square roots and comparisons touch the pixels: they are exact in IEEE arithmetic, so that an image
has the same bytes in whatever batch it is drawn.
"""

import numpy as np


def cover(distance, edge):
    """Turn a signed distance (negative inside) into coverage, 0-1.

    Args:
        edge: width over which it falls: a pixel for a line, more for a shadow.
    """
    # In place: these arrays are most of the time that a face takes.
    share = distance * (-1 / edge)
    share += 0.5
    np.maximum(share, 0, out=share)
    return np.minimum(share, 1, out=share)


def ellipse(x, y, centre_x, centre_y, half_width, half_height, edge):
    """Cover an ellipse with a soft edge, 0-1."""
    across, down = (x - centre_x) / half_width, (y - centre_y) / half_height

    # The scaled radius, less 1: negative inside.
    across *= across
    down *= down
    across += down
    radius = np.sqrt(across, out=across)
    radius -= 1
    return cover(radius, edge / np.minimum(half_width, half_height))


def band(x, y, centre_x, half_width, bend, thickness, edge):
    """Cover a curved band that thins to its ends, 0-1.

    Args:
        bend: coefficients of its middle line y = bend[0] + bend[1] t + bend[2] t^2, with t from
            -1 to 1 over its width.
        thickness: half of it, in the middle.
    """
    # Distance from the middle line, less the thickness there.
    t = (x - centre_x) / half_width
    off = y - ((bend[2] * t + bend[1]) * t + bend[0])
    np.abs(off, out=off)
    off -= thickness * _arc(t)
    return cover(np.maximum(off, _beyond(t, half_width), out=off), edge)


def opening(x, y, centre_x, half_width, bend, above, below, edge):
    """Cover what lies between two curves that meet at t = -1 and 1, 0-1.

    An eye between its lids, a mouth between its lips.

    Args:
        bend: three coefficients of the curve through both corners, as in `band`.
        above, below: how far the upper and the lower curve leave it in the middle.
    """
    t = (x - centre_x) / half_width
    arc = _arc(t)

    # Distance from the nearer of the two curves.
    off = y - ((bend[2] * t + bend[1]) * t + bend[0])
    inside = np.maximum(-off - above * arc, off - below * arc)
    return cover(np.maximum(inside, _beyond(t, half_width), out=inside), edge)


def paint(canvas, coverage, value):
    """Blend a grey level into the canvas, in place."""
    coverage *= value - canvas
    canvas += coverage


def shade(canvas, coverage, amount):
    """Darken the canvas by a share of its own grey, in place; a negative amount brightens it."""
    coverage *= -amount
    coverage += 1
    canvas *= coverage


def _beyond(t, half_width):
    """Measure the distance past the ends at t = -1 and 1.

    Without it a thin shape would go on as a faint line.
    """
    # In units of t, then of the head.
    past = np.abs(t)
    past -= 1
    past *= half_width
    return past


def _arc(t):
    """Make a smooth arc: 1 in the middle, 0 at t = -1 and 1, far below beyond them."""
    # A parabola, for cosines are not exact in IEEE arithmetic.
    return 1 - t * t
