"""Decoding: bytes of a picture in, uint8 out, with every way a file can be bad named.

The one reader of pictures: of the loader, of pools, of generators' sources and of the application.
"""

import io
import re
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lib.faces.content import HEAD, describe_content, reason_of
from lib.study.errors import StudyError

# Endings of picture files, for every reader of the project.
JPEGS = (".jpg", ".jpeg", ".jpe", ".jfif")
PORTABLE = (".pgm", ".ppm", ".pbm", ".pnm")
PICTURES = frozenset(
    (".png", *JPEGS, ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", *PORTABLE, ".avif")
)
# Decoders that may be asked, whatever a file is called; others could start programs.
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "AVIF")
MOVING = ("GIF", "PNG")  # of these, animations are videos
MOST_PIXELS = 50_000_000  # a larger header is a mistake or an attack; a face needs 2,304
FEW_PIXELS = 1_000_000  # the fast way is for thumbnails

# JPEG segments by their second byte.
FRAME_HEADER = 0xC0  # baseline: bits a sample, height, width, number of components
PLAIN_SEGMENTS = (0xE0, 0xDB, 0xC4, 0xDD, 0xFE)  # JFIF, tables, restart interval, comment

START_OF_IMAGE, END_OF_IMAGE, ALONE = 0xD8, 0xD9, 0x01  # markers without a segment
# A marker: in a scan neither a stuffed zero nor a restart; 0xff may fill up before it.
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
DAMAGED = "the picture is damaged or cut off"
BITS_PER_SAMPLE = 258  # TIFF tag
# Values that end below this share of what a file could hold were written with fewer bits.
LEAST_RANGE = 1 / 15  # 12 of 16 bits are 1 / 16
LEAST_VISIBLE = 1.0  # what is left of 16 bits may be 0 throughout and yet be no black picture


def decode_grey(data: bytes, name: str) -> np.ndarray:
    """Decode a picture to grey.

    Colour becomes grey by ITU-R 601 luma (0.299 R + 0.587 G + 0.114 B), 16 bit is scaled to 8,
    transparency is laid on white, EXIF rotation is carried out; of several frames the first is
    taken.

    Args:
        data: the file's bytes.
        name: to be named in messages.

    Returns:
        uint8 (H, W).

    Raises:
        StudyError: not a picture, cut off, far too large, or values whose range is not clear. A
            PNG is checked byte by byte; a JPEG has to have its end, but no checksum tells whether
            a byte of it was turned.
    """
    # FER2013's case, ten times as fast as the general way and equal to it.
    if _plain_jpeg(data):
        _check_jpeg(data, name)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is not None:
            return image
    picture = _decoded(data, name)
    return np.array(picture) if picture.mode == "L" else luma(np.asarray(picture))


def decode_colour(data: bytes, name: str) -> np.ndarray:
    """Decode a picture to colour: as decode_grey, whose result is the grey of this one.

    Returns:
        uint8 (H, W, 3): blue, green, red.
    """
    return np.asarray(_decoded(data, name).convert("RGB"))[:, :, ::-1].copy()


def luma(image: np.ndarray) -> np.ndarray:
    """Turn colours, uint8 (H, W, 3): red, green, blue, into grey, uint8 (H, W)."""
    return np.array(Image.fromarray(np.ascontiguousarray(image)).convert("L"))


def to_square(image: np.ndarray, px: int) -> np.ndarray:
    """Resize uint8 (H, W) to (px, px): area average when shrinking, bilinear when growing."""
    if image.shape == (px, px):
        return image
    shrinks = px < min(image.shape)
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (px, px), interpolation=way)


def middle_square(image: np.ndarray) -> np.ndarray:
    """Cut the middle square out of an image, uint8 (H, W)."""
    side = min(image.shape)
    # An odd rest leaves one pixel more below and to the right.
    top, left = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, left : left + side]


def endings_read() -> str:
    """List the endings of pictures, for messages."""
    return ", ".join(sorted(PICTURES))


def is_animation(data: bytes) -> bool:
    """Tell whether a file is an animated GIF or PNG, which can be played as a video.

    Other files of several pictures (a JPEG of a phone with a second one, a TIFF of several pages)
    stand for their first one.
    """
    try:
        with Image.open(io.BytesIO(data), formats=MOVING) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except Exception:  # decode_grey says what is wrong with it
        return False


def _plain_jpeg(data: bytes) -> bool:
    """Tell whether these are the bytes of a small whole grey baseline JPEG without EXIF.

    Decided by its segments up to the frame header.
    """
    if not (data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")):
        return False

    # Walk from segment to segment.
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == FRAME_HEADER:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            eight_bits, one_component = data[at + 4] == 8, data[at + 9] == 1
            return eight_bits and one_component and 0 < height * width <= FEW_PIXELS

        # Anything else, EXIF among it, takes the general way.
        if kind not in PLAIN_SEGMENTS:
            return False
        at += 2 + length
    return False


def _decoded(data: bytes, name: str) -> Image.Image:
    """Decode a picture of any kind, upright and opaque, to mode L or RGB.

    Raises:
        StudyError: see decode_grey.
    """
    _check_png(data, name)
    _check_jpeg(data, name)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture, name)
            return _to_eight_bits(picture, name)
    except (UnidentifiedImageError, Image.DecompressionBombError, StudyError) as error:
        raise _refusal(error, data, name) from None
    except Exception as error:  # decoders of damaged files raise nearly everything
        raise StudyError(f"{name}: {DAMAGED} ({reason_of(error)}); remove or replace it") from None


def _refusal(error: Exception, data: bytes, name: str) -> StudyError:
    """Say why a picture is not read."""
    if isinstance(error, StudyError):
        return error
    if isinstance(error, Image.DecompressionBombError):
        return StudyError(f"{name}: the picture is too large to be decoded safely; make it smaller")

    # What the file is in truth tells the way out.
    said = describe_content(data[:HEAD])
    if said.endswith("picture"):  # a known beginning, and nothing that follows from it
        return StudyError(f"{name}: {DAMAGED}; remove or replace it")
    if " picture, which is not read" in said:
        return StudyError(f"{name}: {said}")
    return StudyError(f"{name}: not a picture: {said or 'it cannot be decoded; remove it'}")


def _check_size(picture: Image.Image, name: str) -> None:
    """Stop on a header that promises too many pixels, before anything is decoded."""
    width, height = picture.size
    if width * height > MOST_PIXELS:
        megapixels = f"{width * height / 1e6:,.0f} megapixels"
        raise StudyError(
            f"{name}: {width:,} x {height:,} pixels ({megapixels}) is too large to be decoded "
            f"safely; make it smaller, {MOST_PIXELS / 1e6:.0f} megapixels at most"
        )


def _check_png(data: bytes, name: str) -> None:
    """Stop on a PNG whose checksums do not fit, which the decoder reads over, or without an end."""
    if not data.startswith(PNG_SIGNATURE):
        return
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        # A chunk: length, kind, content, checksum of kind and content.
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[at + 4 : end]) != _number(data, end):
            break
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end + 4
    raise StudyError(f"{name}: {DAMAGED}; remove or replace it")


def _check_jpeg(data: bytes, name: str) -> None:
    """Stop on a JPEG without its end, or that begins anew within: the decoder fills both up.

    Zeros in place of the end, as a crash leaves them, are data to it.
    """
    if not data.startswith(b"\xff\xd8"):
        return
    at = 2
    while found := MARKER.search(data, at):
        # From segment to segment; what stands between them in a scan is skipped by the search.
        kind, at = found[1][0], found.end()
        if kind == END_OF_IMAGE:
            return
        if kind == START_OF_IMAGE:
            break
        if kind != ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    raise StudyError(f"{name}: {DAMAGED}; remove or replace it")


def _number(data: bytes, at: int) -> int:
    """Read a whole number of four bytes."""
    return struct.unpack_from(">I", data, at)[0]


def _to_eight_bits(picture: Image.Image, name: str) -> Image.Image:
    """Convert a picture of any mode to L or RGB, upright, opaque, 8 bits a channel."""
    # What the file says of its depth is known before it is decoded alone.
    bits = _bits(picture)
    if picture.mode == "L" and not picture.getexif():
        picture.load()
        return _of_full_range(picture, bits, name)
    picture = ImageOps.exif_transpose(picture)

    # More than 8 bits in one channel.
    if picture.mode.startswith("I") or picture.mode == "F":
        return Image.fromarray(_scaled(np.asarray(picture, np.float64), bits, name))
    picture = _of_full_range(picture, bits, name)

    # Transparency: lay the picture on white.
    if picture.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("L" if picture.mode in ("L", "1") else "RGB")


def _bits(picture: Image.Image) -> int:
    """Give the bits a channel that the file holds: 8, or more."""
    # A TIFF states them.
    stated = getattr(picture, "tag_v2", {}).get(BITS_PER_SAMPLE, (0,))
    if picture.format == "TIFF" and max(stated, default=0) > 8:
        return max(stated)

    # In PNG and others they show in how the decoder is called: RGB;16B, or a largest value.
    calls = [str(tile.args) for tile in picture.tile]
    return 16 if any("16" in call or "65535" in call for call in calls) else 8


def _of_full_range(picture: Image.Image, bits: int, name: str) -> Image.Image:
    """Stop on a colour picture of 16 bits, read as its upper 8, where few of these are used."""
    if bits > 8:
        # The last channel of some modes is no colour.
        colours = np.atleast_3d(np.asarray(picture))[:, :, : 1 if picture.mode == "LA" else 3]
        _check_range(max(float(colours.max(initial=0)), LEAST_VISIBLE), 255, bits, name)
    return picture


def _scaled(values: np.ndarray, bits: int, name: str) -> np.ndarray:
    """Scale whole numbers of 16 bits, or fractions, to uint8.

    Args:
        values: float (H, W).
        bits: of the file; whole numbers reach up to 2^bits - 1, fractions to 1, 255 or 65535.
    """
    lowest, highest = float(values.min(initial=0)), float(values.max(initial=0))
    if not np.isfinite([lowest, highest]).all() or lowest < 0:
        raise StudyError(
            f"{name}: holds values that are no grey levels ({lowest:g} to {highest:g}); convert it "
            "to 8 bit first"
        )

    # The smallest range that holds all values.
    tops = [2**bits - 1] if 8 < bits <= 16 else [1, 255, 65535]
    top = next((top for top in tops if highest <= top), None)
    if top is None:
        raise StudyError(f"{name}: holds values up to {highest:g}; convert it to 8 bit first")
    _check_range(highest, top, bits, name)
    return np.clip(np.rint(values / top * 255), 0, 255).astype(np.uint8)


def _check_range(highest: float, top: float, bits: int, name: str) -> None:
    """Stop on values that end far below what they could be: they would come out black."""
    # A picture that is black altogether is that at any depth.
    if 0 < highest < top * LEAST_RANGE:
        raise StudyError(
            f"{name}: its {bits}-bit values end at {100 * highest / top:.1f}% of their range, as "
            "those of a camera with fewer bits do, and would come out black; convert it to 8 bit "
            "first"
        )
