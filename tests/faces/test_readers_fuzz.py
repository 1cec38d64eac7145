"""Damaged inputs by the thousand: no reader raises anything but StudyError, none believes damage.

Each input is a whole file of some kind with one mutation. In CI there are some thousand; more by
hand: FUZZ_INPUTS=100000 .venv/bin/python -m pytest tests/faces/test_readers_fuzz.py. Input number i
is the same in every run; FUZZ_FIRST begins at another number.
"""

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image
from tiny_onnx import tiny_network

from lib.application.network import open_network
from lib.application.sources import open_source
from lib.faces.classes import EMOTIONS
from lib.faces.fer2013 import FERPLUS_CLASSES, FERPLUS_OTHERS, read_ferplus
from lib.faces.pictures import decode_colour, decode_grey
from lib.faces.sources import read_faces, read_images
from lib.study.errors import StudyError

INPUTS = int(os.environ.get("FUZZ_INPUTS", 2400))
FIRST = int(os.environ.get("FUZZ_FIRST", 0))
PARTS = 12  # tests that the inputs are spread over
PX = 8
KINDS = ("happy", "sad")


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (PX, PX), dtype=np.uint8)


IMAGES = {picture(n).tobytes(): n for n in range(8)}  # of all sources; their class goes by parity


def packed(image: np.ndarray, kind: str = "PNG", mode: str = "", **options) -> bytes:
    buffer = io.BytesIO()
    made = Image.fromarray(image)
    (made.convert(mode) if mode else made).save(buffer, kind, **options)
    return buffer.getvalue()


def pngs() -> dict[str, bytes]:
    """Eight pictures in class folders of two splits."""
    return {
        f"{'train' if n < 4 else 'test'}/{KINDS[n % 2]}/{n}.png": packed(picture(n))
        for n in range(8)
    }


def zipped(files: dict[str, bytes], way: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", way) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def fer2013_csv() -> bytes:
    rows = ["emotion,pixels,Usage"]
    for n in range(8):
        pixels = " ".join(map(str, picture(n).ravel()))
        rows.append(f"{(3, 4)[n % 2]},{pixels},{'Training' if n < 4 else 'PrivateTest'}")
    return ("\n".join(rows) + "\n").encode()


def parquet(kind: str, **options) -> bytes:
    images = [picture(n) for n in range(8)]
    cells = {
        "bytes": [{"bytes": packed(image), "path": None} for image in images],
        "lists": [image.tolist() for image in images],
        "text": [" ".join(map(str, image.ravel())) for image in images],
    }[kind]
    usage = ["train"] * 4 + ["test"] * 4
    table = pa.table({"image": cells, "label": [n % 2 for n in range(8)], "split": usage})
    features = {"info": {"features": {"label": {"names": list(KINDS), "_type": "ClassLabel"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer, **options)
    return buffer.getvalue()


def metadata(form: str) -> bytes:
    rows = [{"file_name": name, "label": name.split("/")[1]} for name in pngs()]
    if form == "csv":
        return pd.DataFrame(rows).to_csv(index=False).encode()
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def votes() -> bytes:
    names = [*FERPLUS_CLASSES, *FERPLUS_OTHERS]
    words = [f"{part},fer{n}.png" for n, part in enumerate(["Training"] * 4 + ["PrivateTest"] * 4)]
    rows = [f"{word},{','.join(str(n * k % 7) for k in range(10))}" for n, word in enumerate(words)]
    return "\n".join(["Usage,Image name," + ",".join(names), *rows, ""]).encode()


def film(folder: Path, ending: str, codec: str) -> bytes:
    path = folder / f"film{ending}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (64, 48))
    for level in range(6):
        writer.write(np.full((48, 64, 3), 40 * level, np.uint8))
    writer.release()
    return path.read_bytes()


# What is read, and what may be believed of it.


@dataclass(frozen=True)
class Case:
    """A whole file, its reader, and a check of what a reader made of a damaged one."""

    whole: bytes
    read: Callable  # path -> result
    name: str  # of the file
    is_believable: Callable = lambda result, whole, way: True
    beside: tuple = ()  # further files: (path, bytes)


def of_originals(faces, whole, way) -> bool:
    """Every image is one of the source, with its own class and split."""
    numbers = [IMAGES.get(image.tobytes()) for image in faces.images]
    if None in numbers:
        return False
    table = faces.table
    splits = ["train" if n < 4 else "test" for n in numbers]
    return (
        list(table["class"]) == [KINDS[n % 2] for n in numbers] and list(table["split"]) == splits
    )


def images_of_originals(faces, whole, way) -> bool:
    """Pictures carry checksums; a turned label leaves no trace."""
    return all(image.tobytes() in IMAGES for image in faces.images)


def cut_is_a_beginning(faces, whole, way) -> bool:
    """A turned digit leaves no trace; of a file that was cut off whole rows alone are believed."""
    return way != "cut" or of_originals(faces, whole, way)


def same(result, whole, way) -> bool:
    return np.array_equal(result, whole)


def cut_is_the_same(result, whole, way) -> bool:
    return way != "cut" or np.array_equal(result, whole)


def gives_probabilities(network, whole, way) -> bool:
    given = network.classify(np.stack([picture(n) for n in range(4)]))
    sums = np.abs(given.sum(1) - 1) < 0.1
    return np.isfinite(given).all() and sums.all() and len(network.classes) == given.shape[1]


def votes_are_numbers(faces, whole, way) -> bool:
    return (faces.table.filter(like="votes_") >= 0).all().all()


def read_film(path) -> list:
    source = open_source(str(path))
    return [frame.image.shape for frame in source.frames()] + source.problems


def read_evaluation(path):
    return read_images(path, px=PX, classes=EMOTIONS, strict=False, skip_damaged=True)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    scene = np.random.default_rng(9).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    files = tuple(pngs().items())
    made = {}

    # Pictures.
    pictures = {
        "grey.png": packed(picture(0)),
        "palette.png": packed(scene, mode="P"),
        "alpha.png": packed(scene, mode="RGBA"),
        "deep.png": packed(picture(0).astype(np.uint16) * 257),
        "grey.jpg": packed(picture(0), "JPEG"),
        "colour.jpg": packed(scene, "JPEG", exif=exif),
        "progressive.jpg": packed(scene, "JPEG", progressive=True),
        "print.jpg": packed(scene, "JPEG", mode="CMYK"),
        "a.bmp": packed(scene, "BMP"),
        "a.gif": packed(scene, "GIF"),
        "a.webp": packed(scene, "WEBP", exif=exif),
        "whole.webp": packed(scene, "WEBP", lossless=True),
        "a.tif": packed(scene, "TIFF"),
        "lzw.tif": packed(scene, "TIFF", compression="tiff_lzw"),
        "a.pgm": packed(picture(0), "PPM"),
        "a.avif": packed(scene, "AVIF"),
    }
    for name, whole in pictures.items():
        check = same if name.endswith(".png") else cut_is_the_same
        made[name] = Case(whole, lambda path: decode_grey(path.read_bytes(), "a"), name, check)
        made[f"{name} in colour"] = Case(
            whole, lambda path: decode_colour(path.read_bytes(), "a"), name, check
        )

    # Sources.
    for name, whole, check in (
        ("a.zip", zipped(pngs()), of_originals),
        ("stored.zip", zipped(pngs(), zipfile.ZIP_STORED), of_originals),
        ("table.zip", zipped({"x/fer2013.csv": fer2013_csv()}), of_originals),
        ("parquet.zip", zipped({"x/a.parquet": parquet("bytes")}), of_originals),
        ("fer2013.csv", fer2013_csv(), cut_is_a_beginning),
        ("a.parquet", parquet("bytes"), images_of_originals),
        ("checked.parquet", parquet("lists", write_page_checksum=True), images_of_originals),
        ("text.parquet", parquet("text", compression="none"), cut_is_a_beginning),
    ):
        made[name] = Case(whole, lambda path: read_faces(path, px=PX, classes=KINDS), name, check)
        made[f"{name} evaluated"] = Case(whole, read_evaluation, name, images_of_originals)
    made["fer2013.csv evaluated"] = Case(fer2013_csv(), read_evaluation, "fer2013.csv")
    made["text.parquet evaluated"] = Case(parquet("text"), read_evaluation, "text.parquet")
    for form in ("csv", "jsonl"):
        name = f"metadata.{form}"
        made[name] = Case(
            metadata(form),
            lambda path: read_faces(path.parent, px=PX, classes=KINDS),
            name,
            of_originals,
            files,
        )

    # What stands beside, and what the application opens.
    faces = read_faces(_write(folder / "fer2013.csv", fer2013_csv()), px=PX, classes=KINDS)
    made["votes"] = Case(
        votes(), lambda path: read_ferplus(faces, str(path), beside=""), "v.csv", votes_are_numbers
    )
    made["network"] = Case(
        tiny_network(EMOTIONS).SerializeToString(), open_network, "a.onnx", gives_probabilities
    )
    for ending, codec in ((".avi", "MJPG"), (".mp4", "mp4v"), (".mkv", "MJPG")):
        made[ending] = Case(film(folder, ending, codec), read_film, f"film{ending}")
    return made


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# Mutations.


def mutated(whole: bytes, others: list[bytes], rng: np.random.Generator) -> tuple[str, bytes]:
    """Damage a file in one way; returns the way and the bytes."""
    ways = list(MUTATIONS)
    way = ways[rng.integers(len(ways))]
    if way == "other file":
        return way, others[rng.integers(len(others))]
    return way, MUTATIONS[way](whole, rng)


def place(whole: bytes, rng) -> int:
    """Choose a place: heads and ends as often as all that lies between."""
    size = len(whole)
    where = rng.integers(3)
    if where == 0:
        return int(rng.integers(min(size, 64)))
    return int(rng.integers(max(0, size - 64), size) if where == 1 else rng.integers(size))


def turn(whole: bytes, rng, count: int, bits: int) -> bytes:
    data = bytearray(whole)
    for _ in range(count):
        data[place(whole, rng)] ^= int(rng.integers(1, bits)) if bits > 2 else 1 << rng.integers(8)
    return bytes(data)


def block(whole: bytes, rng, make: Callable) -> bytes:
    at = place(whole, rng)
    length = int(rng.integers(1, 1 + max(1, min(200, len(whole) // 4))))
    return whole[:at] + make(whole[at : at + length]) + whole[at + length :]


WORDS = (b"-1", b"999999999999999999999999", b"nan", b"\0", b'"', b"\n", b",", b" ", b"\xe4", b"{")


MUTATIONS = {
    "cut": lambda whole, rng: whole[: place(whole, rng)],
    "emptied": lambda whole, rng: b"",
    "one bit": lambda whole, rng: turn(whole, rng, 1, 2),
    "one byte": lambda whole, rng: turn(whole, rng, 1, 256),
    "some bytes": lambda whole, rng: turn(whole, rng, int(rng.integers(2, 20)), 256),
    "zeros": lambda whole, rng: block(whole, rng, lambda part: bytes(len(part))),
    "ones": lambda whole, rng: block(whole, rng, lambda part: b"\xff" * len(part)),
    "removed": lambda whole, rng: block(whole, rng, lambda part: b""),
    "twice": lambda whole, rng: block(whole, rng, lambda part: part * 2),
    "reversed": lambda whole, rng: block(whole, rng, lambda part: part[::-1]),
    "random": lambda whole, rng: block(whole, rng, lambda part: rng.bytes(len(part))),
    "inserted": lambda whole, rng: block(whole, rng, lambda part: rng.bytes(9) + part),
    "words": lambda whole, rng: block(
        whole, rng, lambda part: WORDS[rng.integers(len(WORDS))] + part[2:]
    ),
    "without the head": lambda whole, rng: whole[1 + place(whole, rng) % 64 :],
    "more behind": lambda whole, rng: whole + rng.bytes(int(rng.integers(1, 100))),
    "all zeros": lambda whole, rng: bytes(len(whole)),
    "utf-16": lambda whole, rng: whole.decode("latin-1").encode("utf-16"),
    "utf-8 again": lambda whole, rng: whole.decode("latin-1").encode(),
    "windows lines": lambda whole, rng: whole.replace(b"\n", b"\r\n"),
    "other file": None,
}


@pytest.mark.parametrize("part", range(PARTS))
def test_damage_is_a_sentence_or_does_no_harm(cases, tmp_path, part):
    names = list(cases)
    others = [case.whole for case in cases.values()]
    originals = {}
    for number in range(FIRST + part, FIRST + INPUTS, PARTS):
        rng = np.random.default_rng([22, number])
        name = names[number // PARTS % len(names)]
        case = cases[name]
        way, data = mutated(case.whole, others, rng)
        folder = tmp_path / name.replace(" ", "-")
        for path, content in case.beside if not folder.exists() else ():
            _write(folder / path, content)
        path = _write(folder / case.name, data)
        if os.environ.get("FUZZ_LAST"):  # what a crash of the interpreter leaves
            Path(os.environ["FUZZ_LAST"]).write_text(f"{number} {name} {way} {path}")
        with contextlib.redirect_stdout(io.StringIO()):
            if name not in originals:
                originals[name] = _outcome(case, _write(folder / f"whole/{case.name}", case.whole))
            result = _outcome(case, path, (number, name, way))
        # Another whole file is no damage.
        if result is not None and way != "other file":
            believed = case.is_believable(result, originals[name], way)
            assert believed, f"input {number}: {name}, {way}: damage was believed"


def _outcome(case: Case, path: Path, what: tuple = ()):
    """Read a file; None where it is refused with a sentence."""
    try:
        return case.read(path)
    except StudyError as error:
        assert str(error).strip() and len(str(error)) < 2000, what
        return None
    except Exception as error:
        raise AssertionError(f"input {what}: {type(error).__name__}: {error}") from error


def test_every_whole_file_is_read(cases, tmp_path):
    for name, case in cases.items():
        folder = tmp_path / name
        for path, content in case.beside:
            _write(folder / path, content)
        result = _outcome(case, _write(folder / case.name, case.whole))
        assert result is not None, name
        assert case.is_believable(result, result, "cut"), name
