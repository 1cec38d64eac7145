"""Arms: S1's own counts, nested supplements, controls of the same size, nothing from outside."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm, plan_arms
from lib.faces.faceset import CLASSES, FaceSet, concat
from lib.faces.mixing import build_arm, stratified, synthetic_count
from lib.study.errors import StudyError

PARAMS = {
    "pools": ["a", "b"], "arm_pools": [], "only_arms": [], "controls": ["duplicate", "shuffled", "subset", "extra"],
    "supplement_shares": [0.2, 0.15025],
    "replace_shares": [0.5], "synthetic_multiples": [1.0], "scarce_shares": [0.25], "balance": True, "staged_shares": [],
    "reversed_shares": [],
    "weighted_shares": [], "synthetic_weights": [0.5], "split_norm_shares": [], "filter_arms": [],
}  # fmt: skip


def faces(n: int, source: str, *, seed: int = 0) -> FaceSet:
    """Images whose first pixel is their number; classes in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (n, 8, 8)).astype(np.uint8)
    table = pd.DataFrame(
        {"id": [f"{source}{i}" for i in range(n)], "class": [CLASSES[i % 7] for i in range(n)], "split": "train", "source": source}
    )
    return FaceSet(images, table)


REAL, POOLS = faces(70, "real"), {"a": faces(140, "synthetic", seed=1), "b": faces(140, "synthetic", seed=2)}


def build(name: str, seed: int = 0, **more) -> FaceSet:
    arm = next(arm for arm in plan_arms(PARAMS) if arm.name == name)
    return build_arm(arm, REAL, POOLS, seed=seed, **more)


def test_s1s_shares_give_s1s_counts():
    assert [synthetic_count(28_821, share) for share in (0.0712, 0.1178, 0.15025)] == [2209, 3848, 5096]


def test_arms_are_named_as_sentences_and_once():
    names = [arm.name for arm in plan_arms(PARAMS)]
    assert names[0] == "base" and len(set(names)) == len(names)
    for name in ("supplement-0.1502-a", "shuffled-0.2-b", "duplicate-0.2", "extra-0.1502", "replace-0.5-a", "subset-0.5", "synthetic-1x-b",
                 "synthetic-1x-a-shuffled", "scarce-0.25", "scarce-0.25-b", "balance-a"):  # fmt: skip
        assert name in names


def test_without_controls_there_are_none():
    kinds = {arm.kind for arm in plan_arms(PARAMS | {"controls": [], "scarce_shares": []})}
    assert kinds == {"base", "supplement", "replace", "synthetic", "balance"}


def test_named_pools_alone_are_used():
    assert {arm.pool for arm in plan_arms(PARAMS | {"arm_pools": ["b"]})} == {"", "b"}


def test_only_the_arms_that_are_asked_for_run_and_base():
    asked = [arm.name for arm in plan_arms(PARAMS | {"only_arms": ["synthetic-1x-?", "*-0.2-a"]})]
    assert asked == ["base", "supplement-0.2-a", "shuffled-0.2-a", "synthetic-1x-a", "synthetic-1x-b"]
    with pytest.raises(StudyError, match="'balanced-.' fits none of the arms base, "):
        plan_arms(PARAMS | {"only_arms": ["balanced-*"]})


def test_a_supplement_is_all_real_images_and_the_first_synthetic_ones():
    arm = build("supplement-0.2-a")
    n = synthetic_count(70, 0.2)
    assert len(arm) == 70 + n
    np.testing.assert_array_equal(arm.images[:70], REAL.images)
    np.testing.assert_array_equal(arm.images[70:], POOLS["a"].images[:n])
    smaller = build("supplement-0.1502-a")
    np.testing.assert_array_equal(smaller.images, arm.images[: len(smaller)])


@pytest.mark.parametrize("control", ["duplicate-0.2", "shuffled-0.2-a"])
def test_controls_have_the_size_of_what_they_control(control):
    assert len(build(control)) == len(build("supplement-0.2-a"))


def test_the_fewer_control_is_the_real_images_alone_and_only_where_steps_are_equal():
    asked = PARAMS | {"controls": ["fewer"], "supplement_shares": [0.2]}
    (arm,) = [arm for arm in plan_arms(asked | {"train_steps": 100}) if arm.kind == "fewer"]
    assert arm.name == "fewer-0.2" and build_arm(arm, REAL, {}, seed=0).digest() == REAL.digest()
    assert not [arm for arm in plan_arms(asked | {"train_steps": 0}) if arm.kind == "fewer"]


def test_the_extra_control_adds_real_images_and_says_how_many_it_lacks():
    extra = faces(20, "held", seed=3)
    assert len(build("extra-0.2", extra=extra)) == len(build("supplement-0.2-a"))
    with pytest.raises(StudyError, match="needs 18 images.*holds 5.*drawn_extra|needs 18 images.*drawn_extra.*holds 5"):
        build("extra-0.2", extra=faces(5, "held"))


def test_duplicates_are_real_images_each_once_before_any_twice():
    arm = build_arm(Arm("duplicate-0.75", "duplicate", share=0.75, control_of="supplement"), REAL, {}, seed=0)
    counts = pd.Series([image.tobytes() for image in arm.images]).value_counts()
    assert len(arm) == 280 and set(counts) == {4}
    assert set(counts.index) == {image.tobytes() for image in REAL.images}


def test_shuffled_images_keep_their_class_counts_and_lose_their_labels():
    arm, plain = build("synthetic-1x-a-shuffled"), build("synthetic-1x-a")
    np.testing.assert_array_equal(arm.images, plain.images)
    assert arm.counts().equals(plain.counts())
    assert (arm.labels == plain.labels).mean() < 0.5


def test_replace_keeps_the_total_and_shares_its_real_images_with_its_control():
    arm, control = build("replace-0.5-a"), build("subset-0.5")
    assert len(arm) == 70 and len(control) == 35
    np.testing.assert_array_equal(arm.images[:35], control.images)
    np.testing.assert_array_equal(arm.images[35:], POOLS["a"].images[:35])


def test_scarce_fills_up_to_the_full_amount():
    assert len(build("scarce-0.25")) == 18 and len(build("scarce-0.25-a")) == 70


def test_balance_brings_every_class_to_the_largest():
    real = REAL.select(REAL.labels != 1)
    real = concat([real, REAL.select(np.flatnonzero(REAL.labels == 1)[:2])])
    arm = build_arm(Arm("balance-a", "balance", "a"), real, POOLS, seed=0)
    assert set(arm.counts()) == {10}
    added = arm.table["id"].str.startswith("a/")
    assert set(arm.table.loc[added, "class"]) == {CLASSES[1]} and added.sum() == 8


def test_the_seed_governs_what_is_drawn():
    assert build("subset-0.5").digest() == build("subset-0.5").digest() != build("subset-0.5", seed=1).digest()


def test_stratified_keeps_class_shares():
    labels = np.repeat(np.arange(7), [40, 5, 15, 20, 10, 7, 3])
    chosen = stratified(labels, 50, np.random.default_rng(0))
    counts = np.bincount(labels[chosen], minlength=7)
    assert counts.sum() == 50 == len(set(chosen))
    assert (np.abs(counts - np.bincount(labels) / 2) < 1).all()


def test_no_arm_holds_an_image_from_elsewhere():
    known = {image.tobytes() for part in (REAL, *POOLS.values()) for image in part.images}
    for arm in plan_arms(PARAMS | {"controls": ["duplicate", "shuffled", "subset"]}):
        built = build_arm(arm, REAL, POOLS, seed=0)
        assert {image.tobytes() for image in built.images} <= known
        assert built.table["id"].is_unique


def test_a_pool_too_small_or_missing_is_said_with_both_numbers():
    with pytest.raises(StudyError, match="supplement-0.5-a.*needs 70 images.*pool a holds 10.*pool_images"):
        build_arm(Arm("supplement-0.5-a", "supplement", "a", 0.5), REAL, {"a": POOLS["a"].select(np.arange(10))}, seed=0)
    with pytest.raises(StudyError, match="'c' is not there; there are a, b"):
        build_arm(Arm("synthetic-1x-c", "synthetic", "c", 1.0), REAL, POOLS, seed=0)


def test_shares_of_variants_bring_their_plain_supplements_and_controls():
    arms = plan_arms(
        PARAMS | {"supplement_shares": [0.2], "staged_shares": [0.5, 0.2], "weighted_shares": [0.5], "synthetic_weights": [0.25, 1.0]}
    )
    names = [arm.name for arm in arms]
    assert len(set(names)) == len(names)
    for name in ("supplement-0.5-a", "duplicate-0.5", "shuffled-0.5-b", "staged-0.2-a", "staged-0.5-b-shuffled", "weighted-0.5-at-0.25-a",
                 "weighted-0.5-at-1-b-shuffled"):  # fmt: skip
        assert name in names
    assert not any(name.startswith("reversed") or "only" in name for name in names)


@pytest.mark.parametrize("kind", ["staged", "reversed", "weighted", "splitnorm"])
def test_variants_hold_the_images_of_the_plain_supplement(kind):
    variant = build_arm(Arm("v", kind, "a", 0.2, weight=0.25), REAL, POOLS, seed=0)
    np.testing.assert_array_equal(variant.images, build("supplement-0.2-a").images)
    column, real, synthetic = {"staged": ("stage_end", 1, 0.2), "reversed": ("stage_end", 0.8, 1), "weighted": ("weight", 1, 0.25),
                               "splitnorm": ("norm_group", 0, 1)}[kind]  # fmt: skip
    assert variant.table[column].iloc[:70].unique() == pytest.approx([real], abs=0.005)
    assert variant.table[column].iloc[70:].unique() == pytest.approx([synthetic], abs=0.005)


def test_a_shuffled_variant_is_trained_like_the_variant():
    plain, shuffled = (build_arm(Arm("v", *kind, weight=0.25), REAL, POOLS, seed=0)
                       for kind in (("weighted", "a", 0.2), ("shuffled", "a", 0.2, "weighted")))  # fmt: skip
    np.testing.assert_array_equal(plain.table["weight"], shuffled.table["weight"])
    assert (plain.labels[:70] == shuffled.labels[:70]).all() and (plain.labels[70:] != shuffled.labels[70:]).any()


def test_filter_arms_take_the_first_images_that_one_step_keeps():
    params = PARAMS | {"filter_arms": ["blur"], "supplement_shares": [0.2]}
    arms = {arm.name: arm for arm in plan_arms(params) if arm.kind == "filtered"}
    assert set(arms) == {f"supplement-0.2-{pool}-only_{step}" for pool in "ab" for step in ("none", "blur")}
    pools = POOLS | {"a-only_none": POOLS["a"], "a-only_blur": POOLS["a"].select(np.arange(1, 140, 2))}
    none, blur = (build_arm(arms[f"supplement-0.2-a-only_{step}"], REAL, pools, seed=0) for step in ("none", "blur"))
    assert len(none) == len(blur) and none.digest() == build("supplement-0.2-a").digest()
    assert list(blur.table["id"].iloc[70:73]) == ["a/synthetic1", "a/synthetic3", "a/synthetic5"]


def test_scarce_subsets_lie_in_one_another():
    real = FaceSet(REAL.images, REAL.table.assign(**{"class": np.repeat(CLASSES, [1, 2, 7, 10, 15, 15, 20])}))
    shares = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0]
    subsets = [build_arm(Arm("scarce", "subset", share=share, control_of="scarce"), real, {}, seed=3) for share in shares]
    assert [len(subset) for subset in subsets] == [round(share * 70) for share in shares]
    for small, large in zip(subsets, subsets[1:]):
        assert set(small.table["id"]) <= set(large.table["id"])
    params = PARAMS | {"scarce_shares": shares}
    assert {arm.name for arm in plan_arms(params) if arm.name.startswith("scarce")} == {
        f"scarce-{share:g}{pool}" for share in shares[:-1] for pool in ("", "-a", "-b")}  # fmt: skip


def test_balance_has_controls_of_its_size():
    real = concat([REAL.select(REAL.labels != 1), REAL.select(np.flatnonzero(REAL.labels == 1)[:2])])
    arms = {arm.name: build_arm(arm, real, POOLS, seed=0) for arm in plan_arms(PARAMS) if "balance" in arm.name}
    assert set(arms) == {"duplicate-balance", "balance-a", "balance-a-shuffled", "balance-b", "balance-b-shuffled"}
    assert {len(faces) for faces in arms.values()} == {70}
    oversampled = arms["duplicate-balance"]
    assert set(oversampled.counts()) == {10} and {image.tobytes() for image in oversampled.images} == {
        image.tobytes() for image in real.images
    }


def test_shares_whose_names_would_clash_are_refused():
    with pytest.raises(StudyError, match="supplement-0.1502-a.*0.15025 and 0.1502"):
        plan_arms(PARAMS | {"staged_shares": [0.1502], "controls": []})
    with pytest.raises(StudyError, match="synthetic share of 1.*synthetic_multiples"):
        build_arm(Arm("supplement-1-a", "supplement", "a", 1.0), REAL, POOLS, seed=0)
