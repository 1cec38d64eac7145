"""How models behave in use: agreement, flips, time per class, disturbances, difficult images."""

import cv2
import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.metrics.scores import scores
from lib.metrics.statistics import compare, verdict
from lib.metrics.wording import points
from lib.report.names import in_words

# Amounts of each disturbance; the first one changes nothing.
DISTURBANCES = {
    "blur": (0.0, 0.5, 1.0, 2.0, 3.0),  # standard deviation, pixels of a 48-pixel face
    "darkness": (0.0, 0.25, 0.5, 0.75, 0.9),  # share of the light that is missing
    "rotation": (0.0, 10.0, 20.0, 30.0, 45.0),  # degrees, to either side
    "occlusion": (0.0, 0.1, 0.2, 0.35, 0.5),  # share of the side that a grey square covers
    "low_resolution": (1.0, 2.0, 3.0, 4.0, 6.0),  # factor of shrinking and enlarging again
}
OCCLUDER = 128  # grey level of the occluding square
CALIBRATION_BINS = 15  # of the expected calibration error
CALIBRATION_DRAWS = 200  # of its bootstrap


def disturb(images: np.ndarray, kind: str, amount: float, *, seed: int = 0) -> np.ndarray:
    """Disturb face images; the first amount of each kind in DISTURBANCES changes nothing.

    Args:
        images: uint8 (N, H, W).
        kind: a key of DISTURBANCES.
        amount: in the unit given there.
        seed: of the place of the occluding square and of the sense of rotation.

    Returns:
        uint8 (N, H, W).
    """
    # Draw places and senses for every kind alike, so that kinds do not change each other's draws.
    rng = np.random.default_rng(seed)
    places = rng.random((len(images), 2))
    senses = rng.choice([-1, 1], len(images))

    if kind == "blur":
        return _blurred(images, amount)
    if kind == "darkness":
        return np.round(images * (1 - amount)).astype(np.uint8)
    if kind == "rotation":
        return _rotated(images, amount * senses)
    if kind == "occlusion":
        return _occluded(images, amount, places)
    return _low_resolution(images, amount)


def sweep(models: dict, images: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """Follow accuracy and calibration of models as images get worse.

    Args:
        models: functions uint8 (N, H, W) -> probabilities float (N, C), by name.
        images: uint8 (N, H, W).
        labels: int64 (N,).
        seed: of the disturbances and of the bootstrap.

    Returns:
        Columns model, disturbance, amount, accuracy, low, high, ece_15, ece_low, ece_high
        (95% intervals over images), n.
    """
    rows = []
    for kind, amounts in DISTURBANCES.items():
        for amount in amounts:
            disturbed = disturb(images, kind, amount, seed=seed)
            for name, model in models.items():
                fixed = {"model": name, "disturbance": kind, "amount": amount}
                rows.append(fixed | _quality(model(disturbed), labels, seed))
    return pd.DataFrame(rows)


def agreement(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Give the share of images on which two models name the same class, with its 95% interval.

    Args:
        a, b: float (N, C) probabilities of the same images.
    """
    # Count equal classes.
    same = int((a.argmax(1) == b.argmax(1)).sum())
    return dict(zip(("agreement", "low", "high"), wilson(same, len(a)))) | {"n": len(a)}


def flips(table: pd.DataFrame) -> pd.DataFrame:
    """Count how often the class of a followed face changes from one of its frames to the next.

    Args:
        table: the application's CSV.

    Returns:
        One row a face: face, frames, flips, flips_per_100.
    """
    faces = table.dropna(subset=["face"]).sort_values(["face", "frame"])

    # A face's first frame has nothing before it that it could differ from.
    before = faces.groupby("face")["class"].shift()
    changed = (faces["class"] != before) & faces["face"].duplicated()

    # Sum up by face.
    counts = pd.DataFrame({"frames": faces.groupby("face").size()})
    counts["flips"] = changed.groupby(faces["face"]).sum().astype(int)
    transitions = (counts["frames"] - 1).clip(lower=1)
    return counts.assign(flips_per_100=100 * counts["flips"] / transitions).reset_index()


def time_per_class(table: pd.DataFrame, classes: tuple[str, ...]) -> pd.Series:
    """Give the share of face frames that each class holds, in the order of `classes`."""
    shares = table["class"].dropna().value_counts(normalize=True)
    return shares.reindex(classes, fill_value=0.0).rename("share")


def hardest(predictions: dict, labels: np.ndarray, *, most: int) -> np.ndarray:
    """Choose the images that all models together find hardest, no model favoured.

    Args:
        predictions: float (S, N, C) probabilities of S seeds by model.
        labels: int64 (N,).
        most: how many images to choose.

    Returns:
        int64 (most,), lowest mean probability of the true class first.
    """
    # Mean probability of the true class, over seeds and then over models.
    rows = np.arange(len(labels))
    of_true_class = [p[:, rows, labels].mean(0) for p in predictions.values()]
    return np.argsort(np.mean(of_true_class, axis=0), kind="stable")[:most]


def difficult_table(
    predictions: dict[str, np.ndarray],
    labels: np.ndarray,
    chosen: np.ndarray,
    classes: tuple[str, ...],
) -> pd.DataFrame:
    """Set the predictions of models beside the truth, as S1's table of difficult frames does.

    Args:
        predictions: float (S, N, C) probabilities of S seeds by model's name.
        labels: int64 (N,).
        chosen: positions of the images to show.
        classes: names of the C classes.

    Returns:
        One row an image: image, true, and for each model its most frequent class over seeds and the
        share of seeds that are right, in one text.
    """
    rows = []
    for i in chosen:
        # The most frequent class of each model, and how many seeds are right.
        row = {"image": int(i), "true": classes[labels[i]]}
        for name, probabilities in predictions.items():
            predicted = probabilities[:, i].argmax(1)
            named = classes[np.bincount(predicted, minlength=len(classes)).argmax()]
            row[name] = f"{named}, {(predicted == labels[i]).mean():.0%} right"
        rows.append(row)
    return pd.DataFrame(rows)


def hardest_quarter(predictions: dict, labels: np.ndarray, *, base, margin: float) -> pd.DataFrame:
    """Decide for every model whether it is better than base on difficult images.

    Half of the seeds of both choose the images and the other half are scored on them, so that no
    model is blamed for its own choice.

    Args:
        predictions: float (S, N, C) probabilities of S seeds by model.
        labels: int64 (N,).
        base: key of the model that the others are compared with.
        margin: smallest effect of interest, share.

    Returns:
        One row a model: arm, difference, low, high, n_images, n_seeds, verdict.
    """
    columns = ("difference", "low", "high", "n_images", "n_seeds")
    rows = []
    for other in [key for key in predictions if key != base]:
        # Seeds that both models have, in two halves.
        seeds = min(len(predictions[base]), len(predictions[other]))
        half = seeds // 2

        # Choose with the first half of the seeds.
        choosing = {key: predictions[key][:half] for key in (base, other)}
        most = max(2, round(0.25 * len(labels)))
        chosen = hardest(choosing, labels, most=most)

        # Score the second half.
        scored = [predictions[key][half:seeds][:, chosen].argmax(2) for key in (base, other)]
        correct = [(classes == labels[chosen]).astype(float) for classes in scored]
        effect = compare(*correct)
        values = {name: getattr(effect, name) for name in columns}
        rows.append({"arm": str(other), **values, "verdict": verdict(effect, margin)})
    return pd.DataFrame(rows, columns=["arm", *columns, "verdict"])


def hardest_sentences(table: pd.DataFrame) -> list[str]:
    """Put each row of `hardest_quarter` into a sentence, in points of accuracy."""
    sentences = []
    for row in table.itertuples():
        interval = f"{points(row.low)} to {points(row.high)}"
        sentences.append(
            f"On the hardest quarter {in_words(row.arm)} against all real images: "
            f"{points(row.difference)} points ({interval}), n = {row.n_images} images, "
            f"{row.n_seeds} seeds: {row.verdict}."
        )
    return sentences


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blur with a Gaussian whose standard deviation is in pixels of a 48-pixel face."""
    if not sigma:
        return images.copy()

    # In pixels of these images.
    scaled = sigma * images.shape[2] / 48
    return np.stack([cv2.GaussianBlur(image, (0, 0), scaled) for image in images])


def _rotated(images: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Rotate each image about its centre; the border is repeated outwards."""
    height, width = images.shape[1:]
    centre = ((width - 1) / 2, (height - 1) / 2)
    rotated = []
    for image, angle in zip(images, degrees):
        matrix = cv2.getRotationMatrix2D(centre, float(angle), 1)
        border = {"borderMode": cv2.BORDER_REPLICATE}
        rotated.append(cv2.warpAffine(image, matrix, (width, height), **border))
    return np.stack(rotated)


def _occluded(images: np.ndarray, share: float, places: np.ndarray) -> np.ndarray:
    """Cover a square of each image; its place (N, 2) is a share of the room that it has."""
    height, width = images.shape[1:]
    side = round(share * width)
    occluded = images.copy()
    for image, (down, across) in zip(occluded, places):
        y = round(down * (height - side))
        x = round(across * (width - side))
        image[y : y + side, x : x + side] = OCCLUDER
    return occluded


def _low_resolution(images: np.ndarray, factor: float) -> np.ndarray:
    """Shrink by a factor and enlarge again."""
    if factor == 1:
        return images.copy()
    height, width = images.shape[1:]
    small = (max(2, round(width / factor)), max(2, round(height / factor)))
    shrunk = [cv2.resize(image, small, interpolation=cv2.INTER_AREA) for image in images]
    return np.stack([cv2.resize(image, (width, height)) for image in shrunk])


def _quality(probabilities: np.ndarray, labels: np.ndarray, seed: int) -> dict:
    """Give accuracy and calibration error of predictions, with 95% intervals over images."""
    # Accuracy with a Wilson interval, calibration error with a bootstrap one.
    correct = int((probabilities.argmax(1) == labels).sum())
    accuracy, low, high = wilson(correct, len(labels))
    error = scores(probabilities, labels)["ece_15"]
    reach = 1.96 * _calibration_standard_error(probabilities, labels, seed)
    return {
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "ece_15": error,
        "ece_low": max(0.0, error - reach),
        "ece_high": error + reach,
        "n": len(labels),
    }


def _calibration_standard_error(probabilities: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Estimate the standard error of the calibration error by a bootstrap over images.

    Its quantiles would not do: resampling adds noise, and noise in a bin can only raise the error.
    """
    bins = CALIBRATION_BINS
    confidence = probabilities.max(1)

    # The error is the sum over bins of the absolute sum of these gaps, divided by n.
    gap = (probabilities.argmax(1) == labels) - confidence
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    inside = np.eye(bins)[place] * gap[:, None]

    # Draw images with replacement.
    n = len(labels)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), CALIBRATION_DRAWS)
    return float((np.abs(weights @ inside).sum(1) / n).std())
