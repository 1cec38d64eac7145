"""Seeds: whole numbers mixed into one, so that neighbouring numbers give unrelated streams."""

import numpy as np


def mixed_seed(*numbers: int) -> int:
    """Mix whole numbers into one seed below 2^63; their order matters.

    Source: numpy's SeedSequence (O'Neill 2015, "Developing a seed_seq alternative").
    """
    # SeedSequence takes no negative numbers: count them modulo 2^64.
    state = np.random.SeedSequence([number % 2**64 for number in numbers])
    return int(state.generate_state(1, np.uint64)[0]) % 2**63
