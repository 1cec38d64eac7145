"""The order of the notebooks: which stage reads what which other stage wrote.

A stage is a notebook's number: 20_generation is stage 20.
"""

from lib.study.machine import cores

GENERATION, CURATION, METRICS, FINDINGS, VERDICT = 20, 30, 50, 80, 90
# For each stage, the stages whose files it reads, directly.
UPSTREAM = {
    10: (),
    GENERATION: (10,),
    CURATION: (GENERATION,),
    40: (CURATION,),
    METRICS: (40,),
    55: (40,),
    60: (40,),
    70: (40,),
    FINDINGS: (METRICS, 55),
    VERDICT: (),
}
STANDALONE = (VERDICT,)  # need no other notebook, and belong to studies that ask for them alone
ANSWERING = (FINDINGS, VERDICT)  # write the answer
PER_POOL = (GENERATION, CURATION)  # executed once for every pool of the study
BESIDE_EACH_OTHER = (METRICS, 55, 60, 70)  # they follow the training and wait for nothing else
# Each of these is one job, which any machine of a cluster can do: no other one reads while it runs.
ONE_JOB = (*PER_POOL, METRICS, 55, 60)


def stages_of(params: dict) -> tuple[int, ...]:
    """List the stages of a study.

    Args:
        params: its parameters; `stages` names them, or is empty.
    """
    if params["stages"]:
        return tuple(params["stages"])
    return tuple(stage for stage in UPSTREAM if stage not in STANDALONE)


def stage_of(notebook: str) -> int:
    """Read the stage off a notebook's name: 20_generation is 20."""
    return int(notebook.split("_")[0])


def ancestors(stage: int) -> set[int]:
    """List the stages that a stage builds on, directly or not."""
    found = set(UPSTREAM[stage])
    for parent in UPSTREAM[stage]:
        found |= ancestors(parent)
    return found


def default_threads(notebook: str, params: dict) -> int:
    """Share the cores among the notebooks that run beside this one.

    Depends on parameters and machine alone, not on what happens to run, so that numbers repeat.

    Args:
        params: pools and workers of the study.
    """
    stage = stage_of(notebook)
    at_once = 1
    if stage in PER_POOL:
        at_once = len(params["pools"])
    elif stage in BESIDE_EACH_OTHER:
        at_once = len(BESIDE_EACH_OTHER)
    at_once = max(1, min(at_once, params["workers"] or cores()))
    return max(1, cores() // at_once)
