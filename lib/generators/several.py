"""Train a pool's generator outside its notebook, on several GPUs: accelerate launch --num_processes 4 -m lib.generators.several STUDY POOL.

Notebook 10 must have run. Notebook 20 then finds the finished training and makes the pool; this log holds no distances, for they need the
reference classifier, which the notebook measures the finished pool with.
"""

import argparse
import sys

from lib.faces.faceset import load_faces
from lib.generators.contract import make_generator
from lib.generators.processes import processes
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.paths import study_paths


def main(words: list[str] | None = None) -> None:
    """Train and say where the weights lie."""
    parser = argparse.ArgumentParser(description="Train a pool's generator on one or several GPUs.")
    parser.add_argument("study", help="such as comp7055")
    parser.add_argument("pool", help="such as stylegan64")
    parser.add_argument("--output", default="", help="folder that holds runs/; the project's own if left out")
    parser.add_argument("--set", action="append", default=[], dest="sets", metavar="KEY=VALUE", help="as for run_all.py")
    asked = parser.parse_args(words)
    paths, params = study_paths(asked.study, asked.output), load_params(asked.study, tuple(asked.sets), pool=asked.pool)
    generator, real = make_generator(params), load_faces(paths.data).split("train")
    if not hasattr(generator, "home"):
        raise StudyError(f"pool {asked.pool}: its generator {generator.name!r} needs no training")
    if params["gan_source"]:
        raise StudyError("gan_source: pictures without labels are labelled by the reference classifier; train on them in notebook 20")
    state, home = processes(generator.device), generator.home(real, paths.generators)
    if params["gan_batch"] % state.num_processes:
        raise StudyError(
            f"gan_batch is {params['gan_batch']}, which {state.num_processes} processes cannot share evenly; set a multiple of it"
        )
    generator.fit(real, folder=home, progress=print)
    if state.is_main_process:
        print(f"{asked.pool}: {generator.steps} steps on {state.num_processes} process(es); weights in {home}")


if __name__ == "__main__":
    try:
        main()
    except StudyError as error:
        sys.exit(f"error: {error}")
