"""Expressions as facial action units, and the geometry of brows, eyes and mouth that they make.

Source: Ekman and Friesen, EMFACS tables (emotion to action units); Ekman, Friesen and Hager 2002,
Facial Action Coding System.
"""

import numpy as np
import pandas as pd

from lib.faces.classes import EMOTIONS
from lib.faces.drawn_people import FACE_STREAM, draws

# Action units: 1, 2 raise the brows' inner and outer ends, 4 lowers and knits them; 5, 6, 7 widen,
# squeeze and narrow the eyes; 9 wrinkles the nose; 12 and 15 lift and lower the corners of the
# mouth; 16 draws down the lower lip, 20 stretches and 23 presses the lips, 26 drops the jaw.
EMOTION_UNITS = {
    "angry": (4, 5, 7, 23),
    "disgust": (9, 15, 16),
    "fear": (1, 2, 4, 5, 20, 26),
    "happy": (6, 12),
    "neutral": (),
    "sad": (1, 4, 15),
    "surprise": (1, 2, 5, 26),
}
UNITS = (1, 2, 4, 5, 6, 7, 9, 12, 15, 16, 20, 23, 26)
STRAY = 0.22  # strongest stray unit, share of full intensity: faces at rest are not blank
MISSING = 0.06  # share of an emotion's units that do not move


def action_units(labels: np.ndarray, seeds: np.ndarray) -> pd.DataFrame:
    """Draw the intensities (0 to about 1) of all action units.

    An image has one strength for its expression, weak in some images; each unit of the emotion
    follows it with a scatter and is missing now and then; every other unit is present as a stray
    weak movement.

    Args:
        labels: int64 (N,) into EMOTIONS. seeds: int64 (N,).

    Returns:
        One row an image: intensity, parted (lips of a smile, 0 or 0.5-1), and au1 ... au26.
    """
    # Three numbers an image, and three a unit.
    count = len(UNITS)
    random = draws(FACE_STREAM, seeds, 3 + 3 * count)
    scatter, missing, stray = (random[:, 3 + i * count :][:, :count] for i in range(3))

    # The units of the emotion, and the others.
    table = [[unit in EMOTION_UNITS[name] for unit in UNITS] for name in EMOTIONS]
    of_emotion = np.array(table)[labels]
    intensity = 0.30 + 0.75 * np.sqrt(random[:, 0])
    active = intensity[:, None] * (0.65 + 0.45 * scatter) * (missing > MISSING)
    units = np.where(of_emotion, active, STRAY * stray**3)

    # Two of five smiles are closed; it matters with 12, 9 and 16 alone.
    parted = np.where(random[:, 1] < 0.6, 0.5 + random[:, 1] / 1.2, 0.0)
    columns = {"intensity": intensity, "parted": parted}
    columns |= {f"au{unit}": units[:, i] for i, unit in enumerate(UNITS)}
    return pd.DataFrame(columns)


def brow_shape(p: dict) -> tuple:
    """Compute the shape of the brows.

    Args:
        p: traits and action units of a batch by name, each (B, 1, 1).

    Returns:
        Coefficients of a parabola, height over t = -1 (inner end) to 1 (outer end); horizontal
        shift; depth of the furrow between the brows, 0 to 1.
    """
    # Raised inner ends win over the lowering of the whole brow.
    grief = np.minimum(1, p["au1"])
    inner = p["brow_y"] - 0.17 * p["au1"] + 0.19 * p["au4"] * (1 - 0.9 * grief)
    inner = inner + 0.09 * p["au9"] + p["rest_brow"]
    outer = p["brow_y"] - 0.16 * p["au2"] + 0.01 * p["au4"] + 0.10 * p["au1"] * (1 - p["au2"])
    outer = outer + 0.03 * p["au6"] + 0.02
    arch = p["brow_arch"] * (1 - 0.8 * p["au4"]) + 0.03 * p["au2"] * (1 - p["au4"])

    # The parabola through both ends, lifted in the middle.
    bend = ((inner + outer) / 2 - arch, (outer - inner) / 2, arch)
    shift = -0.07 * p["au4"] - 0.02 * p["au9"]
    return bend, shift, np.clip(p["au4"] + 0.6 * p["au9"] - 0.15, 0, 1)


def eye_shape(p: dict) -> tuple:
    """Place the lids: bend through the corners (inner to outer), opening above, opening below."""
    # Widened by 5; narrowed by 7, 6, 9 and 15.
    upper = 1 + 0.75 * p["au5"] - 0.35 * p["au7"] - 0.25 * p["au6"]
    upper = upper - 0.35 * p["au9"] - 0.12 * p["au15"]
    lower = 1 + 0.45 * p["au5"] - 0.55 * p["au7"] - 0.95 * p["au6"] - 0.5 * p["au9"]
    above = 0.105 * p["eye_height"] * np.clip(upper, 0.15, 2)
    below = 0.060 * p["eye_height"] * np.clip(lower, 0.05, 2)

    # Grief: the lid's outer corner sinks.
    droop = 0.06 * p["au1"] * (1 - p["au2"])
    return (0 * above - 0.14, p["eye_slant"] + droop, 0 * above), above, below


def mouth_shape(p: dict) -> dict:
    """Place the mouth: centre, half-width, bend through the corners, openings above and below that
    line, lips, teeth.

    The drop of the jaw (26) opens the mouth to an oval, whose corners lie at half its height;
    stretched lips (20) make it flat and wide and pull its corners down; a smile (12) opens
    downwards from a straight upper lip.
    """
    smile, drop, stretch = p["au12"], p["au26"], p["au20"]

    # Width, and how far the corners are lifted.
    narrowing = 0.36 * drop * (1 - np.minimum(1, 1.3 * stretch + smile))
    wide = 1 + 0.35 * smile + 0.38 * stretch - 0.20 * p["au23"] - narrowing + 0.06 * p["au9"]
    lift = 0.23 * smile - 0.20 * p["au15"] - 0.13 * stretch + p["rest_mouth"] - 0.05 * p["au23"]

    # Openings.
    square = np.minimum(1, p["au9"] + p["au16"])
    oval = drop * (1 - 0.62 * np.minimum(1, stretch))
    above = 0.165 * oval + 0.035 * p["parted"] * smile + 0.11 * p["au9"] * (0.4 + 0.6 * p["parted"])
    below = 0.18 * oval + 0.26 * p["parted"] * smile + 0.07 * p["au16"] * p["parted"]
    centre = p["mouth_y"] + 0.03 * smile - 0.05 * p["au9"] + 0.115 * oval - 0.02 * p["au15"]

    # Lips are pressed by 23, thinned by stretching and smiling.
    lips = p["lip_thick"] * (1 - 0.62 * np.minimum(1, p["au23"]))
    lips = lips * (1 - 0.30 * stretch) * (1 - 0.15 * smile)
    teeth = 0.95 * p["parted"] * smile + 0.7 * stretch * drop + 0.8 * square * p["parted"]
    return {
        "centre": centre,
        "width": p["mouth_width"] * wide,
        "bend": (centre + 0.3 * lift, 0 * lift, -lift),
        "above": above,
        "below": below,
        "lips": lips,
        "lower_lip": lips * (1 + 0.7 * p["au16"]),
        "teeth": np.clip(teeth, 0, 1),
        "lift": lift,
    }
