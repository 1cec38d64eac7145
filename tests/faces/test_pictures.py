"""Decoding: every mode becomes the same kind of grey, and every bad file is named."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from lib.faces.pictures import _plain_jpeg, decode_grey, to_square
from lib.study.errors import StudyError

RAMP = np.add.outer(np.arange(48) * 3, np.arange(48) * 2).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)


def packed(picture, kind="PNG", **options) -> bytes:
    """Encode an image, or an array of one."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def test_grey_png_is_lossless():
    assert (decode_grey(packed(RAMP), "a") == RAMP).all()


@pytest.mark.parametrize("quality", [20, 75, 95])
def test_fast_way_for_grey_jpegs_equals_the_general_one(quality):
    for image in (RAMP, NOISE):
        data = packed(image, "JPEG", quality=quality)
        assert _plain_jpeg(data)
        assert (decode_grey(data, "a") == np.array(Image.open(io.BytesIO(data)))).all()


def test_only_small_whole_grey_baseline_jpegs_take_the_fast_way():
    exif = Image.Exif()
    exif[0x0112] = 6
    others = [
        packed(RAMP),
        packed(RAMP, "JPEG")[:-40],
        packed(np.dstack([RAMP] * 3), "JPEG"),
        packed(RAMP, "JPEG", progressive=True),
        packed(RAMP, "JPEG", exif=exif),
        packed(np.zeros((1200, 1200), np.uint8), "JPEG"),
        b"\xff\xd8\xff\xd9",
        b"",
    ]
    assert not any(_plain_jpeg(data) for data in others)


def test_exif_rotation_is_carried_out():
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    wide = RAMP[:20]
    assert (decode_grey(packed(wide, exif=exif), "a") == np.rot90(wide, -1)).all()
    assert decode_grey(packed(wide, "JPEG", exif=exif), "a").shape == (48, 20)


def test_transparency_lies_on_white():
    layers = np.zeros((4, 4, 4), np.uint8)
    layers[:2, :, 3] = 255
    assert decode_grey(packed(layers), "a").tolist() == [[0] * 4] * 2 + [[255] * 4] * 2
    palette = Image.fromarray(np.zeros((4, 4), np.uint8)).convert("P")
    assert (decode_grey(packed(palette, transparency=0), "a") == 255).all()


def test_sixteen_bits_are_scaled_not_cut():
    deep = np.array([[0, 257 * 100, 65535]], np.uint16)
    assert decode_grey(packed(deep), "a").tolist() == [[0, 100, 255]]


def test_luma_and_exchanged_channels():
    red = packed(np.full((2, 2, 3), (200, 0, 0), np.uint8))
    assert decode_grey(red, "a")[0, 0] == round(0.299 * 200)
    assert decode_grey(red, "a", grey="bgr")[0, 0] == round(0.114 * 200)
    assert (decode_grey(packed(RAMP), "a", grey="bgr") == RAMP).all()
    with pytest.raises(StudyError, match="'mean' is unknown; there are luma, bgr"):
        decode_grey(red, "a", grey="mean")


@pytest.mark.parametrize(
    "data, message",
    [
        (b"no picture", "not a picture"),
        (b"", "not a picture"),
        (packed(NOISE)[:-200], "damaged or cut off"),
    ],
)
def test_bad_files_are_named(data, message):
    with pytest.raises(StudyError, match=f"face.png: .*{message}"):
        decode_grey(data, "face.png")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_off_jpeg_is_refused(share):
    data = packed(NOISE, "JPEG")
    with pytest.raises(StudyError, match="damaged or cut off"):
        decode_grey(data[: int(share * len(data))], "a.jpg")


def test_damaged_jpeg_of_the_fast_way_is_refused():
    data = packed(NOISE, "JPEG")
    start = data.index(b"\xff\xda")
    with pytest.raises(StudyError, match="a.jpg: .*(damaged|cut off|not a picture)"):
        decode_grey(data[:start] + b"\xff\xd9", "a.jpg")  # headers whole, no scan


@pytest.mark.parametrize("side", [8000, 60000])
def test_bombs_are_refused_by_their_header(side):
    data = bytearray(packed(np.zeros((1, 1), np.uint8)))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    with pytest.raises(StudyError, match="too large"):
        decode_grey(bytes(data), "bomb.png")


def test_to_square_averages_when_shrinking():
    checks = np.kron([[0, 1], [1, 0]], np.ones((1, 1))).astype(np.uint8) * 200
    assert (to_square(np.tile(checks, (4, 4)), 4) == 100).all()
    assert to_square(RAMP, 48) is RAMP and to_square(RAMP[:20], 32).shape == (32, 32)
