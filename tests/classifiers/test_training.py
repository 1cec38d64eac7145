"""Training: known sizes, same bytes for the same seed, exact resume, divergence, prediction."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.classifiers import training
from lib.classifiers.models import build_classifier, parameter_count
from lib.classifiers.optimisers import learning_rate
from lib.classifiers.options import Options
from lib.classifiers.recipes import RECIPES, recipe_of
from lib.classifiers.trainer import loss_of
from lib.classifiers.training import earlier_networks, predict, train
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError

QUICK = replace(RECIPES["quick"], batch_size=16, curve_points=4)


def stripes(n: int, seed: int = 0) -> FaceSet:
    """Noise with a bright band whose height is the class: learnt in a few steps."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 7, n)
    images = rng.integers(0, 60, (n, 48, 48))
    for i, label in enumerate(labels):
        images[i, 6 * label + 3 : 6 * label + 6] += 150
    table = pd.DataFrame(
        {"id": [f"s{seed}-{i}" for i in range(n)], "class": [CLASSES[k] for k in labels], "split": "train", "source": "made"}
    )
    return FaceSet(images.astype(np.uint8), table)


def weights_of(result) -> bytes:
    return b"".join(t.numpy().tobytes() for t in result.model.state_dict().values())


def test_s1_has_the_published_size():
    assert parameter_count(build_classifier("s1")) == 11_092_103


@pytest.mark.parametrize("name", ["s1", "small", "fast"])
def test_every_network_makes_logits_from_its_features(name):
    model = build_classifier(name, image_px=48).eval()
    x = torch.rand(3, 1, 48, 48)
    features = model.features(x)
    assert features.shape[0] == 3 and features.ndim == 2
    torch.testing.assert_close(model(x), model.last(features))
    assert model(x).shape == (3, 7)


def test_an_unknown_network_or_recipe_is_named_with_the_known_ones():
    with pytest.raises(StudyError, match="resnet99.*s1"):
        build_classifier("resnet99")
    with pytest.raises(StudyError, match="slow.*schuermann"):
        recipe_of("slow")


def test_it_learns_what_can_be_learnt():
    held = stripes(100, seed=1)
    result = train(stripes(200), classifier="small", recipe=QUICK, seed=0, steps=60, evaluate={"test": held}, watch="test")
    assert (result.probabilities["test"].argmax(1) == held.labels).mean() > 0.8
    assert result.history["loss"].iloc[-1] < result.history["loss"].iloc[0]
    assert list(result.history["step"]) == [15, 30, 45, 60]
    assert result.history["accuracy_watched"].notna().all()


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not():
    faces = stripes(40)
    first, again, other = (train(faces, classifier="small", recipe=QUICK, seed=seed, steps=5) for seed in (3, 3, 4))
    assert weights_of(first) == weights_of(again) != weights_of(other)


def test_training_leaves_torchs_own_random_state_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train(stripes(20), classifier="small", recipe=QUICK, seed=0, steps=2)
    assert torch.equal(before, torch.get_rng_state())


CHANGES = [
    {},
    {"average_share": 0.5},
    {"optimiser": "sgd"},
    {"mixup_alpha": 0.2, "cutmix_alpha": 1.0},
    {"teachers": 1, "taught_share": 0.7},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, monkeypatch, changes):
    recipe, faces = replace(QUICK, **changes), stripes(40)
    whole = train(faces, classifier="small", recipe=recipe, seed=1, steps=8)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)

    def killed(row):
        if row["step"] == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(faces, classifier="small", recipe=recipe, seed=1, steps=8, folder=tmp_path, progress=killed)
    assert (tmp_path / "checkpoint.safetensors").exists()
    seen = []
    resumed = train(
        faces, classifier="small", recipe=recipe, seed=1, steps=8, folder=tmp_path, progress=lambda row: seen.append(row["step"])
    )
    assert seen == [6, 8]
    assert weights_of(resumed) == weights_of(whole)
    timeless = [r.history.drop(columns="seconds") for r in (resumed, whole)]
    pd.testing.assert_frame_equal(*timeless)
    assert not list(tmp_path.iterdir())


def test_a_network_that_says_what_its_teacher_says_has_nothing_to_learn():
    model, faces, recipe = build_classifier("small").eval(), stripes(8), replace(QUICK, taught_share=1.0)
    x, labels = torch.from_numpy(faces.images)[:, None] / 255, torch.from_numpy(faces.labels)
    for teacher, still in ((model, True), (build_classifier("small").eval(), False)):
        model.zero_grad()
        loss_of(model, x, labels, None, recipe, torch.Generator(), (teacher,))[0].backward()
        assert (max(p.grad.abs().max() for p in model.parameters()) < 1e-6) == still


def test_several_teachers_are_one_that_gives_their_mean_probabilities():
    faces, recipe = stripes(8), replace(QUICK, taught_share=0.7)
    x, labels = torch.from_numpy(faces.images)[:, None] / 255, torch.from_numpy(faces.labels)
    model, *pair = (build_classifier("small").eval() for _ in range(3))

    def mean(x):
        return torch.stack([own(x).softmax(1) for own in pair]).mean(0).log()

    both, one = (loss_of(model, x, labels, None, recipe, torch.Generator(), teachers)[0] for teachers in (tuple(pair), (mean,)))
    torch.testing.assert_close(both, one)


def test_the_teacher_is_a_whole_run_of_the_next_seed_and_a_killed_student_finds_it_again(tmp_path):
    faces, recipe = stripes(40), replace(QUICK, teachers=1, taught_share=0.7)
    before = train(faces, classifier="small", recipe=QUICK, seed=2, steps=8)
    (teacher,) = earlier_networks(
        faces, "small", recipe, 1, tmp_path, steps=8, epochs=0, evaluate={}, watch="", device="cpu", options=Options()
    )
    assert weights_of(before) == b"".join(t.numpy().tobytes() for t in teacher.state_dict().values())
    student = train(faces, classifier="small", recipe=recipe, seed=1, steps=8)
    seen = []
    again = train(faces, classifier="small", recipe=recipe, seed=1, steps=8, folder=tmp_path, progress=lambda row: seen.append(row["step"]))
    assert weights_of(student) == weights_of(again) and len(seen) == 4


def test_each_teacher_learns_from_those_before_it(tmp_path):
    faces, recipe = stripes(40), replace(QUICK, teachers=2, taught_share=0.7)
    run = {"classifier": "small", "steps": 8}
    first = train(faces, recipe=QUICK, seed=3, **run).model
    second = train(faces, recipe=replace(recipe, teachers=1), seed=2, teachers=(first,), **run).model
    third = train(faces, recipe=recipe, seed=1, teachers=(first, second), **run)
    assert weights_of(train(faces, recipe=recipe, seed=1, folder=tmp_path, **run)) == weights_of(third)
    assert weights_of(third) != weights_of(train(faces, recipe=recipe, seed=1, teachers=(second,), **run))


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    faces = stripes(40)

    def killed(row):
        raise KeyboardInterrupt

    for seed, damage in ((1, False), (2, True)):
        with pytest.raises(KeyboardInterrupt):
            train(faces, classifier="small", recipe=QUICK, seed=seed, steps=8, folder=tmp_path, progress=killed)
        if damage:
            (tmp_path / "checkpoint.safetensors").write_bytes(b"cut off")
        alone = train(faces, classifier="small", recipe=QUICK, seed=2, steps=8)
        assert weights_of(train(faces, classifier="small", recipe=QUICK, seed=2, steps=8, folder=tmp_path)) == weights_of(alone)


def test_a_loss_that_is_no_number_stops_the_run_with_advice():
    with pytest.raises(StudyError, match="diverged.*lr_peak"):
        train(stripes(40), classifier="s1", recipe=replace(QUICK, optimiser="sgd", lr_peak=1e6, schedule="constant"), seed=0, steps=12)


def test_epochs_take_every_image_once_and_steps_take_full_batches():
    for whole, steps in ((True, 3), (False, 7)):
        schedule = training_schedule(10, 4, steps, whole)
        rows = [schedule.rows(step, "cpu").tolist() for step in range(steps)]
        assert [len(r) for r in rows] == ([4, 4, 2] if whole else [4] * 7)
        flat = sum(rows, [])
        assert sorted(flat[:10]) == list(range(10))
        if not whole:
            assert sorted(flat[10:20]) == list(range(10)) and flat[:10] != flat[10:20]


def training_schedule(n, batch, steps, whole):
    from lib.classifiers.order import Schedule

    return Schedule(n, batch, steps, whole, seed=0)


def test_s1s_epochs_are_counted_in_its_batches():
    faces = stripes(20)
    result = train(faces, classifier="small", recipe=replace(RECIPES["schuermann"], batch_size=8), seed=0, epochs=2)
    assert result.facts["steps"] == 6 and result.facts["epochs"] == 2


def test_weights_of_images_count():
    faces = stripes(40)
    lone = FaceSet(faces.images, faces.table.assign(weight=np.where(np.arange(40) < 20, 1.0, 1e-9)))
    plain = replace(QUICK, flip=False, shift_px=0, batch_size=40)
    half = train(
        faces.select(np.arange(20)), classifier="s1", recipe=replace(plain, batch_size=20, epochs=1, curve_points=1), seed=0, steps=1
    )
    weighed = train(lone, classifier="s1", recipe=replace(plain, curve_points=1), seed=0, steps=1)
    assert weighed.history["loss"][0] == pytest.approx(half.history["loss"][0], abs=0.02)  # dropout differs between the two batches


def test_the_schedule_rises_to_its_peak_and_falls_to_nearly_nothing():
    rates = [learning_rate(QUICK, step, 100) for step in range(100)]
    assert max(rates) == QUICK.lr_peak and rates.index(max(rates)) in (29, 30)
    assert rates[-1] < 0.02 * QUICK.lr_peak and min(rates) > 0
    assert {learning_rate(RECIPES["schuermann"], step, 9) for step in range(9)} == {0.001}


def test_predictions_do_not_depend_on_the_batch():
    model, faces = build_classifier("small"), stripes(30)
    np.testing.assert_allclose(predict(model, faces.images, batch=7), predict(model, faces.images), atol=1e-6)
    assert predict(model, faces.images[:0]).shape == (0, 7)
    mirrored = np.ascontiguousarray(faces.images[:, :, ::-1])
    np.testing.assert_allclose(predict(model, faces.images, flip_average=True), predict(model, mirrored, flip_average=True), atol=1e-6)


def test_an_arm_without_images_is_refused():
    with pytest.raises(StudyError, match="no training images"):
        train(stripes(0), classifier="small", recipe=QUICK, seed=0, steps=1)
