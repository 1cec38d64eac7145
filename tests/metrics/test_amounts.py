"""Gains at numbers of real images: every reading, every control, and the crossing where there is
one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from known_runs import BASE, LEAKED, N, control, study, supplement

from lib.faces.arms import ARM_FIELDS, REAL_SHARES, Arm
from lib.metrics.amount_sentences import amount_sentences, first_screen, headline_gains
from lib.metrics.amount_views import (
    advice_table,
    crossing_view,
    gains_by_reading,
    gains_by_score,
    worth_by_reading,
)
from lib.metrics.amounts import (
    ALONE,
    BEST,
    DUPLICATES,
    EQUAL_PASSES,
    EQUAL_STEPS,
    MIXED,
    READINGS,
    SHUFFLED,
    amounts_of,
)
from lib.metrics.crossing import (
    CROSSES,
    CROSSING_COLUMNS,
    FADES,
    LASTS,
    NEVER,
    Curve,
    crossing_table,
)
from lib.metrics.gains import GAIN_COLUMNS, gain_table, own_scorings, scores_of
from lib.metrics.predictions import Predictions
from lib.metrics.recovered import (
    BOUNDED,
    RECOVERED_COLUMNS,
    UNBOUNDED,
    UNDEFINED,
    ratio_of_means,
    recovered_table,
)
from lib.metrics.simulated_amounts import CROSSES_AT, found_crossings
from lib.metrics.statistics import ALPHA, EQUIVALENT, HELPS, HURTS, UNDECIDED, compare


def gains_of(predictions: Predictions) -> pd.DataFrame:
    return gain_table(amounts_of(predictions), predictions)


def of_accuracy(gains: pd.DataFrame, reading: str = BEST) -> pd.DataFrame:
    return gains[(gains["metric"] == "accuracy") & (gains["reading"] == reading)]


EVERY_ARM = {
    Arm("subset", real=50): 0.3,
    supplement(50): 0.45,
    control("duplicate", 50): 0.35,
    control("shuffled", 50): 0.25,
    control("extra", 50): 0.6,
    control("fewer_steps", 50): 0.28,
}


def test_every_arm_of_numbers_is_compared_with_its_real_images_alone_and_its_controls():
    gains = of_accuracy(gains_of(study(EVERY_ARM)))
    pairs = set(zip(gains["kind"], gains["against"]))
    assert pairs == {
        ("supplement", ALONE),
        ("supplement", DUPLICATES),
        ("supplement", SHUFFLED),
        ("duplicate", ALONE),
        ("shuffled", ALONE),
        ("extra", ALONE),
    }
    found = gains.set_index(["kind", "against"])
    for key, difference in {
        ("supplement", ALONE): 0.15,
        ("supplement", DUPLICATES): 0.1,
        ("supplement", SHUFFLED): 0.2,
        ("extra", ALONE): 0.3,
    }.items():
        assert found.loc[key, "difference"] == pytest.approx(difference, abs=0.03)
        assert found.loc[key, "verdict"] == HELPS
    assert found.loc[("shuffled", ALONE), "verdict"] == HURTS
    assert found["n_real"].eq(50).all()
    assert found.loc[("supplement", ALONE), "reference_score"] == pytest.approx(0.3, abs=0.02)


def test_what_the_generator_knew_stands_beside_synthetic_images_alone():
    gains = gains_of(study(EVERY_ARM))
    known = gains.groupby("kind")["knowledge"].unique().map(list).to_dict()
    assert known == {
        "supplement": ["external"],
        "shuffled": ["external"],
        "duplicate": [""],
        "extra": [""],
    }
    other = gains_of(study({Arm("subset", real=50): 0.3, supplement(50, "y"): 0.4}))
    assert set(other["knowledge"]) == {"not recorded"}


def test_all_real_images_are_counted_and_compared_with_base():
    predictions = study({BASE: 0.5, supplement(0): 0.55, Arm("subset", real=50): 0.3})
    gains = of_accuracy(gains_of(predictions))
    assert gains[["n_real", "reference"]].to_numpy().tolist() == [[1000, "base"]]


def test_old_arms_of_shares_have_no_row():
    predictions = study({BASE: 0.5, Arm("supplement", "x", 0.5): 0.6})
    gains = gains_of(predictions)
    assert not len(gains) and {*GAIN_COLUMNS, "p_holm", "verdict"} <= set(gains)
    amounts = amounts_of(predictions)
    recovered = recovered_table(amounts, predictions)
    crossings = crossing_table(amounts, predictions, gains)
    assert (list(recovered), len(recovered)) == ([*RECOVERED_COLUMNS], 0)
    assert (list(crossings), len(crossings)) == ([*CROSSING_COLUMNS], 0)
    assert amount_sentences(gains, recovered, crossings) == []
    assert not len(advice_table(gains))


# Best length: 4 for the supplement, 1 for its real images, 2 for the duplicates.
LENGTHS = {
    (Arm("subset", real=50), 1.0): 0.4,
    (Arm("subset", real=50), 2.0): 0.35,
    (Arm("subset", real=50), 4.0): 0.3,
    (supplement(50), 1.0): 0.3,
    (supplement(50), 2.0): 0.4,
    (supplement(50), 4.0): 0.5,
    (control("duplicate", 50), 1.0): 0.31,
    (control("duplicate", 50), 2.0): 0.45,
    (control("duplicate", 50), 4.0): 0.41,
    (control("fewer_steps", 50), 1.0): 0.2,
    (control("fewer_steps", 50), 2.0): 0.25,
    (control("fewer_steps", 50), 4.0): 0.26,
}


@pytest.mark.parametrize(
    ("against", "reading", "lengths", "reference", "difference"),
    [
        (ALONE, BEST, (4, 1), "subset", 0.1),
        (ALONE, EQUAL_STEPS, (1, 1), "subset", -0.1),
        (ALONE, EQUAL_PASSES, (4, 4), "fewer_steps", 0.24),
        (DUPLICATES, BEST, (4, 2), "duplicate", 0.05),
        (DUPLICATES, EQUAL_STEPS, (2, 2), "duplicate", -0.05),
        (DUPLICATES, EQUAL_PASSES, (4, 4), "duplicate", 0.09),
    ],
)
def test_each_reading_makes_another_thing_equal(against, reading, lengths, reference, difference):
    gains = of_accuracy(gains_of(study(LENGTHS)), reading)
    row = gains[(gains["against"] == against) & (gains["kind"] == "supplement")].iloc[0]
    assert (row["length"], row["reference_length"]) == lengths
    assert row["reference"].startswith(reference)
    assert row["difference"] == pytest.approx(difference, abs=0.03)


def test_equal_real_passes_take_the_steps_that_real_images_had():
    gains = of_accuracy(gains_of(study(LENGTHS)), EQUAL_PASSES)
    row = gains[(gains["against"] == ALONE) & (gains["kind"] == "supplement")].iloc[0]
    assert row["reference_steps"] == round(row["steps"] * 50 / 550)


def test_equal_steps_are_the_reference_s_best_of_those_that_both_took():
    short = {key: value for key, value in LENGTHS.items() if key != (supplement(50), 1.0)}
    gains = of_accuracy(gains_of(study(short)), EQUAL_STEPS)
    row = gains[(gains["against"] == ALONE) & (gains["kind"] == "supplement")].iloc[0]
    assert (row["length"], row["reference_length"]) == (2, 2)
    assert row["steps"] == row["reference_steps"]


def test_a_reading_that_was_not_trained_has_no_row():
    without = {key: value for key, value in LENGTHS.items() if key[0].kind != "fewer_steps"}
    gains = gains_of(study(without))
    assert EQUAL_PASSES not in set(gains[gains["against"] == ALONE]["reading"])
    assert set(gains[gains["against"] == DUPLICATES]["reading"]) == set(READINGS)


def test_arms_without_a_seed_in_common_are_not_compared():
    predictions = study({Arm("subset", real=50): 0.3, supplement(50): 0.4})
    runs = predictions.runs
    first = (runs["kind"] == "subset") == (runs["seed"] < 2)
    apart = replace(
        predictions,
        runs=runs[first].reset_index(drop=True),
        predicted={"test": predictions.predicted["test"][first.to_numpy()]},
    )
    assert not len(gains_of(apart))


def test_images_without_copies_in_training_are_scored_first():
    predictions = study(EVERY_ARM, leaked=True)
    assert own_scorings(predictions) == ["test-leakfree", "test"]
    gains = gains_of(predictions)
    assert gains["scoring"].iloc[0] == "test-leakfree"
    counts = gains.groupby("scoring")["n_images"].unique().map(list).to_dict()
    assert counts == {"test": [N], "test-leakfree": [N - LEAKED.sum()]}
    assert set(headline_gains(gains)["scoring"]) == {"test-leakfree"}


def test_a_gain_is_the_effect_of_the_paired_scores():
    predictions = study(EVERY_ARM)
    amounts = amounts_of(predictions)
    for metric in ("accuracy", "balanced_accuracy", "f1_macro"):
        scores = scores_of(amounts, predictions, "test", metric)
        own, alone = ((arm, "small", 1.0) for arm in (supplement(50), Arm("subset", real=50)))
        effect = compare(scores.matrix(alone), scores.matrix(own), clusters=np.arange(N))
        gains = gains_of(predictions)
        row = gains[(gains["metric"] == metric) & (gains["against"] == ALONE)].iloc[0]
        numbers = [row[name] for name in ("difference", "low", "high", "p", "n_seeds")]
        assert numbers == pytest.approx(
            [effect.difference, effect.low, effect.high, effect.p, effect.n_seeds]
        )


def test_holm_counts_the_sizes_and_pools_of_one_question():
    one = {Arm("subset", real=50): 0.3, supplement(50): 0.32}
    alone = of_accuracy(gains_of(study(one)))
    more = one | {supplement(50, "y"): 0.33, Arm("subset", real=100): 0.4}
    more |= {supplement(100): 0.41, control("extra", 50): 0.5}
    gains = of_accuracy(gains_of(study(more)))
    family = gains[gains["kind"] == "supplement"]
    assert len(family) == 3
    first = family.iloc[0]
    assert first["p"] == alone["p"].iloc[0] and first["p_holm"] > alone["p_holm"].iloc[0]
    # The ceiling is another question.
    ceiling = gains[gains["kind"] == "extra"].iloc[0]
    assert ceiling["p_holm"] == ceiling["p"]


def test_seeds_beyond_the_planned_ones_count_double():
    once, twice = (gains_of(study(EVERY_ARM, seeds=planned)) for planned in (4, 3))
    assert (once["analyses"].unique(), twice["analyses"].unique()) == ([1], [2])
    assert (twice["p_holm"] >= once["p_holm"]).all()


def ratio(numerator: float, denominator: float, *, images: int = 800, rng: int = 0):
    """A ratio of noisy means that are known."""
    drawn = np.random.default_rng(rng)
    noisy = [mean + 0.4 * drawn.normal(size=(6, images)) for mean in (numerator, denominator)]
    return ratio_of_means(*noisy, clusters=np.arange(images))


def test_the_ends_of_a_ratio_are_where_the_test_changes_its_mind():
    drawn = np.random.default_rng(1)
    a, b = (mean + 0.4 * drawn.normal(size=(6, 800)) for mean in (0.05, 0.2))
    found = ratio_of_means(a, b, clusters=np.arange(800))
    assert found.interval == BOUNDED
    assert found.value == pytest.approx(a.mean() / b.mean())
    for end in (found.low, found.high):
        assert compare(end * b, a).p == pytest.approx(ALPHA, abs=1e-3)
    assert found.low < found.value < found.high


def test_a_ratio_to_nothing_is_unbounded_and_to_an_exact_zero_undefined():
    assert ratio(0.05, 0.001).interval == UNBOUNDED
    assert ratio(0.05, 0.001).low == -np.inf
    nothing = ratio_of_means(np.ones((3, 50)), np.zeros((3, 50)), clusters=np.arange(50))
    assert nothing.interval == UNDEFINED and np.isnan(nothing.value)


def test_a_ratio_without_any_spread_is_exact():
    found = ratio_of_means(np.full((3, 50), 0.1), np.full((3, 50), 0.4), clusters=np.arange(50))
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_intervals_of_ratios_hold_the_true_ratio_in_95_of_100_studies():
    held = [ratio(0.04, 0.16, images=300, rng=number) for number in range(200)]
    share = np.mean([found.low <= 0.25 <= found.high for found in held])
    # The standard error of a share of 0.95 over 200 studies is 0.015.
    assert 0.9 <= share <= 0.99


def test_the_recovered_fraction_is_a_share_of_what_real_images_bring():
    predictions = study(EVERY_ARM)
    table = recovered_table(amounts_of(predictions), predictions)
    best = of_accuracy(table).set_index("kind")
    assert set(best.index) == {"supplement", "duplicate"}
    assert best.loc["supplement", "recovered"] == pytest.approx(0.5, abs=0.08)
    assert best.loc["duplicate", "recovered"] == pytest.approx(1 / 6, abs=0.08)
    assert best["interval"].eq(BOUNDED).all()
    assert (best["low"] < best["recovered"]).all() and (best["recovered"] < best["high"]).all()


def test_without_held_back_real_images_nothing_is_recovered():
    predictions = study({BASE: 0.5, supplement(0): 0.55})
    assert not len(recovered_table(amounts_of(predictions), predictions))


def curve(gain: list[float], reach: float = 0.01) -> Curve:
    sizes, gain = 100.0 * 2 ** np.arange(len(gain)), np.array(gain)
    return Curve(sizes, gain, gain - reach, gain + reach)


def test_a_curve_crosses_where_its_line_in_the_logarithm_does():
    falling = curve([0.03, 0.01, -0.01, -0.03])
    assert falling.crossing() == pytest.approx(200 * 2**0.5)
    assert falling.zero_within() == [pytest.approx((200, 400))]


def test_only_the_last_fall_below_zero_is_a_crossing():
    assert curve([0.02, -0.02, 0.02, -0.02]).crossing() == pytest.approx(400 * 2**0.5)
    assert np.isnan(curve([0.02, -0.02, 0.02]).crossing())
    assert np.isnan(curve([-0.02, -0.01]).crossing())


def test_every_stretch_without_a_shown_sign_is_listed():
    both = curve([0.03, 0.005, 0.03, -0.03, 0.0])
    first, between, last = both.zero_within()
    # Where the sign turns between two sizes, the interval holds 0 on the way.
    assert 400 < between[0] < between[1] < 800
    assert last[1] == both.sizes[-1]
    assert curve([0.03, 0.02]).zero_within() == []


def crossings_of(predictions: Predictions) -> pd.DataFrame:
    amounts = amounts_of(predictions)
    return crossing_table(amounts, predictions, gain_table(amounts, predictions))


def sizes_of(gains: dict[int, float], **fields) -> dict:
    """Arms of several sizes whose gain is known."""
    arms = {}
    for place, (size, gain) in enumerate(gains.items()):
        arms[Arm("subset", real=size)] = 0.3 + 0.05 * place
        arms[supplement(size, **fields)] = 0.3 + 0.05 * place + gain
    return arms


@pytest.mark.parametrize(
    ("gains", "outcome"),
    [
        ({50: 0.1, 100: 0.1, 200: -0.1}, CROSSES),
        ({50: 0.1, 100: 0.1, 200: 0.1}, LASTS),
        ({50: 0.0, 100: 0.0, 200: 0.0}, NEVER),
        ({50: -0.1, 100: -0.1, 200: -0.1}, NEVER),
    ],
)
def test_a_crossing_is_stated_where_a_gain_is_shown_before_it(gains, outcome):
    row = crossings_of(study(sizes_of(gains))).iloc[0]
    assert row["outcome"] == outcome
    assert (row["smallest"], row["largest"], row["sizes"]) == (50, 200, 3)
    assert np.isnan(row["crossing"]) == (outcome != CROSSES)
    if outcome == CROSSES:
        assert row["low"] < 141 < row["high"] and row["shown_up_to"] == 100


def test_a_gain_that_is_not_shown_any_more_but_never_below_zero_fades():
    row = crossings_of(study(sizes_of({50: 0.2, 100: 0.2, 200: 0.004}))).iloc[0]
    assert row["outcome"] == FADES and np.isnan(row["crossing"])
    assert row["high"] == 200 and row["low"] > 100


def test_sizes_may_have_other_numbers_of_draws():
    predictions = study(sizes_of({50: 0.1, 100: 0.1, 200: -0.1}))
    runs = predictions.runs
    kept = ~((runs["real"] == 200) & (runs["seed"] >= 2)).to_numpy()
    fewer = replace(
        predictions,
        runs=runs[kept].reset_index(drop=True),
        predicted={"test": predictions.predicted["test"][kept]},
    )
    row = crossings_of(fewer).iloc[0]
    assert (row["outcome"], row["n_seeds"]) == (CROSSES, 2)


def test_one_size_has_no_crossing():
    assert not len(crossings_of(study(EVERY_ARM)))


SOME = {
    Arm("subset", real=50): 0.3,
    supplement(50): 0.45,
    control("duplicate", 50): 0.35,
    control("extra", 50): 0.6,
    Arm("subset", real=200): 0.5,
    supplement(200): 0.4,
    control("duplicate", 200): 0.5,
    control("extra", 200): 0.6,
}


def sentences_of(predictions: Predictions) -> list[str]:
    amounts = amounts_of(predictions)
    gains = gain_table(amounts, predictions)
    recovered = recovered_table(amounts, predictions)
    found = amount_sentences(gains, recovered, crossing_table(amounts, predictions, gains))
    return [sentence.text for sentence in found]


def test_the_sentences_are_printed_from_the_tables():
    sentences = sentences_of(study(SOME))
    text = " ".join(sentences)
    assert sentences[1].startswith("The help of x ends at about")
    for words in (
        "Beside 50 real images, 500 generated ones (x) change accuracy by",
        "x, 500 images: its generator knew none of the study's images.",
        ": they help (adjusted 95% interval",
        "with each set at its best length; 4 draws, 1,200 test images)",
        "As many real images would change it by",
        "Compared with class-matched copies of 50 real images",
    ):
        assert words in text
    assert sentences[2].startswith("These are accuracies of one network (named small) on one")
    assert sentences[-1] == "All readings give the same verdict in 2 of 2 cases."


def test_readings_that_disagree_come_first_and_are_named_on_the_first_screen():
    predictions = study(LENGTHS | {control("extra", 50): 0.6})
    sentences = sentences_of(predictions)
    assert sentences[0].startswith("In 1 of 1 cases the verdict depends on how the length of")
    for words in (
        "Beside 50 real images it is “helps” with each set at its",
        "but “hurts” at equal",
    ):
        assert words in sentences[0]
    assert not any("depends on how" in sentence for sentence in sentences_of(study(SOME)))
    amounts, gains = amounts_of(predictions), gains_of(predictions)
    found = recovered_table(amounts, predictions), crossing_table(amounts, predictions, gains)
    limits = first_screen(gains, *found)[-1]
    assert " is made equal matters: at equal steps they hurt beside 50 (" in limits


def test_one_amount_of_each_pool_is_shown_in_real_class_shares_at_most_sizes():
    balanced = replace(supplement(50), class_shares="")
    arms = SOME | {balanced: 0.4, supplement(50, added=900): 0.5, supplement(50, "y"): 0.4}
    shown = headline_gains(gains_of(study(arms)))
    of_pools = shown[shown["kind"] == "supplement"]
    assert set(zip(of_pools["pool"], of_pools["added"], of_pools["class_shares"])) == {
        ("x", 500, REAL_SHARES),
        ("y", 500, REAL_SHARES),
    }
    assert set(shown["kind"]) == {"supplement", "duplicate", "extra"}


def test_what_to_do_follows_from_the_verdicts():
    advice = advice_table(gains_of(study(SOME))).set_index("real images")["what to do"]
    assert advice[50] == "add x: they bring more than copies of the real images do"
    assert advice[200].startswith("mix none in: every pool that was tried hurts")
    copies = SOME | {control("duplicate", 50): 0.45}
    advice = advice_table(gains_of(study(copies))).set_index("real images")["what to do"]
    assert advice[50].startswith("repeat the real images by class")


def test_the_tables_carry_the_fields_of_the_arm():
    predictions = study(SOME)
    gains = gains_of(predictions)
    recovered = recovered_table(amounts_of(predictions), predictions)
    assert {*ARM_FIELDS} <= set(gains) & set(recovered)
    assert set(gains["verdict"]) <= {HELPS, HURTS, EQUIVALENT, UNDECIDED}


def rates(world: str, studies: int, images: int) -> pd.DataFrame:
    """Outcomes in one world, and whether the interval of a crossing holds the true one."""
    found = found_crossings(world, studies, images=images)
    return found.assign(holds=(found["low"] <= CROSSES_AT) & (CROSSES_AT <= found["high"]))


def test_in_small_simulated_studies_a_crossing_is_found_where_it_is():
    found = rates("fades", 8, 1500)
    known = found[found["outcome"] == CROSSES]
    assert len(known) >= 4 and known["holds"].mean() >= 0.8
    assert not found["outcome"].eq(LASTS).any()
    assert known["crossing"].median() == pytest.approx(CROSSES_AT, rel=0.35)


@pytest.mark.parametrize("world", ["lasts", "nothing"])
def test_in_small_simulated_studies_no_crossing_is_found_where_there_is_none(world):
    found = rates(world, 6, 1500)
    assert found["outcome"].eq(CROSSES).sum() <= 1
    assert found["outcome"].eq({"lasts": LASTS, "nothing": NEVER}[world]).sum() >= 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "outcome", "least"),
    [("fades", CROSSES, 0.85), ("lasts", LASTS, 0.85), ("nothing", NEVER, 0.9)],
)
def test_simulated_studies_of_the_published_size_find_what_is_true(world, outcome, least):
    found = rates(world, 60, 3500)
    assert found["outcome"].eq(outcome).mean() >= least
    assert found["outcome"].eq(CROSSES).mean() <= 0.05 or world == "fades"
    # The standard error of a share of 0.95 over 60 studies is 0.03.
    assert found.loc[found["outcome"] == CROSSES, "holds"].mean() >= 0.88 or world != "fades"


def test_other_uses_of_the_same_images_are_compared_with_the_mixture():
    staged_arm = replace(supplement(50), kind="staged")
    weighted = replace(supplement(50), kind="weighted", weight=0.5)
    predictions = study(EVERY_ARM | {staged_arm: 0.5, weighted: 0.4})
    gains = of_accuracy(gains_of(predictions))
    against = gains[gains["kind"] == "staged"].set_index("against")["difference"]
    assert set(against.index) == {ALONE, DUPLICATES, MIXED}
    assert against[MIXED] == pytest.approx(0.05, abs=0.03)
    assert set(headline_gains(gains)["kind"]) == {"supplement", "shuffled", "duplicate", "extra"}
    named = set(gains_by_reading(gains)["of"])
    staged, weighted = "generated images first, real ones last", "mixed in at weight 0.5"
    beside_more = {Arm("subset", real=90): 0.3, replace(supplement(90), kind="staged"): 0.4}
    crossings = crossings_of(study(EVERY_ARM | {staged_arm: 0.5} | beside_more))
    assert f"x, {staged}" in set(crossing_view(crossings)["of"])
    assert {"x", f"x, {staged}", f"x, {weighted}", "x, labels shuffled"} <= named


def test_tables_for_reading_have_a_row_an_arm_and_reference_and_a_column_a_reading():
    predictions = study(LENGTHS | {control("extra", 50): 0.6})
    amounts = amounts_of(predictions)
    gains = gain_table(amounts, predictions)
    shown = gains_by_reading(gains)
    assert list(shown)[-3:] == list(READINGS) and len(shown) == 4
    assert shown.loc[shown["of"] == "x", "class shares"].eq("of the real images").all()
    assert "helps" in shown[BEST].iloc[0] and "hurts" in shown[EQUAL_STEPS].iloc[0]
    worth = worth_by_reading(recovered_table(amounts, predictions))
    assert worth["of"].tolist() == ["x", "copies of them"]
    by_score = gains_by_score(gains)
    assert {"accuracy, test", "f1_macro, test"} <= set(by_score)
    crossings = crossings_of(study(sizes_of({50: 0.1, 100: 0.1, 200: -0.1})))
    assert crossing_view(crossings)["ends at"].between(100, 200).any()
    for view, table in ((gains_by_reading, gains), (gains_by_score, gains)):
        assert not len(view(table[:0]))
