"""A pool beside the real faces in numbers: brightness, and the model card of notebook 20."""

import pandas as pd

from lib.faces.faceset import FaceSet


def brightness_table(sets: dict[str, FaceSet]) -> pd.DataFrame:
    """Describe the mean grey level of the images of some face sets.

    Returns:
        One row a set: source, images, mean, standard deviation (of the images' means), grey
        levels 0 to 255.
    """
    rows = []
    for name, faces in sets.items():
        levels = faces.images.mean((1, 2))
        rows.append((name, len(levels), levels.mean(), levels.std()))
    return pd.DataFrame(rows, columns=["source", "images", "mean", "standard deviation"])


def settings_table(facts: dict) -> pd.DataFrame:
    """List a generator's settings and those of its training, as text: setting, value."""
    values = pd.Series({**facts["settings"], **facts["training"]}, dtype=object).astype(str)
    return values.rename_axis("setting").reset_index(name="value")


def model_card(
    pool: str,
    faces: FaceSet,
    facts: dict,
    log: pd.DataFrame,
    learnt_from: FaceSet,
    measures: dict[str, float],
) -> pd.DataFrame:
    """Say how a pool was made and what was measured of it.

    Args:
        pool: name.
        faces: its images.
        facts: of its generator.
        log: of the training, empty where nothing was learnt.
        learnt_from: what the generator was fit on.
        measures: distance, distance_real, agreement and agreement_real (shares).

    Returns:
        One row an entry: what, value (text).
    """
    # What it learnt from: here, before it was written into a weights file, or nothing of the study.
    trained = len(log) > 0
    source = "nothing"
    if trained:
        source = f"{len(learnt_from):,} images (source: {learnt_from.table['source'].iloc[0]})"
    elif "weights" in facts:
        source = f"{facts['learnt_from']['images']:,} real images, in {facts['weights']['file']}"
    training = {}
    if trained:
        training["training, s"] = f"{log['seconds'].max():.0f}"
        training["training, images/s"] = f"{log['images_per_s'].iloc[-1]:.0f}"
    parameters = sum(facts["parameters"].values())
    if parameters:
        training = {
            "parameters of its networks": f"{parameters:,}",
            "trained on": source,
        } | training
    entries = {
        "pool": pool,
        "generator": facts["generator"],
        "images": f"{len(faces):,}",
        "side, pixels": faces.images.shape[1],
        **training,
        "Fréchet distance to held-out real images": f"{measures['distance']:.2f}",
        "the same for as many real images": f"{measures['distance_real']:.2f}",
        "label agrees with the reference classifier": f"{measures['agreement']:.1%}",
        "the same for held-out real images": f"{measures['agreement_real']:.1%}",
    }
    values = pd.Series(entries, dtype=object).astype(str)
    return values.rename_axis("what").reset_index(name="value")
