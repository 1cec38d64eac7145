"""Runs: done once, never stale, one that fails leaves the others alone."""

import errno
import importlib
import json
import random
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from damage import DAMAGES, cut, empty, encode_otherwise, remove

from lib.classifiers import runs as module
from lib.classifiers.jobs import arm_steps, plan_jobs, trained_lengths
from lib.classifiers.models import load_facts
from lib.classifiers.overview import (
    arm_composition,
    beside_controls,
    buildable,
    how_trained,
    learning_curves,
    range_table,
)
from lib.classifiers.recipes import IMPROVEMENTS, RECIPES, recipe_table, recipes_of
from lib.classifiers.runs import load_history, load_predictions, load_runs, read_result, run_jobs
from lib.classifiers.training_sets import Sources
from lib.faces.arms import ARM_FIELDS, UNFILTERED, Arm
from lib.faces.faceset import FaceSet, save_faces
from lib.faces.pool import save_single_steps
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.records import atomic_write

CLASSES = ("a", "b", "c", "d", "e")
BASE, SUPPLEMENT = Arm("base"), Arm("supplement", "pool", 0.5)
ARMS = [BASE, SUPPLEMENT]
PARAMS = load_params("quick") | {"train_steps": 2, "seeds": 2, "device": "cpu"}


def noise(n: int, seed: int, splits: dict | None = None) -> FaceSet:
    """Make images of noise, 16 x 16, with the classes in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (n, 16, 16)).astype(np.uint8)
    split = np.repeat(list(splits), list(splits.values())) if splits else "train"
    names = np.array(CLASSES)[np.arange(n) % len(CLASSES)]
    table = pd.DataFrame({"id": [f"{seed}-{i}" for i in range(n)], "class": names})
    return FaceSet(images, table.assign(split=split, source="made"), CLASSES)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Sources:
    """Real faces and a pool on disk."""
    root = tmp_path_factory.mktemp("faces")
    save_faces(noise(60, 0, {"train": 30, "val": 10, "test": 20}), root / "real")
    save_faces(noise(40, 1), root / "pool")
    return Sources(root / "real", {"pool": root / "pool"}, True, 0)


@pytest.fixture(scope="module")
def finished(sources, tmp_path_factory):
    """All runs of a small study: their folder, jobs and table."""
    folder = tmp_path_factory.mktemp("runs")
    jobs = plan_jobs(ARMS, sources, PARAMS)
    return folder, jobs, run_jobs(jobs, sources, folder, workers=1)


# Doing runs.


def test_every_arm_and_seed_is_a_run_with_predictions_and_curve(finished):
    folder, _, table = finished
    names = [(arm.name, seed) for seed in (0, 1) for arm in ARMS]
    assert list(zip(table["arm"], table["seed"])) == names
    assert (table["failed"] == "").all()
    assert (table["steps"] == 2).all()
    assert list(table["images"]) == [30, 60, 30, 60]
    for name, seed in zip(table["folder"], table["seed"]):
        predictions = load_predictions(folder / name)
        shapes = {split: p.shape for split, p in predictions.items()}
        assert shapes == {"val": (10, 5), "test": (20, 5)}
        assert predictions["test"].dtype == np.float32
        assert load_history(folder / name)["step"].iloc[-1] == 2
        assert (folder / name / "model.safetensors").exists() == (seed == 0)


def test_the_table_of_runs_carries_the_arms_fields(finished):
    _, _, table = finished
    assert set(ARM_FIELDS) <= set(table.columns)
    for row, arm in zip(table.to_dict("records"), ARMS * 2):
        assert {name: row[name] for name in ARM_FIELDS} == asdict(arm)


def test_a_result_holds_the_arms_fields_and_the_classes(finished):
    folder, jobs, table = finished
    target = folder / jobs[1].folder
    record = json.loads((target / "result.json").read_text())
    assert record["arm"] == asdict(SUPPLEMENT)
    assert record["classes"] == list(CLASSES)
    assert record["images_by_source"] == {"made": 60}
    with np.load(target / "predictions.npz") as packed:
        assert tuple(packed["classes"]) == CLASSES
    assert read_result(target)["arm"] == SUPPLEMENT.name


def test_the_second_call_does_nothing(finished, sources, capsys):
    folder, jobs, table = finished
    repeated = run_jobs(jobs, sources, folder, workers=1)
    assert capsys.readouterr().out == "4 runs: 4 finished before, 0 to do\n"
    pd.testing.assert_frame_equal(repeated, table)


def test_what_two_arms_have_alike_is_trained_once(sources, tmp_path, capsys):
    # Copies of the real images in the class counts of one pool, and of another with the same ones.
    save_faces(noise(40, 2), tmp_path / "other")
    both = replace(sources, pools=sources.pools | {"other": tmp_path / "other"})
    copies = [
        Arm("duplicate", name, real=20, added=10, control_of="supplement") for name in both.pools
    ]
    params = PARAMS | {"seeds": 1, "keep_weights": 0}
    jobs = plan_jobs(copies, both, params)
    table = run_jobs(jobs, both, tmp_path / "runs", workers=1)
    assert "2 runs: 0 finished before, 1 to do, 1 the same as others" in capsys.readouterr().out
    assert list(table["pool"]) == ["pool", "other"] and table["key"].nunique() == 1
    first, second = (tmp_path / "runs" / name / "predictions.npz" for name in table["folder"])
    assert first.read_bytes() == second.read_bytes()

    # Finished before, by another arm.
    shutil.rmtree(first.parent)
    run_jobs(jobs, both, tmp_path / "runs", workers=1)
    assert "1 finished before, 0 to do, 1 the same as others" in capsys.readouterr().out
    assert first.read_bytes() == second.read_bytes()


def test_a_run_whose_weights_stay_is_trained_for_its_own_arm(sources, tmp_path):
    save_faces(noise(40, 2), tmp_path / "other")
    both = replace(sources, pools=sources.pools | {"other": tmp_path / "other"})
    copies = [
        Arm("duplicate", name, real=20, added=10, control_of="supplement") for name in both.pools
    ]
    jobs = plan_jobs(copies, both, PARAMS | {"seeds": 1, "keep_weights": 1})
    table = run_jobs(jobs, both, tmp_path / "runs", workers=1)
    weights = [tmp_path / "runs" / name / module.WEIGHTS for name in table["folder"]]
    assert [load_facts(file)["arm"] for file in weights] == list(table["arm"])


def test_a_run_without_its_last_file_is_done_again_to_the_same_bytes(finished, sources, capsys):
    folder, jobs, _ = finished
    lost = folder / jobs[0].folder
    before = load_predictions(lost)
    (lost / "result.json").unlink()
    (lost / "predictions.npz").write_bytes(b"half")
    run_jobs(jobs, sources, folder, workers=1)
    assert capsys.readouterr().out.startswith("4 runs: 3 finished before, 1 to do\n")
    after = load_predictions(lost)
    for split, predictions in before.items():
        assert (after[split] == predictions).all()


@pytest.fixture
def one_run(finished, sources, tmp_path):
    """A finished run in a folder of its own, and a function that does it again in this process."""
    folder, jobs, _ = finished
    shutil.copytree(folder / jobs[0].folder, tmp_path / jobs[0].folder)

    def again():
        module.run_job(module.prepare(sources, tmp_path), jobs[0])

    return tmp_path, jobs[0], again


def contents(target: Path) -> dict[str, bytes]:
    """Read the files of a run but for its times, which differ."""
    files = {path.name: path.read_bytes() for path in target.iterdir()}
    assert files.pop("result.json") and files.pop("history.csv")
    return {name: content for name, content in files.items() if not name.endswith(".damaged")}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_run_is_done_again_to_the_same_bytes(one_run, damage):
    """Whichever of its files was damaged, down to one bit."""
    folder, job, again = one_run
    target, rng = folder / job.folder, random.Random(0)
    wanted = contents(target)
    assert set(wanted) == {"predictions.npz", "model.safetensors"}
    assert module.finished(folder, job)
    for name in ("result.json", "predictions.npz", "history.csv", "model.safetensors"):
        damage(target / name, rng)
        is_text = name == "result.json" and damage is encode_otherwise  # may be the same JSON
        assert is_text or not module.finished(folder, job)
        again()
        assert contents(target) == wanted
        assert module.finished(folder, job)
        assert len(load_runs(folder, [job])) == 1 and len(load_history(target))


@pytest.mark.parametrize("name", ["predictions.npz", "history.csv"])
@pytest.mark.parametrize("damage", [cut, empty, remove], ids=lambda damage: damage.__name__)
def test_a_run_of_before_digests_were_kept_has_to_be_complete(one_run, damage, name):
    folder, job, _ = one_run
    target = folder / job.folder
    record = json.loads((target / "result.json").read_text())
    for key in ("files", "sealed", "sha256"):
        del record[key]
    del record["arm"]["added"]  # nor had arms all that they have now
    (target / "result.json").write_text(json.dumps(record))
    assert module.finished(folder, job) and read_result(target)["added"] == 0
    damage(target / name, random.Random(0))
    assert not module.finished(folder, job)


def test_a_run_whose_processes_died_is_done_once_more_alone_and_never_taken_for_done(
    finished, sources, tmp_path, monkeypatch, capsys
):
    _, jobs, _ = finished
    asked = []

    def work(waiting, sources, folder, workers, cluster):
        asked.append((len(waiting), workers))
        for job in waiting:
            dies = job is jobs[1] and len(asked) in deaths
            if not dies:
                module.run_job(module.prepare(sources, folder), job)
            yield job, "its process died 2 times (exit code -9)" if dies else ""

    # Short of memory beside others, and not by itself.
    monkeypatch.setattr(module, "_work", work)
    deaths = [1]
    table = run_jobs(jobs[:2], sources, tmp_path, workers=2)
    assert asked == [(2, 2), (1, 1)] and (table["failed"] == "").all() and len(table) == 2
    assert capsys.readouterr().out.endswith(
        "1 runs whose processes died are done once more, one at a time\n"
    )

    # Short of memory even so: it is named, and the next call tries again.
    shutil.rmtree(tmp_path / jobs[1].folder)
    asked.clear()
    deaths = [1, 2]
    with pytest.raises(StudyError, match=f"{jobs[1].folder} cannot be done.*All others are kept"):
        run_jobs(jobs[:2], sources, tmp_path, workers=2)
    assert not module.finished(tmp_path, jobs[1]) and module.finished(tmp_path, jobs[0])


@pytest.mark.parametrize("deaths", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_in_the_middle_is_neither_lost_nor_taken_for_done(
    finished, sources, tmp_path, dying, deaths
):
    """By SIGKILL, twice by the pool and then alone, while a checkpoint is written or after it."""
    folder, jobs, _ = finished
    dying.kill_of(tmp_path, jobs[1].folder, deaths)
    table = run_jobs(jobs[:2], sources, tmp_path, workers=1)
    assert dying.deaths_in(tmp_path) == deaths and (table["failed"] == "").all()
    for job in jobs[:2]:
        assert contents(tmp_path / job.folder) == contents(folder / job.folder)
        assert not list((tmp_path / job.folder).glob(".*"))


@pytest.mark.slow
def test_a_run_that_is_killed_whenever_it_is_tried_waits_for_the_next_call(
    finished, sources, tmp_path, dying
):
    folder, jobs, _ = finished
    dying.kill_of(tmp_path, jobs[1].folder, 4)
    with pytest.raises(StudyError, match=f"{jobs[1].folder} cannot be done.*All others are kept"):
        run_jobs(jobs[:2], sources, tmp_path, workers=2)
    assert module.finished(tmp_path, jobs[0]) and not module.finished(tmp_path, jobs[1])
    run_jobs(jobs[:2], sources, tmp_path, workers=2)
    assert contents(tmp_path / jobs[1].folder) == contents(folder / jobs[1].folder)


@pytest.fixture
def dying(monkeypatch):
    """Let processes be killed in the middle of a run."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    dying_runs = importlib.import_module("dying_runs")
    monkeypatch.setattr(module, "run_job", dying_runs.run_job)
    return dying_runs


@pytest.mark.parametrize(
    ("reason", "is_done"),
    [
        ("its process died 2 times (exit code -9); is there enough memory?", False),
        ("/a/checkpoint.safetensors: no space left on the disk; free some", False),
        ("training diverged: the loss is nan at step 3", True),
    ],
)
def test_what_an_earlier_version_gave_up_for_want_of_room_is_done_again(one_run, reason, is_done):
    folder, job, _ = one_run
    record = {"arm": asdict(job.arm), "failed": reason}
    (folder / job.folder / "result.json").write_text(json.dumps(record))
    assert module.finished(folder, job) == is_done


def test_a_full_disk_is_no_result_of_a_run(one_run, monkeypatch):
    folder, job, again = one_run
    shutil.rmtree(folder / job.folder)

    def full(*arguments, **more):
        with atomic_write(folder / "checkpoint"):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lib.classifiers.training.train", full)
    with pytest.raises(StudyError, match="no space left"):
        again()
    assert not (folder / job.folder / "result.json").exists()


def test_options_reach_the_run_and_its_row(sources, tmp_path):
    options = {"class_weights": "effective", "sampling": "balanced", "early_stopping_patience": 1}
    jobs = plan_jobs([BASE], sources, PARAMS | options | {"train_steps": 8, "seeds": 1})
    module.run_job(module.prepare(sources, tmp_path), jobs[0])
    (row,) = load_runs(tmp_path, jobs).to_dict("records")
    assert {name: row[name] for name in options} == options
    curve = load_history(tmp_path / row["folder"])
    assert row["steps"] == curve["step"].iloc[-1]
    assert row["accuracy_val"] == curve["accuracy_watched"].max()
    assert row["best_step"] == curve["step"][curve["accuracy_watched"].idxmax()]


def test_a_run_that_diverges_is_recorded_and_the_others_go_on(sources, tmp_path, monkeypatch):
    jobs = plan_jobs(ARMS, sources, PARAMS | {"seeds": 1})
    prepared = module.prepare(sources, tmp_path)

    def diverge(faces, plan, **settings):
        raise StudyError("training diverged: the loss is nan at step 1 of 2")

    with monkeypatch.context() as patched:
        patched.setattr("lib.classifiers.training.train", diverge)
        module.run_job(prepared, jobs[0])
    table = run_jobs(jobs, sources, tmp_path, workers=1)
    assert table["failed"].str.contains("loss is nan").tolist() == [True, False]
    assert table["kind"].tolist() == ["base", "supplement"]


def test_unfinished_runs_are_not_served(sources, tmp_path):
    assert len(load_runs(tmp_path, plan_jobs(ARMS, sources, PARAMS))) == 0


def test_a_source_without_a_validation_split_is_evaluated_on_test_alone(tmp_path):
    save_faces(noise(30, 0, {"train": 20, "test": 10}), tmp_path / "real")
    sources = Sources(tmp_path / "real", {}, True, 0)
    jobs = plan_jobs([BASE], sources, PARAMS | {"seeds": 1})
    module.run_job(module.prepare(sources, tmp_path / "runs"), jobs[0])
    (row,) = load_runs(tmp_path / "runs", jobs).to_dict("records")
    assert row["failed"] == ""
    assert "accuracy_val" not in row
    assert 0 <= row["accuracy_test"] <= 1
    assert set(load_predictions(tmp_path / "runs" / row["folder"])) == {"test"}
    assert "accuracy_watched" not in load_history(tmp_path / "runs" / row["folder"])


# Keys.


@pytest.fixture
def keys(sources):
    """The keys of all runs of a study whose parameters, sources or arms are changed."""

    def keys_of(source: Sources = sources, **changes) -> set[str]:
        return {job.key for job in plan_jobs(ARMS, source, PARAMS | changes)}

    return keys_of


@pytest.mark.parametrize(
    "changes",
    [
        {"class_weights": "inverse"},
        {"sampling": "balanced"},
        {"early_stopping_patience": 3},
        {"deterministic": False},
        {"recipes": ["schuermann"]},
        {"train_steps": 3},
        {"train_steps": 0, "train_epochs": 1},
        {"classifiers": ["s1"]},
    ],
)
def test_whatever_can_change_a_result_changes_its_key(keys, changes):
    assert len(keys()) == 4
    assert keys().isdisjoint(keys(**changes))


def test_weights_that_are_kept_change_no_key(keys):
    assert keys() == keys(keep_weights=0)


def test_a_recipe_changed_in_place_makes_its_runs_stale(keys, monkeypatch):
    known = keys()
    monkeypatch.setitem(RECIPES, "quick", replace(RECIPES["quick"], lr_peak=0.5))
    assert known.isdisjoint(keys())


def test_a_raised_version_makes_all_runs_stale(keys, monkeypatch):
    known = keys()
    monkeypatch.setattr("lib.classifiers.recipes.TRAINING_VERSION", 99)
    assert known.isdisjoint(keys())


def test_the_version_of_a_network_makes_its_runs_stale_and_no_others(keys, monkeypatch):
    known, others = keys(), keys(classifiers=["fast"])
    monkeypatch.setitem(module_versions(), "small", 99)
    assert known.isdisjoint(keys())
    assert others == keys(classifiers=["fast"])


def module_versions() -> dict[str, int]:
    """Return the versions of the networks, as plans see them."""
    from lib.classifiers.recipes import NETWORK_VERSIONS

    return NETWORK_VERSIONS


def test_no_hash_of_code_is_in_a_key(keys, monkeypatch):
    known = keys()
    monkeypatch.setattr("lib.study.fingerprints.code_digest", lambda *names, **more: "other code")
    assert keys() == known


def test_a_longer_pool_changes_no_key_where_its_first_images_are_the_same(keys, sources, tmp_path):
    save_faces(noise(41, 1), tmp_path / "longer")
    longer = Sources(sources.data, {"pool": tmp_path / "longer"}, True, 0)
    assert keys(longer) == keys()


def test_another_pool_leaves_base_as_it_is(keys, sources, tmp_path):
    save_faces(noise(40, 2), tmp_path / "other")
    other = Sources(sources.data, {"pool": tmp_path / "other"}, True, 0)
    assert len(keys() & keys(other)) == 2


# Planning.


def test_arms_that_a_pilot_left_undecided_get_further_seeds_and_base_with_them(sources):
    third = Arm("supplement", "pool", 0.3)
    arms, further = [*ARMS, third], {"more_seeds": 2, "more_seeds_arms": ["supplement-0.3-*"]}
    plain = plan_jobs(arms, sources, PARAMS)
    more = plan_jobs(arms, sources, PARAMS | further)

    # What the pilot trained stays as it is.
    assert more[: len(plain)] == plain
    added = [(job.arm, job.plan.seed) for job in more[len(plain) :]]
    assert added == [(arm, seed) for seed in (2, 3) for arm in (BASE, third)]
    assert len(plan_jobs(arms, sources, PARAMS | {"more_seeds": 2})) == 2 * len(plain)


def test_a_pattern_of_further_seeds_that_fits_no_arm_is_named(sources):
    with pytest.raises(StudyError, match="more_seeds_arms: 'replace"):
        plan_jobs(ARMS, sources, PARAMS | {"more_seeds": 1, "more_seeds_arms": ["replace-*"]})


def test_the_control_fewer_steps_has_the_steps_that_a_supplement_takes_on_real_images(sources):
    fewer = Arm("fewer_steps", share=0.25, control_of="supplement")
    jobs = plan_jobs([*ARMS, fewer], sources, PARAMS | {"train_steps": 20})
    steps = {job.arm.kind: job.plan.steps for job in jobs}
    assert steps == {"base": 20, "supplement": 20, "fewer_steps": 15}
    assert arm_steps(fewer, 1, 30) == 1


def test_fewer_steps_at_numbers_are_those_of_the_real_images():
    fewer = Arm("fewer_steps", real=10, added=30, control_of="supplement")
    assert arm_steps(fewer, 100, 1_000) == 25
    assert arm_steps(replace(fewer, real=0), 100, 90) == 75


def test_every_length_is_a_training_of_its_own(sources):
    lengths = PARAMS | {"train_lengths": [0.5, 1.0, 4.0], "train_steps": 20}
    jobs = plan_jobs([BASE], sources, lengths)
    assert [job.plan.steps for job in jobs] == [10, 20, 80] * 2
    assert len({job.folder for job in jobs}) == len({job.key for job in jobs}) == 6

    # A study of one length has the runs of the length 1.
    assert plan_jobs([BASE], sources, PARAMS | {"train_steps": 20}) == jobs[1::3]


def test_lengths_multiply_epochs_too(sources):
    epochs = PARAMS | {"train_steps": 0, "train_epochs": 3, "train_lengths": [1.0, 2.0]}
    plans = [job.plan for job in plan_jobs([BASE], sources, epochs)]
    assert [(plan.steps, plan.epochs) for plan in plans] == [(0, 3), (0, 6)] * 2


def test_draws_change_the_images_of_each_seed(sources):
    few = [BASE, Arm("supplement", "pool", real=10, added=10)]
    jobs = plan_jobs(few, sources, PARAMS | {"draws": True, "seeds": 3})
    assert [job.draw for job in jobs] == [0, 0, 1, 1, 2, 2]
    real, pools = sources.read()
    sets = [sources.arm_faces(job.arm, real, pools, job.draw).digest() for job in jobs]

    # All real images are the same in every draw.
    assert len(set(sets[::2])) == 1 and len(set(sets[1::2])) == 3


def test_each_number_of_real_images_has_its_own_number_of_runs(sources):
    few = [BASE, Arm("subset", real=10), Arm("subset", real=20)]
    counted = {"seeds": 3, "real_counts": [10, 20, 0], "real_count_seeds": [3, 2, 1]}
    runs = pd.Series([job.arm for job in plan_jobs(few, sources, PARAMS | counted)])
    assert runs.value_counts().to_dict() == dict(zip(few, (1, 3, 2)))


def test_a_draw_takes_its_own_generation_of_a_pool(sources):
    real, pools = sources.read()
    pools = {"p": noise(40, 5), "p-generation2": noise(40, 6)}
    arm = Arm("supplement", "p", real=10, added=10)
    ids = [sources.arm_faces(arm, real, pools, draw).table["id"].iloc[-1] for draw in range(3)]
    assert [one.rpartition("/")[0] for one in ids] == ["p", "p-generation2", "p"]


@pytest.fixture
def curated_pool(tmp_path) -> Path:
    """A pool that the step `blur` alone has judged: it keeps all but the first ten images."""
    pool, folder = noise(40, 1), tmp_path / "pools" / "pool"
    save_faces(pool, folder)
    verdicts = pd.DataFrame({"id": pool.table["id"], "keep": np.arange(40) >= 10})
    save_single_steps(folder, verdicts.assign(step="blur", score=0.0, reason="", relabel=""))
    return folder


def test_filtered_arms_are_made_from_what_one_step_keeps(sources, curated_pool):
    arms = [Arm("filtered", "pool", 0.5, only=step) for step in (UNFILTERED, "blur")]
    filtering = Sources(sources.data, {"pool": curated_pool}, True, 0, ("blur",))
    unfiltered, blur = plan_jobs(arms, filtering, PARAMS | {"seeds": 1})
    (plain,) = plan_jobs([SUPPLEMENT], sources, PARAMS | {"seeds": 1})

    # Nothing curated the pool of `sources`, so its supplement is the unfiltered one.
    assert unfiltered.key == plain.key
    assert blur.key != plain.key


def test_a_filtered_arm_of_a_step_that_did_not_run_is_refused(sources, curated_pool):
    filtering = Sources(sources.data, {"pool": curated_pool}, True, 0, ("blur", "face"))
    with pytest.raises(StudyError, match="face.*pool.*filter_arms"):
        plan_jobs([Arm("filtered", "pool", 0.5, only="face")], filtering, PARAMS)


def test_each_classifier_has_its_recipe():
    own = recipes_of(["s1", "fast"], ["schuermann", "fast"])
    assert {name: recipe.name for name, recipe in own.items()} == {
        "s1": "schuermann",
        "fast": "fast",
    }
    shared = recipes_of(["s1", "fast"], ["quick"])
    assert {recipe.name for recipe in shared.values()} == {"quick"}


def test_a_recipe_that_is_none_is_refused():
    with pytest.raises(StudyError, match="no recipe"):
        recipes_of(["s1"], ["none"])


def test_the_table_of_recipes_has_a_column_for_each_classifier():
    table = recipe_table(["s1", "fast"], ["schuermann", "fast"]).set_index("setting")
    assert table.loc["epochs"].tolist() == ["250", "8"]
    assert table.loc["lr_schedule"].tolist() == ["constant", "one_cycle"]


# Overviews.


def test_the_composition_counts_real_synthetic_and_different_images(sources):
    arms = [*ARMS, Arm("duplicate", share=0.5, control_of="supplement"), Arm("supplement", "gone")]
    table = arm_composition(arms, sources).set_index("arm")
    counted = table.loc[[arm.name for arm in arms[:3]], ["real", "synthetic", "different"]]
    assert counted.to_numpy().tolist() == [[30, 0, 30], [30, 30, 60], [60, 0, 30]]
    assert "gone" in table.loc[arms[3].name, "left out"]
    assert buildable(arms, table.reset_index()) == arms[:3]


@pytest.mark.parametrize(
    ("knowledge", "learnt", "fits"),
    [("same images", 20, True), ("same images", 25, False), ("all images", 30, True)],
)
def test_a_generator_stands_beside_the_number_of_real_images_that_it_knows(
    sources, knowledge, learnt, fits
):
    (name, folder), *_ = sources.pools.items()
    facts = {"knowledge": knowledge, "learnt_from": {"images": learnt}}
    (folder / "generator.json").write_text(json.dumps(facts))
    composition = arm_composition([Arm("supplement", name, real=20, added=4)], sources)
    assert (composition.loc[0, "left out"] == "") == fits


def test_what_a_label_classifier_says_is_kept_and_shared_by_the_arms_of_a_draw(
    sources, tmp_path, monkeypatch
):
    judging = replace(sources, judged=tmp_path / "said", label_classifier_steps=3)
    real, pools = judging.read()
    uses = [Arm("label_filtered", "pool", share, real=20, added=30) for share in (0.5, 0.2)]
    uses.append(Arm("soft_labels", "pool", real=20, added=30))
    made = [judging.arm_faces(arm, real, pools, 0).digest() for arm in uses]
    assert len(list((tmp_path / "said").iterdir())) == 1 and len(set(made)) == 3

    # Another draw has another label classifier; nothing is trained twice.
    judging.arm_faces(uses[0], real, pools, 1)
    assert len(list((tmp_path / "said").iterdir())) == 2
    monkeypatch.setattr("lib.classifiers.reference.train_reference", None)
    assert [judging.arm_faces(arm, real, pools, 0).digest() for arm in uses] == made


def test_real_images_alone_are_trained_in_the_way_that_their_arm_names(sources):
    arms = [BASE, *(Arm("improved", only=way) for way in IMPROVEMENTS)]
    jobs = plan_jobs(arms, sources, PARAMS | {"seeds": 1})
    assert len({job.key for job in jobs}) == len(arms)
    plain, plans = jobs[0].plan, {job.arm.only: job.plan for job in jobs[1:]}
    assert plans["mixup"] == replace(plain, recipe=replace(plain.recipe, mixup_alpha=0.4))
    assert plans["class_balance"].recipe == plain.recipe
    assert plans["class_balance"].options.sampling == "balanced"
    real, pools = sources.read()
    digests = {sources.arm_faces(arm, real, pools, None).digest() for arm in arms}
    assert len(digests) == 1


def test_learning_curves_carry_the_arms_fields_and_designs(finished):
    folder, _, table = finished
    curves = learning_curves(folder, table)
    assert set(ARM_FIELDS) <= set(curves.columns)
    designs = curves.drop_duplicates("arm").set_index("arm")["design"].to_dict()
    assert designs == {arm.name: arm.design for arm in ARMS}
    assert set(curves["seed"]) == {0, 1}


def test_no_mean_is_taken_over_trainings_of_several_lengths(finished):
    folder, _, table = finished
    twice = pd.concat([table, table.assign(length=2.0)])
    for describe in (range_table, lambda runs: learning_curves(folder, runs)):
        with pytest.raises(ValueError, match="several lengths"):
            describe(twice)
    assert len(range_table(table)) == len(ARMS)


def test_a_chart_shows_the_arms_of_one_design_beside_base_and_their_real_controls():
    duplicate = Arm("duplicate", share=0.5, control_of="supplement")
    other_share = Arm("duplicate", share=0.2, control_of="supplement")
    shuffled = Arm("shuffled", "x", 0.5, control_of="supplement")
    arms = [BASE, Arm("supplement", "x", 0.5), Arm("supplement", "y", 0.5)]
    every = [*arms, duplicate, other_share, shuffled, Arm("replace", "x", 0.5)]
    rows = [{"arm": arm.name, "design": arm.design} | asdict(arm) for arm in every]
    history = pd.DataFrame(rows).assign(classifier="small", accuracy=0.5)
    charts = beside_controls(history)
    added = "Added to the real images: 50% of the training images"
    assert list(charts) == [added, "In place of real images: 50%"]
    shown = set(charts[added]["arm"])
    assert shown == {arm.name for arm in (*arms, duplicate)}
    assert list(beside_controls(history[history["kind"] == "base"])) == ["Real images alone"]


def test_a_chart_of_few_real_images_shows_these_alone_and_not_all_of_them():
    few = [Arm("subset", real=20), Arm("supplement", "x", real=20, added=10)]
    every = [BASE, *few, Arm("subset", real=40)]
    rows = [{"arm": arm.name, "design": arm.design} | asdict(arm) for arm in every]
    (chart,) = beside_controls(pd.DataFrame(rows).assign(classifier="small", accuracy=0.5)).values()
    assert set(chart["arm"]) == {arm.name for arm in few}


def test_the_report_tells_whether_runs_can_be_repeated():
    columns = ["device", "precision", "deterministic"]
    runs = pd.DataFrame([["cpu", "fp32", True], ["cuda", "bf16", False]], columns=columns)
    assert how_trained(runs) == (
        "1 runs on cpu in fp32: the same seed gives the same bytes; "
        "1 runs on cuda in bf16: the same seed gives slightly other numbers"
    )


FEW = Arm("subset", real=100)
MANY = Arm("supplement", "pool", real=100, added=900)
PASSES = {"train_steps": 10, "train_lengths": [0.1, 0.2, 1.0, 2.0, 10.0], "train_passes": [5, 20]}
# One step is one batch of 100 images.
RECIPE = replace(RECIPES["quick"], batch_size=100)


def test_passes_leave_out_lengths_that_are_too_short_or_too_long_for_every_arm_of_a_size():
    lengths = trained_lengths([FEW, MANY], 50_000, RECIPE, PASSES)

    # 100 steps are 10 passes over 1,000 images; 10 and 20 steps are 10 and 20 over 100.
    assert lengths[MANY] == [10.0]
    assert lengths[FEW] == [1.0, 2.0, 10.0]


def test_fewer_steps_are_trained_at_the_lengths_of_what_they_control():
    fewer = Arm("fewer_steps", real=100, added=900, control_of="supplement")
    assert trained_lengths([FEW, fewer, MANY], 50_000, RECIPE, PASSES)[fewer] == [10.0]


def test_without_bounds_every_arm_has_every_length():
    lengths = trained_lengths([FEW, MANY], 50_000, RECIPE, PASSES | {"train_passes": []})
    assert list(lengths.values()) == [PASSES["train_lengths"]] * 2


@pytest.mark.parametrize("changes", [{"train_passes": [5.0]}, {"train_steps": 0}])
def test_passes_need_two_numbers_and_steps(changes):
    with pytest.raises(StudyError, match="train_passes: fewest and most"):
        trained_lengths([FEW], 50_000, RECIPE, PASSES | changes)


def test_an_arm_without_any_length_is_named():
    with pytest.raises(StudyError, match="over the 50,000 images of arm base"):
        trained_lengths([BASE], 50_000, RECIPE, PASSES)
