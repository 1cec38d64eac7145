"""The order of the notebooks: which stage reads what which other stage wrote."""

from lib.study.machine import cores

UPSTREAM = {10: (), 20: (10,), 30: (20,), 40: (30,), 50: (40,), 60: (40,), 70: (40,), 80: (50,)}
CURATION, FINDINGS = 30, 80
PER_POOL = (20, CURATION)  # executed once for every pool of the study


def stage_of(notebook: str) -> int:
    """Read the stage off a notebook's name: 20_generation is 20."""
    return int(notebook.split("_")[0])


def default_threads(notebook: str, params: dict) -> int:
    """Share the cores among the notebooks that run beside this one.

    Depends on parameters and machine alone, not on what happens to run, so that numbers repeat.
    """
    side_by_side = len(params["pools"]) if stage_of(notebook) in PER_POOL else 3 if stage_of(notebook) in (50, 60, 70) else 1
    return max(1, cores() // max(1, min(side_by_side, params["workers"] or cores())))
