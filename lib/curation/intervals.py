"""Confidence intervals of shares: how precisely a count of images estimates a rate."""

import math


def wilson(count: int, n: int) -> tuple[float, float, float]:
    """Estimate a share with its 95% Wilson interval.

    Args:
        count: images that have the property.
        n: images in all.

    Returns:
        share, low, high, 0 to 1; all NaN where n is 0.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    from scipy.stats import binomtest

    # No image, no estimate.
    if n == 0:
        return math.nan, math.nan, math.nan
    # Wilson's interval stays within 0 and 1 for small counts, unlike the normal one.
    interval = binomtest(count, n).proportion_ci(method="wilson")
    return count / n, interval.low, interval.high
