"""Giving one set of images the light, sharpness and crop of another.

Differences that remain after that are differences of content.
"""

import cv2
import numpy as np

ASPECTS = ("light", "sharpness", "crop")

# Sharpness: the width of the blur is found by bisection on a sample.
WIDEST_BLUR_PX = 3.0
HALVINGS = 8  # of the interval of widths
SAMPLE = 200  # images whose sharpness is measured

# Crop: the mean faces of the two sets are matched over zooms and shifts.
ZOOMS = np.exp(np.linspace(-0.25, 0.25, 11))
REACH_PX = 4  # of a 48-pixel image: how far faces of two sets may lie apart
LEAST_GAIN = 0.005  # in the correlation of the mean faces, under which a crop is left as it is


def harmonise(
    images: np.ndarray, like: np.ndarray, *, aspects: tuple[str, ...] = ASPECTS
) -> np.ndarray:
    """Give a set the brightness and contrast, sharpness, and crop that another set has.

    Args:
        images: uint8 (N, H, W), to change.
        like: uint8 (M, H, W), the set to imitate.
        aspects: of ASPECTS: light (mean and spread of brightness, contrast), sharpness, crop (the
            mean face's size and place).

    Returns:
        uint8 (N, H, W). A set that is less sharp than the other keeps its sharpness: detail cannot
        be invented.
    """
    # Crop first: the other aspects are measured on the pixels that remain.
    if "crop" in aspects:
        images = _cropped_like(images, like)
    if "sharpness" in aspects:
        images = blurred_like(images, like)
    if "light" in aspects:
        images = _lit_like(images, like)
    return images


def alike(
    images: np.ndarray, like: np.ndarray, aspects: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Harmonise a set, and blur the other one where that was the sharper.

    Args:
        images: uint8 (N, H, W).
        like: uint8 (M, H, W).
        aspects: of ASPECTS.

    Returns:
        Both sets, uint8.
    """
    changed = harmonise(images, like, aspects=aspects)
    if "sharpness" in aspects:
        like = blurred_like(like, changed)
    return changed, like


def blurred_like(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Blur a set until it is as sharp as the other; a set that is not sharper stays as it is.

    Args:
        images: uint8 (N, H, W).
        like: uint8 (M, H, W).
    """
    wanted = _sharpness(like)

    # Detail cannot be invented.
    if _sharpness(images) <= wanted:
        return images

    # Halve the interval of widths that holds the right one.
    low, high = 0.0, WIDEST_BLUR_PX
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _sharpness(_blurred(images[:SAMPLE], middle)) > wanted:
            low = middle
        else:
            high = middle
    return _blurred(images, (low + high) / 2)


def crop_difference(images: np.ndarray, like: np.ndarray) -> tuple[float, float, float, float]:
    """Find how the mean face of a set must be enlarged and moved to fit that of another set best.

    Args:
        images: uint8 (N, H, W).
        like: uint8 (M, H, W).

    Returns:
        zoom (above 1: faces must grow), right and down (pixels), gain (in the correlation of the
        mean faces).
    """
    # Individual faces average out; size and place of a face stay.
    mean_face = images.mean(0, dtype=np.float32)
    wanted = like.mean(0, dtype=np.float32)
    reach = max(1, round(REACH_PX * len(mean_face) / 48))
    inner = wanted[reach:-reach, reach:-reach]

    # Slide the inside of the wanted face over the mean face, at every zoom.
    best = (1.0, 0, 0, -1.0)
    for zoom in ZOOMS:
        fits = cv2.matchTemplate(_moved(mean_face, zoom, 0, 0), inner, cv2.TM_CCOEFF_NORMED)
        _, correlation, _, (x, y) = cv2.minMaxLoc(fits)
        if correlation > best[3]:
            best = (float(zoom), reach - x, reach - y, correlation)

    # What the mean face fits without any change.
    unchanged = cv2.matchTemplate(mean_face, inner, cv2.TM_CCOEFF_NORMED)[reach, reach]
    return *best[:3], float(best[3] - unchanged)


def _cropped_like(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Enlarge and move all images as the mean faces ask for, where that gains enough."""
    zoom, right, down, gain = crop_difference(images, like)
    if gain <= LEAST_GAIN:
        return images
    return np.stack([_moved(image, zoom, right, down) for image in images])


def _moved(image: np.ndarray, zoom: float, right: float, down: float) -> np.ndarray:
    """Enlarge an image (H, H) about its middle and move it by pixels; edges are repeated."""
    middle = (len(image) - 1) / 2

    # The affine map that keeps the middle in its place but for the shift.
    place = np.float32(
        [
            [zoom, 0, middle * (1 - zoom) + right],
            [0, zoom, middle * (1 - zoom) + down],
        ]
    )
    size = image.shape[::-1]
    return cv2.warpAffine(
        image, place, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _lit_like(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Give images the mean and spread of brightness and the mean contrast of another set."""
    pixels = images.astype(np.float32)

    # Brightness is an image's mean, contrast its spread around it.
    means = pixels.mean(axis=(1, 2), keepdims=True)
    wanted = like.mean(axis=(1, 2))
    contrast = like.std(axis=(1, 2)).mean() / max(pixels.std(axis=(1, 2)).mean(), 1e-6)
    brightness = wanted.mean() + (means - means.mean()) * wanted.std() / max(means.std(), 1e-6)

    # Scale the contrast, put the brightness in the place of the old one.
    changed = (pixels - means) * contrast + brightness
    return np.clip(changed, 0, 255).round().astype(np.uint8)


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blur each image by a Gaussian of this standard deviation in pixels."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])


def _sharpness(images: np.ndarray) -> float:
    """Average the Laplacian's energy relative to the image's, which contrast cannot change."""
    values = []
    for image in images[:SAMPLE]:
        values.append(cv2.Laplacian(image, cv2.CV_32F).var() / max(image.var(), 1.0))
    return float(np.mean(values))
