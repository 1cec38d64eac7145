"""Training sets of arms: S1's own counts, nested supplements, controls of one size, no leaks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm, plan_arms
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet, concat
from lib.faces.mixing import build_arm, stratified, synthetic_count
from lib.study.errors import StudyError

PARAMS = {
    "pools": ["a", "b"],
    "arm_pools": [],
    "only_arms": [],
    "controls": ["duplicate", "shuffled", "subset", "extra", "fewer_steps"],
    "train_steps": 100,
    "supplement_shares": [0.2, 0.15025],
    "replace_shares": [0.5],
    "synthetic_multiples": [1.0],
    "scarce_shares": [0.25],
    "balance": True,
    "staged_shares": [],
    "reversed_shares": [],
    "weighted_shares": [],
    "synthetic_weights": [0.5],
    "auxiliary_norm_shares": [],
    "filter_arms": [],
}


def faces(n: int, source: str, *, seed: int = 0) -> FaceSet:
    """Noise images; classes in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (n, 8, 8)).astype(np.uint8)
    table = pd.DataFrame(
        {
            "id": [f"{source}{i}" for i in range(n)],
            "class": [EMOTIONS[i % 7] for i in range(n)],
            "split": "train",
            "source": source,
        }
    )
    return FaceSet(images, table)


REAL = faces(70, "real")
POOLS = {"a": faces(140, "synthetic", seed=1), "b": faces(140, "synthetic", seed=2)}


def build(arm: Arm, real: FaceSet = REAL, pools: dict = POOLS, seed: int = 0, **more) -> FaceSet:
    return build_arm(arm, real, pools, seed=seed, **more)


def supplement(share: float = 0.2) -> FaceSet:
    return build(Arm("supplement", "a", share))


def pixels(images) -> list[bytes]:
    return [image.tobytes() for image in images]


def with_few_of_class_1() -> FaceSet:
    """Real images: 10 of each class, but 2 of the second."""
    few = REAL.select(np.flatnonzero(REAL.labels == 1)[:2])
    return concat([REAL.select(REAL.labels != 1), few])


def test_s1s_shares_give_s1s_counts():
    counts = [synthetic_count(28_821, share) for share in (0.0712, 0.1178, 0.15025)]
    assert counts == [2209, 3848, 5096]


def test_a_supplement_is_all_real_images_and_the_first_synthetic_ones():
    arm, n = supplement(), synthetic_count(70, 0.2)
    assert len(arm) == 70 + n
    np.testing.assert_array_equal(arm.images[:70], REAL.images)
    np.testing.assert_array_equal(arm.images[70:], POOLS["a"].images[:n])
    smaller = supplement(0.15025)
    np.testing.assert_array_equal(smaller.images, arm.images[: len(smaller)])


@pytest.mark.parametrize(
    "control",
    [
        Arm("duplicate", share=0.2, control_of="supplement"),
        Arm("shuffled", "a", 0.2, control_of="supplement"),
    ],
    ids=lambda arm: arm.kind,
)
def test_controls_have_the_size_of_what_they_control(control):
    assert len(build(control)) == len(supplement())


def test_the_fewer_steps_control_is_the_real_images_alone():
    arm = Arm("fewer_steps", share=0.2, control_of="supplement")
    assert build(arm, pools={}).digest() == REAL.digest()


def test_the_extra_control_adds_real_images_and_names_how_many_it_lacks():
    arm = Arm("extra", share=0.2, control_of="supplement")
    assert len(build(arm, extra=faces(20, "held", seed=3))) == len(supplement())
    with pytest.raises(StudyError, match="needs 18 images.*drawn_extra.*holds 5"):
        build(arm, extra=faces(5, "held"))


def test_duplicates_are_real_images_each_once_before_any_twice():
    arm = build(Arm("duplicate", share=0.75, control_of="supplement"), pools={})
    counts = pd.Series(pixels(arm.images)).value_counts()
    assert len(arm) == 280 and set(counts) == {4}
    assert set(counts.index) == set(pixels(REAL.images))


def test_shuffled_images_keep_their_class_counts_and_lose_their_labels():
    arm = build(Arm("shuffled", "a", 1.0, control_of="synthetic"))
    plain = build(Arm("synthetic", "a", 1.0))
    np.testing.assert_array_equal(arm.images, plain.images)
    assert arm.counts().equals(plain.counts())
    assert (arm.labels == plain.labels).mean() < 0.5


def test_replace_keeps_the_total_and_shares_its_real_images_with_its_control():
    arm = build(Arm("replace", "a", 0.5))
    control = build(Arm("subset", share=0.5, control_of="replace"))
    assert len(arm) == 70 and len(control) == 35
    np.testing.assert_array_equal(arm.images[:35], control.images)
    np.testing.assert_array_equal(arm.images[35:], POOLS["a"].images[:35])


def test_scarce_fills_up_to_the_full_amount():
    assert len(build(Arm("subset", share=0.25, control_of="scarce"))) == 18
    assert len(build(Arm("scarce", "a", 0.25))) == 70


def test_balance_brings_every_class_to_the_largest():
    arm = build(Arm("balance", "a"), with_few_of_class_1())
    assert set(arm.counts()) == {10}
    added = arm.table["source"] == "synthetic"
    assert set(arm.table.loc[added, "class"]) == {EMOTIONS[1]} and added.sum() == 8


def test_balance_has_controls_of_its_size():
    real = with_few_of_class_1()
    arms = [arm for arm in plan_arms(PARAMS) if "balance" in (arm.kind, arm.control_of)]
    built = {arm.name: build(arm, real) for arm in arms}
    assert set(built) == {
        "duplicate-balance",
        "balance-a",
        "balance-a-shuffled",
        "balance-b",
        "balance-b-shuffled",
    }
    assert {len(part) for part in built.values()} == {70}
    oversampled = built["duplicate-balance"]
    assert set(oversampled.counts()) == {10}
    assert set(pixels(oversampled.images)) == set(pixels(real.images))


def test_the_seed_governs_what_is_drawn():
    arm = Arm("subset", share=0.5, control_of="replace")
    assert build(arm).digest() == build(arm).digest() != build(arm, seed=1).digest()


def test_stratified_keeps_class_shares():
    labels = np.repeat(np.arange(7), [40, 5, 15, 20, 10, 7, 3])
    chosen = stratified(labels, 50, np.random.default_rng(0))
    counts = np.bincount(labels[chosen], minlength=7)
    assert counts.sum() == 50 == len(set(chosen))
    assert (np.abs(counts - np.bincount(labels) / 2) < 1).all()


def test_no_arm_holds_an_image_from_elsewhere():
    known = {image for part in (REAL, *POOLS.values()) for image in pixels(part.images)}
    for arm in plan_arms(PARAMS | {"controls": ["duplicate", "shuffled", "subset"]}):
        built = build(arm)
        assert set(pixels(built.images)) <= known
        assert built.table["id"].is_unique


def test_a_pool_too_small_or_missing_is_named_with_both_numbers():
    small = {"a": POOLS["a"].select(np.arange(10))}
    message = "supplement-0.5-a.*needs 70 images.*pool a holds 10.*pool_images"
    with pytest.raises(StudyError, match=message):
        build(Arm("supplement", "a", 0.5), pools=small)
    with pytest.raises(StudyError, match="'c' is not there; there are a, b"):
        build(Arm("synthetic", "c", 1.0))
    with pytest.raises(StudyError, match="synthetic share of 1.*synthetic_multiples"):
        build(Arm("supplement", "a", 1.0))


def test_later_generations_are_pools_of_their_own():
    pools = POOLS | {"a-generation2": faces(140, "synthetic", seed=5)}
    arm = build(Arm("supplement", "a", 0.2, generation=2), pools=pools)
    np.testing.assert_array_equal(arm.images[70:], pools["a-generation2"].images[:18])
    assert arm.table["id"].iloc[70] == "a-generation2/synthetic0"
    with pytest.raises(StudyError, match="pool 'a-generation3' is not there"):
        build(Arm("supplement", "a", 0.2, generation=3), pools=pools)


@pytest.mark.parametrize("kind", ["supplement", "synthetic"])
def test_a_pool_of_other_classes_is_refused(kind):
    other = replace(POOLS["a"], classes=(*EMOTIONS, "contempt"))
    with pytest.raises(StudyError, match="pool a has the classes .*contempt, the real images"):
        build(Arm(kind, "a", 0.5), pools={"a": other})


def test_arms_of_other_classes_keep_them():
    names = np.array(["cat", "dog"])[np.arange(70) % 2]
    real = FaceSet(REAL.images, REAL.table.assign(**{"class": names}), ("cat", "dog"))
    pool = real.with_columns(source="synthetic")
    params = PARAMS | {"pools": ["a"], "controls": ["duplicate", "shuffled", "subset"]}
    for arm in plan_arms(params):
        assert build(arm, real, {"a": pool}).classes == ("cat", "dog"), arm.name


@pytest.mark.parametrize(
    "kind, column, real, synthetic",
    [
        ("staged", "stage_end", 1, 0.2),
        ("reversed", "stage_end", 0.8, 1),
        ("weighted", "weight", 1, 0.25),
        ("auxiliary_norm", "norm_group", 0, 1),
    ],
)
def test_variants_hold_the_images_of_the_plain_supplement(kind, column, real, synthetic):
    variant = build(Arm(kind, "a", 0.2, weight=0.25))
    np.testing.assert_array_equal(variant.images, supplement().images)
    assert variant.table[column].iloc[:70].unique() == pytest.approx([real], abs=0.005)
    assert variant.table[column].iloc[70:].unique() == pytest.approx([synthetic], abs=0.005)


def test_a_shuffled_variant_is_trained_like_the_variant():
    plain = build(Arm("weighted", "a", 0.2, weight=0.25))
    shuffled = build(Arm("shuffled", "a", 0.2, "weighted", weight=0.25))
    np.testing.assert_array_equal(plain.table["weight"], shuffled.table["weight"])
    assert (plain.labels[:70] == shuffled.labels[:70]).all()
    assert (plain.labels[70:] != shuffled.labels[70:]).any()


def test_filtered_arms_take_the_first_images_that_one_step_keeps():
    params = PARAMS | {"filter_arms": ["blur"], "supplement_shares": [0.2]}
    arms = [arm for arm in plan_arms(params) if arm.kind == "filtered"]
    assert {(arm.pool, arm.only) for arm in arms} == {
        (pool, step) for pool in "ab" for step in ("none", "blur")
    }
    kept = POOLS["a"].select(np.arange(1, 140, 2))
    pools = POOLS | {"a-only_none": POOLS["a"], "a-only_blur": kept}
    none = build(Arm("filtered", "a", 0.2, only="none"), pools=pools)
    blur = build(Arm("filtered", "a", 0.2, only="blur"), pools=pools)
    assert len(none) == len(blur) and none.digest() == supplement().digest()
    assert list(blur.table["id"].iloc[70:73]) == ["a/synthetic1", "a/synthetic3", "a/synthetic5"]
    with pytest.raises(StudyError, match="no verdicts of the step 'face' alone on pool a"):
        build(Arm("filtered", "a", 0.2, only="face"), pools=pools)


def test_scarce_subsets_lie_in_one_another():
    uneven = np.repeat(EMOTIONS, [1, 2, 7, 10, 15, 15, 20])
    real = REAL.with_columns(**{"class": uneven})
    shares = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0]
    arms = [Arm("subset", share=share, control_of="scarce") for share in shares]
    subsets = [build(arm, real, {}, seed=3) for arm in arms]
    assert [len(subset) for subset in subsets] == [round(share * 70) for share in shares]
    for small, large in zip(subsets, subsets[1:]):
        assert set(small.table["id"]) <= set(large.table["id"])
