"""Names that lib.study repeats because it may not import the rooms that give them."""

import pytest

from lib.classifiers.models import NETWORKS
from lib.classifiers.recipes import RECIPES
from lib.compute.cluster import BATCH_SYSTEMS, LOCAL
from lib.curation.steps import STEPS
from lib.faces.arms import CONTROL_KINDS
from lib.generators import contract, stylegan
from lib.study import names
from lib.study.parameter_rules import CHOICES


@pytest.mark.parametrize(
    ("repeated", "given"),
    [
        (names.CLASSIFIERS, NETWORKS),
        (names.RECIPES, RECIPES),
        (names.GENERATORS, [*contract.PRETRAINED, *contract.NETWORKS]),
        (names.GAN_CONDITIONS, stylegan.CONDITIONS),
        (names.GAN_AUGMENTATIONS, stylegan.AUGMENTATIONS),
        (names.CLUSTERS, [LOCAL, *BATCH_SYSTEMS]),
        (names.CURATION_STEPS, STEPS),
        (CHOICES["controls"], CONTROL_KINDS),
    ],
)
def test_a_list_of_names_is_that_of_the_room_above(repeated, given):
    assert sorted(repeated) == sorted(given)
