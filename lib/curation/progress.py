"""How far a long step is: a bar that moves where a person looks on, a line from time to time in a batch, nothing for a short step."""

import sys
import time
from collections.abc import Iterable, Iterator

EVERY_S, LIVE_EVERY_S = 10.0, 0.3
CELLS = 24  # of the bar


def someone_is_there() -> bool:
    """Tell whether a person runs the notebook; papermill and nbconvert allow no input, JupyterLab does."""
    if "IPython" not in sys.modules:  # no notebook
        return False
    from IPython import get_ipython

    return bool(getattr(getattr(get_ipython(), "kernel", None), "_allow_stdin", False))


def watched(parts: Iterable, total: int, what: str, *, every_s: float = EVERY_S, live: bool | None = None) -> Iterator:
    """Pass parts on, and show how many there have been.

    Args:
        parts: lists or arrays, whose lengths count.
        total: sum of their lengths.
        what: is being worked on.
        every_s: seconds between two lines in a batch; a shorter work prints none.
        live: one line that is written over again and again; None finds out: in a terminal and in JupyterLab.
    """
    live = someone_is_there() or sys.stdout.isatty() if live is None else live
    every, last = (LIVE_EVERY_S, "\r") if live else (every_s, "\n")
    began = shown = time.perf_counter()
    done, width = 0, 0
    for part in parts:
        yield part
        done += len(part)
        now = time.perf_counter()
        if now - shown >= every and done < total:
            shown, filled = now, CELLS * done // total
            bar = f" [{'#' * filled}{'.' * (CELLS - filled)}]" if live else ":"
            line = f"{what}{bar} {done:,} of {total:,} images, {(now - began) / done * (total - done):.0f} s left"
            print(line.ljust(width), end=last, flush=True)
            width = len(line)
    if live and width:
        print(" " * width, end="\r", flush=True)  # the step's own line follows
