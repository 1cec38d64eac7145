"""Giving one set of images the light, sharpness and crop of another, so that only content can tell them apart."""

import cv2
import numpy as np

WIDEST_BLUR_PX, HALVINGS, SAMPLE = 3.0, 8, 200
ZOOMS = np.exp(np.linspace(-0.25, 0.25, 11))
REACH_PX = 4  # of a 48-pixel image: how far faces of two sets may lie apart
LEAST_GAIN = 0.005  # in the correlation of the mean faces, under which a crop is left as it is
ASPECTS = ("light", "sharpness", "crop")


def harmonise(images: np.ndarray, like: np.ndarray, *, aspects: tuple[str, ...] = ASPECTS) -> np.ndarray:
    """Give a set the brightness and contrast, sharpness, and crop that another set has.

    Args:
        images: uint8 (N, H, W), to change.
        like: uint8 (M, H, W), the set to imitate.
        aspects: of ASPECTS: light (mean and spread of brightness, contrast), sharpness, crop (the mean face's size and place).
    Returns:
        uint8 (N, H, W). A set that is less sharp than the other stays as it is: detail cannot be invented.
    """
    if "crop" in aspects:
        images = _cropped_like(images, like)
    if "sharpness" in aspects:
        images = blurred_like(images, like)
    return _lit_like(images, like) if "light" in aspects else images


def alike(images: np.ndarray, like: np.ndarray, aspects: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Harmonise a set, and blur the other one where that was the sharper: (images, like), both uint8."""
    changed = harmonise(images, like, aspects=aspects)
    return changed, blurred_like(like, changed) if "sharpness" in aspects else like


def blurred_like(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Blur a set until it is as sharp as the other, by halving the interval of widths; a set that is not sharper stays as it is."""
    wanted, low, high = _sharpness(like), 0.0, WIDEST_BLUR_PX
    if _sharpness(images) <= wanted:
        return images
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _sharpness(_blurred(images[:SAMPLE], middle)) > wanted else (low, middle)
    return _blurred(images, (low + high) / 2)


def crop_difference(images: np.ndarray, like: np.ndarray) -> tuple[float, float, float, float]:
    """Find how the mean face of a set must be enlarged and moved to fit that of another set best.

    Returns:
        zoom (above 1: faces must grow), right and down (pixels), gain (in the correlation of the mean faces).
    """
    own, theirs = images.mean(0, dtype=np.float32), like.mean(0, dtype=np.float32)
    reach = max(1, round(REACH_PX * len(own) / 48))
    inner = theirs[reach:-reach, reach:-reach]
    best = (1.0, 0, 0, -1.0)
    for zoom in ZOOMS:
        fits = cv2.matchTemplate(_moved(own, zoom, 0, 0), inner, cv2.TM_CCOEFF_NORMED)
        _, value, _, (x, y) = cv2.minMaxLoc(fits)
        best = max(best, (float(zoom), reach - x, reach - y, value), key=lambda found: found[3])
    unchanged = cv2.matchTemplate(own, inner, cv2.TM_CCOEFF_NORMED)[reach, reach]
    return *best[:3], float(best[3] - unchanged)


def _cropped_like(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    zoom, right, down, gain = crop_difference(images, like)
    return np.stack([_moved(image, zoom, right, down) for image in images]) if gain > LEAST_GAIN else images


def _moved(image: np.ndarray, zoom: float, right: float, down: float) -> np.ndarray:
    middle = (len(image) - 1) / 2
    place = np.float32([[zoom, 0, middle * (1 - zoom) + right], [0, zoom, middle * (1 - zoom) + down]])
    return cv2.warpAffine(image, place, image.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _lit_like(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    pixels = images.astype(np.float32)
    own, theirs = pixels.mean(axis=(1, 2), keepdims=True), like.mean(axis=(1, 2))
    contrast = like.std(axis=(1, 2)).mean() / max(pixels.std(axis=(1, 2)).mean(), 1e-6)
    brightness = theirs.mean() + (own - own.mean()) * theirs.std() / max(own.std(), 1e-6)
    return np.clip((pixels - own) * contrast + brightness, 0, 255).round().astype(np.uint8)


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])


def _sharpness(images: np.ndarray) -> float:
    """Energy of the Laplacian relative to that of the image, which contrast alone cannot change."""
    return float(np.mean([cv2.Laplacian(image, cv2.CV_32F).var() / max(image.var(), 1.0) for image in images[:SAMPLE]]))
