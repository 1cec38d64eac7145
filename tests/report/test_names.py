"""What people read in place of machine names, and that nothing is left without a name."""

import re
from dataclasses import replace

import pytest

from lib.classifiers.recipes import IMPROVEMENTS
from lib.faces.arms import KINDS, UNFILTERED, Arm, controls
from lib.metrics.arms import METRICS as ARM_METRICS
from lib.report import names
from lib.report.columns import COLUMNS, INTERVALS_OF, column, heading
from lib.report.columns import KINDS as UNITS
from lib.report.glossary import render_glossary, sections
from lib.report.names import (
    arm_text,
    group_text,
    in_words,
    listed,
    name_study,
    pool_text,
    row_text,
)
from lib.study.params import known_pools

MACHINE = re.compile(r"[a-z]+_[a-z]+|-\d|\b(?:supplement|scarce|fewer_steps|subset)\b")


@pytest.fixture(autouse=True)
def unnamed():
    yield
    name_study({})


ARMS = {
    Arm("base"): "all real images",
    Arm("supplement", "dcgan", 0.1178): "DCGAN, 12% of the training images",
    Arm("supplement", "dcgan", 0.0712): "DCGAN, 7.1% of the training images",
    Arm(
        "supplement", "dcgan", 0.5, generation=2
    ): "DCGAN, generation 2, 50% of the training images",
    Arm("replace", "stylegan64", 0.1): "StyleGAN2, 64 px in place of 90% of the real images",
    Arm("synthetic", "dcgan", 2.0): "DCGAN alone, twice as many as real images",
    Arm("scarce", "dcgan", 0.05): "DCGAN beside 5% of the real images",
    Arm("balance", "dcgan"): "DCGAN filling up rare classes",
    Arm("subset", share=0.05, control_of="scarce"): "5% of the real images alone",
    Arm("duplicate", share=0.5, control_of="supplement"): (
        "real images repeated, 50% of the training images"
    ),
    Arm("duplicate", "dcgan", real=287, added=5096, control_of="supplement"): (
        "5,096 copies beside 287 real images, class counts of DCGAN"
    ),
    Arm("fewer_steps", share=0.5, control_of="supplement"): "all real images, 50% fewer steps",
    Arm("shuffled", "dcgan", 0.5, control_of="supplement"): (
        "DCGAN, 50% of the training images, labels shuffled"
    ),
    Arm("filtered", "dcgan", 0.5, only=UNFILTERED): (
        "DCGAN unfiltered, 50% of the training images"
    ),
}


@pytest.mark.parametrize(
    ("arm", "words"), ARMS.items(), ids=lambda value: getattr(value, "name", "")
)
def test_an_arm_is_described_by_what_it_holds(arm, words):
    assert arm_text(arm) == words


def test_copies_in_the_class_counts_of_a_pool_are_real_images():
    copies = Arm("duplicate", "dcgan", real=287, added=5096, control_of="supplement")
    assert group_text(copies) == group_text(replace(copies, pool=""))
    assert "5,096 copies beside 287 real images" in row_text(copies)


def every_arm() -> list[Arm]:
    """One arm of every kind, with all controls."""
    own = ("base", "shuffled", "filtered", "weighted", "balance", "improved")
    plain = [Arm(kind, "dcgan", 0.5) for kind in KINDS if kind not in own]
    plain.append(Arm("weighted", "dcgan", 0.5, weight=0.5))
    plain += [Arm("improved", real=real, only=way) for real in (0, 9) for way in IMPROVEMENTS]
    plain += [Arm("filtered", "dcgan", 0.5, only="near_copy"), Arm("balance", "dcgan")]
    with_controls = [
        one
        for arm in plain
        if arm.kind not in ("subset", "duplicate", "extra", "fewer_steps")
        for one in (arm, *controls(arm))
    ]
    return list(dict.fromkeys([Arm("base"), *with_controls]))


def test_no_two_arms_of_a_study_are_described_alike():
    # The few real images of two kinds of arms are the same images.
    arms = [arm for arm in every_arm() if arm.kind != "subset"]
    assert len({arm_text(arm) for arm in arms}) == len(arms)


@pytest.mark.parametrize("arm", every_arm(), ids=lambda arm: arm.name)
def test_no_description_holds_a_machine_name(arm):
    for words in (arm_text(arm), group_text(arm), row_text(arm)):
        assert words and not MACHINE.search(words.replace("near_copy", "")), words


def added(pool: str, real: int, kind: str = "supplement") -> Arm:
    """An arm of 500 images of a pool beside some real ones."""
    return Arm(kind, pool, real=real, added=500, weight=0.25)


def test_rows_of_several_pools_stand_under_what_is_done_with_the_images():
    arms = [added(pool, 300) for pool in ("dcgan", "diffusion")]
    heading = "Added to the real images: 500 images beside 300 real images"
    assert listed(arms) == [(heading, "DCGAN"), (heading, "diffusion")]


def test_rows_of_one_pool_do_not_take_a_heading_each():
    uses = [added("dcgan", 300), added("dcgan", 300, "weighted"), added("dcgan", 300, "staged")]
    heading = "DCGAN: 500 images beside 300 real images"
    assert [row[0] for row in listed(uses)] == [heading] * 3
    assert listed(uses)[1][1] == "Added, at weight 0.25"
    amounts = [added("dcgan", real) for real in (300, 700)]
    assert [row[0] for row in listed(amounts)] == ["DCGAN: added to the real images"] * 2
    assert listed(amounts)[1][1] == "500 images beside 700 real images"

    # Real images alone stand under their own heading, shuffled labels are told apart.
    alone, shuffled = Arm("subset", real=300), controls(uses[0])[-1]
    rows = listed([alone, *uses, shuffled])
    assert rows[0] == (names.ALONE, row_text(alone))
    assert len(set(rows)) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_arm_is_compared_with_has_words(kind):
    if kind in names.REFERENCES:
        assert not MACHINE.search(names.reference_text(kind))


@pytest.mark.parametrize("pool", known_pools())
def test_every_pool_has_a_name_for_people(pool):
    assert pool in names.POOLS
    assert not MACHINE.search(pool_text(pool))


def test_the_ready_made_images_are_called_what_the_study_says():
    assert pool_text("folder") == "ready-made faces"
    name_study({"synthetic_name": "Schürmann's Stable Diffusion faces"})
    arm = Arm("supplement", "folder", 0.1178)
    assert arm_text(arm) == "Schürmann's Stable Diffusion faces, 12% of the training images"
    name_study({})
    assert pool_text("folder") == "ready-made faces"


def test_the_arms_of_a_study_are_known_by_name_and_others_stay():
    arm = Arm("supplement", "dcgan", 0.5)
    assert in_words(arm.name) == arm.name
    name_study({}, [arm])
    assert in_words(arm.name) == "DCGAN, 50% of the training images"
    assert in_words("happy") == "happy"


@pytest.mark.parametrize("metric", ARM_METRICS)
def test_every_metric_that_decides_has_a_name(metric):
    assert metric in names.METRICS


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_has_a_unit_that_exists(name):
    assert column(name).kind in UNITS
    assert column(name).label and "_" not in heading(name)


def test_intervals_belong_to_columns_that_exist():
    assert {of for _, of in INTERVALS_OF.values()} <= set(COLUMNS)


def test_a_column_that_nobody_described_keeps_its_name_without_underscores():
    assert heading("some_new_column") == "some new column"


def test_the_glossary_explains_every_metric_and_names_every_pool(tmp_path):
    terms = {term["machine"] or term["name"] for part in sections() for term in part["terms"]}
    assert set(names.METRICS) <= terms
    assert set(names.POOLS) <= terms
    page = render_glossary(tmp_path).read_text()
    assert "Schürmann" in page and page.count("<dt>") == sum(
        len(part["terms"]) for part in sections()
    )
