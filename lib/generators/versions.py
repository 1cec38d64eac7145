"""Versions of the trained generators, raised by hand when a training's arithmetic changes.

The key of a training holds the version of its generator (`training_loop.training_key`), never a
hash of code: moves, renames and comments repeat nothing. tests/generators/test_training_version.py
holds a tiny training of each generator to the numbers recorded for its version; where it fails
because the arithmetic was changed on purpose, raise the version here and record anew. What all of
them share (the training loop, seeds, optimiser steps) raises every version.
"""

GENERATOR_VERSION = {
    "dcgan": 2,
    "cgan": 2,
    "acgan": 2,
    "stylegan": 2,
    "diffusion": 2,
}
