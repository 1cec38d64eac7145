"""Fills real disks: runs in a mount namespace of its own, where it mounts small file systems.

`python tests/full_disk.py` reads its order as JSON and prints what happened as JSON; see
test_full_disk.py, which starts it. What it mounts goes when it ends, however it ends.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "generators")]

PAGE = 4096  # bytes that the smallest file takes
LARGE = "size=256m,nr_inodes=100000"
NAMESPACE = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--user", "--map-root-user"])]


def may_mount() -> bool:
    """Tell whether this machine lets this user mount a file system of his own."""
    words = [*NAMESPACE, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"]
    with contextlib.suppress(OSError):
        return subprocess.run(words, capture_output=True).returncode == 0
    return False


def mount(folder: Path, options: str) -> None:
    """Mount an empty file system in memory, or change the size of one."""
    is_mounted = os.path.ismount(folder)
    way = ["-o", f"remount,{options}"] if is_mounted else ["-t", "tmpfs", "-o", options]
    subprocess.run(["mount", *way, "tmpfs", str(folder)], check=True)


def unmount(folder: Path) -> None:
    """Take a file system away with all that it holds."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def taken(folder: Path) -> dict[str, int]:
    """Count what a file system holds: pages, and files and folders."""
    status = os.statvfs(folder)
    pages = (status.f_blocks - status.f_bfree) * status.f_frsize // PAGE
    return {"size": pages, "nr_inodes": status.f_files - status.f_ffree}


def contents(folder: Path, patterns: list[str]) -> dict[str, str]:
    """Read what is compared."""
    files = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    return {
        str(file.relative_to(folder)): file.read_bytes().hex() for file in files if file.is_file()
    }


def sweep(work: Callable[[Path], str], folder: Path, patterns: list[str], most: int) -> list[dict]:
    """Do some work on disks that are full at every moment of it, and again when there is room.

    Args:
        work: into a folder; returns "" or the sentence that it ended with; raises what is none.
        folder: to mount at.
        patterns: of the files that have to come out as on a large disk.
        most: disks of each kind (too few bytes, too few files), evenly over all.

    Returns:
        What happened on each disk: room, said (at first), and fault ("" if none).
    """
    # Undisturbed.
    mount(folder, LARGE)
    before = taken(folder)
    assert not (said := work(folder)), said
    after, whole = taken(folder), contents(folder, patterns)
    unmount(folder)
    assert whole

    # Full.
    happened = []
    for kind, last in after.items():
        first = before[kind] + 1
        step = max(1, -(-(last - first) // most))
        for room in range(first, last, step):
            is_size = kind == "size"
            mount(folder, f"size={room * PAGE}" if is_size else f"size=256m,nr_inodes={room}")
            happened.append({"room": f"{kind} {room}", **_one(work, folder, patterns, whole)})
            unmount(folder)
    return happened


def _one(work: Callable, folder: Path, patterns: list[str], whole: dict) -> dict:
    """Do the work on a disk that is full, and once more when it is not."""
    said = fault = ""
    try:
        said = work(folder)
        free = "free some space and run again, finished work is kept"
        if said and not ("no space left" in said and free in said):
            fault = f"no way out is told: {said}"
        mount(folder, LARGE)
        if not fault and (again := work(folder)):
            fault = f"again, with room: {again}"
        found = contents(folder, patterns)
        if not fault and found != whole:
            names = sorted(set(whole) ^ set(found)) or [n for n in whole if whole[n] != found[n]]
            fault = f"other files than on a large disk: {names[:5]}"
    except Exception:
        fault = traceback.format_exc()
    return {"said": said, "fault": fault}


# Stages of a study, by the functions that its notebooks call.


def data(folder: Path) -> None:
    """10: pack faces, and write their pictures."""
    from lib.faces.faceset import save_faces

    save_faces(some_faces(12), folder / "data", pictures=True)


def generation(folder: Path) -> None:
    """20: train a generator, save it, and sample a pool."""
    from small_generators import SMALL, noise_faces, small_generator

    from lib.generators.pools import make_pool, save_generator
    from lib.study.params import load_params

    faces, generator = noise_faces(), small_generator(checkpoints=2)
    generator.fit(faces, folder=generator.training_folder(faces, folder / "generators", folder))
    params = load_params("quick") | SMALL | {"pool": "dcgan", "pool_images": 10}
    save_generator(generator, folder / "pools/dcgan", faces, faces)
    make_pool(generator, params, folder / "pools/dcgan")


def curation(folder: Path) -> None:
    """30: write verdicts and the images that stay."""
    import pandas as pd

    from lib.curation.rounds import SHARES, save_round
    from lib.faces.pool import load_verdicts, save_single_steps, save_verdicts

    pool = some_faces(12)
    fields = {"step": "blur", "keep": True, "score": 0.5, "reason": "", "relabel": ""}
    verdicts = pd.DataFrame({"id": pool.table["id"], **fields})
    save_verdicts(folder / "pools/a", verdicts, pool.select([0, 1, 2, 3]))
    save_single_steps(folder / "pools/a", verdicts)
    save_round(folder / "pools/a", pd.DataFrame([{"class": "happy"} | dict.fromkeys(SHARES, 0.5)]))
    assert len(load_verdicts(folder / "pools/a")) == 12


def training(folder: Path) -> None:
    """40: train classifiers."""
    from lib.classifiers.jobs import plan_jobs
    from lib.classifiers.runs import finished, load_runs, prepare, run_job
    from lib.classifiers.training_sets import Sources
    from lib.faces.arms import Arm
    from lib.faces.faceset import save_faces
    from lib.study.params import load_params

    save_faces(some_faces(24, {"train": 12, "val": 4, "test": 8}), folder / "data")
    sources = Sources(folder / "data", {}, True, 0)
    params = load_params("quick") | {"train_steps": 2, "seeds": 2, "device": "cpu"}
    jobs = plan_jobs([Arm("base")], sources, params)
    prepared = prepare(sources, folder / "runs")
    for job in jobs:
        run_job(prepared, job)
        assert finished(folder / "runs", job)
    assert list(load_runs(folder / "runs", jobs)["failed"]) == ["", ""]


def results(folder: Path) -> None:
    """50: append results, write tables and an answer, and record what was written."""
    import pandas as pd

    from lib.study.answer import Sentence, write_answer
    from lib.study.records import write_csv, write_tables
    from lib.study.results import collect_results
    from lib.study.step import begin

    step = begin("50_metrics", {"study": "quick", "output": str(folder), "write": True})
    step.tell("it begins")
    row = {"study": "quick", "arm": "", "classifier": "", "seed": 0, "split": "test"}
    row |= {"metric": "fd", "class": "", "value": 0.5}
    step.append_results([row | {"seed": seed} for seed in range(60)])
    tables = {"a": pd.DataFrame({"a": range(1000)}), "b": pd.DataFrame({"b": []})}
    files = write_tables(step.paths.tables, tables)
    files.append(write_csv(step.paths.tables / "c.csv", collect_results(step.paths)))
    files.append(write_answer(step.paths, [Sentence("It helps.", "dcgan", "helps")]))
    step.finish(files)


STAGES = {stage.__name__: stage for stage in (data, generation, curation, training, results)}
KEPT = {
    "data": ["data/**/*"],
    "generation": ["generators/*/generator.safetensors", "pools/*/*", "pools/*/*/*"],
    "curation": ["pools/**/*"],
    "training": ["runs/*/predictions.npz", "runs/*/model.safetensors"],
    "results": ["runs/quick/tables/*.csv", "reports/quick/*"],
}


def some_faces(count: int, splits: dict | None = None):
    """Make images of noise with two classes."""
    import numpy as np
    import pandas as pd

    from lib.faces.faceset import FaceSet

    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16)).astype(np.uint8)
    split = np.repeat(list(splits), list(splits.values())) if splits else "train"
    kinds = np.array(["happy", "sad"])[np.arange(count) % 2]
    table = pd.DataFrame({"id": [f"face-{i}" for i in range(count)], "class": kinds})
    return FaceSet(images, table.assign(split=split, source="made"), ("happy", "sad"))


def in_process(stage: str) -> Callable[[Path], str]:
    """Give a stage as work: whatever is no StudyError is raised."""
    from lib.study.errors import StudyError

    def work(folder: Path) -> str:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                STAGES[stage](folder)
        except StudyError as error:
            return str(error)
        return ""

    return work


def by_command(words: list[str], environment: dict) -> Callable[[Path], str]:
    """Give a command as work: what it says where it fails."""

    def work(folder: Path) -> str:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, errors="replace", timeout=300
        )
        said = done.stdout + done.stderr
        if "Traceback" in said:
            raise AssertionError(said)
        return " ".join(said.split()) if done.returncode else ""

    return work


if __name__ == "__main__":
    order = json.loads(sys.stdin.readline())
    place = Path(order["folder"])
    if "stage" in order:
        job, kept = in_process(order["stage"]), KEPT[order["stage"]]
    else:
        job, kept = by_command(order["words"], order["environment"]), order["patterns"]
    print(json.dumps(sweep(job, place, kept, order["most"])))
