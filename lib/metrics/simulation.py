"""Simulated studies with a known answer: what a design with few seeds sees of crossed seed, image and run effects."""

import numpy as np


def simulated_study(rng: np.random.Generator, *, n_seeds: int, n_clusters: int, effect: float, seed_sd: float, copies: float = 0.05):
    """Simulate whether two arms' classifiers are right on each image.

    Args:
        effect: true difference of the arms' accuracy, in expectation over images and runs.
        seed_sd: standard deviation of a run's accuracy that no image explains (a better or worse minimum), in accuracy.
        copies: share of images that occur twice (one cluster).
    Returns:
        a, b float (S, N) of zeros and ones, clusters int64 (N,).
    """
    clusters = np.repeat(np.arange(n_clusters), 1 + (rng.random(n_clusters) < copies))
    # an image's chance of being classified right; the arms differ on images, not only on average
    easy = rng.beta(1.3, 0.7, size=n_clusters)
    swing = rng.uniform(-0.1, 0.1, size=n_clusters)
    arms = []
    for sign in (-1, 1):
        run = rng.normal(0, seed_sd, size=(n_seeds, 1))
        chance = 0.1 + 0.75 * easy + sign * (0.5 * swing + effect / 2) + run
        # copies get one answer: a network is a function of the image
        right = rng.random((n_seeds, n_clusters)) < np.clip(chance, 0, 1)
        arms.append(right[:, clusters].astype(np.float64))
    return arms[0], arms[1], clusters
