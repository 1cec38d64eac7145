"""Exploring: a notebook that a person runs reads its study, and writes beside it.

The place for it, runs/<study>/explore, looks like a study's folder. Before a notebook runs there it
gets copies of all that the study's executions recorded and the notebook reads, so that whatever its
cells do, in place or not, is done to copies. What the study has not made yet is taken from earlier
exploring.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from lib.study.errors import UnwritableFile, sentence
from lib.study.kept import read_record, recorded_executions
from lib.study.paths import StudyPaths
from lib.study.records import DAMAGED, TEMPORARY
from lib.study.stages import GENERATION, ancestors, stage_of

EXPLORE = "explore"  # folder in a study's
OWN = "own"  # folder of the tables under the study's own values (lib.metrics.moved)
# Files of weights are only ever replaced as a whole, so that one text on the disk serves two names.
WEIGHTS = (".safetensors",)


def explored_paths(paths: StudyPaths) -> StudyPaths:
    """Locate the folders of a study's exploring.

    Args:
        paths: of the study.
    """
    root = paths.root / EXPLORE
    return StudyPaths(root=root, reports=root / "reports", explored=paths.root)


def explore(paths: StudyPaths, name: str, parameters: dict) -> StudyPaths:
    """Bring all that a notebook reads of its study to the place for exploring.

    Args:
        paths: of the study.
        name: of the execution, such as 20_generation-dcgan.
        parameters: the notebook's, which say of which pools it reads.

    Returns:
        The folders that it works in.
    """
    # What the executions before it recorded, and its own, in which it finds finished work.
    beside = explored_paths(paths)
    for other in [*executions_read(paths, name, parameters), name]:
        bring_execution(other, paths, beside, linked=WEIGHTS)
        if other != name:
            bring(paths.state / f"{other}.json", beside.state / f"{other}.json")

    # Tables that it compares its own with, and those that grow from call to call.
    bring_folder(paths.root / OWN / name, beside.root / OWN / name)
    for file in paths.reports.glob("*.csv"):
        bring(file, beside.reports / file.name)

    # Trainings of this kind of generator, to be sampled from or continued.
    if stage_of(name) == GENERATION:
        for folder in paths.generators.glob(f"{parameters.get('generator')}-*"):
            bring_folder(folder, beside.generators / folder.name, linked=WEIGHTS)
    return beside


def executions_read(paths: StudyPaths, name: str, parameters: dict) -> list[str]:
    """List the recorded executions whose outputs a notebook reads.

    Args:
        paths: of the study.
        name: of the notebook's execution.
        parameters: the notebook's, which say of which pools it reads.
    """
    # A notebook of a pool reads that pool and the one of the round before.
    pools = parameters.get("pools", [parameters.get("pool"), parameters.get("round_of")])
    before, listed = ancestors(stage_of(name)), []
    for other in recorded_executions(paths):
        pool = other.partition("-")[2]
        if stage_of(other) in before and (not pool or pool in pools):
            listed.append(other)
    return listed


def bring_execution(
    name: str, source: StudyPaths, target: StudyPaths, *, linked: tuple[str, ...] = ()
) -> None:
    """Bring what an execution wrote, as far as it recorded that, into another study's folders.

    Args:
        name: of the execution.
        source, target: folders of the two studies.
        linked: see `bring`; files that executions append to are copied in any case.
    """
    record = read_record(source, name) or {}
    for file in record.get("outputs", {}):
        bring(source.root / file, target.root / file, linked=linked)
    for file in record.get("appended", {}):
        bring(source.root / file, target.root / file)


def bring_folder(source: Path, target: Path, *, linked: tuple[str, ...] = ()) -> None:
    """Bring all whole files of a folder, with those in its folders; nothing where it is none."""
    for file in _files(source):
        bring(file, target / file.relative_to(source), linked=linked)


def bring(source: Path, target: Path, *, linked: tuple[str, ...] = ()) -> None:
    """Bring a file to another place with its time of change; what is there already stays.

    A file that goes away meanwhile is left out: whoever reads it says so.

    Args:
        source, target: paths.
        linked: ends of the names of files that may be one file under two names. Only files that
            are always written anew and renamed may be, for what is written in place changes both.

    Raises:
        UnwritableFile: the disk is full, or the place is not to be written to.
    """
    # It appears under its name only when complete.
    temporary = target.with_name(f".{target.name}.{os.getpid()}{TEMPORARY}")
    try:
        if not _is_same(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if not (source.name.endswith(linked) and _linked(source, temporary)):
                shutil.copy2(source, temporary)
            os.replace(temporary, target)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnwritableFile(sentence(error)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _files(folder: Path) -> Iterable[Path]:
    """List the files in a folder that are whole."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if not path.name.endswith((TEMPORARY, DAMAGED))]


def _is_same(source: Path, target: Path) -> bool:
    """Tell whether a file was brought and neither place has changed since."""
    if not target.exists():
        return False
    stats = source.stat(), target.stat()
    return stats[0].st_size == stats[1].st_size and stats[0].st_mtime_ns == stats[1].st_mtime_ns


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name; False where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True
