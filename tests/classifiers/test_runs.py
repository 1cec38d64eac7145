"""Runs: done once, never stale, one that fails leaves the others alone."""

import json

import numpy as np
import pandas as pd
import pytest

from lib.classifiers import runs as module
from lib.classifiers.models import training_code
from lib.classifiers.recipes import RECIPES, recipes_of
from lib.classifiers.runs import Sources, load_history, load_predictions, load_runs, plan_jobs, run_jobs
from lib.faces.arms import Arm
from lib.faces.faceset import CLASSES, FaceSet, save_faces
from lib.faces.pool import save_alone
from lib.study.errors import StudyError

PARAMS = {"classifiers": ["small"], "recipes": ["quick"], "train_steps": 2, "train_epochs": 0, "seeds": 2,
          "more_seeds": 0, "more_seeds_arms": [], "keep_weights": 1, "device": "cpu",
          "class_weights": "none", "sampling": "shuffled", "early_stopping_patience": 0, "deterministic": True}  # fmt: skip
ARMS = [Arm("base", "base"), Arm("supplement-0.5-a", "supplement", "a", 0.5)]


def made(n: int, seed: int, splits: dict | None = None) -> FaceSet:
    images = np.random.default_rng(seed).integers(0, 256, (n, 16, 16)).astype(np.uint8)
    split = np.repeat(list(splits), list(splits.values())) if splits else "train"
    table = pd.DataFrame(
        {"id": [f"{seed}-{i}" for i in range(n)], "class": [CLASSES[i % 7] for i in range(n)], "split": split, "source": "made"}
    )
    return FaceSet(images, table)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Sources:
    root = tmp_path_factory.mktemp("faces")
    save_faces(made(60, 0, {"train": 30, "val": 10, "test": 20}), root / "real")
    save_faces(made(40, 1), root / "a")
    return Sources(root / "real", {"a": root / "a"}, True, 0)


@pytest.fixture(scope="module")
def finished(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    jobs = plan_jobs(ARMS, sources, PARAMS)
    return folder, jobs, run_jobs(jobs, sources, folder, workers=1, progress=lambda text: None)


def test_every_arm_and_seed_is_a_run_with_predictions_and_curve(finished):
    folder, jobs, table = finished
    assert list(zip(table["arm"], table["seed"])) == [(arm.name, seed) for seed in (0, 1) for arm in ARMS]
    assert (table["failed"] == "").all() and (table["steps"] == 2).all()
    assert list(table["images"]) == [30, 60, 30, 60]
    for name, row in zip(table["folder"], table.itertuples()):
        found = load_predictions(folder / name)
        assert {split: p.shape for split, p in found.items()} == {"val": (10, 7), "test": (20, 7)}
        assert found["test"].dtype == np.float32
        assert load_history(folder / name)["step"].iloc[-1] == 2
        assert (folder / name / "model.safetensors").exists() == (row.seed == 0)


def test_the_second_call_does_nothing(finished, sources, monkeypatch):
    folder, jobs, table = finished
    said = []
    again = run_jobs(jobs, sources, folder, workers=1, progress=said.append)
    assert said == ["4 runs: 4 finished before, 0 to do"]
    pd.testing.assert_frame_equal(again, table)


def test_a_run_without_its_last_file_is_done_again_to_the_same_bytes(finished, sources):
    folder, jobs, table = finished
    lost = folder / jobs[0].folder
    before = load_predictions(lost)
    (lost / "result.json").unlink()
    (lost / "predictions.npz").write_bytes(b"half")
    said = []
    run_jobs(jobs, sources, folder, workers=1, progress=said.append)
    assert said[0] == "4 runs: 3 finished before, 1 to do"
    after = load_predictions(lost)
    assert all((before[name] == after[name]).all() for name in before)


def test_whatever_can_change_a_result_changes_its_key(sources, tmp_path):
    def keys(source=sources, **changes):
        return {job.key for job in plan_jobs(ARMS, source, PARAMS | changes)}

    known = keys()
    assert len(known) == 4
    assert known == keys(keep_weights=0)
    options = ({"class_weights": "inverse"}, {"sampling": "balanced"}, {"early_stopping_patience": 3})
    for changes in (
        *options,
        {"recipes": ["schuermann"]},
        {"train_steps": 3},
        {"train_steps": 0, "train_epochs": 1},
        {"classifiers": ["s1"]},
    ):
        assert known.isdisjoint(keys(**changes)), changes
    save_faces(made(41, 1), tmp_path / "a")
    longer = keys(Sources(sources.data, {"a": tmp_path / "a"}, True, 0))
    assert len(known & longer) == 4  # the first 30 images of the pool are the same ones
    save_faces(made(40, 2), tmp_path / "b")
    other = keys(Sources(sources.data, {"a": tmp_path / "b"}, True, 0))
    assert len(known & other) == 2  # base does not depend on a pool


def test_arms_that_a_pilot_left_undecided_get_further_seeds_and_base_with_them(sources):
    arms = [*ARMS, Arm("supplement-0.3-a", "supplement", "a", 0.3)]
    plain = plan_jobs(arms, sources, PARAMS)
    more = plan_jobs(arms, sources, PARAMS | {"more_seeds": 2, "more_seeds_arms": ["supplement-0.3-*"]})
    assert more[: len(plain)] == plain  # what the pilot trained stays as it is
    assert [(job.arm.name, job.seed) for job in more[len(plain) :]] == [(n, s) for s in (2, 3) for n in ("base", "supplement-0.3-a")]
    assert len(plan_jobs(arms, sources, PARAMS | {"more_seeds": 2})) == 2 * len(plain)
    with pytest.raises(StudyError, match="more_seeds_arms: 'replace"):
        plan_jobs(arms, sources, PARAMS | {"more_seeds": 1, "more_seeds_arms": ["replace-*"]})


def test_the_fewer_control_has_the_steps_that_a_supplement_spends_on_real_images(sources):
    arms = [*ARMS, Arm("fewer-0.25", "fewer", share=0.25, control_of="supplement")]
    jobs = plan_jobs(arms, sources, PARAMS | {"train_steps": 20})
    assert {job.steps for job in jobs if job.arm.kind == "fewer"} == {15} and {job.steps for job in jobs if job.arm.kind != "fewer"} == {20}


def test_options_reach_the_run_and_its_row(sources, tmp_path):
    changes = {"class_weights": "effective", "sampling": "balanced", "early_stopping_patience": 1, "train_steps": 8, "seeds": 1}
    jobs = plan_jobs(ARMS[:1], sources, PARAMS | changes)
    module.run_job(module.prepare(sources, tmp_path), jobs[0])
    (row,) = load_runs(tmp_path, jobs).to_dict("records")
    assert [row[name] for name in ("class_weights", "sampling", "early_stopping_patience")] == ["effective", "balanced", 1]
    curve = load_history(tmp_path / row["folder"])
    assert row["steps"] == curve["step"].iloc[-1] and row["accuracy_val"] == curve["accuracy_watched"].max()
    assert row["best_step"] == curve["step"][curve["accuracy_watched"].idxmax()]


def test_filter_arms_are_made_from_what_one_step_keeps(sources, tmp_path):
    pool = made(40, 1)
    save_faces(pool, tmp_path / "pools" / "a")
    ids = pool.table["id"]
    save_alone(
        tmp_path / "pools" / "a",
        pd.DataFrame({"id": ids, "step": "blur", "keep": np.arange(40) >= 10, "score": 0.0, "reason": "", "relabel": ""}),
    )
    arms = [Arm(f"supplement-0.5-a-only_{step}", "filtered", "a", 0.5, only=step) for step in ("none", "blur")]
    jobs = plan_jobs(arms, Sources(sources.data, {"a": tmp_path / "pools" / "a"}, True, 0, ("blur",)), PARAMS | {"seeds": 1})
    plain = plan_jobs(ARMS[1:], sources, PARAMS | {"seeds": 1})
    assert jobs[0].key == plain[0].key != jobs[1].key  # nothing curated the pool of `sources`
    other = Arm("supplement-0.5-a-only_face", "filtered", "a", 0.5, only="face")
    with pytest.raises(StudyError, match="no step 'face' judged pool a alone"):
        plan_jobs([other], Sources(sources.data, {"a": tmp_path / "pools" / "a"}, True, 0, ("blur", "face")), PARAMS)


def test_a_recipe_changed_in_place_makes_its_runs_stale(sources, monkeypatch):
    from dataclasses import replace

    known = {job.key for job in plan_jobs(ARMS, sources, PARAMS)}
    monkeypatch.setitem(RECIPES, "quick", replace(RECIPES["quick"], lr_peak=0.5))
    assert known.isdisjoint(job.key for job in plan_jobs(ARMS, sources, PARAMS))


def test_a_run_that_diverges_is_recorded_and_the_others_go_on(sources, tmp_path, monkeypatch):
    jobs = plan_jobs(ARMS, sources, PARAMS | {"seeds": 1})
    prepared = module.prepare(sources, tmp_path)

    def train(faces, **settings):
        raise StudyError("training diverged: the loss is nan at step 1 of 2; lower the recipe's lr_peak (0.006)")

    with monkeypatch.context() as patched:
        patched.setattr("lib.classifiers.training.train", train)
        module.run_job(prepared, jobs[0])
    table = run_jobs(jobs, sources, tmp_path, workers=1, progress=lambda text: None)
    assert table["failed"].str.contains("loss is nan").tolist() == [True, False]
    assert json.loads((tmp_path / jobs[0].folder / "result.json").read_text())["arm"]["name"] == "base"


def test_unfinished_runs_are_not_served(sources, tmp_path):
    assert len(load_runs(tmp_path, plan_jobs(ARMS, sources, PARAMS))) == 0


def test_a_source_without_a_validation_split_is_evaluated_on_test_alone(tmp_path):
    save_faces(made(30, 0, {"train": 20, "test": 10}), tmp_path / "real")
    sources = Sources(tmp_path / "real", {}, True, 0)
    jobs = plan_jobs(ARMS[:1], sources, PARAMS | {"seeds": 1})
    module.run_job(module.prepare(sources, tmp_path / "runs"), jobs[0])
    (row,) = load_runs(tmp_path / "runs", jobs).to_dict("records")
    assert row["failed"] == "" and "accuracy_val" not in row and 0 <= row["accuracy_test"] <= 1
    assert set(load_predictions(tmp_path / "runs" / row["folder"])) == {"test"}
    assert "accuracy_watched" not in load_history(tmp_path / "runs" / row["folder"])


def test_the_code_of_a_run_is_its_own_network_and_the_training_alone():
    from lib.study import fingerprints

    seen = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "lib.classifiers.models.code_digest",
            lambda *names, without: seen.append(fingerprints.imported_modules(*names, without=without)),
        )
        training_code("small")
    assert {"lib.classifiers.trainer", "lib.classifiers.augmentation", "lib.classifiers.networks.small"} <= seen[0]
    assert not seen[0] & {"lib.classifiers.networks.s1", "lib.classifiers.recipes", "lib.faces.sources", "lib.study.records"}


def test_each_classifier_has_its_recipe():
    assert {name: recipe.name for name, recipe in recipes_of(["s1", "fast"], ["schuermann", "fast"]).items()} == {
        "s1": "schuermann",
        "fast": "fast",
    }
    assert {recipe.name for recipe in recipes_of(["s1", "fast"], ["quick"]).values()} == {"quick"}
    for classifiers, names, said in (
        (["s1"], ["quick", "fast"], "2 for 1"),
        (["s1", "s1"], ["quick"], "once"),
        (["s1"], ["none"], "no recipe"),
    ):
        with pytest.raises(StudyError, match=said):
            recipes_of(classifiers, names)
