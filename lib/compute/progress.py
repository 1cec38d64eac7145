"""Progress of a long step.

A bar that moves where a person watches, a line every ten seconds in a batch run, and nothing at
all for a short step.
"""

import html
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from lib.study.progress import span

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


class Bar:
    """A bar with the time left, for the first thing that a cell does in JupyterLab.

    It leaves nothing behind: the cell's output is cleared at the end. Outside of JupyterLab there
    is no bar, for nobody watches.

        with Bar("training", len(jobs), "runs") as bar:
            for job in jobs:
                ...
                bar.step()
    """

    def __init__(self, what: str, total: float, unit: str = ""):
        """Prepare a bar.

        Args:
            what: the work, as the bar names it.
            total: of all steps.
            unit: of the steps, in the plural; "": only the share is named.
        """
        # What is counted, and since when.
        self.what = what
        self.total = max(total, 1e-9)
        self.unit = unit
        self.live = is_interactive()
        self.done = 0.0
        self.began = self.shown = time.perf_counter()
        self.handle = None

    def __enter__(self) -> "Bar":
        if self.live:
            from IPython.display import HTML, display

            self.handle = display(HTML(self.html()), display_id=True)
        return self

    def __exit__(self, *_error) -> None:
        if self.live:
            from IPython.display import clear_output

            clear_output()

    def step(self, done: float = 1) -> None:
        """Count work that is done, and draw the bar anew where it is time."""
        # Drawing costs more than a step may take, so it waits.
        self.done = min(self.done + done, self.total)
        now = time.perf_counter()
        if self.live and now - self.shown >= LIVE_EVERY_S:
            from IPython.display import HTML

            self.shown = now
            self.handle.update(HTML(self.html()))

    def words(self) -> str:
        """Write how much is done and how long the rest will take."""
        share = f"{100 * self.done / self.total:.0f}%"
        counted = f"{self.done:,.0f} of {self.total:,.0f} {self.unit}" if self.unit else share
        if not self.done:
            return f"{self.what}: {counted}"
        # The rest is taken to go as fast as what is done.
        spent = time.perf_counter() - self.began
        left = span(spent / self.done * (self.total - self.done))
        return f"{self.what}: {counted}, about {left} left"

    def html(self) -> str:
        """Write the bar."""
        label = html.escape(self.words())
        done = f'value="{self.done:.6g}" max="{self.total:.6g}"'
        return f'<label>{label}<br><progress {done} style="width:24em"></progress></label>'


def with_progress(
    parts: Iterable, total: int, what: str, *, size: Callable[..., int] = len
) -> Iterator:
    """Pass parts on, and print how many images have been done.

    In a terminal and in JupyterLab one line is overwritten again and again; elsewhere a line comes
    every BATCH_EVERY_S, and shorter work prints none.

    Args:
        parts: pieces of the work.
        total: images in all parts together.
        what: the work, as the line names it.
        size: counts the images of one part.

    Yields:
        Each part, unchanged.
    """
    # Where nobody watches, lines are rare.
    live = is_interactive() or sys.stdout.isatty()
    pause = LIVE_EVERY_S if live else BATCH_EVERY_S
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

        # The estimate, and a line that covers the last one whole.
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
