"""A blind spot check: a person names the emotion of synthetic images without seeing what they were asked to show.

The order is drawn anew for each sitting's file, pools are mixed, and neither pool nor label is shown. Answers lie in a CSV (id, pool,
class: what was asked for, said: what the person saw) that can be shared; the table of `told` is made of it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.curation.panel import key_field, someone_is_there
from lib.curation.review import png_bytes
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.records import atomic_write

COLUMNS = ["id", "pool", "class", "said"]
KEYS = {str(i + 1): name for i, name in enumerate(CLASSES)}


def sample(pools: dict[str, FaceSet], *, per_class: int, seed: int) -> pd.DataFrame:
    """Draw images of every pool and class, in mixed order: columns id, pool, class, position (row in its pool)."""
    rng, rows = np.random.default_rng(seed), []
    for pool, faces in pools.items():
        for c, name in enumerate(CLASSES):
            chosen = rng.permutation(np.flatnonzero(faces.labels == c))[:per_class]
            rows += [(faces.table["id"].iloc[place], pool, name, int(place)) for place in chosen]
    drawn = pd.DataFrame(rows, columns=["id", "pool", "class", "position"])
    return drawn.iloc[rng.permutation(len(drawn))].reset_index(drop=True)


def read_answers(path: Path) -> pd.DataFrame:
    """Read what has been answered; no rows where nothing has."""
    return pd.read_csv(path, dtype=str)[COLUMNS] if Path(path).exists() else pd.DataFrame(columns=COLUMNS)


def answer(path: Path, row: pd.Series, said: str) -> None:
    """Add one answer to the file, at once; a later answer about the same image takes the place of the earlier."""
    earlier = read_answers(path)
    earlier = earlier[(earlier["id"] != row["id"]) | (earlier["pool"] != row["pool"])]
    new = pd.DataFrame([{"id": row["id"], "pool": row["pool"], "class": row["class"], "said": said}])
    with atomic_write(Path(path), "w") as file:
        file.write(pd.concat([earlier, new]).to_csv(index=False, lineterminator="\n"))


def told(path: Path) -> pd.DataFrame:
    """Tell how often the person saw what was asked for: columns pool, class ("all" first), n, shown, low, high (95 % Wilson)."""
    answers, rows = read_answers(path), []
    for pool, own in answers.groupby("pool", sort=False):
        for name in ("all", *CLASSES):
            part = own if name == "all" else own[own["class"] == name]
            if len(part):
                rows.append((pool, name, len(part), *wilson(int((part["class"] == part["said"]).sum()), len(part))))
    return pd.DataFrame(rows, columns=["pool", "class", "n", "shown", "low", "high"])


def spot_check(pools: dict[str, FaceSet], path: Path, *, per_class: int = 5, seed: int = 0, interactive: bool | None = None):
    """Show the panel in JupyterLab; in a batch, say how to open it.

    Args:
        pools: synthetic face sets by name.
        path: CSV that receives the answers, written after each.
        per_class: images of every pool and class.
        interactive: True or False instead of finding out whether somebody is there.
    Returns:
        The widget, or None in a batch.
    """
    drawn = sample(pools, per_class=per_class, seed=seed)
    if not (someone_is_there() if interactive is None else interactive):
        print(f"blind spot check of {len(drawn)} images: open this notebook in JupyterLab and run it; answers go to {path}")
        return None
    return _panel(pools, drawn, Path(path))


def _panel(pools: dict[str, FaceSet], drawn: pd.DataFrame, path: Path):
    """Lay out the picture, seven buttons and a field for keys, and connect them to the file."""
    import ipywidgets as widgets

    done = set(zip(*(read_answers(path)[key] for key in ("pool", "id"))))
    waiting = [row for _, row in drawn.iterrows() if (row["pool"], row["id"]) not in done]
    picture, progress = widgets.Image(format="png", width=288), widgets.IntProgress(min=0, max=len(drawn), description="named")

    def show():
        progress.value = len(drawn) - len(waiting)
        if waiting:
            picture.value = png_bytes(pools[waiting[0]["pool"]].images[waiting[0]["position"]])

    def act(said: str):
        if waiting:
            answer(path, waiting.pop(0), said)
        show()

    def button(name: str):
        made = widgets.Button(description=name, layout=widgets.Layout(width="auto"))
        made.on_click(lambda _: act(name))
        return made

    show()
    keys = key_field(lambda key: act(KEYS[key]) if key in KEYS else None, " · ".join(f"{key} {name}" for key, name in KEYS.items()))
    return widgets.VBox([progress, picture, widgets.HBox([button(name) for name in CLASSES]), keys])
