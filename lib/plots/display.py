"""Putting figures and tables on the page of a notebook."""

import base64
import html
import io
import zlib

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.study.errors import StudyError


def show(drawing, alt: str, caption: str = "") -> None:
    """Display a figure as an image with alternative text.

    Args:
        drawing: what a function of this module returned: an axis, an array of axes, or a figure.
        alt: what the figure shows, for those who cannot see it; names the finding, not the chart type alone.
        caption: a sentence under the figure; empty: the figure's own label, which sheets of images have.

    Raises:
        StudyError: empty alternative text.
    """
    from IPython.display import HTML, display

    if not alt.strip():
        raise StudyError("show: a figure needs an alternative text (alt=...) that says what it shows")
    figure = drawing if isinstance(drawing, Figure) else np.ravel(drawing)[0].get_figure()
    kind, data = picture(figure)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    image = f'<img alt="{html.escape(alt)}" width="{figure.get_figwidth() * 96:.0f}" src="{source}" style="max-width:100%;height:auto">'
    display(HTML(f'<figure class="plot">{image}{_figcaption(caption or figure.get_label())}</figure>'))


def picture(figure: Figure) -> tuple[str, bytes]:
    """Draw a figure for dense screens in few bytes: reports travel with the project.

    Returns:
        ("png", bytes) of a chart, at twice its shown size in 128 colours; ("webp", bytes) of one that holds images of faces, whose own
        pixels are larger than the page's, at one and a half times its size and quality 70.
    """
    from PIL import Image

    drawn, packed = io.BytesIO(), io.BytesIO()
    faces = any(ax.images for ax in figure.axes)
    figure.savefig(drawn, format="png", dpi=144 if faces else 192)
    page = Image.open(drawn).convert("RGB")
    if faces:
        page.save(packed, format="WEBP", quality=70, method=4)
        return "webp", packed.getvalue()
    page.quantize(128, dither=Image.Dither.NONE).save(packed, format="PNG", optimize=True)
    return "png", packed.getvalue()


def table(data: pd.DataFrame, caption: str = "", *, digits: int = 3) -> None:
    """Display a table: numbers rounded and right-aligned, missing values as a dash, wide tables scroll inside their own box.

    Args:
        data: rows to show; an index that only numbers the rows is left out.
        caption: a sentence above the table.
        digits: decimals of numbers that are not whole.
    """
    from IPython.display import HTML, display

    numbered = data.index.name is None and pd.api.types.is_integer_dtype(data.index)
    data = data.reset_index(drop=numbered)
    text = [i for i, kind in enumerate(data.dtypes) if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)]
    rules = [{"selector": "td, th", "props": "text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"}]
    rules += [{"selector": f"td.col{i}, th.col{i}", "props": f"text-align:left;{_wrapping(data.iloc[:, i])}"} for i in text]
    styler = data.style.hide(axis="index").format(lambda value: number_text(value, digits), escape="html")
    styler = styler.set_table_styles(rules).set_uuid(f"{zlib.crc32(data.to_csv().encode()):08x}")
    body = styler.to_html(escape=True, exclude_styles=False)
    display(HTML(f'<figure class="table">{_figcaption(caption)}<div class="scroll" style="overflow-x:auto">{body}</div></figure>'))


def number_text(value, digits: int = 3) -> str:
    """Write one table cell: rounded, thousands apart from 10,000 on, tiny numbers in powers of ten."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not isinstance(value, (int, float, np.integer, np.floating)):
        return "–" if value is None or value is pd.NA else str(value)
    if not np.isfinite(value):
        return "–" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    if isinstance(value, (int, np.integer)) or abs(value) >= 1e5:
        text = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value}"
    else:
        text = f"{value:.1e}" if 0 < abs(value) < 0.5 * 10**-digits else f"{value:,.{digits}f}"
    return text.replace("-", "−", 1) if text.startswith("-") else text


def _wrapping(column: pd.Series) -> str:
    """Let sentences wrap, in a column wide enough to be read; names and short texts stay on one line."""
    texts = column.astype(str)
    sentences = texts.str.contains(" ") & (texts.str.len() > 28)
    return "white-space:normal;min-width:16em" if sentences.any() else "white-space:nowrap"


def _figcaption(caption: str) -> str:
    """Wrap a caption for a figure element."""
    return f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
