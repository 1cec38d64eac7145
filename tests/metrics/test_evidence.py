"""What 40_training recorded is what is judged: stale and failed runs do not count, and a missing step is named."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.drawn import draw_faces
from lib.faces.faceset import CLASSES, save_faces
from lib.metrics.contrasts import effects, scorings
from lib.metrics.evidence import arms_shown, load_arms, one_classifier, recorded_runs, usable_pools
from lib.metrics.findings import effect_table, seeds_text, sentences_printed
from lib.metrics.pages import bootstrap_beside, calibration, distance_rows, mean_confusion, on_every_scoring, read_table, write_table
from lib.study.errors import StudyError
from lib.study.paths import study_paths
from lib.study.records import write_json

N = 210
LABELS = np.arange(N) % 7


def add_run(paths, name: str, seed: int, *, share: float = 0.0, skill: float = 0.5, failed: str = "", suffix: str = "now",
            classifier: str = "small") -> str:  # fmt: skip
    rng = np.random.default_rng([seed, len(name)])
    folder = paths.runs / f"{name}-{classifier}-seed{seed}-{suffix}"
    pool = "dcgan" if name.endswith("dcgan") else ""
    arm = {"name": name, "kind": name.split("-")[0], "pool": pool, "share": share, "control_of": ""}
    write_json(
        folder / "result.json", {"arm": arm, "classifier": classifier, "recipe": "quick", "seed": seed, "failed": failed, "seconds": 1.0}
    )
    if not failed:
        said = np.where(rng.random(N) < skill, LABELS, (LABELS + 1) % 7)
        np.savez(folder / "predictions.npz", test=np.eye(7, dtype=np.float32)[said] * 0.9 + 0.1 / 7)
    return str((folder / "result.json").relative_to(paths.root))


@pytest.fixture
def paths(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    names = [add_run(paths, name, seed, share=share, skill=skill) for name, share, skill in
             (("supplement-0.1-dcgan", 0.1, 0.5), ("supplement-0.5-dcgan", 0.5, 0.8), ("base", 0.0, 0.5)) for seed in (1, 0,
             2)]  # fmt: skip
    names.append(add_run(paths, "supplement-0.5-dcgan", 3, share=0.5, failed="diverged at step 7"))
    add_run(paths, "base", 0, suffix="stale")
    state = {"step": "40_training", "parameters": {"classifiers": ["small"]}, "outputs": {name: {} for name in [*names, "tables/runs.csv"]}}
    write_json(paths.state / "40_training.json", state)
    return paths


def test_only_recorded_runs_that_succeeded_count(paths):
    runs = recorded_runs(paths)
    assert len(runs) == 10 and (runs["failed"] != "").sum() == 1
    arms = load_arms(runs)
    assert list(arms)[0] == ("base", "small") and all(found.seeds == (0, 1, 2) for found in arms.values())
    assert arms_shown(runs) == ["base", "supplement-0.5-dcgan"]
    assert one_classifier(arms | {("base", "zoo"): arms["base", "small"]}).keys() == arms.keys()


def test_the_first_classifier_is_the_studys_not_the_alphabets(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    names = [add_run(paths, "base", 0, classifier=name) for name in ("fast", "s1")]
    for wanted in (["s1", "fast"], ["fast", "s1"]):
        write_json(paths.state / "40_training.json", {"parameters": {"classifiers": wanted}, "outputs": dict.fromkeys(names, {})})
        assert [name for _, name in load_arms(recorded_runs(paths))] == wanted
        assert list(one_classifier(load_arms(recorded_runs(paths)))) == [("base", wanted[0])]


def test_a_missing_step_is_named(tmp_path):
    empty = study_paths("quick", str(tmp_path))
    with pytest.raises(StudyError, match="run notebook 40 first"):
        recorded_runs(empty)
    with pytest.raises(StudyError, match="run notebook 50 first"):
        read_table(empty, "effects")
    write_json(empty.state / "40_training.json", {"outputs": {add_run(empty, "base", 0, failed="diverged"): {}}})
    with pytest.raises(StudyError, match="no run that succeeded"):
        recorded_runs(empty)


def test_tables_of_the_pages(paths):
    arms, clusters = load_arms(recorded_runs(paths)), np.arange(N)
    judged = effects(arms, LABELS, clusters, margin=0.005)
    boot = bootstrap_beside(arms, judged, LABELS, clusters, n_boot=500, seed=0)
    assert (boot["bootstrap_low"] < boot["difference"]).all() and (boot["difference"] < boot["bootstrap_high"]).all()
    scoring = scorings(pd.DataFrame({"class": np.array(CLASSES)[LABELS], "leaked": LABELS == 3}))
    other = on_every_scoring(arms, scoring, clusters, margin=0.005)
    assert set(other["scoring"]) == {"test", "test-leakfree"} and other.query("scoring == 'test-leakfree'")["n_images"].eq(180).all()
    for planned in (0, 2):  # one comparison has one verdict on a page
        once = effects(arms, LABELS, clusters, margin=0.005, planned_seeds=planned).query("role == 'base'")["verdict"]
        told = on_every_scoring(arms, scoring, clusters, margin=0.005, planned_seeds=planned)
        assert told.query("scoring == 'test' and metric == 'accuracy'")["verdict"].tolist() == once.tolist()
    assert mean_confusion(arms, "base", LABELS).sum() == N
    assert calibration(arms, ["base"], LABELS)["n"].sum() == 3 * N
    with pytest.raises(StudyError, match="no run of arm nothing"):
        mean_confusion(arms, "nothing", LABELS)
    write_table(paths, "effects", judged)
    again = read_table(paths, "effects")
    assert again["verdict"].tolist() == judged["verdict"].tolist() and again["class"].tolist() == [""] * len(judged)
    told = effect_table(again, margin=0.005)
    assert told["points (95 % interval)"].str.contains("to").all() and "to see 0.5 takes" in told


def test_arms_are_compared_on_the_seeds_that_both_have_and_the_table_says_how_many(paths):
    arms = load_arms(recorded_runs(paths))
    alike = effects(arms, LABELS, np.arange(N), margin=0.005)
    assert seeds_text(alike["n_seeds"]) == "3 seeds" and "seeds" not in effect_table(alike, margin=0.005)
    key = "supplement-0.1-dcgan", "small"
    fewer = effects(arms | {key: arms[key].of_seeds([0, 2])}, LABELS, np.arange(N), margin=0.005)
    assert seeds_text(fewer["n_seeds"]) == "2 to 3 seeds"
    table = effect_table(fewer, margin=0.005).set_index("arm")
    assert table["seeds"].to_dict() == {"supplement-0.1-dcgan": 2, "supplement-0.5-dcgan": 3}


def test_distances_become_results():
    rows = distance_rows(
        pd.DataFrame([{"pool": "dcgan", "metric": "fd", "value": 3.0, "n": 300, "space": "classifier"}]), study="quick", seed=1
    )
    assert rows[0]["metric"] == "fd_classifier_n300" and rows[0]["arm"] == "dcgan"


def test_the_truth_is_told_in_one_sentence():
    assert sentences_printed(pd.DataFrame({"right": []})) == []
    (said,) = sentences_printed(pd.DataFrame({"right": ["yes", "not seen", "yes"]}))
    assert "found 2, was too small to see 1, and told 0 wrongly" in said


def test_of_a_large_pool_a_part_is_measured_that_the_seed_decides(paths):
    for name, n in (("large", 70), ("less", 21)):
        save_faces(draw_faces(np.arange(n) % 7, np.arange(n)), paths.pool(name))
    whole = usable_pools(paths, ["large", "less", "absent"], curated=False)
    assert {name: len(pool) for name, pool in whole.items()} == {"large": 70, "less": 21}
    part, again, other = (usable_pools(paths, ["large", "less"], curated=False, at_most=30, seed=seed) for seed in (0, 0, 1))
    assert len(part["large"]) == 30 and list(part["less"].table["id"]) == list(whole["less"].table["id"])
    ids = whole["large"].table["id"].tolist()
    assert [ids.index(i) for i in part["large"].table["id"]] == sorted(ids.index(i) for i in part["large"].table["id"])
    assert list(part["large"].table["id"]) == list(again["large"].table["id"]) != list(other["large"].table["id"])
