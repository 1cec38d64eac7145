"""Sources of frames: pictures as the loader reads them, videos of any rate, cameras, streams."""

import io
import os
import struct
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.application.sources import open_source
from lib.faces.pictures import decode_grey
from lib.study.errors import StudyError

SCENE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def frames_of(path) -> list:
    return list(open_source(str(path)).frames())


def element(name: str, data: bytes) -> bytes:
    """One element of a Matroska file: its name in hex, the length of its data, the data."""
    return bytes.fromhex(name) + struct.pack(">Q", len(data) | 1 << 56) + data


def number(name: str, value: int) -> bytes:
    return element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def matroska(path, times_ms, *, stated_rate: bool, keep: float = 1.0):
    """Write a video of one JPEG a frame, each at its own time; no count of frames stands in it."""
    head = number("4286", 1) + number("42F7", 1) + number("42F2", 4) + number("42F3", 8)
    head += element("4282", b"matroska") + number("4287", 4) + number("4285", 2)
    length = element("4489", struct.pack(">d", float(times_ms[-1] + 40)))
    info = number("2AD7B1", 1_000_000) + length + element("4D80", b"t") + element("5741", b"t")
    size = number("B0", 64) + number("BA", 48)
    track = number("D7", 1) + number("73C5", 1) + number("83", 1) + element("86", b"V_MJPEG")
    if stated_rate:
        track += number("23E383", 40_000_000)
    tracks = element("AE", track + element("E0", size))
    blocks = b""
    for i, time in enumerate(times_ms):
        picture = cv2.imencode(".jpg", np.full((48, 64, 3), i, np.uint8))[1].tobytes()
        block = b"\x81\x00\x00\x80" + picture
        blocks += element("1F43B675", number("E7", int(time)) + element("A3", block))
    segment = element("1549A966", info) + element("1654AE6B", tracks) + blocks
    whole = element("1A45DFA3", head) + element("18538067", segment)
    path.write_bytes(whole[: int(keep * len(whole))])
    return path


VARYING = np.cumsum(np.random.default_rng(0).integers(20, 260, 60))
SLOWER = [*range(0, 1200, 40), *range(1200, 7200, 200)]


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("stated_rate", [False, True])
@pytest.mark.parametrize("times", [VARYING, SLOWER, range(0, 2400, 40)], ids=len)
def test_a_video_of_varying_rate_is_whole(tmp_path, times, stated_rate, live):
    times = list(times)
    path = matroska(tmp_path / "varying.mkv", times, stated_rate=stated_rate)
    source = open_source(str(path), live=live)
    frames = list(source.frames())
    assert len(frames) + source.dropped[0] == 60 and source.problems == []


@pytest.mark.parametrize("times", [VARYING, SLOWER, range(0, 2400, 40)], ids=len)
def test_a_video_of_varying_rate_that_was_cut_off_is_told(tmp_path, times):
    path = matroska(tmp_path / "cut.mkv", list(times), stated_rate=True, keep=0.5)
    source = open_source(str(path))
    assert 20 <= len(list(source.frames())) < 40 and "broke off after" in source.problems[0]


# Pictures.


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_application_turns_a_picture_as_the_loader_does(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(SCENE).save(tmp_path / "a.jpg", exif=exif)
    grey = decode_grey((tmp_path / "a.jpg").read_bytes(), "a")
    for place in (tmp_path / "a.jpg", tmp_path):
        image = frames_of(place)[0].image
        assert image.shape[:2] == grey.shape
        assert np.abs(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(int) - grey).max() <= 1


def test_the_application_reads_sixteen_bits_palettes_and_cmyk_as_the_loader_does(tmp_path):
    deep = SCENE[:, :, 0].astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(SCENE).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(SCENE).convert("CMYK").save(tmp_path / "print.jfif", "JPEG")
    for frame in frames_of(tmp_path):
        grey = decode_grey((tmp_path / frame.name).read_bytes(), "a")
        seen = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        assert np.abs(seen.astype(int) - grey).max() <= 1 and seen.std() > 20


def test_what_cannot_be_read_is_a_problem_with_its_cause(tmp_path):
    Image.fromarray(SCENE).save(tmp_path / "good.png")
    Image.new("L", (9000, 8000)).save(tmp_path / "large.png")
    Image.fromarray(SCENE[:, :, 0].astype(np.uint16) * 16).save(tmp_path / "twelve.png")
    (tmp_path / "pointer.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "empty.jpg").write_bytes(b"")
    source = open_source(str(tmp_path))
    assert [frame.name for frame in source.frames()] == ["good.png"]
    said = "\n".join(source.problems)
    assert "large.png: 9,000 x 8,000 pixels (72 megapixels) is too large" in said
    assert "twelve.png: its 16-bit values end at" in said and "git lfs pull" in said
    assert "empty.jpg: not a picture: is empty (0 bytes)" in said and len(source.problems) == 4


def test_a_zip_of_pictures_is_a_source(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(SCENE).save(buffer, "PNG")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("x/1.png", "x/2.png", "__MACOSX/x/._1.png"):
            archive.writestr(name, buffer.getvalue())
    source = open_source(str(tmp_path / "a.zip"))
    assert source.unrelated and [frame.name for frame in source.frames()] == ["x/1.png", "x/2.png"]


def test_an_animation_is_a_video(tmp_path):
    frames = [Image.fromarray(np.roll(SCENE, i, 0)) for i in range(5)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    assert len(frames_of(tmp_path / "a.gif")) == 5
    frames[0].save(tmp_path / "b.gif")
    assert len(frames_of(tmp_path / "b.gif")) == 1


@pytest.mark.parametrize("name, kind", [("a.jpg", "MPO"), ("a.tif", "TIFF"), ("a.webp", "WEBP")])
def test_a_picture_with_further_pictures_in_its_file_is_the_first(tmp_path, name, kind):
    # Phones write a second picture into a JPEG.
    frames = [Image.fromarray(np.roll(SCENE, i, 0)) for i in range(3)]
    frames[0].save(tmp_path / name, kind, save_all=True, append_images=frames[1:])
    seen = frames_of(tmp_path / name)
    assert len(seen) == 1 and np.abs(seen[0].image[:, :, ::-1].astype(int) - SCENE).mean() < 60


def test_a_huge_file_is_not_taken_for_a_picture(tmp_path):
    with open(tmp_path / "a.png", "wb") as file:
        file.truncate(10**10)
    with pytest.raises(StudyError, match="is too large for a picture"):
        open_source(str(tmp_path / "a.png"))
    source = open_source(str(tmp_path))
    assert list(source.frames()) == [] and "too large; remove it" in source.problems[0]


def test_a_file_may_be_given_as_an_address(tmp_path):
    place = tmp_path / "with blank"
    place.mkdir()
    Image.fromarray(SCENE).save(place / "a.png")
    assert len(frames_of(f"file://{place}/a.png".replace(" ", "%20"))) == 1


# What is no source.


@pytest.mark.parametrize("text", ["-1", "+1", "²", "99999999999999999999", "-99999999999999999"])
def test_numbers_that_no_camera_has_are_refused_before_opencv_sees_them(text):
    with pytest.raises(StudyError, match="no camera has this number|no such file|no camera ans"):
        open_source(text)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/tty"])
def test_a_device_that_is_no_camera_is_named_as_one(device):
    if not os.path.exists(device):
        pytest.skip(f"no {device} here")
    with pytest.raises(StudyError, match=f"--source {device}: no camera answers there"):
        open_source(device)


@pytest.mark.parametrize("kind", ["rtsp", "http", "RTSP", "udp+nothing"])
def test_a_stream_that_does_not_answer_is_named_without_its_password(kind):
    with pytest.raises(StudyError, match="no stream answers at this address") as error:
        open_source(f"{kind}://person:secret@127.0.0.1:9/live")
    assert "secret" not in str(error.value) and "127.0.0.1:9/live" in str(error.value)


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("a.mp4", b"", "is empty"),
        ("a.mp4", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("a.mp4", b"<!DOCTYPE html>", "web page"),
        ("a.mp4", b"hello", "is it a video, and whole"),
        ("a.mp4", b"\0\0\0\x18ftypmp42" + bytes(200), "is it a video, and whole"),
        ("a.csv", b"emotion,pixels\n", "is a table; --evaluate reads"),
        ("a.tar.gz", b"\x1f\x8b\x08\0" + bytes(20), "compressed with gzip"),
        ("a.zip", b"PK\x03\x04" + bytes(20), "not a whole zip file"),
    ],
)
def test_files_that_are_no_source_are_named_with_their_way_out(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StudyError, match=f"^--source .*{said}"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize("text", ["", "nowhere.mp4", "~nobody-of-this-name/a.mp4", "a\0b"])
def test_paths_that_lead_nowhere_are_named(text):
    with pytest.raises(StudyError, match="^--source .*give a camera number, a video"):
        open_source(text)


def test_a_folder_of_other_files_is_named_with_the_endings_that_are_read(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(StudyError, match="no pictures in this folder; expected .*jfif"):
        open_source(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StudyError, match="is a pipe or the like"):
        open_source(str(tmp_path / "pipe"))
