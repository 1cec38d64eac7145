"""The trial: what is trained, when one looks, and when it ends; predictions are drawn at random."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.study.paths import ROOT
from lib.verdict.bench import Bench
from lib.verdict.protocol import Protocol
from lib.verdict.trainings import ALONE, CHOOSING
from lib.verdict.trial import run_trial


@pytest.fixture
def lab(monkeypatch, tmp_path):
    """Run a trial: (trial, trainings done, lines said)."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    simulated = importlib.import_module("simulated")

    def run(accuracy, *, seconds=1e6, pools=("made",), test=0, real=150, **rules):
        done, lines = simulated.simulate(monkeypatch, accuracy), []
        inputs = simulated.inputs_of(real, pools, test=test)
        laboratory = simulated.laboratory_of(tmp_path, inputs, **rules)
        clock = simulated.Time(seconds, done)
        trial = run_trial(Bench(laboratory, tmp_path, clock, 0, lines.append))
        return trial, done, lines

    return run


def gains(change, level=0.6):
    """Accuracies of networks: `level` alone, more or less beside a pool."""
    return lambda training: level + (change if training.arm.kind == "supplement" else 0.0)


def test_a_large_gain_is_found_early_and_held_against_better_training_and_copies(lab):
    trial, done, lines = lab(gains(0.35, 0.5))
    comparison = trial.comparisons[0]
    assert comparison.last.word == HELPS and comparison.last.low > 0
    assert comparison.last.found.repetitions < trial.planned
    assert [control.reference.kind for control in trial.controls] == ["improved", "duplicate"]
    assert [control.last.word for control in trial.controls] == [HELPS, HELPS]
    assert any("against your own images with MixUp: +" in line for line in lines)

    # MixUp is all that tells its networks from those of the real images alone.
    plans = {t.arm.kind: trial.laboratory.plan(t) for t in done if t.repetition == 1}
    assert plans["improved"].recipe.mixup_alpha > 0 == plans["base"].recipe.mixup_alpha
    assert plans["improved"].steps == plans["supplement"].steps
    assert any("helps" in line and "left" in line for line in lines)


def test_a_large_loss_needs_no_control(lab):
    trial, done, _ = lab(gains(-0.35))
    assert trial.comparisons[0].last.word == HURTS and trial.controls == ()
    assert not [t for t in done if t.arm.kind in ("duplicate", "improved")]


def test_where_the_time_suffices_for_one_control_it_is_better_training(lab):
    looked = []
    for number, trainings in enumerate(range(30, 60, 5)):
        trial, _, _ = lab(gains(0.45, 0.5), seconds=3.0 * trainings, seed=number)
        looked.append([control.reference.kind for control in trial.controls if control.last])
    assert ["improved"] in looked and ["improved", "duplicate"] in looked
    assert ["duplicate"] not in looked


def test_nothing_at_all_ends_undecided_on_few_images_with_all_repetitions(lab):
    trial, _, _ = lab(gains(0.0), most_repetitions=4)
    last = trial.comparisons[0].last
    assert last.word == UNDECIDED and last.found.repetitions == trial.planned == 4
    assert last.low < 0 < last.high


def test_the_same_on_many_images_with_a_split_of_their_own_is_no_difference(lab):
    trial, _, _ = lab(gains(0.0, 0.97), test=900, most_repetitions=12)
    last = trial.comparisons[0].last
    assert last.word == EQUIVALENT and -0.02 < last.low and last.high < 0.02


def test_arms_of_a_repetition_share_seed_and_division(lab):
    trial, done, _ = lab(gains(0.0), most_repetitions=2)
    laboratory = trial.laboratory
    for training in done:
        plan = laboratory.protocol.plan(training.steps, training.repetition, training.fold)
        same = laboratory.protocol.plan(1, training.repetition, training.fold)
        assert plan.seed == same.seed
    compared = {(t.arm.kind, t.repetition, t.fold) for t in done if t.repetition != CHOOSING}
    pairs = {(repetition, fold) for kind, repetition, fold in compared if kind == "base"}
    assert pairs == {(r, f) for kind, r, f in compared if kind == "supplement"}
    assert pairs == {(r, f) for r in (1, 2) for f in range(5)}


def test_lengths_are_chosen_on_folds_that_compare_nothing(lab):
    """A length that is far better is taken, and longer ones are tried only where longer helps."""

    def accuracy(training):
        return {1: 0.3, 2: 0.6, 3: 0.9}.get(training.steps, 0.5)

    trial, done, _ = lab(accuracy, most_repetitions=1, least_seen=0, real=320)
    chosen = {row["arm"]: row["passes"] for row in trial.choices if row["chosen"]}
    assert set(chosen) == {"base", "supplement-all+40-made"}
    tried = {row["passes"] for row in trial.choices}
    assert tried <= {1.0, 2.0, 4.0}
    assert {t.repetition for t in done if t.steps not in trial.steps.values()} <= {CHOOSING}


def test_the_usual_length_stays_where_no_other_is_clearly_better(lab):
    trial, _, _ = lab(gains(0.0), most_repetitions=1)
    assert [row["passes"] for row in trial.choices if row["chosen"]] == [2.0, 2.0]


@pytest.mark.parametrize("images", [287, 718, 2871])
def test_the_usual_length_is_as_good_as_the_best_that_a_study_found(images):
    """Both for real images alone and with 5,096 generated ones: neither side is trained worse."""
    curves = pd.read_csv(ROOT / "reports" / "amounts-cpu" / "length_curve.csv")
    protocol = Protocol()
    for arm, added in ((f"subset-{images}", 0), (f"supplement-{images}+5096-folder", 5096)):
        curve = curves[curves["arm"] == arm].sort_values("steps")
        steps = protocol.steps(images + added, protocol.usual)
        usual = np.interp(np.log(steps), np.log(curve["steps"]), curve["accuracy_val"])
        assert curve["accuracy_val"].max() - usual < 0.01, (arm, steps)


def test_the_trial_ends_with_its_time_and_looks_at_what_is_complete(lab):
    trial, done, _ = lab(gains(0.0), seconds=3.0 * 30)
    assert len(done) <= 31
    last = trial.comparisons[0].last
    assert last is None or last.found.repetitions <= trial.planned


def test_no_time_at_all_is_no_verdict_and_no_error(lab):
    trial, _, _ = lab(gains(0.2), seconds=3.0 * 9)
    assert trial.planned == 1 and trial.comparisons[0].last is None


def test_several_pools_are_compared_with_one_set_of_networks_of_the_real_images(lab):
    def accuracy(training):
        return {"good": 0.9, "bad": 0.2}.get(training.arm.pool, 0.55)

    trial, done, _ = lab(accuracy, pools=("good", "bad", "neither"), most_repetitions=4)
    words = {c.arm.pool: c.last.word for c in trial.comparisons}
    assert words["good"] == HELPS and words["bad"] == HURTS
    alone = [t for t in done if t.arm == ALONE and t.repetition != CHOOSING]
    assert len(alone) == 5 * 4

    # A pool that is decided is trained on no more.
    kinds = {t.arm.kind for t in done if t.arm.pool == "good" and t.repetition == 4}
    assert kinds <= {"duplicate"}


def test_what_was_trained_is_found_again(lab):
    first, done, _ = lab(gains(0.0), most_repetitions=2)
    assert done
    again, repeated, _ = lab(gains(0.0), most_repetitions=2)
    assert repeated == []
    assert again.comparisons[0].last.found == first.comparisons[0].last.found
