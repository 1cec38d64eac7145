"""The command line, on a toy project: what runs, what is kept, what is said when something breaks."""

import os
import re
import signal
import subprocess
import time


def test_help_is_there_in_under_a_second(toy):
    began = time.monotonic()
    done = toy.run("--help")
    assert done.returncode == 0 and "--study NAME" in done.stdout
    assert time.monotonic() - began < 1


def test_a_second_call_repeats_nothing_and_says_so(toy):
    toy.stage("10_data", "seed")
    toy.stage("40_training")
    first = toy.run()
    assert first.returncode == 0, first.stdout + first.stderr
    assert re.search(r"10_data +done +4/4 cells", first.stdout), first.stdout
    assert "reports/quick/index.html" in first.stdout
    before, began = toy.outputs(), time.monotonic()
    second = toy.run()
    assert time.monotonic() - began < 5
    assert second.returncode == 0 and "Nothing changed" in second.stdout
    assert toy.outputs() == before


def test_a_failing_notebook_stops_only_what_depends_on_it(toy):
    toy.stage("10_data")
    toy.stage("40_training")
    toy.notebook("50_metrics", "x = 1\n\ny = x / 0")
    toy.stage("60_embedding")
    toy.stage("80_findings")
    done = toy.run()
    assert done.returncode == 1
    assert {"10_data.txt", "40_training.txt", "60_embedding.txt"} == set(toy.outputs())
    text = done.stdout[done.stdout.index("50_metrics failed") :].splitlines()[:5]
    assert text[0] == "50_metrics failed in code cell 3 of 3:"
    assert text[1] == "  ZeroDivisionError: division by zero"
    assert text[2] == "  at: y = x / 0"
    copy = text[3].split(": ")[1]
    assert "An Exception was encountered" in open(copy).read()
    assert "same command again" in text[4]
    assert "80_findings   skipped  needs 50_metrics" in done.stdout
