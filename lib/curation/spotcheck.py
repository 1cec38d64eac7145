"""A blind spot check: a person names the class of synthetic images without seeing their labels.

Images of all pools are mixed, in an order drawn by a seed, and neither pool nor label is shown.
Answers lie in a CSV that can be shared: id, pool, class (what was asked for) and answer (what the
person saw). The table of `recognition` is computed from it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.compute.progress import is_interactive
from lib.curation.intervals import wilson
from lib.curation.panel import PICTURE_PX, class_keys, key_field
from lib.curation.review import png_bytes
from lib.faces.faceset import FaceSet
from lib.study.records import atomic_write, parsing

# An answer is known by its pool and id; class is what was asked for.
COLUMNS = ["id", "pool", "class", "answer"]
ALL = "all"  # in place of a class: the row over all classes


def sample(pools: dict[str, FaceSet], *, per_class: int, seed: int) -> pd.DataFrame:
    """Draw images of every pool and class, in mixed order.

    Args:
        pools: synthetic face sets by name.
        per_class: images of every pool and class.
        seed: of the images and their order.

    Returns:
        Columns id, pool, class, position (row in its pool).
    """
    # The same number of every class, so that a frequent answer wins nothing.
    rng = np.random.default_rng(seed)
    rows = []
    for pool, faces in pools.items():
        for label, name in enumerate(faces.classes):
            chosen = rng.permutation(np.flatnonzero(faces.labels == label))[:per_class]
            ids = faces.table["id"].iloc[chosen]
            rows += [
                (image_id, pool, name, int(i)) for image_id, i in zip(ids, chosen, strict=True)
            ]

    # Mix pools and classes.
    drawn = pd.DataFrame(rows, columns=["id", "pool", "class", "position"])
    return drawn.iloc[rng.permutation(len(drawn))].reset_index(drop=True)


def read_answers(path: Path) -> pd.DataFrame:
    """Read the answers so far, with COLUMNS; no rows where there is no file."""
    # Nobody has answered yet.
    if not Path(path).exists():
        return pd.DataFrame(columns=COLUMNS)
    with parsing(path, "put it right, or remove it to answer anew"):
        return pd.read_csv(path, dtype=str, keep_default_na=False)[COLUMNS]


def save_answer(path: Path, row: pd.Series, answer: str) -> None:
    """Add one answer to the file, at once; a later one about the same image replaces an earlier.

    Args:
        path: the CSV.
        row: of sample.
        answer: the class that the person saw.
    """
    # Replace an earlier answer about the same image.
    answers = read_answers(path)
    same_image = (answers["id"] == row["id"]) & (answers["pool"] == row["pool"])
    new = {"id": row["id"], "pool": row["pool"], "class": row["class"], "answer": answer}
    answers = pd.concat([answers[~same_image], pd.DataFrame([new])])
    with atomic_write(Path(path), "w") as file:
        file.write(answers.to_csv(index=False, lineterminator="\n"))


def recognition(path: Path, classes: Sequence[str]) -> pd.DataFrame:
    """Count how often the person saw the class that was asked for.

    Args:
        path: the CSV of answers.
        classes: of the pools, in the order of the rows.

    Returns:
        Columns pool, class ("all" first), n, recognised (share), low, high (95 % Wilson interval);
        classes without answers are left out.
    """
    # One row over all classes, then one a class.
    rows = []
    for pool, answers in read_answers(path).groupby("pool", sort=False):
        for name in (ALL, *classes):
            part = answers if name == ALL else answers[answers["class"] == name]
            # A class without answers has no share.
            if len(part):
                right = int((part["class"] == part["answer"]).sum())
                rows.append((pool, name, len(part), *wilson(right, len(part))))
    return pd.DataFrame(rows, columns=["pool", "class", "n", "recognised", "low", "high"])


def spot_check(
    pools: dict[str, FaceSet],
    path: Path,
    *,
    per_class: int = 5,
    seed: int = 0,
    interactive: bool | None = None,
):
    """Show the panel in JupyterLab; in a batch run, print how to open it.

    Args:
        pools: synthetic face sets by name, all of the same classes.
        path: CSV that receives the answers, written after each.
        per_class: images of every pool and class.
        seed: of the images and their order.
        interactive: whether a person is there; None: detect it.

    Returns:
        The widget, or None in a batch run.
    """
    drawn = sample(pools, per_class=per_class, seed=seed)
    # Nobody can click in a batch run.
    if interactive is None:
        interactive = is_interactive()
    if not interactive:
        print(
            f"blind spot check of {len(drawn)} images: open this notebook in JupyterLab and run "
            f"it; answers go to {path}"
        )
        return None
    return _panel(pools, drawn, Path(path))


def _panel(pools: dict[str, FaceSet], drawn: pd.DataFrame, path: Path):
    """Lay out the picture, a button for each class and a field for keys."""
    import ipywidgets as widgets

    # Images that have no answer yet, in their order.
    answers = read_answers(path)
    answered = set(zip(answers["pool"], answers["id"], strict=True))
    waiting = [row for _, row in drawn.iterrows() if (row["pool"], row["id"]) not in answered]

    # The widgets that change.
    classes = next(iter(pools.values())).classes
    names = class_keys(classes)
    picture = widgets.Image(format="png", width=PICTURE_PX)
    progress = widgets.IntProgress(min=0, max=len(drawn), description="named")

    def show() -> None:
        # The first image without an answer; after the last answer the picture stays.
        progress.value = len(drawn) - len(waiting)
        if waiting:
            row = waiting[0]
            picture.value = png_bytes(pools[row["pool"]].images[row["position"]])

    def answer(name: str) -> None:
        if waiting:
            save_answer(path, waiting.pop(0), name)
        show()

    # Keys name a class, as buttons do; other keys do nothing.
    def typed(key: str) -> None:
        if key in names:
            answer(names[key])

    def button(name: str):
        made = widgets.Button(description=name, layout=widgets.Layout(width="auto"))
        made.on_click(lambda _: answer(name))
        return made

    # The first image, a button a class, and the field for keys.
    show()
    field = key_field(typed, " · ".join(f"{key} {name}" for key, name in names.items()))
    buttons = widgets.HBox([button(name) for name in classes])
    return widgets.VBox([progress, picture, buttons, field])
