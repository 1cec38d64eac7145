"""Who is drawn, and how the picture was taken: identity, pose, light and the flaws of the picture, each drawn from a seed."""

import numpy as np
import pandas as pd

IDENTITY_STREAM, SCENE_STREAM, FACE_STREAM = 11, 12, 13  # so that one seed gives independent numbers to each

# identity: name -> lowest, highest value. Lengths are in units of the head's half-width.
IDENTITY = {
    "head_width": (0.66, 0.80),
    "head_aspect": (1.20, 1.38),
    "jaw": (0.04, 0.28),
    "skin": (95, 222),
    "eye_x": (0.36, 0.44),
    "eye_width": (0.18, 0.235),
    "eye_height": (0.80, 1.20),
    "eye_slant": (-0.03, 0.03),
    "brow_y": (-0.43, -0.34),
    "brow_thick": (0.028, 0.062),
    "brow_dark": (0.40, 0.80),
    "brow_arch": (0.02, 0.09),
    "iris": (25, 95),
    "nose_length": (0.25, 0.37),
    "nose_width": (0.12, 0.20),
    "mouth_y": (0.63, 0.73),
    "mouth_width": (0.30, 0.40),
    "lip_thick": (0.055, 0.11),
    "lip_dark": (0.14, 0.38),
    "hair_grey": (18, 130),
    "hairline": (-0.98, -0.62),
    "hair_curve": (-0.10, 0.40),
    "hair_part": (-0.30, 0.30),
    "hair_volume": (1.02, 1.24),
    "hair_length": (0.0, 1.0),
    "ear": (0.10, 0.17),
    "age": (0.0, 1.0),
    "glasses_draw": (0.0, 1.0),
    "beard_draw": (0.0, 1.0),
    "bald_draw": (0.0, 1.0),
    "rest_brow": (-0.05, 0.05),
    "rest_mouth": (-0.05, 0.05),
    "lens_size": (0.27, 0.33),
}
# scene: name -> lowest, highest value; angles in degrees
SCENE = {
    "centre_x": (-0.06, 0.06),
    "centre_y": (-0.05, 0.09),
    "scale": (0.93, 1.10),
    "light_x": (-0.75, 0.75),
    "light_y": (-0.65, 0.25),
    "light": (0.30, 0.75),
    "ambient": (0.62, 0.82),
    "back": (15, 235),
    "back_x": (-45, 45),
    "back_y": (-45, 45),
    "cloth": (20, 220),
    "gaze_x": (-0.30, 0.30),
    "gaze_y": (-0.15, 0.20),
    "blur_draw": (0.0, 1.0),
    "noise": (1.0, 7.5),
    "contrast": (0.70, 1.15),
    "brightness": (-25, 22),
    "hide_draw": (0.0, 1.0),
    "hide_x": (-0.9, 0.9),
    "hide_y": (-0.9, 1.0),
    "hide_grey": (25, 215),
    "asymmetry": (-0.05, 0.05),
}
ANGLES = {"yaw": 11.0, "pitch": 7.0, "roll": 6.0}  # standard deviation of the pose, degrees
NARROW_SCENE = 0.6  # spread of the scenes of a source with few identities


def draws(stream: int, seeds: np.ndarray, count: int) -> np.ndarray:
    """Draw `count` uniform numbers for each seed, float64 (N, count) in [0, 1): row i depends on seeds[i] alone."""
    return np.stack([np.random.default_rng((stream, int(seed))).random(count) for seed in seeds]) if len(seeds) else np.zeros((0, count))


def draw_people(seeds: np.ndarray, identities: int) -> pd.DataFrame:
    """Draw identity and scene of each image.

    Args:
        seeds: int64 (N,), not negative.
        identities: 0 for a new person an image; k > 0 takes one of k fixed people and varies the scene less.

    Returns:
        One row an image: `identity` (which person), IDENTITY's and SCENE's columns, ANGLES in radians, and age_lines, glasses, beard.
    """
    scene = draws(SCENE_STREAM, seeds, len(SCENE) + 2 * len(ANGLES) + 1)
    who = (scene[:, -1] * identities).astype(np.int64) if identities else seeds
    spread = NARROW_SCENE if identities else 1.0
    table = pd.DataFrame({"identity": who} | _scaled(draws(IDENTITY_STREAM, who, len(IDENTITY)), IDENTITY))
    table = pd.concat([table, pd.DataFrame(_scaled(0.5 + spread * (scene - 0.5), SCENE))], axis=1)
    for i, (name, degrees) in enumerate(ANGLES.items()):
        pair = scene[:, len(SCENE) + 2 * i :][:, :2]
        table[name] = np.deg2rad(degrees) * spread * 2.45 * (pair.sum(axis=1) - 1)  # triangular: no pose beyond 2.45 deviations
    return _derived(table)


def _scaled(uniform: np.ndarray, ranges: dict) -> dict:
    """Spread uniform columns over their ranges."""
    return {name: low + (high - low) * uniform[:, i] for i, (name, (low, high)) in enumerate(ranges.items())}


def _derived(table: pd.DataFrame) -> pd.DataFrame:
    """Decide what is present or absent, and let age grey the hair and line the skin."""
    table["age_lines"] = np.clip((table["age"] - 0.45) / 0.55, 0, 1)
    table["glasses"] = table["glasses_draw"] < 0.16
    table["dark_lens"] = table["glasses_draw"] < 0.015
    table["beard"] = np.where(table["beard_draw"] < 0.22, 0.35 + 2.9 * table["beard_draw"], 0.0)
    table["bald"] = table["bald_draw"] < 0.10
    table["hair_grey"] = table["hair_grey"] + np.where(table["age"] > 0.75, 280 * (table["age"] - 0.75), 0)
    table["blur"] = np.where(table["blur_draw"] < 0.5, 0.25, 0.25 + 1.1 * (table["blur_draw"] - 0.5))
    table["hidden"] = table["hide_draw"] < 0.07
    return table
