"""Maps of feature space: real and synthetic images placed together in two dimensions.

Numbers say what a map keeps and shows. Nothing is concluded from a map; what is concluded comes
from feature space, with real against real beside it.

Features are float (N, D), rows of one feature space; points are float (N, 2), a map of them. Real
and synthetic rows are always fitted jointly. Dicts are by source: "real" or the name of a pool.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.compute.progress import Bar
from lib.faces.faceset import FaceSet
from lib.faces.kinds import kind_of_images
from lib.metrics.map_quality import map_distances, map_quality
from lib.study.errors import StudyError

METHODS = ("pca", "tsne", "umap")
# How much of a bar each takes, in iterations of t-SNE; and iterations between two steps of it.
STEPS = {"pca": 10, "tsne": 750, "umap": 400}
TICK = 50


@dataclass(frozen=True)
class MapSettings:
    """How a map is made."""

    perplexity: float = 30.0  # of t-SNE, effective number of neighbours; lowered to what N allows
    neighbours: int = 15  # of UMAP
    seed: int = 0  # the same seed gives the same map on one machine
    threads: int = 1  # of t-SNE; a seeded UMAP uses one


def draw_features(
    sets: dict[str, FaceSet],
    to_features: Callable[[np.ndarray], np.ndarray],
    *,
    n: int,
    seed: int = 0,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draw at most n images of every source and compute their features.

    Args:
        sets: face sets by source.
        to_features: uint8 (N, H, W) to float (N, D).
        n: images per source.
        seed: governs the draw.

    Returns:
        Features, labels int64 (N,), and images uint8 (N, H, W), each by source.
    """
    rng = np.random.default_rng(seed)
    features, labels, images = {}, {}, {}
    for name, faces in sets.items():
        # In the order of the set, so that rows of images and features agree.
        drawn = faces.select(np.sort(rng.permutation(len(faces))[:n]))

        # Features, labels and images of the same rows.
        features[name] = to_features(drawn.images)
        labels[name] = drawn.labels
        images[name] = drawn.images
    return features, labels, images


def images_to_show(
    sets: dict[str, FaceSet], images: dict[str, np.ndarray], show_photographs: bool
) -> dict[str, np.ndarray]:
    """Keep the sources whose images may be shown: no photographs of people, unless asked for."""
    # Drawings and generated images show nobody.
    shown = {}
    for name, of_source in images.items():
        if show_photographs or kind_of_images(sets[name].table) != "photographs":
            shown[name] = of_source
    return shown


def join_sources(
    features: dict[str, np.ndarray], labels: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put the rows of all sources one after the other.

    Args:
        features: float (n, D) by source.
        labels: int64 (n,) by source.

    Returns:
        Features float (N, D), source of each row str (N,), label of each row int64 (N,).
    """
    # Rows of one source stand together, sources in their order.
    sources = np.repeat(list(features), [len(rows) for rows in features.values()])

    # All sources are fitted together.
    joint = np.concatenate(list(features.values()))
    return joint, sources, np.concatenate([labels[name] for name in features])


def first_of_each(sources: np.ndarray, n: int) -> np.ndarray:
    """Take the first n rows of every source: their positions, int64, source by source."""
    # The first of each source, so that a smaller map has all of them.
    names = dict.fromkeys(sources)
    return np.concatenate([np.flatnonzero(sources == name)[:n] for name in names])


def reduce_features(features: np.ndarray, *, dimensions: int = 50, seed: int = 0) -> np.ndarray:
    """Project features on their principal axes.

    Args:
        features: float (N, D).
        dimensions: at most this many axes.
        seed: of the randomised solver, used for large inputs.

    Returns:
        float32 (N, min(dimensions, D, N)); the signs are fixed by the solver.

    Raises:
        StudyError: a value that is not finite.
    """
    from sklearn.decomposition import PCA

    # One row that is not finite would spoil all axes.
    finite = np.isfinite(features).all(1)
    if not finite.all():
        raise StudyError(
            f"embedding: {(~finite).sum()} of {len(features)} feature rows are not finite; train "
            "the reference classifier again"
        )

    # The number of axes is limited by rows and columns.
    axes = PCA(min(dimensions, *features.shape), random_state=seed)
    return axes.fit_transform(np.asarray(features, np.float64)).astype(np.float32)


def make_maps(
    features: np.ndarray, methods: tuple[str, ...], settings: MapSettings = MapSettings()
) -> dict[str, np.ndarray]:
    """Make one map a method, with a bar where a person watches.

    Args:
        features: float (N, D).
        methods: of METHODS.
        settings: of the methods.

    Returns:
        float32 (N, 2) by method.
    """
    with Bar("maps", sum(STEPS[method] for method in methods)) as bar:
        return {method: map_features(features, method, settings, bar) for method in methods}


def map_features(
    features: np.ndarray,
    method: str,
    settings: MapSettings = MapSettings(),
    bar: Bar | None = None,
) -> np.ndarray:
    """Place all rows in two dimensions, jointly.

    Args:
        features: float (N, D), real and synthetic rows together.
        method: pca, tsne (openTSNE) or umap.
        settings: of the method.
        bar: of several maps, of which this one takes STEPS; None: no bar.

    Returns:
        float32 (N, 2).

    Raises:
        StudyError: an unknown method.

    Source: t-SNE: van der Maaten and Hinton 2008, in the version of Poličar et al. 2024; UMAP:
        McInnes et al. 2018, arXiv 1802.03426.
    """
    # A typo is named before minutes are spent.
    if method not in METHODS:
        raise StudyError(f"embedding: no method {method!r}; there are {', '.join(METHODS)}")

    # Every method starts from the principal axes.
    reduced = reduce_features(features, seed=settings.seed)
    step = bar.step if bar else _no_step
    if method == "tsne":
        # It counts its own iterations.
        return _tsne(reduced, settings, step)
    points = reduced[:, :2] if method == "pca" else _umap(reduced, settings)
    step(STEPS[method])
    return np.ascontiguousarray(points)


def _tsne(reduced: np.ndarray, settings: MapSettings, step: Callable[[float], None]) -> np.ndarray:
    """Make a map by t-SNE; `step` is called with the iterations that were done."""
    # Heavy libraries are imported where they are needed.
    from openTSNE import TSNE

    model = TSNE(
        perplexity=min(settings.perplexity, (len(reduced) - 1) / 3),
        random_state=settings.seed,
        n_jobs=settings.threads,
        initialization="pca",
        callbacks=lambda *_: step(TICK),
        callbacks_every_iters=TICK,
    )
    return np.asarray(model.fit(reduced), np.float32)


def _umap(reduced: np.ndarray, settings: MapSettings) -> np.ndarray:
    """Make a map by UMAP."""
    import umap

    # n_jobs is 1 with a seed anyway; given here, UMAP does not warn.
    neighbours = min(settings.neighbours, len(reduced) - 1)
    model = umap.UMAP(n_neighbors=neighbours, random_state=settings.seed, n_jobs=1)
    return model.fit_transform(reduced).astype(np.float32)


def _no_step(_done: float) -> None:
    """Count nothing: no bar is shown."""


def method_text(method: str, settings: MapSettings) -> str:
    """Name a method with its setting: t-SNE, perplexity 30."""
    return {
        "pca": "first two principal axes",
        "tsne": f"t-SNE, perplexity {settings.perplexity:g}",
        "umap": f"UMAP, {settings.neighbours} neighbours",
    }[method]


def map_caption(n: int, settings: MapSettings) -> str:
    """Describe how maps were made, for the line under their figure."""
    return f"seed {settings.seed}, n = {n:,}, real and synthetic fitted jointly"


def maps_by_setting(
    features: np.ndarray, values: dict[str, list], *, seeds: int, seed: int = 0
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Map the same rows at several settings and seeds, and measure how much the maps agree.

    Args:
        features: float (N, D).
        values: perplexities of "tsne", numbers of neighbours of "umap".
        seeds: maps of each setting, 1 or more, from `seed` on.
        seed: of the first map of each setting, and of the rows that are measured.

    Returns:
        Points float32 (N, 2) by title (method, setting and seed); a table with method, setting,
        trustworthiness and kept (means over the seeds), and alike (share of ten neighbours on the
        map of one seed that are neighbours on that of the next; missing with one seed).
    """
    # Every value of every method, from every seed; the setting that is varied, and the seed.
    every = [(name, each) for name, given in values.items() for each in given]
    numbers = range(seed, seed + seeds)
    maps, rows = {}, []
    with Bar("maps", seeds * sum(STEPS[method] for method, _ in every)) as bar:
        for method, value in every:
            settings = _with_value(method, value)
            varied = [replace(settings, seed=number) for number in numbers]
            points = [map_features(features, method, each, bar) for each in varied]
            titles = [f"{method_text(method, settings)}, seed {number}" for number in numbers]
            maps |= dict(zip(titles, points, strict=True))
            rows.append({"method": method, "setting": value} | _agreement(features, points, seed))
    return maps, pd.DataFrame(rows)


def _agreement(features: np.ndarray, of_setting: list[np.ndarray], seed: int) -> dict[str, float]:
    """Measure what the maps of one setting keep of feature space, and each of the map before it."""
    quality = pd.DataFrame([map_quality(features, points, seed=seed) for points in of_setting])
    alike = [map_quality(*pair, seed=seed)["kept"] for pair in zip(of_setting, of_setting[1:])]
    return dict(quality.mean()) | {"alike": float(np.mean(alike)) if alike else np.nan}


def quality_of_maps(
    features: np.ndarray, maps: dict[str, np.ndarray], *, seed: int = 0
) -> pd.DataFrame:
    """Measure what each map keeps: columns map, trustworthiness, kept (see `map_quality`).

    Args:
        features: float (N, D).
        maps: points float (N, 2) by name.
        seed: of the rows that are measured.
    """
    rows = []
    for name, points in maps.items():
        rows.append({"map": name} | map_quality(features, points, seed=seed))
    return pd.DataFrame(rows)


def distances_of_maps(points: np.ndarray, sources: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """Measure how far each pool lies from the real images on a map (see `map_distances`).

    Args:
        points: float (N, 2), of one joint map.
        sources: str (N,), "real" among them.
        seed: of the random halves.

    Returns:
        Column pool, and those of `map_distances`.
    """
    # Every pool against the same real points.
    real = points[sources == "real"]
    rows = []
    for name in dict.fromkeys(sources):
        if name != "real":
            measured = map_distances(real, points[sources == name], seed=seed)
            rows.append({"pool": name} | measured)
    return pd.DataFrame(rows)


def _with_value(method: str, value: float) -> MapSettings:
    """Make the settings in which one method has a value of its own."""
    if method == "tsne":
        # Each method has one setting that matters.
        return MapSettings(perplexity=float(value))
    return MapSettings(neighbours=int(value))
