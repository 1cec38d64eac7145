"""An interactive map in one piece of HTML: no library, no network.

Pointing at a face names it and, where that is allowed, shows it.
"""

import base64
import html
import json
import re
import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from lib.plots.colours import class_palette, palette
from lib.plots.style import MUTED
from lib.report.names import in_words
from lib.study.errors import StudyError

CELL_PX = 48  # side of a thumbnail on its sheet: that of FER2013's faces, which lose nothing by it
ENLARGED = 2  # by which the page enlarges a thumbnail
SHEET_COLUMNS = 50
JPEG_QUALITY = 70  # a sheet of 2,000 faces is 1 MB of the page
EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="  # one transparent pixel
PLACES = 1000  # positions are rounded to a thousandth of the map's width

FILLED = re.compile(r"%([A-Z]+)%")

# A word between percent signs is filled in. p is a point: x, y, source, class, cell of the sheet.
SCRIPT = """
(() => {
  const box = document.getElementById("%ID%"), canvas = box.querySelector("canvas");
  const tip = box.querySelector(".tip"), image = box.querySelector("img");
  const pen = canvas.getContext("2d");
  const data = %DATA%;
  const side = canvas.width, margin = 8, scale = (side - 2 * margin) / %PLACES%;
  let by = 0, hidden = new Set();
  const draw = () => {
    pen.clearRect(0, 0, side, side);
    data.points.forEach((p) => {
      if (hidden.has(p[2 + by])) return;
      pen.fillStyle = data.colours[by][p[2 + by]];
      pen.fillRect(margin + p[0] * scale - 1.5, margin + p[1] * scale - 1.5, 3, 3);
    });
  };
  const legend = () => {
    const list = box.querySelector(".names");
    list.replaceChildren(...data.names[by].map((name, i) => {
      const item = document.createElement("button");
      const swatch = document.createElement("span");
      item.type = "button";
      swatch.style.cssText = "display:inline-block;width:10px;height:10px;border-radius:5px;"
        + "margin-right:5px;border:1px solid #8a8f98;";
      swatch.style.background = hidden.has(i) ? "none" : data.colours[by][i];
      item.append(swatch, name);
      item.setAttribute("aria-pressed", !hidden.has(i));
      item.style.cssText = "border:0;background:none;cursor:pointer;padding:2px 6px;"
        + "color:inherit;font:inherit;";
      if (hidden.has(i)) item.style.textDecoration = "line-through";
      item.onclick = () => {
        hidden.has(i) ? hidden.delete(i) : hidden.add(i);
        legend();
        draw();
      };
      return item;
    }));
  };
  box.querySelector("select").onchange = (event) => {
    by = Number(event.target.value);
    hidden = new Set();
    legend();
    draw();
  };
  const leave = () => { tip.hidden = true; };
  const point = (event) => {
    const frame = canvas.getBoundingClientRect();
    const x = ((event.clientX - frame.left) * side / frame.width - margin) / scale;
    const y = ((event.clientY - frame.top) * side / frame.height - margin) / scale;
    let best = -1, least = (8 / scale) ** 2;
    data.points.forEach((p, i) => {
      const far = (p[0] - x) ** 2 + (p[1] - y) ** 2;
      if (far < least && !hidden.has(p[2 + by])) { least = far; best = i; }
    });
    if (best < 0) return leave();
    const p = data.points[best], cell = p[4];
    const words = data.names[0][p[2]] + ", " + data.names[1][p[3]];
    tip.querySelector("span").textContent = words + (cell < 0 ? data.unseen : "");
    image.hidden = cell < 0;
    if (cell >= 0) {
      const column = cell % %COLUMNS%, row = Math.floor(cell / %COLUMNS%);
      image.style.objectPosition = `-${column * %CELL%}px -${row * %CELL%}px`;
    }
    tip.style.left = Math.min(event.clientX - frame.left + 12, frame.width - 130) + "px";
    tip.style.top = event.clientY - frame.top + 12 + "px";
    tip.hidden = false;
  };
  canvas.onpointermove = point; canvas.onpointerdown = point; canvas.onpointerleave = leave;
  legend(); draw();
})();
"""
PAGE = """<figure class="plot"><div id="%ID%" style="position:relative;max-width:640px">
<label style="font-size:13px">colour by <select><option value="0">source</option>
<option value="1">class</option></select></label>
<div class="names" style="font-size:13px"></div>
<canvas width="640" height="640" role="img" aria-label="%ALT%"
style="width:100%;height:auto;touch-action:none;background:#fff"></canvas>
<div class="tip" hidden style="position:absolute;pointer-events:none;background:#fff;color:#1f2933;
border:1px solid %MUTED%;padding:4px;font-size:12px;width:118px">
<img hidden alt="" src="%SHEET%"
style="width:%CELL%px;height:%CELL%px;object-fit:none;max-width:none;transform:scale(%ENLARGED%);
transform-origin:0 0;margin:0 %BESIDE%px %BESIDE%px 0">
<div><span></span></div></div>
</div><figcaption>%CAPTION%</figcaption></figure><script>%SCRIPT%</script>"""


def hover_map(
    points: np.ndarray,
    sources: Sequence[str],
    labels: np.ndarray,
    classes: Sequence[str],
    images: dict[str, np.ndarray],
    *,
    alt: str,
    caption: str,
    most_images: int = 2000,
) -> str:
    """Write an interactive map as self-contained HTML.

    Args:
        points: float (N, 2).
        sources: N names.
        labels: int64 (N,), positions in classes.
        classes: names of all classes.
        images: uint8 (n, H, W) by source, in the order of its points; a source that is not in it
            has no images that may be shown.
        alt: what the map shows, for those who cannot see it.
        caption: a sentence under it; where sources have no images, that is added.
        most_images: thumbnails in all, shared evenly among the sources; the others are named only.

    Raises:
        StudyError: numbers that do not fit, or no alternative text.
    """
    # One source and one label a point.
    points = np.asarray(points, np.float64)
    sources = np.asarray(sources).astype(str)
    labels = np.asarray(labels)
    if not len(points) == len(sources) == len(labels):
        raise StudyError(
            f"hover_map: {len(points)} points, {len(sources)} sources and {len(labels)} labels; "
            "one of each a point"
        )

    # A canvas says nothing to a screen reader.
    if not alt.strip():
        raise StudyError(
            "hover_map: a figure needs an alternative text (alt=...) that says what it shows"
        )

    # What the script draws.
    # Codes into the lists of names and colours.
    source_colours = palette(sources)
    class_colours = class_palette(classes)
    source_codes = [list(source_colours).index(name) for name in sources]
    cells, sheet = _sheet(sources, images, most_images)
    rows = np.column_stack([_places(points), source_codes, labels, cells])
    data = {
        "points": rows.tolist(),
        "names": [[in_words(name) for name in source_colours], list(class_colours)],
        "colours": [list(source_colours.values()), list(class_colours.values())],
        "unseen": "" if (cells >= 0).all() else " (image not shown)",
    }

    # The caption names the sources whose images are not shown.
    hidden = [name for name in source_colours if name not in images]
    if hidden:
        shown = ", ".join(in_words(name) for name in hidden)
        caption = f"{caption}; not shown: {shown}"

    # Texts are escaped, pictures are data.
    words = {"CAPTION": html.escape(caption), "ALT": html.escape(alt), "SHEET": sheet}
    return _filled_page(data, words)


def show_hover_map(page: str) -> None:
    """Display what `hover_map` wrote."""
    from IPython.display import HTML, display

    display(HTML(page))


def _filled_page(data: dict, words: dict[str, str]) -> str:
    """Fill script and page.

    Args:
        data: what the script draws.
        words: texts of the page, which may not hold code.
    """
    # Names come from outside: nothing in them may end the script.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")

    filled = {
        **words,
        "DATA": text,
        "MUTED": MUTED,
        "ID": f"map-{zlib.crc32(json.dumps(data['points']).encode()):08x}",
        "COLUMNS": str(SHEET_COLUMNS),
        "CELL": str(CELL_PX),
        "ENLARGED": str(ENLARGED),
        "BESIDE": str((ENLARGED - 1) * CELL_PX),
        "PLACES": str(PLACES),
    }

    # All at once, so that a word in a name stays as it is.
    return FILLED.sub(lambda match: filled[match[1]], PAGE.replace("%SCRIPT%", SCRIPT))


def _places(points: np.ndarray) -> np.ndarray:
    """Turn points (N, 2) into whole places 0 to PLACES, y downwards as a canvas has it."""
    # Each axis is stretched to the range of its points.
    low, high = points.min(0), points.max(0)

    # Whole numbers are short in the page.
    places = np.round((points - low) / np.maximum(high - low, 1e-12) * PLACES).astype(int)
    return np.column_stack([places[:, 0], PLACES - places[:, 1]])


def _sheet(sources: np.ndarray, images: dict[str, np.ndarray], most: int) -> tuple[np.ndarray, str]:
    """Lay thumbnails into one picture.

    Args:
        sources: N names.
        images: uint8 (n, H, W) by source.
        most: thumbnails in all.

    Returns:
        int64 (N,), cell of each point or -1, and a data address.
    """
    # A point without a thumbnail has the cell -1.
    cells = np.full(len(sources), -1)
    tiles = []
    for name, of_source in images.items():
        # Thumbnails are taken evenly from the source's points.
        rows = np.flatnonzero(sources == name)
        if len(rows) != len(of_source):
            raise StudyError(
                f"hover_map: source {name!r} has {len(rows)} points and {len(of_source)} images"
            )
        count = min(len(rows), most // len(images))
        chosen = np.linspace(0, len(rows) - 1, count).astype(int)

        # Cells are numbered in the order in which tiles are laid.
        cells[rows[chosen]] = len(tiles) + np.arange(len(chosen))

        # Only what is shown is reduced and kept.
        tiles += [_thumbnail(of_source[i]) for i in chosen]
    if not tiles:
        return cells, EMPTY

    # Fill the sheet row by row.
    lines = -(-len(tiles) // SHEET_COLUMNS)
    page = np.full((lines * CELL_PX, SHEET_COLUMNS * CELL_PX), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = divmod(i, SHEET_COLUMNS)
        page[CELL_PX * y :, CELL_PX * x :][:CELL_PX, :CELL_PX] = tile

    # The sheet is part of the page. As JPEG: a report makes other pictures smaller, and places on
    # this one count pixels (lib.report.pictures).
    file = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    return cells, f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """Bring an image to the side of a cell; one of that side stays as it is."""
    if image.shape == (CELL_PX, CELL_PX):
        return image
    method = cv2.INTER_AREA if min(image.shape) > CELL_PX else cv2.INTER_LINEAR
    return cv2.resize(image, (CELL_PX, CELL_PX), interpolation=method)
