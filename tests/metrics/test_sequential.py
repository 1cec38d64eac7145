"""Words of a trial that may stop at any look are wrong no more often than stated."""

import numpy as np
import pytest
from scipy import stats

from lib.metrics.sequential import (
    ERROR,
    estimate,
    images_needed,
    look_points,
    nominal_level,
    repetitions_needed,
    smallest_effect,
    word,
)
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.study.errors import StudyError

MARGIN = 0.02
# Images, repetitions, networks of a repetition: small and large data without a test split, and a
# test split of its own.
DESIGNS = {"small": (300, 6, 5), "large": (1500, 4, 5), "split": (1500, 12, 1)}


def scores(rng, images, repetitions, folds, effect, network_sd=0.01):
    """Draw on which images the networks of two arms are right, as score differences.

    Images differ in difficulty and in what the arms make of them, networks in luck; one image in
    twenty has a copy, which its network answers alike.
    """
    clusters = np.repeat(np.arange(images), 1 + (rng.random(images) < 0.05))
    easy, swing = rng.beta(1.3, 0.7, images), rng.uniform(-0.1, 0.1, images)
    fold = np.stack([rng.permutation(images) % folds for _ in range(repetitions)])
    right = []
    for sign in (-0.5, 0.5):
        luck = rng.normal(0, network_sd, (repetitions, folds))
        chance = 0.1 + 0.75 * easy + sign * (swing + effect)
        chance = np.clip(chance + np.take_along_axis(luck, fold, 1), 0, 1)
        drawn = rng.random((repetitions, images)) < chance
        right.append(drawn[:, clusters].astype(float))
    return right[1] - right[0], fold[:, clusters], clusters


def trial(rng, design, effect, *, corrected=True):
    """Look until a word is spoken: the word, and whether every interval held the truth."""
    images, repetitions, folds = DESIGNS[design]
    delta, fold, clusters = scores(rng, images, repetitions, folds, effect)
    fractions, held = [], True
    for point in look_points(repetitions, 6, 1 if folds > 1 else 3):
        found = estimate(delta[:point], fold[:point], clusters)
        fractions.append(point / repetitions)
        level = nominal_level(fractions, last=point == repetitions) if corrected else ERROR
        held &= 2 * found.variance.tail(abs(found.difference - effect)) >= level
        spoken = word(found, level, MARGIN)
        if spoken != UNDECIDED:
            break
    return spoken, held


def wrong_words(effect):
    """Name the words that contradict a true effect."""
    words = {HELPS} if effect <= 0 else set()
    words |= {HURTS} if effect >= 0 else set()
    return words | ({EQUIVALENT} if abs(effect) >= MARGIN else set())


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("effect", [0.0, MARGIN, -0.01, -0.06])
def test_words_are_wrong_in_at_most_two_of_a_hundred_trials_whenever_they_stop(design, effect):
    rng, trials = np.random.default_rng([7, int(1000 * abs(effect))]), 400
    outcomes = [trial(rng, design, effect) for _ in range(trials)]
    wrong = sum(spoken in wrong_words(effect) for spoken, _ in outcomes)
    missed = sum(not held for _, held in outcomes)

    # No more than chance allows beside the stated 2%: one test in a thousand would fail.
    most = stats.binom.isf(0.001, trials, ERROR)
    assert wrong <= most and missed <= most


def test_looking_again_and_again_without_a_correction_is_wrong_far_more_often():
    rng, trials = np.random.default_rng(8), 800
    outcomes = [trial(rng, "split", 0.0, corrected=False)[0] for _ in range(trials)]
    share = np.mean([spoken in (HELPS, HURTS) for spoken in outcomes])
    assert share > 1.5 * ERROR


@pytest.mark.parametrize(("design", "effect"), [("small", 0.12), ("large", 0.05), ("split", 0.04)])
def test_effects_that_are_large_for_the_data_are_found_in_four_trials_of_five(design, effect):
    rng = np.random.default_rng(9)
    for true in (effect, -effect):
        words = [trial(rng, design, true)[0] for _ in range(60)]
        assert np.mean([spoken == (HELPS if true > 0 else HURTS) for spoken in words]) >= 0.8


def test_no_difference_is_said_only_of_much_data():
    rng = np.random.default_rng(10)
    small = [trial(rng, "small", 0.0)[0] for _ in range(60)]
    assert EQUIVALENT not in small
    split = [trial(rng, "split", 0.0)[0] for _ in range(60)]
    assert split.count(EQUIVALENT) > 10


def test_the_levels_spend_the_error_and_no_more():
    """Against draws of the Brownian motion that the looks are of."""
    fractions = (0.2, 0.5, 0.6, 1.0)
    levels = [nominal_level(fractions[:count]) for count in range(1, 5)]
    rng = np.random.default_rng(11)
    steps = np.sqrt(np.diff([0, *fractions])) * rng.standard_normal((400_000, 4))
    z = np.abs(steps.cumsum(1)) / np.sqrt(fractions)
    crossed = np.logical_or.accumulate(z > stats.norm.isf(np.array(levels) / 2), axis=1).mean(0)
    spent = ERROR * np.square(fractions)
    assert np.abs(crossed - spent).max() < 4 * np.sqrt(ERROR / 400_000)


def test_a_single_look_has_the_whole_error_and_so_has_the_last_one_left():
    assert nominal_level([1.0]) == pytest.approx(ERROR)
    assert nominal_level([0.3], last=True) == pytest.approx(ERROR)
    early = nominal_level([0.5]), nominal_level([0.5, 0.75], last=True)
    assert early[0] == pytest.approx(ERROR / 4) and early[0] < early[1] < ERROR


def test_looks_are_few_even_and_end_with_the_plan():
    assert look_points(7, 4) == [2, 4, 6, 7]
    assert look_points(1, 6) == [1]
    assert look_points(20, 5, 3) == [4, 8, 12, 16, 20]
    assert look_points(2, 6, 3) == [2]


def test_one_network_a_repetition_is_the_crossed_design():
    """Variances along seeds and images add up as in `statistics.compare`."""
    rng = np.random.default_rng(12)
    delta, fold, clusters = scores(rng, 400, 8, 1, 0.02)
    found = estimate(delta, fold, clusters)
    assert found.difference == pytest.approx(delta.mean())
    along_seeds = delta.mean(1).var(ddof=1) / 8
    assert found.variance.components[0] == pytest.approx((along_seeds, 7))


def test_repetitions_do_not_take_the_images_share_away():
    """The truth of infinitely many networks on these images is not that of other images."""
    rng = np.random.default_rng(13)
    ends = []
    for repetitions in (4, 40):
        found = [estimate(*scores(rng, 200, repetitions, 5, 0.0)) for _ in range(30)]
        ends.append(np.mean([one.variance.total for one in found]))
        persistent = np.mean([one.persistent for one in found])
    assert persistent < ends[1] < ends[0] and persistent > 0.3 * ends[1]


def test_the_stated_variance_is_that_of_other_data_and_other_networks():
    """Over whole data sets with a classifier that learns, so that networks share what they see."""
    rng = np.random.default_rng(14)
    means = rng.normal(size=(7, 30)) * 0.45
    pool_means = means + 0.3 * rng.normal(size=means.shape)
    found = [estimate(*_learnt(rng, means, pool_means)) for _ in range(120)]
    real = np.var([one.difference for one in found], ddof=1)
    stated = np.mean([one.variance.total for one in found])
    assert real < 1.3 * stated  # standard error of a variance of 120: 13%
    assert stated < 1.8 * real


def _learnt(rng, means, pool_means, images=100, repetitions=2, folds=5):
    """Cross-validate nearest-mean classifiers with and without a pool of another source."""
    classes, width = means.shape
    labels, pool_labels = rng.integers(0, classes, images), rng.integers(0, classes, images)
    faces = means[labels] + rng.normal(size=(images, width))
    pool = pool_means[pool_labels] + rng.normal(size=(images, width))
    delta = np.zeros((repetitions, images))
    fold = np.stack([rng.permutation(images) % folds for _ in range(repetitions)])
    for repetition, number in np.ndindex(repetitions, folds):
        held = fold[repetition] == number
        columns = rng.permutation(width)[: width // 2]
        alone = _nearest(faces[~held][:, columns], labels[~held], faces[held][:, columns])
        both = np.concatenate([faces[~held], pool])[:, columns]
        joined = np.concatenate([labels[~held], pool_labels])
        beside = _nearest(both, joined, faces[held][:, columns])
        delta[repetition, held] = (beside == labels[held]).astype(float) - (alone == labels[held])
    return delta, fold, np.arange(images)


def _nearest(features, labels, held):
    names = np.unique(labels)
    means = np.stack([features[labels == name].mean(0) for name in names])
    return names[((held[:, None] - means) ** 2).sum(2).argmin(1)]


def test_what_would_decide_is_what_decides():
    rng = np.random.default_rng(15)
    found = estimate(*scores(rng, 1000, 4, 5, 0.0))
    level = nominal_level([1.0])
    smallest = smallest_effect(found, level)
    more = repetitions_needed(found, 0.8 * smallest)
    assert more == 0 or more > 4
    assert repetitions_needed(found, smallest) <= 4
    assert repetitions_needed(found, 1e-4) == 0
    assert images_needed(found, smallest / 2) > 3 * found.n_clusters


def test_nothing_that_varies_is_refused():
    with pytest.raises(StudyError, match="2 networks"):
        estimate(np.ones((1, 9)), np.zeros((1, 9), int), np.arange(9))
