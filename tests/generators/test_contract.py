"""What every generator says of itself, and what is refused before hours of training."""

import json

import pytest
from small_generators import small_generator

from lib.generators.contract import NETWORKS, Generator

FACTS = ["generator", "px", "classes", "settings", "training", "parameters", "learnt_from"]
CLASSES = ("fear", "happy", "sad")


@pytest.mark.parametrize("name", ["drawn", "stable", *NETWORKS])
def test_every_generator_says_what_it_is_and_of_which_classes(name):
    generator = small_generator(name, classes=CLASSES)
    assert isinstance(generator, Generator)
    assert generator.classes == CLASSES
    facts = json.loads(json.dumps(generator.facts()))
    assert list(facts) == FACTS
    assert facts["generator"] == name and facts["classes"] == list(CLASSES)


@pytest.mark.parametrize("name", ["drawn", "stable", *NETWORKS])
def test_only_networks_of_ours_learn_from_the_study_s_faces(name):
    generator = small_generator(name)
    assert generator.is_trained == (name in NETWORKS)
    assert generator.learnt_from.kind == ("real" if name in NETWORKS else "external")
