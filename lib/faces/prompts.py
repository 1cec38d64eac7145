"""The words that Stable Diffusion is given: a template, and attributes drawn for each prompt.

params/prompts.yaml has words for FER2013's seven classes; a study of others adds its own there.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from lib.faces.classes import EMOTIONS
from lib.study.errors import StudyError
from lib.study.params import PARAMS, read_yaml

ATTRIBUTES = ("age", "ethnicity", "sex")  # gaps of the template that do not depend on the class
# What each key holds; dictionaries have a text for each class.
KINDS = dict.fromkeys(("prompt", "negative"), str) | dict.fromkeys(ATTRIBUTES, list)
KINDS |= dict.fromkeys(("emotion", "helper", "opposite", "sets"), dict)
PUBLISHED = "schuermann"  # the set of words that stands first in the file: S1's


def read_prompts(
    path=PARAMS / "prompts.yaml",
    *,
    chosen: str = PUBLISHED,
    emphasised: Sequence[str] = (),
    classes: Sequence[str] = EMOTIONS,
) -> dict:
    """Read template, negative prompt and attributes.

    Args:
        path: of the words.
        chosen: the set of words, S1's or one of the file's `sets`.
        emphasised: classes whose prompts begin with the helping words too, not with the emotion
            alone: what comes first weighs most.
        classes: those that need words.

    Raises:
        StudyError: an unknown set, a missing key, a class without words, or an emphasised one that
            is no class.
    """
    # Another set replaces what it names of S1's.
    words = _typed(read_yaml(path), path)
    sets = {PUBLISHED: {}} | words.pop("sets", {})
    if chosen not in sets:
        raise StudyError(f"sd_prompts is {chosen!r}; choices: {', '.join(sets)}")
    words |= _typed(sets[chosen], path)

    # Every key, and in it every class, has to be there.
    for key in ("prompt", "negative", "emotion", "helper", *ATTRIBUTES):
        if key not in words:
            raise StudyError(f"{path}: key '{key}' is missing")
    by_class = [key for key in ("emotion", "helper", "opposite") if key in words]
    for key, name in itertools.product(by_class, classes):
        if name not in words[key]:
            raise StudyError(
                f"{path}: key '{key}' has no words for the class {name}; it has words for "
                f"{', '.join(words[key])}. Add some, or leave this pool out"
            )

    # The helping words also come first.
    for name in emphasised:
        if name not in classes:
            raise StudyError(
                f"sd_emphasised: {name!r} is no class; classes are {', '.join(classes)}"
            )
        words["emotion"][name] = f"{words['emotion'][name]}, {words['helper'][name]},"
    return words


def _typed(words: dict, path) -> dict:
    """Stop at a key that holds something else than its kind of words."""
    if not isinstance(words, dict):
        raise StudyError(f"{path}: a set of words is no list of keys: {words!r}")
    for key, kind in KINDS.items():
        if key in words and not isinstance(words[key], kind):
            found = type(words[key]).__name__
            raise StudyError(f"{path}: key '{key}' is of type {found}; it must be {kind.__name__}")

    # Words are texts, also those of a class or an attribute.
    for key, value in words.items():
        texts = value.values() if isinstance(value, dict) else value
        if key != "sets" and not all(isinstance(text, str) for text in texts):
            raise StudyError(f"{path}: key '{key}' holds something else than texts: quote them")
    return words


def prompt_of(
    words: dict, label: int, number: int, *, balanced: bool, classes: Sequence[str] = EMOTIONS
) -> str:
    """Write one prompt; it depends on the label and the prompt's number alone.

    Args:
        words: what read_prompts returned.
        label: position in `classes`.
        number: of the prompt, not negative.
        balanced: every combination of attributes once in each round of prompts, in shuffled order;
            otherwise uniformly at random, as S1.
        classes: of the labels.
    """
    # Choose one value of each attribute; the prompt's number is the seed.
    combinations = list(itertools.product(*(words[name] for name in ATTRIBUTES)))
    if balanced:
        # Every round is an order of its own of all combinations.
        turn, place = divmod(number, len(combinations))
        order = np.random.default_rng(turn).permutation(len(combinations))
        chosen = combinations[order[place]]
    else:
        chosen = combinations[np.random.default_rng(number).integers(len(combinations))]

    # Fill the template's gaps, <emotion> and the others.
    name = classes[label]
    gaps = {"emotion": words["emotion"][name], "helper": words["helper"][name]}
    gaps |= dict(zip(ATTRIBUTES, chosen))
    text = words["prompt"]
    for gap, value in gaps.items():
        text = text.replace(f"<{gap}>", value)
    return text


def negative_of(words: dict, label: int, *, classes: Sequence[str] = EMOTIONS) -> str:
    """Write the negative prompt of a class: what its images should not show.

    Args:
        words: what read_prompts returned.
        label: position in `classes`.
        classes: of the labels.
    """
    opposites = words.get("opposite", {})
    return words["negative"].replace("<opposite>", opposites.get(classes[label], ""))
