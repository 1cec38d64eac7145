"""Where a line of gains crosses 0 it is found, with an interval that holds it; what was foretold of
a family owes nothing to that family.
"""

import numpy as np
import pandas as pd
import pytest

from lib.metrics.break_even import break_even, foresight, foretold
from lib.study.generations import family_of

FAMILIES = ("dcgan", "diffusion", "stylegan64", "folder")


def made_study(
    n: int = 24, *, seed: int = 0, noise: float = 0.005
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pools of four families whose gain is 0.2 x (agreement - 0.4), a distance that says the same,
    and a measure that says nothing.
    """
    rng = np.random.default_rng(seed)
    pools = [f"{FAMILIES[i % 4]}~gan_steps={i}" for i in range(n)]
    agreement = rng.uniform(0.1, 0.7, n)
    gain = 0.2 * (agreement - 0.4) + noise * rng.normal(size=n)
    distance = -(3 - 4 * agreement) + 0.05 * rng.normal(size=n)
    values = {"agreement": agreement, "distance": distance, "noise": rng.normal(size=n)}
    parts = [pd.DataFrame({"pool": pools, "measure": key, "value": v}) for key, v in values.items()]
    return pd.concat(parts), pd.DataFrame({"pool": pools, "setting": "a", "gain": gain})


def test_the_break_even_is_where_the_gain_is_0_in_the_units_of_the_measure():
    table = break_even(*made_study()).set_index("measure")
    assert table.loc["agreement", "break_even"] == pytest.approx(0.4, abs=0.03)
    assert table.loc["distance", "break_even"] == pytest.approx(1.4, abs=0.12)
    for measure in ("agreement", "distance"):
        row = table.loc[measure]
        assert row["low"] < row["break_even"] < row["high"]
        assert row["slope"] == pytest.approx(0.12, abs=0.02)


def test_the_interval_holds_the_break_even_in_95_of_100_studies():
    studies = [break_even(*made_study(seed=seed)) for seed in range(300)]
    rows = [table.set_index("measure").loc["agreement"] for table in studies]
    holds = [row["low"] <= 0.4 <= row["high"] for row in rows]
    assert 0.93 <= np.mean(holds) <= 0.97


def test_a_measure_that_says_nothing_has_no_bounds():
    row = break_even(*made_study()).set_index("measure").loc["noise"]
    assert np.isnan(row["low"]) and np.isnan(row["high"])


def test_pools_that_all_help_break_even_nowhere():
    measures, gains = made_study()
    table = break_even(measures, gains.assign(gain=gains["gain"] + 0.2))
    assert table[["break_even", "low", "high"]].isna().all(axis=None)


def test_few_pools_have_no_break_even_and_are_not_foretold():
    measures, gains = made_study(5)
    assert not len(break_even(measures, gains))
    assert not len(foretold(measures, gains))


def test_the_gains_of_a_family_are_foretold_from_the_others_alone():
    measures, gains = made_study()
    table = foretold(measures, gains)
    assert set(table["family"]) == set(FAMILIES) and len(table) == len(gains)

    # What training showed of the family changes nothing that is foretold of it.
    own = gains["pool"].map(family_of) == "dcgan"
    moved = foretold(measures, gains.assign(gain=gains["gain"] + own))
    for kind, expected in (("dcgan", True), ("diffusion", False)):
        same = moved["foretold"][moved["family"] == kind].to_numpy()
        before = table["foretold"][table["family"] == kind].to_numpy()
        assert np.allclose(same, before) == expected


def test_a_single_family_that_could_be_foretold_sums_up_to_nothing():
    measures, gains = made_study(9)
    alone = gains["pool"].map(family_of) == "dcgan"
    pools = [*gains["pool"][alone][:1], *(f"folder~gan_steps={i}" for i in range(8))]
    names = dict(zip(gains["pool"], pools))
    renamed = measures.replace({"pool": names}), gains.replace({"pool": names})
    table = foretold(*renamed)
    assert set(table["family"]) == {"dcgan"} and foresight(table) == []


def test_foresight_beats_the_mean_where_a_measure_foretells():
    (found,) = foresight(foretold(*made_study()))
    assert found.rho > 0.9 and found.n_pools == 24 and found.n_families == 4
    assert found.right_sign >= 20
    assert found.error < 0.3 * found.error_of_mean


def test_foresight_does_not_beat_the_mean_where_nothing_foretells():
    measures, gains = made_study()
    (found,) = foresight(foretold(measures[measures["measure"] == "noise"], gains))
    assert found.error > 0.9 * found.error_of_mean
