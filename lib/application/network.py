"""The exported classifier: opened with checks, run on crops, quantised to 8 bit."""

import contextlib
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.study.errors import StudyError

CALIBRATION_BATCH = 64  # images handed to the quantiser at once


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

    Args:
        path: as written by lib.classifiers.export, or quantised from it.
        threads: of one call.

    Raises:
        StudyError: no such file, not ONNX, another input, no names of classes, or another number
            of them than of outputs.
    """
    # Open the file and read what it says of itself.
    session = _session(Path(path), threads)
    image_px, name = _input_of(session, path)
    facts = dict(session.get_modelmeta().custom_metadata_map)
    classes = tuple(facts["classes"].split(",")) if facts.get("classes") else ()

    # One blank face tells how many numbers come out.
    blank = np.zeros((1, 1, image_px, image_px), np.float32)
    width = session.run(None, {name: blank})[0].shape[-1]
    if width != len(classes):
        named = f"{len(classes)} classes ({', '.join(classes) or 'its metadata names none'})"
        raise StudyError(
            f"--model {path}: gives {width} numbers for {named}; export it with "
            "lib.classifiers.export"
        )

    def classify(images: np.ndarray) -> np.ndarray:
        return session.run(None, {name: images[:, None].astype(np.float32) / 255})[0]

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
        onnx.save(proto, str(small))
        small.replace(target)
    return target


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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal errors alone

    # Threads that wait leave the core to the detector.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a family of its own: cut off, of another kind, or too new
        reason = str(error).splitlines()[0][:160]
        raise StudyError(
            f"--model {path}: is not an ONNX file that runs here ({reason}); export it again with "
            "notebook 70"
        ) from None


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
    if isinstance(shape[0], int):
        raise StudyError(
            f"--model {path}: takes exactly {shape[0]} faces at a time; export it with a dynamic "
            "batch, as notebook 70 does"
        )
    return shape[2], inputs[0].name
