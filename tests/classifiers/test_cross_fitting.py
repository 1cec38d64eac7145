"""Runs over folds: each image is predicted by runs that did not train on it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.classifiers.jobs import plan_jobs
from lib.classifiers.overview import arm_composition
from lib.classifiers.runs import load_predictions, run_jobs
from lib.classifiers.training_sets import Sources
from lib.faces.arms import Arm
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet, save_faces
from lib.faces.folds import evaluation_faces
from lib.metrics.evidence import load_arms
from lib.study.params import load_params

ARMS = [Arm("base"), Arm("supplement", "pool", 0.5)]
PARAMS = load_params("quick") | {"train_steps": 2, "seeds": 2, "device": "cpu"}


def drawn(n: int, first_seed: int, **columns) -> FaceSet:
    """Draw faces, 16 x 16, with the classes in turn."""
    faces = draw_faces(np.arange(n) % 7, first_seed + np.arange(n), px=16)
    table = pd.DataFrame({"class": faces.table["class"], "source": "drawn"})
    return replace(faces, table=table.assign(**columns))


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """Real faces: 30 for training, 10 to choose on, 24 to report on."""
    split = np.repeat(["train", "val", "test"], [30, 10, 24])
    return drawn(64, 0, id=[f"r{i}" for i in range(64)], split=split)


@pytest.fixture(scope="module")
def root(faces, tmp_path_factory):
    """Folder of the real faces and of a pool."""
    folder = tmp_path_factory.mktemp("faces")
    save_faces(faces, folder / "real")
    pool = drawn(40, 1000, id=[f"a{i}" for i in range(40)], split="train")
    save_faces(pool, folder / "pool")
    return folder


def sources_of(root, folds: int) -> Sources:
    """Return the sources of a study with so many folds."""
    return Sources(root / "real", {"pool": root / "pool"}, True, 0, (), folds, 0.1)


@pytest.fixture(scope="module")
def runs(root) -> pd.DataFrame:
    """All runs of a study with three folds."""
    sources = sources_of(root, 3)
    jobs = plan_jobs(ARMS, sources, PARAMS)
    return run_jobs(jobs, sources, root / "runs", workers=1)


def test_every_arm_seed_and_fold_is_a_run(runs):
    assert len(runs) == len(ARMS) * 2 * 3
    assert (runs["failed"] == "").all()
    assert sorted(set(runs["fold"])) == [1, 2, 3]

    # Two thirds of the 54 images that are divided; base has no others.
    assert runs.groupby("fold")["images"].first().tolist() == [36, 36, 36]


def test_every_image_is_predicted_by_the_runs_of_the_fold_that_holds_it_out(runs, root, faces):
    _, fold = evaluation_faces(faces, 3, 0)
    for name, number in zip(runs["folder"], runs["fold"]):
        predicted = load_predictions(root / "runs" / name)
        assert len(predicted["test"]) == (fold == number).sum()
        assert len(predicted["val"]) == 10


def test_the_folds_of_a_seed_are_put_together_to_predictions_of_every_image(runs, root, faces):
    images, fold = evaluation_faces(faces, 3, 0)
    folders = [root / "runs" / name for name in runs["folder"]]
    arms = load_arms(runs.assign(folder=folders), fold=fold)
    base = arms[ARMS[0], "small"]
    assert base.seeds == (0, 1)
    assert base.probabilities.shape == (2, len(images), 7)


def test_the_first_seed_of_the_first_fold_keeps_its_weights(runs, root):
    kept = [
        (seed, fold)
        for name, seed, fold in zip(runs["folder"], runs["seed"], runs["fold"])
        if (root / "runs" / name / "model.safetensors").exists()
    ]
    assert kept == [(0, 1)] * len(ARMS)


def test_the_composition_is_that_of_one_fold(root):
    assert arm_composition(ARMS, sources_of(root, 3))["real"].tolist() == [36, 36]


def test_runs_over_folds_have_keys_of_their_own(root):
    plain = plan_jobs(ARMS, sources_of(root, 0), PARAMS)
    over_folds = plan_jobs(ARMS, sources_of(root, 2), PARAMS)
    assert all("fold" not in job.folder for job in plain)
    assert len(over_folds) == 2 * len(plain)
    keys = {job.key for job in plain} | {job.key for job in over_folds}
    assert len(keys) == 3 * len(plain)


def test_without_folds_the_keys_are_those_of_a_study_that_knows_none(root):
    unaware = Sources(root / "real", {"pool": root / "pool"}, True, 0)
    keys = [job.key for job in plan_jobs(ARMS, unaware, PARAMS)]
    assert keys == [job.key for job in plan_jobs(ARMS, sources_of(root, 0), PARAMS)]
