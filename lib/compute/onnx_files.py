"""ONNX files that tell whether they are as they were written.

The format has no checksum. Protocol buffers that stand one behind the other are read as one, so
that the digest of a file can stand at its end, as one more entry of its metadata.
"""

import hashlib
from pathlib import Path

from lib.study.errors import DamagedFile
from lib.study.kept import SEAL, SEALED
from lib.study.records import atomic_write

DIGITS = 64  # of a sha256 in hex


def write_onnx(path: Path, proto) -> Path:
    """Write an onnx.ModelProto with its digest, atomically."""
    import onnx

    # Of a file that was written before, the seal is not this one's.
    facts = [entry for entry in proto.metadata_props if entry.key not in (SEALED, SEAL)]
    sealed = onnx.StringStringEntryProto(key=SEALED, value="true")
    del proto.metadata_props[:]
    proto.metadata_props.extend([*facts, sealed])

    # The same bytes behind each other are one model with both.
    body = proto.SerializeToString()
    with atomic_write(Path(path)) as file:
        file.write(body + _beginning() + hashlib.sha256(body).hexdigest().encode())
    return Path(path)


def read_onnx(path: Path) -> bytes:
    """Read the bytes of an ONNX file; one without a digest is taken as it is.

    Raises:
        DamagedFile: changed since write_onnx wrote it.
    """
    content = Path(path).read_bytes()
    body, digest = content[: -len(_beginning()) - DIGITS], content[-DIGITS:]

    # A file with half of a seal has been changed, too.
    has_digest = content[len(body) : -DIGITS] == _beginning()
    is_whole = has_digest and hashlib.sha256(body).hexdigest().encode() == digest
    if not is_whole and (has_digest or _entry(SEALED, "true") in content):
        raise DamagedFile(
            f"{path}: is not as it was written: damaged, or saved anew by another program; export "
            f"it again with notebook 70, or remove {SEALED!r} and {SEAL!r} from its metadata"
        )
    return content


def _beginning() -> bytes:
    """Give what stands between a model and its digest: the fields of a metadata entry."""
    entry = _entry(SEAL, "0" * DIGITS)
    # Field 14 of a model, of the kind that states its length.
    return bytes([14 << 3 | 2, len(entry)]) + entry[:-DIGITS]


def _entry(key: str, value: str) -> bytes:
    """Encode an entry of metadata: field 1 is its key, field 2 its value."""
    fields = ((1, key.encode()), (2, value.encode()))
    return b"".join(bytes([number << 3 | 2, len(text)]) + text for number, text in fields)
