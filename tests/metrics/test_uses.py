"""Ways to use the same images: the choice among them has no part of the test images."""

from dataclasses import replace

import pytest
from known_runs import study, supplement

from lib.faces.arms import Arm
from lib.metrics.amounts import ALONE, MIXED, amounts_of
from lib.metrics.gains import gain_table
from lib.metrics.lengths import length_choice
from lib.metrics.statistics import HELPS
from lib.metrics.uses import gains_by_use, use_sentences

ALONE_50, ALONE_90 = (Arm("subset", real=real) for real in (50, 90))
STAGED = replace(supplement(50), kind="staged")
WEIGHTED = replace(supplement(50), kind="weighted", weight=0.25)
FIRST = "generated images first, real ones last"
ACCURACIES = {ALONE_50: 0.3, supplement(50): 0.4, STAGED: 0.5, WEIGHTED: 0.35}


def tables(accuracies: dict, **val: float):
    """Gains and lengths of runs of known accuracy; by kind: another accuracy on val."""
    predictions = study(accuracies)
    runs = predictions.runs
    on_val = runs["kind"].map(val).fillna(runs["accuracy_val"])
    predictions = replace(predictions, runs=runs.assign(accuracy_val=on_val, accuracy_train=1.0))
    return gain_table(amounts_of(predictions), predictions), length_choice(predictions.runs)


def test_every_use_is_read_over_the_real_images_alone_and_over_mixing_them_in():
    uses = gains_by_use(*tables(ACCURACIES))
    found = uses.set_index(["use", "against"])["difference"]
    staged, mixed = FIRST, "mixed in"
    assert found[staged, ALONE] == pytest.approx(0.2, abs=0.03)
    assert found[staged, MIXED] == pytest.approx(0.1, abs=0.03)
    assert found[mixed, ALONE] == pytest.approx(0.1, abs=0.03)
    assert set(uses["use"]) == {staged, mixed, "mixed in at weight 0.25"}
    assert (mixed, MIXED) not in found.index


def test_the_use_is_chosen_on_validation_images_alone():
    """Staged images are best on test; on val the weighted ones are."""
    uses = gains_by_use(*tables(ACCURACIES, weighted=0.9))
    assert set(uses.loc[uses["chosen"], "kind"]) == {"weighted"}
    assert uses["name"].str.endswith("(chosen on validation images)").equals(uses["chosen"])


def test_a_sentence_says_what_the_chosen_use_brings():
    (sentence,) = use_sentences(*tables(ACCURACIES), unit="draws")
    assert sentence.text.startswith(
        "Of 3 ways to use x beside 50 real images the best on validation images is: "
        f"{FIRST}. Over the real images alone +"
    )
    assert "they help (" in sentence.text and "over mixing the same images in +" in sentence.text
    assert (sentence.word, sentence.verdict) == (f"Best {FIRST}", HELPS)
    assert sentence.about.startswith("of accuracy by adding 500 generated images to 50 real ones")
    assert sentence.number in sentence.text and sentence.text.endswith("4 draws).")


def test_a_use_that_is_not_shown_to_help_is_no_answer():
    (sentence,) = use_sentences(*tables(ACCURACIES | {STAGED: 0.3}, staged=0.9), unit="draws")
    assert sentence.word == "No way to use them is shown to help"


def test_where_mixing_in_is_best_it_is_not_compared_with_itself():
    (sentence,) = use_sentences(*tables(ACCURACIES, supplement=0.9), unit="draws")
    assert "is: mixed in. Over" in sentence.text and "over mixing" not in sentence.text


def test_images_that_are_used_in_one_way_alone_have_no_sentence():
    """Beside 90 real images nothing is chosen, though beside 50 something is."""
    one = ACCURACIES | {ALONE_90: 0.3, supplement(90): 0.4}
    assert len(use_sentences(*tables(one), unit="draws")) == 1
    assert use_sentences(*tables({ALONE_50: 0.3, supplement(50): 0.4}), unit="draws") == []
    assert set(gains_by_use(*tables(one))["n_real"]) == {50}


def test_a_study_without_numbers_of_images_has_no_uses():
    gains, lengths = tables({Arm("base"): 0.5})
    assert not len(gains_by_use(gains, lengths)) and use_sentences(gains, lengths, unit="x") == []
