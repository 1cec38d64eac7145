"""The whole verdict in one call: read, probe, compare, say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lib.faces.faceset import FaceSet
from lib.study.answer import Sentence
from lib.study.records import write_csv
from lib.verdict.bench import Bench
from lib.verdict.clock import Clock
from lib.verdict.faults import Fault, faults_of
from lib.verdict.inputs import Inputs
from lib.verdict.probe import AS_GIVEN, Probe, refuse_permuted, run_probe
from lib.verdict.protocol import Protocol
from lib.verdict.sentences import advice, evidence, pool_sentences, without_name
from lib.verdict.trainings import Laboratory, save_laboratory
from lib.verdict.trial import Trial, run_trial

# Of the time: until a notebook has started, and from the last training to the page.
START_SECONDS, END_SECONDS = 10, 30
REAL = ""  # the key of the real images among the lists of doubted labels


@dataclass(frozen=True)
class Verdict:
    """What is said, and what it rests on."""

    inputs: Inputs
    probe: Probe
    faults: dict[str, list[Fault]]  # by pool
    trial: Trial
    sentences: list[Sentence]  # one a pool, the best first
    advice: list[str]  # what to do
    evidence: list[str]  # what that rests on
    files: list[Path]  # lists of doubted labels


def reach_verdict(
    inputs: Inputs,
    protocol: Protocol,
    *,
    runs: Path,
    tables: Path,
    clock: Clock,
    workers: int,
    beyond: FaceSet | None = None,
    say: Callable[[str], None] = print,
) -> Verdict:
    """Reach a verdict about every pool.

    Args:
        inputs: real images and pools.
        protocol: the rules.
        runs: folder of the trainings, which later verdicts find.
        tables: folder of the lists of doubted labels.
        clock: of all that is left of the time.
        workers: processes that train; 0: none.
        beyond: further images that every network predicts, where the truth is to be known.
        say: called with a line now and then.

    Raises:
        StudyError: the labels of a pool look permuted.
    """
    # Seconds: a first guess, and labels that make no sense.
    say(f"{_counts(inputs)}; {clock.text()}")
    probe = run_probe(inputs, protocol)
    refuse_permuted(probe)
    for found in probe.pools:
        gain = found.gains[AS_GIVEN]
        low, high = gain.interval
        say(
            f"{found.pool.name}: a linear classifier changes by {100 * gain.difference:+.1f} "
            f"points ({100 * low:+.1f} to {100 * high:+.1f}) with these images; {clock.text()} left"
        )
    # What is wrong with the images, with lists of what can be put right.
    faults = {found.pool.name: faults_of(found, probe, inputs) for found in probe.pools}
    files = doubted_lists(probe, tables)

    # The trainings that decide.
    laboratory = Laboratory(inputs, protocol, runs, beyond)
    prepared = runs / "laboratory"
    save_laboratory(laboratory, prepared)
    trial = run_trial(Bench(laboratory, prepared, clock, workers, say))

    # What all that says.
    names = {name: file.name for name, file in files.items()}
    to_do, rests_on = advice(trial, probe, faults, names), evidence(trial)
    if len(inputs.pools) == 1:
        only = inputs.pools[0].name
        to_do, rests_on = without_name(to_do, only), without_name(rests_on, only)
    return Verdict(
        inputs,
        probe,
        faults,
        trial,
        pool_sentences(trial, probe),
        to_do,
        rests_on,
        list(files.values()),
    )


def doubted_lists(probe: Probe, folder: Path) -> dict[str, Path]:
    """Write the doubted labels as lists: file or id, class, seen as, probability of the class.

    Returns:
        The files by pool, that of the real images under REAL.
    """
    parts = [(REAL, "real", probe.real, probe.probabilities, probe.doubted)]
    for found in probe.pools:
        name = found.pool.name
        parts.append((name, name, found.pool.faces, found.probabilities, found.doubted))
    # One file a set of images, the most doubtful label first.
    files = {}
    for key, stem, faces, probabilities, doubted in parts:
        own = probabilities[range(len(faces)), faces.labels]
        table = pd.DataFrame(
            {
                "file": faces.names(),
                "class": faces.table["class"],
                "seen as": [faces.classes[place] for place in probabilities.argmax(1)],
                "probability of the class": own.round(3),
            }
        )
        files[key] = folder / f"doubted-{stem}.csv"
        write_csv(files[key], table[doubted].sort_values("probability of the class"))
    return files


def _counts(inputs: Inputs) -> str:
    """Write how many images there are."""
    split = inputs.real.table["split"].value_counts()
    parts = [f"real: {inputs.real_name}, {split['train']:,} training images"]
    if inputs.has_test:
        parts.append(f"{split['test']:,} test images")
    pools = ", ".join(f"{pool.name}, {len(pool.faces):,} images" for pool in inputs.pools)
    return f"{', '.join(parts)}; generated: {pools} (the wrong way round? exchange the folders)"
