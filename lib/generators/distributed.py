"""Train a pool's generator outside its notebook, on several GPUs.

    accelerate launch --num_processes 4 -m lib.generators.distributed STUDY POOL

Notebook 10 must have run. Notebook 20 then loads the finished training and makes the pool. The log
holds no distances: they need the reference classifier, which the notebook measures the finished
pool with.
"""

import argparse
import sys

from lib.compute.processes import process_state
from lib.faces.faceset import load_faces
from lib.generators.contract import Generator, make_generator
from lib.generators.source import own_faces
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.paths import study_paths


def main(words: list[str] | None = None) -> None:
    """Train, and print where the weights are.

    Args:
        words: of the command line; None: those that the process was started with.

    Raises:
        StudyError: a generator that needs no training, `gan_source`, or a batch that the processes
            cannot share evenly.
    """
    # Read the study.
    options = _parser().parse_args(words)
    paths = study_paths(options.study, options.output)
    params = load_params(options.study, tuple(options.sets), pool=options.pool)
    real = own_faces(load_faces(paths.data).split("train"), params)

    # Train.
    generator = make_generator(params, real.classes)
    state = process_state(generator.device)
    _check(generator, params, state.num_processes)
    folder = generator.training_folder(real, paths.generators, paths.pool(options.pool))
    generator.fit(real, folder=folder, progress=print)
    if state.is_main_process:
        print(
            f"{options.pool}: {params['gan_steps']} steps on {state.num_processes} process(es); "
            f"weights in {folder}"
        )


def _check(generator: Generator, params: dict, processes: int) -> None:
    """Stop at a pool that cannot be trained here."""
    if not generator.is_trained:
        raise StudyError(
            f"pool {params['pool']}: its generator {generator.name!r} needs no training"
        )

    # What only a notebook prepares, or processes cannot share.
    if params["gan_source"]:
        raise StudyError(
            "gan_source: pictures without labels are labelled by the reference classifier; "
            "train on them in notebook 20"
        )
    if params["gan_batch"] % processes:
        raise StudyError(
            f"gan_batch is {params['gan_batch']}, which {processes} processes cannot share "
            "evenly; set a multiple of it"
        )


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="Train a pool's generator on one or several GPUs.")
    parser.add_argument("study", help="such as comp7055")
    parser.add_argument("pool", help="such as stylegan64")
    parser.add_argument(
        "--output", default="", help="folder that holds runs/; the project's own if left out"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="sets",
        metavar="KEY=VALUE",
        help="as for run_all.py",
    )
    return parser


if __name__ == "__main__":
    try:
        main()
    except StudyError as error:
        sys.exit(f"error: {error}")
