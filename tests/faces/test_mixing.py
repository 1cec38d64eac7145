"""Training sets of arms: S1's own counts, nested supplements, controls of one size, no leaks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.faces.arm_plan import plan_arms
from lib.faces.arms import Arm
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet, concat
from lib.faces.mixing import build_arm, draw_subset, synthetic_count
from lib.faces.sampling import apportion, stratified
from lib.study.errors import StudyError
from lib.study.params import load_params

PARAMS = load_params("quick") | {
    "pools": ["a", "b"],
    "controls": ["duplicate", "shuffled", "subset", "extra", "fewer_steps"],
    "train_steps": 100,
    "supplement_shares": [0.2, 0.15025],
    "scarce_shares": [0.25],
    "balance": True,
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


def doubting(real: FaceSet, others: FaceSet) -> np.ndarray:
    """A label classifier that is the surer of a label the later its image comes."""
    sure = np.linspace(0.2, 0.9, len(others))[:, None]
    own = np.eye(7)[others.labels]
    return own * sure + (1 - own) * (1 - sure) / 6


@pytest.mark.parametrize("share, kept", [(1.0, 70), (0.5, 35), (0.1, 7), (0.001, 7)])
def test_a_filter_by_label_keeps_of_each_class_the_images_that_look_surest(share, kept):
    arm = Arm("label_filtered", "a", share, real=35, added=70)
    added = build(arm, classify=doubting).select(np.arange(35, 35 + kept))
    assert len(build(arm, classify=doubting)) == 35 + kept
    # The surest come last, in whole rounds of the seven classes.
    last = [f"a/{name}" for name in POOLS["a"].table["id"].iloc[70 - kept : 70]]
    assert added.table["id"].tolist() == last


def test_predicted_labels_are_those_of_the_label_classifier_and_real_images_keep_theirs():
    arm = Arm("soft_labels", "a", real=35, added=70)
    made, mixed = (build(one, classify=doubting) for one in (arm, replace(arm, kind="supplement")))
    np.testing.assert_array_equal(made.images, mixed.images)
    targets = made.table[[f"target_{name}" for name in EMOTIONS]].to_numpy()
    np.testing.assert_array_equal(targets[:35], np.eye(7)[made.labels[:35]])
    expected = doubting(made, made.select(np.arange(35, 105)))
    np.testing.assert_allclose(targets[35:], expected)
    assert made.digest() != mixed.digest()


def test_the_label_classifier_learns_from_the_arms_own_real_images_alone():
    seen = []

    def classify(real, others):
        seen.append((real.table["id"].tolist(), len(others)))
        return doubting(real, others)

    build(Arm("label_filtered", "a", 0.5, real=35, added=70), classify=classify, draw=1)
    own = draw_subset(REAL, 35, seed=0, draw=1).table["id"].tolist()
    assert seen == [(own, 70)]


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


# Arms that numbers of images define.

FEW = Arm("supplement", "a", real=21, added=30)
CONTROL = {"real": 21, "added": 30, "control_of": "supplement"}


def test_seats_are_divided_in_proportion_and_sum_to_the_number():
    counts = np.array([40, 30, 20, 10, 0])
    assert list(apportion(counts, 10)) == [4, 3, 2, 1, 0]
    assert list(apportion(counts, 1_000)) == [400, 300, 200, 100, 0]
    assert all(apportion(counts, n).sum() == n for n in range(50))


def test_seats_agree_with_a_stratified_choice():
    labels = np.repeat(np.arange(4), [50, 31, 12, 7])
    for n in (3, 17, 60):
        chosen = stratified(labels, n, np.random.default_rng(0))
        counts = np.bincount(labels[chosen], minlength=4)
        assert list(counts) == list(apportion([50, 31, 12, 7], n))


def test_an_arm_at_numbers_holds_these_numbers_of_images():
    built = build(FEW)
    assert list(built.table["source"].value_counts()) == [30, 21]
    assert build(replace(FEW, real=0)).table["source"].value_counts()["real"] == len(REAL)


def test_every_arm_of_a_draw_holds_the_same_real_images():
    arms = [
        Arm("subset", real=21),
        Arm("duplicate", **CONTROL, class_shares="real"),
        Arm("fewer_steps", **CONTROL),
        Arm("extra", **CONTROL),
        FEW,
        replace(FEW, kind="shuffled", control_of="supplement"),
    ]
    chosen = set(draw_subset(REAL, 21, seed=0, draw=3).table["id"])
    assert len(chosen) == 21
    for arm in arms:
        assert chosen <= set(build(arm, draw=3).table["id"]), arm.name


def test_each_draw_chooses_other_real_and_other_synthetic_images():
    first, second = build(FEW, draw=0), build(FEW, draw=1)
    for source in ("real", "synthetic"):
        ids = [
            set(each.table.loc[each.table["source"] == source, "id"]) for each in (first, second)
        ]
        assert ids[0] != ids[1]
    assert build(FEW, draw=1).digest() == second.digest()


def test_without_draws_the_pools_first_images_are_taken():
    synthetic = build(FEW).select(np.arange(21, 51))
    assert pixels(synthetic.images) == pixels(POOLS["a"].images[:30])


def test_held_back_real_images_are_other_real_images_than_the_arms():
    extra = build(Arm("extra", **CONTROL))
    assert len(extra) == 51 and set(extra.table["id"]) <= set(REAL.table["id"])
    assert extra.table["id"].is_unique


def test_more_held_back_images_than_there_are_are_refused():
    with pytest.raises(StudyError, match="needs 60 held-back real images, there are 49"):
        build(Arm("extra", real=21, added=60, control_of="supplement"))
    with pytest.raises(StudyError, match="there are 0"):
        build(Arm("extra", added=1, control_of="supplement"))


def test_added_images_have_the_class_shares_of_the_real_ones_where_asked_for():
    real = with_few_of_class_1()
    built = build(replace(FEW, real=0, class_shares="real"), real, draw=0)
    synthetic = built.select((built.table["source"] == "synthetic").to_numpy())
    assert list(synthetic.counts()) == list(apportion(real.counts().to_numpy(), 30))


@pytest.mark.parametrize("class_shares", ["real", ""])
def test_copies_have_the_class_counts_of_what_they_control(class_shares):
    arm = replace(FEW, class_shares=class_shares)
    pool = "" if class_shares else "a"
    copies = Arm("duplicate", pool, class_shares=class_shares, **CONTROL)
    assert list(build(copies, draw=2).counts()) == list(build(arm, draw=2).counts())
    assert set(build(copies, draw=2).table["source"]) == {"real"}


def test_a_class_that_the_pool_lacks_is_named():
    pool = POOLS["a"].select(POOLS["a"].labels != 3)
    with pytest.raises(StudyError, match=f"of {EMOTIONS[3]}, pool a holds 0"):
        build(replace(FEW, class_shares="real"), pools={"a": pool})


def test_shuffled_labels_keep_their_counts_and_leave_real_labels_alone():
    plain, shuffled = build(FEW), build(replace(FEW, kind="shuffled", control_of="supplement"))
    assert (plain.images == shuffled.images).all()
    assert (plain.labels[:21] == shuffled.labels[:21]).all()
    assert (plain.labels[21:] != shuffled.labels[21:]).any()
    assert list(plain.counts()) == list(shuffled.counts())

    # Used in another way than mixed they are used in that way.
    staged = build(replace(FEW, kind="staged"))
    control = build(replace(FEW, kind="shuffled", control_of="staged"))
    assert list(control.table["stage_end"]) == list(staged.table["stage_end"])
    assert (control.labels == shuffled.labels).all()
