"""Who is drawn, and how the picture was taken.

Identity, pose, light and the flaws of the picture are each drawn from a seed.
"""

import numpy as np
import pandas as pd

# Streams of an image's seed: one seed gives independent numbers to each.
IDENTITY_STREAM, SCENE_STREAM, FACE_STREAM = 11, 12, 13

# Lowest and highest value by trait. Lengths are in units of the head's half-width.
IDENTITY = {
    "head_width": (0.66, 0.80),  # of half the picture
    "head_aspect": (1.20, 1.38),  # height to width
    "jaw": (0.04, 0.28),  # narrowing towards the chin
    "skin": (95, 222),  # grey level
    "eye_x": (0.36, 0.44),  # distance from the middle of the face
    "eye_width": (0.18, 0.235),
    "eye_height": (0.80, 1.20),  # times the usual opening
    "eye_slant": (-0.03, 0.03),
    "brow_y": (-0.43, -0.34),
    "brow_thick": (0.028, 0.062),
    "brow_dark": (0.40, 0.80),  # share of the skin's grey that it takes away
    "brow_arch": (0.02, 0.09),
    "iris": (25, 95),  # grey level
    "nose_length": (0.25, 0.37),
    "nose_width": (0.12, 0.20),
    "mouth_y": (0.63, 0.73),
    "mouth_width": (0.30, 0.40),
    "lip_thick": (0.055, 0.11),
    "lip_dark": (0.14, 0.38),  # as brow_dark
    "hair_grey": (18, 130),  # grey level
    "hairline": (-0.98, -0.62),  # height in the middle, from the eyes upwards negative
    "hair_curve": (-0.10, 0.40),  # of the hairline towards the temples
    "hair_part": (-0.30, 0.30),
    "hair_volume": (1.02, 1.24),
    "hair_length": (0.0, 1.0),  # from 0.6 on over the ears
    "ear": (0.10, 0.17),
    "age": (0.0, 1.0),  # young to old
    "glasses_draw": (0.0, 1.0),  # below a probability the trait is there
    "beard_draw": (0.0, 1.0),
    "bald_draw": (0.0, 1.0),
    "rest_brow": (-0.05, 0.05),  # a face at rest may look stern or surprised
    "rest_mouth": (-0.05, 0.05),
    "lens_size": (0.27, 0.33),
}
# The same for the scene.
SCENE = {
    "centre_x": (-0.06, 0.06),  # of the head, in halves of the picture
    "centre_y": (-0.05, 0.09),
    "scale": (0.93, 1.10),
    "light_x": (-0.75, 0.75),  # direction that the light comes from
    "light_y": (-0.65, 0.25),
    "light": (0.30, 0.75),  # strength
    "ambient": (0.62, 0.82),
    "back": (15, 235),  # grey level of the wall, and its gradients
    "back_x": (-45, 45),
    "back_y": (-45, 45),
    "cloth": (20, 220),
    "gaze_x": (-0.30, 0.30),  # where the eyes look
    "gaze_y": (-0.15, 0.20),
    "blur_draw": (0.0, 1.0),
    "noise": (1.0, 7.5),  # standard deviation, grey levels
    "contrast": (0.70, 1.15),
    "brightness": (-25, 22),
    "hide_draw": (0.0, 1.0),  # below a probability something hides a part of the face
    "hide_x": (-0.9, 0.9),
    "hide_y": (-0.9, 1.0),
    "hide_grey": (25, 215),
    "asymmetry": (-0.05, 0.05),  # drop of one side
}
ANGLES = {"yaw": 11.0, "pitch": 7.0, "roll": 6.0}  # standard deviation of the pose, degrees
TRIANGLE = 2.45  # half-width of a triangular distribution, in its standard deviations
NARROW_SCENE = 0.6  # spread of the scenes of a source with few identities

# Probabilities of what only some people, or pictures, have.
GLASSES, DARK_LENSES, BEARD, BALD, HIDDEN = 0.16, 0.015, 0.22, 0.10, 0.07


def draws(stream: int, seeds: np.ndarray, count: int) -> np.ndarray:
    """Draw `count` uniform numbers for each seed.

    Args:
        stream: numbers of two streams are independent.
        seeds: int64 (N,), not negative.

    Returns:
        float64 (N, count) in [0, 1); row i depends on seeds[i] alone.
    """
    if not len(seeds):
        return np.zeros((0, count))
    return np.stack([np.random.default_rng((stream, int(seed))).random(count) for seed in seeds])


def draw_people(seeds: np.ndarray, identities: int) -> pd.DataFrame:
    """Draw identity and scene of each image.

    Args:
        seeds: int64 (N,), not negative.
        identities: 0 for a new person an image; k > 0 takes one of k fixed people and varies the
            scene less.

    Returns:
        One row an image: `identity` (which person), IDENTITY's and SCENE's columns, ANGLES in
        radians, and age_lines, glasses, beard, bald, hidden and others that follow from them.
    """
    # Two numbers an angle; the last one chooses the person.
    scene = draws(SCENE_STREAM, seeds, len(SCENE) + 2 * len(ANGLES) + 1)
    person, spread = seeds, 1.0  # a new person an image
    if identities:
        person, spread = (scene[:, -1] * identities).astype(np.int64), NARROW_SCENE

    identity = _scaled(draws(IDENTITY_STREAM, person, len(IDENTITY)), IDENTITY)
    table = pd.DataFrame({"identity": person} | identity)
    table = pd.concat([table, pd.DataFrame(_scaled(0.5 + spread * (scene - 0.5), SCENE))], axis=1)

    # Pose: the sum of two uniform numbers, so that no angle lies beyond TRIANGLE deviations.
    for i, (name, degrees) in enumerate(ANGLES.items()):
        pair = scene[:, len(SCENE) + 2 * i :][:, :2]
        table[name] = np.deg2rad(degrees) * spread * TRIANGLE * (pair.sum(axis=1) - 1)
    return _with_derived_traits(table)


def _scaled(uniform: np.ndarray, ranges: dict) -> dict:
    """Spread uniform columns over their ranges."""
    columns = {}
    for i, (name, (low, high)) in enumerate(ranges.items()):
        columns[name] = low + (high - low) * uniform[:, i]
    return columns


def _with_derived_traits(table: pd.DataFrame) -> pd.DataFrame:
    """Decide what is present or absent, and let age grey the hair and line the skin."""
    age = table["age"]
    table["age_lines"] = np.clip((age - 0.45) / 0.55, 0, 1)
    table["hair_grey"] = table["hair_grey"] + np.where(age > 0.75, 280 * (age - 0.75), 0)

    # Present or absent.
    table["glasses"] = table["glasses_draw"] < GLASSES
    table["dark_lens"] = table["glasses_draw"] < DARK_LENSES
    has_beard = table["beard_draw"] < BEARD
    table["beard"] = np.where(has_beard, 0.35 + 2.9 * table["beard_draw"], 0.0)
    table["bald"] = table["bald_draw"] < BALD
    table["hidden"] = table["hide_draw"] < HIDDEN

    # Half of the pictures are sharp.
    blur = table["blur_draw"]
    table["blur"] = np.where(blur < 0.5, 0.25, 0.25 + 1.1 * (blur - 0.5))
    return table
