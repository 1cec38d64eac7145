"""Lines that show how far a long step is: none for a short one."""

import time
from collections.abc import Iterable, Iterator

EVERY_S = 10.0


def watched(parts: Iterable, total: int, what: str, *, every_s: float = EVERY_S) -> Iterator:
    """Pass parts on, and print a line from time to time.

    Args:
        parts: lists or arrays, whose lengths count.
        total: sum of their lengths.
        what: is being worked on.
        every_s: seconds between two lines; a shorter work prints none.
    """
    began = shown = time.perf_counter()
    done = 0
    for part in parts:
        yield part
        done += len(part)
        now = time.perf_counter()
        if now - shown >= every_s and done < total:
            shown = now
            print(f"{what}: {done:,} of {total:,} images, {(now - began) / done * (total - done):.0f} s left", flush=True)
