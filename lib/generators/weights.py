"""Generators read from files: weights files, which lib.generators.export writes, and trainings."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from lib.compute.checkpoints import load_into, load_tensors
from lib.faces.faceset import FaceSet
from lib.generators.contract import NETWORKS, Generator, LearntFrom
from lib.generators.export import export_weights
from lib.generators.network import Network
from lib.generators.training_loop import WEIGHTS, TrainedGenerator
from lib.generators.versions import GENERATOR_VERSION
from lib.study.errors import StudyError
from lib.study.paths import ROOT
from lib.study.records import file_digest


@dataclass(eq=False)
class GivenGenerator(TrainedGenerator):
    """A generator that a weights file holds: it samples and edits, and learns nothing more."""

    file: str = ""  # name of the weights file
    digest: str = ""  # of it, sha256 hex

    is_trained = False

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None) -> pd.DataFrame:
        """Learn nothing; see Generator.fit."""
        return Generator.fit(self, faces, folder=folder, progress=progress, distance=distance)

    def training_folder(self, faces: FaceSet, trainings: Path, folder: Path) -> Path:
        """Choose the pool's own folder: there is no training to share."""
        return folder

    def save(self, folder: Path) -> Path:
        """Write generator.json, and the weights file as generator.safetensors."""
        # The same file as it was read from, so that the pool can be made again from its folder.
        Generator.save(self, folder)
        return export_weights(self, Path(folder) / WEIGHTS, most_mb=math.inf)

    def load(self, folder: Path) -> "GivenGenerator":
        """Return the generator itself, which has its weights."""
        return self

    def facts(self) -> dict:
        """Describe the generator and the file it is of, for the model card."""
        return super().facts() | {"weights": {"file": self.file, "sha256": self.digest}}


def read_generator(
    path: str | Path, *, sampling: dict | None = None, device: str = "cpu"
) -> GivenGenerator:
    """Make the generator that a weights file holds, ready to sample.

    Args:
        path: of the file; a relative one counts from the project's folder.
        sampling: settings of sampling to change, by name; None: as in the file.
        device: cpu or cuda.

    Raises:
        StudyError: no weights file, damaged, of an unknown generator or version, or a setting that
            is none of sampling's.
    """
    # Read the header.
    path = ROOT / Path(path).expanduser()
    _, facts = load_tensors(path)
    name = facts.get("generator")
    if name not in NETWORKS or "version" not in facts:
        raise StudyError(
            f"{path}: no weights file of a generator; write one by python -m lib.generators export"
        )
    if facts["version"] > GENERATOR_VERSION[name]:
        raise StudyError(
            f"{path}: weights of {name} version {facts['version']}; this code knows version "
            f"{GENERATOR_VERSION[name]}, update it"
        )

    # Make the network; which weights it draws with is the file's choice.
    network_class, _ = NETWORKS[name]()
    _check_names(settings_of_sampling(network_class), sampling or {}, path)
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        network = network_class(**facts["settings"] | (sampling or {}))

    # Load the weights, once their names and shapes are known to fit.
    tensors, _ = load_tensors(path, network.drawing_weights())
    network.load_drawing_weights({name: tensors[name] for name in network.drawing_weights()})
    generator = GivenGenerator(
        **_identity(facts),
        network=network.eval().requires_grad_(False),
        device=device,
        file=path.name,
        digest=file_digest(path),
    )
    generator.learnt_from = LearntFrom(**facts["learnt_from"])
    return generator


def load_trained(folder: Path, changes: dict | None = None) -> TrainedGenerator:
    """Make the trained generator that a folder's generator.safetensors holds.

    Args:
        folder: of a training or of a pool.
        changes: settings of sampling to change, by name, such as the average that draws.

    Raises:
        StudyError: no such weights, or a setting that is none of sampling's.
    """
    # Make the network.
    path = Path(folder) / WEIGHTS
    _, facts = load_tensors(path)
    network_class, _ = NETWORKS[facts["generator"]]()
    _check_names(network_class.sampling_settings, changes or {}, path)
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        network = network_class(**facts["settings"] | (changes or {}))

    # Make the generator.
    load_into(network, path)
    generator = TrainedGenerator(**_identity(facts), network=network)
    generator.learnt_from = LearntFrom(**facts["learnt_from"])
    return generator


def settings_of_sampling(network_class: type[Network]) -> tuple[str, ...]:
    """List the settings that sampling from a weights file may choose anew."""
    # The weights that draw are in the file, and no others.
    names = (*network_class.sampling_settings, *network_class.shared_settings)
    return tuple(name for name in names if name not in network_class.weight_settings)


def _identity(facts: dict) -> dict:
    """Collect from facts what a generator is made with beside its network."""
    return {
        "name": facts["generator"],
        "classes": tuple(facts["classes"]),
        "px": facts["px"],
        **facts["training"],
    }


def _check_names(known: tuple[str, ...], given: dict, path: Path) -> None:
    """Stop at a setting that sampling does not know."""
    unknown = [name for name in given if name not in known]
    if unknown:
        raise StudyError(
            f"{path}: {unknown[0]!r} is no setting of sampling; choices: {', '.join(known)}"
        )
