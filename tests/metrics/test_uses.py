"""Ways to use the same images: the choice among them has no part of the test images."""

from dataclasses import replace

import pandas as pd
import pytest
from known_runs import control, study, supplement

from lib.faces.arms import Arm
from lib.metrics.amount_headline import other_uses
from lib.metrics.amount_sentences import headline_gains
from lib.metrics.amount_views import advice_table, gains_by_reading
from lib.metrics.amounts import ALONE, BEST, BEST_ALONE, MIXED, SHUFFLED, amounts_of
from lib.metrics.gains import gain_table
from lib.metrics.statistics import HELPS, UNDECIDED
from lib.metrics.uses import (
    advice_of_better,
    beyond_training,
    chosen_arms,
    gains_by_use,
    leading_uses,
    use_sentences,
    uses_view,
    with_better_training,
)

ALONE_50, ALONE_90 = (Arm("subset", real=real) for real in (50, 90))
STAGED = replace(supplement(50), kind="staged")
WEIGHTED = replace(supplement(50), kind="weighted", weight=0.25)
FIRST = "generated images first, real ones last"
ACCURACIES = {ALONE_50: 0.3, supplement(50): 0.4, STAGED: 0.5, WEIGHTED: 0.35}


def uses_of(accuracies: dict, **val: float) -> pd.DataFrame:
    """The uses of runs of known accuracy; by kind: another accuracy on val."""
    predictions = study(accuracies)
    runs = predictions.runs
    on_val = runs["kind"].map(val).fillna(runs["accuracy_val"])
    gains = gains_of(predictions)
    return gains_by_use(gains, runs.assign(accuracy_val=on_val))


def gains_of(predictions) -> pd.DataFrame:
    """Every comparison of a study."""
    return gain_table(amounts_of(predictions), predictions)


def test_every_use_is_read_over_the_real_images_alone_and_over_mixing_them_in():
    uses = uses_of(ACCURACIES)
    found = uses.set_index(["kind", "against"])["difference"]
    assert found["staged", ALONE] == pytest.approx(0.2, abs=0.03)
    assert found["staged", MIXED] == pytest.approx(0.1, abs=0.03)
    assert found["supplement", ALONE] == pytest.approx(0.1, abs=0.03)
    assert set(uses["kind"]) == {"supplement", "staged", "weighted"}
    assert ("supplement", MIXED) not in found.index


def test_the_use_is_chosen_on_validation_images_alone():
    """Staged images are best on test; on val the weighted ones are."""
    uses = uses_of(ACCURACIES, weighted=0.9)
    assert set(uses.loc[uses["chosen"], "kind"]) == {"weighted"}
    view = uses_view(uses)
    assert view["name"].str.endswith("(chosen on validation images)").equals(uses["chosen"])
    assert view["group"].iloc[0] == "Beside 50 real images, against real images alone"


def test_how_often_the_choice_hangs_on_a_single_draw_is_counted():
    predictions = study(ACCURACIES)
    gains = gain_table(amounts_of(predictions), predictions)

    # Staged is best by the last draw alone.
    runs = predictions.runs.assign(accuracy_val=0.5)
    is_staged = runs["kind"] == "staged"
    runs.loc[is_staged, "accuracy_val"] = 0.49
    runs.loc[is_staged & (runs["seed"] == 3), "accuracy_val"] = 0.9
    uses = gains_by_use(gains, runs)
    assert set(uses.loc[uses["chosen"], "kind"]) == {"staged"}
    assert set(zip(uses["same_without"], uses["draws"])) == {(3, 4)}
    assert (
        "(leaving out one draw changes this in 1 of 4 cases)."
        in use_sentences(uses, unit="draws")[0].text
    )


def test_a_draw_that_one_use_lacks_does_not_choose():
    predictions = study(ACCURACIES)
    runs = predictions.runs
    gains = gain_table(amounts_of(predictions), predictions)
    lucky = (runs["kind"] == "weighted") & (runs["seed"] == 0)
    runs = runs.assign(accuracy_val=runs["accuracy_val"].mask(lucky, 9.0))
    runs = runs[(runs["kind"] != "staged") | (runs["seed"] > 0)]
    uses = gains_by_use(gains, runs)
    assert set(uses.loc[uses["chosen"], "kind"]) == {"staged"} and set(uses["draws"]) == {3}


def test_a_sentence_says_what_the_chosen_use_brings():
    (sentence,) = use_sentences(uses_of(ACCURACIES), unit="draws")
    assert sentence.text.startswith(
        "Of 3 ways to use x beside 50 real images the best on validation images is: "
        f"{FIRST} (leaving out one draw never changes this). Over the real images alone +"
    )
    assert "they help (" in sentence.text and "over mixing the same images in +" in sentence.text
    assert (sentence.word, sentence.verdict) == (f"Yes, {FIRST}", HELPS)
    assert sentence.about.startswith("of accuracy beside 50 real images (")
    assert sentence.number in sentence.text and sentence.text.endswith("4 draws).")


def test_a_use_is_held_against_shuffled_labels_in_the_same_use():
    """They bring nothing, so the labels bring what the images do."""
    shuffled = replace(STAGED, kind="shuffled", control_of="staged")
    uses = uses_of(ACCURACIES | {shuffled: 0.3})
    own = uses[uses["against"] == SHUFFLED]
    assert own["arm"].tolist() == [STAGED.name]
    assert own["difference"].item() == pytest.approx(0.2, abs=0.03)
    assert shuffled.name not in set(uses["arm"])
    (sentence,) = use_sentences(uses, unit="draws")
    assert "; over the same with shuffled labels +" in sentence.text

    # Where nothing is mixed in with shuffled labels, no figure of mixing shows them.
    gains = gains_of(study(ACCURACIES | {shuffled: 0.3}))
    assert shuffled.name not in set(headline_gains(gains)["arm"])
    named = gains_by_reading(gains)["of"]
    assert f"x, {FIRST}, labels shuffled" in set(named)


def test_a_use_that_is_not_shown_to_help_is_no_answer():
    (sentence,) = use_sentences(uses_of(ACCURACIES | {STAGED: 0.3}, staged=0.9), unit="draws")
    assert sentence.word == "No way to use them is shown to help"


def test_where_mixing_in_is_best_it_is_not_compared_with_itself():
    (sentence,) = use_sentences(uses_of(ACCURACIES, supplement=0.9), unit="draws")
    assert "is: mixed in (leaving" in sentence.text and "over mixing" not in sentence.text


WAYS = {Arm("improved", real=50, only=way): 0.3 for way in ("mixup", "geometry")}
MIXUP, GEOMETRY = WAYS


def test_uses_are_held_against_the_best_way_to_train_without_the_images():
    """Turning and zooming brings as much as staging does."""
    uses = uses_of(ACCURACIES | WAYS | {GEOMETRY: 0.5})
    strict = uses[uses["against"] == BEST_ALONE].set_index("kind")
    assert set(strict["reference"]) == {GEOMETRY.name} and set(strict["reading"]) == {BEST}
    assert strict.loc["staged", "difference"] == pytest.approx(0, abs=0.03)
    alone = uses[uses["kind"] == "improved"]
    assert set(alone["against"]) == {ALONE}
    assert alone.loc[alone["chosen"], "arm"].tolist() == [GEOMETRY.name]
    assert chosen_arms(uses) == [STAGED.name]
    view = uses_view(uses)
    assert view["group"].iloc[-1] == "50 real images alone, against training on them plainly"
    assert "turned and zoomed (chosen on validation images)" in set(view["name"])

    # What a person gets by trying as hard decides the answer.
    (sentence,) = use_sentences(uses, unit="draws")
    assert sentence.word == "Not shown to help more than training better without them"
    assert sentence.verdict == UNDECIDED
    assert (
        "over the real images turned and zoomed, the best of 3 ways without the generated ones, "
    ) in sentence.text


def test_the_figure_of_the_answer_leaves_out_what_it_does_not_say():
    uses = uses_of(ACCURACIES | WAYS | {GEOMETRY: 0.5})
    shown = leading_uses(uses)
    against = shown.groupby("against")["arm"].agg(set).to_dict()
    assert against[BEST_ALONE] == {STAGED.name} and MIXED not in against
    assert against[ALONE] == set(uses["arm"])


def test_where_the_plain_training_is_best_no_other_way_is_chosen():
    uses = uses_of(ACCURACIES | WAYS | {ALONE_50: 0.35})
    alone = uses[uses["kind"] == "improved"]
    assert len(alone) == 2 and not alone["chosen"].any()
    (sentence,) = use_sentences(uses, unit="draws")
    assert "over the real images trained on plainly, the best of 3 ways" in sentence.text
    assert sentence.word == f"Yes, {FIRST}"


def test_copies_are_a_way_without_them_too():
    copies = control("duplicate", 50)
    uses = uses_of(ACCURACIES | WAYS | {copies: 0.45})
    assert set(uses.loc[uses["against"] == BEST_ALONE, "reference"]) == {copies.name}
    assert (
        "the real images repeated, the best of 4 ways" in use_sentences(uses, unit="draws")[0].text
    )


def test_images_that_are_used_in_one_way_alone_have_no_sentence():
    """Beside 90 real images nothing is chosen, though beside 50 something is."""
    uses = uses_of(ACCURACIES | {ALONE_90: 0.3, supplement(90): 0.4})
    assert len(use_sentences(uses, unit="draws")) == 1 and set(uses["n_real"]) == {50}
    assert not len(uses_of({ALONE_50: 0.3, supplement(50): 0.4}))


def test_a_study_without_numbers_of_images_has_no_uses():
    uses = uses_of({Arm("base"): 0.5})
    assert not len(uses) and use_sentences(uses, unit="seeds") == []


def test_advice_names_the_use_that_was_chosen():
    copies = control("duplicate", 50)
    arms = ACCURACIES | {supplement(50): 0.28, copies: 0.3}
    predictions = study(arms)
    gains = gain_table(amounts_of(predictions), predictions)
    uses = gains_by_use(gains, predictions.runs)
    assert chosen_arms(uses) == [STAGED.name]
    advice = advice_table(gains, chosen_arms(uses))["what to do"].item()
    assert advice == f"add x, {FIRST}: they bring more than copies of the real images do"
    assert advice_table(gains)["what to do"].item().startswith("mix none in")


def advice_of(accuracies: dict) -> str:
    """What to do beside 50 real images."""
    predictions = study(accuracies)
    gains = gain_table(amounts_of(predictions), predictions)
    used = chosen_arms(gains_by_use(gains, predictions.runs))
    return advice_table(gains, used)["what to do"].iloc[0]


def test_better_training_is_advised_where_no_use_is_shown_to_bring_more():
    as_good = ACCURACIES | {GEOMETRY: 0.52, MIXUP: 0.3}
    assert advice_of(as_good) == (
        "train on the real images alone turned and zoomed: no pool is shown to help more"
    )
    nothing_helps = as_good | {supplement(50): 0.3, STAGED: 0.3, WEIGHTED: 0.3}
    assert advice_of(nothing_helps).endswith("turned and zoomed: no pool is shown to help")


def test_a_use_that_brings_more_than_better_training_is_advised():
    assert advice_of(ACCURACIES | {GEOMETRY: 0.4, MIXUP: 0.3, STAGED: 0.6}).startswith("add x, ")
    assert advice_of(ACCURACIES | {GEOMETRY: 0.3, MIXUP: 0.3}).startswith("add x, ")


def test_the_answer_says_what_is_left_over_better_training():
    as_good = uses_of(ACCURACIES | WAYS | {GEOMETRY: 0.52})
    said = beyond_training(as_good, 50)
    assert said.startswith(f"Used best ({FIRST}) they bring +")
    assert "alone, trained best (turned and zoomed), gain +2" in said
    assert "That the generated ones bring more is not shown: " in said
    more = beyond_training(uses_of(ACCURACIES | WAYS | {GEOMETRY: 0.35}), 50)
    assert "That the generated ones bring more is shown: +1" in more
    assert not beyond_training(as_good, 90) and not beyond_training(uses_of(ACCURACIES), 50)


def test_what_the_images_bring_where_training_is_better_is_said():
    said = with_better_training(uses_of(ACCURACIES), 50, "with MixUp")
    assert said.startswith("With MixUp in every training they bring +")
    assert said.endswith(f", {FIRST}): they help.")
    assert with_better_training(uses_of(ACCURACIES), 90, "with MixUp") == ""


def test_an_answer_of_few_says_where_it_ends():
    """Beside 90 the images bring no more than turning and zooming does; beside 200 nothing."""
    beside_90 = {ALONE_90: 0.3, supplement(90): 0.4, replace(STAGED, real=90): 0.5}
    beside_90[replace(GEOMETRY, real=90)] = 0.52
    beside_200 = {
        Arm("subset", real=200): 0.4,
        supplement(200): 0.3,
        replace(STAGED, real=200): 0.3,
    }
    sentences = use_sentences(uses_of(ACCURACIES | beside_90 | beside_200), unit="draws")
    assert sentences[0].word == f"Yes, {FIRST}"
    assert sentences[0].about.endswith(
        "; beside 90 none is shown to bring more than better training does; beside 200 no way is "
        "shown to help"
    )
    helps_too = {ALONE_90: 0.3, supplement(90): 0.4, replace(STAGED, real=90): 0.5}
    about = use_sentences(uses_of(ACCURACIES | helps_too), unit="draws")[0].about
    assert about.endswith(" points") and "; beside 90 +" in about


def test_advice_of_a_study_that_tried_more_counts():
    own = {50: "add x", 90: "mix none in"}
    tables = {"advice": advice(own), "gains": gains_of(study(ACCURACIES))}
    other = {"advice": advice({50: "train better", 70: "add y"}), "uses": uses_of(ACCURACIES)}
    words = other_uses(tables, {"uses-cpu": other})
    assert words["beyond"] == []
    few, many = words["advice"][:2]
    assert few == "With few (50 real images), train better."
    assert many == "With many (90 real images), mix none in."

    # Where images help a network that is trained better, that is advised.
    better = {"uses": uses_of(ACCURACIES), "how": "with MixUp"}
    words = other_uses(tables, {"uses-cpu": other, "mixup-cpu": better})
    assert words["advice"][0].startswith(
        f"With few (50 real images), train with MixUp and add x, {FIRST}: they bring more"
    )
    assert [said["study"] for said in words["beyond"]] == ["mixup-cpu"]
    assert not len(advice_of_better(uses_of(ACCURACIES | {STAGED: 0.3}, staged=0.9), "so"))


def advice(by_size: dict[int, str]) -> pd.DataFrame:
    """A table of advice."""
    return pd.DataFrame({"real images": by_size.keys(), "what to do": by_size.values()})


def test_the_plain_comparison_comes_first_and_real_images_alone_last():
    groups = uses_view(uses_of(ACCURACIES | WAYS))["group"].drop_duplicates().tolist()
    beside = "Beside 50 real images, against "
    assert groups == [
        beside + ALONE,
        beside + MIXED,
        beside + BEST_ALONE,
        "50 real images alone, against training on them plainly",
    ]
