"""Progress of a long step.

A bar that moves where a person watches, a line every ten seconds in a batch run, and nothing at
all for a short step.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator

BATCH_EVERY_S = 10.0  # seconds between two lines in a batch run
LIVE_EVERY_S = 0.3  # seconds between two drawings of the bar
BAR_CELLS = 24  # characters of the bar


def is_interactive() -> bool:
    """Tell whether a person runs the notebook.

    JupyterLab allows input; papermill and nbconvert do not.
    """
    # Outside a notebook IPython has not been imported.
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))


def with_progress(
    parts: Iterable,
    total: int,
    what: str,
    *,
    size: Callable[..., int] = len,
    every_s: float = BATCH_EVERY_S,
    live: bool | None = None,
) -> Iterator:
    """Pass parts on, and print how many images have been done.

    Args:
        parts: pieces of the work.
        total: images in all parts together.
        what: the work, as the line names it.
        size: counts the images of one part.
        every_s: seconds between two lines in a batch run; shorter work prints none.
        live: whether one line is overwritten again and again; None: in a terminal and in
            JupyterLab.

    Yields:
        Each part, unchanged.
    """
    if live is None:
        live = is_interactive() or sys.stdout.isatty()
    pause = LIVE_EVERY_S if live else every_s
    began = time.perf_counter()
    shown = began
    done = 0
    width = 0  # characters of the last line, to be overwritten

    for part in parts:
        yield part
        done += size(part)
        now = time.perf_counter()
        if now - shown < pause or done >= total:
            continue

        shown = now
        left_s = (now - began) / done * (total - done)
        counts = f"{done:,} of {total:,} images, {left_s:.0f} s left"
        line = f"{what}{_bar(done, total)} {counts}" if live else f"{what}: {counts}"
        print(line.ljust(width), end="\r" if live else "\n", flush=True)
        width = len(line)

    # The step's own line follows, where the bar stood.
    if live and width:
        print(" " * width, end="\r", flush=True)


def _bar(done: int, total: int) -> str:
    """Draw the bar: as many cells filled as the share that is done."""
    filled = BAR_CELLS * done // total
    return f" [{'#' * filled}{'.' * (BAR_CELLS - filled)}]"
