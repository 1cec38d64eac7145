"""The review panel: a person looks at images one by one and keeps, rejects or relabels them, by
click or by key.
"""

import html
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.compute.progress import is_interactive
from lib.curation.keys import keep_keys, key_field
from lib.curation.review import PICTURE_PX, picture_hash, png_bytes, review_history, write_review
from lib.faces.faceset import FaceSet

DIGITS = "1234567890"  # keys of the first ten classes
# Keys of what else can be done.
KEEP = "k"
REJECT = "r"
SKIP = "s"
UNDO = "u"


def review_panel(pool: FaceSet, candidates: pd.DataFrame, path: Path):
    """Show the panel; in a batch run, print where decisions would be written.

    Args:
        pool: the images.
        candidates: rows of verdicts (id, step, keep, score, reason), the images to look at, in
            order.
        path: CSV that receives the decisions, written after each of them.

    Returns:
        The widget, or None in a batch run.
    """
    # Nobody can click in a batch run.
    if not is_interactive():
        print(
            f"{len(candidates)} images to review: open this notebook in JupyterLab and run it; "
            f"decisions go to {path}"
        )
        return None
    if not len(candidates):
        print("nothing to review")
        return None
    return _build_panel(pool, candidates.reset_index(drop=True), Path(path))


def class_keys(classes: Sequence[str]) -> dict[str, str]:
    """Map keys to classes: the digits 1 to 9, then 0.

    Classes beyond the tenth get a text that a button can send and nobody can type.
    """
    keys = [*DIGITS, *(f"class {name}" for name in classes[len(DIGITS) :])]
    return dict(zip(keys, classes, strict=False))


def decision_keys(classes: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Map each key to the decision and the new class that it stands for."""
    # Undo and skip decide nothing and are not among them.
    keys = {KEEP: ("keep", ""), REJECT: ("reject", "")}
    for key, name in class_keys(classes).items():
        keys[key] = ("relabel", name)
    return keys


def _build_panel(pool: FaceSet, candidates: pd.DataFrame, path: Path):
    """Lay out the widgets and connect them to the decisions."""
    import ipywidgets as widgets

    # The widgets that change.
    review = _Review(pool, candidates, path)
    picture = widgets.Image(format="png", width=PICTURE_PX)
    text = widgets.HTML()
    progress = widgets.IntProgress(min=0, max=len(candidates), description="reviewed")

    def show() -> None:
        progress.value = review.decided()
        text.value = review.description()
        if not review.at_end():
            picture.value = png_bytes(review.image())

    def act(key: str) -> None:
        review.act(key)
        show()

    # Show the first image and lay the rest out beside it.
    show()
    keys = key_field(act, _key_help(pool.classes))
    right = widgets.VBox([text, *_buttons(act, pool.classes), keys])
    return keep_keys(widgets.VBox([progress, widgets.HBox([picture, right])]))


class _Review:
    """The state of a review: which image is shown, and the decisions so far."""

    def __init__(self, pool: FaceSet, candidates: pd.DataFrame, path: Path):
        self.pool = pool
        self.candidates = candidates
        self.path = path
        # Decisions of earlier sessions count, and the review goes on behind them.
        self.keys = decision_keys(pool.classes)
        self.history = review_history(path)
        self.earlier = len(self.history)  # decisions of earlier sessions, which undo leaves alone
        self.at = _first_open(candidates, self.history)  # row of candidates

    def at_end(self) -> bool:
        """Whether all images have been shown."""
        return self.at >= len(self.candidates)

    def decided(self) -> int:
        """Count the candidates that have a decision."""
        done = {row[0] for row in self.history}
        return int(self.candidates["id"].isin(done).sum())

    def image(self) -> np.ndarray:
        """The image that is shown, uint8 (H, W)."""
        wanted = self.pool.table["id"] == self.candidates["id"][self.at]
        return self.pool.images[self.pool.table.index[wanted][0]]

    def act(self, key: str) -> None:
        """Do what a key stands for: decide, skip or undo."""
        if key == UNDO:
            self._undo()
        elif not self.at_end() and (key == SKIP or key in self.keys):
            # A decision is written at once; a skipped image keeps none.
            if key != SKIP:
                image_id = self.candidates["id"][self.at]
                row = (image_id, *self.keys[key], "", picture_hash(self.image()))
                self.history.append(row)
                write_review(self.path, self.history)
            self.at += 1

    def description(self) -> str:
        """Describe the image that is shown, as HTML."""
        if self.at_end():
            return (
                f"<b>All {len(self.candidates)} images are through.</b> Run the notebook again to "
                f"apply {len(self.history)} decisions."
            )
        # What the step decided, what the label is, and what a person decided before.
        row = self.candidates.iloc[self.at]
        label = self.pool.table.loc[self.pool.table["id"] == row["id"], "class"].iloc[0]
        verdict = "kept it" if row["keep"] else f"rejected it: {row['reason']}"
        earlier = [f"{made[1]} {made[2]}" for made in self.history if made[0] == row["id"]]
        decided = f"; decided before: {earlier[-1]}" if earlier else ""

        # Names come from outside: nothing in them is markup.
        place = f"<b>{self.at + 1} of {len(self.candidates)}</b>"
        image = f"image {html.escape(row['id'])}, labelled <b>{html.escape(label)}</b>"
        step = f"step {row['step']} {verdict} (score {row['score']:.3g}){decided}"
        return f"{place}: {image}<br>{html.escape(step)}"

    def _undo(self) -> None:
        """Take back the last decision of this session and show its image again."""
        if len(self.history) <= self.earlier:
            return
        # Forget the decision and go back to its image.
        image_id = self.history.pop()[0]
        self.at = int(self.candidates.index[self.candidates["id"] == image_id][0])
        write_review(self.path, self.history)


def _first_open(candidates: pd.DataFrame, history: list[tuple]) -> int:
    """Find the first image without a decision; the number of images when all have one."""
    # Candidates keep their order between sessions.
    done = {row[0] for row in history}
    undecided = candidates.index[~candidates["id"].isin(done)]
    return int(undecided[0]) if len(undecided) else len(candidates)


def _buttons(act: Callable[[str], None], classes: Sequence[str]) -> list:
    """Make the rows of buttons; each does what its key does."""
    import ipywidgets as widgets

    def button(label: str, key: str, style: str = ""):
        layout = widgets.Layout(width="auto")
        made = widgets.Button(
            description=label, tooltip=f"key {key}", button_style=style, layout=layout
        )
        made.on_click(lambda _: act(key))
        return made

    # One row of decisions, one of classes.
    decisions = [
        button("keep", KEEP, "success"),
        button("reject", REJECT, "danger"),
        button("skip", SKIP),
        button("undo", UNDO),
    ]
    names = [button(name, key) for key, name in class_keys(classes).items()]
    wrapped = widgets.Layout(flex_flow="row wrap")
    return [widgets.HBox(decisions), widgets.HBox(names, layout=wrapped)]


def _key_help(classes: Sequence[str]) -> str:
    """Write what the keys mean: k keep · r reject · 1–7 new class · s skip · u undo."""
    digits = DIGITS[: len(classes)]
    span = f"{digits[0]}–{digits[-1]}"
    return f"{KEEP} keep · {REJECT} reject · {span} new class · {SKIP} skip · {UNDO} undo"
