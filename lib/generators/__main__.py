"""Sample from weights files, and write them.

    python -m lib.generators sample --weights FILE --class happy --count 1000 --out FOLDER
    python -m lib.generators sample --weights FILE --count 28709 --out FOLDER
    python -m lib.generators sample --weights FILE --counts happy=700,sad=500 --out FOLDER
    python -m lib.generators export FOLDER --out FILE
    python -m lib.generators convert SNAPSHOT --faces FOLDER --out FILE
    python -m lib.generators average SNAPSHOT... --length 0.07 --out FILE

`sample` makes an image folder, `<class>/<id>.png` with metadata.csv, without any training: so many
images of one class; of all classes, in the shares of the images that the generator learnt from; or
so many of each class. Image i depends on its class and seed alone. A call that was stopped goes on
with the images that are missing.

The others write a weights file and its card. `export`: of a generator that was trained here.
`convert`: of a snapshot of the stand-alone training of lib.generators.snapshots. `average`: of
several weights files of one diffusion training (`gan_checkpoints`), an average of weights of
another length than those that the training kept.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from lib.compute.devices import DEVICES, resolve_device
from lib.generators.contract import Generator
from lib.generators.pools import labels_by_share, sample_pool
from lib.study.errors import StudyError
from lib.study.params import parsed_yaml


def main(words: list[str] | None = None) -> None:
    """Run one of the commands; see the module's docstring.

    Args:
        words: of the command line; None: those that the process was started with.

    Raises:
        StudyError: files, classes, numbers or settings that do not fit.
    """
    # Each command's parser names the function that runs it.
    options = _parser().parse_args(words)
    options.command(options)


def sample(options: argparse.Namespace) -> None:
    """Make an image folder from a weights file."""
    from lib.generators.weights import read_generator

    # Choose what is made.
    path = Path(options.weights).expanduser().resolve()
    sampling = settings_of(options.set)
    generator = read_generator(path, sampling=sampling, device=resolve_device(options.device))
    labels = wanted_labels(generator, options)
    seeds = options.seed + np.arange(len(labels), dtype=np.int64)

    # Make it.
    folder = Path(options.out).expanduser()
    began = time.perf_counter()
    name = options.name or Path(options.weights).stem
    faces = sample_pool(generator, name, folder, labels, seeds, progress=print)
    Generator.save(generator, folder)
    for shards in folder.glob("shards-*"):
        shutil.rmtree(shards)

    # Say what was made.
    counts = ", ".join(f"{count} {name}" for name, count in faces.counts().items() if count)
    seconds = time.perf_counter() - began
    print(f"{folder}: {len(faces)} images in {seconds:.0f} s ({counts}), metadata.csv")


def export(options: argparse.Namespace) -> None:
    """Write the weights file of a training or a pool."""
    from lib.generators.weights import load_trained

    # Settings of sampling, such as the average that draws, are chosen now.
    generator = load_trained(Path(options.folder).expanduser(), settings_of(options.set))
    write(generator, options)


def convert(options: argparse.Namespace) -> None:
    """Write the weights file of a snapshot."""
    from lib.faces.faceset import load_faces
    from lib.generators.snapshots import read_snapshot

    # What it learnt from goes into the header.
    faces = load_faces(Path(options.faces).expanduser()).split("train")
    generator = read_snapshot(Path(options.snapshot).expanduser(), faces, options.average)
    write(generator, options)


def average(options: argparse.Namespace) -> None:
    """Write the weights file of an average of another length."""
    from lib.generators.posthoc import generator_of_length

    paths = [Path(path).expanduser().resolve() for path in options.snapshots]
    write(generator_of_length(paths, options.length), options)


def write(generator: Generator, options: argparse.Namespace) -> None:
    """Write a weights file and its card, and print where they lie."""
    from lib.generators.export import export_weights
    from lib.generators.weights_card import write_card

    path = export_weights(generator, Path(options.out).expanduser())
    card = write_card(generator, path, licence=options.licence, measures=tuple(options.measured))
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MB; its card: {card.name}")


def wanted_labels(generator: Generator, options: argparse.Namespace) -> np.ndarray:
    """Choose the labels of the images that a command line asks for.

    Returns:
        int64 (N,), in order of generation.

    Raises:
        StudyError: an unknown class, or no number.
    """
    classes = generator.classes

    # So many of each class that is named.
    counts = settings_of(options.counts.split(",")) if options.counts else {}
    if options.class_name:
        counts[options.class_name] = options.count
    unknown = [name for name in counts if name not in classes]
    if unknown:
        raise StudyError(f"no class is called {unknown[0]!r}; there are {', '.join(classes)}")
    if any(not isinstance(count, int) or count < 0 for count in counts.values()):
        raise StudyError(f"--counts {options.counts}: write whole numbers, such as happy=700,sad=5")
    if counts:
        numbers = [counts.get(name, 0) for name in classes]
        return np.repeat(np.arange(len(classes)), numbers).astype(np.int64)

    # All classes, in the shares of what the generator learnt from.
    if options.count < 1:
        raise StudyError("how many images? give --count, or --counts by class")
    real = np.array(generator.learnt_from.class_counts, np.float64)
    if not len(real):
        raise StudyError(
            f"{options.weights} does not say how many images of each class it learnt from; "
            "give --counts by class"
        )
    return labels_by_share(real / real.sum(), options.count)


def settings_of(texts: list[str]) -> dict:
    """Read KEY=VALUE texts; values as YAML reads them.

    Raises:
        StudyError: a text without an equals sign.
    """
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise StudyError(f"{text}: write it as KEY=VALUE")
        try:
            settings[key.strip()] = parsed_yaml(value)
        except yaml.YAMLError:
            raise StudyError(
                f"{text}: its value cannot be read; write 0.5, true or a word"
            ) from None
    return settings


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.generators",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)

    # sample
    command = commands.add_parser("sample", help="make an image folder from a weights file")
    command.set_defaults(command=sample)
    command.add_argument("--weights", required=True, metavar="FILE", help="a weights file")
    command.add_argument("--out", required=True, metavar="FOLDER", help="receives the images")
    command.add_argument("--class", dest="class_name", default="", help="make this class alone")
    command.add_argument("--count", type=int, default=0, help="images, of the class or of all")
    command.add_argument("--counts", default="", help="images by class: happy=700,sad=500")
    command.add_argument("--seed", type=int, default=0, help="of the first image; then one on each")
    command.add_argument("--name", default="", help="beginning of the ids; the file's if left out")
    command.add_argument("--device", default="auto", choices=DEVICES)
    _add_set(command, "setting of sampling, such as guidance=2, sample_steps=20, precision=fp32")

    # export
    command = commands.add_parser("export", help="write the weights file of a trained generator")
    command.set_defaults(command=export)
    command.add_argument("folder", help="that holds generator.safetensors: a training or a pool")
    _add_file(command)
    _add_set(command, "setting of sampling to write into it, such as average=0.05, guidance=2")

    # convert
    command = commands.add_parser("convert", help="write the weights file of a snapshot")
    command.set_defaults(command=convert)
    command.add_argument("snapshot", help="snapshot or checkpoint of a stand-alone training")
    command.add_argument("--faces", required=True, help="data folder of a study: what it learnt")
    command.add_argument("--average", type=float, default=0.1, help="of a checkpoint: its length")
    _add_file(command)

    # average
    command = commands.add_parser("average", help="average weights over another length")
    command.set_defaults(command=average)
    command.add_argument("snapshots", nargs="+", help="weights files of one diffusion training")
    command.add_argument("--length", type=float, required=True, help="share of the training: 0.07")
    _add_file(command)
    return parser


def _add_file(parser: argparse.ArgumentParser) -> None:
    """Add the options of a weights file that is written, and of its card."""
    parser.add_argument("--out", required=True, metavar="FILE", help="such as faces.safetensors")
    parser.add_argument("--licence", default="unknown", help="for the card, such as cc-by-4.0")
    text = "sentence for the card: what was measured, with its n"
    parser.add_argument("--measured", action="append", default=[], metavar="TEXT", help=text)


def _add_set(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the option that changes settings."""
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=text)


if __name__ == "__main__":
    try:
        main()
    except StudyError as error:
        sys.exit(f"error: {error}")
