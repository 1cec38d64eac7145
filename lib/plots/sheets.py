"""Sheets of face images; photographs of real people become class averages unless they are asked for."""

import numpy as np
from matplotlib.figure import Figure

from lib.faces.kinds import kind_of_images
from lib.plots.style import styled
from lib.study.errors import StudyError

AVERAGED = 50  # photographs behind a class average, at least: fewer could show a person


@styled
def sheet(images: np.ndarray, *, titles=None, columns: int = 10, caption: str = "", scale: float = 1.2, rows=None) -> Figure:
    """Lay images out in a grid, row by row.

    Args:
        images: uint8 (N, H, W), 0-255.
        titles: N short texts over the images.
        columns: images in a row.
        caption: a sentence that `show` puts under the grid; kept as the figure's label.
        scale: size of a pixel of an image of 48, in pixels of the page.
        rows: a text left of each row.
    """
    images = np.asarray(images)
    if images.ndim != 3 or len(images) == 0:
        raise StudyError(f"sheet: images of shape {images.shape}; expected (N, H, W) with at least one image")
    columns = min(columns, len(images))
    lines, (high, wide) = -(-len(images) // columns), images.shape[1:]
    gap, inch = round(high / 16), 48 * scale / 96 / high  # an image pixel in inches
    titles = None if titles is None else list(titles)  # a column of a table counts by its own labels
    lines_over = max(str(title).count("\n") + 1 for title in titles) if titles is not None else 0
    band = gap + round(0.14 / inch * lines_over) if lines_over else 0  # 8 points and their leading
    step_y, step_x = high + gap + band, wide + gap
    page = np.full((lines * step_y, columns * step_x), 255, np.uint8)
    side = 0.85 if rows is not None else 0.0
    figure = Figure(figsize=(columns * step_x * inch + side, lines * step_y * inch), label=caption)
    ax = figure.add_axes((side / figure.get_figwidth(), 0, 1 - side / figure.get_figwidth(), 1))
    for i, image in enumerate(images):
        y, x = (i // columns) * step_y + band, (i % columns) * step_x
        page[y : y + high, x : x + wide] = image
        if titles is not None:
            ax.text(x + wide / 2, y - gap, str(titles[i]), ha="center", va="bottom", fontsize=8)
    ax.imshow(page, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    ax.set_axis_off()
    for i, name in enumerate(rows if rows is not None else []):
        ax.text(-gap - 2, i * step_y + band + high / 2, name, ha="right", va="center", fontsize=11)
    return figure


def class_sheet(faces, per_class: int = 10, *, caption: str = "", scale: float = 1.2) -> Figure:
    """Show the first images of each class, one class a row.

    Args:
        faces: FaceSet.
        per_class: images of each class; a class with fewer leaves the rest of its row white.
        caption, scale: as in `sheet`.
    """
    names, kinds = sorted(faces.table["class"].unique()), faces.table["class"].to_numpy()
    page = np.full((len(names), per_class, *faces.images.shape[1:]), 255, np.uint8)
    for row, name in zip(page, names):
        first = faces.images[kinds == name][:per_class]
        row[: len(first)] = first
    return sheet(page.reshape(-1, *page.shape[2:]), columns=per_class, caption=caption, scale=scale, rows=names)


def faces_or_averages(faces, show_photographs: bool, *, per_class: int = 10, caption: str = "", scale: float = 1.2) -> Figure:
    """Show faces by class; photographs of real people only on request, else the average image of each class.

    Args:
        faces: FaceSet.
        show_photographs: the parameter of this name.
        per_class, scale: as in `class_sheet`.
        caption: what the faces are; how they are shown is added.
    """
    kind = kind_of_images(faces.table)
    said = {"drawings": "drawings, not photographs", "generated": "generated, not photographs", "photographs": "photographs"}[kind]
    if kind == "photographs" and not show_photographs:
        return class_averages(faces, caption=caption)
    return class_sheet(faces, per_class, caption=f"{caption} ({said})" if caption else said, scale=scale)


def class_averages(faces, *, caption: str = "", least: int = AVERAGED) -> Figure:
    """Show the average image of each class that has enough images, with counts; nobody can be recognised in it.

    Args:
        faces: FaceSet.
        caption: what the faces are.
        least: images behind an average; a class with fewer stays grey.
    """
    kinds = faces.table["class"].to_numpy()
    names = sorted(set(kinds))
    groups = [faces.images[kinds == name] for name in names]
    averages = [group.mean(axis=0) if len(group) >= least else np.full(group.shape[1:], 225) for group in groups]
    titles = [f"{name}\n{len(group):,}" for name, group in zip(names, groups)]
    how = f"average of each class with its number of photographs; a class with fewer than {least} stays blank"
    return sheet(np.uint8(averages), titles=titles, columns=7, caption=f"{caption} ({how})" if caption else how, scale=1.5)


def before_and_after(before, after, show_photographs: bool, *, caption: str = "", least: int = AVERAGED) -> Figure:
    """Show what giving faces another expression did: by wanted class the face before, the face after, and what changed.

    One pair a class where the faces are drawings or photographs are asked for; else averages over all pairs of a class: who was
    photographed averages out, the expression that all of them were given stays.

    Args:
        before, after: FaceSets of the same number of images and the same side; row i of `after` was made from row i of `before`.
        show_photographs: the parameter of this name.
        caption: what the faces are; how they are shown is added.
        least: pairs behind an average; a class with fewer stays grey.
    """
    kinds, names = after.table["class"].to_numpy(), sorted(set(after.table["class"]))
    kind = kind_of_images(before.table)
    pairs = kind == "drawings" or show_photographs
    used = [np.flatnonzero(kinds == name)[: 1 if pairs else None] for name in names]
    grey = np.full(after.images.shape[1:], 225.0)
    rows = [[faces.images[own].mean(0) if pairs or len(own) >= least else grey for own in used] for faces in (before, after)]
    changed = [np.clip(128 + (2 if pairs else 8) * (now - then), 0, 255) if now is not grey else grey for then, now in zip(*rows)]
    how = f"one pair a class ({kind})" if pairs else f"averages of all pairs of a class; one with fewer than {least} stays blank"
    titles = [f"{name}\n{(kinds == name).sum():,}" for name in names] + [""] * 2 * len(names)
    said = f"{how}; last row: the change, times {2 if pairs else 8}"
    text, words = f"{caption}: {said}" if caption else said, ["before", "after", "change"]
    return sheet(np.uint8([*rows[0], *rows[1], *changed]), titles=titles, columns=len(names), caption=text, scale=1.5, rows=words)
