"""Images that show nothing: blank, blurred, or black and white without the greys between."""

import numpy as np
import pandas as pd

from lib.curation.verdicts import verdict_table
from lib.faces.faceset import FaceSet

DARK, BRIGHT = 16, 239  # video's legal range of grey; detail beyond it is lost to most pipelines


def reject_blank(faces: FaceSet, *, std: float) -> pd.DataFrame:
    """Reject images without contrast.

    Args:
        faces: images to judge.
        std: standard deviation of grey under which an image is blank, grey levels.

    Returns:
        Verdicts; score is the standard deviation of grey.
    """
    score = np.array([image.std() for image in faces.images])
    return verdict_table(faces, score >= std, score, f"contrast under {std:g} grey levels")


def reject_blurred(faces: FaceSet, *, variance: float, image_px: int) -> pd.DataFrame:
    """Reject images that are blurred at the size which the classifier sees.

    Args:
        faces: images to judge, any size.
        variance: variance of the Laplacian under which an image is blurred.
        image_px: side to which larger images are reduced first, pixels; sharpness beyond it is not seen.

    Returns:
        Verdicts; score is the variance of the Laplacian.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy", the variance-of-Laplacian measure.
    """
    import cv2

    seen = faces.resized(image_px) if faces.images.shape[1] > image_px else faces
    score = np.array([cv2.Laplacian(image, cv2.CV_32F).var() for image in seen.images])
    return verdict_table(faces, score >= variance, score, f"variance of the Laplacian under {variance:g}")


def reject_badly_exposed(faces: FaceSet, *, clipped_share: float) -> pd.DataFrame:
    """Reject images that are mostly black or white.

    Args:
        faces: images to judge.
        clipped_share: share of pixels darker than 16 or brighter than 239 above which an image goes, 0 to 1.

    Returns:
        Verdicts; score is that share.
    """
    score = np.array([((image < DARK) | (image > BRIGHT)).mean() for image in faces.images])
    return verdict_table(faces, score <= clipped_share, score, f"more than {clipped_share:.0%} of the pixels black or white")
