"""Intervals for shares: how sure a count of rejected or found images is."""

import math


def wilson(hits: int, n: int) -> tuple[float, float, float]:
    """Estimate a share with its 95 % Wilson interval.

    Args:
        hits: how many had the property.
        n: how many there were.

    Returns:
        share, low, high; all NaN when n is 0.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    from scipy.stats import binomtest

    if n == 0:
        return math.nan, math.nan, math.nan
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    return hits / n, interval.low, interval.high
