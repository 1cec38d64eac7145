"""What is in a face set, and what is wrong with it: tables for notebook 10."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES, SPLITS, FaceSet
from lib.study.records import atomic_write


def class_counts(faces: FaceSet) -> pd.DataFrame:
    """Count images by class (rows, all of CLASSES, then the total) and split (columns)."""
    counts = pd.crosstab(faces.table["class"], faces.table["split"])
    counts = counts.reindex(index=CLASSES, columns=[s for s in SPLITS if s in counts.columns], fill_value=0)
    counts.loc["all"] = counts.sum()
    return counts.rename_axis(index="class", columns=None).reset_index()


def copies(faces: FaceSet) -> pd.DataFrame:
    """Count copies: one row a measure, with its number.

    Args:
        faces: with the columns of mark_copies.
    """
    from lib.faces.duplicates import BLANK, blank_images, exact_groups

    exact = pd.Series(exact_groups(faces.images))
    sizes, classes = exact.value_counts(), faces.table["class"].groupby(exact.to_numpy()).nunique()
    held = faces.table[faces.table["split"].isin(["val", "test"])]
    rows = {
        "images": len(faces),
        "different images": len(sizes),
        "groups of identical images": int((sizes > 1).sum()),
        "groups of identical images with conflicting labels": int((classes > 1).sum()),
        "different images, near-copies counted once": int(faces.table["cluster"].nunique()),
        f"blank images (standard deviation under {BLANK:g})": int(blank_images(faces.images).sum()),
    }
    for split, part in held.groupby("split"):
        rows[f"{split} images with an exact copy in train"] = int(part["leaked_exact"].sum())
        rows[f"{split} images with an exact or near copy in train"] = int(part["leaked"].sum())
    return pd.DataFrame({"measure": list(rows), "images": list(rows.values())})


def picture_statistics(faces: FaceSet) -> pd.DataFrame:
    """Describe brightness (mean grey), contrast (standard deviation) and sharpness (variance
    of the Laplacian) by split: mean and spread.
    """
    import cv2

    rows = []
    for image in faces.images:
        mean, spread = cv2.meanStdDev(image)
        rows.append((mean.item(), spread.item(), cv2.meanStdDev(cv2.Laplacian(image, cv2.CV_64F))[1].item() ** 2))
    table = pd.DataFrame(rows, columns=["brightness", "contrast", "sharpness"]).assign(split=faces.table["split"])
    long = table.melt("split", var_name="measure")
    return long.groupby(["measure", "split"], sort=True)["value"].agg(["mean", "std", "min", "max"]).reset_index()


def annotator_agreement(faces: FaceSet) -> pd.DataFrame:
    """Compare labels with the plurality of FER+ annotators, by class: images with a plurality, and the share where it equals the label."""
    table = faces.table[faces.table["plus_class"].notna() & (faces.table["plus_class"] != "")]
    same = table["plus_class"] == table["class"]
    by_class = same.groupby(table["class"]).agg(["size", "mean"]).reindex(CLASSES)
    by_class.loc["all"] = [len(same), same.mean()]
    return by_class.rename(columns={"size": "images", "mean": "agreement"}).rename_axis("class").reset_index()


def label_noise(faces: FaceSet) -> pd.DataFrame:
    """Compare labels with what was drawn, by split; drawn faces alone know their true class."""
    wrong = faces.table["class"] != faces.table["true_class"]
    return wrong.groupby(faces.table["split"]).agg(images="size", wrong_share="mean").reset_index()


def limited(faces: FaceSet, train_limit: int, test_limit: int, seed: int) -> FaceSet:
    """Take at most so many images of train, and of each of val and test, by class share; 0 keeps all."""
    from lib.faces.mixing import stratified

    limits = {"train": train_limit, "val": test_limit, "test": test_limit}
    kept = []
    for split in SPLITS:
        rows = np.flatnonzero(faces.table["split"] == split)
        limit = limits.get(split, 0)
        if limit and len(rows) > limit:
            rows = rows[stratified(faces.labels[rows], limit, np.random.default_rng([seed, 10]))]
        kept.append(rows)
    return faces.select(np.concatenate(kept))


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> list[Path]:
    """Write tables as <folder>/<name>.csv; empty ones are left out. Returns the paths."""
    paths = []
    for name, data in tables.items():
        if len(data):
            with atomic_write(folder / f"{name}.csv", "w") as file:
                data.to_csv(file, index=False)
            paths.append(folder / f"{name}.csv")
    return paths
