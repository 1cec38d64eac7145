"""Names that lib.study repeats because it may not import the rooms that give them."""

import pytest

from lib.classifiers.models import NETWORKS
from lib.classifiers.recipes import IMPROVEMENTS, RECIPES
from lib.compute.cluster import BATCH_SYSTEMS, LOCAL
from lib.curation.steps import STEPS
from lib.faces.arms import KINDS, Arm, controls
from lib.generators import contract, stylegan
from lib.study import names
from lib.study.parameter_rules import CHOICES

# Kinds of arms that exist only to be read against.
PAIRED = [pair for kind in KINDS for pair in controls(Arm(kind, "pool", 0.5))]
CONTROLS = {arm.kind for arm in PAIRED if arm.is_control}


@pytest.mark.parametrize(
    ("repeated", "given"),
    [
        (names.CLASSIFIERS, NETWORKS),
        (names.RECIPES, RECIPES),
        (names.REAL_WAYS, IMPROVEMENTS),
        (names.GENERATORS, [*contract.PRETRAINED, *contract.NETWORKS]),
        (names.GAN_CONDITIONS, stylegan.CONDITIONS),
        (names.GAN_AUGMENTATIONS, stylegan.AUGMENTATIONS),
        (names.CLUSTERS, [LOCAL, *BATCH_SYSTEMS]),
        (names.CURATION_STEPS, STEPS),
        (CHOICES["controls"], CONTROLS),
    ],
)
def test_a_list_of_names_is_that_of_the_room_above(repeated, given):
    assert sorted(repeated) == sorted(given)
