"""A measure that foretells usefulness is found among those that do not; few pools allow no conclusion, and the sentence says so."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from lib.metrics.usefulness import foretell, gains_of_pools, measures_of_pools, what_foretells


def study(n: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    pools = [f"pool{i}" for i in range(n)]
    worth = np.linspace(-0.1, 0.1, n)
    gains = [{"pool": pool, "setting": s, "gain": w + 0.005 * rng.normal()} for s in ("a", "b") for pool, w in zip(pools, worth)]
    measures = {"good": worth + 0.005 * rng.normal(size=n), "noise": rng.normal(size=n), "flat": np.ones(n)}
    rows = [{"pool": pool, "measure": name, "value": value} for name, own in measures.items() for pool, value in zip(pools, own)]
    return pd.DataFrame(rows), pd.DataFrame(gains)


def test_the_measure_that_foretells_is_found_over_many_pools():
    table = foretell(*study(14), seed=0)
    assert list(table["measure"]) == ["good", "noise"] and table.loc[0, "low"] > 0.7 and table.loc[1, "low"] < 0 < table.loc[1, "high"]
    assert "foretold by good" in what_foretells(table) and "noise" not in what_foretells(table)


def test_rho_is_scipys_averaged_over_settings():
    measures, gains = study(9)
    values = measures.query("measure == 'noise'")["value"]
    own = [spearmanr(values, rows["gain"]).statistic for _, rows in gains.groupby("setting")]
    assert foretell(measures, gains, seed=0).set_index("measure").loc["noise", "rho"] == pytest.approx(np.mean(own))


def test_six_pools_and_many_measures_allow_none_either_and_a_measure_that_misleads_foretells_nothing():
    measures, gains = study(6)
    many = pd.concat([measures, *(measures.query("measure == 'noise'").assign(measure=f"noise {i}") for i in range(30))])
    assert "nothing can be concluded" in what_foretells(foretell(many, gains, seed=0))
    turned, gains = study(14)
    assert "foretold" not in what_foretells(foretell(turned.assign(value=-turned["value"]), gains, seed=0))


def test_the_least_p_value_of_drawn_orders_is_what_drawing_can_show():
    assert foretell(*study(14), seed=0).loc[0, "p"] >= foretell(*study(14), seed=0).loc[0, "p_least"] > 1e-4


def test_four_pools_allow_no_conclusion():
    table = foretell(*study(4), seed=0)
    assert (
        table.loc[0, "rho"] == 1 and table.loc[0, "p"] == pytest.approx(2 / 24) == table.loc[0, "p_least"] and np.isnan(table.loc[0, "low"])
    )
    assert "nothing can be concluded" in what_foretells(table)
    assert what_foretells(foretell(*study(2), seed=0)).startswith("Fewer than three")


def test_a_setting_that_few_pools_were_tried_in_does_not_cost_the_others():
    measures, gains = study(8)
    once = pd.DataFrame([{"pool": "pool0", "setting": "double", "gain": -0.4}])
    whole, more = foretell(measures, gains, seed=0), foretell(measures, pd.concat([gains, once]), seed=0)
    assert more["n_pools"].eq(8).all() and more["n_settings"].eq(2).all()
    pd.testing.assert_frame_equal(whole, more)


def test_chance_alone_is_rarely_significant():
    found = []
    for seed in range(40):
        measures, gains = study(7, seed)
        gains["gain"] = np.random.default_rng(seed + 99).normal(size=len(gains))
        found.append(foretell(measures, gains, seed=0).set_index("measure").loc["noise", "p"])
    assert np.mean(np.array(found) < 0.05) <= 0.15


def test_measures_are_oriented_and_gains_belong_to_their_pools():
    distances = pd.DataFrame([("pixels", "p", "fd", 3.0), ("pixels", "p", "recall", 0.4), ("pixels", "real", "fd", 0.1)],
                             columns=["space", "pool", "metric", "value"])  # fmt: skip
    apart = pd.DataFrame({"space": ["encoder"], "pool": ["p"], "accuracy": [0.9]})
    copied = pd.DataFrame({"space": ["pixels"], "pool": ["p"], "share": [0.2]})
    table = measures_of_pools(distances, apart, [{"pool": "p", "agreement": 0.5, "n": 3}], copied).set_index("measure")["value"]
    assert table.to_dict() == {"fd (pixels)": -3, "recall (pixels)": 0.4, "not told apart (encoder)": -0.9, "not memorised (pixels)": -0.2,
                               "labels agree with the judge": 0.5}  # fmt: skip
    runs = pd.DataFrame({"arm": ["base", "supplement-0.5-p", "shuffled-0.5-p"], "pool": ["", "p", "p"]})
    effects = pd.DataFrame({"arm": ["supplement-0.5-p", "shuffled-0.5-p", "supplement-0.5-p"], "role": ["base", "base", "control"],
                            "classifier": "small", "difference": [0.02, -0.1, 0.5]})  # fmt: skip
    assert gains_of_pools(effects, runs).to_dict("records") == [{"pool": "p", "setting": "supplement-0.5, small", "gain": 0.02}]
