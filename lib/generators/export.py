"""Weights as a gift: one small file that makes a trained generator's images without any training.

A weights file is a safetensors file: the weights that draw, in float16 (those that need it in
float32), and in its header all that the generator says of itself (Generator.facts: kind, classes,
settings, training, what it learnt from), so that nothing else is needed to sample from it.
lib.generators.weights reads it.
"""

from pathlib import Path

from lib.compute.checkpoints import save_tensors
from lib.generators.contract import Generator
from lib.generators.versions import GENERATOR_VERSION
from lib.study.errors import StudyError

MOST_MB = 10.0  # of a weights file: what a repository holds without a large-file store


def export_weights(generator: Generator, path: Path, *, most_mb: float = MOST_MB) -> Path:
    """Write the weights file of a trained generator; the same weights give the same bytes.

    Args:
        generator: trained, or read from a weights file; one with a network.
        path: file to write, .safetensors.
        most_mb: largest size of the file, 2 ** 20 bytes.

    Raises:
        StudyError: the file would be larger.
    """
    # Round the weights; counters are whole numbers.
    network = generator.network
    weights = {}
    for name, tensor in network.drawing_weights().items():
        is_rounded = tensor.is_floating_point() and not name.startswith(network.exact_weights)
        weights[name] = tensor.half() if is_rounded else tensor

    # Stop before there is a file.
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values()) / 2**20
    if size > most_mb:
        raise StudyError(
            f"{path}: weights of {size:.1f} MB, more than {most_mb:g}; export a smaller network, "
            "or pass most_mb"
        )

    # A guide is a file of its own, and what the generator was read from is no part of it.
    facts = generator.facts() | {"version": GENERATOR_VERSION[generator.name]}
    facts.pop("weights", None)
    if "guide" in facts["settings"]:
        facts["settings"] = facts["settings"] | {"guide": ""}
    return save_tensors(path, weights, facts)
