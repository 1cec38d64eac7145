"""Time a frame of 640x480 pixels takes: this project, S1's loop and a peer, on the same frames.

    python tests/bench/bench_application.py                          # all tables
    python tests/bench/bench_application.py --peer ~/fer/bin/python  # with `fer` installed

Networks have random weights unless --model names one: speed does not depend on them. Without --peer
a network of the shape that hsemotion-onnx runs (EfficientNet-B0, 224 x 224, three channels) stands
in, with random weights. Loops take turns, so that other load falls on all of them.
"""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2
import numpy as np
import pandas as pd
from bench_application_loops import (
    drawn_frames,
    hsemotions,
    networks,
    ours,
    peers,
    s1_on_video,
    s1s,
    stand_in,
)

from lib.application.command import main as command
from lib.application.detection import QUICK, S1, THOROUGH, Search
from lib.application.filmed import make_video
from lib.application.network import Network, open_network
from lib.application.stream import Pipeline
from lib.application.tracking import overlaps
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.study.machine import environment_facts


def take(loop, frames, truth) -> dict:
    """Time a loop over frames, and count the shown faces that it detects (overlap 0.4 or more)."""
    walls, cpus, boxes, stages = zip(*loop(frames))
    hits = [
        overlaps(shown, np.asarray(b, float).reshape(-1, 4)) >= 0.4
        for shown, b in zip(truth, boxes)
    ]
    found, shown = sum(h.any(1).sum() for h in hits), sum(map(len, truth))
    extra = sum((~h.any(0)).sum() for h in hits)
    facts = {
        "walls": np.array(walls),
        "cpu": np.mean(cpus),
        "found": found / shown,
        "extra": extra / len(frames),
    }
    return facts | {"stages": pd.DataFrame(stages)}


def row(runs: list[dict]) -> dict:
    """Sum repeats up: quantiles over all frames, frames a second as the median over repeats."""
    walls = np.concatenate([run["walls"] for run in runs])
    low, mid, high = np.quantile([1e3 / run["walls"].mean() for run in runs], [0, 0.5, 1])
    numbers = dict(zip(("median_ms", "p95_ms", "p99_ms"), np.quantile(walls, [0.5, 0.95, 0.99])))
    numbers |= {
        "cpu_ms": np.mean([run["cpu"] for run in runs]),
        "fps": mid,
        "fps_lowest": low,
        "fps_highest": high,
    }
    return numbers | {"found": runs[0]["found"], "extra_a_frame": runs[0]["extra"]}


def in_turns(loops: dict, frames, truth, repeats: int) -> dict[str, list]:
    """Run every loop `repeats` times, one after the other, round by round."""
    runs = {name: [] for name in loops}
    for _ in range(repeats):
        for name, loop in loops.items():
            runs[name].append(take(loop, frames, truth))
    return runs


def side_by_side(loops: dict, at_once: int, options) -> None:
    """Print speed by loop and by stage."""
    frames, truth = drawn_frames(options.frames, at_once)
    runs = in_turns(loops, frames, truth, options.repeats)
    table = pd.DataFrame([{"loop": name} | row(part) for name, part in runs.items()])
    reference = runs["S1's loop"]
    table["times_s1"] = [
        np.median([r["walls"].mean() / m["walls"].mean() for r, m in zip(reference, part)])
        for part in runs.values()
    ]
    rounds = f"{options.frames} frames x {options.repeats} rounds, {options.threads} threads"
    say(f"{at_once} face(s): in memory, {rounds}", table)
    stages = [
        (
            name,
            stage,
            *np.quantile(np.concatenate([run["stages"][stage] for run in part]), [0.5, 0.95, 0.99]),
        )
        for name, part in runs.items()
        for stage in part[0]["stages"]
    ]
    say(
        "... by stage",
        pd.DataFrame(stages, columns=["loop", "stage", "median_ms", "p95_ms", "p99_ms"]),
    )


def choices(at_once: int, options) -> None:
    """Print what each choice of the search costs in detections and gains in time."""
    frames, truth = drawn_frames(options.frames, at_once)
    ways = {
        "S1: full frame, every frame": S1,
        "1.2 and 4 hits, from 60 px": Search(reduce=1, every=1),
        "... half size": Search(every=1),
        "... a third": Search(every=1, reduce=3),
        "half size, every 8th, near (both)": Search(),
        "... and a second thread (default)": Search(background=True),
        "... every 4th": Search(background=True, every=4),
        "... every 16th": Search(background=True, every=16),
        "... a third of the size": Search(background=True, reduce=3),
        "... near: quick alone": Search(background=True, near=(QUICK,)),
        "... near: thorough alone": Search(background=True, near=(THOROUGH,)),
    }
    nobody = Network(lambda images: np.full((len(images), 7), 1 / 7, np.float32), 48, EMOTIONS, {})
    loops = {name: ours(nobody, Pipeline(search)) for name, search in ways.items()}
    runs = in_turns(loops, frames, truth, 1)
    table = pd.DataFrame([{"search": name} | row(part) for name, part in runs.items()])
    say(f"{at_once} face(s): choices of the search, no classifier, {options.frames} frames", table)


def smaller(paths: dict, threads: int) -> None:
    """Print floats against 8 bit for one and for five faces a call."""
    rows, opened = [], {name: open_network(path, threads=threads) for name, path in paths.items()}
    images = draw_faces(np.arange(5), np.arange(5)).images
    for n in (1, 5):
        times = {name: [] for name in paths}
        for _ in range(300):
            for name, network in opened.items():
                began = time.perf_counter()
                network.classify(images[:n])
                times[name].append(1e3 * (time.perf_counter() - began))
        rows += [
            (name, n, np.median(t), np.quantile(t, 0.99), paths[name].stat().st_size / 1000)
            for name, t in times.items()
        ]
    table = pd.DataFrame(rows, columns=["network", "faces", "median_ms", "p99_ms", "kB"])
    say(f"networks, {threads} thread(s), 300 calls in turns", table)


def end_to_end(model: Path, s1: Network, folder: Path, options) -> None:
    """Print the command's times on a video, beside S1's loop with the same reading and writing."""
    video, rows = folder / "film.avi", []
    make_video(draw_faces(np.arange(210) % 7, np.arange(210), px=150), video, frames=options.frames)
    words = [
        "--source",
        str(video),
        "--model",
        str(model),
        "--output",
        str(folder / "out"),
        "--threads",
        str(options.threads),
    ]
    for _ in range(options.repeats):
        began, cpu = time.perf_counter(), time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            command(words)
        rows.append({"loop": "the command", **used(began, cpu, options.frames)})
        seen = pd.read_csv(folder / "out" / "faces.csv").drop_duplicates("frame")
        named = seen[["read_ms", "detect_ms", "classify_ms"]].sum(axis=1)
        rows[-1] |= quantiles("named", named) | quantiles(
            "written", named + seen[["draw_ms", "write_ms"]].sum(axis=1)
        )
        cv2.setNumThreads(options.threads)
        began, cpu = time.perf_counter(), time.process_time()
        times = s1_on_video(video, folder / "s1.avi", s1)
        rows.append(
            {"loop": "S1's loop", **used(began, cpu, options.frames)} | quantiles("written", times)
        )
    included = "decoding and writing included; start-up included in fps"
    title = f"end to end, one face, {options.frames} frames, {included}"
    say(title, pd.DataFrame(rows).sort_values("loop", kind="stable"))


def used(began: float, cpu: float, frames: int) -> dict:
    """Tell what was used since two clocks were read: frames a second and CPU time a frame."""
    return {
        "fps": frames / (time.perf_counter() - began),
        "cpu_ms": 1e3 * (time.process_time() - cpu) / frames,
    }


def quantiles(name: str, times) -> dict:
    """Give median and 95th percentile as columns of a table."""
    return {f"{name}_median_ms": np.median(times), f"{name}_p95_ms": np.quantile(times, 0.95)}


def say(title: str, table: pd.DataFrame) -> None:
    """Print a table under its title."""
    print(f"\n{title}\n{table.to_string(index=False, float_format='%.2f')}", flush=True)


def main() -> None:
    """Parse the options and print all tables."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--frames", type=int, default=400)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--peer", default="", help="Python of an environment with fer")
    p.add_argument(
        "--model",
        type=Path,
        help="ONNX classifier; default: the small network in 8 bit, random weights",
    )
    options = p.parse_args()
    facts = environment_facts()
    versions = f"OpenCV {cv2.__version__}, onnxruntime {facts['versions']['onnxruntime']}"
    print(f"{facts['cpu']}, {facts['cores']} cores, load {os.getloadavg()[0]:.1f}, {versions}")
    cv2.setNumThreads(
        options.threads
    )  # all loops alike; ours adds its own thread, so the command gives OpenCV one less
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = networks(folder)
        model, s1 = (
            options.model or paths["small int8"],
            open_network(paths["s1"], threads=options.threads),
        )
        smaller(paths, 1)
        loops = {
            "this project": ours(
                open_network(model, threads=options.threads), Pipeline(Search(background=True))
            ),
            "S1's loop": s1s(s1),
            "S1's loop, all faces": s1s(s1, first=False),
        }
        loops["stand-in"] = hsemotions(stand_in(folder), options.threads)
        if options.peer:
            loops["fer"] = peers(options.peer, options.threads)
        for at_once in (1, 5):
            side_by_side(loops, at_once, options)
            choices(at_once, options)
        end_to_end(model, s1, folder, options)


if __name__ == "__main__":
    main()
