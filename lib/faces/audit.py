"""What is in a face set, and what is wrong with it: tables for notebook 10."""

import cv2
import numpy as np
import pandas as pd

from lib.faces.duplicates import BLANK, blank_images, exact_groups
from lib.faces.faceset import SPLITS, FaceSet
from lib.faces.kinds import kind_of_images


def class_counts(faces: FaceSet) -> pd.DataFrame:
    """Count images by class (rows: all classes of the set, then the total) and split (columns)."""
    counts = pd.crosstab(faces.table["class"], faces.table["split"])
    splits = [name for name in SPLITS if name in counts.columns]

    # Classes without images count 0; splits without images are no column.
    counts = counts.reindex(index=list(faces.classes), columns=splits, fill_value=0)
    counts.loc["all"] = counts.sum()
    return counts.rename_axis(index="class", columns=None).reset_index()


def copies(faces: FaceSet) -> pd.DataFrame:
    """Count copies: one row a measure, with its number.

    Args:
        faces: with the columns of mark_copies.
    """
    # Groups of identical images: their sizes, and how many labels they have.
    exact = pd.Series(exact_groups(faces.images))
    sizes = exact.value_counts()
    classes = faces.table["class"].groupby(exact.to_numpy()).nunique()
    rows = {
        "images": len(faces),
        "different images": len(sizes),
        "groups of identical images": int((sizes > 1).sum()),
        "groups of identical images with conflicting labels": int((classes > 1).sum()),
        "different images, near-copies counted once": int(faces.table["cluster"].nunique()),
        f"blank images (standard deviation under {BLANK:g})": int(blank_images(faces.images).sum()),
    }

    # Test and validation images that a classifier could answer from memory.
    held_out = faces.table[faces.table["split"].isin(["val", "test"])]
    for split, part in held_out.groupby("split"):
        of_split = "validation" if split == "val" else split
        rows[f"{of_split} images with an exact copy in training"] = int(part["leaked_exact"].sum())
        rows[f"{of_split} images with an exact or near copy in training"] = int(
            part["leaked"].sum()
        )
    return pd.DataFrame({"measure": list(rows), "images": list(rows.values())})


def picture_statistics(faces: FaceSet) -> pd.DataFrame:
    """Describe the grey levels by split: mean, std, min and max of three measures over images.

    brightness is the mean grey level, contrast its standard deviation, sharpness the variance of
    the Laplacian.
    """
    # One row an image.
    table = pd.DataFrame(
        [_grey_measures(image) for image in faces.images],
        columns=["brightness", "contrast", "sharpness"],
    )

    # One row a measure and split.
    long = table.assign(split=faces.table["split"]).melt("split", var_name="measure")
    groups = long.groupby(["measure", "split"], sort=True)["value"]
    return groups.agg(["mean", "std", "min", "max"]).reset_index()


def label_quality(faces: FaceSet) -> pd.DataFrame:
    """Compare labels with the best truth that is known: what was drawn, else annotators' votes.

    Returns:
        As label_noise or annotator_agreement; empty where nothing is known.
    """
    if kind_of_images(faces.table) == "drawings":
        return label_noise(faces)
    if "plus_class" in faces.table and faces.table["plus_class"].notna().any():
        return annotator_agreement(faces)
    return pd.DataFrame()


def annotator_agreement(faces: FaceSet) -> pd.DataFrame:
    """Compare labels with the plurality of FER+'s annotators, by class and over all.

    Returns:
        Columns class, images (with a plurality), agreement (share where it equals the label).
    """
    # Images on which the annotators agreed on one class.
    table = faces.table[faces.table["plus_class"].notna() & (faces.table["plus_class"] != "")]
    same = table["plus_class"] == table["class"]
    by_class = same.groupby(table["class"]).agg(["size", "mean"]).reindex(list(faces.classes))

    # All classes together.
    by_class.loc["all"] = [len(same), same.mean()]
    by_class = by_class.rename(columns={"size": "images", "mean": "agreement"})
    return by_class.rename_axis("class").reset_index()


def label_noise(faces: FaceSet) -> pd.DataFrame:
    """Compare labels with what was drawn, by split; drawn faces alone know their true class."""
    wrong = faces.table["class"] != faces.table["true_class"]
    return wrong.groupby(faces.table["split"]).agg(images="size", wrong_share="mean").reset_index()


def _grey_measures(image: np.ndarray) -> tuple[float, float, float]:
    """Measure brightness, contrast and sharpness of one image, uint8 (H, W)."""
    # Of the grey levels, and of the edges that the Laplacian leaves.
    mean, spread = cv2.meanStdDev(image)
    _, edges = cv2.meanStdDev(cv2.Laplacian(image, cv2.CV_64F))
    return mean.item(), spread.item(), edges.item() ** 2


if __name__ == "__main__":
    import sys

    from lib.faces.audit_command import main

    sys.exit(main())
