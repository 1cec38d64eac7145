"""Arms: names made from fields, controls in one place, planning order, and the way to a table."""

import io
from dataclasses import replace

import pandas as pd
import pytest

from lib.faces.arm_plan import asked_for, plan_arms
from lib.faces.arms import (
    ARM_FIELDS,
    UNFILTERED,
    Arm,
    arm_of,
    arm_table,
    controls,
    filtered_pool,
    real_alone,
)
from lib.study.errors import StudyError
from lib.study.params import load_params

PARAMS = load_params("quick") | {
    "pools": ["a", "b"],
    "controls": ["duplicate", "shuffled", "subset", "extra"],
    "train_steps": 100,
    "supplement_shares": [0.2, 0.15025],
    "scarce_shares": [0.25],
    "balance": True,
}
# Every kind of arm at once, of two generations of a pool.
EVERYTHING = PARAMS | {
    "pools": ["a", "a-generation2", "b"],
    "controls": [*PARAMS["controls"], "fewer_steps"],
    "staged_shares": [0.5, 0.2],
    "reversed_shares": [0.5],
    "weighted_shares": [0.5],
    "synthetic_weights": [0.25, 1.0],
    "auxiliary_norm_shares": [0.3],
    "filter_arms": ["blur", "face"],
}


OF_ONE_POOL = {
    "pools": ["a"],
    "controls": ["duplicate"],
    "supplement_shares": [],
    "replace_shares": [],
    "synthetic_multiples": [],
    "scarce_shares": [],
    "balance": False,
    "real_counts": [20, 0],
    "added_counts": [30],
    "added_class_shares": ["pool"],
}


def test_filters_and_predicted_labels_are_read_against_the_same_images_mixed_in():
    uses = {"added_uses": ["label_filtered", "soft_labels"], "label_shares": [0.75, 0.25]}
    arms = plan_arms(PARAMS | OF_ONE_POOL | uses | {"real_counts": [20]})
    filtered = [arm for arm in arms if arm.kind == "label_filtered"]
    assert [arm.name for arm in filtered] == [
        "label_filtered-20+30-keeping-0.75-a",
        "label_filtered-20+30-keeping-0.25-a",
    ]
    mixed = Arm("supplement", "a", real=20, added=30)
    for arm in [*filtered, Arm("soft_labels", "a", real=20, added=30)]:
        assert controls(arm) == [mixed, replace(mixed, kind="duplicate", control_of="supplement")]
        assert arm in arms


def test_real_images_alone_are_trained_in_other_ways_at_every_number():
    arms = plan_arms(PARAMS | OF_ONE_POOL | {"real_ways": ["mixup", "geometry"], "added_uses": []})
    ways = [arm for arm in arms if arm.kind == "improved"]
    assert [arm.name for arm in ways] == [
        "improved-20-only_mixup",
        "improved-20-only_geometry",
        "improved-all-only_mixup",
        "improved-all-only_geometry",
    ]
    assert [real_alone(arm).name for arm in ways] == ["subset-20"] * 2 + ["base"] * 2
    assert all(controls(arm) == [] for arm in ways)


def names(**changes) -> list[str]:
    return [arm.name for arm in plan_arms(PARAMS | changes)]


@pytest.mark.parametrize(
    "arm, name, design",
    [
        (Arm("base"), "base", "base"),
        (Arm("supplement", "a", 0.5), "supplement-0.5-a", "supplement-0.5"),
        (Arm("supplement", "a", 0.15025), "supplement-0.1502-a", "supplement-0.1502"),
        (
            Arm("supplement", "a", 0.5, generation=2),
            "supplement-0.5-a-generation2",
            "supplement-0.5",
        ),
        (
            Arm("shuffled", "a", 0.5, "supplement"),
            "supplement-0.5-a-shuffled",
            "supplement-0.5-shuffled",
        ),
        (
            Arm("shuffled", "a", 0.5, "weighted", 0.25, generation=3),
            "weighted-0.5-at-0.25-a-generation3-shuffled",
            "weighted-0.5-at-0.25-shuffled",
        ),
        (
            Arm("filtered", "a", 0.5, only="blur", generation=2),
            "supplement-0.5-a-generation2-only_blur",
            "supplement-0.5-only_blur",
        ),
        (Arm("staged", "a", 0.5), "staged-0.5-a", "staged-0.5"),
        (Arm("auxiliary_norm", "a", 0.5), "auxiliary_norm-0.5-a", "auxiliary_norm-0.5"),
        (Arm("replace", "a", 0.5), "replace-0.5-a", "replace-0.5"),
        (Arm("subset", share=0.5, control_of="replace"), "subset-0.5", "subset-0.5"),
        (Arm("scarce", "a", 0.1), "scarce-0.1-a", "scarce-0.1"),
        (Arm("subset", share=0.1, control_of="scarce"), "scarce-0.1", "scarce-0.1"),
        (Arm("synthetic", "a", 2.0), "synthetic-2x-a", "synthetic-2x"),
        (Arm("balance", "a"), "balance-a", "balance"),
        (Arm("duplicate", control_of="balance"), "duplicate-balance", "duplicate-balance"),
        (Arm("shuffled", "a", control_of="balance"), "balance-a-shuffled", "balance-shuffled"),
        (Arm("duplicate", share=0.5, control_of="supplement"), "duplicate-0.5", "duplicate-0.5"),
        (Arm("extra", share=0.5, control_of="supplement"), "extra-0.5", "extra-0.5"),
        (
            Arm("fewer_steps", share=0.5, control_of="supplement"),
            "fewer_steps-0.5",
            "fewer_steps-0.5",
        ),
    ],
)
def test_an_arm_is_named_after_its_fields(arm, name, design):
    assert (arm.name, arm.design) == (name, design)


def test_a_generation_belongs_to_the_source_not_to_the_pool():
    arm = Arm("supplement", "dcgan", 0.5, generation=2)
    assert arm.source == "dcgan-generation2" and arm.pool == "dcgan"
    assert arm.first_generation == Arm("supplement", "dcgan", 0.5)
    assert Arm("base").source == ""
    assert filtered_pool(arm.source, "blur") == "dcgan-generation2-only_blur"


def test_an_unknown_kind_is_refused():
    with pytest.raises(StudyError, match="no kind of arm 'fewer'; kinds: base, "):
        Arm("fewer")


def test_names_are_unique_over_every_kind_of_arm():
    arms = plan_arms(EVERYTHING)
    assert len({arm.name for arm in arms}) == len(arms) == len(set(arms))


def test_arms_stand_in_planning_order_each_behind_its_real_controls():
    assert names(pools=["a"], supplement_shares=[0.5]) == [
        "base",
        "duplicate-0.5",
        "extra-0.5",
        "supplement-0.5-a",
        "supplement-0.5-a-shuffled",
        "subset-0.5",
        "replace-0.5-a",
        "synthetic-1x-a",
        "synthetic-1x-a-shuffled",
        "scarce-0.25",
        "scarce-0.25-a",
        "duplicate-balance",
        "balance-a",
        "balance-a-shuffled",
    ]


def test_variants_follow_the_supplements_that_they_are_read_against():
    chosen = {"controls": ["shuffled"], "pools": ["a"], "replace_shares": [], "balance": False}
    chosen |= {"synthetic_multiples": [], "scarce_shares": [], "supplement_shares": [0.2]}
    asked = {"staged_shares": [0.5], "filter_arms": ["blur"]}
    assert names(**chosen, **asked) == [
        "base",
        "supplement-0.2-a",
        "supplement-0.2-a-shuffled",
        "supplement-0.5-a",
        "supplement-0.5-a-shuffled",
        "supplement-0.2-a-only_none",
        "supplement-0.2-a-only_blur",
        "staged-0.5-a",
        "staged-0.5-a-shuffled",
    ]


def test_shares_of_variants_bring_their_plain_supplements_and_controls():
    planned = names(
        supplement_shares=[0.2],
        staged_shares=[0.5, 0.2],
        weighted_shares=[0.5],
        synthetic_weights=[0.25, 1.0],
    )
    assert {
        "supplement-0.5-a",
        "duplicate-0.5",
        "supplement-0.5-b-shuffled",
        "staged-0.2-a",
        "staged-0.5-b-shuffled",
        "weighted-0.5-at-0.25-a",
        "weighted-0.5-at-1-b-shuffled",
    } <= set(planned)


def test_kinds_that_nobody_asked_for_are_not_planned():
    kinds = {arm.kind for arm in plan_arms(PARAMS | {"controls": [], "scarce_shares": []})}
    assert kinds == {"base", "supplement", "replace", "synthetic", "balance"}


def test_named_pools_alone_are_used():
    assert {arm.pool for arm in plan_arms(PARAMS | {"arm_pools": ["b"]})} == {"", "b"}


def test_generations_of_a_pool_are_arms_of_their_own():
    arms = plan_arms(PARAMS | {"pools": ["a", "a-generation2"], "only_arms": ["replace-*"]})
    assert [(arm.pool, arm.generation) for arm in arms if arm.pool] == [("a", 1), ("a", 2)]


def test_a_scarce_share_of_one_is_base_and_without_pools_scarce_is_a_learning_curve():
    shares = {"scarce_shares": [0.1, 0.5, 1.0], "controls": []}
    scarce = [
        arm.name for arm in plan_arms(PARAMS | shares) if "scarce" in (arm.kind, arm.control_of)
    ]
    assert scarce == ["scarce-0.1", "scarce-0.1-a", "scarce-0.1-b"] + [
        "scarce-0.5",
        "scarce-0.5-a",
        "scarce-0.5-b",
    ]
    assert names(pools=[], **shares) == ["base", "scarce-0.1", "scarce-0.5"]


def test_the_fewer_steps_control_exists_only_where_steps_are_equal():
    asked = {"controls": ["fewer_steps"], "pools": ["a"], "supplement_shares": [0.2]}
    assert names(**asked)[:3] == ["base", "fewer_steps-0.2", "supplement-0.2-a"]
    assert not any(arm.is_control for arm in plan_arms(PARAMS | asked | {"train_steps": 0})[:2])


def test_only_the_arms_that_are_asked_for_run_and_base():
    assert names(only_arms=["synthetic-1x-?", "*-0.2-a"]) == [
        "base",
        "supplement-0.2-a",
        "synthetic-1x-a",
        "synthetic-1x-b",
    ]
    with pytest.raises(StudyError, match="only_arms: 'balanced-.' fits none of the arms base, "):
        names(only_arms=["balanced-*"])
    arms = plan_arms(PARAMS)
    assert asked_for(arms, [], "more_seeds_arms") == arms


def test_shares_whose_names_would_clash_are_refused():
    with pytest.raises(StudyError, match="supplement-0.1502-a.*0.15025 and 0.1502"):
        names(staged_shares=[0.1502], controls=[])


@pytest.mark.parametrize(
    "arm, expected",
    [
        (
            Arm("supplement", "a", 0.5, generation=2),
            ["duplicate-0.5", "fewer_steps-0.5", "extra-0.5"]
            + ["supplement-0.5-a-generation2-shuffled"],
        ),
        (
            Arm("weighted", "a", 0.5, weight=0.25),
            ["supplement-0.5-a", "duplicate-0.5", "weighted-0.5-at-0.25-a-shuffled"],
        ),
        (Arm("filtered", "a", 0.5, only="blur"), ["supplement-0.5-a-only_none"]),
        (Arm("filtered", "a", 0.5, only=UNFILTERED), []),
        (Arm("replace", "a", 0.5), ["subset-0.5"]),
        (Arm("replace", "a", 0.0), []),
        (Arm("scarce", "a", 0.1), ["scarce-0.1"]),
        (Arm("synthetic", "a", 1.0), ["synthetic-1x-a-shuffled"]),
        (Arm("balance", "a"), ["duplicate-balance", "balance-a-shuffled"]),
        (Arm("base"), []),
        (Arm("shuffled", "a", 0.5, "supplement"), []),
        (Arm("subset", share=0.1, control_of="scarce"), []),
    ],
)
def test_controls_of_an_arm(arm, expected):
    assert [control.name for control in controls(arm)] == expected


def test_the_planner_plans_the_controls_that_the_statistics_pair():
    arms = plan_arms(EVERYTHING)
    for arm in arms:
        assert set(controls(arm)) <= set(arms), arm.name
    paired = {control for arm in arms for control in controls(arm)}
    assert {arm for arm in arms if arm.is_control} <= paired


def test_arms_come_back_from_a_csv_file_as_they_were():
    arms = plan_arms(EVERYTHING)
    table = arm_table(arms)
    assert list(table.columns) == ["arm", *ARM_FIELDS]
    assert table["arm"].tolist() == [arm.name for arm in arms]
    read = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert [arm_of(row) for row in read.to_dict("records")] == arms
    assert [arm_of(row) for _, row in table.iterrows()] == arms


def test_an_arm_is_read_from_any_mapping_with_its_fields():
    arm = Arm("supplement", "a", 0.15025, generation=2)
    row = arm_table([arm]).iloc[0].to_dict() | {"accuracy": 0.5}
    assert arm_of(row) == arm
    assert arm_of(row | {"generation": 1.0}) == replace(arm, generation=1)
    assert arm_table([]).empty and list(arm_table([]).columns) == ["arm", *ARM_FIELDS]


# Arms that numbers of images define.

AT_NUMBERS = {
    "supplement_shares": [],
    "replace_shares": [],
    "synthetic_multiples": [],
    "scarce_shares": [],
    "balance": False,
    "pools": ["a", "b"],
    "controls": ["duplicate", "shuffled", "subset", "extra", "fewer_steps"],
    "real_counts": [20, 0],
    "added_counts": [30],
}


def test_arms_at_numbers_stand_beside_the_real_images_alone_and_their_controls():
    assert names(**AT_NUMBERS, added_class_shares=["real"]) == [
        "base",
        "subset-20",
        "duplicate-20+30",
        "fewer_steps-20+30",
        "extra-20+30",
        "supplement-20+30-a-real_shares",
        "supplement-20+30-a-real_shares-shuffled",
        "supplement-20+30-b-real_shares",
        "supplement-20+30-b-real_shares-shuffled",
        "duplicate-all+30",
        "fewer_steps-all+30",
        "extra-all+30",
        "supplement-all+30-a-real_shares",
        "supplement-all+30-a-real_shares-shuffled",
        "supplement-all+30-b-real_shares",
        "supplement-all+30-b-real_shares-shuffled",
    ]


def test_duplicates_in_the_class_shares_of_a_pool_belong_to_that_pool():
    planned = plan_arms(PARAMS | AT_NUMBERS | {"added_class_shares": ["pool"], "real_counts": [20]})
    copies = [arm for arm in planned if arm.kind == "duplicate"]
    assert [arm.name for arm in copies] == ["duplicate-20+30-a", "duplicate-20+30-b"]
    assert [controls(arm)[0] for arm in planned if arm.kind == "supplement"] == copies


def test_an_arm_is_compared_with_the_same_real_images_alone():
    few = Arm("supplement", "a", real=20, added=30)
    assert real_alone(few) == Arm("subset", real=20)
    assert real_alone(replace(few, real=0)) == Arm("base")
    assert {real_alone(control) for control in controls(few)} == {Arm("subset", real=20)}


def test_with_draws_the_generations_of_a_pool_are_one_arm():
    draws = AT_NUMBERS | {"draws": True, "pools": ["a", "a-generation2"], "controls": []}
    assert "supplement-20+30-a-real_shares" in names(**draws)
    assert not any("generation2" in name for name in names(**draws))


def test_arms_at_numbers_come_back_from_a_table():
    arms = plan_arms(PARAMS | AT_NUMBERS | {"added_class_shares": ["real", "pool"]})
    text = arm_table(arms).to_csv(index=False)
    back = [arm_of(row) for row in pd.read_csv(io.StringIO(text)).to_dict("records")]
    assert back == arms and len({arm.name for arm in arms}) == len(arms)


def test_every_use_of_the_added_images_is_an_arm_compared_with_the_mixture():
    uses = ["mixed", "staged", "weighted"]
    asked = AT_NUMBERS | {"added_uses": uses, "pools": ["a"], "real_counts": [20], "controls": []}
    planned = plan_arms(PARAMS | asked | {"added_class_shares": ["pool"]})
    mixture, *others = [arm for arm in planned if arm.pool]
    assert [arm.name for arm in others] == ["staged-20+30-a", "weighted-20+30-at-0.5-a"]
    assert all(controls(arm)[0] == mixture for arm in others)
    assert all(controls(arm)[1] == controls(mixture)[0] for arm in others)


def test_a_use_with_a_part_of_its_own_in_training_is_compared_with_shuffled_labels_in_that_part():
    asked = AT_NUMBERS | {"pools": ["a"], "real_counts": [20], "controls": ["shuffled"]}
    asked |= {"added_uses": ["staged", "label_filtered"], "added_class_shares": ["pool"]}
    planned = [arm.name for arm in plan_arms(PARAMS | asked) if arm.kind == "shuffled"]
    assert planned == ["staged-20+30-a-shuffled"]
