"""What 40_training recorded is what counts: stale and failed runs do not, and a missing step is
named.
"""

from dataclasses import asdict, replace

import numpy as np
import pytest

from lib.faces.arms import Arm
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.faces.faceset import save_faces
from lib.metrics import evidence
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import BASE
from lib.metrics.evidence import (
    MOST_POOLS,
    arms_shown,
    load_arms,
    one_classifier,
    recorded_runs,
    usable_pools,
    without_leaks,
)
from lib.study.errors import StudyError
from lib.study.explore import explored_paths
from lib.study.paths import StudyPaths, study_paths
from lib.study.records import read_json, write_json

N = 210
LABELS = np.arange(N) % 7
SMALL, LARGE = (Arm("supplement", "dcgan", share) for share in (0.1, 0.5))
SKILL = {SMALL: 0.5, LARGE: 0.8, BASE: 0.5}


def add_run(
    paths: StudyPaths,
    arm: Arm,
    seed: int,
    *,
    failed: str = "",
    suffix: str = "now",
    classifier: str = "small",
    classes: tuple = EMOTIONS,
) -> str:
    """Write a run's folder, and return its result's name in the study."""
    folder = paths.runs / f"{arm.name}-{classifier}-seed{seed}-{suffix}"
    about = {"arm": asdict(arm), "classifier": classifier, "recipe": "quick", "seed": seed}
    facts = {"failed": failed, "seconds": 1.0, "steps": 160, "images": N, "classes": list(classes)}
    facts["accuracy_val"] = SKILL[arm]
    write_json(folder / "result.json", about | facts)
    if not failed:
        rng = np.random.default_rng([seed, len(arm.name)])
        correct = rng.random(N) < SKILL[arm]
        predicted = np.where(correct, LABELS, (LABELS + 1) % 7)
        chances = np.eye(7, dtype=np.float32)[predicted] * 0.9 + 0.1 / 7
        np.savez(folder / "predictions.npz", test=chances, classes=np.array(classes))
    return str((folder / "result.json").relative_to(paths.root))


def record(
    paths: StudyPaths, names: list[str], classifiers: tuple = ("small",), **parameters
) -> None:
    """Record runs as notebook 40 does."""
    state = {
        "step": "40_training",
        "parameters": {"classifiers": list(classifiers)} | parameters,
        "outputs": dict.fromkeys([*names, "tables/runs.csv"], {}),
    }
    write_json(paths.state / "40_training.json", state)


@pytest.fixture
def paths(tmp_path) -> StudyPaths:
    paths = study_paths("quick", str(tmp_path))
    names = [add_run(paths, arm, seed) for arm in (SMALL, LARGE, BASE) for seed in (1, 0, 2)]
    names.append(add_run(paths, LARGE, 3, failed="diverged at step 7"))
    add_run(paths, BASE, 0, suffix="stale")
    record(paths, names)
    return paths


def test_only_recorded_runs_that_succeeded_count(paths):
    runs = recorded_runs(paths)
    assert len(runs) == 10
    assert (runs["failed"] != "").sum() == 1
    arms = load_arms(runs, classes=EMOTIONS)
    assert list(arms) == [(BASE, "small"), (SMALL, "small"), (LARGE, "small")]
    assert all(predictions.seeds == (0, 1, 2) for predictions in arms.values())
    assert arms[BASE, "small"].steps == 160


def test_base_and_the_largest_supplement_of_each_pool_are_shown(paths):
    assert arms_shown(recorded_runs(paths)) == [BASE, LARGE]


def test_a_supplement_beside_all_real_images_is_shown_before_one_beside_few(tmp_path, monkeypatch):
    few, of_all = (Arm("supplement", "dcgan", real=real, added=90) for real in (718, 0))
    monkeypatch.setitem(SKILL, few, 0.5)
    monkeypatch.setitem(SKILL, of_all, 0.5)
    place = study_paths("quick", str(tmp_path))
    # Few real images have more draws than all of them.
    runs = [(BASE, 0), (of_all, 0), (few, 0), (few, 1)]
    record(place, [add_run(place, arm, seed) for arm, seed in runs])
    assert arms_shown(recorded_runs(place)) == [BASE, of_all]


def test_only_supplements_beside_the_same_real_images_are_shown(tmp_path, monkeypatch):
    alone = Arm("subset", real=718)
    beside = [Arm("supplement", pool, real=718, added=90) for pool in ("dcgan", "folder")]
    few = Arm("supplement", "acgan", real=287, added=90)
    arms = [alone, *beside, few]
    for arm in arms:
        monkeypatch.setitem(SKILL, arm, 0.5)
    place = study_paths("quick", str(tmp_path))
    record(place, [add_run(place, arm, 0) for arm in arms])
    assert arms_shown(recorded_runs(place)) == [alone, *beside]


def test_without_supplements_every_pool_is_shown_in_the_amount_that_most_have(
    tmp_path, monkeypatch
):
    # The study of generated images in place of real ones.
    once = [Arm("synthetic", pool, 1.0) for pool in ("dcgan", "folder")]
    arms = [
        BASE,
        *once,
        Arm("synthetic", "dcgan", 2.0),
        Arm("synthetic", "dcgan", 1.0, generation=2),
    ]
    for arm in arms:
        monkeypatch.setitem(SKILL, arm, 0.5)
    place = study_paths("quick", str(tmp_path))
    record(place, [add_run(place, arm, 0) for arm in arms])
    assert arms_shown(recorded_runs(place)) == [BASE, *once]

    # Real images alone.
    alone = study_paths("other", str(tmp_path))
    record(alone, [add_run(alone, BASE, 0)])
    assert arms_shown(recorded_runs(alone)) == [BASE]


def test_of_many_pools_the_best_and_the_worst_and_some_between_them_are_shown(
    tmp_path, monkeypatch
):
    arms = [Arm("supplement", f"dcgan~gan_steps={number}", 0.5) for number in range(1, 13)]
    for place, arm in enumerate([BASE, *arms]):
        monkeypatch.setitem(SKILL, arm, 0.3 + place / 40)
    place = study_paths("quick", str(tmp_path))
    record(place, [add_run(place, arm, 0) for arm in [BASE, *arms]])
    shown = arms_shown(recorded_runs(place))
    assert len(shown) == 1 + MOST_POOLS
    assert (shown[0], shown[1], shown[-1]) == (BASE, arms[0], arms[-1])


def test_a_claim_is_decided_by_one_classifier(paths):
    arms = load_arms(recorded_runs(paths))
    several = arms | {(BASE, "zoo"): arms[BASE, "small"]}
    assert one_classifier(several).keys() == arms.keys()


@pytest.mark.parametrize("wanted", [("s1", "fast"), ("fast", "s1")])
def test_the_first_classifier_is_the_studys_not_the_alphabets(tmp_path, wanted):
    paths = study_paths("quick", str(tmp_path))
    names = [add_run(paths, BASE, 0, classifier=name) for name in ("fast", "s1")]
    record(paths, names, wanted)
    arms = load_arms(recorded_runs(paths))
    assert [name for _, name in arms] == list(wanted)
    assert list(one_classifier(arms)) == [(BASE, wanted[0])]


def test_runs_that_predict_other_classes_are_refused(paths):
    with pytest.raises(StudyError, match="the faces have happy, sad: execute 40_training again"):
        load_arms(recorded_runs(paths), classes=("happy", "sad"))


def test_a_missing_step_is_named(tmp_path):
    empty = study_paths("quick", str(tmp_path))
    with pytest.raises(StudyError, match="run notebook 40 first"):
        recorded_runs(empty)
    record(empty, [add_run(empty, BASE, 0, failed="diverged")])
    with pytest.raises(StudyError, match="no run that succeeded"):
        recorded_runs(empty)


@pytest.fixture
def pools(paths) -> StudyPaths:
    for name, n in (("large", 70), ("small", 21)):
        save_faces(draw_faces(np.arange(n) % 7, np.arange(n)), paths.pool(name))
    return paths


def ids(pools: dict, name: str) -> list[str]:
    return list(pools[name].table["id"])


def test_pools_that_were_made_are_read_whole(pools):
    whole = usable_pools(pools, ["large", "small", "absent"], curated=False)
    assert {name: len(pool) for name, pool in whole.items()} == {"large": 70, "small": 21}


def test_of_a_large_pool_a_part_is_measured_that_the_seed_decides(pools):
    names = ["large", "small"]
    whole = usable_pools(pools, names, curated=False)
    part, same, other = (
        usable_pools(pools, names, curated=False, at_most=30, seed=seed) for seed in (0, 0, 1)
    )
    assert len(part["large"]) == 30
    assert ids(part, "small") == ids(whole, "small")
    assert ids(part, "large") == ids(same, "large") != ids(other, "large")
    # In the pool's order.
    places = [ids(whole, "large").index(name) for name in ids(part, "large")]
    assert places == sorted(places)


def test_arms_that_may_have_further_seeds_are_analysed_twice(paths):
    names = list(read_json(paths.state / "40_training.json")["outputs"])
    runs = recorded_runs(paths)
    assert runs["analyses"].eq(1).all()

    record(paths, names, more_seeds=2, more_seeds_arms=["supplement-0.5-*"])
    arms = load_arms(recorded_runs(paths))
    analyses = {arm: predictions.analyses for (arm, _), predictions in arms.items()}
    assert analyses == {BASE: 2, SMALL: 1, LARGE: 2}
    record(paths, names, more_seeds=2, more_seeds_arms=[])
    assert recorded_runs(paths)["analyses"].eq(2).all()


def test_a_look_at_the_test_images_counts_beside_the_numbers_that_were_looked_at(
    paths, monkeypatch
):
    looks = [{"own": True, "real": (210,)}, {"own": False, "real": (210,)}]
    monkeypatch.setattr(evidence, "load_looks", lambda study, why_not: looks)
    few = replace(SMALL, real=100)
    monkeypatch.setitem(SKILL, few, 0.5)
    names = [add_run(paths, arm, 1) for arm in (BASE, SMALL, few)]
    record(paths, names)
    runs = recorded_runs(paths).set_index("arm")
    assert runs["analyses"].to_dict() == {BASE.name: 2, SMALL.name: 2, few.name: 1}


@pytest.mark.parametrize("name", ["amounts-cpu", "amounts-cpu~seeds=10"])
def test_looks_are_those_of_the_study_while_exploring_and_in_a_cell_of_a_grid(
    tmp_path, monkeypatch, name
):
    asked = []
    monkeypatch.setattr(evidence, "load_looks", lambda study, why_not: asked.append(study) or [])
    for place in (
        study_paths(name, str(tmp_path)),
        explored_paths(study_paths(name, str(tmp_path))),
    ):
        record(place, [add_run(place, BASE, 0)])
        recorded_runs(place)
    assert asked == ["amounts-cpu"] * 2


def test_who_is_right_on_copies_alone_gains_nothing():
    leaked = np.arange(N) % 3 == 0
    faces = draw_faces(LABELS, np.arange(N), px=24).with_columns(leaked=leaked)
    remembered = np.where(leaked, LABELS, (LABELS + 1) % 7)
    arms = {(BASE, "small"): ArmPredictions((0,), np.eye(7, dtype=np.float32)[remembered][None])}
    seen, tested = without_leaks(arms, faces)
    right = seen[BASE, "small"].probabilities.argmax(-1) == tested.labels
    assert len(tested) == N - leaked.sum() and not right.any()


def test_where_copies_were_not_looked_for_all_images_count():
    faces = draw_faces(LABELS, np.arange(N), px=24)
    assert len(without_leaks({}, faces)[1]) == N
