"""No photograph of a real person stands in a report unless asked for: what may put pixels on a
page, and a study on marked photographs.
"""

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
from lib.curation.summary import COPIES, hidden_steps, rejected_sample
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import FaceSet
from lib.study.params import PARAMS, load_params, read_yaml, studies
from lib.study.paths import ROOT

# Functions that put pixels on a page.
SHOWN = {
    "sheet",
    "sheets",
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
# Of these, those that show photographs where the parameter says so, and averages elsewhere.
ASKED = {"faces_or_averages", "before_and_after"}
# Every call in a notebook that puts faces on its page, by the function and what it is given first,
# and why no photograph can be among them.
ALLOWED = {
    "10_data": {
        "faces_or_averages(faces.split('train'))": "averages",
    },
    "20_generation": {
        "sheets(trained)": "generated",
        "sheet(samples)": "generated",
        "faces_or_averages(made)": "averages of edited photographs",
        "before_and_after(start)": "averages of photographs",
    },
    "30_curation": {
        "faces_or_averages(curation.faces)": "averages",
        "sheet(generated.images[rejected['position']])": "generated; hidden_steps hides the rest",
        "sheet(generated.images[page['position']])": "generated; hidden_steps hides the rest",
        "review_panel(generated)": "in JupyterLab alone: a report shows a note in its place",
    },
    "50_metrics": {
        "spot_check(measured)": "in JupyterLab alone: a report shows a note in its place",
    },
    "60_embedding": {
        "hover_map(maps['tsne'])": "allowed: sources that hold no photograph",
    },
    "70_application": {
        "strip(folder / 'annotated.avi')": "the actors are drawings",
        "sheet(frames)": "the actors are drawings",
    },
    "90_verdict": {
        "sheet(found.pool.faces.images[fault.examples])": "generated; shown_faults hides copies",
    },
}
# Modules that can draw pixels at all.
DRAWING_MODULES = {
    "lib/plots/sheets.py",
    "lib/plots/display.py",
    "lib/plots/results.py",
    "lib/plots/hover.py",
    "lib/curation/panel.py",
    "lib/curation/spotcheck.py",
    "lib/application/command.py",
    "lib/application/live.py",
    "lib/report/pictures.py",
    "lib/report/leading.py",  # the answer's chart, SVG
}
DRAWS = re.compile(
    r"\.imshow\(|\.matshow\(|b64encode\(|figimage\(|OffsetImage\(|widgets\.Image\(|display\.Image"
)


def photographs(**more) -> FaceSet:
    """Faces that nothing says to be drawn."""
    faces = drawn_study(n_train=400, n_val=60, n_test=150, label_noise=0.1, seed=3, **more)
    return FaceSet(faces.images, faces.table[["id", "class", "split"]].assign(source="drawn"))


def drawing_calls(notebook) -> list[ast.Call]:
    """List the calls in a notebook that put pixels on its page."""
    cells = json.loads(notebook.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return [call for call in calls if function_of(call) in SHOWN]


def function_of(call: ast.Call) -> str:
    """Name the function that is called, without its module."""
    return ast.unparse(call.func).split(".")[-1]


every_notebook = pytest.mark.parametrize(
    "notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)


@every_notebook
def test_what_may_put_faces_on_a_page_is_known(notebook):
    calls = drawing_calls(notebook)
    found = {f"{function_of(call)}({ast.unparse(call.args[0])})" for call in calls}
    unknown = found - set(ALLOWED.get(notebook.stem, {}))
    assert unknown == set(), "say in ALLOWED why no photograph is shown"


@every_notebook
def test_what_can_show_photographs_is_told_whether_it_may(notebook):
    asked = [call for call in drawing_calls(notebook) if function_of(call) in ASKED]
    given = [[ast.unparse(argument) for argument in call.args] for call in asked]
    assert all("show_photographs" in arguments for arguments in given)


def test_nothing_else_in_the_library_draws_pixels():
    modules = [path for path in (ROOT / "lib").rglob("*.py") if DRAWS.search(path.read_text())]
    found = {str(path.relative_to(ROOT)) for path in modules}
    new = found - DRAWING_MODULES
    assert new == set(), "new places that can show a photograph"


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
        {
            "id": pool.table["id"][:6],
            "step": ["leak", "memorised", "face"] * 2,
            "keep": False,
            "score": 0.0,
            "reason": "-",
        }
    )
    assert set(rejected_sample(pool, verdicts, n=9, without=COPIES)["step"]) == {"face"}
    assert set(rejected_sample(pool, verdicts, n=9)["step"]) == {"leak", "memorised", "face"}
    steps = ["leak", "face", "memorised"]
    edited = hidden_steps(pool, pool, steps, show_photographs=False)
    assert not len(rejected_sample(pool, verdicts, n=9, without=edited))


def test_which_steps_are_hidden_depends_on_what_their_images_may_show():
    real, drawings = photographs(), draw_faces([0, 1], [2, 3])
    generated = real.with_columns(generator="dcgan")
    assert hidden_steps(generated, real, ["face"], show_photographs=False) == COPIES
    assert hidden_steps(real, real, ["face"], show_photographs=False) == ("face",)
    # Nothing is hidden from a reader who may see photographs, or where there are none.
    assert hidden_steps(real, real, ["face"], show_photographs=True) == ()
    assert hidden_steps(generated, drawings, ["face"], show_photographs=False) == ()


# A chessboard of 24 pixels, in the middle of each photograph.
MARK_PX = 24
MARK = np.kron(np.indices((6, 6)).sum(0) % 2, np.ones((4, 4))) * 255
PICTURE = re.compile(r"data:image/(?:png|jpeg|webp);base64,([A-Za-z0-9+/=\s]+)")


def marked(faces: FaceSet) -> FaceSet:
    """Print the mark on each image, on half of them inverted, so that no average shows it."""
    images = faces.images.copy()
    is_odd = np.arange(len(faces))[:, None, None] % 2
    images[:, 12:36, 12:36] = np.where(is_odd, MARK, 255 - MARK)
    return FaceSet(images, faces.table)


def shows_mark(picture: np.ndarray) -> bool:
    """Look for the mark in a picture, at any size between half and six times its own."""
    for scale in np.geomspace(0.5, 6, 60):
        side = round(MARK_PX * scale)
        if side > min(picture.shape):
            break
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
        template = cv2.resize(MARK.astype(np.uint8), (side, side), interpolation=method)
        likeness = np.abs(cv2.matchTemplate(picture, template, cv2.TM_CCOEFF_NORMED))
        y, x = np.unravel_index(likeness.argmax(), likeness.shape)

        # An average keeps a trace of the mark, but no contrast.
        if likeness.max() > 0.8 and picture[y : y + side, x : x + side].std() > 60:
            return True
    return False


def marks_in(page: str) -> int:
    """Count the pictures of a page that show a marked photograph."""
    encoded = [np.frombuffer(base64.b64decode(text), np.uint8) for text in PICTURE.findall(page)]
    return sum(shows_mark(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)) for data in encoded)


def test_a_mark_is_found_on_a_sheet_and_not_on_averages(monkeypatch):
    import IPython.display

    from lib import plots

    pages = []
    monkeypatch.setattr(IPython.display, "display", lambda shown: pages.append(shown.data))
    faces = marked(photographs())
    for may_show in (True, False):
        plots.show(plots.faces_or_averages(faces, may_show, per_class=3), alt="faces")
    assert [marks_in(page) for page in pages] == [1, 0]


SMALL = {
    "seeds": 2,
    "train_steps": 20,
    "gan_steps": 20,
    "log_every_steps": 10,
    "reference_steps": 150,
    "pool_images": 300,
    "embedding_images": 100,
    "distance_images": 100,
    "n_boot": 100,
    "video_frames": 30,
    "pools": "[dcgan]",
    "supplement_shares": "[0.1]",
    "curation_steps": "[blank, exact_copy, near_copy, leak]",
    "synthetic_multiples": "[]",
}


@pytest.mark.slow
@pytest.mark.parametrize(("may_show", "stages"), [("false", "10-80"), ("true", "10-10")])
def test_a_study_on_marked_photographs_shows_none_of_them(tmp_path, may_show, stages):
    # A folder of photographs, each with its mark.
    faces = marked(photographs())
    folder = tmp_path / "drawn"
    rows = faces.table[["id", "class", "split"]].itertuples(index=False)
    for image, (own, name, split) in zip(faces.images, rows):
        target = folder / split / name
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(target / f"{own}.png")

    command = [sys.executable, str(ROOT / "run_all.py"), "--only", stages]
    command += ["--data", str(folder), "--output", str(tmp_path)]
    for key, value in (SMALL | {"show_photographs": may_show}).items():
        command += ["--set", f"{key}={value}"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:]

    pages = sorted((tmp_path / "reports").rglob("*.html"))
    assert len(pages) >= (9 if may_show == "false" else 2)
    shown = {page.name: marks_in(page.read_text(encoding="utf-8")) for page in pages}
    assert any(shown.values()) == (may_show == "true"), shown
