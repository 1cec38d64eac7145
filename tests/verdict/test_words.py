"""The sentence, the advice and the leaderboard, on predictions that are drawn at random."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.metrics.statistics import HELPS, HURTS, UNDECIDED
from lib.verdict.bench import Bench
from lib.verdict.ceiling import ceiling
from lib.verdict.faults import Fault
from lib.verdict.leaderboard import add_rows, ranks, rows_of, same_images
from lib.verdict.probe import AS_GIVEN, RELABELLED, PoolProbe, Probe, gain_of
from lib.verdict.sentences import (
    advice,
    evidence,
    missed_text,
    pool_sentences,
    verdict_table,
    without_name,
)
from lib.verdict.trial import run_trial
from lib.verdict.views import look_rows, numbers_view

FACTS = {"date": "2030-01-01", "commit": "abc"}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a trial of networks of stated accuracies: (trial, probe)."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    simulated = importlib.import_module("simulated")

    def run_one(accuracy, *, pools=("made",), seconds=1e6, **rules):
        done = simulated.simulate(monkeypatch, accuracy)
        inputs = simulated.inputs_of(pools=pools)
        laboratory = simulated.laboratory_of(tmp_path, inputs, most_repetitions=4, **rules)
        clock = simulated.Time(seconds, done)
        trial = run_trial(Bench(laboratory, tmp_path, clock, 0, lambda line: None))
        return trial, probe_of(inputs)

    return run_one


def probe_of(inputs):
    """Make a probe that finds nothing, but a better use of every pool."""
    rng = np.random.default_rng(0)
    real, found = inputs.real, []
    for pool in inputs.pools:
        gains = {}
        for use, mean in ((AS_GIVEN, -0.1), (RELABELLED, 0.2)):
            gains[use] = gain_of(mean + 0.1 * rng.normal(size=len(real)), np.arange(len(real)))
        doubted = np.arange(len(pool.faces)) < 15
        uniform = np.full((len(pool.faces), 3), 1 / 3, np.float32)
        found.append(PoolProbe(pool, uniform, doubted, gains, {}))
    nothing = np.zeros(len(real), bool)
    return Probe(real, np.full((len(real), 3), 1 / 3), nothing, tuple(found))


def gains(change):
    def accuracy(training):
        if training.arm.kind == "supplement":
            return 0.5 + change
        return 0.4 if training.arm.kind == "subset" else 0.5

    return accuracy


DOUBTED = Fault("doubted labels", 15, 0.4, "15 labels are doubted", np.arange(15))


def test_the_answer_has_word_and_number_and_says_what_they_rest_on(run):
    trial, probe = run(gains(0.35))
    (sentence,) = pool_sentences(trial, probe)
    assert sentence.verdict == HELPS and sentence.pool == "made" and sentence.word == "It helps"
    start = "made helps: with 40 of its images beside 120 real ones accuracy changes by +"
    assert sentence.text.startswith(start) and sentence.number.endswith(" points")
    text = "\n".join(evidence(trial))
    for part in (
        "made: other measures: balanced accuracy +",
        "macro F1 +",
        "beyond as many copies of the same real images it still gains +",
        "beyond your own images alone with MixUp it still gains +",
        "are likely to be missed with",
        "each network learns from 120 of the 150 real images",
        "98% intervals",
    ):
        assert part in text
    lines = advice(trial, probe, {"made": [DOUBTED]}, {})
    assert any("more real images would bring about" in line for line in lines)
    assert "made: 15 labels are doubted." in lines


def test_what_better_training_brings_too_is_said_and_advised(run):
    """MixUp on the real images alone does as much as the generated ones do."""
    trial, probe = run(lambda t: 0.5 + 0.35 * (t.arm.kind in ("supplement", "improved")))
    said = "whether it gains more than your own images alone with MixUp is not shown: "
    assert any(said in line for line in evidence(trial))
    lines = advice(trial, probe, {"made": []}, {})
    assert lines[:2] == [
        "made: train on all of it.",
        "made: or train on your own images alone with MixUp: that it brings less is not shown.",
    ]


def test_better_training_is_not_advised_where_it_brings_less(run):
    lines = advice(*run(gains(0.35)), {"made": []}, {})
    assert lines[0] == "made: train on all of it." and not any("or train" in x for x in lines)


def test_changes_that_no_data_could_show_are_all_likely_to_be_missed():
    assert missed_text(0.041) == "under 4.1 points" and missed_text(1.617) == "of any size"


def test_lines_about_the_only_pool_do_not_begin_with_its_name():
    lines = ["made: worth a try: this.", "made up of nothing.", "40 more real images."]
    assert without_name(lines, "made") == ["Worth a try: this.", *lines[1:]]


def test_of_several_pools_the_word_names_the_best_one(run):
    trial, probe = run(gains(0.35), pools=("made", "other"))
    first, second = pool_sentences(trial, probe)
    assert first.word == f"{first.pool} helps" and second.word == ""


def test_what_hurts_is_not_to_be_used_and_better_uses_are_named(run):
    trial, probe = run(gains(-0.3))
    (sentence,) = pool_sentences(trial, probe)
    assert sentence.verdict == HURTS and sentence.text.startswith("made hurts:")
    lines = advice(trial, probe, {"made": [DOUBTED]}, {"made": "doubted-made.csv"})
    assert lines[0] == "made: do not train on it as it is."
    assert any("worth a try: with the labels that a classifier" in line for line in lines)
    assert any("15 doubted labels" in line and "doubted-made.csv" in line for line in lines)
    assert "lib.faces.relabel" in lines[-1]


def test_what_cannot_be_told_says_what_would_decide(run):
    trial, probe = run(gains(0.0))
    (sentence,) = pool_sentences(trial, probe)
    assert sentence.verdict == UNDECIDED
    assert sentence.text.startswith("It cannot be told whether made helps: ")
    lines = advice(trial, probe, {"made": []}, {})
    assert any("to show a difference of 2 points" in line for line in lines)


def test_without_time_the_probe_alone_speaks(run):
    trial, probe = run(gains(0.3), seconds=3.0)
    (sentence,) = pool_sentences(trial, probe)
    assert sentence.verdict == UNDECIDED and "a linear classifier changes by" in sentence.text
    assert len(verdict_table(trial)) == 0 and len(rows_of(trial, FACTS)) == 0


def test_the_ceiling_goes_on_with_the_learning_curve(run):
    trial, _ = run(gains(0.0))
    more, most = ceiling(trial, 120), ceiling(trial, 480)
    assert 0 < more.gain < most.gain and more.low < more.gain < more.high

    # From 60 to 120 images the error fell from 0.6 to 0.5, to 240 it falls by that share again.
    ratio = (0.5 - more.gain) / 0.5
    assert ratio == pytest.approx(0.5 / (0.5 + more.doubling), abs=0.05)


def test_tables_hold_every_pool_metric_and_look(run):
    trial, _ = run(gains(0.3), pools=("one", "two"))
    assert len(verdict_table(trial)) == 2 * 3
    looks = look_rows(trial)
    assert set(looks["pool"]) == {"one", "two"} and looks["level"].between(0, 0.02).all()


def test_after_a_single_repetition_nothing_is_said_about_what_would_decide(run):
    trial, probe = run(gains(0.0))
    for comparison in trial.comparisons:
        look = comparison.last
        comparison.looks[-1] = replace(look, found=replace(look.found, repetitions=1))
    lines = " ".join(advice(trial, probe, {"made": []}, {}))
    assert "the time sufficed for 1 repetition of" in lines and "to show a difference" not in lines


def test_numbers_are_shown_in_points_with_the_interval_that_decides(run):
    trial, _ = run(gains(0.35))
    shown = numbers_view(verdict_table(trial))
    assert shown["measure"].tolist() == ["accuracy", "balanced accuracy", "macro F1"]
    assert shown["change, points (98% interval)"][0].startswith("+")


def test_ranks_are_as_wide_as_the_intervals_leave_them():
    rows = pd.DataFrame(
        {
            "pool": ["a", "b", "c"],
            "difference": [0.10, 0.09, -0.10],
            "low": [0.05, 0.04, -0.15],
            "high": [0.15, 0.14, -0.05],
        }
    )
    table = ranks(rows).set_index("pool")
    assert table.loc["a", ["rank", "rank_low", "rank_high"]].tolist() == [1, 1, 2]
    assert table.loc["b", ["rank", "rank_low", "rank_high"]].tolist() == [2, 1, 2]
    assert table.loc["c", ["rank", "rank_low", "rank_high"]].tolist() == [3, 3, 3]


def test_the_same_images_in_another_order_and_under_other_names_are_one_pool(run):
    trial, _ = run(gains(0.3))
    faces = trial.laboratory.inputs.pools[0].faces
    other = faces.select(np.arange(len(faces))[::-1])
    other = other.with_columns(id=[f"x{row}" for row in range(len(faces))])
    assert same_images(other) == same_images(faces)
    assert same_images(faces.select(np.arange(3))) != same_images(faces)


def test_a_later_verdict_adds_to_the_leaderboard_and_mixes_nothing_in(run, tmp_path):
    file = tmp_path / "leaderboard.csv"
    trial, _ = run(gains(0.3))
    first = add_rows(file, rows_of(trial, FACTS))
    assert len(first) == 1 and first["rank"].tolist() == [1]

    # The same pool again takes its own place, another one stands beside it.
    assert len(add_rows(file, rows_of(trial, FACTS))) == 1
    other = rows_of(trial, FACTS).assign(pool="other", images="x", difference=-0.5, high=-0.4)
    assert add_rows(file, other)["rank"].tolist() == [1, 2]

    # Rows of another protocol, or of other real images, are kept and not compared.
    changed = rows_of(trial, FACTS).assign(protocol="changed")
    assert len(add_rows(file, changed)) == 1
    elsewhere = rows_of(trial, FACTS).assign(data="elsewhere")
    assert len(add_rows(file, elsewhere)) == 1
    assert len(pd.read_csv(file)) == 4


def test_the_protocol_s_hash_is_that_of_its_rules(run):
    trial, _ = run(gains(0.3))
    from dataclasses import replace

    rules = trial.laboratory.protocol
    assert rules.digest() == replace(rules).digest()
    for change in ({"margin": 0.01}, {"folds": 4}, {"recipe": "quick"}, {"image_px": 96}):
        assert replace(rules, **change).digest() != rules.digest()
