"""From one round to the next: images go where the classifier errs and the pool is weak, and the pool gets better for it."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.iteration import class_evidence, compare_rounds, largest_remainders, load_round, next_counts, next_settings, save_round
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError


def evidence_of(**columns):
    base = {"class": list(CLASSES), "n": 100, "kept": 1.0, "consistency": 1.0, "coverage": 1.0, "error": 0.3}
    return pd.DataFrame(base | columns)


def test_equal_classes_get_equal_counts():
    assert next_counts(evidence_of(), images=700).tolist() == [100] * 7


def test_more_images_where_the_classifier_errs_and_where_the_pool_is_weak():
    counts = next_counts(evidence_of(error=[0.6, *[0.3] * 6], coverage=[1.0, 0.2, *[1.0] * 5]), images=700)
    assert counts["angry"] > counts["disgust"] > counts["fear"] == counts["happy"]
    assert counts.sum() == 700 and counts.min() >= 50  # half of an equal part is safe


def test_what_curation_rejects_is_made_up_for():
    counts = next_counts(evidence_of(kept=[0.5, *[1.0] * 6]), images=800)
    assert counts["angry"] == 200 and counts["sad"] == 100


def test_missing_errors_are_explained():
    with pytest.raises(StudyError, match="class fear"):
        next_counts(evidence_of(error=[0.1, 0.1, np.nan, 0.1, 0.1, 0.1, 0.1]), images=70)


def test_rounding_keeps_the_total():
    counts = largest_remainders(pd.Series([1 / 3] * 3, index=list("abc")), 100)
    assert counts.sum() == 100 and counts.max() - counts.min() == 1


def test_settings_follow_from_what_is_missing():
    weak = next_settings(evidence_of(consistency=0.4), {"sd_guidance": 7.0})
    assert weak["sd_guidance"] == 8.75 and "reword" in weak["why"]
    narrow = next_settings(evidence_of(coverage=0.3), {"sd_guidance": 7.0})
    assert narrow["sd_guidance"] == 5.6
    assert set(next_settings(evidence_of(coverage=0.3), {})) == {"why"}


def points(labels, spread, rng):
    """Features around the corner of each class, and a pool of that geometry."""
    return np.eye(7)[labels] * 10 + rng.normal(0, spread, (len(labels), 7))


def faces_of(labels, name):
    table = pd.DataFrame({"id": [f"{name}{k}" for k in range(len(labels))], "class": np.array(CLASSES)[labels], "split": "train", "source": "test"})
    return FaceSet(np.zeros((len(labels), 8, 8), np.uint8), table)


def test_two_rounds_cover_more_of_the_class_that_was_narrow():
    rng = np.random.default_rng(0)
    real_labels = np.repeat(np.arange(7), 60)
    real, real_features = faces_of(real_labels, "r"), points(real_labels, 1.0, rng)
    errors = pd.Series(0.3, index=CLASSES)
    errors["disgust"] = 0.8

    def make_round(counts):
        labels = np.repeat(np.arange(7), counts)
        probabilities = np.eye(7)[labels]
        return class_evidence(faces_of(labels, "p"), np.ones(len(labels), bool), probabilities, points(labels, 1.0, rng), real, real_features, errors)

    first = make_round([20] * 7)
    counts = next_counts(first, images=140)
    assert counts.idxmax() == "disgust"
    second = make_round(counts.to_numpy())
    coverage = [table.set_index("class").loc["disgust", "coverage"] for table in (first, second)]
    assert coverage[1] > coverage[0]


def test_evidence_counts_by_class():
    labels = np.array([0, 0, 1])
    keep, said = np.array([True, False, True]), np.eye(7)[[0, 3, 1]]
    rng = np.random.default_rng(0)
    real_labels = np.repeat([0, 1], 10)
    real_features = points(real_labels, 1.0, rng)
    table = class_evidence(faces_of(labels, "p"), keep, said, points(labels, 0.1, rng), faces_of(real_labels, "r"), real_features, pd.Series(0.5, index=CLASSES))
    angry = table.set_index("class").loc["angry"]
    assert (angry["n"], angry["kept"], angry["consistency"]) == (2, 0.5, 0.5) and 0 < angry["coverage"] <= 1
    assert np.isnan(table.set_index("class").loc["sad", "coverage"])


def test_rounds_are_kept_and_set_side_by_side(tmp_path):
    first, second = evidence_of(coverage=0.4), evidence_of(coverage=0.7)
    counts = next_counts(first, images=70)
    save_round(tmp_path / "round.json", first, counts, {"why": "narrow"})
    evidence, again, settings = load_round(tmp_path / "round.json")
    pd.testing.assert_frame_equal(evidence, first)
    assert again.to_dict() == counts.to_dict() and settings == {"why": "narrow"}
    assert np.allclose(compare_rounds(evidence, second)["coverage_change"], 0.3)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(StudyError, match="other.json.*'evidence' is missing"):
        load_round(tmp_path / "other.json")
