"""An interactive map in one piece of HTML: no library, no network. Pointing at a face names it and, where that is allowed, shows it."""

import base64
import html
import json
import zlib

import cv2
import numpy as np

from lib.plots.style import MUTED, palette
from lib.study.errors import StudyError

THUMBNAIL_PX, SHEET_COLUMNS, JPEG_QUALITY = 32, 50, 70
EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="  # one transparent pixel
PLACES = 1000  # positions are rounded to a thousandth of the map's width

SCRIPT = """
(() => {
  const box = document.getElementById("%ID%"), canvas = box.querySelector("canvas"), tip = box.querySelector(".tip");
  const pen = canvas.getContext("2d");
  const data = %DATA%, side = canvas.width, margin = 8, scale = (side - 2 * margin) / %PLACES%, image = box.querySelector("img");
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
      item.type = "button"; item.textContent = "\\u25cf " + name; item.setAttribute("aria-pressed", !hidden.has(i));
      item.style.cssText = "border:0;background:none;cursor:pointer;padding:2px 6px;color:" + data.colours[by][i];
      if (hidden.has(i)) item.style.opacity = .35;
      item.onclick = () => { hidden.has(i) ? hidden.delete(i) : hidden.add(i); legend(); draw(); };
      return item;
    }));
  };
  box.querySelector("select").onchange = (event) => { by = Number(event.target.value); hidden = new Set(); legend(); draw(); };
  const leave = () => { tip.hidden = true; };
  const point = (event) => {
    const frame = canvas.getBoundingClientRect(), x = ((event.clientX - frame.left) * side / frame.width - margin) / scale;
    const y = ((event.clientY - frame.top) * side / frame.height - margin) / scale;
    let best = -1, least = (8 / scale) ** 2;
    data.points.forEach((p, i) => {
      const far = (p[0] - x) ** 2 + (p[1] - y) ** 2;
      if (far < least && !hidden.has(p[2 + by])) { least = far; best = i; }
    });
    if (best < 0) return leave();
    const p = data.points[best], cell = p[4];
    tip.querySelector("span").textContent = data.names[0][p[2]] + ", " + data.names[1][p[3]] + (cell < 0 ? data.unseen : "");
    image.hidden = cell < 0;
    if (cell >= 0) image.style.objectPosition = `-${cell % %COLUMNS% * 64}px -${Math.floor(cell / %COLUMNS%) * 64}px`;
    tip.style.left = Math.min(event.clientX - frame.left + 12, frame.width - 130) + "px";
    tip.style.top = event.clientY - frame.top + 12 + "px";
    tip.hidden = false;
  };
  canvas.onpointermove = point; canvas.onpointerdown = point; canvas.onpointerleave = leave;
  legend(); draw();
})();
"""
PAGE = """<figure class="plot"><div id="%ID%" style="position:relative;max-width:640px">
<label style="font-size:13px">colour by <select><option value="0">source</option><option value="1">class</option></select></label>
<div class="names" style="font-size:13px"></div>
<canvas width="640" height="640" role="img" aria-label="%ALT%" style="width:100%;height:auto;touch-action:none"></canvas>
<div class="tip" hidden style="position:absolute;pointer-events:none;background:#fff;color:#1f2933;
border:1px solid %MUTED%;padding:4px;font-size:12px;width:118px">
<img hidden alt="" src="%SHEET%" style="width:64px;height:64px;object-fit:none;image-rendering:pixelated"><div><span></span></div></div>
</div><figcaption>%CAPTION%</figcaption></figure><script>%SCRIPT%</script>"""


def hover_map(
    points: np.ndarray, sources, classes, images: dict[str, np.ndarray], *, alt: str, caption: str, most_images: int = 2000
) -> str:
    """Write an interactive map as self-contained HTML.

    Args:
        points: float (N, 2).
        sources, classes: N names each.
        images: uint8 (n, H, W) by source, in the order of its points; a source that is not in it has no images that may be shown.
        alt: what the map shows, for those who cannot see it.
        caption: a sentence under it.
        most_images: thumbnails in all, shared evenly among the sources; the others are named only.
    """
    points, sources, classes = np.asarray(points, np.float64), np.asarray(sources).astype(str), np.asarray(classes).astype(str)
    if not len(points) == len(sources) == len(classes):
        raise StudyError(f"hover_map: {len(points)} points, {len(sources)} sources and {len(classes)} classes; one of each a point")
    if not alt.strip():
        raise StudyError("hover_map: a figure needs an alternative text (alt=...) that says what it shows")
    low, high = points.min(0), points.max(0)
    places = np.round((points - low) / np.maximum(high - low, 1e-12) * PLACES).astype(int)
    names = [list(dict.fromkeys(own)) for own in (sources, classes)]
    codes = [np.array([own.index(name) for name in each]) for own, each in zip(names, (sources, classes))]
    cells, sheet = _sheet(sources, images, most_images)
    data = {
        "points": np.column_stack([places[:, 0], PLACES - places[:, 1], *codes, cells]).tolist(), "names": names,
        "colours": [list(palette(own).values()) for own in names], "unseen": "" if (cells >= 0).all() else " (image not shown)",
    }  # fmt: skip
    name = f"map-{zlib.crc32(json.dumps(data['points']).encode()):08x}"
    script = SCRIPT.replace("%DATA%", json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))
    filled = {"SCRIPT": script, "SHEET": sheet, "CAPTION": html.escape(caption), "ALT": html.escape(alt), "MUTED": MUTED}
    page = PAGE
    for word, text in (filled | {"ID": name, "COLUMNS": str(SHEET_COLUMNS), "PLACES": str(PLACES)}).items():
        page = page.replace(f"%{word}%", text)
    return page


def show_hover_map(page: str) -> None:
    """Display what `hover_map` wrote."""
    from IPython.display import HTML, display

    display(HTML(page))


def _sheet(sources: np.ndarray, images: dict[str, np.ndarray], most: int) -> tuple[np.ndarray, str]:
    """Lay thumbnails into one JPEG, 64 pixels apart: int64 (N,) cell of each point or -1, and a data address."""
    cells, tiles = np.full(len(sources), -1), []
    for name, own in images.items():
        rows = np.flatnonzero(sources == name)
        if len(rows) != len(own):
            raise StudyError(f"hover_map: source {name!r} has {len(rows)} points and {len(own)} images")
        chosen = np.linspace(0, len(rows) - 1, min(len(rows), most // len(images))).astype(int)
        cells[rows[chosen]] = len(tiles) + np.arange(len(chosen))
        tiles += [cv2.resize(cv2.resize(own[i], (THUMBNAIL_PX,) * 2, interpolation=cv2.INTER_AREA), (64, 64)) for i in chosen]
    if not tiles:
        return cells, EMPTY
    page = np.full((-(-len(tiles) // SHEET_COLUMNS) * 64, SHEET_COLUMNS * 64), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = divmod(i, SHEET_COLUMNS)
        page[64 * y : 64 * y + 64, 64 * x : 64 * x + 64] = tile
    file = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    return cells, f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"
