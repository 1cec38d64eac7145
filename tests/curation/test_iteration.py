"""From one round to the next: images go where the classifier errs and the pool is weak, and the pool gets better for it."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.iteration import class_evidence, largest_remainders, next_counts, next_settings, round_evidence
from lib.curation.rounds import class_mean, compare_rounds, load_round, next_round, round_findings, save_round
from lib.faces.drawn import drawn_study
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.pool import load_verdicts
from lib.generators.contract import make_generator
from lib.generators.pools import make_pool
from lib.generators.prompts import prompt_of, read_prompts
from lib.plots.rounds import round_against_round
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.paths import study_paths


def evidence_of(**columns):
    base = {"class": list(CLASSES), "n": 100, "kept": 1.0, "consistency": 1.0, "n_real": 50, "coverage": 1.0, "error": 0.3}
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


def test_a_class_that_real_images_lack_counts_like_the_others():
    assert next_counts(evidence_of(error=[0.3, 0.3, np.nan, 0.3, 0.3, 0.3, 0.3]), images=70).tolist() == [10] * 7


def test_rounding_keeps_the_total():
    counts = largest_remainders(pd.Series([1 / 3] * 3, index=list("abc")), 100)
    assert counts.sum() == 100 and counts.max() - counts.min() == 1


def test_settings_follow_from_what_is_missing():
    stable = load_params("quick", pool="stable")
    settings, why = next_settings(evidence_of(consistency=0.4), stable)
    assert settings["sd_guidance"] == 8.75 and settings["sd_emphasised"] == list(CLASSES) and "57% as often" in why
    assert next_settings(evidence_of(coverage=0.3), stable)[0] == {"sd_guidance": 5.6}
    assert next_settings(evidence_of(consistency=0.65), stable) == ({}, "")  # the classifier sees 70 % of real labels: these hold
    assert next_settings(evidence_of(coverage=0.3), load_params("quick", pool="diffusion"))[0] == {"diffusion_guidance": 1.2}
    assert next_settings(evidence_of(consistency=0.1), load_params("quick")) == ({}, "")  # a drawing has no guidance


def test_prompts_of_a_missed_class_begin_with_its_expression():
    plain, strong = prompt_of(read_prompts(), 0, 5, balanced=False), prompt_of(read_prompts(emphasised=["angry"]), 0, 5, balanced=False)
    assert plain.startswith("angry ") and strong == plain.replace("angry", "angry, screaming, ranging, yelling,", 1)
    with pytest.raises(StudyError, match="sd_emphasised: 'anger' is no class"):
        read_prompts(emphasised=["anger"])


def points(labels, spread, rng):
    """Features around the corner of each class, and a pool of that geometry."""
    return np.eye(7)[labels] * 10 + rng.normal(0, spread, (len(labels), 7))


def faces_of(labels, name):
    table = pd.DataFrame(
        {"id": [f"{name}{k}" for k in range(len(labels))], "class": np.array(CLASSES)[labels], "split": "train", "source": "test"}
    )
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
        return class_evidence(
            faces_of(labels, "p"), np.ones(len(labels), bool), probabilities, points(labels, 1.0, rng), real, real_features, errors
        )

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
    table = class_evidence(
        faces_of(labels, "p"),
        keep,
        said,
        points(labels, 0.1, rng),
        faces_of(real_labels, "r"),
        real_features,
        pd.Series(0.5, index=CLASSES),
    )
    angry = table.set_index("class").loc["angry"]
    assert (angry["n"], angry["kept"], angry["consistency"]) == (2, 0.5, 0.5) and 0 < angry["coverage"] <= 1
    assert np.isnan(table.set_index("class").loc["sad", "coverage"])


def test_rounds_are_kept_and_set_side_by_side(tmp_path):
    first, second = evidence_of(coverage=[np.nan, *[0.4] * 6]), evidence_of(coverage=0.7)
    save_round(tmp_path / "pools" / "one", first)
    again = load_round(tmp_path / "pools" / "one")
    pd.testing.assert_frame_equal(again, first)
    both = compare_rounds(again, second)
    assert np.allclose((both["coverage 2"] - both["coverage 1"])[1:], 0.3) and both["error"].tolist() == [0.3] * 7
    coverage, consistency = round_findings(again, second)
    assert coverage.startswith("real images covered: 40.0% (34.6% to 45.4%) in the first round, 70.0%") and "100.0% (99.0%" in consistency
    with pytest.raises(StudyError, match="two.*run notebook 30"):
        load_round(tmp_path / "pools" / "two")
    (tmp_path / "pools" / "curation" / "one" / "round.json").write_text("{}")
    with pytest.raises(StudyError, match="round.json: 'evidence' is missing"):
        load_round(tmp_path / "pools" / "one")


def test_mean_of_classes_and_its_error():
    mean, low, high = class_mean(pd.Series([0.2, 0.8, np.nan]), pd.Series([10_000, 10_000, 0]))
    assert mean == 0.5 and np.allclose([0.5 - low, high - 0.5], 1.96 * np.sqrt(2 * 0.16 / 10_000) / 2, rtol=1e-3)
    assert class_mean(pd.Series([1.0]), pd.Series([20]))[1] < 1.0  # twenty of twenty do not prove all


class Pixels:
    """Stands in for the reference classifier: thumbnails as features; each image is of the class
    whose mean training image it is nearest to.
    """

    def __init__(self, faces):
        self.means = np.stack([self.features(faces.images[faces.labels == label]).mean(axis=0) for label in range(7)])

    def features(self, images):
        return images.reshape(len(images), 12, 4, 12, 4).mean(axis=(2, 4)).reshape(len(images), -1).astype(np.float32)

    def probabilities(self, images):
        far = np.linalg.norm(self.features(images)[:, None] - self.means[None], axis=2)
        return np.eye(7, dtype=np.float32)[far.argmin(axis=1)]


def test_two_rounds_of_drawn_pools_in_one_study(tmp_path):
    paths, real = study_paths("quick", str(tmp_path)), drawn_study(200, 350, 1, 0.0, 0)
    instrument, held = Pixels(real.split("train")), real.split("val")

    def one_round(pool):
        params = load_params("quick", ("pool_images=210",), pool)
        plan = next_round(params, paths, real.counts())
        made = make_pool(make_generator(plan.params), plan.params, paths.pool(pool), counts=plan.counts)
        save_round(paths.pool(pool), round_evidence(made, load_verdicts(paths.pool(pool)), held, instrument))
        return made, plan

    with pytest.raises(StudyError, match="drawn-narrow, the round before"):
        one_round("drawn-narrow-round2")
    first, plan = one_round("drawn-narrow")
    assert first.counts().tolist() == [30] * 7 and plan.why.startswith("a first round")
    second, plan = one_round("drawn-narrow-round2")
    evidence = load_round(paths.pool("drawn-narrow"))
    assert plan.counts.equals(next_counts(evidence, images=210)) and plan.why.startswith("follows drawn-narrow: from ")
    assert np.abs(second.counts() - plan.counts).max() <= 1
    both = compare_rounds(evidence, load_round(paths.pool("drawn-narrow-round2")))
    assert both["n 1"].sum() == both["n 2"].sum() and both["n 1"].nunique() == 1 < both["n 2"].nunique()
    assert len(round_against_round(both).axes) == 2


def test_ready_made_images_cannot_follow(tmp_path):
    with pytest.raises(StudyError, match="ready-made images are what they are"):
        next_round(load_params("quick", ("round_of=dcgan",), "folder"), study_paths("quick", str(tmp_path)), pd.Series(1, index=CLASSES))
