"""No photograph of a real person stands in a report unless asked for: what may put pixels on a page, and a study on marked photographs."""

import ast
import base64
import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.application.evaluation import actors_of
from lib.curation.summary import COPIES, hidden, rejected_sample
from lib.faces.drawn import drawn_study
from lib.faces.faceset import FaceSet
from lib.study.params import PARAMS, load_params, read_yaml, studies
from lib.study.paths import ROOT

SHOWN = {
    "sheet",
    "class_sheet",
    "class_averages",
    "faces_or_averages",
    "before_and_after",
    "review_panel",
    "spot_check",
    "imshow",
    "Image",
    "image",
    "matshow",
    "strip",
    "hover_map",
}
# Every call in a notebook that puts faces on its page, and why no photograph can be among them.
ALLOWED = {
    "10_data": {"faces_or_averages(faces.split('train'), show_photographs, caption=f'training images of {study}')": "averages"},
    "20_generation": {
        "sheets(trained, facts['px'])": "generated",
        "faces_or_averages(faces_made, show_photographs, caption=f'{pool}: the first images of each class')": "averages of edited "
        "photographs",
        "before_and_after(start, faces_made, show_photographs, caption=f'{pool}, {edit_strength:.0%} done anew')":
            "averages of photographs",
        "class_sheet(faces_made, caption=f'{pool}: the first images of each class ({made})')": "generated",
        "sheet(pages, columns=7, rows=[f'step {number}' for number in shown], caption='one seed a class as training goes on; generated, "
        "not photographs')":
            "generated",
    },
    "30_curation": {
        "faces_or_averages(curation.faces, show_photographs, caption=f'{pool}: the first images of each class that stay')": "averages",
        "sheet(generated.images[gone['position']], titles=titles, caption=f'{pool}: rejected, with step and score ({kind})')":
            "generated; without those that copy a photograph, and without edited photographs",
        "sheet(generated.images[page['position']], titles=page['step'], "
        "caption=f'{pool}: what the steps are least sure about ({kind})')": "generated; without copies, without edited photographs",
        "panel.review_panel(generated, unsure, decisions)": "in JupyterLab alone: a report shows a note in its place",
    },
    "50_metrics": {"spotcheck.spot_check(made, answers, seed=seed)": "in JupyterLab alone: a report shows a note in its place"},
    "60_embedding": {
        "hover_map(maps['tsne'], sources, classes, allowed, alt='t-SNE map of real and synthetic faces, interactive', "
        "caption=said or map_caption('tsne', len(together), **settings))": "allowed: sources that hold no photograph",
    },
    "70_application": {
        "strip(folder / 'annotated.avi', n=4)": "the actors are drawings",
        "sheet(frames, columns=4, scale=2.2, caption='four frames of the annotated video')": "the actors are drawings",
    },
}  # fmt: skip


def photographs(**more) -> FaceSet:
    """Faces that nothing says to be drawn."""
    faces = drawn_study(n_train=400, n_val=60, n_test=150, label_noise=0.1, seed=3, **more)
    return FaceSet(faces.images, faces.table[["id", "class", "split"]].assign(source="drawn"))


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_what_may_put_faces_on_a_page_is_known(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    trees = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {ast.unparse(call) for call in calls if ast.unparse(call.func).split(".")[-1] in SHOWN | {"sheets"}}
    assert named <= set(ALLOWED.get(notebook.stem, {})), "say in ALLOWED why no photograph is shown"


def test_nothing_else_in_the_library_draws_pixels():
    draws = re.compile(r"\.imshow\(|\.matshow\(|b64encode\(|figimage\(|OffsetImage\(|widgets\.Image\(|display\.Image")
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "lib").rglob("*.py") if draws.search(path.read_text())}
    known = {"lib/plots/sheets.py", "lib/plots/display.py", "lib/plots/results.py", "lib/curation/panel.py", "lib/application/command.py",
             "lib/application/live.py", "lib/plots/hover.py", "lib/report/pictures.py",
             "lib/metrics/spotcheck.py"}  # fmt: skip
    assert found <= known, f"new places that can show a photograph: {found - known}"


def test_no_study_shows_photographs_by_itself():
    assert not read_yaml(PARAMS / "base.yaml")["show_photographs"]
    assert not any(load_params(study)["show_photographs"] for study in studies())


def test_the_actors_of_a_film_are_drawings_where_the_faces_are_photographs():
    test = photographs().split("test")
    known = {image.tobytes() for image in test.images}
    assert not any(image.tobytes() in known for image in actors_of(test, False, seed=0).images)
    assert all(image.tobytes() in known for image in actors_of(test, True, seed=0).images)


def test_rejected_copies_of_photographs_can_be_left_out():
    import pandas as pd

    pool = photographs().split("test")
    verdicts = pd.DataFrame(
        {"id": pool.table["id"][:6], "step": ["leak", "memorised", "face"] * 2, "keep": False, "score": 0.0, "reason": "-"}
    )
    assert set(rejected_sample(pool, verdicts, n=9, without=COPIES)["step"]) == {"face"}
    assert set(rejected_sample(pool, verdicts, n=9)["step"]) == {"leak", "memorised", "face"}
    assert not len(rejected_sample(pool, verdicts, n=9, without=hidden("photographs", ["leak", "face", "memorised"])))
    assert hidden("generated", ["face"]) == COPIES


MARK = np.kron(np.indices((6, 6)).sum(0) % 2, np.ones((4, 4))) * 255  # a chessboard of 24 pixels, in the middle of each photograph


def marked(faces: FaceSet) -> FaceSet:
    """Print the mark on each image, on half of them inverted, so that no average shows it."""
    images = faces.images.copy()
    images[:, 12:36, 12:36] = np.where(np.arange(len(faces))[:, None, None] % 2, MARK, 255 - MARK)
    return FaceSet(images, faces.table)


def marks_in(page: str) -> int:
    """Count the pictures of a page that show a marked photograph, at any size between half and six times its own."""
    found = 0
    for text in re.findall(r"data:image/(?:png|jpeg|webp);base64,([A-Za-z0-9+/=\s]+)", page):
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_GRAYSCALE)
        seen = False
        for scale in np.geomspace(0.5, 6, 60):
            side = round(24 * scale)
            if side <= min(picture.shape):
                template = cv2.resize(MARK.astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
                likeness = np.abs(cv2.matchTemplate(picture, template, cv2.TM_CCOEFF_NORMED))
                y, x = np.unravel_index(likeness.argmax(), likeness.shape)
                seen |= (
                    likeness.max() > 0.8 and picture[y : y + side, x : x + side].std() > 60
                )  # an average keeps a trace of the mark, no contrast
        found += seen
    return found


def test_a_mark_is_found_on_a_sheet_and_not_on_averages(monkeypatch):
    import IPython.display

    from lib import plots

    pages = []
    monkeypatch.setattr(IPython.display, "display", lambda shown: pages.append(shown.data))
    faces = marked(photographs())
    for asked in (True, False):
        plots.show(plots.faces_or_averages(faces, asked, per_class=3), alt="faces")
    assert [marks_in(page) for page in pages] == [1, 0]


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "stages"), [("false", "10-80"), ("true", "10-10")])
def test_a_study_on_marked_photographs_shows_none_of_them(tmp_path, asked, stages):
    faces = marked(photographs())
    for image, row in zip(faces.images, faces.table.itertuples()):
        folder = tmp_path / "drawn" / row.split / row[2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{row.id}.png")
    small = {"seeds": 2, "train_steps": 20, "gan_steps": 20, "log_every_steps": 10, "instrument_steps": 150, "pool_images": 300,
    "embedding_images": 100,
             "distance_images": 100, "n_boot": 100, "video_frames": 30, "pools": "[dcgan]", "show_photographs": asked,
             "supplement_shares": "[0.1]",
             "curation_steps": "[blank, exact_copy, near_copy, leak]", "synthetic_multiples": "[]"}  # fmt: skip
    sets = [part for key, value in small.items() for part in ("--set", f"{key}={value}")]
    command = [
        sys.executable,
        str(ROOT / "run_all.py"),
        "--data",
        str(tmp_path / "drawn"),
        "--output",
        str(tmp_path),
        "--only",
        stages,
        *sets,
    ]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:]
    pages = sorted((tmp_path / "reports").rglob("*.html"))
    assert len(pages) >= (9 if asked == "false" else 2)
    shown = {page.name: marks_in(page.read_text(encoding="utf-8")) for page in pages}
    assert any(shown.values()) == (asked == "true"), shown
