"""Variants of a training: each, where it comes to nothing, leaves the bytes of the plain one; each does what it says where it does not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.classifiers import training
from lib.classifiers.models import build_classifier
from lib.classifiers.options import Options, class_weights, image_weights
from lib.classifiers.order import Schedule, balanced_order, plan_stages
from lib.classifiers.recipes import RECIPES
from lib.classifiers.splitnorm import SplitNorm, join_norms, select_group, split_norms
from lib.classifiers.training import train
from lib.faces.arms import Arm
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.mixing import build_arm
from lib.study.errors import StudyError

QUICK = replace(RECIPES["quick"], batch_size=8, curve_points=4)


def noise(n: int, source: str, seed: int, px: int = 16) -> FaceSet:
    images = np.random.default_rng(seed).integers(0, 256, (n, px, px)).astype(np.uint8)
    table = pd.DataFrame(
        {"id": [f"{source}{i}" for i in range(n)], "class": [CLASSES[i % 7] for i in range(n)], "split": "train", "source": source}
    )
    return FaceSet(images, table)


REAL, POOLS = noise(28, "real", 0), {"a": noise(28, "synthetic", 1)}


def arm_of(kind: str, share: float = 0.5, **more) -> FaceSet:
    return build_arm(Arm(f"{kind}-{share}-a", kind, "a", share, **more), REAL, POOLS, seed=0)


def trained(faces: FaceSet, **more):
    return train(faces, **({"classifier": "small", "recipe": QUICK, "seed": 1, "steps": 6} | more))


def weights_of(result) -> dict:
    return {name: tensor.numpy().tobytes() for name, tensor in result.model.state_dict().items()}


def test_a_weight_of_one_is_the_plain_supplement_and_of_nought_the_real_images_alone():
    assert weights_of(trained(arm_of("weighted", weight=1.0))) == weights_of(trained(arm_of("supplement")))
    assert weights_of(trained(arm_of("weighted", weight=0.0))) == weights_of(trained(REAL))
    half = weights_of(trained(arm_of("weighted", weight=0.5)))
    assert half not in (weights_of(trained(arm_of("supplement"))), weights_of(trained(REAL)))


def test_a_weight_is_part_of_what_a_training_set_is():
    digests = {arm_of("weighted", weight=w).digest() for w in (0.25, 0.5)} | {
        arm_of(k).digest() for k in ("supplement", "staged", "reversed", "splitnorm")
    }
    assert len(digests) == 6


@pytest.mark.parametrize("kind", ["staged", "reversed", "splitnorm"])
def test_a_variant_without_synthetic_images_is_base(kind):
    assert weights_of(trained(arm_of(kind, 0.0))) == weights_of(trained(REAL))


def test_stages_follow_one_another_each_with_its_own_images():
    for kind, order in (("staged", ["synthetic", "real"]), ("reversed", ["real", "synthetic"])):
        faces = arm_of(kind)
        stages = plan_stages(Schedule(56, 8, 14, False, 0), faces.labels, faces.table["stage_end"].to_numpy(), "shuffled", "cpu")
        assert [stage.first for stage in stages] == [0, 7]
        for stage, source in zip(stages, order):
            rows = torch.cat([stage.rows(step, "cpu") for step in range(stage.first, stage.first + 7)])
            assert set(faces.table["source"].iloc[rows.numpy()]) == {source}
            counts = np.bincount(rows.numpy(), minlength=56)
            assert set(counts[(faces.table["source"] == source).to_numpy()]) == {2}  # as often as in the plain supplement


def test_stages_of_whole_epochs_show_each_image_as_often_as_told():
    faces = arm_of("staged", 0.2)  # 28 real, 7 synthetic
    stages = plan_stages(Schedule(35, 7, 15, True, 0), faces.labels, faces.table["stage_end"].to_numpy(), "shuffled", "cpu")
    rows = torch.cat([next(s for s in reversed(stages) if s.first <= step).rows(step, "cpu") for step in range(15)]).tolist()
    assert sorted(rows[:21]) == sorted([*range(28, 35)] * 3) and sorted(rows[21:]) == sorted([*range(28)] * 3)


def test_stages_that_leave_the_end_of_a_run_empty_are_refused():
    with pytest.raises(StudyError, match="the last at 1.*0.5"):
        trained(FaceSet(REAL.images, REAL.table.assign(stage_end=0.5)))


def test_split_norms_on_one_source_are_the_plain_network():
    for groups in (1, 2):
        torch.manual_seed(0)
        plain = build_classifier("fast", image_px=16)
        split = split_norms(build_classifier("fast", image_px=16), groups)
        split.load_state_dict({name: tensor for name, tensor in split.state_dict().items()} | as_group_0(plain))
        x = torch.rand(8, 1, 16, 16)
        assert torch.equal(plain.train()(x), split.train()(x)) and torch.equal(plain.eval()(x), split.eval()(x))
        joined = join_norms(split).state_dict()
        assert joined.keys() == plain.state_dict().keys() and all(
            torch.equal(joined[name], tensor) for name, tensor in plain.state_dict().items()
        )


def as_group_0(plain) -> dict:
    """Name the tensors of a plain network as the network with split norms has them."""
    norms = {name for name, module in plain.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    return {f"{owner}.norms.0.{own}" if owner in norms else name: tensor for name, tensor in plain.state_dict().items()
            for owner, _, own in [name.rpartition(".")]}  # fmt: skip


def test_synthetic_images_leave_the_statistics_of_real_ones_alone():
    split = SplitNorm(torch.nn.BatchNorm2d(3), 2).train()
    real, synthetic = torch.rand(8, 3, 4, 4), 100 + torch.rand(8, 3, 4, 4)
    select_group(split, 0)
    split(real)
    before = split.norms[0].running_mean.clone()
    select_group(split, 1)
    split(synthetic)
    assert torch.equal(split.norms[0].running_mean, before) and split.norms[1].running_mean.min() > 9
    assert torch.equal(split.eval()(real), split.norms[0](real))
    assert torch.isfinite(split.train()(torch.rand(1, 3, 1, 1))).all()  # a lone value: what torch's batch norm refuses


def test_a_split_training_leaves_a_plain_network_and_needs_batch_norm():
    result = trained(arm_of("splitnorm"))
    assert result.model.state_dict().keys() == build_classifier("small", image_px=16).state_dict().keys()
    assert weights_of(result) != weights_of(trained(arm_of("supplement")))
    assert result.facts["parameters"] == trained(REAL, steps=1).facts["parameters"]
    with pytest.raises(StudyError, match="no batch norm.*split_norm_shares"):
        trained(arm_of("splitnorm"), classifier="s1")


def test_class_weights_of_balanced_data_are_one_and_else_favour_the_rare():
    balanced, skewed = np.repeat(np.arange(7), 4), np.repeat([0, 1, 3], [80, 10, 10])
    for kind in ("none", "inverse", "effective"):
        np.testing.assert_allclose(class_weights(balanced, kind), 1.0)
    inverse = class_weights(skewed, "inverse")
    np.testing.assert_allclose(inverse[[0, 1, 3]], [100 / 240, 100 / 30, 100 / 30])
    assert inverse[2] == 0 and np.mean(inverse[skewed]) == pytest.approx(1)
    many = np.repeat([0, 1], [10**6, 10**5])
    ratios = {kind: np.divide(*class_weights(many, kind)[[1, 0]]) for kind in ("none", "inverse", "effective")}
    assert ratios["none"] == 1 < ratios["effective"] < 1.001 and ratios["inverse"] == pytest.approx(
        10
    )  # beyond 1 / (1 - beta) all is covered
    with pytest.raises(StudyError, match="class_weights.*'sqrt'.*effective"):
        class_weights(skewed, "sqrt")


@pytest.mark.parametrize("options", [Options(class_weights="inverse"), Options(class_weights="effective")])
def test_class_weights_change_nothing_on_balanced_data_and_something_on_other(options):
    assert image_weights(REAL, options) is None
    assert weights_of(trained(REAL, options=options)) == weights_of(trained(REAL))
    skewed = REAL.select(np.arange(24))
    assert weights_of(trained(skewed, options=options)) != weights_of(trained(skewed))


def test_weights_that_are_none_are_refused():
    for weight in (-1.0, np.nan):
        with pytest.raises(StudyError, match="0 or more"):
            trained(FaceSet(REAL.images, REAL.table.assign(weight=[weight] + [1.0] * 27)))


def test_balanced_sampling_shows_every_class_as_often_and_each_image_before_any_twice():
    labels = np.repeat([0, 2, 5], [2, 3, 10])
    order = balanced_order(labels, 0, "cpu")
    shown = torch.cat([order(epoch) for epoch in range(4)]).numpy()
    assert (np.bincount(labels[shown], minlength=6)[[0, 2, 5]] == 20).all()
    counts = np.bincount(shown, minlength=15)
    assert set(counts[:2]) == {10} and set(counts[2:5]) <= {6, 7} and set(counts[5:]) == {2}
    assert not torch.equal(order(0), order(1)) and torch.equal(order(0), balanced_order(labels, 0, "cpu")(0))
    assert sorted(balanced_order(np.arange(6) % 3, 1, "cpu")(0).tolist()) == list(range(6))


def test_balanced_sampling_trains_and_an_unknown_way_is_named():
    skewed = REAL.select(np.r_[0:7, 7:28:7])
    assert weights_of(trained(skewed, options=Options(sampling="balanced"))) != weights_of(trained(skewed))
    with pytest.raises(StudyError, match="sampling.*'rare'.*balanced"):
        trained(REAL, options=Options(sampling="rare"))


LOOKS = [0.2, 0.5, 0.4, 0.5, 0.3, 0.9, 0.9, 0.9]


@pytest.fixture
def looks(monkeypatch):
    """Have the looks at the watched set give the accuracies of LOOKS, with a checkpoint after
    each step; returns the weights at each look.
    """
    seen, row_of = [], training.curve_row

    def row(trainer, state, watched):
        place = state.step - 1
        del seen[place:]
        seen.append({name: tensor.clone().numpy().tobytes() for name, tensor in trainer.model.state_dict().items()})
        return row_of(trainer, state, watched) | {"accuracy_watched": LOOKS[place]}

    monkeypatch.setattr(training, "curve_row", row)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    return seen


@pytest.mark.parametrize("patience, steps, best", [(1, 3, 2), (2, 4, 2), (3, 5, 2), (4, 8, 6), (0, 8, 8)])
def test_early_stopping_waits_as_long_as_told_and_restores_the_best(looks, patience, steps, best):
    settings = {"steps": 8, "recipe": replace(QUICK, curve_points=8), "evaluate": {"val": noise(14, "val", 3)}, "watch": "val"}
    result = trained(REAL, options=Options(early_stopping_patience=patience), **settings)
    assert (result.facts["steps"], result.facts["best_step"], len(looks)) == (steps, best, steps)
    assert weights_of(result) == looks[best - 1]


@pytest.mark.parametrize("stopped_at", [2, 4])
def test_a_killed_run_remembers_its_best(looks, tmp_path, stopped_at):
    settings = {"steps": 8, "recipe": replace(QUICK, curve_points=8), "evaluate": {"val": noise(14, "val", 3)}, "watch": "val"}
    settings |= {"options": Options(early_stopping_patience=3)}
    whole = trained(REAL, **settings)

    def killed(row):
        if row["step"] == stopped_at + 1:  # the checkpoint is the one before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(REAL, folder=tmp_path, progress=killed, **settings)
    resumed = trained(REAL, folder=tmp_path, **settings)
    assert weights_of(resumed) == weights_of(whole) and resumed.facts["steps"] == 5 and resumed.facts["best_step"] == 2
    np.testing.assert_array_equal(resumed.probabilities["val"], whole.probabilities["val"])


def test_early_stopping_needs_something_to_watch():
    with pytest.raises(StudyError, match="val_share"):
        trained(REAL, options=Options(early_stopping_patience=3))


@pytest.mark.parametrize("kind", ["staged", "splitnorm", "weighted"])
def test_a_killed_variant_goes_on_to_the_same_bytes(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    faces, settings = (
        arm_of(kind, weight=0.3),
        {"recipe": replace(QUICK, average_share=0.5), "steps": 8, "options": Options("inverse", "balanced")},
    )
    whole = trained(faces, **settings)

    def killed(row):
        if row["step"] == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(faces, folder=tmp_path, progress=killed, **settings)
    assert weights_of(trained(faces, folder=tmp_path, **settings)) == weights_of(whole)
