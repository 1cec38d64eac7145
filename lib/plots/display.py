"""Putting figures and tables on the page of a notebook."""

import base64
import html
import io
import zlib

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.study.errors import StudyError

# Dots an inch: a page shows 96. Charts are drawn for dense screens; images of faces, whose own
# pixels are larger than the page's, need fewer.
CHART_DPI, FACES_DPI, PAGE_DPI = 192, 144, 96
CHART_COLOURS = 128
FACES_QUALITY = 70  # of WebP, 0 to 100
SENTENCE = 28  # characters from which a text with spaces may wrap


def show(drawing, alt: str, caption: str = "") -> None:
    """Display a figure as an image with alternative text.

    Args:
        drawing: what a function of lib.plots returned: an axis, an array of axes, or a figure.
        alt: what the figure shows, for those who cannot see it; names the finding, not the chart
            type alone.
        caption: a sentence under the figure; empty: the figure's own label, which sheets of images
            have.

    Raises:
        StudyError: empty alternative text.
    """
    from IPython.display import HTML, display

    if not alt.strip():
        raise StudyError(
            "show: a figure needs an alternative text (alt=...) that says what it shows"
        )

    # Charts are axes, sheets are figures.
    figure = drawing if isinstance(drawing, Figure) else np.ravel(drawing)[0].get_figure()
    kind, data = picture(figure)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    image = (
        f'<img alt="{html.escape(alt)}" width="{figure.get_figwidth() * PAGE_DPI:.0f}" '
        f'src="{source}" style="max-width:100%;height:auto">'
    )

    # Sheets carry their caption with them.
    below = _figcaption(caption or figure.get_label())
    display(HTML(f'<figure class="plot">{image}{below}</figure>'))


def picture(figure: Figure) -> tuple[str, bytes]:
    """Draw a figure for dense screens in few bytes, for reports travel with the project.

    Returns:
        ("png", bytes) of a chart, at twice its shown size in 128 colours; ("webp", bytes) of one
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

    # A chart has few colours: a palette makes it small.
    few_colours = page.quantize(CHART_COLOURS, dither=Image.Dither.NONE)
    few_colours.save(packed, format="PNG", optimize=True)
    return "png", packed.getvalue()


def table(data: pd.DataFrame, caption: str = "", *, digits: int = 3) -> None:
    """Display a table.

    Numbers are rounded and right-aligned, missing values are a dash, and a wide table scrolls
    inside its own box.

    Args:
        data: rows to show; an index that only numbers the rows is left out.
        caption: a sentence above the table.
        digits: decimals of numbers that are not whole.
    """
    from IPython.display import HTML, display

    # Numbers of rows say nothing; a named index is a column.
    numbered = data.index.name is None and pd.api.types.is_integer_dtype(data.index)
    data = data.reset_index(drop=numbered)
    styler = data.style.hide(axis="index")
    styler = styler.format(lambda value: number_text(value, digits), escape="html")
    styler = styler.set_table_styles(_column_rules(data))

    # The same table has the same id, so that a page without changes has the same bytes.
    styler = styler.set_uuid(f"{zlib.crc32(data.to_csv().encode()):08x}")
    body = styler.to_html(escape=True, exclude_styles=False)
    box = f'<div class="scroll" style="overflow-x:auto">{body}</div>'
    display(HTML(f'<figure class="table">{_figcaption(caption)}{box}</figure>'))


def number_text(value, digits: int = 3) -> str:
    """Write one table cell.

    Numbers are rounded, have their thousands set off from 10,000 on, and are powers of ten where
    they are tiny.
    """
    # Truth values are numbers to Python.
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not isinstance(value, (int, float, np.integer, np.floating)):
        return "–" if value is None or value is pd.NA else str(value)

    # What is no number has a sign of its own.
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"

    size = abs(value)
    if isinstance(value, (int, np.integer)) or size >= 1e5:
        text = f"{value:,.0f}" if size >= 1e4 else f"{value}"
    elif 0 < size < 0.5 * 10**-digits:
        text = f"{value:.1e}"
    else:
        text = f"{value:,.{digits}f}"

    # A minus sign, not a hyphen.
    if text.startswith("-"):
        return "−" + text[1:]
    return text


def _column_rules(data: pd.DataFrame) -> list[dict]:
    """Align columns, as style rules: numbers at the right, texts at the left."""
    numbers = "text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"
    rules = [{"selector": "td, th", "props": numbers}]
    for i, kind in enumerate(data.dtypes):
        # Everything that is no number is text.
        is_number = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
        if not is_number:
            props = f"text-align:left;{_wrapping(data.iloc[:, i])}"
            rules.append({"selector": f"td.col{i}, th.col{i}", "props": props})
    return rules


def _wrapping(column: pd.Series) -> str:
    """Let sentences wrap, in a column wide enough to be read; names stay on one line."""
    # Names have no spaces or are short; sentences have both.
    texts = column.astype(str)
    sentences = texts.str.contains(" ") & (texts.str.len() > SENTENCE)
    return "white-space:normal;min-width:16em" if sentences.any() else "white-space:nowrap"


def _figcaption(caption: str) -> str:
    """Wrap a caption for a figure element."""
    return f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
