"""Kills at random moments: nothing is lost, done twice, or believed half-written, and no process
stays behind.

By hand, for they take long: KILLS=100 python -m pytest -m slow tests/test_kills.py. A study is
started, something of it is killed, and the same command is given again, until so many kills have
been dealt out; each time that the study comes to its end, what it left is compared byte by byte
with what a run left that nothing disturbed, and it begins anew. The toy takes seconds a kill, the
smallest whole study (its trainings, a GAN, their workers; KILLS of them too) a minute.
KILL_SEED=1 deals other kills out.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from smallest_study import GENERATED, command_of

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("KILL_SEED", "0"))
GONE_S = 30  # seconds until all processes of a killed study have ended

# A notebook with runs of their own, each done in a process, whose end it notes.
RUN = """
import sys, time
from pathlib import Path
from lib.study.records import append_jsonl, atomic_write
target = Path(sys.argv[1])
with atomic_write(target, 'w') as file:
    file.write('half')
    file.flush()
    time.sleep(0.3)
    file.write(' and whole')
append_jsonl(target.parent / 'done.jsonl', [{'run': target.name}])
"""
RUNS = f"""
import subprocess, sys
from lib.study.step import begin
step = begin("40_training", globals())
targets = [step.paths.runs / str(number) for number in range(4)]

for target in targets:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-c", {RUN!r}, str(target)], check=True)

step.finish(targets)
"""


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def words_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def offspring(run: psutil.Process) -> list[psutil.Process]:
    try:
        return run.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


# What is killed: the processes, of a run and its descendants.


def parent(run, below):
    return [run]


def everything(run, below):
    return [run, *below]


def executions(run, below):
    return [process for process in below if "lib.study.execution" in words_of(process)]


def kernels(run, below):
    return [process for process in below if "ipykernel_launcher" in words_of(process)]


def workers(run, below):
    """What kernels started."""
    started = [child for kernel in kernels(run, below) for child in offspring(kernel)]
    return started[-1:]


@dataclass(frozen=True)
class Kill:
    """A way of stopping a study."""

    name: str
    of: Callable
    number: int = signal.SIGKILL


WAYS = (
    Kill("parent", parent),
    Kill("group", everything),
    Kill("execution", executions),
    Kill("kernel", kernels),
    Kill("worker", workers),
    Kill("terminated", parent, signal.SIGTERM),
    Kill("Ctrl-C", parent, signal.SIGINT),
    Kill("hung up", parent, signal.SIGHUP),
)


def strike(run: subprocess.Popen, kill: Kill) -> bool:
    """Kill part of a running study and wait until nothing of it is left; False where it had no such
    part.
    """
    process = psutil.Process(run.pid)
    below = offspring(process)
    victims = [victim for victim in kill.of(process, below) if alive(victim)]
    for victim in victims:
        try:
            victim.send_signal(kill.number)
        except psutil.NoSuchProcess:
            continue

    # The run ends by itself where a part of it was killed; it may have started more by then.
    if victims:
        run.wait(300)
        deadline = time.monotonic() + GONE_S
        while left := [words_of(child) for child in below if alive(child)]:
            assert time.monotonic() < deadline, f"{kill.name} left behind: {left}"
            time.sleep(0.1)
    return bool(victims)


def contents(folder: Path, patterns: tuple[str, ...]) -> dict[str, bytes]:
    """Read what is compared."""
    files = sorted(file for pattern in patterns for file in folder.glob(pattern))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def deal_out(
    command: Callable[[Path], list[str]],
    folder: Path,
    patterns: tuple[str, ...],
    check: Callable[[Path], None],
    environment: dict,
) -> Counter:
    """Kill a study KILLS times; returns how often each way was taken.

    Args:
        command: that runs it into a folder.
        folder: empty.
        patterns: of the files that an undisturbed run and a disturbed one have to leave alike.
        check: called with the folder of each run that came to its end.
        environment: of the command.
    """

    def start(output: Path) -> subprocess.Popen:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command(output), env=environment, start_new_session=True, **quiet)

    # Undisturbed.
    began = time.monotonic()
    assert start(folder / "whole").wait() == 0
    lasts, whole = time.monotonic() - began, contents(folder / "whole", patterns)
    assert whole
    check(folder / "whole")

    # Disturbed.
    rng, dealt, broken = random.Random(SEED), Counter(), folder / "broken"
    while sum(dealt.values()) < KILLS or broken.exists():
        run, enough = start(broken), sum(dealt.values()) >= KILLS
        kill, moment = rng.choice(WAYS), time.monotonic() + rng.uniform(0, lasts)
        while not enough and run.poll() is None and time.monotonic() < moment:
            time.sleep(0.02)
        if not enough and run.poll() is None and strike(run, kill):
            dealt[kill.name] += 1
            print(sum(dealt.values()), kill.name, flush=True)
            continue

        # It came to its end.
        assert run.wait() == 0
        assert contents(broken, patterns) == whole
        check(broken)
        shutil.rmtree(broken)
    return dealt


@pytest.mark.slow
def test_a_study_that_is_killed_again_and_again_leaves_what_an_unbroken_one_does(toy, tmp_path):
    toy.stage("10_data", "seed")
    toy.notebook("40_training", RUNS)
    toy.stage("50_metrics", "(step.paths.runs / '3').read_text()")

    def check(folder: Path) -> None:
        """No run is done twice, and none half."""
        runs = folder / "runs" / "quick" / "runs"
        noted = Counter((runs / "done.jsonl").read_text().splitlines())
        assert set(noted.values()) == {1}, noted
        assert {(runs / str(number)).read_text() for number in range(4)} == {"half and whole"}

    def command(folder: Path) -> list[str]:
        return toy.command("--output", str(folder))

    patterns = ("runs/quick/tables/*.txt", "runs/quick/runs/[0-9]", "reports/quick/index.html")
    (tmp_path / "output").mkdir()
    dealt = deal_out(command, tmp_path / "output", patterns, check, toy.environment())
    assert sum(dealt.values()) >= KILLS


@pytest.mark.slow
def test_the_smallest_whole_study_is_killed_again_and_again(tmp_path):
    patterns = (
        "runs/quick/data/faces.*",
        "runs/quick/pools/*/faces.*",
        "runs/quick/runs/*/predictions.npz",
        "runs/quick/tables/effects.csv",
        "runs/quick/tables/levels.csv",
    )

    def command(folder: Path) -> list[str]:
        return command_of(folder, **GENERATED)

    dealt = deal_out(command, tmp_path, patterns, lambda folder: None, dict(os.environ))
    assert sum(dealt.values()) >= KILLS
