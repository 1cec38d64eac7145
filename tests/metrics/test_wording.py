"""Numbers as people read them."""

import pytest

from lib.metrics.wording import points, signed


@pytest.mark.parametrize(
    "number, text",
    [
        (1.25, "+1.2"),
        (-0.96, "\u22121.0"),
        (-0.05, "\u22120.1"),
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (-1e-9, "0.0"),
    ],
)
def test_a_number_has_its_sign_and_none_for_zero(number, text):
    assert signed(number) == text


def test_near_zero_the_side_of_an_interval_s_end_can_be_read():
    assert (points(-0.0002), points(0.0004)) == ("\u22120.02", "+0.04")
