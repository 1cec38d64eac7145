"""Technical quality: images that are blank, blurred, or mostly black and white."""

import numpy as np
import pandas as pd

from lib.curation.verdicts import verdict_table
from lib.faces.faceset import FaceSet

# Video's legal range of grey levels; detail beyond it is lost to most pipelines.
DARK = 16
BRIGHT = 239


def reject_blank(faces: FaceSet, *, std: float) -> pd.DataFrame:
    """Reject images without contrast.

    Args:
        faces: images to examine.
        std: standard deviation of grey below which an image is blank, grey levels.

    Returns:
        Verdicts; score is the standard deviation of grey.
    """
    # Image by image: no copy of the whole set as float64.
    score = np.array([image.std() for image in faces.images])
    return verdict_table(faces, score >= std, score, f"contrast under {std:g} grey levels")


def reject_blurred(faces: FaceSet, *, variance: float, image_px: int) -> pd.DataFrame:
    """Reject images that are blurred at the size which the classifier receives.

    Args:
        faces: images to examine, any size.
        variance: variance of the Laplacian below which an image is blurred.
        image_px: side to which larger images are reduced first, pixels; the classifier never sees
            detail beyond it.

    Returns:
        Verdicts; score is the variance of the Laplacian.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy", the
        variance-of-Laplacian measure.
    """
    import cv2

    # Smaller images are left as they are: enlarging adds no detail.
    larger = faces.images.shape[1] > image_px
    images = faces.resized(image_px).images if larger else faces.images
    score = np.array([cv2.Laplacian(image, cv2.CV_32F).var() for image in images])
    reason = f"variance of the Laplacian under {variance:g}"
    return verdict_table(faces, score >= variance, score, reason)


def reject_badly_exposed(faces: FaceSet, *, clipped_share: float) -> pd.DataFrame:
    """Reject images that are mostly black or white.

    Args:
        faces: images to examine.
        clipped_share: share of pixels darker than DARK or brighter than BRIGHT above which an
            image is rejected, 0 to 1.

    Returns:
        Verdicts; score is that share.
    """
    # Share of pixels that hold no detail.
    score = np.array([((image < DARK) | (image > BRIGHT)).mean() for image in faces.images])
    reason = f"more than {clipped_share:.0%} of the pixels black or white"
    return verdict_table(faces, score <= clipped_share, score, reason)
