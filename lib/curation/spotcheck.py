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
from lib.curation.keys import keep_keys, key_field
from lib.curation.panel import UNDO, class_keys
from lib.curation.review import PICTURE_PX, png_bytes
from lib.faces.faceset import FaceSet
from lib.study.records import parsing, write_csv

# An answer is known by its pool and id; class is what was asked for.
COLUMNS = ["id", "pool", "class", "answer"]
RECOGNITION = ["pool", "class", "n", "recognised", "low", "high", "unclear"]
ALL = "all"  # in place of a class: the row over all classes
UNCLEAR = "cannot tell"  # an answer that names no class
UNCLEAR_KEY = "n"
QUESTION = "Which expression does this face show?"


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
    write_csv(path, answers)


def recognition(path: Path, classes: Sequence[str]) -> pd.DataFrame:
    """Count how often the person saw the class that was asked for.

    Args:
        path: the CSV of answers.
        classes: of the pools, in the order of the rows.

    Returns:
        Columns pool, class ("all" first), n, recognised (share), low, high (95% Wilson interval),
        unclear (share of the answers that name no class); classes without answers are left out.
    """
    # One row over all classes, then one a class.
    rows = []
    for pool, answers in read_answers(path).groupby("pool", sort=False):
        for name in (ALL, *classes):
            part = answers if name == ALL else answers[answers["class"] == name]
            # A class without answers has no share.
            if len(part):
                right = int((part["class"] == part["answer"]).sum())
                unclear = float((part["answer"] == UNCLEAR).mean())
                rows.append((pool, name, len(part), *wilson(right, len(part)), unclear))
    return pd.DataFrame(rows, columns=RECOGNITION)


def take_back(path: Path, row: pd.Series) -> None:
    """Remove the answer about an image from the file.

    Args:
        path: the CSV.
        row: of sample.
    """
    answers = read_answers(path)
    same_image = (answers["id"] == row["id"]) & (answers["pool"] == row["pool"])
    write_csv(path, answers[~same_image])


def spot_check(pools: dict[str, FaceSet], path: Path, *, per_class: int = 5, seed: int = 0):
    """Show the panel in JupyterLab; in a batch run, print how to open it.

    Args:
        pools: synthetic face sets by name, all of the same classes.
        path: CSV that receives the answers, written after each.
        per_class: images of every pool and class.
        seed: of the images and their order.

    Returns:
        The widget, or None in a batch run.
    """
    drawn = sample(pools, per_class=per_class, seed=seed)
    # Nobody can click in a batch run.
    if not is_interactive():
        print(
            f"blind spot check of {len(drawn)} images: open this notebook in JupyterLab and run "
            f"it; answers go to {path}"
        )
        return None
    return _panel(pools, drawn, Path(path))


def _panel(pools: dict[str, FaceSet], drawn: pd.DataFrame, path: Path):
    """Lay out the question, the picture, a button for each answer and a field for keys."""
    import ipywidgets as widgets

    # The widgets that change.
    classes = next(iter(pools.values())).classes
    check = _Check(pools, drawn, path)
    answers = class_keys(classes) | {UNCLEAR_KEY: UNCLEAR}
    picture = widgets.Image(format="png", width=PICTURE_PX)
    text = widgets.HTML()
    progress = widgets.IntProgress(min=0, max=len(drawn), description="named")

    def show() -> None:
        # After the last answer the picture stays.
        progress.value = len(drawn) - len(check.waiting)
        text.value = check.description()
        if check.waiting:
            picture.value = png_bytes(check.image())

    def act(key: str) -> None:
        if key == UNDO:
            check.undo()
        elif key in answers:
            check.answer(answers[key])
        show()

    def button(label: str, key: str):
        made = widgets.Button(
            description=label, tooltip=f"key {key}", layout=widgets.Layout(width="auto")
        )
        made.on_click(lambda _: act(key))
        return made

    # The first image; the answers as buttons, what else can be done below them.
    show()
    help_text = " · ".join(f"{key} {name}" for key, name in answers.items())
    field = key_field(act, f"{help_text} · {UNDO} undo")
    named = [button(name, key) for key, name in class_keys(classes).items()]
    others = [button(UNCLEAR, UNCLEAR_KEY), button("undo", UNDO)]
    wrapped = widgets.Layout(flex_flow="row wrap")
    rows = [widgets.HBox(named, layout=wrapped), widgets.HBox(others)]
    return keep_keys(widgets.VBox([progress, text, picture, *rows, field]))


class _Check:
    """The state of a spot check: the images that wait for an answer, and the answers so far."""

    def __init__(self, pools: dict[str, FaceSet], drawn: pd.DataFrame, path: Path):
        self.pools = pools
        self.path = path
        self.total = len(drawn)
        # Answers of earlier sessions count, and are left alone by undo.
        answers = read_answers(path)
        known = set(zip(answers["pool"], answers["id"], strict=True))
        rows = [row for _, row in drawn.iterrows()]
        self.waiting = [row for row in rows if (row["pool"], row["id"]) not in known]
        self.given = []  # rows that were answered in this session, the last one last

    def image(self) -> np.ndarray:
        """The image that is shown, uint8 (H, W)."""
        row = self.waiting[0]
        return self.pools[row["pool"]].images[row["position"]]

    def answer(self, name: str) -> None:
        """Write an answer about the image that is shown, and go on."""
        if self.waiting:
            self.given.append(self.waiting.pop(0))
            save_answer(self.path, self.given[-1], name)

    def undo(self) -> None:
        """Take back the last answer of this session and show its image again."""
        if self.given:
            take_back(self.path, self.given[-1])
            self.waiting.insert(0, self.given.pop())

    def description(self) -> str:
        """Ask, and count; as HTML."""
        done = self.total - len(self.waiting)
        if not self.waiting:
            return (
                f"<b>All {self.total} images are named.</b> Run the notebook again to count them."
            )
        return f"<b>{QUESTION}</b><br>image {done + 1} of {self.total}"
