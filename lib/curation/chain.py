"""The chain of curation steps: each judges what the steps before it kept, in the order that the parameters give."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from lib.curation.steps import STEPS, Evidence, check_steps
from lib.faces.faceset import FaceSet
from lib.faces.pool import REVIEW, VERDICT_COLUMNS, decide


@dataclass(frozen=True)
class Curation:
    """What the chain says of a pool."""

    verdicts: pd.DataFrame  # id, step, keep, score, reason, relabel; a row for each image that reached the step
    faces: FaceSet  # what stays, cropped and relabelled
    seconds: dict[str, float]  # per step


def curate(pool: FaceSet, steps: list[str], params: dict, evidence: Evidence = Evidence(), review: pd.DataFrame | None = None, *,
           progress: Callable[[str], None] | None = None) -> Curation:  # fmt: skip
    """Run the chain over a pool.

    Args:
        pool: the synthetic images, in order of generation.
        steps: names of steps, in the order in which they judge.
        params: values of the curation parameters, as base.yaml names them.
        evidence: what steps may look at besides the pool.
        review: a person's decisions (id, keep, reason, relabel), which win over every step.
        progress: called with a line after each step.

    Returns:
        Verdicts, the kept images and the seconds of each step.
    """
    check_steps(steps)
    tables, seconds, left, images, position = [_no_verdicts()], {}, pool, list(pool.images), np.arange(len(pool))
    for name in steps:
        if not len(left):
            break
        began = time.perf_counter()
        result = STEPS[name](left, params, evidence)
        verdicts, judged = result if isinstance(result, tuple) else (result, left)
        if judged is not left:
            for i, image in zip(position, judged.images, strict=True):
                images[i] = image
        keep = verdicts["keep"].to_numpy()
        left, position = judged if keep.all() else judged.select(keep), position[keep]
        del result, judged  # else the next step would work beside a copy of the pool that nobody needs
        tables.append(verdicts.assign(step=name))
        seconds[name] = time.perf_counter() - began
        if progress:
            progress(f"{name}: {len(keep):,} images judged, {(~keep).sum():,} rejected, {seconds[name]:.1f} s")
    if review is not None:
        tables.append(review.assign(step=REVIEW))
    verdicts = pd.concat(tables, ignore_index=True)[list(VERDICT_COLUMNS)].astype({"keep": bool, "score": float})
    shape = left.images.shape[1:]
    del left  # the kept images are collected anew
    return Curation(verdicts, _kept(pool, images, shape, verdicts), seconds)


def judge_alone(pool: FaceSet, steps: list[str], params: dict, evidence: Evidence = Evidence()) -> pd.DataFrame:
    """Let each step judge the whole pool by itself, so that a classifier can be trained on what one step alone keeps.

    Args:
        pool: see curate; so are params and evidence.
        steps: names of steps; their order does not matter.

    Returns:
        Verdicts with a row for each image and step.
    """
    check_steps(steps)
    return pd.concat([_no_verdicts(), *(curate(pool, [name], params, evidence).verdicts for name in steps)], ignore_index=True)


def _no_verdicts() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype={"keep": bool, "score": float}.get(name, object)) for name in VERDICT_COLUMNS})


def _kept(pool: FaceSet, images: list[np.ndarray], shape: tuple[int, int], verdicts: pd.DataFrame) -> FaceSet:
    """Collect the images that stay, at the size which the chain left; what a person kept without a crop is resized whole."""
    decided = decide(verdicts, pool.table["id"].tolist())
    rows = np.flatnonzero(decided["keep"])
    stack = np.zeros((len(rows), *shape), np.uint8)
    for out, i in zip(stack, rows, strict=True):
        out[:] = images[i] if images[i].shape == shape else cv2.resize(images[i], shape[::-1], interpolation=cv2.INTER_AREA)
    table, said = pool.table.iloc[rows], decided["curated_class"].to_numpy()[rows]
    return FaceSet(stack, table.assign(**{"class": np.where(said == "", table["class"], said)}))
