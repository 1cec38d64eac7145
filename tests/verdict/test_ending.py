"""A trial says why it ended, and its clock never promises too little time."""

import importlib
import re
from pathlib import Path

import pytest

from lib.verdict.bench import Bench
from lib.verdict.clock import Clock
from lib.verdict.ending import ending
from lib.verdict.trial import run_trial


@pytest.fixture
def trial(monkeypatch, tmp_path):
    """Run a trial on drawn predictions; returns it and its clock."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    simulated = importlib.import_module("simulated")

    def run(change, *, seconds=1e6, **rules):
        def accuracy(training):
            return 0.6 + (change if training.arm.kind == "supplement" else 0.0)

        clock = simulated.Time(seconds, simulated.simulate(monkeypatch, accuracy))
        laboratory = simulated.laboratory_of(tmp_path, simulated.inputs_of(150), **rules)
        return run_trial(Bench(laboratory, tmp_path, clock, 0, lambda line: None)), clock

    return run


@pytest.mark.parametrize(
    ("change", "rules", "words"),
    [
        (0.35, {}, r"^decided after \d+ repetitions?, so no more were trained"),
        (0.0, {"most_repetitions": 2}, "^undecided after 2 repetitions: more would gain little"),
        (
            0.0,
            {"seconds": 150},
            r"^ended after \d+ repetitions: one more might not fit into the time",
        ),
    ],
)
def test_a_trial_says_why_it_ended(trial, change, rules, words):
    found, _ = trial(change, **rules)
    assert re.search(words, ending(found, 10.0))
    assert ending(found, 10.0).endswith(f"({found.minutes:.0f} of 10 minutes used)")


def test_a_trial_that_the_clock_ended_says_how_far_it_came(trial):
    found, _ = trial(0.0, most_repetitions=2)
    found.comparisons[0].looks.pop()
    assert re.fullmatch("the time is over after . of 2 repetitions", ending(found, 10.0))


def test_every_network_is_counted_for_whoever_waits(trial):
    _, clock = trial(0.0, most_repetitions=1)
    assert clock.activities[:2] == ["training the first networks", "1 network trained"]
    assert clock.activities[-1] == f"{len(clock.activities) - 1} networks trained"


def test_the_time_that_is_left_is_a_bound():
    assert Clock(480, 2).text() == "at most 8 min"
    assert Clock(481.5, 2).text() == "at most 9 min"
    assert Clock(-5, 2).text() == "at most 0 s"
    assert Clock(480, 2, end=30).text() == "at most 9 min"
    assert Clock(-5, 2, end=30).text() == "at most 30 s"
