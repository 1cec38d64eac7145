"""Train a generator on a GPU that is lent for minutes: one command, ended by the clock.

    python -m lib.generators.by_the_clock --data fer2013.zip --out FOLDER --seconds 540
    python -m lib.generators.by_the_clock --unpack FOLDER --out IMAGES

In order, with shares of the time (SHARES): a step is compiled and recorded; training on all images,
whose learning rate falls to 0 over the second half, with snapshots at log-spaced times; images of
the final weights at real class shares, and of each snapshot; then the same training on a subset of
the images, with augmentation, and its images. A line every PRINT_SECONDS says images a second,
TFLOP/s and the loss. Every SAVE_SECONDS one says the loss on validation images, where the data have
any, and the weights so far are written, in parts, as long as there is room beside what is there;
images take the place of weights, up to MOST_BYTES and MOST_FILES. What is there when the machine is
taken away can be used: `--unpack` makes image folders of the sheets.

The sizes are those of params/pools/diffusion.yaml; --set changes any parameter, the generator too:
--set generator=stylegan --set gan_width=16 --set gan_batch=1280 --set gan_lr=0.01.

Measured on one NVIDIA H200 (torch 2.11, bfloat16), a network of 4.4 M weights (channels 64, 128,
160; blocks 2, 2, 1), batches of 1,024: 8,000 images/s as written, 18,100 compiled (in 57 s), 13,300
compiled and recorded beside another training. reports/weights/diffusion-long.safetensors comes of
360 s beside four other trainings: 3.5 million images, and 28,709 faces drawn in 37 s.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from lib.compute.checkpoints import save_tensors
from lib.compute.seeds import mixed_seed
from lib.faces.faceset import FaceSet
from lib.faces.mixing import draw_subset
from lib.faces.sources import read_faces
from lib.generators.captured import CapturedSteps, Steps
from lib.generators.contract import make_generator
from lib.generators.diffusion import Diffusion
from lib.generators.edm import held_out_loss
from lib.generators.network import autocast_like
from lib.generators.packed_sheets import encoded_sheet, pack, unpack
from lib.generators.pools import labels_by_share
from lib.generators.sampling import from_grey, generated_faces, sample_rows
from lib.generators.training_loop import TrainedGenerator
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.records import append_jsonl, made_folder

# Ends of the phases, as shares of the time.
SHARES = {"trained": 0.66, "sampled": 0.78, "trained again": 0.93}
SNAPSHOTS = 8  # at the end of training, at half of its time, at a quarter, ...
PRINT_SECONDS, SAVE_SECONDS = 10.0, 60.0
QUEUED = 10  # steps that wait for the device at most
COMPILED_FROM = 180.0  # seconds of training from which compiling, which takes about 60, pays

# What a lent machine gives back: 64 MiB in 8 files of 16 MiB.
MOST_BYTES, MOST_FILES, FILE_BYTES = 62 * 2**20, 8, 15 * 2**20
SHEET_IMAGES = 8192  # 13 MiB at 48 px
SNAPSHOT_IMAGES = 512  # of each snapshot; together one sheet
SUBSET_IMAGES = 6144  # of the training on the subset: what fits beside the others
SAMPLE_BATCH = 2048
HELD_OUT = 1024  # validation images of a loss
SETTINGS = ("diffusion_sample_steps=24", "diffusion_guidance=2.0", "diffusion_average=0.1")
FEW_SETTINGS = ("diffusion_augment_share=0.15",)  # of the training on the subset


@dataclass
class Session:
    """The time that is left, and the files that are written."""

    out: Path
    seconds: float
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self):
        self.started = self.clock()

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self.started

    def end_of(self, phase: str) -> float:
        """Seconds after which a phase ends."""
        return SHARES[phase] * self.seconds

    def has_room(self, sizes: list[int]) -> bool:
        """Tell whether files of these sizes fit beside those that are there."""
        kept = [path.stat().st_size for path in self.out.iterdir()]
        total = sum(kept) + sum(sizes)
        return len(kept) + len(sizes) <= MOST_FILES and total <= MOST_BYTES

    def report(self, **facts) -> None:
        """Print a line, and append it to the log."""
        row = {"seconds": round(self.elapsed(), 1), **facts}
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        append_jsonl(self.out / "log.jsonl", [row])


def main(words: list[str] | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
    """Run the whole session, or unpack its images.

    Args:
        words: of the command line; None: those that the process was started with.
        clock: seconds that count.

    Raises:
        StudyError: data, parameters or files that do not fit.
    """
    options = _parser().parse_args(words)
    if options.unpack:
        for name, faces in unpack(Path(options.unpack), Path(options.out)).items():
            print(f"{options.out}/{name}: {len(faces)} images")
        return

    # Read the images.
    session = Session(Path(options.out), options.seconds, clock)
    made_folder(session.out)
    params = load_params("quick", (*SETTINGS, *options.set), pool="diffusion")
    faces = read_faces(options.data, px=params["gan_px"])
    real, held_out = faces.split("train"), faces.split("val")
    session.report(phase="data", images=len(real), classes=len(real.classes))

    # All images.
    generator = make_generator(params, real.classes)
    end = session.end_of("trained")
    snapshots = train(generator, real, session, end, "all", held_out=held_out)
    for start in range(0, options.count, SHEET_IMAGES):
        if not start or session.elapsed() < session.end_of("sampled"):
            rows = np.arange(start, min(start + SHEET_IMAGES, options.count))
            write_sheet(session, {"all": draw(generator, real, rows, "all")})

    # The beginnings of the same seeds at each snapshot.
    rows, sets = np.arange(min(options.count, SNAPSHOT_IMAGES)), {}
    for number, weights in enumerate(snapshots[:-1], start=1):
        name = f"all-{number}-of-{len(snapshots)}"
        generator.network.load_drawing_weights(weights)
        sets[name] = draw(generator, real, rows, name)
    write_sheet(session, sets)

    # A subset, with what is left.
    few = load_params("quick", (*SETTINGS, *FEW_SETTINGS, *options.set), pool="diffusion")
    subset = draw_subset(real, min(options.subset, len(real)), seed=few["seed"], draw=0)
    again = make_generator(few, real.classes)
    end = session.end_of("trained again")
    train(again, subset, session, end, "subset", held_out=held_out)
    rows = np.arange(min(options.count, SUBSET_IMAGES))
    write_sheet(session, {"subset": draw(again, real, rows, "subset")})
    session.report(phase="end", files=len(list(session.out.iterdir())))


# --------------------------------------------------------------------------------------------------
# Training.


def train(
    generator: TrainedGenerator,
    faces: FaceSet,
    session: Session,
    until: float,
    name: str,
    *,
    held_out: FaceSet | None = None,
) -> list[dict[str, torch.Tensor]]:
    """Train until a time, the learning rate falling to 0 over the second half of it.

    Args:
        generator: fresh; its steps are ignored.
        faces: training images at its size.
        until: seconds of the session.
        name: of the training, for log and files.
        held_out: images at its size that it does not learn from, for a loss; None or empty: none.

    Returns:
        The weights that draw, float16 on the CPU, at each of the log-spaced times.
    """
    # Everything on the device, the choice of images too.
    network = generator.network.to(generator.device).train()
    images = torch.from_numpy(faces.images).to(generator.device)
    labels = torch.from_numpy(network.targets(faces)).to(generator.device)
    torch.manual_seed(mixed_seed(generator.seed))
    steps = recorded_steps(generator, images, labels, session, until)
    gigaflops = training_flop(generator) / 1e9

    # Times of the snapshots, and of lines and files.
    began = session.elapsed()
    marks = [began + (until - began) / 2**times for times in range(SNAPSHOTS)][::-1]
    printed, saved, printed_step = began, began, 0
    snapshots, step = [], 0
    while (now := session.elapsed()) < until or not step:
        # A step, its learning rate by the clock; the device does not fall behind by many.
        share = (now - began) / (until - began)
        warm = min(1.0, (step + 1) / max(1, network.warm_up_steps))
        rate = network.settings["lr"] * warm * min(1.0, 2 * (1 - share))
        loss = steps.step(rate, len(images))
        step += 1
        if not step % QUEUED and generator.device == "cuda":
            torch.cuda.synchronize()

        # A line; reading the loss waits for the device, so not at every step.
        if now - printed >= PRINT_SECONDS:
            value = finite(loss, step)
            speed = (step - printed_step) * generator.batch / (session.elapsed() - printed)
            session.report(
                phase=f"training {name}",
                step=step,
                images_per_s=round(speed),
                teraflops=round(speed * gigaflops / 1e3, 2),
                loss=round(value, 4),
            )
            printed, printed_step = session.elapsed(), step

        # Files, and snapshots.
        if now - saved >= SAVE_SECONDS:
            write_weights(generator, session, name)
            report_held_out(generator, held_out, session, name)
            saved = session.elapsed()
        while len(marks) > 1 and session.elapsed() >= marks[0]:
            marks.pop(0)
            snapshots.append(half_weights(generator))

    # The end is a snapshot too.
    finite(loss, step)
    generator.steps = step
    write_weights(generator, session, name)
    report_held_out(generator, held_out, session, name)
    session.report(phase=f"trained {name}", step=step, images=step * generator.batch)
    return [*snapshots, half_weights(generator)]


def recorded_steps(
    generator: TrainedGenerator, images, labels, session: Session, until: float
) -> Steps:
    """Record a step of the diffusion model on a GPU, compiled where there is time; the weights
    stay. GANs take theirs from Python.

    Args:
        generator: its network on the device.
        images: uint8 (N, px, px) on the device.
        labels: of Network.targets, on the device.
        session: of the files.
        until: seconds of the session at which the training ends.
    """
    # Only diffusion's update is written without numbers of Python's own.
    network, before = generator.network, session.elapsed()
    if not isinstance(network, Diffusion):
        return Steps(network, images, labels, generator.batch)
    is_compiled = generator.device == "cuda" and until - before > COMPILED_FROM
    if is_compiled:
        network.model.compile()
    steps = CapturedSteps(network, images, network.label_vectors(labels), generator.batch)
    steps.capture()
    spent = round(session.elapsed() - before, 1)
    session.report(phase="recorded", compiled=is_compiled, spent_s=spent)
    return steps


def training_flop(generator: TrainedGenerator) -> float:
    """Count the FLOP of one image of training: a forward pass, and twice as much backward; 0 for a
    GAN, whose parts see an image several times.
    """
    if not isinstance(generator.network, Diffusion):
        return 0.0

    # Counted on an image of zeros.
    network = generator.network.averages[0]
    x = torch.zeros(1, 1, generator.px, generator.px, device=generator.device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x, x.new_zeros(1), x.new_zeros(1, len(generator.classes)))
    return 3.0 * counter.get_total_flops()


def report_held_out(
    generator: TrainedGenerator, held_out: FaceSet | None, session: Session, name: str
) -> None:
    """Print the loss of each average of the weights on images that it did not learn from."""
    if held_out is None or not len(held_out) or not isinstance(generator.network, Diffusion):
        return

    # Images and label vectors.
    network = generator.network
    images = from_grey(torch.from_numpy(held_out.images[:HELD_OUT]).to(generator.device))
    labels = torch.from_numpy(network.targets(held_out)[:HELD_OUT]).to(generator.device)

    # The loss of each average.
    losses = {}
    for length, average in zip(network.lengths, network.averages):
        with autocast_like(images, network.precision):
            loss = held_out_loss(average.eval(), images, network.label_vectors(labels))
        losses[f"average_{length}"] = round(float(loss), 4)
    session.report(phase=f"held out {name}", images=len(images), **losses)


def finite(loss: torch.Tensor, step: int) -> float:
    """Read a loss.

    Raises:
        StudyError: it is no finite number.
    """
    value = float(loss)
    if not np.isfinite(value):
        raise StudyError(f"the loss is {value} at step {step}; lower gan_lr")
    return value


# --------------------------------------------------------------------------------------------------
# Files.


def half_weights(generator: TrainedGenerator) -> dict[str, torch.Tensor]:
    """Copy the weights that draw to the CPU, in float16 but for those that need float32."""
    network = generator.network
    weights = {}
    for name, tensor in network.drawing_weights().items():
        rounded = tensor.is_floating_point() and not name.startswith(network.exact_weights)
        weights[name] = (tensor.half() if rounded else tensor).cpu().clone()
    return weights


def write_weights(generator: TrainedGenerator, session: Session, name: str) -> None:
    """Write the weights that draw in parts of at most FILE_BYTES, over those of before."""
    # Parts that are filled up one after the other.
    parts, sizes = [{}], [0]
    for key, tensor in half_weights(generator).items():
        taken = tensor.numel() * tensor.element_size()
        if sizes[-1] + taken > FILE_BYTES and parts[-1]:
            parts.append({})
            sizes.append(0)
        parts[-1][key] = tensor
        sizes[-1] += taken

    # In place of earlier weights, if there is room.
    remove_weights(session)
    if session.has_room(sizes):
        for number, part in enumerate(parts):
            path = session.out / f"weights-{name}-{number}.safetensors"
            save_tensors(path, part, generator.facts())


def remove_weights(session: Session) -> None:
    """Remove the weights that were written so far."""
    for path in session.out.glob("weights-*.safetensors"):
        path.unlink()


def draw(generator: TrainedGenerator, real: FaceSet, rows: np.ndarray, name: str) -> FaceSet:
    """Draw images at real class shares.

    Args:
        generator: trained.
        real: whose class shares are taken.
        rows: rising numbers of the images; their seeds.
        name: of the set.
    """
    network = generator.network.eval()
    shares = real.counts().to_numpy() / len(real)
    labels = labels_by_share(shares, int(rows[-1]) + 1)[rows]
    images = sample_rows(network.draw, labels, rows, batch=min(SAMPLE_BATCH, len(rows)))
    return generated_faces(images, labels, rows, name, generator.classes)


def write_sheet(session: Session, sets: dict[str, FaceSet]) -> None:
    """Write sets of images as one sheet, in place of weights where there is no room for both."""
    sheet = encoded_sheet(sets)
    if not session.has_room([len(sheet)]):
        remove_weights(session)
    fits = len(sheet) <= FILE_BYTES and session.has_room([len(sheet)])
    if fits:
        file = f"sheet-{len(list(session.out.glob('sheet-*.webp')))}.webp"
        pack(session.out, file, sheet, sets)
    counts = {name: len(faces) for name, faces in sets.items()}
    session.report(phase="sheet", written=fits, megabytes=round(len(sheet) / 2**20, 1), **counts)


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.generators.by_the_clock",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", default="", help="the real faces: folder, zip, csv or parquet")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="receives the files")
    parser.add_argument("--seconds", type=float, default=540.0, help="of the whole session")
    parser.add_argument("--count", type=int, default=28_709, help="images to draw at the end")
    parser.add_argument("--subset", type=int, default=2_871, help="real images of the second one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--unpack", default="", metavar="FOLDER", help="files that came back")
    return parser


if __name__ == "__main__":
    try:
        main()
    except StudyError as error:
        sys.exit(f"error: {error}")
