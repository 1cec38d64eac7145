"""What a person sees of a run: how each notebook ended, what is under way, how long it will take.

On a terminal one line moves; in a file there is a line a minute.
"""

import math
import shutil
import statistics
import sys
import time
from collections.abc import Iterable

from lib.study.errors import StudyError
from lib.study.outcomes import Outcome, cell_counts, under_way
from lib.study.paths import RUNNING
from lib.study.plan import Task
from lib.study.records import read_json, write_json
from lib.study.stages import BESIDE_EACH_OTHER, PER_POOL, VERDICT
from lib.study.telling import activity, news

LINE_S = 60  # seconds between two lines about notebooks under way
MOVE_S = 1  # seconds between two states of the line that moves
SLOWEST = 3  # notebooks that are named at the end
SHORT_S = 60  # a run that took less needs no such list
TIMES = "seconds.json"  # in a study's state: how long each execution took when it last ran


class Progress:
    """Prints how a run of several tasks goes."""

    def __init__(self, tasks: list[Task], at_once: int):
        """Look up how long the tasks took before.

        Args:
            tasks: all tasks of the run.
            at_once: how many notebooks run at once.
        """
        self.at_once = at_once
        self.expected = expected_seconds(tasks)
        self.width = max((len(task.name) for task in tasks), default=0)
        self.moves = sys.stdout.isatty()
        self.shown = time.monotonic()
        self.total = len(tasks)
        self.spent = {}  # by notebook under way: seconds that it has taken
        self.told = {}  # by notebook: lines of what it tells that are printed already

    def ended(self, task: Task, outcomes: dict[str, Outcome], left: Iterable[Task]) -> None:
        """Print a task's one line, and what went wrong; of one that was kept nothing.

        Args:
            outcomes: of all tasks that have ended, by name.
            left: tasks that have not.
        """
        # What is kept costs no line; what ran tells its last news first.
        outcome = outcomes[task.name]
        if outcome.status == "kept":
            return
        self._news(task, outcome.seconds)
        self._clear()
        if outcome.status == "skipped":
            print(f"{task.name:<{self.width}}  skipped  {outcome.detail}")
            return

        # What users did wrong is one sentence; cells are ours.
        if outcome.is_mistake:
            print(outcome.detail)
            return

        # Its cells and seconds, and how far the whole run is.
        times = f"{outcome.cells:>12}  {outcome.seconds:6.0f} s"
        line = f"{task.name:<{self.width}}  {outcome.status:<6}  {times}"
        print(f"{line}   {self._outlook(len(outcomes), left)}")
        if outcome.status == "failed":
            print(outcome.detail)

    def tick(self, running: list[tuple[Task, float]], done: int, left: Iterable[Task]) -> None:
        """Show now and then what is under way.

        Args:
            running: tasks with the seconds that each has taken so far.
            done: tasks that have ended.
            left: tasks that have not, the running ones among them.
        """
        self.spent = {task.name: seconds for task, seconds in running}

        # News are printed at once, the state of things only now and then.
        for task, seconds in running:
            self._news(task, seconds)
        now = time.monotonic()
        if now - self.shown < (MOVE_S if self.moves else LINE_S):
            return
        self.shown = now
        texts = [self._under_way(task, seconds) for task, seconds in running]
        if not self.moves:
            for text in texts:
                print(text)
            return

        # A terminal shows one line that moves, as long as the window is wide.
        line = f"{self._outlook(done, left)} · {' · '.join(' '.join(t.split()) for t in texts)}"
        columns = shutil.get_terminal_size().columns
        print(f"\r{line[: columns - 1]}\x1b[K", end="", flush=True)

    def summary(self, outcomes: dict[str, Outcome]) -> None:
        """Name the notebooks that took longest, where the run took more than a moment."""
        self._clear()

        # Short runs and runs of few notebooks need no such list.
        took = {name: outcome.seconds for name, outcome in outcomes.items() if outcome.seconds}
        if sum(took.values()) < SHORT_S or len(took) <= SLOWEST:
            return
        slowest = sorted(took, key=took.get, reverse=True)[:SLOWEST]
        print("slowest: " + ", ".join(f"{name} {span(took[name])}" for name in slowest))

    def _news(self, task: Task, seconds: float) -> None:
        """Print what a notebook tells of itself (`Step.tell`), as it comes.

        Args:
            seconds: that the notebook has taken so far; what was written before is an earlier
                execution's.
        """
        # Lines that are printed already are skipped.
        told, began = self.told.get(task.name, 0), time.time() - seconds - 1
        lines = list(news(task.paths, task.name, told, began))
        self.told[task.name] = told + len(lines)
        if lines:
            self._clear()
        for line in lines:
            print(f"{task.name:<{self.width}}  {line}")

    def _under_way(self, task: Task, seconds: float) -> str:
        """Say how far a notebook is, how long it will take at most, and what it is doing."""
        running = task.executed.with_suffix(RUNNING)
        done, total = cell_counts(running)
        cells = f"{done}/{total} cells"
        line = f"{task.name:<{self.width}}  ...     {cells:>12}  {seconds:6.0f} s"

        # What it says of itself, else what its copy shows.
        own = activity(task.paths, task.name, time.time() - seconds - 1) or under_way(running)
        most = most_seconds(task)
        left = f"{at_most(most - seconds)} left" if most > seconds else ""
        words = ", ".join(text for text in (left, own) if text)
        return f"{line}   {words}" if words else line

    def _outlook(self, done: int, left: Iterable[Task]) -> str:
        """Say how many notebooks have ended, and how long the others will take if that is known."""
        # Of those under way a part is over.
        rest = {name: max(0.0, s - self.spent.get(name, 0.0)) for name, s in self.expected.items()}
        seconds = seconds_left(left, rest, self.at_once)
        about = f", about {span(seconds)} left" if seconds else ""
        return f"{done} of {self.total} notebooks{about}"

    def _clear(self) -> None:
        """Wipe the line that moves."""
        if self.moves:
            print("\r\x1b[K", end="", flush=True)


def note_seconds(task: Task, seconds: float) -> None:
    """Keep how long a task took, for the next run to expect."""
    # Beside the times of all other executions.
    file = task.paths.state / TIMES
    write_json(file, _noted(file) | {task.name: round(seconds, 1)})


def expected_seconds(tasks: list[Task]) -> dict[str, float]:
    """Look up how long tasks took when they last ran; a new pool takes what others took.

    Returns:
        Seconds by name, of those about which something is known. What is told how long it may take
        is none of them: see `most_seconds`.
    """
    if not tasks:
        return {}

    # A notebook's own time, else the usual time of its kind for other pools.
    noted = _noted(tasks[0].paths.state / TIMES)
    expected = {}
    for task in tasks:
        if most_seconds(task):
            continue
        notebook = task.notebook.stem
        like = [s for name, s in noted.items() if task.pool and name.startswith(f"{notebook}-")]
        if task.name in noted:
            expected[task.name] = noted[task.name]
        elif like:
            expected[task.name] = statistics.median(like)
    return expected


def most_seconds(task: Task) -> float:
    """Give the seconds that a task may take by its parameters, 0 where these do not say."""
    return 60 * task.params["verdict_minutes"] if task.stage == VERDICT else 0.0


def seconds_left(left: Iterable[Task], expected: dict[str, float], at_once: int) -> float:
    """Estimate how long tasks will take, those of one stage beside each other; 0 where nothing is
    known.
    """
    # Stages follow each other; within one the longest task or the queue decides.
    stages = {}
    for task in left:
        if task.name in expected:
            stages.setdefault(_group(task), []).append(expected[task.name])
    spans = [max(max(s), sum(s) / min(at_once, len(s))) for s in stages.values()]
    return sum(spans)


def span(seconds: float) -> str:
    """Write a time span for people: 40 s, 4 min, 2.5 h."""
    # Two digits are enough.
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def at_most(seconds: float) -> str:
    """Write a bound of a time span for people, never one that is too low: at most 8 min."""
    seconds = max(0, math.ceil(seconds))
    return f"at most {seconds} s" if seconds < 100 else f"at most {math.ceil(seconds / 60)} min"


def _group(task: Task) -> str:
    """Name what a task runs beside: the pools' notebooks, those after the training, or nothing."""
    if task.stage in PER_POOL:
        return "pools"
    return "after" if task.stage in BESIDE_EACH_OTHER else task.name


def _noted(file) -> dict[str, float]:
    """Read how long executions took; of a damaged file nothing."""
    try:
        noted = read_json(file) if file.exists() else {}
    except StudyError:
        return {}
    return {name: s for name, s in noted.items() if isinstance(s, (int, float)) and s >= 0}
