"""Decoding: every mode becomes the same kind of grey, and every bad file is named."""

import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.faces.pictures import (
    _plain_jpeg,
    decode_colour,
    decode_grey,
    is_animation,
    middle_square,
    to_square,
)
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


def test_colours_become_grey_by_their_luma():
    red = packed(np.full((2, 2, 3), (200, 0, 0), np.uint8))
    assert decode_grey(red, "a")[0, 0] == round(0.299 * 200)


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


COLOURS = np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype=np.uint8)
# Kinds of files and modes that Pillow writes, and how much a lossy one may change.
KINDS = [
    *[("PNG", mode, 0) for mode in ("1", "L", "P", "LA", "RGB", "RGBA", "I;16")],
    *[("TIFF", mode, 2) for mode in ("1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "LAB", "I;16")],
    *[("JPEG", mode, 60) for mode in ("L", "RGB", "CMYK")],
    *[("BMP", mode, 0) for mode in ("1", "L", "P", "RGB", "RGBA")],
    *[("GIF", mode, 2) for mode in ("L", "P")],
    *[("WEBP", mode, 60) for mode in ("L", "RGB", "RGBA")],
    *[("PPM", mode, 0) for mode in ("1", "L", "RGB", "I;16")],
    *[("AVIF", mode, 60) for mode in ("L", "RGB")],
]


def in_mode(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(COLOURS[:, :, 0].astype(np.uint16) * 257)
    return Image.fromarray(COLOURS).convert(mode)


@pytest.mark.parametrize("kind, mode, error", KINDS)
def test_every_kind_of_file_gives_one_picture_in_grey_and_in_colour(kind, mode, error):
    picture = in_mode(mode)
    data = packed(picture, kind)
    grey, colour = decode_grey(data, "a"), decode_colour(data, "a")
    assert grey.shape == (12, 20) and colour.shape == (12, 20, 3)
    assert grey.dtype == colour.dtype == np.uint8

    # The application works on the grey of the colours that it read: the loader's, but for rounding.
    assert np.abs(cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).astype(int) - grey).max() <= 1
    plain = COLOURS[:, :, 0] if mode == "I;16" else np.array(picture.convert("RGB").convert("L"))
    assert np.abs(grey.astype(int) - plain).mean() <= error


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_rotation_is_carried_out_for_both(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    wide = np.zeros((20, 48), np.uint8)
    wide[:4, :4] = 255  # a corner that tells the eight apart, with the sides
    wide[:, 40:] = 128
    data = packed(wide, kind, exif=exif)
    grey, colour = decode_grey(data, "a"), decode_colour(data, "a")
    turned = orientation >= 5
    assert grey.shape == ((48, 20) if turned else (20, 48)) == colour.shape[:2]
    expected = {
        1: wide, 2: wide[:, ::-1], 3: wide[::-1, ::-1], 4: wide[::-1], 5: wide.T,
        6: np.rot90(wide, -1), 7: wide[::-1, ::-1].T, 8: np.rot90(wide),
    }[orientation]  # fmt: skip
    assert np.abs(grey.astype(int) - expected).mean() < 12
    assert np.abs(colour[:, :, 0].astype(int) - grey).max() <= 1


def deep(values: np.ndarray, ending: str) -> bytes:
    return cv2.imencode(ending, values)[1].tobytes()


@pytest.mark.parametrize("ending", [".png", ".tiff", ".pgm", ".ppm"])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_fewer_bits_in_a_file_of_sixteen_are_refused_not_black(ending, bits):
    values = (RAMP.astype(np.float64) / RAMP.max() * (2**bits - 1)).astype(np.uint16)
    if ending == ".ppm":
        values = np.dstack([values] * 3)
    with pytest.raises(StudyError, match="16-bit values end at .* come out black; convert it to 8"):
        decode_grey(deep(values, ending), "a")
    colours = np.dstack([values] * 3)[:, :, :3]
    alpha = np.dstack([colours, np.full(RAMP.shape, 65535, np.uint16)])
    for picture in (colours, alpha) if ending in (".png", ".tiff") else ():
        with pytest.raises(StudyError, match="come out black"):
            decode_colour(deep(picture, ending), "a")


def test_sixteen_bits_in_colour_are_scaled():
    full = (np.dstack([RAMP] * 3).astype(np.uint16)) * 257
    for ending in (".png", ".tiff", ".ppm"):
        assert np.abs(decode_grey(deep(full, ending), "a").astype(int) - RAMP).max() <= 1
    assert (decode_grey(deep(np.zeros((4, 4), np.uint16), ".png"), "a") == 0).all()


@pytest.mark.parametrize("scale", [1 / 255, 1.0, 257.0])
def test_fractions_are_scaled_by_the_range_that_they_are_of(scale):
    data = deep((RAMP * np.float32(scale)).astype(np.float32), ".tiff")
    assert np.abs(decode_grey(data, "a").astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("value, said", [(np.nan, "no grey"), (-3, "no grey"), (1e6, "up to 1e")])
def test_fractions_that_are_no_grey_levels_are_refused(value, said):
    values = RAMP.astype(np.float32)
    values[3, 3] = value
    with pytest.raises(StudyError, match=said):
        decode_grey(deep(values, ".tiff"), "a.tiff")


def test_a_photograph_of_72_megapixels_is_told_to_be_too_large():
    data = packed(Image.new("L", (9000, 8000)))
    with pytest.raises(StudyError, match="9,000 x 8,000 pixels .72 megapixels. is too large"):
        decode_grey(data, "a.png")
    with pytest.raises(StudyError, match="50 megapixels at most"):
        decode_colour(data, "a.png")


def test_every_turned_bit_of_a_png_is_noticed():
    data = packed(RAMP[:8, :8])
    for at in range(len(data)):
        for bit in range(8):
            turned = bytearray(data)
            turned[at] ^= 1 << bit
            with pytest.raises(StudyError):
                decode_grey(bytes(turned), "a.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF"])
def test_what_is_cut_off_is_noticed(kind):
    data = packed(NOISE, kind)
    for share in (0.0, 0.1, 0.5, 0.9, 0.98):
        with pytest.raises(StudyError):
            decode_grey(data[: int(share * len(data))], "a")


def test_decoders_that_start_programs_are_not_asked():
    for kind in ("EPS", "PDF"):
        with pytest.raises(StudyError, match="not a picture: is a .* document; export"):
            decode_grey(packed(Image.fromarray(COLOURS), kind), "face.png")


def test_the_middle_square_of_a_picture():
    wide = np.arange(15, dtype=np.uint8).reshape(3, 5)
    assert middle_square(wide).tolist() == wide[:, 1:4].tolist()
    assert middle_square(wide.T).tolist() == wide.T[1:4].tolist()


def test_animations_are_told_from_pictures():
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (0, 90, 200)]
    for kind in ("GIF", "PNG"):
        moving = packed(frames[0], kind, save_all=True, append_images=frames[1:])
        assert is_animation(moving) and not is_animation(packed(frames[0], kind))
    assert not is_animation(b"no picture")
