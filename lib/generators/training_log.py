"""What is seen of a training as it goes: sheets of samples, distances, and a line a log."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from lib.generators.contract import Generator
from lib.study.records import atomic_write

SHEET_ROWS = 2  # images of each class on a sheet
DISTANCE_IMAGES = 70  # images of each class that the distance of a log is measured on
DISTANCE_SEED = 10**6  # their first seed, far from those of the sheets
COUNTERS = ("step", "seconds", "images_per_s")  # columns of a log beside losses and distances


def log_samples(
    generator: Generator, folder: Path, step: int, distance: Callable | None
) -> dict[str, float]:
    """Save a sheet of samples and measure the distance of others to real images."""
    n_classes = len(generator.classes)

    # Save the sheet as one strip: every class in order, then again with the next seed.
    places = np.arange(n_classes * SHEET_ROWS)
    sheet = generator.sample(places % n_classes, places // n_classes).images
    path = folder / "sheets" / f"step-{step:07d}.png"
    with atomic_write(path) as file:
        file.write(cv2.imencode(".png", np.hstack(sheet))[1].tobytes())

    # Measure the distance.
    if distance is None:
        return {}
    places = np.arange(n_classes * DISTANCE_IMAGES)
    labels = places % n_classes
    return distance(generator.sample(labels, DISTANCE_SEED + places).images, labels)


def sheets(folder: Path, px: int) -> dict[int, np.ndarray]:
    """Read the sheets of a training's folder; those of another side than px are left out.

    Returns:
        By step uint8 (N, px, px): every class in order, then again with the next seed.
    """
    pages = {}
    for file in sorted((Path(folder) / "sheets").glob("step-*.png")):
        strip = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if strip is not None and strip.shape[0] == px:  # None: a damaged one
            images = np.split(strip, strip.shape[1] // px, axis=1)
            pages[int(file.stem.removeprefix("step-"))] = np.stack(images)
    return pages


def progress_line(generator: Generator, row: dict) -> str:
    """Describe where a training stands: step, speed, time left, losses and distances.

    Args:
        generator: one that is trained, with steps and batch.
        row: of the log.
    """
    left = (generator.steps - row["step"]) * generator.batch / row["images_per_s"]  # seconds
    values = [f"{name} {value:.3g}" for name, value in row.items() if name not in COUNTERS]
    return (
        f"{generator.name}: step {row['step']}/{generator.steps}, "
        f"{row['images_per_s']:.0f} images/s, {left:.0f} s left, {', '.join(values)}"
    )
