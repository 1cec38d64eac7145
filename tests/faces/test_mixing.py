"""Arms: S1's own counts, nested supplements, controls of the same size, nothing from outside."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.faceset import CLASSES, FaceSet, concat
from lib.faces.mixing import Arm, build_arm, plan_arms, stratified, synthetic_count
from lib.study.errors import StudyError

PARAMS = {
    "pools": ["a", "b"], "arm_pools": [], "controls": ["duplicate", "shuffled", "subset", "extra"], "supplement_shares": [0.2, 0.15025],
    "replace_shares": [0.5], "synthetic_multiples": [1.0], "scarce_shares": [0.25], "balance": True,
}  # fmt: skip


def faces(n: int, source: str, *, seed: int = 0) -> FaceSet:
    """Images whose first pixel is their number; classes in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (n, 8, 8)).astype(np.uint8)
    table = pd.DataFrame({"id": [f"{source}{i}" for i in range(n)], "class": [CLASSES[i % 7] for i in range(n)], "split": "train", "source": source})
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


def test_stratified_keeps_class_shares_by_largest_remainders():
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
