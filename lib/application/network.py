"""The exported classifier: opened with checks, run on crops, and made smaller by static quantisation."""

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.faces.faceset import CLASSES
from lib.study.errors import StudyError


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
        StudyError: no such file, not ONNX, another input or another number of classes.
    """
    session = _session(Path(path), threads)
    image_px, name = _input_of(session, path)
    facts = dict(session.get_modelmeta().custom_metadata_map)
    classes = tuple(facts["classes"].split(",")) if facts.get("classes") else CLASSES
    width = session.run(None, {name: np.zeros((1, 1, image_px, image_px), np.float32)})[0].shape[-1]
    if width != len(classes):
        named = f"{len(classes)} classes ({', '.join(classes)})"
        raise StudyError(f"--model {path}: gives {width} numbers for {named}; export it with lib.classifiers.export")

    def classify(images: np.ndarray) -> np.ndarray:
        return session.run(None, {name: images[:, None].astype(np.float32) / 255})[0]

    return Network(classify, image_px, classes, facts)


def quantise(source: Path, target: Path, images: np.ndarray) -> Path:
    """Write a network with 8-bit weights and activations, its ranges calibrated on images.

    Args:
        source: ONNX file in floats.
        target: file to write.
        images: uint8 (N, px, px), of the training split; some hundred are enough.
    Returns:
        target. Activations are unsigned, weights signed and one scale a channel: what CPUs with VNNI run fastest.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Batches(CalibrationDataReader):
        """Hands the calibration images over, 64 at a time."""

        def __init__(self):
            parts = np.array_split(images, -(-len(images) // 64))
            self.batches = iter([{"images": part[:, None].astype(np.float32) / 255} for part in parts])

        def get_next(self):
            return next(self.batches, None)

    # its warnings are about the biases of batch norms, which have no channels to scale apart
    quiet, before = logging.getLogger(), logging.getLogger().level
    quiet.setLevel(logging.ERROR)
    target = Path(target)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        prepared, small = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True}
        quantize_static(str(prepared), str(small), Batches(), quant_format=QuantFormat.QDQ, **kinds)
        quiet.setLevel(before)
        proto = onnx.load(str(small))
        facts = {p.key: p.value for p in onnx.load(str(source)).metadata_props} | {"quantised": f"int8, static, {len(images)} images"}
        onnx.helper.set_model_props(proto, facts)
        onnx.save(proto, str(small))
        small.replace(target)
    return target


def _session(path: Path, threads: int):
    import onnxruntime

    if not path.is_file():
        raise StudyError(f"--model {path}: no such file; notebook 70 writes one under runs/<study>/application")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait leave the core to the detector
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a family of its own for files that are cut off, of another kind or too new
        reason = str(error).splitlines()[0][:160]
        raise StudyError(f"--model {path}: is not an ONNX file that runs here ({reason}); export it again with notebook 70") from None


def _input_of(session, path) -> tuple[int, str]:
    """Check that the input is (N, 1, px, px) floats; return px and its name."""
    given = session.get_inputs()
    shape = given[0].shape if len(given) == 1 else [entry.name for entry in given]
    fits = len(given) == 1 and len(shape) == 4 and shape[1] == 1 and isinstance(shape[2], int) and shape[2] == shape[3]
    if not fits or given[0].type != "tensor(float)":
        found = f"its input is {shape} {given[0].type}"
        raise StudyError(f"--model {path}: {found}, expected (N, 1, px, px) floats: one grey face; export it with notebook 70")
    if isinstance(shape[0], int):
        raise StudyError(f"--model {path}: takes exactly {shape[0]} faces at a time; export it with a dynamic batch, as notebook 70 does")
    return shape[2], given[0].name
