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

from lib.curation.intervals import wilson
from lib.faces.faceset import FaceSet
from lib.faces.kinds import kind_of_images
from lib.metrics.map_quality import class_separation, map_distances, map_quality, mixing
from lib.metrics.pools import draw_like
from lib.metrics.twosample import two_sample
from lib.report.names import pool_text
from lib.study.errors import StudyError

METHODS = ("pca", "tsne", "umap")

# What a two-sample test of two real halves may find: an interval that reaches into this range.
CHANCE_RANGE = (0.45, 0.55)


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


def map_features(
    features: np.ndarray, method: str, settings: MapSettings = MapSettings()
) -> np.ndarray:
    """Place all rows in two dimensions, jointly.

    Args:
        features: float (N, D), real and synthetic rows together.
        method: pca, tsne (openTSNE) or umap.
        settings: of the method.

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
    if method == "pca":
        return np.ascontiguousarray(reduced[:, :2])
    if method == "tsne":
        # Heavy libraries are imported where they are needed.
        from openTSNE import TSNE

        model = TSNE(
            perplexity=min(settings.perplexity, (len(reduced) - 1) / 3),
            random_state=settings.seed,
            n_jobs=settings.threads,
            initialization="pca",
        )
        return np.asarray(model.fit(reduced), np.float32)

    import umap

    # n_jobs is 1 with a seed anyway; given here, UMAP does not warn.
    neighbours = min(settings.neighbours, len(reduced) - 1)
    model = umap.UMAP(n_neighbors=neighbours, random_state=settings.seed, n_jobs=1)
    return model.fit_transform(reduced).astype(np.float32)


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
    # Every value of every method, from every seed.
    maps, rows = {}, []
    for method, value in [(name, each) for name, given in values.items() for each in given]:
        # The setting that is varied; the seed varies with it.
        settings = _with_value(method, value)
        of_setting = []
        for number in range(seed, seed + seeds):
            points = map_features(features, method, replace(settings, seed=number))
            maps[f"{method_text(method, settings)}, seed {number}"] = points
            of_setting.append(points)

        # What each map keeps of feature space, and each of the map before it.
        quality = pd.DataFrame([map_quality(features, points, seed=seed) for points in of_setting])
        alike = [map_quality(*pair, seed=seed)["kept"] for pair in zip(of_setting, of_setting[1:])]

        # Means over the seeds, and the agreement of neighbouring seeds.
        row = {"method": method, "setting": value} | dict(quality.mean())
        rows.append(row | {"alike": float(np.mean(alike)) if alike else np.nan})
    return maps, pd.DataFrame(rows)


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


def compare_in_spaces(
    features_of: dict[str, dict[str, np.ndarray]],
    labels: dict[str, np.ndarray],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every pool with held-out real images in several feature spaces.

    Args:
        features_of: float (N, D) by space and source.
        labels: int64 (N,) by source.
        seed: governs which images are compared.

    Returns:
        Column space, and those of `compare_pools`.
    """
    tables = []
    for space, features in features_of.items():
        # The space comes first in the table.
        table = compare_pools(features, labels, seed=seed)
        table.insert(0, "space", space)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def compare_pools(
    features: dict[str, np.ndarray], labels: dict[str, np.ndarray], *, seed: int = 0
) -> pd.DataFrame:
    """Compare every pool with held-out real images in feature space, at the real class shares.

    Args:
        features: float (N, D) by source; "real" is one of them.
        labels: int64 (N,) by source.
        seed: governs which images are compared.

    Returns:
        One row a source ("real" compares two real halves): source, accuracy (held-out, of a
        classifier of source against real images), low, high (95 % Wilson), n (images of both),
        mixing (of neighbourhoods), separation (silhouette of the classes).
    """
    # A pool is compared with all real images, one half of these with the other.
    order = np.random.default_rng(seed).permutation(len(features["real"]))
    half = len(order) // 2
    rows = []
    for name, of_source in features.items():
        reference, compared = order, order[half:]
        if name == "real":
            reference = order[:half]
        else:
            compared = draw_like(labels[name], labels["real"], len(order), seed)

        # The two sides of the comparison.
        real, synth = features["real"][reference], of_source[compared]

        # Both sides of one size, joined on the axes of both.
        n = min(len(real), len(synth))
        joint = reduce_features(np.concatenate([real[:n], synth[:n]]), seed=seed)
        test = two_sample(real, synth, seed=seed)

        # The interval is that of a share: held-out images named correctly.
        images = 2 * test["n"]
        accuracy, low, high = wilson(round(test["accuracy"] * images), images)
        row = {"source": name, "accuracy": accuracy, "low": low, "high": high, "n": images}

        # How far neighbourhoods and classes lie apart, beside the test.
        row["mixing"] = mixing(joint, np.repeat([False, True], n))
        rows.append(row | {"separation": class_separation(of_source, labels[name], seed=seed)})
    return pd.DataFrame(rows)


def require_halves_alike(compared: pd.DataFrame) -> str:
    """Check that two halves of the real images are not separable, and state their accuracy.

    Args:
        compared: of `compare_pools`.

    Raises:
        StudyError: the interval of the row "real" lies outside of CHANCE_RANGE.
    """
    # An interval that reaches into the range allows for chance.
    row = compared.set_index("source").loc["real"]
    lowest, highest = CHANCE_RANGE
    if row["low"] >= highest or row["high"] <= lowest:
        raise StudyError(
            f"embedding: two halves of the real images are separable ({row['accuracy']:.3f}); look "
            "for copies or an order in the test images"
        )

    # A sentence for the page.
    interval = f"[{row['low']:.3f}, {row['high']:.3f}]"
    return f"real halves: {row['accuracy']:.3f} {interval}, n = {row['n']:.0f}"


def separability_sentences(compared: pd.DataFrame) -> list[str]:
    """Write one sentence for each pool: whether it is separable from real images.

    It is separable if its interval lies above that of two halves of the real images.

    Args:
        compared: of `compare_pools`.
    """
    # The baseline: two halves of the real images.
    chance = compared.set_index("source").loc["real"]

    # One sentence a pool, in the order of the pools.
    sentences = []
    for row in compared[compared["source"] != "real"].itertuples():
        # A pool is separable if its interval lies above the baseline's.
        separable = row.low > chance["high"]
        verdict = "separable from real images" if separable else "not separable from real images"
        sentences.append(
            f"{pool_text(row.source)}: {verdict} ({row.accuracy:.1%}, "
            f"{row.low:.1%} to {row.high:.1%}, n = {row.n}; two real halves give "
            f"{chance['accuracy']:.1%})."
        )
    return sentences


def _with_value(method: str, value: float) -> MapSettings:
    """Make the settings in which one method has a value of its own."""
    if method == "tsne":
        # Each method has one setting that matters.
        return MapSettings(perplexity=float(value))
    return MapSettings(neighbours=int(value))
