"""The words that Stable Diffusion is given: a template, and attributes drawn for each prompt."""

import itertools

import numpy as np

from lib.faces.faceset import CLASSES
from lib.study.errors import StudyError
from lib.study.params import PARAMS, read_yaml

ATTRIBUTES = ("age", "ethnicity", "sex")


def read_prompts(path=PARAMS / "prompts.yaml", *, emphasised: tuple | list = ()) -> dict:
    """Read template, negative prompt and attributes.

    Args:
        path: of the words.
        emphasised: classes whose prompts begin with the helping words too, not with the emotion alone: what comes first weighs most.

    Raises:
        StudyError: a missing key, or a class without words.
    """
    words = read_yaml(path)
    for key in ("prompt", "negative", "emotion", "helper", *ATTRIBUTES):
        if key not in words:
            raise StudyError(f"{path}: key '{key}' is missing")
    for key, name in itertools.product(("emotion", "helper"), CLASSES):
        if name not in words[key]:
            raise StudyError(f"{path}: key '{key}' has no words for the class {name}")
    for name in emphasised:
        if name not in CLASSES:
            raise StudyError(f"sd_emphasised: {name!r} is no class; classes are {', '.join(CLASSES)}")
        words["emotion"][name] = f"{words['emotion'][name]}, {words['helper'][name]},"
    return words


def prompt_of(words: dict, label: int, number: int, *, balanced: bool) -> str:
    """Write one prompt; it depends on the label and the prompt's number alone.

    Args:
        words: what read_prompts returned.
        label: index into CLASSES.
        number: of the prompt, not negative.
        balanced: every combination of attributes once in each round of prompts, in shuffled order; otherwise uniformly at random, as S1.
    """
    combinations = list(itertools.product(*(words[name] for name in ATTRIBUTES)))
    if balanced:
        turn, place = divmod(number, len(combinations))
        chosen = combinations[np.random.default_rng(turn).permutation(len(combinations))[place]]
    else:
        chosen = combinations[np.random.default_rng(number).integers(len(combinations))]
    text = words["prompt"]
    for name, value in zip(
        ("emotion", "helper", *ATTRIBUTES), (words["emotion"][CLASSES[label]], words["helper"][CLASSES[label]], *chosen)
    ):
        text = text.replace(f"<{name}>", value)
    return text
