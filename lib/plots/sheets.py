"""Sheets of face images; photographs of real people become class averages unless asked for."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lib.faces.faceset import FaceSet, resize
from lib.faces.kinds import kind_of_images
from lib.plots.style import POINTS_AN_INCH, styled, text_points, wrapped
from lib.report.names import in_words
from lib.study.errors import StudyError

AVERAGED = 50  # photographs behind a class average, at least: fewer could show a person
WHITE, BLANK = 255, 225  # grey levels of the page, and of a class that is not shown
PAGE_DPI = 96  # pixels of the page an inch
TITLE_POINTS, TITLE_INCHES = 8, 0.14  # type of a title, and height of a line with its leading
ROW_NAMES_INCHES = (0.85, 1.5)  # left of a sheet whose rows have names: least and most
ROW_POINTS = 9.5  # type of these names
GALLERY_WIDTH = 560  # pixels of the page for the images of a gallery
MOST_COLUMNS = 8  # classes in a row of averages
AVERAGE_SCALE = 1.5
CERTAINTY_SCALE = 1.2
PAIR_GAIN, AVERAGE_GAIN = 2, 8  # by which a change of grey levels is enlarged


@styled
def sheet(
    images: np.ndarray,
    *,
    titles: Sequence | None = None,
    columns: int = 10,
    caption: str = "",
    scale: float = 1.2,
    rows: Sequence[str] | None = None,
) -> Figure:
    """Lay images out in a grid, row by row.

    Args:
        images: uint8 (N, H, W), 0-255.
        titles: N short texts over the images.
        columns: images in a row.
        caption: a sentence that `show` puts under the grid; kept as the figure's label.
        scale: size of a pixel of an image of 48, in pixels of the page.
        rows: a text left of each row.

    Raises:
        StudyError: no image, or something else than images.
    """
    images = np.asarray(images)
    if images.ndim != 3 or len(images) == 0:
        raise StudyError(
            f"sheet: images of shape {images.shape}; expected (N, H, W) with at least one image"
        )

    # A column of a table counts by labels of its own, a list by position.
    high, wide = images.shape[1:]
    inch = 48 * scale / PAGE_DPI / high  # an image pixel in inches
    gap = round(high / 16)
    room = wide * inch * POINTS_AN_INCH
    titles = [] if titles is None else [_in_lines(str(title), room) for title in titles]
    title_lines = max((title.count("\n") + 1 for title in titles), default=0)
    band = gap + round(TITLE_INCHES / inch * title_lines) if title_lines else 0

    # Lay the images onto a white page.
    columns = min(columns, len(images))
    step_y, step_x = high + gap + band, wide + gap
    page = np.full((-(-len(images) // columns) * step_y, columns * step_x), WHITE, np.uint8)
    corners = []
    for i, image in enumerate(images):
        y, x = (i // columns) * step_y + band, (i % columns) * step_x
        page[y : y + high, x : x + wide] = image
        corners.append((x, y))

    # The axis fills the figure, but for the names of rows.
    rows = [] if rows is None else [str(row) for row in rows]
    side = _names_inches(rows)
    width = page.shape[1] * inch + side
    figure = Figure(figsize=(width, page.shape[0] * inch), label=caption)
    ax = figure.add_axes((side / width, 0, 1 - side / width, 1))
    ax.imshow(page, cmap="gray", vmin=0, vmax=WHITE, interpolation="nearest", aspect="auto")
    ax.set_axis_off()
    for (x, y), title in zip(corners, titles):
        ax.text(x + wide / 2, y - gap, title, ha="center", va="bottom", fontsize=TITLE_POINTS)
    for i, name in enumerate(rows):
        y = i * step_y + band + high / 2
        words = wrapped(name, (side - 0.1) * POINTS_AN_INCH, ROW_POINTS)
        ax.text(-gap - 2, y, words, ha="right", va="center", fontsize=ROW_POINTS)
    return figure


def class_sheet(
    faces: FaceSet, per_class: int = 10, *, caption: str = "", scale: float = 1.2
) -> Figure:
    """Show the first images of each class that occurs, one class a row.

    Args:
        faces: to show.
        per_class: images of each class; a class with fewer leaves the rest of its row white.
        caption, scale: as in `sheet`.
    """
    # One row a class, white where images run out; one white row where there are none at all.
    names = _classes_present(faces) or ["no images"]
    page = np.full((len(names), per_class, *faces.images.shape[1:]), WHITE, np.uint8)
    for row, name in zip(page, names, strict=True):
        first = faces.images[faces.table["class"] == name][:per_class]
        row[: len(first)] = first
    images = page.reshape(-1, *page.shape[2:])
    return sheet(images, columns=per_class, caption=caption, scale=scale, rows=names)


def faces_or_averages(
    faces: FaceSet,
    show_photographs: bool,
    *,
    per_class: int = 10,
    caption: str = "",
    scale: float = 1.2,
) -> Figure:
    """Show faces by class; photographs of people only on request, else each class's average.

    Args:
        faces: to show.
        show_photographs: the parameter of this name.
        per_class, scale: as in `class_sheet`.
        caption: what the faces are; how they are shown is added.
    """
    # Photographs of people are averaged unless the parameter asks for them.
    kind = kind_of_images(faces.table)
    if kind == "photographs" and not show_photographs:
        return class_averages(faces, caption=caption)

    # The caption says what the images are.
    what = kind if kind == "photographs" else f"{kind}, not photographs"
    return class_sheet(
        faces, per_class, caption=f"{caption} ({what})" if caption else what, scale=scale
    )


def class_averages(faces: FaceSet, *, caption: str = "", least: int = AVERAGED) -> Figure:
    """Show the average image of each class that has enough images, with counts.

    Nobody can be recognised in it.

    Args:
        faces: to show.
        caption: what the faces are.
        least: images behind an average; a class with fewer stays grey.
    """
    names = _classes_present(faces)

    # An average with the number of images behind it.
    averages, titles = [], []
    for name in names:
        images = faces.images[faces.table["class"] == name]
        averages.append(_average(images, least))
        titles.append(f"{name}\n{len(images):,}")
    how = (
        "average of each class with its number of photographs; a class with fewer than "
        f"{least} stays blank"
    )
    return sheet(
        np.uint8(averages),
        titles=titles,
        columns=_even_columns(len(names)),
        caption=f"{caption} ({how})" if caption else how,
        scale=AVERAGE_SCALE,
    )


def before_and_after(
    before: FaceSet,
    after: FaceSet,
    show_photographs: bool,
    *,
    caption: str = "",
    least: int = AVERAGED,
) -> Figure:
    """Show what giving faces another expression did: before, after, and the change, by class.

    One pair a class where the faces are no photographs or photographs are asked for; else averages
    over all pairs of a class: who was photographed averages out, the expression that all of them
    were given stays.

    Args:
        before, after: of the same number of images and the same side; row i of `after` was made
            from row i of `before`. The class is that of `after`.
        show_photographs: the parameter of this name.
        caption: what the faces are; how they are shown is added.
        least: pairs behind an average; a class with fewer stays grey.
    """
    names = _classes_present(after)
    kind = kind_of_images(before.table)

    # Single pairs where nobody is photographed, or photographs are asked for.
    pairs = kind != "photographs" or show_photographs
    gain = PAIR_GAIN if pairs else AVERAGE_GAIN

    first, second, change, counts = [], [], [], []
    for name in names:
        # The class is the one that the faces were given.
        rows = np.flatnonzero(after.table["class"] == name)
        counts.append(len(rows))
        used, needed = (rows[:1], 1) if pairs else (rows, least)
        then = _average(before.images[used], needed)
        now = _average(after.images[used], needed)

        # No change is medium grey; averages change less and are enlarged more.
        grey = np.clip(128 + gain * (now - then), 0, WHITE)
        first.append(then)
        second.append(now)
        change.append(grey if len(used) >= needed else then)

    # The caption says which of the two it is.
    how = f"averages of all pairs of a class; one with fewer than {least} stays blank"
    if pairs:
        how = f"one pair a class ({kind})"
    how += f"; last row: the change, times {gain}"
    titles = [f"{name}\n{count:,}" for name, count in zip(names, counts, strict=True)]
    return sheet(
        np.uint8([*first, *second, *change]),
        titles=titles + [""] * 2 * len(names),
        columns=len(names),
        caption=f"{caption}: {how}" if caption else how,
        scale=AVERAGE_SCALE * min(1.0, MOST_COLUMNS / len(names)),
        rows=["before", "after", "change"],
    )


def pool_gallery(
    sets: dict[str, FaceSet], show_photographs: bool, *, each: int = 2, caption: str = ""
) -> Figure:
    """Show all pools beside the real images: a row a set, a column a class.

    Args:
        sets: face sets of one class list by name, the real images first; all are shown at their
            side.
        show_photographs: the parameter of this name; without it photographs are averaged.
        each: images of every class and set; an average fills their place once.
        caption: what the sets are; how they are shown is added.
    """
    first = next(iter(sets.values()))
    classes, px = first.classes, first.images.shape[1]
    images, averaged = [], []
    for name, faces in sets.items():
        photographs = kind_of_images(faces.table) == "photographs" and not show_photographs
        if photographs:
            averaged.append(in_words(name))
        for label in classes:
            shown = np.stack(_examples(faces, label, each, averaged=photographs))
            images.extend(resize(shown, px))

    # The classes' names stand over the first row alone.
    titles = [name if place == 0 else "" for name in classes for place in range(each)]
    titles += [""] * (len(images) - len(titles))
    how = f"{' and '.join(averaged)} as class averages" if averaged else "no photographs"
    scale = GALLERY_WIDTH / (len(classes) * each * 48)
    return sheet(
        np.stack(images),
        titles=titles,
        columns=len(classes) * each,
        caption=f"{caption} ({how})" if caption else how,
        scale=min(1.2, scale),
        rows=[in_words(name) for name in sets],
    )


def certainty_sheet(
    faces: FaceSet,
    certainty: np.ndarray,
    show_photographs: bool,
    *,
    each: int = 10,
    caption: str = "",
) -> Figure:
    """Show the images whose label a classifier is surest of, and those it doubts most.

    Args:
        faces: a pool.
        certainty: float (N,), probability of each image's own label.
        show_photographs: the parameter of this name; without it photographs are averaged.
        each: images of either kind.
        caption: what the faces are; how they are shown is added.
    """
    order = np.argsort(-certainty, kind="stable")
    names = faces.table["class"].to_numpy()
    kind = kind_of_images(faces.table)
    if kind == "photographs" and not show_photographs:
        ends = [order[:AVERAGED], order[-AVERAGED:]]
        images = [_average(faces.images[rows], AVERAGED) for rows in ends]
        how = f"averages of the {AVERAGED} surest and the {AVERAGED} most doubtful"
        titles, columns = ["surest", "most doubtful"], 2
        return sheet(np.uint8(images), titles=titles, columns=columns, caption=f"{caption}: {how}")

    # The surest first, the most doubtful first, each with its label.
    shown = np.concatenate([order[:each], order[::-1][:each]])
    return sheet(
        faces.images[shown],
        titles=[f"{names[i]}\n{100 * certainty[i]:.0f}%" for i in shown],
        columns=min(each, len(order)),
        caption=f"{caption} ({kind})",
        scale=CERTAINTY_SCALE,
        rows=["surest", "most doubtful"],
    )


def _examples(faces: FaceSet, name: str, each: int, *, averaged: bool) -> list[np.ndarray]:
    """Take the first images of a class, or its average once; white where there are too few."""
    of_class = faces.images[faces.table["class"] == name]
    blank = np.full(faces.images.shape[1:], WHITE, np.uint8)
    shown = list(of_class[:each])
    if averaged:
        shown = [np.uint8(_average(of_class, AVERAGED))]
    return shown + [blank] * (each - len(shown))


def _in_lines(title: str, room: float) -> str:
    """Break each line of a title where it is wider than its image, points."""
    return "\n".join(wrapped(line, room, TITLE_POINTS) for line in title.split("\n"))


def _names_inches(rows: Sequence[str]) -> float:
    """Find the room for names of rows, inches: what the longest needs, up to a limit."""
    if not rows:
        return 0.0
    longest = max(text_points(row, ROW_POINTS) for row in rows) / POINTS_AN_INCH + 0.15
    least, most = ROW_NAMES_INCHES
    return min(max(longest, least), most)


def _classes_present(faces: FaceSet) -> list[str]:
    """List the classes that have images, in the order of the class list."""
    present = set(faces.table["class"])
    return [name for name in faces.classes if name in present]


def _average(images: np.ndarray, least: int) -> np.ndarray:
    """Average images (n, H, W) to float64 (H, W); blank where they are fewer than `least`."""
    if len(images) < least:
        return np.full(images.shape[1:], float(BLANK))
    return images.mean(axis=0)


def _even_columns(n: int) -> int:
    """Share n images out over as few rows as MOST_COLUMNS allows, about equally."""
    # Ten classes make two rows of five, not eight and two.
    rows = -(-n // MOST_COLUMNS)
    return -(-n // rows)
