"""The pipeline on films of drawn faces with known boxes, and the command's files and messages."""

import os

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from lib.application import filmed
from lib.application.command import main
from lib.application.detection import S1, Search
from lib.application.drawing import crop
from lib.application.network import Network, open_network
from lib.application.output import record
from lib.application.sources import open_source
from lib.application.stream import Pipeline, recognise
from lib.application.tracking import overlaps
from lib.classifiers.export import export_onnx
from lib.classifiers.models import build_classifier
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.study.errors import StudyError

HAPPY = Network(
    lambda images: np.tile(np.eye(7, dtype=np.float32)[3], (len(images), 1)), 48, EMOTIONS, {}
)


@pytest.fixture(scope="module")
def faces():
    return draw_faces(np.arange(14) % 7, np.arange(14), px=150)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(0)
    return export_onnx(
        build_classifier("small", classes=7).eval(),
        tmp_path_factory.mktemp("model") / "m.onnx",
        image_px=48,
        classes=EMOTIONS,
        metadata={},
    )


def command(source, model, output, *more) -> int:
    """Call the command line, and return its exit status."""
    words = ["--source", source, "--model", model, "--output", output, *more]
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def video(faces, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "film.avi"
    return path, filmed.make_video(faces, path, frames=40)


def found_share(faces, search, at_once):
    """Share of shown faces that are detected with an overlap of 0.4: Haar's box is tighter."""
    frames, truth = zip(*filmed.film(faces, frames=20, at_once=at_once, hold=5))
    hits = 0
    for seen, rows in zip(recognise(iter(frames), HAPPY, Pipeline(search)), truth):
        shown = rows[["x", "y", "side", "side"]].to_numpy(float)
        boxes = np.array([face.box for face in seen.faces if not face.missed]).reshape(-1, 4)
        hits += int((overlaps(shown, boxes) >= 0.4).any(1).sum())
    return hits / (20 * at_once)


@pytest.mark.parametrize("at_once", [1, 5])
def test_following_finds_what_the_whole_frame_finds(faces, at_once):
    assert found_share(faces, Search(), at_once) >= found_share(faces, S1, at_once) - 0.05 >= 0.8


def test_one_face_keeps_one_number_and_gets_the_networks_answer(faces):
    frames = (frame for frame, _ in filmed.film(faces, frames=30))
    seen = list(recognise(frames, HAPPY))
    assert {face.number for item in seen for face in item.faces} == {0}
    assert EMOTIONS[seen[-1].faces[0].probabilities.argmax()] == "happy"
    assert set(seen[0].milliseconds) == {"read", "detect", "classify"}


def test_a_frame_without_a_face_has_none(faces):
    room = next(filmed.film(faces, frames=1))[0]
    room.image[:] = 128
    assert list(recognise([room], HAPPY))[0].faces == []


def test_a_crop_reaches_beyond_the_frame_by_repeating_its_edge():
    grey = np.tile(np.arange(100, dtype=np.uint8), (100, 1))
    assert np.array_equal(crop(grey, np.array([10, 20, 48, 48]), px=48), grey[20:68, 10:58])
    assert (crop(grey, np.array([-60, 0, 48, 48]), px=48) == 0).all()
    assert crop(grey, np.array([90, 90, 30, 20]), px=48, margin_share=0.2).shape == (48, 48)


def test_the_command_leaves_a_complete_csv_and_a_playable_video(video, exported, tmp_path, capsys):
    assert command(video[0], exported, tmp_path) == 0
    table = pd.read_csv(tmp_path / "faces.csv")
    assert sorted(set(table["frame"])) == list(range(40))
    with_face = table.dropna(subset=["face"])
    assert len(with_face) >= 36 and np.allclose(
        with_face[[f"p_{c}" for c in EMOTIONS]].sum(axis=1), 1, atol=1e-3
    )
    assert (
        with_face["class"]
        == np.array(EMOTIONS)[with_face[[f"p_{c}" for c in EMOTIONS]].to_numpy().argmax(1)]
    ).all()
    assert (table[["detect_ms", "draw_ms", "write_ms"]] >= 0).all().all()
    capture, count = cv2.VideoCapture(str(tmp_path / "annotated.avi")), 0
    while capture.read()[0]:
        count += 1
    assert count == 40
    assert "40 frames" in capsys.readouterr().out


def test_a_folder_with_a_damaged_picture_is_read_but_for_it(faces, exported, tmp_path, capsys):
    for number, (frame, _) in enumerate(filmed.film(faces, frames=3)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame.image)
    good = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(good[:1000])
    assert command(tmp_path, exported, tmp_path / "out", "--no-video") == 1
    assert "1.png: the picture is damaged" in capsys.readouterr().err
    assert sorted(set(pd.read_csv(tmp_path / "out" / "faces.csv")["frame"])) == [0, 2]


def test_a_video_that_breaks_off_says_so_and_keeps_what_was_done(video, exported, tmp_path, capsys):
    whole = video[0].read_bytes()
    (tmp_path / "half.avi").write_bytes(whole[: len(whole) // 2])
    status = command(tmp_path / "half.avi", exported, tmp_path / "out")
    frames = pd.read_csv(tmp_path / "out" / "faces.csv")["frame"].max() + 1
    assert status == 1 and 10 <= frames < 40
    assert f"broke off after {frames}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "source, said",
    [
        ("no-such.mp4", "no such file or folder"),
        ("93", "no camera answers"),
        ("text.mp4", "is it a video"),
        ("empty", "no pictures in this folder"),
    ],
)
def test_sources_that_are_none_are_named(tmp_path, monkeypatch, source, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("not a video")
    os.mkdir(tmp_path / "empty")
    with pytest.raises(StudyError, match=said):
        open_source(source)


def test_values_out_of_range_are_named(video, exported, capsys):
    assert main(["--source", str(video[0]), "--model", str(exported), "--smoothing", "1.5"]) == 1
    assert "--smoothing 1.5: must lie between 0 and 0.99" in capsys.readouterr().err


def test_a_live_source_drops_what_is_not_taken(video):
    import time

    source = open_source(str(video[0]), live=True)
    numbers = []
    for frame in source.frames():
        numbers.append(frame.number)
        time.sleep(0.1)
    assert numbers == sorted(set(numbers)) and len(numbers) + source.dropped[0] == 40
    assert source.dropped[0] >= 20 and source.problems == []


def test_a_film_repeats_with_its_seed_and_refuses_a_crowd(faces):
    a, b = (next(filmed.film(faces, frames=1, seed=3))[0].image for _ in range(2))
    assert np.array_equal(a, b)
    with pytest.raises(StudyError, match="1 to 6 fit"):
        next(filmed.film(faces, frames=1, at_once=9))


def test_a_frame_that_does_not_decode_is_passed_over_with_a_message(
    video, exported, tmp_path, capsys
):
    whole = bytearray(video[0].read_bytes())
    at = [i for i in range(len(whole) - 1) if whole[i : i + 2] == b"\xff\xd8"][
        20
    ]  # the start of the 21st picture
    whole[at : at + 600] = bytes(600)
    (tmp_path / "bad.avi").write_bytes(whole)
    status = command(tmp_path / "bad.avi", exported, tmp_path / "out", "--no-video")
    frames = sorted(set(pd.read_csv(tmp_path / "out" / "faces.csv")["frame"]))
    assert status == 1 and frames == [n for n in range(40) if n != 20]
    assert "1 frames from frame 20 on do not decode; left out" in capsys.readouterr().err


def test_what_was_done_is_kept_when_the_source_fails_midway(faces, exported, tmp_path):
    network, frames = open_network(exported), [frame for frame, _ in filmed.film(faces, frames=12)]

    def failing():
        yield from frames
        raise OSError("the camera was unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(
            record(
                recognise(failing(), network),
                network.classes,
                table=tmp_path / "t.csv",
                video=tmp_path / "v.avi",
                behind=4,
            )
        )
    assert sorted(set(pd.read_csv(tmp_path / "t.csv")["frame"])) == list(range(12))
    capture, count = cv2.VideoCapture(str(tmp_path / "v.avi")), 0
    while capture.read()[0]:
        count += 1
    assert count == 12


@pytest.mark.parametrize(
    "model, said", [("none.onnx", "no such file"), ("text.onnx", "is not an ONNX file")]
)
def test_a_model_that_is_none_is_named_before_anything_is_written(
    video, tmp_path, capsys, model, said
):
    (tmp_path / "text.onnx").write_text("no network")
    assert command(video[0], tmp_path / model, tmp_path / "out") == 1
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_window_without_a_display_is_refused_before_anything_is_written(
    video, exported, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert command(video[0], exported, tmp_path / "out", "--show") == 1
    assert "there is no display here" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_file_that_is_not_yunet_is_named_before_anything_is_written(
    video, exported, tmp_path, capsys
):
    (tmp_path / "text").write_text("no network")
    assert command(video[0], exported, tmp_path / "out", "--yunet", tmp_path / "text") == 1
    assert "error: --yunet: " in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_pictures_of_a_folder_have_nothing_to_do_with_each_other(faces, exported, tmp_path):
    for number, x in enumerate((40, 400, 40)):  # the face is somewhere else each time
        canvas = np.full((300, 600, 3), 120, np.uint8)
        canvas[60:210, x : x + 150] = faces.images[3][:, :, None]
        cv2.imwrite(str(tmp_path / f"{number}.png"), canvas)
    assert command(tmp_path, exported, tmp_path / "out", "--no-video") == 0
    table = pd.read_csv(tmp_path / "out" / "faces.csv")
    assert (table["x"] > 300).tolist() == [False, True, False] and table["x"][0] == table["x"][2]
    assert np.allclose(
        table[[f"p_{c}" for c in EMOTIONS]].iloc[0], table[[f"p_{c}" for c in EMOTIONS]].iloc[2]
    )
