"""Two or more models on the same film: who is right more often, how far they agree, and who changes its mind."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lib.application.behaviour import agreement, flips, time_per_class
from lib.application.network import Network
from lib.application.sources import open_source
from lib.application.stream import recognise
from lib.application.tracking import overlaps
from lib.classifiers.training import predict
from lib.classifiers.weights import load_model
from lib.faces.faceset import CLASSES

WITHOUT_SYNTHETIC = ("base", "duplicate", "fewer", "subset", "extra", "shuffled")  # shuffled: the images are, their labels mean nothing


def rival_arms(runs: pd.DataFrame, *, most: int = 4) -> list[str]:
    """Name the base arm and the arms with synthetic images that are set beside it: supplements, else any, most synthetic images first.

    Args:
        runs: from recorded_runs.
        most: synthetic arms, at most.
    """
    arms = runs[(runs["failed"] == "") & (runs["classifier"] == runs["classifier"].iloc[0])].drop_duplicates("arm").set_index("arm")
    arms = arms[~arms["kind"].isin(WITHOUT_SYNTHETIC) | (arms.index == "base")]
    made = [counts.get("synthetic", 0) for counts in arms["images_by_source"]]
    order = arms.assign(made=made, supplement=arms["kind"] == "supplement").sort_values(
        ["supplement", "made"], ascending=False, kind="stable"
    )
    return [name for name in ("base",) if name in arms.index] + [name for name in order.index if name != "base"][:most]


def kept_networks(runs: pd.DataFrame, arms: list[str], *, image_px: int) -> dict[str, Network]:
    """Open, of each arm, the first run whose weights were kept; arms without one are left out.

    Args:
        image_px: side of the images that the study trains on, pixels.
    """
    found = {}
    for arm in arms:
        folders = [folder for folder in runs.loc[runs["arm"] == arm, "folder"] if (folder / "model.safetensors").exists()]
        if folders:
            found[arm] = Network(partial(predict, load_model(folders[0] / "model")), image_px, CLASSES, {"arm": arm})
    return found


def watch(networks: dict[str, Network], video: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """Run every network over a film of known faces.

    Args:
        truth: from lib.application.filmed.make_video.

    Returns:
        One row a model, frame and face that was found: model, frame, face, class, true, image (id of the image shown).
    """
    shown, rows = {frame: part for frame, part in truth.groupby("frame")}, []
    for name, network in networks.items():
        for seen in recognise(open_source(str(video)).frames(), network):
            there = shown[seen.frame.number]
            boxes = there[["x", "y", "side", "side"]].to_numpy(float)
            for face in (face for face in seen.faces if not face.missed):
                actor = there.iloc[overlaps(boxes, face.box[None])[:, 0].argmax()]
                said = network.classes[int(face.probabilities.argmax())]
                rows.append((name, seen.frame.number, face.number, said, actor["class"], actor["id"]))
    return pd.DataFrame(rows, columns=["model", "frame", "face", "class", "true", "image"])


def in_use(watched: pd.DataFrame, *, seed: int = 0, n_boot: int = 2000) -> pd.DataFrame:
    """Sum a film up, one row a model.

    Args:
        watched: from `watch`.
        seed: of the bootstrap.

    Returns:
        model, accuracy (share of face frames) with low and high (95 %, bootstrap over the images shown, whose frames hang together),
        images, flips_per_100 (changes of a followed face's class), agreement (with the first model).
    """
    first, rows = watched["model"].iloc[0], []
    reference = watched[watched["model"] == first].set_index(["frame", "face"])["class"]
    for name, part in watched.groupby("model", sort=False):
        by_image = (part["class"] == part["true"]).groupby(part["image"]).agg(["sum", "size"]).to_numpy(float)
        draws = np.random.default_rng(seed).integers(0, len(by_image), (n_boot, len(by_image)))
        low, high = np.quantile(by_image[draws, 0].sum(1) / by_image[draws, 1].sum(1), [0.025, 0.975])
        both = part.set_index(["frame", "face"])["class"].to_frame("mine").join(reference.rename("theirs"), how="inner")
        same = agreement(*(pd.get_dummies(both[side]).reindex(columns=CLASSES, fill_value=0).to_numpy() for side in ("mine", "theirs")))
        changed = flips(part)
        row = {"model": name, "accuracy": by_image[:, 0].sum() / by_image[:, 1].sum(), "low": low, "high": high, "images": len(by_image)}
        per_100 = 100 * changed["flips"].sum() / max(1, (changed["frames"] - 1).sum())
        rows.append(row | {"flips_per_100": per_100, "agreement": same["agreement"]})
    return pd.DataFrame(rows)


def shares(watched: pd.DataFrame) -> pd.DataFrame:
    """Give the share of face frames that each class holds, by model, beside the truth."""
    found = {name: time_per_class(part) for name, part in watched.groupby("model", sort=False)}
    truth = watched[watched["model"] == watched["model"].iloc[0]]
    return pd.DataFrame({"truth": time_per_class(truth.assign(**{"class": truth["true"]}))} | found).rename_axis("class").reset_index()
