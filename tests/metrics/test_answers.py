"""The answer of a study in sentences."""

import re
from dataclasses import asdict, replace

import pandas as pd
import pytest

from lib.faces.arms import UNFILTERED, Arm
from lib.metrics.amount_sentences import BOUND
from lib.metrics.amount_words import KNOWLEDGE
from lib.metrics.answers import question_sentences, study_answer, supplement_sentences
from lib.metrics.contrasts import BASE
from lib.metrics.findings import pool_verdicts
from lib.metrics.wording import tally
from lib.report.names import name_study
from lib.study.answer import Sentence

DCGAN, DIFFUSION = (Arm("synthetic", pool, 1.0) for pool in ("dcgan", "diffusion"))
SUPPLEMENT = Arm("supplement", "dcgan", 0.5)
FEWER = Arm("fewer_steps", share=0.5, control_of="supplement")


def row(reference: Arm, arm: Arm, difference: float, verdict: str) -> dict:
    """A row of the table of effects."""
    numbers = {"low": difference - 0.01, "high": difference + 0.01, "p_holm": 0.5}
    counts = {"n_seeds": 5, "n_images": 100, "generations": 1}
    power = {"minimum_detectable_effect": 0.02, "sample_size": "9 more runs"}
    names = {"reference": reference.name, "arm": arm.name, "classifier": "small"}
    fields = asdict(arm) | {"reference_kind": reference.kind, "difference": difference}
    role = "base" if reference == BASE else "control"
    return {**names, **fields, **numbers, **counts, **power, "role": role, "verdict": verdict}


def effects(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame(rows)


def test_the_best_pool_is_named_and_all_are_counted_but_controls():
    shuffled = replace(DCGAN, kind="shuffled", control_of="synthetic")
    table = effects(
        row(BASE, DCGAN, -0.3, "hurts"),
        row(BASE, DIFFUSION, -0.2, "hurts"),
        row(BASE, shuffled, 0.4, "helps"),
    )
    (sentence,) = question_sentences(table)
    assert "at best −20.0 points of accuracy (95% interval −21.0 to −19.0)" in sentence
    assert "with diffusion (5 seeds, 100 test images)" in sentence
    assert sentence.endswith("; both hurt.")


def test_scarce_arms_are_compared_with_as_few_real_faces():
    scarce = Arm("scarce", "a", 0.1)
    subset = Arm("subset", share=0.1, control_of="scarce")
    table = effects(row(BASE, scarce, -0.1, "hurts"), row(subset, scarce, 0.05, "helps"))
    (sentence,) = question_sentences(table)
    assert "10% of the real faces kept" in sentence
    assert "+5.0 points" in sentence
    assert sentence.endswith(": helps.")


def test_replaced_images_are_compared_with_all_real_images_and_with_those_that_were_kept():
    replaced = Arm("replace", "a", 0.1)
    subset = Arm("subset", share=0.1, control_of="replace")
    table = effects(row(BASE, replaced, -0.2, "hurts"), row(subset, replaced, 0.03, "helps"))
    against_all, against_kept = question_sentences(table)
    assert "90% of the training images" in against_all
    assert "−20.0 points" in against_all
    assert "+3.0 points" in against_kept
    assert "beside the real faces that were kept" in against_kept


def test_filters_are_compared_with_no_filter():
    filtered = Arm("filtered", "a", 0.5, only="face")
    unfiltered = replace(filtered, only=UNFILTERED)
    table = effects(
        row(BASE, filtered, 0.01, "undecided"),
        row(BASE, unfiltered, 0.01, "undecided"),
        row(unfiltered, filtered, 0.0, "equivalent"),
    )
    (sentence,) = question_sentences(table)
    assert "a filtered by face" in sentence
    assert "at best" not in sentence
    assert sentence.endswith(": equivalent.")


def test_added_faces_are_compared_with_as_many_steps_on_real_faces():
    table = effects(
        row(BASE, SUPPLEMENT, -0.03, "hurts"),
        row(FEWER, SUPPLEMENT, 0.01, "undecided"),
        row(BASE, FEWER, -0.04, "hurts"),
    )
    (sentence,) = question_sentences(table)
    assert "against the same real images, trained for as many steps" in sentence
    assert "+1.0 points" in sentence
    assert "minimum detectable effect 2.0 points; to show the margin takes 9 more runs" in sentence


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["hurts"] * 3, "all 3 hurt"),
        (["undecided", "helps", "undecided"], "1 of 3 helps, 2 are undecided"),
        (["equivalent"], "1 of 1 is equivalent"),
        (["helps", "helps"], "both help"),
    ],
)
def test_verdicts_are_counted_in_plain_words(verdicts, words):
    assert tally(pd.Series(verdicts)) == words


def test_a_study_without_supplements_answers_its_own_question_first():
    table = effects(row(BASE, DCGAN, -0.3, "hurts"))
    first, second = study_answer(pool_verdicts(table, ["dcgan"]), table, data="fer2013.csv")
    assert first.text.endswith("1 of 1 hurts.")
    assert "instead of real faces" in second.text


def test_what_adding_does_comes_first_and_names_pool_and_verdict():
    table = effects(row(BASE, SUPPLEMENT, 0.02, "helps"), row(BASE, DCGAN, -0.3, "hurts"))
    sentences = study_answer(pool_verdicts(table, ["dcgan"]), table, data="fer2013.csv")
    assert "1 of 1 kinds of generated images help" in sentences[0].text
    assert "DCGAN" in sentences[0].text and "dcgan" not in sentences[0].text
    assert (sentences[1].pool, sentences[1].verdict) == ("dcgan", "helps")
    assert "instead of real faces" in sentences[-1].text


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["helps"], "It helps"),
        (["hurts", "hurts"], "It hurts"),
        (["equivalent"], "No difference"),
        (["undecided"], "Undecided"),
        (["helps", "hurts"], "It depends"),
        (["hurts", "undecided"], "No gain"),
    ],
)
def test_the_first_sentence_holds_the_answer_in_a_word_and_the_best_pool_in_a_number(
    verdicts, word
):
    arms = [Arm("supplement", pool, 0.5) for pool in ("dcgan", "diffusion")]
    rows = [row(BASE, *pair) for pair in zip(arms, (0.02, 0.01), verdicts, strict=False)]
    table = effects(*rows)
    first = study_answer(pool_verdicts(table, ["dcgan", "diffusion"]), table, data="f.csv")[0]
    assert (first.word, first.number) == (word, "+2.0 points")
    assert "DCGAN, 50% of the training images" in first.about
    assert "95% interval +1.0 to +3.0" in first.about


def test_the_interval_beside_a_verdict_is_the_one_that_decides_it():
    """An interval that the family widened reaches over 0 where the verdict is undecided."""
    wide = row(BASE, SUPPLEMENT, -0.005, "undecided") | {"low": -0.01, "high": -0.001}
    wide |= {"low_decided": -0.012, "high_decided": 0.002}
    table = effects(wide)
    sentences = study_answer(pool_verdicts(table, ["dcgan"]), table, data="f.csv")
    assert all("−1.2 to +0.2" in text for text in (sentences[0].about, sentences[1].text))
    assert "adjusted" in sentences[1].text and "−0.1" not in sentences[1].text


def test_no_sentence_calls_a_pool_or_a_control_by_its_machine_name():
    scarce = Arm("scarce", "folder", 0.1)
    subset = Arm("subset", share=0.1, control_of="scarce")
    added = Arm("supplement", "folder", 0.1178)
    fewer = Arm("fewer_steps", share=0.1178, control_of="supplement")
    table = effects(
        row(BASE, added, -0.01, "hurts"),
        row(fewer, added, 0.001, "undecided"),
        row(subset, scarce, -0.02, "hurts"),
    )
    name_study({"synthetic_name": "Schürmann's Stable Diffusion faces"})
    sentences = study_answer(pool_verdicts(table, ["folder"]), table, data="f.csv")
    name_study({})
    said = " ".join(sentence.text for sentence in sentences)
    assert "Schürmann's Stable Diffusion faces, 12% of the training images" in said
    assert not re.search(r"\bfolder\b|\bfewer\b|fewer_steps|supplement-|scarce-", said)


def test_only_the_first_classifier_answers():
    first, second = row(BASE, DCGAN, -0.3, "hurts"), row(BASE, DCGAN, 0.2, "helps")
    table = effects(first, second | {"classifier": "large"})
    sentences = study_answer(pool_verdicts(table, []), table, data="fer2013.csv")
    assert [sentence.text.endswith("hurts.") for sentence in sentences] == [True, True]


def test_a_study_that_added_nothing_says_so():
    nothing = pool_verdicts(effects(row(BASE, DCGAN, -0.3, "hurts")), ["dcgan"])
    (sentence,) = supplement_sentences(nothing, data="drawn")
    assert "drawings" in sentence.text
    assert "does not say whether" in sentence.text


def test_what_numbers_of_real_images_say_comes_first_and_other_questions_follow():
    amounts = [Sentence("x stops helping at about 1,400 real images.", "x")]
    table = effects(row(BASE, DCGAN, -0.3, "hurts"))
    first, second = study_answer(pool_verdicts(table, []), table, data="drawn", amounts=amounts)
    assert first == amounts[0]
    assert second.text.startswith("Synthetic faces instead of real faces")


def test_pools_beside_some_of_the_real_images_are_counted_by_their_number():
    rows = []
    for real, verdicts in ((718, ("helps", "hurts")), (2871, ("hurts", "hurts"))):
        alone = Arm("subset", real=real)
        for pool, verdict, gain in zip(("dcgan", "diffusion"), verdicts, (0.04, -0.02)):
            arm = Arm("supplement", pool, real=real, added=2871, class_shares="pool")
            rows.append(row(alone, arm, gain, verdict) | {"role": "base"})
            shuffled = replace(arm, kind="shuffled", control_of="supplement")
            rows.append(row(alone, shuffled, -0.1, "hurts") | {"role": "base"})
    table = effects(*rows)
    few, many = study_answer(pool_verdicts(table, ["dcgan", "diffusion"]), table, data="f.csv")
    assert "2,871 images beside 718 real ones: 1 of 2 helps, 1 hurts (2 pools" in few.text
    assert "2,871 images beside 2,871 real ones: both hurt (2 pools, 5 seeds)." in many.text
    assert (few.word, few.number) == ("It depends", "+4.0 points")

    # Whose generator saw more real images than there are is a bound, and said to be.
    assert "upper bound" not in few.about
    nothing, known = pool_verdicts(table, []), {"dcgan": BOUND}
    bound = study_answer(nothing, table, data="f.csv", knowledge=known)[0].about
    assert bound == f"{few.about}; {KNOWLEDGE[BOUND]}"


def test_an_answer_in_short_is_its_word_and_number_where_it_has_them():
    assert Sentence("All is well.").short == "All is well."
    lead = {"word": "With few, yes", "number": "+1.6 points", "about": "of accuracy"}
    assert Sentence("Readings differ.", **lead).short == "With few, yes: +1.6 points of accuracy."
