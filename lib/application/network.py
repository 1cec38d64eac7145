"""The exported classifier: opened with checks, run on crops, quantised to 8 bit."""

import ast
import contextlib
import json
import logging
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import softmax

from lib.compute.onnx_files import read_onnx, write_onnx
from lib.faces.classes import known_class
from lib.faces.content import HEAD, describe_content, reason_of
from lib.study.errors import DamagedFile, StudyError
from lib.study.kept import SEAL, SEALED

CALIBRATION_BATCH = 64  # images handed to the quantiser at once
ROUNDING = 0.05  # by which the probabilities of a network in 8 bit may miss 1
SIDES = (8, 1024)  # pixels of an input, at least and at most
# Metadata under which networks of other origin name their classes, in order of preference.
CLASS_KEYS = ("classes", "class_names", "labels", "names", "id2label")


@dataclass(frozen=True)
class Network:
    """An ONNX classifier.

    Attributes:
        classify: uint8 (N, px, px) -> float32 (N, C) probabilities.
        image_px: side of its input, pixels.
        classes: names of its C classes.
        facts: the file's metadata.
    """

    classify: Callable[[np.ndarray], np.ndarray]
    image_px: int
    classes: tuple[str, ...]
    facts: dict


def open_network(path: Path, *, threads: int = 1) -> Network:
    """Open an ONNX file that takes grey faces and gives class probabilities.

    What the file says of itself is believed where it can be checked: names of classes are spelt as
    this project spells them (anger is angry), numbers that are no probabilities are taken as
    logits, which is announced, and an answer that is no number is an error.

    Args:
        path: as written by lib.classifiers.export, or quantised from it.
        threads: of one call.

    Raises:
        StudyError: no such file, not ONNX, another input, no names of classes, or another number
            of them than of outputs.
    """
    # Open the file and read what it says of itself.
    path = Path(path).expanduser()
    session = _session(path, threads)
    image_px, name = _input_of(session, path)
    facts = _facts_of(session, path)
    classes = _classes_in(facts, path)

    def answer(images: np.ndarray) -> np.ndarray:
        return _run(session, name, images, path)

    # A blank face and a noisy one tell how many numbers come out, and of which kind.
    noise = np.random.default_rng(0).integers(0, 256, (1, image_px, image_px), dtype=np.uint8)
    probes = np.concatenate([np.zeros_like(noise), noise])
    given = answer(probes)
    if given.shape[1] != len(classes):
        named = f"{len(classes)} classes ({', '.join(classes) or 'its metadata names none'})"
        raise StudyError(
            f"--model {path}: gives {given.shape[1]} numbers for {named}; export it with "
            "lib.classifiers.export"
        )
    is_logits = bool((given < 0).any() or (np.abs(given.sum(1) - 1) > ROUNDING).any())
    if is_logits:
        print(f"{path.name}: its numbers are no probabilities; they are taken as logits")

    def classify(images: np.ndarray) -> np.ndarray:
        if not len(images):
            return np.zeros((0, len(classes)), np.float32)
        numbers = answer(images)
        return softmax(numbers, axis=1) if is_logits else numbers

    return Network(classify, image_px, classes, facts)


def quantise(source: Path, target: Path, images: np.ndarray) -> Path:
    """Write a network with 8-bit weights and activations, its ranges calibrated on images.

    Activations are unsigned, weights signed with one scale a channel: what CPUs with VNNI run
    fastest.

    Args:
        source: ONNX file in floats.
        target: file to write.
        images: uint8 (N, px, px), of the training split; some hundred are enough.

    Returns:
        target.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    target = Path(target)

    # Operators between quantise and dequantise nodes, one weight scale a channel.
    settings = {
        "quant_format": QuantFormat.QDQ,
        "activation_type": QuantType.QUInt8,
        "weight_type": QuantType.QInt8,
        "per_channel": True,
    }
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, _quiet_logging():
        # Fold constants, calibrate, quantise.
        prepared = Path(folder) / "prepared.onnx"
        small = Path(folder) / "int8.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(str(prepared), str(small), _calibration_batches(images), **settings)

        # Quantising drops the metadata: carry them over.
        proto = onnx.load(str(small))
        facts = {entry.key: entry.value for entry in onnx.load(str(source)).metadata_props}
        facts["quantised"] = f"int8, static, {len(images)} images"
        onnx.helper.set_model_props(proto, facts)
    return write_onnx(target, proto)


def _calibration_batches(images: np.ndarray):
    """Hand calibration images over in the way that onnxruntime asks for."""
    from onnxruntime.quantization import CalibrationDataReader

    class Batches(CalibrationDataReader):
        """Batches of float images in [0, 1]."""

        def __init__(self):
            # The same floats as the classifier gets in use.
            parts = np.array_split(images, -(-len(images) // CALIBRATION_BATCH))
            floats = [part[:, None].astype(np.float32) / 255 for part in parts]
            self.batches = iter([{"images": batch} for batch in floats])

        def get_next(self):
            return next(self.batches, None)

    return Batches()


@contextlib.contextmanager
def _quiet_logging():
    """Silence warnings about the biases of batch norms, which have no channels to scale apart."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _session(path: Path, threads: int):
    """Open an ONNX file in onnxruntime."""
    import onnxruntime

    if not path.is_file():
        raise StudyError(
            f"--model {path}: no such file; notebook 70 writes one under runs/<study>/application"
        )

    # Only as many threads as the caller allows, and silence but for what is fatal.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal errors alone

    # Threads that wait leave the core to the detector.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        content = read_onnx(path)
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except DamagedFile as error:
        raise StudyError(f"--model {error}") from None
    except Exception as error:  # a family of its own: cut off, of another kind, or too new
        with open(path, "rb") as file:
            said = describe_content(file.read(HEAD))
        raise StudyError(
            f"--model {path}: is not an ONNX file that runs here "
            f"({f'it {said}' if said else reason_of(error)}); export it again with notebook 70"
        ) from None


def _facts_of(session, path: Path) -> dict[str, str]:
    """Read the metadata of a network."""
    try:
        facts = dict(session.get_modelmeta().custom_metadata_map)
        return {key: value for key, value in facts.items() if key not in (SEALED, SEAL)}
    except UnicodeDecodeError:
        raise _broken(path, "its metadata are not text in UTF-8") from None


def _run(session, name: str, images: np.ndarray, path: Path) -> np.ndarray:
    """Run a network on faces, uint8 (N, px, px); its first output, float32 (N, C).

    Raises:
        StudyError: it fails, gives something else than a table of numbers, or NaN.
    """
    # One channel in [0, 1], as in training.
    floats = images[:, None].astype(np.float32) / 255
    try:
        given = session.run(None, {name: floats})[0]
    except Exception as error:  # a family of its own
        raise _broken(path, f"fails on {len(images)} faces ({reason_of(error)})") from None
    if not isinstance(given, np.ndarray) or given.dtype.kind != "f" or given.ndim != 2:
        shape = getattr(given, "shape", type(given).__name__)
        raise _broken(path, f"gives {shape} in place of one row of numbers a face")
    if len(given) != len(images):
        raise _broken(path, f"gives {len(given)} rows for {len(images)} faces")

    # NaN is less than nothing: its largest entry would always be the first class.
    bad = ~np.isfinite(given).all(1)
    if bad.any():
        raise _broken(
            path, f"gives numbers that are none (NaN) for {bad.sum()} of {len(bad)} faces"
        )
    return given.astype(np.float32)


def _broken(path: Path, what: str) -> StudyError:
    """Say that a network does not work."""
    return StudyError(
        f"--model {path}: {what}; it is damaged, or was not trained: export it again with "
        "notebook 70"
    )


def _classes_in(facts: dict[str, str], path: Path) -> tuple[str, ...]:
    """Read the names of the classes out of a file's metadata, spelt as this project spells them.

    Known are names with commas, semicolons or lines between them, with numbers or hyphens before
    them; JSON and Python's lists; and dictionaries from number to name, or from name to number.

    Raises:
        StudyError: two names for one class, or emotions mixed with other names.
    """
    # Exporters write the classes under several keys.
    text = next((facts[key] for key in CLASS_KEYS if facts.get(key, "").strip()), "")
    found = _list_in(text.lstrip("\ufeff"))
    if found is None:
        raise StudyError(f"--model {path}: its classes ({text[:100]}) are not numbered through")
    names = [str(name).strip() for name in found]
    if not names:
        return ()
    way_out = "write its metadata `classes` as angry,happy,... in the order of its outputs"
    if not all(isinstance(name, (str, int)) for name in found):
        raise StudyError(f"--model {path}: its classes ({text[:100]}) are no names; {way_out}")

    # Names of emotions in other words; of other classes as they are written.
    emotions = [known_class(name) for name in names]
    known = sum(emotion is not None for emotion in emotions)
    if 0 < known < len(names):
        other = names[emotions.index(None)]
        raise StudyError(
            f"--model {path}: of its classes some are emotions and {other!r} is none; {way_out}"
        )

    # One name for two outputs would make their answers the same.
    classes = tuple(emotions) if known else tuple(names)
    if len({name.lower() for name in classes}) < len(classes) or not all(classes):
        raise StudyError(
            f"--model {path}: its classes ({', '.join(names)}) are not all different; {way_out}"
        )
    return classes


def _list_in(text: str) -> list | None:
    """Take a list of names apart, however it is written; None where their numbers have gaps."""
    value = text.strip()
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
            break
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue

    # From number to name or back, in whatever order it was written.
    if isinstance(value, dict):
        pairs = list(value.items())
        if not all(_is_number(key) for key in value):
            pairs = [(number, name) for name, number in pairs]
        return _in_order(pairs)
    if isinstance(value, (list, tuple)):
        return list(value)

    # Each name may have its number, or the hyphen of a list, before it.
    parts = [part.strip() for part in re.split(r"[,;\n]", str(value)) if part.strip()]
    numbered = [re.fullmatch(r"(\d+)\s*[:=.)\s]\s*(\D.*)", part) for part in parts]
    if parts and all(numbered):
        pairs = [match.groups() for match in numbered]
        return _in_order(pairs) or parts
    return [re.sub(r"^- ", "", part) for part in parts]


def _is_number(value) -> bool:
    """Tell whether a value is a whole number, or reads as one."""
    return not isinstance(value, bool) and str(value).strip().isdecimal()


def _in_order(pairs: list[tuple]) -> list | None:
    """Put names in the order of their numbers; None where these do not count from 0 or 1."""
    if not all(_is_number(number) for number, _ in pairs):
        return None
    ordered = sorted(pairs, key=lambda pair: int(pair[0]))
    numbers = [int(number) for number, _ in ordered]
    starts = [list(range(first, first + len(numbers))) for first in (0, 1)]
    return [name for _, name in ordered] if numbers in starts else None


def _input_of(session, path) -> tuple[int, str]:
    """Check that the input is (N, 1, px, px) floats; return px and its name."""
    inputs = session.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 else [entry.name for entry in inputs]

    # One image input with square pixels.
    four = len(inputs) == 1 and len(shape) == 4
    square = four and shape[1] == 1 and isinstance(shape[2], int) and shape[2] == shape[3]
    if not square or inputs[0].type != "tensor(float)":
        raise StudyError(
            f"--model {path}: its input is {shape} {inputs[0].type}, expected (N, 1, px, px) "
            "floats: one grey face; export it with notebook 70"
        )

    # A frame holds any number of faces, so the batch has to be free.
    if isinstance(shape[0], int):
        raise StudyError(
            f"--model {path}: takes exactly {shape[0]} faces at a time; export it with a dynamic "
            "batch, as notebook 70 does"
        )
    if not SIDES[0] <= shape[2] <= SIDES[1]:
        raise StudyError(
            f"--model {path}: its faces have {shape[2]} pixels a side, expected {SIDES[0]} to "
            f"{SIDES[1]}; export it again with notebook 70"
        )
    return shape[2], inputs[0].name
