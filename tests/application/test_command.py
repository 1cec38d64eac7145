"""The command: every source is evaluated, every place for results is a place or a sentence."""

import io
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from lib.application import filmed
from lib.application.command import main, parser
from lib.classifiers.export import export_onnx
from lib.classifiers.models import build_classifier
from lib.faces.classes import EMOTIONS, FER2013_CODES
from lib.faces.drawn import draw_faces
from lib.study.paths import ROOT


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = build_classifier("small", classes=7).eval()
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    return export_onnx(network, path, image_px=48, classes=EMOTIONS, metadata={})


@pytest.fixture(scope="module")
def faces():
    return draw_faces(np.arange(14) % 7, np.arange(14), px=150)


@pytest.fixture(scope="module")
def video(faces, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "film.avi"
    filmed.make_video(faces, path, frames=12)
    return path


def lay_out(faces, root: Path) -> dict[str, Path]:
    """Write the same faces as every kind of source, without any split."""
    names = list(faces.table["class"])
    pngs = [cv2.imencode(".png", image)[1].tobytes() for image in faces.images]
    for i, (name, png) in enumerate(zip(names, pngs)):
        (root / "folder" / name).mkdir(parents=True, exist_ok=True)
        (root / "folder" / name / f"{i}.png").write_bytes(png)
    shutil.make_archive(str(root / "packed"), "zip", root / "folder")

    # Flat, with metadata.
    (root / "flat").mkdir()
    for i, png in enumerate(pngs):
        (root / "flat" / f"{i}.png").write_bytes(png)
    files = [f"{i}.png" for i in range(len(pngs))]
    labels = pd.DataFrame({"file_name": files, "label": names})
    labels.to_csv(root / "flat" / "metadata.csv", index=False)

    # Tables.
    codes = [FER2013_CODES.index(name) for name in names]
    pixels = [" ".join(map(str, image.ravel())) for image in faces.images]
    pd.DataFrame({"emotion": codes, "pixels": pixels}).to_csv(root / "t.csv", index=False)
    pa.parquet.write_table(pa.table({"image": pngs, "label": names}), root / "t.parquet")
    with zipfile.ZipFile(root / "csv.zip", "w") as archive:
        archive.write(root / "t.csv", "inside/t.csv")
    return {
        "folder": root / "folder",
        "zip": root / "packed.zip",
        "metadata": root / "flat",
        "csv": root / "t.csv",
        "parquet": root / "t.parquet",
        "csv in a zip": root / "csv.zip",
    }


@pytest.mark.parametrize("find_faces", [[], ["--find-faces"]], ids=["whole", "find-faces"])
def test_every_source_of_the_same_faces_has_the_same_accuracy(
    faces, model, tmp_path, find_faces, capsys
):
    tables = {}
    for name, path in lay_out(faces, tmp_path).items():
        out = tmp_path / f"out-{name}"
        words = ["--evaluate", str(path), "--model", str(model), "--output", str(out)]
        assert main([*words, *find_faces]) == 0, (name, capsys.readouterr().err)
        tables[name] = (out / "evaluation.csv").read_text()
    assert len(set(tables.values())) == 1
    assert pd.read_csv(io.StringIO(tables["zip"]))["n"].tolist() == [2] * 7 + [14]


def test_find_faces_cuts_faces_out_of_every_source(model, tmp_path, monkeypatch):
    from lib.application import cross_dataset

    seen = []
    original = cross_dataset.class_accuracy
    monkeypatch.setattr(
        cross_dataset, "class_accuracy", lambda n, f: seen.append(f) or original(n, f)
    )
    scenes = draw_faces(np.arange(7), np.arange(7), px=200)
    wide = np.full((7, 240, 240), 120, np.uint8)
    wide[:, 30:230, 30:230] = scenes.images
    sources = lay_out(type(scenes)(wide, scenes.table), tmp_path)
    for path in (sources["folder"], sources["zip"], sources["csv"], sources["parquet"]):
        words = ["--evaluate", str(path), "--model", str(model), "--output", str(tmp_path / "o")]
        assert main(words) == main([*words, "--find-faces"]) == 0
    digests = [faces.images.tobytes() for faces in seen]
    assert len(set(digests[::2])) == len(set(digests[1::2])) == 1 and len(set(digests)) == 2


def test_a_home_is_understood_where_a_shell_leaves_it(monkeypatch, tmp_path, video, model):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shutil.copy(model, tmp_path / "m.onnx")
    shutil.copy(video, tmp_path / "film.avi")
    words = ["--source=~/film.avi", "--model=~/m.onnx", "--output=~/x", "--no-video"]
    assert main(words) == 0
    assert (tmp_path / "x" / "faces.csv").exists() and not (tmp_path / "~").exists()
    assert parser().parse_args([*words, "--yunet=~/y"]).yunet == str(tmp_path / "y")


@pytest.mark.parametrize("option", ["--model", "--output"])
@pytest.mark.parametrize("value", ["", "~nobody-of-this-name/x"])
def test_a_path_that_cannot_be_is_refused(option, value, capsys):
    with pytest.raises(SystemExit):
        main([f"{option}={value}", "--source", "0", "--model", "m"])
    assert option in capsys.readouterr().err


@pytest.mark.parametrize("task", ["--source", "--evaluate"])
@pytest.mark.parametrize("place", ["file", "file/below", "/proc/here", "csv is a folder"])
def test_a_place_that_takes_no_results_is_named(task, place, tmp_path, video, model, capsys, faces):
    (tmp_path / "file").write_text("x")
    for name in ("faces.csv", "evaluation.csv"):
        (tmp_path / "csv is a folder" / name).mkdir(parents=True)
    source = str(video) if task == "--source" else str(lay_out(faces, tmp_path)["zip"])
    output = place if place.startswith("/") else str(tmp_path / place)
    assert main([task, source, "--model", str(model), "--output", output, "--no-video"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and place in said and said.count("\n") == 1


def limited(words: list[str], most_bytes: int) -> subprocess.CompletedProcess:
    """Run the command where no file may grow beyond a size, as on a disk that is full."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    command = [sys.executable, "-m", "lib.application", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, preexec_fn=limit, capture_output=True, text=True
    )


@pytest.mark.parametrize("video_too", [False, True])
def test_a_full_disk_is_a_sentence_and_what_was_written_stays(
    tmp_path, video, model, faces, video_too
):
    words = ["--source", str(video), "--model", str(model), "--output", str(tmp_path / "out")]
    done = limited(words + ([] if video_too else ["--no-video"]), 100_000 if video_too else 900)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and "no space" in last and "free some" in last
    assert (tmp_path / "out" / "faces.csv").exists()


def test_small_and_large_pictures_have_their_rows(tmp_path, model):
    for name, shape in {"a": (1, 1), "b": (1, 500), "c": (500, 1), "d": (3, 2)}.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full(shape, 100, np.uint8))
    words = ["--source", str(tmp_path), "--model", str(model), "--output", str(tmp_path / "o")]
    assert main([*words, "--no-video"]) == 0
    assert len(pd.read_csv(tmp_path / "o" / "faces.csv")) == 4
