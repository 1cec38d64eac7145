"""From one round to the next: images go where the classifier errs and the pool is weak, and the
pool gets better for it.
"""

import numpy as np
import pandas as pd
import pytest

from lib.curation.iteration import (
    class_measures,
    largest_remainders,
    measure_round,
    next_counts,
    next_settings,
)
from lib.curation.rounds import (
    class_mean,
    compare_rounds,
    load_round,
    next_round,
    round_findings,
    save_round,
)
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import drawn_study
from lib.faces.faceset import FaceSet
from lib.faces.pool import load_verdicts
from lib.faces.prompts import prompt_of, read_prompts
from lib.generators.contract import make_generator
from lib.generators.pools import make_pool
from lib.plots.rounds import round_against_round
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.paths import study_paths

OTHERS = [0.3] * 6  # errors of six classes like the default


def measures_of(**columns):
    """A table of class_measures of a perfect pool, with other columns where given."""
    perfect = {
        "class": list(EMOTIONS),
        "n": 100,
        "kept": 1.0,
        "consistency": 1.0,
        "n_real": 50,
        "coverage": 1.0,
        "error": 0.3,
    }
    return pd.DataFrame(perfect | columns)


def test_equal_classes_get_equal_counts():
    assert next_counts(measures_of(), images=700).tolist() == [100] * 7


def test_the_classes_are_those_of_the_table():
    measures = measures_of().head(2).assign(**{"class": ["no", "yes"], "error": [0.3, 0.6]})
    counts = next_counts(measures, images=120)
    assert counts.to_dict() == {"no": 50, "yes": 70}


def test_more_images_where_the_classifier_errs_and_where_the_pool_is_weak():
    coverage = [1.0, 0.2, 1.0, 1.0, 1.0, 1.0, 1.0]
    measures = measures_of(error=[0.6, *OTHERS], coverage=coverage)
    counts = next_counts(measures, images=700)
    assert counts["angry"] > counts["disgust"] > counts["fear"] == counts["happy"]
    assert counts.sum() == 700
    # Half of an equal part is certain.
    assert counts.min() >= 50


def test_what_curation_rejects_is_made_up_for():
    kept = [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    counts = next_counts(measures_of(kept=kept), images=800)
    assert counts["angry"] == 200 and counts["sad"] == 100


def test_a_class_that_real_images_lack_counts_like_the_others():
    error = [0.3, 0.3, np.nan, 0.3, 0.3, 0.3, 0.3]
    assert next_counts(measures_of(error=error), images=70).tolist() == [10] * 7


def test_rounding_keeps_the_total():
    counts = largest_remainders(pd.Series([1 / 3] * 3, index=list("abc")), 100)
    assert counts.sum() == 100 and counts.max() - counts.min() == 1


@pytest.mark.parametrize(
    ("pool", "columns", "settings"),
    [
        ("stable", {"coverage": 0.3}, {"sd_guidance": 5.6}),
        # The classifier is right about 70% of real labels, so 65% are shown.
        ("stable", {"consistency": 0.65}, {}),
        ("diffusion", {"coverage": 0.3}, {"diffusion_guidance": 2.4}),
        # A drawing has no guidance.
        (None, {"consistency": 0.1}, {}),
    ],
)
def test_settings_follow_from_what_is_missing(pool, columns, settings):
    proposed, reasons = next_settings(measures_of(**columns), load_params("quick", pool=pool))
    assert proposed == settings and bool(reasons) == bool(settings)


def test_missed_labels_raise_the_guidance_and_change_the_prompts():
    stable = load_params("quick", pool="stable")
    settings, reasons = next_settings(measures_of(consistency=0.4), stable)
    assert settings == {"sd_guidance": 8.75, "sd_emphasised": list(EMOTIONS)}
    assert "57% as often" in reasons and "sd_guidance 8.75 instead of 7" in reasons


def test_prompts_of_a_missed_class_begin_with_its_expression():
    plain = prompt_of(read_prompts(), 0, 5, balanced=False)
    strong = prompt_of(read_prompts(emphasised=["angry"]), 0, 5, balanced=False)
    assert plain.startswith("angry ")
    assert strong == plain.replace("angry", "angry, screaming, ranging, yelling,", 1)
    with pytest.raises(StudyError, match="sd_emphasised: 'anger' is no class"):
        read_prompts(emphasised=["anger"])


def points(labels, spread, rng):
    """Features around the corner of each class."""
    return np.eye(7)[labels] * 10 + rng.normal(0, spread, (len(labels), 7))


def faces_of(labels, name):
    table = {
        "id": [f"{name}{k}" for k in range(len(labels))],
        "class": np.array(EMOTIONS)[labels],
        "split": "train",
        "source": "test",
    }
    return FaceSet(np.zeros((len(labels), 8, 8), np.uint8), pd.DataFrame(table))


def test_two_rounds_cover_more_of_the_class_that_was_narrow():
    rng = np.random.default_rng(0)
    real_labels = np.repeat(np.arange(7), 60)
    real, real_features = faces_of(real_labels, "r"), points(real_labels, 1.0, rng)
    errors = pd.Series(0.3, index=EMOTIONS)
    errors["disgust"] = 0.8

    def one_round(counts):
        labels = np.repeat(np.arange(7), counts)
        keep = np.ones(len(labels), bool)
        features = points(labels, 1.0, rng)
        pool, probabilities = faces_of(labels, "p"), np.eye(7)[labels]
        return class_measures(pool, keep, probabilities, features, real, real_features, errors)

    first = one_round([20] * 7)
    counts = next_counts(first, images=140)
    assert counts.idxmax() == "disgust"
    second = one_round(counts.to_numpy())
    before, after = (table.set_index("class")["coverage"]["disgust"] for table in (first, second))
    assert after > before


def test_measures_count_by_class():
    rng = np.random.default_rng(0)
    labels, real_labels = np.array([0, 0, 1]), np.repeat([0, 1], 10)
    table = class_measures(
        faces_of(labels, "p"),
        np.array([True, False, True]),
        np.eye(7)[[0, 3, 1]],
        points(labels, 0.1, rng),
        faces_of(real_labels, "r"),
        points(real_labels, 1.0, rng),
        pd.Series(0.5, index=EMOTIONS),
    ).set_index("class")
    angry = table.loc["angry"]
    assert (angry["n"], angry["kept"], angry["consistency"]) == (2, 0.5, 0.5)
    assert 0 < angry["coverage"] <= 1
    assert np.isnan(table.loc["sad", "coverage"]) and np.isnan(table.loc["sad", "kept"])


def test_rounds_are_saved_and_compared(tmp_path):
    first = measures_of(coverage=[np.nan, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4])
    second = measures_of(coverage=0.7)
    save_round(tmp_path / "pools" / "one", first)
    loaded = load_round(tmp_path / "pools" / "one")
    pd.testing.assert_frame_equal(loaded, first)
    both = compare_rounds(loaded, second)
    assert np.allclose((both["coverage 2"] - both["coverage 1"])[1:], 0.3)
    assert both["error"].tolist() == [0.3] * 7

    coverage, consistency = round_findings(loaded, second)
    expected = "real images covered: 40.0% (34.6% to 45.4%) in the first round, 70.0%"
    assert coverage.startswith(expected)
    assert "100.0% (99.0%" in consistency


def test_a_missing_or_a_foreign_record_of_a_round_is_named(tmp_path):
    with pytest.raises(StudyError, match="two.*run notebook 30"):
        load_round(tmp_path / "pools" / "two")
    path = save_round(tmp_path / "pools" / "one", measures_of())
    path.write_text("{}")
    with pytest.raises(StudyError, match="round.json: damaged.*'classes'.*notebook 30"):
        load_round(tmp_path / "pools" / "one")


def test_mean_of_classes_and_its_error():
    mean, low, high = class_mean(pd.Series([0.2, 0.8, np.nan]), pd.Series([10_000, 10_000, 0]))
    error = 1.96 * np.sqrt(2 * 0.16 / 10_000) / 2
    assert mean == 0.5 and np.allclose([0.5 - low, high - 0.5], error, rtol=1e-3)
    # Twenty of twenty do not prove all.
    assert class_mean(pd.Series([1.0]), pd.Series([20]))[1] < 1.0


class Thumbnails:
    """Stands in for the reference classifier: thumbnails as features; each image is of the class
    whose mean training image it is nearest to.
    """

    def __init__(self, faces):
        features = self.features(faces.images)
        self.means = np.stack([features[faces.labels == label].mean(axis=0) for label in range(7)])

    def features(self, images):
        cells = images.reshape(len(images), 12, 4, 12, 4).mean(axis=(2, 4))
        return cells.reshape(len(images), -1).astype(np.float32)

    def probabilities(self, images):
        distance = np.linalg.norm(self.features(images)[:, None] - self.means[None], axis=2)
        return np.eye(7, dtype=np.float32)[distance.argmin(axis=1)]


def test_two_rounds_of_drawn_pools_in_one_study(tmp_path):
    paths, real = study_paths("quick", str(tmp_path)), drawn_study(200, 350, 1, 0.0, 0)
    classifier, held = Thumbnails(real.split("train")), real.split("val")

    def one_round(pool):
        params = load_params("quick", ("pool_images=210",), pool)
        plan = next_round(params, paths, real.counts())
        generator = make_generator(plan.params, real.classes)
        made = make_pool(generator, plan.params, paths.pool(pool), counts=plan.counts)
        verdicts = load_verdicts(paths.pool(pool))
        save_round(paths.pool(pool), measure_round(made, verdicts, held, classifier))
        return made, plan

    with pytest.raises(StudyError, match="drawn-narrow, the round before"):
        one_round("drawn-narrow-round2")
    first, plan = one_round("drawn-narrow")
    assert first.counts().tolist() == [30] * 7 and plan.why.startswith("a first round")

    second, plan = one_round("drawn-narrow-round2")
    measures = load_round(paths.pool("drawn-narrow"))
    assert plan.counts.equals(next_counts(measures, images=210))
    assert plan.why.startswith("follows drawn-narrow: from ")
    assert np.abs(second.counts() - plan.counts).max() <= 1

    both = compare_rounds(measures, load_round(paths.pool("drawn-narrow-round2")))
    assert both["n 1"].sum() == both["n 2"].sum()
    assert both["n 1"].nunique() == 1 < both["n 2"].nunique()
    assert len(round_against_round(both).axes) == 2


def test_ready_made_images_cannot_follow(tmp_path):
    params = load_params("quick", ("round_of=dcgan",), "folder")
    counts = pd.Series(1, index=EMOTIONS)
    with pytest.raises(StudyError, match="ready-made images cannot follow"):
        next_round(params, study_paths("quick", str(tmp_path)), counts)
