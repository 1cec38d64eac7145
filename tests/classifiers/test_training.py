"""Training: known sizes, same bytes for the same seed, exact resume, divergence, distillation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.classifiers import training
from lib.classifiers.batches import BatchSchedule
from lib.classifiers.models import build_classifier, predict
from lib.classifiers.recipes import RECIPES, SCHUERMANN, Recipe, TrainingPlan, recipe_of
from lib.classifiers.trainer import learning_rate, loss_of, make_trainer
from lib.classifiers.training import train, train_teachers
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError

QUICK = replace(RECIPES["quick"], batch_size=16, curve_points=4)
DISTILLED = replace(QUICK, distillation_teachers=1, distillation_weight=0.7)
BANDS = ("band0", "band1", "band2", "band3", "band4", "band5", "band6")


def stripes(n: int, seed: int = 0) -> FaceSet:
    """Make noise with a bright band whose height is the class: learnt in a few steps."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 7, n)
    images = rng.integers(0, 60, (n, 48, 48))
    for image, label in zip(images, labels):
        image[6 * label + 3 : 6 * label + 6] += 150
    table = pd.DataFrame({"id": [f"s{seed}-{i}" for i in range(n)]})
    table = table.assign(**{"class": np.array(BANDS)[labels]}, split="train", source="made")
    return FaceSet(images.astype(np.uint8), table, BANDS)


def plan(
    recipe: Recipe = QUICK, seed: int = 1, steps: int = 8, classifier: str = "small", **more
) -> TrainingPlan:
    """Plan a small training."""
    return TrainingPlan(classifier, recipe, seed, steps, **more)


def model_bytes(model: torch.nn.Module) -> bytes:
    """Return all weights of a network, as bytes."""
    return b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())


def weights_of(result) -> bytes:
    """Return the weights of a trained network, as bytes."""
    return model_bytes(result.model)


def stop_at(step: int):
    """Return a callback that kills a training at a point of its learning curve."""

    def stop(row: dict) -> None:
        if row["step"] == step:
            raise KeyboardInterrupt

    return stop


# Networks and recipes.


def test_an_unknown_network_or_recipe_is_named_with_the_known_ones():
    with pytest.raises(StudyError, match="resnet99.*s1"):
        build_classifier("resnet99", classes=7)
    with pytest.raises(StudyError, match="slow.*schuermann"):
        recipe_of("slow")


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nearly_nothing():
    rates = [learning_rate(QUICK, step, 100) for step in range(100)]
    assert max(rates) == QUICK.lr_peak
    assert rates.index(max(rates)) in (29, 30)
    assert rates[-1] < 0.02 * QUICK.lr_peak
    assert min(rates) > 0
    assert {learning_rate(SCHUERMANN, step, 9) for step in range(9)} == {0.001}


# Keys.


def test_a_plan_is_identified_by_all_of_its_settings():
    def identity(**changes) -> str:
        return str(replace(plan(), **changes).definition())

    other_options = replace(plan().options, sampling="balanced")
    others = [
        identity(classifier="fast"),
        identity(recipe=replace(QUICK, lr_peak=0.1)),
        identity(seed=2),
        identity(steps=9),
        identity(steps=0, epochs=1),
        identity(device="cuda"),
        identity(options=other_options),
    ]
    assert len({identity(), *others}) == len(others) + 1


def test_a_setting_that_is_switched_off_is_in_no_key():
    recipe = plan().definition()["recipe"]
    assert recipe["flip"] is True
    assert "mixup_alpha" not in recipe


# Training.


def test_it_learns_what_can_be_learnt():
    held = stripes(100, seed=1)
    result = train(stripes(200), plan(seed=0, steps=60), evaluate={"test": held}, watch="test")
    assert (result.probabilities["test"].argmax(1) == held.labels).mean() > 0.8
    assert result.history["loss"].iloc[-1] < result.history["loss"].iloc[0]
    assert list(result.history["step"]) == [15, 30, 45, 60]
    assert result.history["accuracy_watched"].notna().all()


def test_the_face_set_decides_the_number_of_classes():
    faces = stripes(40)
    few = faces.select(np.isin(faces.labels, [0, 3]))
    two = FaceSet(few.images, few.table, ("band0", "band3"))
    result = train(two, plan(steps=2), evaluate={"train": two})
    assert result.probabilities["train"].shape == (len(two), 2)


def test_evaluated_sets_of_other_classes_are_refused():
    faces = stripes(20)
    other = FaceSet(faces.images, faces.table, (*BANDS, "band7"))
    with pytest.raises(StudyError, match="those of test band0.*band7.*one source"):
        train(faces, plan(), evaluate={"test": other})


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not():
    faces = stripes(40)
    first, repeated, other = (train(faces, plan(seed=seed, steps=5)) for seed in (3, 3, 4))
    assert weights_of(first) == weights_of(repeated)
    assert weights_of(first) != weights_of(other)


def test_training_leaves_torchs_own_random_state_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train(stripes(20), plan(seed=0, steps=2))
    assert torch.equal(before, torch.get_rng_state())


def test_a_loss_that_is_no_number_stops_the_run_with_advice():
    wild = replace(QUICK, optimiser="sgd", lr_peak=1e6, lr_schedule="constant")
    with pytest.raises(StudyError, match="diverged.*lr_peak"):
        train(stripes(40), plan(wild, seed=0, steps=12, classifier="s1"))


def test_an_arm_without_images_is_refused():
    with pytest.raises(StudyError, match="no training images"):
        train(stripes(0), plan())


def test_weights_of_images_count():
    faces, plain = stripes(40), replace(QUICK, flip=False, shift_px=0, curve_points=1)
    weights = np.where(np.arange(40) < 20, 1.0, 1e-9)
    weighted = replace(faces, table=faces.table.assign(weight=weights))
    first_half = faces.select(np.arange(20))

    def first_loss(images: FaceSet) -> float:
        recipe = replace(plain, batch_size=len(images))
        history = train(images, plan(recipe, seed=0, steps=1, classifier="s1")).history
        return history["loss"][0]

    # Dropout differs between the two batches.
    assert first_loss(weighted) == pytest.approx(first_loss(first_half), abs=0.02)


# Length.


@pytest.mark.parametrize(("whole", "steps", "sizes"), [(True, 3, [4, 4, 2]), (False, 7, [4] * 7)])
def test_epochs_take_every_image_once_and_steps_take_full_batches(whole, steps, sizes):
    schedule = BatchSchedule(10, 4, steps, whole, seed=0)
    batches = [schedule.rows(step, "cpu").tolist() for step in range(steps)]
    assert [len(batch) for batch in batches] == sizes
    rows = [row for batch in batches for row in batch]
    assert sorted(rows[:10]) == list(range(10))
    if not whole:
        assert sorted(rows[10:20]) == list(range(10))
        assert rows[:10] != rows[10:20]


def test_s1s_epochs_are_counted_in_its_batches():
    recipe = replace(SCHUERMANN, batch_size=8)
    result = train(stripes(20), plan(recipe, seed=0, steps=0, epochs=2))
    assert result.facts["steps"] == 6
    assert result.facts["epochs"] == 2


def test_without_steps_and_epochs_the_recipes_own_epochs_count():
    recipe = replace(QUICK, batch_size=8, epochs=3)
    assert train(stripes(16), plan(recipe, steps=0)).facts["epochs"] == 3


# Resume.

CHANGES = [
    {},
    {"weight_averaging_share": 0.5},
    {"optimiser": "sgd"},
    {"mixup_alpha": 0.2, "cutmix_alpha": 1.0},
    {"distillation_teachers": 1, "distillation_weight": 0.7},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_a_killed_run_continues_to_the_same_bytes(tmp_path, monkeypatch, changes):
    faces, changed = stripes(40), plan(replace(QUICK, **changes))
    whole = train(faces, changed)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(faces, changed, folder=tmp_path, progress=stop_at(6))
    assert (tmp_path / "checkpoint.safetensors").exists()

    steps = []
    resumed = train(faces, changed, folder=tmp_path, progress=lambda row: steps.append(row["step"]))
    assert steps == [6, 8]
    assert weights_of(resumed) == weights_of(whole)
    curves = [result.history.drop(columns="seconds") for result in (resumed, whole)]
    pd.testing.assert_frame_equal(*curves)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", ["of another seed", "damaged", "of another version"])
def test_a_checkpoint_of_another_run_or_a_damaged_one_is_not_taken(tmp_path, monkeypatch, case):
    faces, wanted = stripes(40), plan(seed=2)
    alone = train(faces, wanted)
    killed = plan(seed=1) if case == "of another seed" else wanted
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(faces, killed, folder=tmp_path, progress=stop_at(6))
    if case == "damaged":
        (tmp_path / "checkpoint.safetensors").write_bytes(b"cut off")
    if case == "of another version":
        monkeypatch.setattr("lib.classifiers.recipes.TRAINING_VERSION", 99)

    steps = []
    result = train(faces, wanted, folder=tmp_path, progress=lambda row: steps.append(row["step"]))
    assert steps == [2, 4, 6, 8]
    assert weights_of(result) == weights_of(alone)


# Distillation.


def distilling(model: torch.nn.Module, *teachers: torch.nn.Module, weight: float):
    """Return a trainer whose network is distilled from some teachers."""
    recipe = replace(QUICK, distillation_weight=weight)
    return replace(make_trainer(stripes(8), plan(recipe), teachers), model=model)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return images float32 (8, 1, 48, 48) and their labels."""
    faces = stripes(8)
    return torch.from_numpy(faces.images)[:, None] / 255, torch.from_numpy(faces.labels)


def small_networks(count: int) -> list[torch.nn.Module]:
    """Build small networks with different random weights."""
    return [build_classifier("small", classes=7).eval() for _ in range(count)]


def test_a_network_that_predicts_what_its_teacher_predicts_has_nothing_to_learn():
    x, labels = batch()
    model, other = small_networks(2)
    for teacher, still in ((model, True), (other, False)):
        trainer = distilling(model, teacher, weight=1.0)
        model.requires_grad_(True).zero_grad()  # a teacher's weights are frozen
        loss_of(trainer, x, labels, None)[0].backward()
        largest = max(float(p.grad.abs().max()) for p in model.parameters())
        assert (largest < 1e-6) == still


def test_several_teachers_are_one_that_predicts_their_mean_probabilities():
    x, labels = batch()
    model, *pair = small_networks(3)

    class Mean(torch.nn.Module):
        def forward(self, x):
            return torch.stack([teacher(x).softmax(1) for teacher in pair]).mean(0).log()

    both = loss_of(distilling(model, *pair, weight=0.7), x, labels, None)[0]
    one = loss_of(distilling(model, Mean(), weight=0.7), x, labels, None)[0]
    torch.testing.assert_close(both, one)


def test_the_teacher_is_a_whole_run_of_the_next_seed_and_a_killed_student_finds_it(tmp_path):
    faces = stripes(40)
    alone = train(faces, plan(QUICK, seed=2))
    (teacher,) = train_teachers(faces, plan(DISTILLED, seed=1), tmp_path, evaluate={}, watch="")
    assert model_bytes(teacher) == weights_of(alone)

    # The student's run finds the teacher in its folder.
    student, steps = train(faces, plan(DISTILLED, seed=1)), []
    resumed = train(
        faces,
        plan(DISTILLED, seed=1),
        folder=tmp_path,
        progress=lambda row: steps.append(row["step"]),
    )
    assert weights_of(student) == weights_of(resumed)
    assert steps == [2, 4, 6, 8]


def test_a_teacher_of_another_version_is_trained_again(tmp_path, monkeypatch):
    faces = stripes(40)
    train_teachers(faces, plan(DISTILLED), tmp_path, evaluate={}, watch="")
    file = next(tmp_path.rglob("network.safetensors"))
    written = file.stat().st_mtime_ns
    train_teachers(faces, plan(DISTILLED), tmp_path, evaluate={}, watch="")
    assert file.stat().st_mtime_ns == written
    monkeypatch.setattr("lib.classifiers.recipes.TRAINING_VERSION", 99)
    train_teachers(faces, plan(DISTILLED), tmp_path, evaluate={}, watch="")
    assert file.stat().st_mtime_ns != written


def test_each_teacher_learns_from_those_before_it(tmp_path):
    faces = stripes(40)
    one, two = DISTILLED, replace(DISTILLED, distillation_teachers=2)
    first = train(faces, plan(QUICK, seed=3)).model
    second = train(faces, plan(one, seed=2), teachers=(first,)).model
    third = train(faces, plan(two, seed=1), teachers=(first, second))
    assert weights_of(train(faces, plan(two, seed=1), folder=tmp_path)) == weights_of(third)
    of_the_last_alone = train(faces, plan(two, seed=1), teachers=(second,))
    assert weights_of(third) != weights_of(of_the_last_alone)


# Prediction.


def test_predictions_do_not_depend_on_the_batch():
    model, images = build_classifier("small", classes=7), stripes(30).images
    whole = predict(model, images)
    np.testing.assert_allclose(predict(model, images, batch=7), whole, atol=1e-6)


def test_a_test_time_flip_makes_predictions_equal_for_an_image_and_its_mirror():
    model, images = build_classifier("small", classes=7), stripes(30).images
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    probabilities = predict(model, images, test_time_flip=True)
    of_mirrored = predict(model, mirrored, test_time_flip=True)
    np.testing.assert_allclose(probabilities, of_mirrored, atol=1e-6)


@pytest.mark.parametrize("classes", [3, 7])
def test_predictions_of_no_images_have_the_networks_width(classes):
    model = build_classifier("small", classes=classes)
    assert predict(model, stripes(0).images).shape == (0, classes)
