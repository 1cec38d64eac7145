"""Why a trial ended when it did."""

from lib.verdict.trial import Trial


def ending(trial: Trial, minutes: float) -> str:
    """Say in one line why no more was trained, and how much of the time was used.

    Args:
        trial: that has ended.
        minutes: that the whole verdict may take.
    """
    used = f"{trial.minutes:.0f} of {minutes:.0f} minutes used"
    open_ones = [comparison for comparison in trial.comparisons if not comparison.decided]
    if not open_ones:
        seen = max(comparison.seen for comparison in trial.comparisons)
        return f"decided after {_repetitions(seen)}, so no more were trained ({used})"

    # What is not decided ends with the plan, or with the time before it.
    seen, planned = min(comparison.seen for comparison in open_ones), trial.planned
    if seen < planned:
        return f"the time is over after {seen} of {_repetitions(planned)}"
    if planned == trial.laboratory.protocol.most_repetitions:
        return f"undecided after {_repetitions(planned)}: more would gain little ({used})"
    return f"ended after {_repetitions(planned)}: one more might not fit into the time ({used})"


def _repetitions(count: int) -> str:
    return f"{count} repetition{'' if count == 1 else 's'}"
