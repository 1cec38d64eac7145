"""The chain of curation steps: each examines what the steps before it kept, in the given order."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pandas as pd

from lib.curation.steps import StepInputs, check_steps, run_step
from lib.faces.faceset import FaceSet
from lib.faces.pool import REVIEW, VERDICT_COLUMNS, decide, no_verdicts
from lib.report.names import in_words


@dataclass(frozen=True)
class Curation:
    """The outcome of the chain over a pool."""

    verdicts: pd.DataFrame  # VERDICT_COLUMNS, a row for each image that reached the step
    faces: FaceSet  # the images that stay, cropped and relabelled
    seconds: dict[str, float]  # by step


def curate(
    pool: FaceSet,
    steps: list[str],
    params: dict,
    inputs: StepInputs = StepInputs(),
    review: pd.DataFrame | None = None,
    *,
    progress: Callable[[str], None] | None = None,
) -> Curation:
    """Run the chain over a pool.

    Args:
        pool: the synthetic images, in order of generation.
        steps: names of steps, in the order in which they run.
        params: values of the curation parameters, as base.yaml names them.
        inputs: what steps may use besides the pool.
        review: a person's decisions (id, keep, score, reason, relabel), which overrule every step.
        progress: called with a line after each step.

    Returns:
        Verdicts, the kept images and the seconds of each step.

    Raises:
        StudyError: an unknown or a repeated step.
    """
    check_steps(steps)
    tables = [no_verdicts()]
    seconds = {}
    images = list(pool.images)  # as the last step that saw them left them
    left = pool  # what all steps so far kept
    position = np.arange(len(pool))  # of each image that is left, in the pool

    for name in steps:
        if not len(left):
            break
        # The step examines what is left.
        began = time.perf_counter()
        verdicts, examined = run_step(name, left, params, inputs)
        if examined is not left:
            for i, image in zip(position, examined.images, strict=True):
                images[i] = image

        # Go on with the images that it keeps.
        keep = verdicts["keep"].to_numpy()
        left = examined if keep.all() else examined.select(keep)
        position = position[keep]
        # The next step shall not work beside a copy of the pool that nobody needs.
        del examined

        # Record what it decided and how long it took.
        tables.append(verdicts.assign(step=name))
        seconds[name] = time.perf_counter() - began
        if progress:
            counts = f"{len(keep):,} images examined, {(~keep).sum():,} rejected"
            progress(f"{in_words(name)}: {counts}, {seconds[name]:.1f} s")

    # A person's decisions come last.
    if review is not None:
        tables.append(review.assign(step=REVIEW))
    verdicts = pd.concat(tables, ignore_index=True)[list(VERDICT_COLUMNS)]
    verdicts = verdicts.astype({"keep": bool, "score": float})

    shape = left.images.shape[1:]
    del left  # the kept images are collected anew
    return Curation(verdicts, _kept(pool, images, shape, verdicts), seconds)


def verdicts_alone(
    pool: FaceSet, steps: list[str], params: dict, inputs: StepInputs = StepInputs()
) -> pd.DataFrame:
    """Run each step over the whole pool by itself.

    A classifier can then be trained on what one step alone keeps.

    Args:
        pool, params, inputs: see curate.
        steps: names of steps; their order does not matter.

    Returns:
        Verdicts with a row for each image and step.
    """
    check_steps(steps)
    tables = [no_verdicts()]
    tables += [curate(pool, [name], params, inputs).verdicts for name in steps]
    return pd.concat(tables, ignore_index=True)


def _kept(
    pool: FaceSet, images: list[np.ndarray], shape: tuple[int, int], verdicts: pd.DataFrame
) -> FaceSet:
    """Collect the images that stay, at the size that the chain left.

    An image that a person kept although a step before the crop rejected it is resized whole.
    """
    decided = decide(verdicts, pool.table["id"].tolist())
    rows = np.flatnonzero(decided["keep"])
    stack = np.zeros((len(rows), *shape), np.uint8)
    for target, i in zip(stack, rows, strict=True):
        image = images[i]
        if image.shape != shape:
            image = cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA)
        target[:] = image

    # The label classifier or a person may have given another label.
    table = pool.table.iloc[rows]
    relabelled = decided["curated_class"].to_numpy()[rows]
    classes = np.where(relabelled == "", table["class"], relabelled)
    return replace(pool, images=stack, table=table.assign(**{"class": classes}))
