"""Putting figures on the page of a notebook."""

import base64
import html
import io

import numpy as np
from matplotlib.figure import Figure

from lib.plots.measure import measure
from lib.study.errors import StudyError

# Dots an inch: a page shows 96. Charts are drawn for dense screens; images of faces, whose own
# pixels are larger than the page's, need fewer.
CHART_DPI, FACES_DPI, PAGE_DPI = 192, 144, 96
CHART_COLOURS = 256
FACES_QUALITY = 70  # of WebP, 0 to 100


def show(drawing, alt: str, caption: str = "") -> None:
    """Display a figure as an image with alternative text.

    Args:
        drawing: what a function of lib.plots returned: an axis, an array of axes, or a figure.
        alt: what the figure shows, for those who cannot see it; names the finding, not the chart
            type alone.
        caption: a sentence under the figure; empty: the figure's own label, which sheets of images
            have.

    Raises:
        StudyError: empty alternative text, or no caption.
    """
    from IPython.display import HTML, display

    display(HTML(figure_html(drawing, alt, caption)))


def figure_html(drawing, alt: str, caption: str = "") -> str:
    """Write a figure as HTML; arguments as in `show`."""
    # A picture says nothing to a screen reader.
    if not alt.strip():
        raise StudyError(
            "show: a figure needs an alternative text (alt=...) that says what it shows"
        )

    # Charts are axes, sheets are figures, which carry their caption with them.
    figure = drawing if isinstance(drawing, Figure) else np.ravel(drawing)[0].get_figure()
    caption = caption or figure.get_label()
    if not caption.strip():
        raise StudyError("show: a figure needs a caption (caption=...) that can stand alone")
    kind, data = picture(figure)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    image = (
        f'<img alt="{html.escape(alt)}" width="{figure.get_figwidth() * PAGE_DPI:.0f}" '
        f'src="{source}" style="max-width:100%;height:auto">'
    )

    # Every figure carries what was measured of it.
    below = f"<figcaption>{html.escape(caption)}</figcaption>"
    return f'<figure class="plot"{_measurements(figure)}>{image}{below}</figure>'


def absent(words: str) -> None:
    """Say in a line that a section has nothing to show; the report lists these at its end.

    Args:
        words: what did not occur: "no control was run".
    """
    from IPython.display import HTML, display

    display(HTML(f'<p class="absent">{html.escape(words)}</p>'))


def picture(figure: Figure) -> tuple[str, bytes]:
    """Draw a figure for dense screens in few bytes, for reports travel with the project.

    Returns:
        ("png", bytes) of a chart, at twice its shown size in 256 colours; ("webp", bytes) of one
        that holds images of faces, at one and a half times its size and quality 70.
    """
    from PIL import Image

    faces = any(ax.images for ax in figure.axes)

    # Draw at the density that the content needs.
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=FACES_DPI if faces else CHART_DPI)
    page = Image.open(drawn).convert("RGB")

    packed = io.BytesIO()
    if faces:
        page.save(packed, format="WEBP", quality=FACES_QUALITY, method=4)
        return "webp", packed.getvalue()

    # A chart has few colours: a palette makes it small, and keeps those of few pixels too.
    coverage, none = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    few_colours = page.quantize(CHART_COLOURS, method=coverage, kmeans=1, dither=none)
    few_colours.save(packed, format="PNG", optimize=True)
    return "png", packed.getvalue()


def _measurements(figure: Figure) -> str:
    """Write what was measured of a figure as attributes of its element."""
    measured = measure(figure)
    faults = html.escape("; ".join(measured.faults), quote=True)
    numbers = f' data-axes="{measured.share:.2f}" data-type="{measured.points:.1f}"'
    return f'{numbers} data-faults="{faults}"'
