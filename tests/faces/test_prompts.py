"""Prompts: words for every class of the study, the same prompt for the same number."""

import pytest
import yaml

from lib.faces.classes import EMOTIONS
from lib.faces.prompts import negative_of, prompt_of, read_prompts
from lib.study.errors import StudyError
from lib.study.params import PARAMS


def test_a_prompt_names_the_expression_and_fills_every_gap():
    words = read_prompts()
    for label, name in enumerate(EMOTIONS):
        text = prompt_of(words, label, 3, balanced=True)
        assert text == prompt_of(words, label, 3, balanced=True)
        assert words["emotion"][name] in text and words["helper"][name] in text
        assert "<" not in text


def test_labels_are_positions_in_the_classes_of_the_study():
    words, five = read_prompts(classes=("happy", "sad")), ("happy", "sad")
    assert prompt_of(words, 1, 0, balanced=False, classes=five).startswith("sad ")


def test_classes_without_words_are_named(tmp_path):
    with pytest.raises(StudyError, match="no words for the class contempt; it has words for angry"):
        read_prompts(classes=(*EMOTIONS, "contempt"))
    with pytest.raises(
        StudyError, match="sd_emphasised: 'sad' is no class; classes are fear, happy"
    ):
        read_prompts(classes=("fear", "happy"), emphasised=["sad"])
    text = (PARAMS / "prompts.yaml").read_text(encoding="utf-8")
    (tmp_path / "words.yaml").write_text(text.replace("negative:", "other:"))
    with pytest.raises(StudyError, match="key 'negative' is missing"):
        read_prompts(tmp_path / "words.yaml")


def test_the_expressive_set_has_words_for_every_class_and_no_gap_is_left():
    words, published = read_prompts(chosen="expressive"), read_prompts()
    for label, name in enumerate(EMOTIONS):
        text = prompt_of(words, label, 3, balanced=True)
        assert words["emotion"][name] in text and words["opposite"][name] not in text
        assert text != prompt_of(published, label, 3, balanced=True)
        negative = negative_of(words, label)
        assert negative.startswith(words["opposite"][name]) and "<" not in text + negative


def test_the_published_set_has_one_negative_prompt():
    words = read_prompts()
    assert {negative_of(words, label) for label in range(7)} == {words["negative"]}
    assert words["negative"].startswith("text, watermark, cutout")


def test_a_prompt_of_the_expressive_set_fits_what_the_text_encoder_reads():
    # CLIP reads 77 tokens, two of which are its own; a word or a comma is one or two.
    words = read_prompts(chosen="expressive")
    for label in range(7):
        for text in (prompt_of(words, label, 0, balanced=True), negative_of(words, label)):
            assert len(text.replace(",", " ,").split()) <= 60


def test_an_unknown_set_is_named_with_those_there_are():
    with pytest.raises(StudyError, match="sd_prompts is 'loud'; choices: schuermann, expressive"):
        read_prompts(chosen="loud")


@pytest.mark.parametrize("value", ["3", "[a]", "{a: 3}", "{a: [b]}", "text", "null", "[3]"])
@pytest.mark.parametrize("key", ["prompt", "negative", "emotion", "helper", "age", "sets"])
def test_words_of_another_type_are_named(tmp_path, key, value):
    words = yaml.safe_load((PARAMS / "prompts.yaml").read_text(encoding="utf-8"))
    given = yaml.safe_load(value)
    (tmp_path / "words.yaml").write_text(yaml.safe_dump(words | {key: given}), encoding="utf-8")
    try:
        read = read_prompts(tmp_path / "words.yaml")
    except StudyError as error:
        assert "words.yaml" in str(error) and key in str(error)
    else:
        assert isinstance(prompt_of(read, 0, 0, balanced=True), str)
