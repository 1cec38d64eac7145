"""Tables of the pages agree with the effects that decide, and come back from disk as they were."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import ARM_FIELDS, UNFILTERED, Arm
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import BASE, effects, levels, result_rows, scorings
from lib.metrics.pages import (
    bootstrap_beside,
    calibration,
    class_recalls,
    distance_rows,
    mean_confusion,
    mean_recalls,
    mean_scores,
    of_arms,
    on_every_scoring,
    pool_distances,
    read_table,
    wide_class_distances,
    wide_distances,
    worst_prompts_of_pools,
    write_table,
)
from lib.metrics.wording import effects_text, runs_text, seeds_text
from lib.study.errors import StudyError
from lib.study.paths import study_paths
from lib.study.results import check_rows

N = 210
LABELS, CLUSTERS = np.arange(N) % 7, np.arange(N)
SUPPLEMENT = Arm("supplement", "dcgan", 0.5)
SHUFFLED = replace(SUPPLEMENT, kind="shuffled", control_of="supplement")
UNFILTERED_ARM = Arm("filtered", "dcgan", 0.5, only=UNFILTERED)


def made_arm(accuracy: float, seed: int) -> ArmPredictions:
    rng = np.random.default_rng(seed)
    correct = rng.random((3, N)) < accuracy
    predicted = np.where(correct, LABELS, (LABELS + 1) % 7)
    return ArmPredictions((0, 1, 2), np.eye(7, dtype=np.float32)[predicted] * 0.9 + 0.1 / 7)


@pytest.fixture(scope="module")
def arms() -> dict:
    accuracies = {BASE: 0.5, SUPPLEMENT: 0.8, SHUFFLED: 0.4, UNFILTERED_ARM: 0.8}
    made = {}
    for place, (arm, accuracy) in enumerate(accuracies.items()):
        made[arm, "small"] = made_arm(accuracy, place)
    return made


@pytest.fixture(scope="module")
def scoring() -> dict:
    table = pd.DataFrame({"class": np.array(EMOTIONS)[LABELS], "leaked": LABELS == 3})
    return scorings(table, EMOTIONS)


@pytest.fixture(scope="module")
def results(arms, scoring) -> pd.DataFrame:
    return pd.DataFrame(result_rows(arms, scoring, EMOTIONS, study="quick"))


def judged(arms, **settings) -> pd.DataFrame:
    return effects(arms, LABELS, CLUSTERS, margin=0.005, **settings)


def test_the_bootstrap_stands_beside_every_comparison_with_base(arms):
    table = bootstrap_beside(arms, judged(arms), LABELS, CLUSTERS, n_boot=500, seed=0)
    assert table["arm"].tolist() == [arm.name for arm, _ in arms if arm != BASE]
    assert (table["bootstrap_low"] < table["difference"]).all()
    assert (table["difference"] < table["bootstrap_high"]).all()


def test_every_scoring_has_its_own_images(arms, scoring):
    table = on_every_scoring(arms, scoring, CLUSTERS, margin=0.005)
    images = table.groupby("scoring")["n_images"].unique().map(list)
    assert images.to_dict() == {"test": [210], "test-leakfree": [180]}


@pytest.mark.parametrize("planned", [0, 2])
def test_one_comparison_has_one_verdict_on_a_page(arms, scoring, planned):
    expected = judged(arms, planned_seeds=planned).query("role == 'base'")["verdict"]
    table = on_every_scoring(arms, scoring, CLUSTERS, margin=0.005, planned_seeds=planned)
    found = table.query("scoring == 'test' and metric == 'accuracy'")["verdict"]
    assert found.tolist() == expected.tolist()


def test_confusion_and_calibration_count_every_prediction(arms):
    assert mean_confusion(arms, BASE, LABELS).sum() == N
    bins = calibration(arms, [BASE], LABELS)
    assert bins["n"].sum() == 3 * N
    assert {"arm", *ARM_FIELDS} <= set(bins.columns)


def test_an_arm_that_was_not_trained_is_named():
    with pytest.raises(StudyError, match="no run of arm synthetic-1x-dcgan: there are base"):
        mean_confusion({(BASE, "small"): made_arm(0.5, 0)}, Arm("synthetic", "dcgan", 1.0), LABELS)


def test_mean_scores_lay_metrics_side_by_side(arms, results):
    distances = pd.DataFrame(
        [{"pool": "dcgan", "metric": "fd", "value": 3.0, "n": 300, "space": "pixels"}]
    )
    rows = check_rows(distance_rows(distances, study="quick", seed=1))
    table = mean_scores(pd.concat([results, pd.DataFrame(rows)]))
    assert table["arm"].tolist() == [arm.name for arm, _ in arms]
    own = levels(arms, LABELS, CLUSTERS)["value"]
    assert table["accuracy"].tolist() == pytest.approx(own.tolist())
    assert "recall_macro" not in table


def test_recalls_are_those_of_classes_without_shuffled_labels(results):
    recalls = class_recalls(results)
    assert set(recalls["class"]) == set(EMOTIONS)
    assert SHUFFLED.name not in set(recalls["arm"])
    table = mean_recalls(recalls)
    assert list(table.columns) == ["arm", *EMOTIONS]
    assert len(table) == 3


def test_a_table_comes_back_from_disk_as_it_was(tmp_path, arms):
    paths = study_paths("quick", str(tmp_path))
    with pytest.raises(StudyError, match="run notebook 50 first"):
        read_table(paths, "effects")
    table = judged(arms)
    write_table(paths, "effects", table)
    pd.testing.assert_frame_equal(read_table(paths, "effects"), table)


def test_empty_texts_stay_texts_and_none_is_the_name_of_a_filter(tmp_path, arms):
    paths = study_paths("quick", str(tmp_path))
    write_table(paths, "effects", judged(arms))
    table = read_table(paths, "effects")
    assert table["class"].eq("").all()
    assert set(table["only"]) == {"", UNFILTERED}


def test_seeds_are_a_number_or_a_range():
    assert seeds_text(pd.Series([3, 3])) == "3 seeds"
    assert seeds_text(pd.Series([3, 2])) == "2 to 3 seeds"


def test_rows_of_some_arms_are_found_by_their_fields(arms, results):
    rows = of_arms(results, [BASE, SUPPLEMENT])
    assert set(rows["arm"]) == {BASE.name, SUPPLEMENT.name}
    assert len(rows) == len(results) / 2


def distances_table() -> pd.DataFrame:
    """Distances of one pool and of real faces, without intervals."""
    rows = [("pixels", pool, metric, 300, 1.0) for pool in ("real", "p") for metric in ("fd", "kd")]
    table = pd.DataFrame(rows, columns=["space", "pool", "metric", "n", "value"])
    missing = ["low", "high", "null_low", "null_high", "differs"]
    return table.assign(**dict.fromkeys(missing, np.nan))


def test_distances_are_laid_out_by_metric_and_by_class():
    table = distances_table()
    assert list(wide_distances(table).columns) == ["space", "pool", "n", "fd", "kd"]
    assert pool_distances(table)["pool"].unique().tolist() == ["p"]
    by_class = pd.concat([table.assign(**{"class": name}) for name in ("happy", "sad")])
    wide = wide_class_distances(by_class)
    assert list(wide.columns) == ["space", "metric", "pool", "happy", "sad"]
    assert wide["metric"].unique().tolist() == ["kd"]


def test_pools_without_prompts_have_no_worst_prompt():
    pool = draw_faces(np.arange(21) % 7, np.arange(21))
    chances = np.eye(7, dtype=np.float32)[pool.labels]
    assert not len(worst_prompts_of_pools({"p": pool}, {"p": chances}))
    assert not len(worst_prompts_of_pools({}, {}))


def test_runs_are_summed_up_in_a_line():
    rows = [("base", "small", seed, "") for seed in range(3)] + [("x", "small", 0, "diverged")]
    runs = pd.DataFrame(rows, columns=["arm", "classifier", "seed", "failed"])
    assert runs_text(runs) == "4 runs of 2 arms, 1 to 3 seeds; 1 failed"


def test_effects_name_seeds_and_images(arms):
    assert effects_text(judged(arms)).endswith("3 seeds, 210 test images, 210 of them different")


def test_distances_become_results_with_the_protocol_in_their_name():
    distances = pd.DataFrame(
        [{"pool": "dcgan", "metric": "fd", "value": 3.0, "n": 300, "space": "classifier"}]
    )
    (row,) = distance_rows(distances, study="quick", seed=1)
    assert row["metric"] == "fd_classifier_n300"
    assert row["arm"] == "dcgan"
