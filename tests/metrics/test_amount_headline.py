"""Word, number, sentences and advice of the answer, on simulated studies whose truth is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import arm_of
from lib.metrics.amount_headline import advice_sentences, headline_bytes, headline_of
from lib.metrics.amount_predictions import decided_predictions
from lib.metrics.amount_sentences import (
    DEPENDS,
    FEW,
    HARM,
    HELP,
    NO_DIFFERENCE,
    NO_GAIN,
    answer_word,
    headline_gains,
    headline_sentences,
    leading_pool,
)
from lib.metrics.amount_views import ADVICE_COLUMNS, advice_table, draws_view, preregistered_view
from lib.metrics.amount_words import draws_text, worth_text
from lib.metrics.crossing import CROSSES, FADES, LASTS, NEVER
from lib.metrics.predictions import Predictions
from lib.metrics.published import amount_tables
from lib.metrics.recovered import BOUNDED
from lib.metrics.simulated_amounts import POOL, WORLDS, simulated_study
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED

FACTS = {"study": "simulated", "draws": True}


def study_of(world: str) -> Predictions:
    """A simulated study with the columns that a published one has."""
    predictions = simulated_study(np.random.default_rng(4), WORLDS[world], images=1500)
    runs = predictions.runs.assign(accuracy_val=0.3, accuracy_train=0.4, length=1.0)
    return replace(predictions, runs=runs, facts=predictions.facts | FACTS)


@pytest.fixture(scope="module", params=["fades", "nothing"])
def answered(request) -> tuple[str, dict, dict]:
    """A world, its tables and its headline."""
    predictions = study_of(request.param)
    tables = amount_tables(predictions)
    return request.param, tables, headline_of(tables, predictions.facts, "draws")


def test_the_word_is_true_of_the_world(answered):
    world, tables, headline = answered
    assert headline["word"] == {"fades": FEW, "nothing": NO_GAIN}[world]
    assert headline["verdict"] == {"fades": HELPS, "nothing": ""}[world]
    first = tables["gains"].query("n_real == 287 and kind == 'supplement' and metric == 'accuracy'")
    assert headline["number"] == f"{100 * first['difference'].iloc[0]:+.1f} points".replace(
        "-", "−"
    )


def test_the_number_says_beside_how_many_real_images_no_gain_is_shown(answered):
    world, _, headline = answered
    ends = headline["about"].endswith("; mixed in beside 718 and more they show no gain")
    assert ends == (world == "fades") and ", from " in headline["about"]


def test_three_sentences_hold_reading_draws_images_and_what_they_do_not_say(answered):
    _, _, headline = answered
    few, end, limits = headline["first_screen"]
    assert few.startswith("Beside 287 real images, 5,000 generated ones (simulated)")
    for part in ("with each set at its best length", "10 draws", "test images", "is worth"):
        assert part in few
    assert "Beside 7,177 they change accuracy by" in end and "; 10 draws)" in end
    assert "say nothing about other networks" in limits


def test_advice_is_for_few_and_many_and_names_what_real_images_bring(answered):
    world, _, headline = answered
    advice = headline["advice"]
    if world == "fades":
        assert advice[0].startswith("With few (287") and "add simulated" in advice[0]
        assert advice[-2].startswith("With many (") and "mix none in" in advice[-2]
    assert advice[-1].startswith("Real images are worth more: 5,000 more of them add, in points, +")


def test_the_headline_is_the_same_bytes_each_time(answered):
    _, tables, headline = answered
    again = headline_of(tables, {**FACTS, "margin": 0.005}, "draws")
    assert headline_bytes(again) == headline_bytes(headline)
    assert json.loads(headline_bytes(headline)) == headline


def rows_of(verdicts: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"verdict": verdicts})


@pytest.mark.parametrize(
    ("verdicts", "outcome", "word"),
    [
        ([HELPS, HELPS, UNDECIDED], FADES, FEW),
        ([HELPS, HURTS], CROSSES, FEW),
        ([HELPS, HELPS], LASTS, HELP),
        ([UNDECIDED, HELPS], LASTS, HELP),
        ([UNDECIDED, HELPS, HURTS], CROSSES, DEPENDS),
        ([HURTS, HURTS], NEVER, HARM),
        ([EQUIVALENT, EQUIVALENT], NEVER, NO_DIFFERENCE),
        ([UNDECIDED, HURTS], NEVER, NO_GAIN),
    ],
)
def test_every_pattern_of_verdicts_has_its_word(verdicts, outcome, word):
    assert answer_word(rows_of(verdicts), {"outcome": outcome})[0] == word


def test_neighbouring_numbers_with_the_same_advice_stand_together():
    texts = ["add x", "add x", "repeat", "add nothing"]
    table = pd.DataFrame({"real images": [287, 718, 2871, 28709], "what to do": texts})
    assert advice_sentences(table) == [
        "With few (287 to 718 real images), add x.",
        "With some (2,871 real images), repeat.",
        "With many (28,709 real images), add nothing.",
    ]
    assert advice_sentences(table[:2]) == ["With 287 to 718 real images, add x."]


def test_a_pool_that_saw_all_images_is_advised_to_nobody_who_has_fewer():
    predictions = study_of("lasts")
    knows_all = replace(predictions, facts=predictions.facts | {"knowledge": {POOL: "all images"}})
    advice = [advice_table(amount_tables(one)["gains"]) for one in (predictions, knows_all)]
    assert [len(table) for table in advice] == [5, 0] and list(advice[0]) == [*ADVICE_COLUMNS]


def test_a_number_that_was_looked_at_before_is_tested_more_strictly():
    predictions = study_of("fades")
    runs = predictions.runs.assign(analyses=1 + (predictions.runs["real"] == 287))
    once, twice = (
        amount_tables(one)["gains"] for one in (predictions, replace(predictions, runs=runs))
    )
    seen = once["n_real"] == 287
    assert (twice["analyses"] == once["analyses"] + seen).all()
    assert (twice.loc[seen, "p_holm"] >= once.loc[seen, "p_holm"]).all()


def test_draws_are_counted_by_number_of_real_images_and_kind():
    runs = study_of("nothing").runs
    fewer = runs[~((runs["real"] == 718) & (runs["kind"] == "extra") & (runs["seed"] > 3))]
    drawn = draws_view(fewer).set_index("real images")
    assert drawn.loc["718", "held-back real images"] == "4"
    assert drawn.loc["718", "with a pool"] == "10" and drawn.loc["287", "copies"] == ""
    assert not len(draws_view(runs[runs["added"] < 0]))


def with_a_second_pool(pool: str, knowledge: str) -> Predictions:
    """The same runs once more, under the name of another pool, whose generator knew something."""
    predictions = study_of("fades")
    good = predictions.good
    again = good[good["pool"] == POOL].assign(pool=pool)
    again["arm"] = [arm_of(row).name for row in again.to_dict("records")]
    runs = pd.concat([good, again], ignore_index=True)
    predicted = {name: rows[runs["row"]] for name, rows in predictions.predicted.items()}
    knew = {"knowledge": {POOL: "external", pool: knowledge}}
    facts = predictions.facts | knew
    return replace(predictions, runs=runs.drop(columns="row"), predicted=predicted, facts=facts)


def test_a_generator_that_learnt_from_the_same_images_has_its_sentence():
    both = with_a_second_pool("diffusion-287", "same images")
    few, _, same, limits = headline_of(amount_tables(both), both.facts, "draws")["sentences"]
    assert "(simulated)" in few and limits.startswith("These are accuracies")
    beginning = "As many images of a generator that learnt from the same real images alone change"
    assert same.startswith(beginning) and "10 draws): they help, and by" in same
    places = [same.index(f"points beside {number} (") for number in ("287", "718", "2,871")]
    assert places == sorted(places)


def test_the_answer_is_about_the_pool_that_was_trained_beside_most_numbers_of_real_images():
    gains = amount_tables(with_a_second_pool("a-first-pool", "same images"))["gains"]
    few = gains[(gains["pool"] == POOL) | (gains["n_real"] == 287)]
    turned = few.sort_values("pool", kind="stable")
    assert turned["pool"].drop_duplicates().tolist()[:2] == ["", "a-first-pool"]
    assert leading_pool(headline_gains(turned)) == POOL


def test_a_worth_of_nothing_has_no_sign():
    row = {"recovered": -0.001, "low": -0.004, "high": 0.2, "interval": BOUNDED}
    assert worth_text(row) == "0.00 real ones (95% interval 0.00 to 0.20)"


def test_a_pool_that_knew_all_faces_is_told_as_a_bound_beside_one_that_did_not():
    both = with_a_second_pool("diffusion-all", "all images")
    headline = headline_of(amount_tables(both), both.facts, "draws")
    few, _, bound, limits = headline["sentences"]
    assert "(simulated)" in few and limits.startswith("These are accuracies")
    assert bound.startswith("An upper bound: as many images of a generator that learnt from all")
    assert "beside 287" in bound and "beside 7,177" in bound
    assert "simulated, beside 287 / 718" in headline["alt"]
    assert "diffusion, all faces, beside 287 / 718" in headline["alt"]


def test_different_numbers_of_draws_are_said_to_be_a_range():
    assert draws_text("287: 6; 718: 6", "draws") == "6 draws"
    assert draws_text("287: 6; 28709: 3", "seeds") == "3 to 6 seeds"


def test_predictions_are_held_against_the_best_length_of_their_pool():
    predictions = study_of("fades")
    runs = predictions.runs.assign(pool=predictions.runs["pool"].replace(POOL, "folder"))
    tables = amount_tables(replace(predictions, runs=runs))
    decided = tables["preregistered"].set_index("id")
    assert decided.loc["P1", "measured"] and decided.loc["P2", "measured"]
    assert decided.loc["P3", "outcome"] == "not measured"
    assert {"prediction", "predicted"} <= set(preregistered_view(tables["preregistered"]))

    # Of another pool, or of other data, nothing was predicted.
    found = [tables[name] for name in ("gains", "recovered", "crossings")]
    assert not len(decided_predictions(*found, why_not="drawings"))
    assert not len(amount_tables(predictions)["preregistered"])


def test_a_study_without_numbers_of_images_has_no_headline():
    tables = amount_tables(study_of("nothing"))
    empty = {name: table[:0] for name, table in tables.items()}
    assert headline_of(empty, FACTS, "draws") == {}
    found = (empty["gains"], empty["recovered"], empty["crossings"])
    assert headline_sentences(*found) == []
