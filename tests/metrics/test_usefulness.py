"""A measure that predicts usefulness is found among those that do not; few pools allow no
conclusion, and the sentence says so.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from lib.faces.arms import Arm
from lib.metrics.usefulness import (
    gains_of_pools,
    measures_of_pools,
    setting_text,
    usefulness_correlations,
    usefulness_sentence,
)


def made_study(n: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures and gains of some pools: one measure is good, one is noise, one is constant."""
    rng = np.random.default_rng(seed)
    pools = [f"pool{number}" for number in range(n)]
    worth = np.linspace(-0.1, 0.1, n)
    gains = []
    for setting in ("a", "b"):
        for pool, value in zip(pools, worth):
            gain = value + 0.005 * rng.normal()
            gains.append({"pool": pool, "setting": setting, "gain": gain})
    values = {
        "good": worth + 0.005 * rng.normal(size=n),
        "noise": rng.normal(size=n),
        "flat": np.ones(n),
    }
    parts = [
        pd.DataFrame({"pool": pools, "measure": name, "value": own}) for name, own in values.items()
    ]
    return pd.concat(parts, ignore_index=True), pd.DataFrame(gains)


def correlations(n: int) -> pd.DataFrame:
    return usefulness_correlations(*made_study(n), seed=0)


def test_the_measure_that_predicts_is_found_over_many_pools():
    table = correlations(14)
    assert list(table["measure"]) == ["good", "noise"]
    assert table.loc[0, "low"] > 0.7
    assert table.loc[1, "low"] < 0 < table.loc[1, "high"]
    assert "predicted by good" in usefulness_sentence(table)
    assert "noise" not in usefulness_sentence(table)


def test_rho_is_scipys_averaged_over_settings():
    measures, gains = made_study(9)
    values = measures.query("measure == 'noise'")["value"]
    own = [spearmanr(values, rows["gain"]).statistic for _, rows in gains.groupby("setting")]
    table = usefulness_correlations(measures, gains, seed=0).set_index("measure")
    assert table.loc["noise", "rho"] == pytest.approx(np.mean(own))


def test_six_pools_and_many_measures_allow_no_conclusion():
    measures, gains = made_study(6)
    noise = measures.query("measure == 'noise'")
    many = pd.concat([measures, *(noise.assign(measure=f"noise {i}") for i in range(30))])
    table = usefulness_correlations(many, gains, seed=0)
    assert "nothing can be concluded" in usefulness_sentence(table)


def test_a_measure_that_misleads_predicts_nothing():
    measures, gains = made_study(14)
    turned = measures.assign(value=-measures["value"])
    table = usefulness_correlations(turned, gains, seed=0)
    assert "predicted by" not in usefulness_sentence(table)


def test_the_least_p_value_of_drawn_orders_is_what_drawing_can_show():
    first = correlations(14).iloc[0]
    assert first["p"] >= first["p_least"] > 1e-4


def test_four_pools_allow_no_conclusion():
    table = correlations(4)
    first = table.iloc[0]
    assert first["rho"] == 1
    assert first["p"] == pytest.approx(2 / 24) == first["p_least"]
    assert np.isnan(first["low"])
    assert "nothing can be concluded" in usefulness_sentence(table)


def test_two_pools_have_no_correlation():
    assert usefulness_sentence(correlations(2)).startswith("Fewer than three")


def test_a_setting_that_few_pools_were_tried_in_does_not_cost_the_others():
    measures, gains = made_study(8)
    once = pd.DataFrame([{"pool": "pool0", "setting": "double", "gain": -0.4}])
    whole = usefulness_correlations(measures, gains, seed=0)
    more = usefulness_correlations(measures, pd.concat([gains, once]), seed=0)
    assert more["n_pools"].eq(8).all()
    assert more["n_settings"].eq(2).all()
    pd.testing.assert_frame_equal(whole, more)


def test_chance_alone_is_rarely_significant():
    p_values = []
    for seed in range(40):
        measures, gains = made_study(7, seed)
        gains["gain"] = np.random.default_rng(seed + 99).normal(size=len(gains))
        table = usefulness_correlations(measures, gains, seed=0).set_index("measure")
        p_values.append(table.loc["noise", "p"])
    assert np.mean(np.array(p_values) < 0.05) <= 0.15


def test_measures_are_oriented_so_that_more_promises_more_use():
    distances = pd.DataFrame(
        [("pixels", "p", "fd", 3.0), ("pixels", "p", "recall", 0.4), ("pixels", "real", "fd", 0.1)],
        columns=["space", "pool", "metric", "value"],
    )
    two_sample = pd.DataFrame({"space": ["encoder"], "pool": ["p"], "accuracy": [0.9]})
    memorised = pd.DataFrame({"space": ["pixels"], "pool": ["p"], "share": [0.2]})
    gates = [{"pool": "p", "agreement": 0.5, "n": 3}]
    table = measures_of_pools(distances, two_sample, gates, memorised)
    assert table.set_index("measure")["value"].to_dict() == {
        "Fréchet distance (pixels)": -3,
        "recall (pixels)": 0.4,
        "not separable (encoder)": -0.9,
        "not memorised (pixels)": -0.2,
        "label agreement, %": 50.0,
    }


def test_gains_are_differences_to_base_of_arms_with_a_pool():
    supplement = Arm("supplement", "p", 0.5)
    rows = [
        (supplement, "base", 0.02),
        (Arm("shuffled", "p", 0.5, control_of="supplement"), "base", -0.1),
        (Arm("duplicate", share=0.5, control_of="supplement"), "base", 0.3),
        (supplement, "control", 0.5),
    ]
    effects = pd.DataFrame(
        [
            asdict(arm) | {"role": role, "classifier": "small", "difference": difference}
            for arm, role, difference in rows
        ]
    )
    effects = effects.assign(low=0.0, high=0.03)
    setting = "Added to the real images: 50% of the training images"
    expected = {"pool": "p", "setting": setting, "gain": 0.02, "low": 0.0, "high": 0.03}
    assert gains_of_pools(effects).to_dict("records") == [expected]

    # No verdict stands beside a gain, so its interval is of this pool alone.
    decided = gains_of_pools(effects.assign(low_decided=-0.01, high_decided=0.05))
    assert decided[["low", "high"]].to_numpy().tolist() == [[0.0, 0.03]]

    # Several classifiers are told apart.
    both = pd.concat([effects, effects.assign(classifier="fast")])
    assert set(gains_of_pools(both)["setting"]) == {f"{setting}, small", f"{setting}, fast"}
    numbers = Arm("supplement", "p", real=718, added=2871)
    assert setting_text(numbers) == "2,871 images beside 718 real ones"
