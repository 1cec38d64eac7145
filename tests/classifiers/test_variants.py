"""Variants of a training.

Each, where it comes to nothing, leaves the bytes of the plain training; where it does not, each
does what it promises.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.classifiers import training
from lib.classifiers.auxiliary_norm import (
    AuxiliaryBatchNorm,
    add_auxiliary_norms,
    keep_main_norms,
    select_group,
)
from lib.classifiers.batches import (
    BatchSchedule,
    balanced_order,
    class_weights,
    image_weights,
    plan_phases,
)
from lib.classifiers.models import build_classifier, predict
from lib.classifiers.recipes import RECIPES, TrainingOptions, TrainingPlan
from lib.classifiers.training import train
from lib.faces.arms import Arm
from lib.faces.faceset import FaceSet
from lib.faces.mixing import build_arm
from lib.study.errors import StudyError

QUICK = replace(RECIPES["quick"], batch_size=8, curve_points=4)
CLASSES = ("a", "b", "c", "d", "e", "f", "g")


def noise(n: int, source: str, seed: int) -> FaceSet:
    """Make images of noise, 16 x 16, with the classes in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (n, 16, 16)).astype(np.uint8)
    names = np.array(CLASSES)[np.arange(n) % 7]
    table = pd.DataFrame({"id": [f"{source}{i}" for i in range(n)], "class": names})
    return FaceSet(images, table.assign(split="train", source=source), CLASSES)


REAL = noise(28, "real", 0)
POOLS = {"a": noise(28, "synthetic", 1)}


def faces_of(kind: str, share: float = 0.5, **fields) -> FaceSet:
    """Build the training set of an arm."""
    return build_arm(Arm(kind, "a", share, **fields), REAL, POOLS, seed=0)


def with_column(faces: FaceSet, **columns) -> FaceSet:
    """Add columns to the table of a face set."""
    return replace(faces, table=faces.table.assign(**columns))


def trained(faces: FaceSet, *, recipe=QUICK, steps=6, classifier="small", options=None, **more):
    """Train a small network."""
    options = options or TrainingOptions()
    plan = TrainingPlan(classifier, recipe, seed=1, steps=steps, options=options)
    return train(faces, plan, **more)


def weights_of(result) -> dict[str, bytes]:
    """Return the weights of a trained network, as bytes by name."""
    return {name: tensor.numpy().tobytes() for name, tensor in result.model.state_dict().items()}


# Weighted arms.


def test_a_weight_of_one_is_the_plain_supplement_and_of_nought_the_real_images_alone():
    supplement, real = weights_of(trained(faces_of("supplement"))), weights_of(trained(REAL))
    assert weights_of(trained(faces_of("weighted", weight=1.0))) == supplement
    assert weights_of(trained(faces_of("weighted", weight=0.0))) == real
    assert weights_of(trained(faces_of("weighted", weight=0.5))) not in (supplement, real)


def test_how_images_take_part_is_in_the_digest_of_a_training_set():
    sets = [faces_of("weighted", weight=weight) for weight in (0.25, 0.5)]
    sets += [faces_of(kind) for kind in ("supplement", "staged", "reversed", "auxiliary_norm")]
    assert len({faces.digest() for faces in sets}) == 6


@pytest.mark.parametrize("kind", ["staged", "reversed", "auxiliary_norm"])
def test_a_variant_without_synthetic_images_is_base(kind):
    assert weights_of(trained(faces_of(kind, 0.0))) == weights_of(trained(REAL))


@pytest.mark.parametrize("weight", [-1.0, np.nan])
def test_weights_that_are_negative_or_missing_are_refused(weight):
    weights = [weight] + [1.0] * 27
    with pytest.raises(StudyError, match="0 or more"):
        trained(with_column(REAL, weight=weights))


# Labels of more than one class.


def with_targets(faces: FaceSet, targets: np.ndarray) -> FaceSet:
    """Give every image a label of more than one class."""
    return with_column(faces, **{f"target_{n}": t for n, t in zip(faces.classes, targets.T)})


def test_labels_of_one_class_train_the_same_network_however_they_are_written():
    hard, soft = trained(REAL), trained(with_targets(REAL, np.eye(7)[REAL.labels]))
    for name, tensor in hard.model.state_dict().items():
        torch.testing.assert_close(soft.model.state_dict()[name], tensor)
    other = trained(with_targets(REAL, np.full((len(REAL), 7), 1 / 7)))
    assert weights_of(other) != weights_of(hard)


def test_a_network_learns_the_labels_of_more_than_one_class():
    """Two classes, each image three quarters of one and a quarter of the other."""
    targets = np.where(np.eye(7)[REAL.labels] > 0, 0.75, 0.25 / 6)
    plain = TrainingOptions()
    recipe = replace(QUICK, label_smoothing=0.0, flip=False, shift_px=0)
    made = trained(with_targets(REAL, targets), recipe=recipe, steps=150, options=plain)
    probabilities = predict(made.model, REAL.images)
    own = probabilities[np.arange(len(REAL)), REAL.labels]
    assert own.mean() == pytest.approx(0.75, abs=0.1)


# Phases.


def phases_of(faces: FaceSet, schedule: BatchSchedule):
    """Plan the phases of an arm's run."""
    ends = faces.table["stage_end"].to_numpy()
    return plan_phases(schedule, faces.labels, ends, "shuffled", "cpu")


@pytest.mark.parametrize(
    ("kind", "order"), [("staged", ["synthetic", "real"]), ("reversed", ["real", "synthetic"])]
)
def test_phases_follow_one_another_each_with_its_own_images(kind, order):
    faces = faces_of(kind)
    phases = phases_of(faces, BatchSchedule(56, 8, 14, False, 0))
    assert [phase.first_step for phase in phases] == [0, 7]
    for phase, source in zip(phases, order):
        steps = range(phase.first_step, phase.first_step + 7)
        rows = torch.cat([phase.rows(step, "cpu") for step in steps]).numpy()
        assert set(faces.table["source"].iloc[rows]) == {source}

        # Each image is seen as often as in the plain supplement.
        counts = np.bincount(rows, minlength=56)
        assert set(counts[(faces.table["source"] == source).to_numpy()]) == {2}


def test_phases_of_whole_epochs_show_each_image_as_often_as_planned():
    faces = faces_of("staged", 0.2)  # 28 real, 7 synthetic
    synthetic, real = phases_of(faces, BatchSchedule(35, 7, 15, True, 0))
    assert (synthetic.first_step, real.first_step) == (0, 3)
    first = torch.cat([synthetic.rows(step, "cpu") for step in range(3)]).tolist()
    second = torch.cat([real.rows(step, "cpu") for step in range(3, 15)]).tolist()
    assert sorted(first) == sorted([*range(28, 35)] * 3)
    assert sorted(second) == sorted([*range(28)] * 3)


def test_a_phase_too_short_for_a_step_is_left_out():
    ends = np.where(np.arange(28) < 1, 0.001, 1.0)
    (phase,) = plan_phases(BatchSchedule(28, 8, 14, False, 0), REAL.labels, ends, "shuffled", "cpu")
    assert phase.first_step == 0
    assert len(phase.members) == 27


def test_phases_that_leave_the_end_of_a_run_empty_are_refused():
    with pytest.raises(StudyError, match="the last at 1.*0.5"):
        trained(with_column(REAL, stage_end=0.5))


# Auxiliary batch norm.


def as_group_0(plain: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Name the tensors of a plain network as the network with auxiliary norms has them."""
    norms = set()
    for name, module in plain.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            norms.add(name)
    renamed = {}
    for name, tensor in plain.state_dict().items():
        owner, _, last = name.rpartition(".")
        renamed[f"{owner}.norms.0.{last}" if owner in norms else name] = tensor
    return renamed


@pytest.mark.parametrize("groups", [1, 2])
def test_auxiliary_norms_on_one_source_are_the_plain_network(groups):
    torch.manual_seed(0)
    plain = build_classifier("fast", image_px=16, classes=7)
    split = add_auxiliary_norms(build_classifier("fast", image_px=16, classes=7), groups)
    split.load_state_dict(split.state_dict() | as_group_0(plain))
    x = torch.rand(8, 1, 16, 16)
    assert torch.equal(plain.train()(x), split.train()(x))
    assert torch.equal(plain.eval()(x), split.eval()(x))

    # Afterwards the network is again what it was built as.
    joined = keep_main_norms(split).state_dict()
    assert joined.keys() == plain.state_dict().keys()
    for name, tensor in plain.state_dict().items():
        assert torch.equal(joined[name], tensor)


def test_synthetic_images_leave_the_statistics_of_real_ones_alone():
    split = AuxiliaryBatchNorm(torch.nn.BatchNorm2d(3), 2).train()
    real, synthetic = torch.rand(8, 3, 4, 4), 100 + torch.rand(8, 3, 4, 4)
    select_group(split, 0)
    split(real)
    before = split.norms[0].running_mean.clone()
    select_group(split, 1)
    split(synthetic)
    assert torch.equal(split.norms[0].running_mean, before)
    assert split.norms[1].running_mean.min() > 9
    assert torch.equal(split.eval()(real), split.norms[0](real))


def test_a_single_value_a_channel_is_normalised_by_the_running_statistics():
    norm = torch.nn.BatchNorm2d(3)
    split = AuxiliaryBatchNorm(norm, 2).train()
    x = torch.rand(1, 3, 1, 1)  # which torch's batch norm refuses
    trained_output = split(x)
    assert torch.isfinite(trained_output).all()
    torch.testing.assert_close(trained_output, norm.eval()(x))


def test_training_with_auxiliary_norms_leaves_a_plain_network():
    result = trained(faces_of("auxiliary_norm"))
    plain = build_classifier("small", image_px=16, classes=7)
    assert result.model.state_dict().keys() == plain.state_dict().keys()
    assert weights_of(result) != weights_of(trained(faces_of("supplement")))
    assert result.facts["parameters"] == trained(REAL, steps=1).facts["parameters"]


def test_auxiliary_norms_need_a_network_with_batch_norm():
    with pytest.raises(StudyError, match="no batch norm.*auxiliary_norm_shares"):
        trained(faces_of("auxiliary_norm"), classifier="s1")


# Class weights.


@pytest.mark.parametrize("kind", ["none", "inverse", "effective"])
def test_class_weights_of_balanced_data_are_one(kind):
    np.testing.assert_allclose(class_weights(np.repeat(np.arange(7), 4), kind, 7), 1.0)


def test_inverse_class_weights_favour_the_rare_and_have_mean_one_over_the_images():
    labels = np.repeat([0, 1, 3], [80, 10, 10])
    weights = class_weights(labels, "inverse", 7)
    np.testing.assert_allclose(weights[[0, 1, 3]], [100 / 240, 100 / 30, 100 / 30])
    assert weights[2] == 0
    assert np.mean(weights[labels]) == pytest.approx(1)


def test_effective_class_weights_are_equal_where_the_samples_cover_all():
    many = np.repeat([0, 1], [10**6, 10**5])  # far beyond 1 / (1 - beta)
    effective = class_weights(many, "effective", 7)
    inverse = class_weights(many, "inverse", 7)
    assert 1 < effective[1] / effective[0] < 1.001
    assert inverse[1] / inverse[0] == pytest.approx(10)


@pytest.mark.parametrize("kind", ["inverse", "effective"])
def test_class_weights_change_nothing_on_balanced_data_and_something_on_other(kind):
    options = TrainingOptions(class_weights=kind)
    assert image_weights(REAL, options) is None
    assert weights_of(trained(REAL, options=options)) == weights_of(trained(REAL))
    skewed = REAL.select(np.arange(24))
    assert weights_of(trained(skewed, options=options)) != weights_of(trained(skewed))


# Balanced sampling.


def test_balanced_sampling_shows_every_class_as_often_and_each_image_before_any_twice():
    labels = np.repeat([0, 2, 5], [2, 3, 10])
    order = balanced_order(labels, 0, "cpu")
    shown = torch.cat([order(epoch) for epoch in range(4)]).numpy()
    assert (np.bincount(labels[shown], minlength=6)[[0, 2, 5]] == 20).all()
    counts = np.bincount(shown, minlength=15)
    assert set(counts[:2]) == {10}
    assert set(counts[2:5]) <= {6, 7}
    assert set(counts[5:]) == {2}


def test_balanced_sampling_depends_on_seed_and_epoch_alone():
    labels = np.repeat([0, 2, 5], [2, 3, 10])
    order = balanced_order(labels, 0, "cpu")
    assert not torch.equal(order(0), order(1))
    assert torch.equal(order(0), balanced_order(labels, 0, "cpu")(0))


def test_balanced_sampling_of_balanced_data_shows_each_image_once():
    rows = balanced_order(np.arange(6) % 3, 1, "cpu")(0).tolist()
    assert sorted(rows) == list(range(6))


def test_balanced_sampling_trains():
    skewed = REAL.select(np.r_[0:7, 7:28:7])
    balanced = trained(skewed, options=TrainingOptions(sampling="balanced"))
    assert weights_of(balanced) != weights_of(trained(skewed))


# Early stopping.

ACCURACIES = [0.2, 0.5, 0.4, 0.5, 0.3, 0.9, 0.9, 0.9]
WATCHED = {"evaluate": {"val": noise(14, "val", 3)}, "watch": "val"}
EVERY_STEP = replace(QUICK, curve_points=8)


@pytest.fixture
def evaluations(monkeypatch):
    """Let the evaluations of the watched set give ACCURACIES, with a checkpoint after each step.

    Returns the weights at each evaluation.
    """
    weights, real_row = [], training.curve_row

    def row(trainer, state, watched):
        place = state.step - 1
        del weights[place:]
        tensors = trainer.model.state_dict().items()
        weights.append({name: tensor.clone().numpy().tobytes() for name, tensor in tensors})
        return real_row(trainer, state, watched) | {"accuracy_watched": ACCURACIES[place]}

    monkeypatch.setattr(training, "curve_row", row)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    return weights


@pytest.mark.parametrize(
    ("patience", "steps", "best"), [(1, 3, 2), (2, 4, 2), (3, 5, 2), (4, 8, 6), (0, 8, 8)]
)
def test_early_stopping_waits_its_patience_and_restores_the_best(
    evaluations, patience, steps, best
):
    options = TrainingOptions(early_stopping_patience=patience)
    result = trained(REAL, recipe=EVERY_STEP, steps=8, options=options, **WATCHED)
    assert result.facts["steps"] == len(evaluations) == steps
    assert result.facts["best_step"] == best
    assert weights_of(result) == evaluations[best - 1]


@pytest.mark.parametrize("stopped_at", [2, 4])
def test_a_killed_run_remembers_its_best(evaluations, tmp_path, stopped_at):
    options = TrainingOptions(early_stopping_patience=3)
    settings = {"recipe": EVERY_STEP, "steps": 8, "options": options, **WATCHED}
    whole = trained(REAL, **settings)

    def stop(row: dict) -> None:
        if row["step"] == stopped_at + 1:  # the checkpoint is the one before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(REAL, folder=tmp_path, progress=stop, **settings)
    resumed = trained(REAL, folder=tmp_path, **settings)
    assert weights_of(resumed) == weights_of(whole)
    assert (resumed.facts["steps"], resumed.facts["best_step"]) == (5, 2)
    np.testing.assert_array_equal(resumed.probabilities["val"], whole.probabilities["val"])


def test_early_stopping_needs_something_to_watch():
    with pytest.raises(StudyError, match="val_share"):
        trained(REAL, options=TrainingOptions(early_stopping_patience=3))


@pytest.mark.parametrize("kind", ["staged", "auxiliary_norm", "weighted"])
def test_a_killed_variant_continues_to_the_same_bytes(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    faces = faces_of(kind, weight=0.3)
    settings = {
        "recipe": replace(QUICK, weight_averaging_share=0.5),
        "steps": 8,
        "options": TrainingOptions("inverse", "balanced"),
    }
    whole = trained(faces, **settings)

    def stop(row: dict) -> None:
        if row["step"] == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(faces, folder=tmp_path, progress=stop, **settings)
    assert weights_of(trained(faces, folder=tmp_path, **settings)) == weights_of(whole)
