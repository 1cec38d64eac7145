"""Runs over folds: each image answered for by runs that did not see it; the same pools, another split, other keys."""

import numpy as np
import pandas as pd
import pytest

from lib.classifiers.overview import arm_composition
from lib.classifiers.runs import Sources, plan_jobs, run_jobs
from lib.faces.arms import Arm
from lib.faces.drawn import draw_faces
from lib.faces.faceset import CLASSES, FaceSet, save_faces
from lib.faces.folds import judged_faces
from lib.metrics.evidence import load_arms

ARMS = [Arm("base", "base"), Arm("supplement-0.5-a", "supplement", "a", 0.5)]
PARAMS = {
    "classifiers": ["small"], "recipes": ["quick"], "train_steps": 2, "train_epochs": 0, "seeds": 2,
    "more_seeds": 0, "more_seeds_arms": [], "keep_weights": 1, "device": "cpu",
    "class_weights": "none", "sampling": "shuffled", "early_stopping_patience": 0, "deterministic": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    drawn = draw_faces(np.arange(64) % 7, np.arange(64), px=16)
    split = np.repeat(["train", "val", "test"], [30, 10, 24])
    table = pd.DataFrame({"id": [f"r{i}" for i in range(64)], "class": np.array(CLASSES)[drawn.labels], "split": split, "source": "made"})
    return FaceSet(drawn.images, table)


@pytest.fixture(scope="module")
def root(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    pool = draw_faces(np.arange(40) % 7, 1000 + np.arange(40), px=16)
    save_faces(faces, folder / "real")
    save_faces(FaceSet(pool.images, pool.table.assign(id=[f"a{i}" for i in range(40)], split="train", source="drawn")), folder / "a")
    return folder


def test_every_image_is_answered_for_by_runs_that_did_not_see_it(root, faces):
    sources = Sources(root / "real", {"a": root / "a"}, True, 0, (), 3, 0.1)
    jobs = plan_jobs(ARMS, sources, PARAMS)
    runs = run_jobs(jobs, sources, root / "runs", workers=1, progress=lambda text: None)
    assert len(runs) == 2 * 3 * 2 and (runs["failed"] == "").all() and sorted(set(runs["fold"])) == [1, 2, 3]
    assert runs.groupby("fold")["images"].first().tolist() == [36, 36, 36]  # 54 without a third, on the arm base
    assert [folder for folder in runs["folder"] if (root / "runs" / folder / "model.safetensors").exists()] == [
        folder for folder in runs["folder"] if "seed0-fold1" in folder
    ]
    judged, fold = judged_faces(faces, 3, 0)
    arms = load_arms(runs.assign(folder=[root / "runs" / name for name in runs["folder"]]), fold=fold)
    assert arms["base", "small"].seeds == (0, 1) and arms["base", "small"].probabilities.shape == (2, len(judged), 7)
    assert arm_composition(ARMS, sources)["real"].tolist() == [36, 36]


def test_without_folds_the_keys_are_those_of_ever(root):
    plain, none = (plan_jobs(ARMS, Sources(root / "real", {"a": root / "a"}, True, 0, *more), PARAMS) for more in ((), ((), 0)))
    assert [job.key for job in plain] == [job.key for job in none] and all("fold" not in job.folder for job in plain)
    over = plan_jobs(ARMS, Sources(root / "real", {"a": root / "a"}, True, 0, (), 2, 0.1), PARAMS)
    assert len(over) == 2 * len(plain) and len({job.key for job in over} | {job.key for job in plain}) == 3 * len(plain)
