"""What is wrong with generated images, counted, with the images that show it."""

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from lib.compute.neighbours import neighbour_radius
from lib.faces.duplicates import exact_groups
from lib.faces.faceset import FaceSet
from lib.metrics.harmonise import ASPECTS, alike, crop_difference
from lib.metrics.pools import draw_like
from lib.metrics.spaces import pixel_space
from lib.metrics.twosample import two_sample
from lib.verdict.inputs import Inputs, Pool
from lib.verdict.probe import DOUBT, PoolProbe, Probe

COMPARED = 1000  # images a side by which sets are told apart
MUCH_DOUBT = 0.15  # share of doubted labels from which they are a fault; of good ones it is 0.05
FEW, MANY = 0.5, 2.0  # times a class's real share
COPIED = 0.02  # share of copies from which they are a fault
TOLD_APART = 0.75  # area under the curve from which one look tells sets apart
# Distance to the nearest other image, as a share of that among real ones, under which a pool shows
# few identities. Drawn faces of 5 to 20 people: 0.74 to 0.79, of 50 to 100: 0.85, of any number: 1.
NARROW = 0.9
SHOWN = 10  # examples of a fault
STREAM = 92  # of the seed, for the images that are compared


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a pool."""

    name: str
    count: int  # images that show it; 0 where it is about the pool as a whole
    share: float  # of the pool's images, NaN likewise
    text: str  # for people
    examples: np.ndarray  # int64, positions in the pool, the clearest first
    shows_people: bool = False  # whether the examples are copies of photographs


def faults_of(found: PoolProbe, probe: Probe, inputs: Inputs) -> list[Fault]:
    """List what is wrong with a pool, the gravest kind of fault first.

    Args:
        found: what the probe says of the pool.
        probe: and of the real images.
        inputs: real images and pools.
    """
    listed = [
        _doubted_labels(found),
        *_copies(found.pool, inputs),
        _class_shares(found.pool, probe.real),
        _look(found.pool.faces, probe.real),
        _identities(found.pool.faces, probe.real),
    ]
    return [fault for fault in listed if fault is not None]


def doubt_table(found: PoolProbe) -> pd.DataFrame:
    """Count doubted labels by class: class, images, doubted, share, mostly seen as."""
    pool, rows = found.pool.faces, []
    seen = found.probabilities.argmax(1)
    for label, name in enumerate(pool.classes):
        # What the networks see in place of the label, counted over doubted images.
        of_class = pool.labels == label
        doubted = of_class & found.doubted
        others = np.bincount(seen[doubted & (seen != label)], minlength=len(pool.classes))
        rows.append(
            {
                "class": name,
                "images": int(of_class.sum()),
                "doubted": int(doubted.sum()),
                "share": doubted.sum() / max(1, of_class.sum()),
                "mostly seen as": pool.classes[others.argmax()] if others.any() else "",
            }
        )
    return pd.DataFrame(rows)


def share_table(pool: FaceSet, real: FaceSet) -> pd.DataFrame:
    """Compare class shares: class, real images, pool images, real share, pool share."""
    table = pd.DataFrame({"class": list(real.classes)})
    table["real images"] = real.counts().to_numpy()
    table["generated images"] = pool.counts().to_numpy()
    table["real share"] = table["real images"] / len(real)
    table["generated share"] = table["generated images"] / len(pool)
    return table


def look_table(pool: FaceSet, real: FaceSet, seed: int) -> pd.DataFrame:
    """Measure how well one simple look tells the sets apart, and all pixels before and after they
    were made alike.

    Returns:
        Columns look, told apart (area under the ROC curve, 0.5: not at all, 1: always).
    """
    # As many images of either kind, in the real class shares.
    rows = draw_like(pool.labels, real.labels, COMPARED, seed)
    generated = pool.images[rows]
    order = np.random.default_rng([seed, STREAM]).permutation(len(real))[: len(generated)]
    photographs = real.images[order]
    kinds = np.repeat([0, 1], [len(photographs), len(generated)])

    # One number an image.
    listed = []
    for name, measure in _MEASURES.items():
        values = np.array([measure(image) for image in (*photographs, *generated)])
        listed.append((name, _separation(kinds, values)))

    # All pixels, as given, then with everything simple made alike.
    space = pixel_space(photographs)
    listed.append(("all pixels", _told_apart(space, photographs, generated, seed)))
    changed, like = alike(generated, photographs, ASPECTS)
    listed.append(("all pixels, looks matched", _told_apart(space, like, changed, seed)))
    return pd.DataFrame(listed, columns=["look", "told apart"])


_MEASURES = {
    "brightness": lambda image: float(image.mean()),
    "contrast": lambda image: float(image.std()),
    "sharpness": lambda image: cv2.Laplacian(image, cv2.CV_32F).var() / max(image.var(), 1.0),
}


def _doubted_labels(found: PoolProbe) -> Fault | None:
    """Labels that fit their images worse than nearly all real labels fit theirs."""
    # Some doubt is usual, even among labels that are right.
    share = float(found.doubted.mean())
    if share < MUCH_DOUBT:
        return None

    # Name the worst class, and show the images whose labels fit least.
    table = doubt_table(found)
    worst = table.sort_values("share", ascending=False).iloc[0]
    doubt = 1 - found.probabilities[np.arange(len(found.doubted)), found.pool.faces.labels]
    rows = np.flatnonzero(found.doubted)
    text = (
        f"{int(found.doubted.sum()):,} labels ({share:.0%}) are doubted, {DOUBT:.0%} would be if "
        f"they were as right as your own; most of {worst['class']} ({worst['share']:.0%})"
    )
    examples = rows[np.argsort(-doubt[rows])][:SHOWN]
    return Fault("doubted labels", len(rows), share, text, examples)


def _copies(pool: Pool, inputs: Inputs) -> list[Fault]:
    """Copies of training images, of test images, and of each other."""
    listed = []
    real_split = inputs.real.table["split"].to_numpy()
    exact = exact_groups(np.concatenate([inputs.real.images, pool.faces.images]))
    for split, words in (("train", "your training images"), ("test", "your test images")):
        of_split = real_split == split

        # One copy of a test image is a fault; copies of training images are from a share on.
        near = np.isin(pool.groups, pool.real_groups[of_split])
        same = np.isin(exact[len(real_split) :], exact[: len(real_split)][of_split])
        if near.mean() >= COPIED or (split == "test" and near.any()):
            text = (
                f"{int(near.sum()):,} images ({near.mean():.0%}) are copies of {words}, "
                f"{int(same.sum()):,} of them exact; none was learnt beside the image it copies"
            )
            rows = np.flatnonzero(near)[:SHOWN]
            name = f"copies of {words.removeprefix('your ')}"
            listed.append(Fault(name, int(near.sum()), float(near.mean()), text, rows, True))

    # Each picture counts once.
    _, first = np.unique(pool.groups, return_index=True)
    repeated = np.setdiff1d(np.arange(len(pool.groups)), first)
    if len(repeated) >= COPIED * len(pool.groups):
        share = len(repeated) / len(pool.groups)
        text = f"{len(repeated):,} images ({share:.0%}) repeat another image of the pool"
        listed.append(Fault("repeated images", len(repeated), share, text, repeated[:SHOWN]))
    return listed


def _class_shares(pool: Pool, real: FaceSet) -> Fault | None:
    """Classes that are missing, or far rarer or more frequent than among the real images."""
    table = share_table(pool.faces, real).set_index("class")
    ratio = table["generated share"] / table["real share"]

    # Classes without images, with few and with many, each named on its own.
    missing = table.index[table["generated images"] == 0].tolist()
    rare = ratio.index[(ratio < FEW) & (ratio > 0)].tolist()
    frequent = ratio.index[ratio > MANY].tolist()
    parts = []
    if missing:
        parts.append(f"no image of {', '.join(missing)}")
    if rare:
        parts.append(f"few of {', '.join(rare)}")
    if frequent:
        parts.append(f"many of {', '.join(frequent)}")
    if not parts:
        return None
    text = f"{', '.join(parts)}, compared with the class shares of your own images"
    return Fault("class shares", 0, float("nan"), text, np.zeros(0, np.int64))


def _look(pool: FaceSet, real: FaceSet) -> Fault | None:
    """Sets that brightness, contrast, sharpness or crop alone tells apart."""
    # Simple measures that tell most of the images apart.
    table = look_table(pool, real, seed=0).set_index("look")["told apart"]
    simple = table[list(_MEASURES)]
    found = [f"{name} ({value:.2f})" for name, value in simple.items() if value >= TOLD_APART]

    # A crop counts where undoing it makes the average faces more alike.
    zoom, right, down, gain = crop_difference(pool.images, real.images)
    if gain > 0.02:
        found.append(
            f"crop (faces {zoom:.2f} times as large, {right:+.0f} and {down:+.0f} pixels off)"
        )

    # Say how much is left for all pixels once these differences are gone.
    if not found:
        return None
    before, after = table["all pixels"], table["all pixels, looks matched"]
    text = (
        f"told from your own images by {', '.join(found)} alone; all pixels tell {before:.2f} as "
        f"they are and {after:.2f} when these are matched (0.5: not at all, 1: always)"
    )
    return Fault("look", 0, float("nan"), text, np.zeros(0, np.int64))


def _identities(pool: FaceSet, real: FaceSet) -> Fault | None:
    """A pool whose images resemble each other more than real ones do: few people, few poses."""
    rows = draw_like(pool.labels, real.labels, COMPARED, 0)

    # As many of either kind, for neighbours are nearer in larger sets.
    order = np.random.default_rng(STREAM).permutation(len(real))
    rows = rows[: len(order)]
    order = order[: len(rows)]
    distances = [_resemblance(faces) for faces in (pool.images[rows], real.images[order])]
    share = float(np.median(distances[0]) / max(np.median(distances[1]), 1e-9))
    if share >= NARROW:
        return None
    text = (
        "few identities or poses: an image's nearest other image is at "
        f"{share:.0%} of the distance that it has among as many of your own"
    )
    return Fault("few identities", 0, float("nan"), text, rows[np.argsort(distances[0])][:SHOWN])


def _resemblance(images: np.ndarray) -> np.ndarray:
    """Measure how far each image is from the nearest other one, light and contrast aside."""
    # Small pictures of mean 0 and spread 1 leave out light and contrast.
    small = [cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA) for image in images]
    flat = np.stack(small).reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    flat /= np.maximum(flat.std(1, keepdims=True), 1.0)
    return neighbour_radius(flat, 1)


def _separation(kinds: np.ndarray, values: np.ndarray) -> float:
    """Area under the ROC curve of one number, whichever side is which."""
    area = roc_auc_score(kinds, values)
    return float(max(area, 1 - area))


def _told_apart(space, photographs: np.ndarray, generated: np.ndarray, seed: int) -> float:
    """Area under the ROC curve of a linear classifier on pixels, cross-validated."""
    return two_sample(space(photographs), space(generated), seed=seed)["auroc"]


def fault_table(faults: dict[str, list[Fault]]) -> pd.DataFrame:
    """Lay faults out: pool, fault, images, share, what."""
    rows = []
    for pool, listed in faults.items():
        for fault in listed:
            count = fault.count or np.nan
            rows.append((pool, fault.name, count, fault.share, fault.text))
    return pd.DataFrame(rows, columns=["pool", "fault", "images", "share", "what"])


def shown_faults(faults: list[Fault], show_photographs: bool) -> list[Fault]:
    """Take the faults whose examples may be shown: copies of photographs only on request."""
    return [
        fault
        for fault in faults
        if len(fault.examples) and (show_photographs or not fault.shows_people)
    ]
