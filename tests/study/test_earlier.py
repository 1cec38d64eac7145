"""The last answer stays on the page, and comes back, whatever happens to the runs after it."""

import json
import re
import signal
import subprocess
import time

import pytest

from lib.study.earlier import earlier_answer
from lib.study.paths import StudyPaths

# A notebook that answers with its seed, and fails or waits where the seed says so.
VERDICT = """
from lib.study.answer import write_answer
from lib.study.errors import StudyError
from lib.study.step import begin
import time
step = begin("90_verdict", globals())

(step.paths.root / f"begun-{seed}").touch()
time.sleep(60 if seed == 3 else 0)

RAISE

step.finish([write_answer(step.paths, [f"The seed is {seed}."])])
"""
RAISES = {
    "a mistake": 'if seed == 2:\n    raise StudyError("seed: 2 is even; give an odd one")',
    "any error": "1 / (seed - 2)",
    "after its answer": 'write_answer(step.paths, ["Half."])\nassert seed != 2',
}
SEED = ("--set", "stages=90", "--set")


def study_of(toy) -> StudyPaths:
    return StudyPaths(toy.root / "runs" / "quick", toy.root / "reports" / "quick")


def write_verdict(toy, raises: str = "pass") -> None:
    toy.notebook("90_verdict", VERDICT.replace("RAISE", raises))


def stop(toy, how=signal.SIGINT) -> str:
    """Stop a run in the middle; returns what it printed."""
    begun = toy.root / "runs" / "quick" / "begun-3"
    command = toy.command(*SEED, "seed=3")
    with subprocess.Popen(command, env=toy.environment(), stdout=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(how)
        return run.communicate(timeout=40)[0]


@pytest.mark.parametrize("kind", RAISES)
def test_a_run_that_failed_leaves_the_answer_before_it(toy, kind):
    write_verdict(toy, RAISES[kind])
    assert toy.run(*SEED, "seed=1").returncode == 0
    assert earlier_answer(study_of(toy)) is None
    for _ in range(2):
        done = toy.run(*SEED, "seed=2")
        assert done.returncode == 1
        assert re.search(r"the last answer stays, of run_all.py .* seed=1: /\S+", done.stdout)
        found = earlier_answer(study_of(toy))
        assert [sentence.text for sentence in found.sentences] == ["The seed is 1."]
        assert found.record["parameters"]["seed"] == 1 and found.ipynb.exists()
        assert found.command.endswith("seed=1") and found.later.endswith("seed=2")
        assert found.ended == "failed"

    # Its own command finds everything done, and another one answers anew.
    assert "Nothing changed: 1 executions kept" in toy.run(*SEED, "seed=1").stdout
    assert earlier_answer(study_of(toy)) is None
    assert "The seed is 5." in toy.run(*SEED, "seed=5").stdout
    assert earlier_answer(study_of(toy)) is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_leaves_the_answer_before_it(toy, how):
    write_verdict(toy, RAISES["any error"])
    toy.run(*SEED, "seed=1")
    toy.run(*SEED, "seed=2")
    stop(toy, how)
    found = earlier_answer(study_of(toy))
    assert [sentence.text for sentence in found.sentences] == ["The seed is 1."]

    # The page no longer shows the error of the command before.
    if how == signal.SIGINT:
        assert (found.ended, found.later[-6:]) == ("was stopped", "seed=3")
        page = (toy.root / "reports" / "quick" / "index.html").read_text()
        assert "90_verdict.failed" not in page
    assert "Nothing changed: 1 executions kept" in toy.run(*SEED, "seed=1").stdout


def test_a_fresh_run_that_failed_leaves_the_answer_before_it_too(toy):
    write_verdict(toy, RAISES["a mistake"])
    toy.run(*SEED, "seed=1")
    toy.run(*SEED, "seed=2", "--fresh")
    toy.run(*SEED, "seed=2", "--fresh")
    found = earlier_answer(study_of(toy))
    assert [sentence.text for sentence in found.sentences] == ["The seed is 1."]
    again = toy.run(*SEED, "seed=1", "--fresh").stdout
    assert "The seed is 1." in again and "Nothing changed" not in again


def test_findings_that_were_not_reached_leave_the_answer_before_them(toy):
    toy.stage("10_data")
    toy.stage("40_training")
    body = VERDICT.replace("90_verdict", "80_findings").replace("RAISE", "pass")
    toy.notebook("80_findings", body)
    toy.run("--set", "seed=1")
    toy.notebook("40_training", "1 / 0")
    for words in ([], ["--only", "40"]):
        assert toy.run("--set", "seed=2", *words).returncode == 1
        assert earlier_answer(study_of(toy)).sentences[0].text == "The seed is 1."

    # Other values alone are no failure: the answer is not that of these.
    toy.stage("40_training")
    assert toy.run("--set", "seed=2", "--only", "10").returncode == 0
    assert earlier_answer(study_of(toy)) is None
    assert not (toy.root / "runs" / "quick" / "tables" / "answer.json").exists()


def test_an_earlier_answer_that_is_damaged_is_none(toy):
    write_verdict(toy, RAISES["a mistake"])
    toy.run(*SEED, "seed=1")
    toy.run(*SEED, "seed=2")
    paths = study_of(toy)
    for name in ("90_verdict.json", "answer.json", "answered.json"):
        whole = (paths.root / "earlier" / name).read_text()
        (paths.root / "earlier" / name).write_text(json.dumps([1]))
        found = earlier_answer(paths)
        assert found.command == "" if name == "answered.json" else found is None
        (paths.root / "earlier" / name).write_text(whole)
    assert earlier_answer(paths).command.endswith("seed=1")


def test_a_mistake_is_a_sentence_and_a_way_on(toy):
    write_verdict(toy, RAISES["a mistake"])
    lines = toy.run(*SEED, "seed=2").stdout.splitlines()
    assert lines[-2:] == [
        "90_verdict: seed: 2 is even; give an odd one",
        "  put that right and run again: finished work is kept",
    ]
    assert not [line for line in lines if "cell" in line or "StudyError" in line]

    # Of any other error the machinery's lines help.
    write_verdict(toy, RAISES["any error"])
    shown = toy.run(*SEED, "seed=2").stdout
    assert "failed in code cell 4 of 5" in shown and "at: 1 / (seed - 2)" in shown
    assert "half-done copy: /" in shown and "\nreport: /" in shown
