"""Ways in which files are damaged, for tests of whatever reads them."""

import os
import random
from pathlib import Path


def keep_times(path: Path, content: bytes) -> None:
    """Give a file other bytes, and the times that it had, as a failing disk does."""
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def cut(path: Path, rng: random.Random) -> None:
    """Keep a beginning of a file alone."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))] if content else b"")


def empty(path: Path, rng: random.Random) -> None:
    """Leave nothing in a file, as a full disk does."""
    path.write_bytes(b"")


def turn_a_bit(path: Path, rng: random.Random) -> None:
    """Turn one bit of a file, which keeps its size and its times."""
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    keep_times(path, bytes(content))


def turn_a_byte(path: Path, rng: random.Random) -> None:
    """Put any byte in place of one."""
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(bytes(content))


def encode_otherwise(path: Path, rng: random.Random) -> None:
    """Write a file's text in another encoding, as an editor does."""
    text = path.read_bytes().decode("latin-1")
    path.write_bytes(text.encode(rng.choice(["utf-16", "utf-32", "utf-8-sig"])))


def put_another_type(path: Path, rng: random.Random) -> None:
    """Put other JSON in place of a file."""
    path.write_text(rng.choice(["null", "[]", "{}", "3", '"text"', "[" * 5000, "NaN"]))


def fill_with_noise(path: Path, rng: random.Random) -> None:
    """Put bytes of noise in place of some in the middle."""
    content = bytearray(path.read_bytes())
    first = rng.randrange(len(content) + 1)
    content[first : first + rng.randrange(1, 50)] = rng.randbytes(rng.randrange(1, 50))
    path.write_bytes(bytes(content))


def remove(path: Path, rng: random.Random) -> None:
    """Remove a file."""
    path.unlink()


DAMAGES = (
    cut,
    empty,
    turn_a_bit,
    turn_a_byte,
    encode_otherwise,
    put_another_type,
    fill_with_noise,
    remove,
)
