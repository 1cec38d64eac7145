"""The loops that bench_application compares: this project's, S1's, and peers'.

Each takes frames and yields, a frame, (milliseconds, milliseconds of CPU time, boxes float (N, 4),
milliseconds by stage).
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from lib.application.detection import S1, make_detector
from lib.application.drawing import annotate
from lib.application.filmed import film
from lib.application.network import Network, quantise
from lib.application.sources import open_source
from lib.application.stream import Pipeline, recognise
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces

PEER = """
import json, sys, time
import cv2, numpy as np
from fer.fer import FER
cv2.setNumThreads(int(sys.argv[2]))
frames = np.load(sys.argv[1])
times, boxes, detector = [], [], FER()
for grey in frames:
    image = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    began, cpu = time.perf_counter(), time.process_time()
    found = detector.detect_emotions(image)
    times.append((1e3 * (time.perf_counter() - began), 1e3 * (time.process_time() - cpu)))
    boxes.append([[float(v) for v in face["box"]] for face in found])
print(json.dumps({"times": times[10:], "boxes": boxes}))
"""


def drawn_frames(n: int, at_once: int) -> tuple[list, list]:
    """Film n frames; give them and the boxes of the faces shown, float (at_once, 4) a frame."""
    faces = draw_faces(np.arange(210) % 7, np.arange(210), px=150)
    frames, truth = zip(*film(faces, frames=n, at_once=at_once))
    return list(frames), [rows[["x", "y", "side", "side"]].to_numpy(float) for rows in truth]


def networks(folder: Path) -> dict[str, Path]:
    """Export this project's small network and S1's, in floats and 8 bit, and the peer's shape."""
    import torch

    from lib.classifiers.export import export_onnx
    from lib.classifiers.models import build_classifier

    torch.manual_seed(0)
    images = draw_faces(np.arange(210) % 7, np.arange(210)).images
    paths = {}
    for name in ("small", "s1"):
        paths[name] = export_onnx(
            build_classifier(name, classes=7).eval(),
            folder / f"{name}.onnx",
            image_px=48,
            classes=EMOTIONS,
        )
        paths[f"{name} int8"] = quantise(paths[name], folder / f"{name}-int8.onnx", images)
    return paths


def stand_in(folder: Path) -> Path:
    """Export a random EfficientNet-B0 with hsemotion-onnx's input and eight outputs."""
    import torch
    from torchvision.models import efficientnet_b0

    path = folder / "efficientnet.onnx"
    network, image = efficientnet_b0(num_classes=8).eval(), torch.zeros(1, 3, 224, 224)
    torch.onnx.export(network, (image,), str(path), dynamo=True, verbose=False, external_data=False)
    return path


def ours(network: Network, options: Pipeline):
    """Give the loop of this project."""

    def loop(frames):
        began, cpu = time.perf_counter(), time.process_time()
        for item in recognise(frames, network, options):
            annotate(item.frame.image.copy(), item.faces, network.classes)
            now, used = time.perf_counter(), time.process_time()
            stages = {key: value for key, value in item.milliseconds.items() if key != "read"}
            yield (
                1e3 * (now - began),
                1e3 * (used - cpu),
                np.array([f.box for f in item.faces if not f.missed]).reshape(-1, 4),
                stages,
            )
            began, cpu = time.perf_counter(), time.process_time()

    return loop


def s1s(network: Network, *, first: bool = True):
    """Make S1's loop: Haar on every full frame, first face, 48 x 48, label and rectangle drawn."""
    detect = make_detector(S1)

    def loop(frames):
        for frame in frames:
            began, cpu, image = time.perf_counter(), time.process_time(), frame.image.copy()
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            boxes = detect(grey, np.zeros((0, 4))).astype(int)
            detected = time.perf_counter()
            for x, y, w, h in boxes[:1] if first else boxes:
                label = EMOTIONS[
                    network.classify(cv2.resize(grey[y : y + h, x : x + w], (48, 48))[None])[
                        0
                    ].argmax()
                ]
                cv2.rectangle(image, (x, y), (x + w, y + h), (255, 0, 0), 2)
                cv2.putText(
                    image, label, (x, y - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 0, 0), 2
                )
            now = time.perf_counter()
            stages = {"detect": 1e3 * (detected - began), "classify": 1e3 * (now - detected)}
            yield 1e3 * (now - began), 1e3 * (time.process_time() - cpu), boxes, stages

    return loop


def hsemotions(path: Path, threads: int):
    """Make the loop of hsemotion-onnx's users: Haar as S1, each face at 224 x 224 in colour."""
    import onnxruntime

    options, detect = onnxruntime.SessionOptions(), make_detector(S1)
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name, mean, spread = (
        session.get_inputs()[0].name,
        np.array([0.485, 0.456, 0.406]),
        np.array([0.229, 0.224, 0.225]),
    )

    def loop(frames):
        for frame in frames:
            began, cpu = time.perf_counter(), time.process_time()
            boxes = detect(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), np.zeros((0, 4))).astype(
                int
            )
            detected = time.perf_counter()
            for x, y, w, h in boxes:
                pixels = (
                    cv2.resize(frame.image[y : y + h, x : x + w], (224, 224)) / 255 - mean
                ) / spread
                session.run(None, {name: pixels.transpose(2, 0, 1).astype(np.float32)[None]})
            now = time.perf_counter()
            stages = {"detect": 1e3 * (detected - began), "classify": 1e3 * (now - detected)}
            yield 1e3 * (now - began), 1e3 * (time.process_time() - cpu), boxes, stages

    return loop


def peers(python: str, threads: int):
    """Give the loop of `fer`, run by a Python that has it; frames travel as one file."""

    def loop(frames):
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/frames.npy", np.stack([frame.image[..., 0] for frame in frames]))
            done = subprocess.run(
                [python, "-c", PEER, f"{folder}/frames.npy", str(threads)],
                capture_output=True,
                text=True,
            )
        if done.returncode:
            raise SystemExit(f"--peer {python}: {done.stderr[-400:]}")
        said = json.loads(done.stdout.splitlines()[-1])
        for (wall, cpu), boxes in zip([said["times"][0]] * 10 + said["times"], said["boxes"]):
            yield wall, cpu, np.array(boxes).reshape(-1, 4), {}

    return loop


def s1_on_video(video: Path, target: Path, network: Network) -> list[float]:
    """Run S1's loop with reading and writing; milliseconds of each frame."""
    frames, times = [], []
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*"MJPG"), 25, (640, 480))
    began = time.perf_counter()

    def pulled():
        for frame in open_source(str(video)).frames():
            frames.append(frame)
            yield frame

    for _ in s1s(network)(pulled()):
        writer.write(frames.pop().image)
        times.append(1e3 * (time.perf_counter() - began))
        began = time.perf_counter()
    writer.release()
    return times
