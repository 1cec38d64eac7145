"""The review panel: a person looks at images one by one and keeps, rejects or relabels them, by click or by key."""

from os.path import commonprefix
from pathlib import Path

import pandas as pd

from lib.curation.progress import someone_is_there
from lib.curation.review import picture_hash, png_bytes, review_history, write_review
from lib.faces.faceset import CLASSES, FaceSet

KEYS = {"k": ("keep", ""), "r": ("reject", "")} | {str(i + 1): ("relabel", name) for i, name in enumerate(CLASSES)}
UNDO, SKIP = "u", "s"
HELP = "k keep · r reject · 1–7 new class · s skip · u undo"


def review_panel(pool: FaceSet, candidates: pd.DataFrame, path: Path, *, interactive: bool | None = None):
    """Show the panel; in a batch, say where decisions would go.

    Args:
        pool: the images.
        candidates: rows of verdicts (id, step, keep, score, reason), the images to look at, in order.
        path: CSV that receives the decisions, written after each of them.
        interactive: True or False instead of finding out.

    Returns:
        The widget, or None in a batch.
    """
    if not (someone_is_there() if interactive is None else interactive):
        print(f"{len(candidates)} images to review: open this notebook in JupyterLab and run it; decisions go to {path}")
        return None
    if not len(candidates):
        print("nothing to review")
        return None
    return _build_panel(pool, candidates.reset_index(drop=True), Path(path))


def _build_panel(pool: FaceSet, candidates: pd.DataFrame, path: Path):
    """Lay out the widgets and connect them to the decisions."""
    import ipywidgets as widgets

    history = review_history(path)
    earlier = len(history)  # decisions of an earlier sitting are not undone from here
    position = {"at": _first_open(candidates, history)}
    picture, text = widgets.Image(format="png", width=288), widgets.HTML()
    progress = widgets.IntProgress(min=0, max=len(candidates), description="reviewed")

    def show():
        done = {row[0] for row in history}
        progress.value = int(candidates["id"].isin(done).sum())
        at = position["at"]
        text.value = _describe(pool, candidates, at, history)
        if at < len(candidates):
            picture.value = png_bytes(_image(pool, candidates["id"][at]))

    def act(key: str):
        if key == UNDO:
            if len(history) > earlier:
                gone = history.pop()[0]
                position["at"] = int(candidates.index[candidates["id"] == gone][0])
                write_review(path, history)
        elif position["at"] < len(candidates) and key in (*KEYS, SKIP):
            if key != SKIP:
                chosen = candidates["id"][position["at"]]
                history.append((chosen, *KEYS[key], "", picture_hash(_image(pool, chosen))))
                write_review(path, history)
            position["at"] += 1
        show()

    show()
    return widgets.VBox([progress, widgets.HBox([picture, widgets.VBox([text, *_buttons(act), key_field(act, HELP)])])])


def key_field(act, keys: str):
    """Make the field in which each typed key acts once.

    Args:
        act: called with each key, a lower-case letter or digit.
        keys: what the keys mean, shown while the field is empty.
    """
    import ipywidgets as widgets

    field = widgets.Text(placeholder=keys, description="keys", continuous_update=True, layout=widgets.Layout(width="32em"))

    def typed(change):
        # The browser sends the whole field, and the next key may be under way before the last has been answered: what was there has acted.
        # For the same reason the field is never emptied from here.
        for key in change["new"][len(commonprefix([change["old"], change["new"]])) :].lower():
            act(key)

    field.observe(typed, names="value")
    return field


def _buttons(act) -> list:
    """Make the rows of buttons; each does what its key does."""
    import ipywidgets as widgets

    def button(label: str, key: str, style: str = ""):
        made = widgets.Button(description=label, tooltip=f"key {key}", button_style=style, layout=widgets.Layout(width="auto"))
        made.on_click(lambda _: act(key))
        return made

    first = [button("keep", "k", "success"), button("reject", "r", "danger"), button("skip", SKIP), button("undo", UNDO)]
    return [
        widgets.HBox(first),
        widgets.HBox([button(name, str(i + 1)) for i, name in enumerate(CLASSES)], layout=widgets.Layout(flex_flow="row wrap")),
    ]


def _image(pool: FaceSet, image_id: str):
    return pool.images[pool.table.index[pool.table["id"] == image_id][0]]


def _first_open(candidates: pd.DataFrame, history: list[tuple]) -> int:
    """Find the first image without a decision; the end when all have one."""
    open_ones = candidates.index[~candidates["id"].isin({row[0] for row in history})]
    return int(open_ones[0]) if len(open_ones) else len(candidates)


def _describe(pool: FaceSet, candidates: pd.DataFrame, at: int, history: list[tuple]) -> str:
    """Say what is known of the image that is shown."""
    if at >= len(candidates):
        return f"<b>All {len(candidates)} images are through.</b> Run the notebook again to apply {len(history)} decisions."
    row = candidates.iloc[at]
    label = pool.table.loc[pool.table["id"] == row["id"], "class"].iloc[0]
    said = "kept it" if row["keep"] else f"rejected it: {row['reason']}"
    before = [f"; decided before: {d} {c}" for i, d, c, *_ in history if i == row["id"]][-1:]
    which = f"<b>{at + 1} of {len(candidates)}</b>: image {row['id']}, labelled <b>{label}</b>"
    return f"{which}<br>step {row['step']} {said} (score {row['score']:.3g}){''.join(before)}"
