"""The panels in a real JupyterLab, in a real browser: a click, then every documented key. None of
them reaches the notebook, whose command mode would turn the cell to raw text or delete it.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lib.study.paths import ROOT

sys.path.insert(0, str(ROOT / "tests" / "report"))
from headless_chromium import chromium, find_chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_chromium(), reason="no Chromium on this machine"),
]
SETTINGS = (
    "--no-browser",
    "--allow-root",
    "--IdentityProvider.token=",
    "--ServerApp.password=",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)
MAKE = """
import numpy as np
import pandas as pd
from pathlib import Path
from lib.curation import panel, spotcheck
from lib.faces.drawn import draw_faces
pool = draw_faces(np.arange(14) % 7, np.arange(14))
verdicts = pd.DataFrame({"id": pool.table["id"], "step": "face", "keep": True, "score": 1.0,
                         "reason": ""})
"""
REVIEW = 'panel.review_panel(pool, verdicts, Path("review.csv"))'
CHECK = 'spotcheck.spot_check({"a": pool}, Path("answers.csv"), per_class=1)'
NOTEBOOK = "[...window.jupyterapp.shell.widgets('main')].find((one) => one.sessionContext)"
READY = f"""!!window.jupyterapp && !!document.querySelector('.jp-Notebook .jp-Cell') &&
  {NOTEBOOK}?.sessionContext?.session?.kernel?.connectionStatus === 'connected'"""
PANEL = "document.querySelector('.keeps-keys[data-lm-suppress-shortcuts]')"
CELLS = f"[...{NOTEBOOK}.content.model.cells].map((cell) => cell.type)"


@contextlib.contextmanager
def jupyterlab(folder: Path):
    """Run JupyterLab on a folder, and hand out its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", f"--port={port}", *SETTINGS]
    paths = {"PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(folder / "config")}
    server = subprocess.Popen(
        [*command, f"--ServerApp.root_dir={folder}"],
        cwd=folder,
        env=os.environ | paths,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait(lambda: answers(f"{address}/api/status"), 120, "JupyterLab did not start")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def answers(address: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(json.load(urllib.request.urlopen(address, timeout=5)))
    return False


def wait(is_true, seconds: float, complaint: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.3)


def press(browser, key: str) -> None:
    """Press and release a key, as a keyboard does."""
    known = {"key": key, "text": key, "code": f"Key{key.upper()}", "unmodifiedText": key}
    known["windowsVirtualKeyCode"] = ord(key.upper())
    browser.call("Input.dispatchKeyEvent", type="keyDown", **known)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **known)


def click(browser, element: str) -> None:
    """Click the middle of an element, given in JavaScript, as a mouse does."""
    place = browser.value(
        f"(() => {{ const box = ({element}).getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
    browser.call("Input.dispatchMouseEvent", type="mousePressed", **where)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", **where)


def button(words: str) -> str:
    """The button of a panel that is called so."""
    found = "[...document.querySelectorAll('.jp-OutputArea button')]"
    return f"{found}.find((one) => one.textContent.trim() === {words!r})"


@contextlib.contextmanager
def opened(code: str, tmp_path: Path):
    """Run a notebook that shows a panel in JupyterLab, and hand out browser and folder."""
    cells = [new_code_cell(MAKE.strip(), id="cell-1"), new_code_cell(code, id="cell-2")]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    work = tmp_path / "work"
    work.mkdir()
    nbformat.write(notebook, work / "panel.ipynb")
    with jupyterlab(work) as address, chromium(tmp_path / "profile") as browser:
        browser.open(f"{address}/lab/tree/panel.ipynb?reset", width=1400, height=1200)
        wait(lambda: browser.value(READY), 120, "the notebook did not open")
        browser.value("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        wait(lambda: browser.value(f"!!{button('undo')}"), 120, "the panel did not appear")
        yield browser, work


def rows(file: Path, column: str) -> list[str]:
    return pd.read_csv(file, dtype=str)[column].tolist() if file.exists() else []


REVIEWED = ("review.csv", "decision", "keep", "kr1234567sud")
CHECKED = ("answers.csv", "answer", "happy", "rdd1nu")


@pytest.mark.parametrize(
    ("code", "typed", "expected"),
    [
        (REVIEW, REVIEWED, ["keep", "keep", "reject", *["relabel"] * 6]),
        (CHECK, CHECKED, ["happy", "angry"]),
    ],
    ids=["review", "check"],
)
def test_after_a_click_every_documented_key_acts_on_the_panel_alone(
    tmp_path, code, typed, expected
):
    file, column, first, keys = typed
    with opened(code, tmp_path) as (browser, work):
        wait(lambda: browser.value(f"!!{PANEL}"), 60, "the panel does not keep its keys")
        before = browser.value(CELLS)

        # A click first: it leaves the notebook in command mode, where r is "change to raw".
        click(browser, button(first))
        for key in keys:
            press(browser, key)
        wait(lambda: rows(work / file, column) == expected, 30, f"not {expected}")
        assert browser.value(CELLS) == before == ["code", "code"]

        # Outside of the panel the notebook has its own keys.
        click(browser, "document.querySelector('.jp-InputArea-prompt')")
        press(browser, "m")
        wait(lambda: "markdown" in browser.value(CELLS), 20, "JupyterLab took no key of its own")


def test_a_panel_that_does_not_keep_its_keys_loses_its_cell(tmp_path):
    """The fault that the panels had: the test above can fail."""
    loose = f"panel.keep_keys = lambda shown: shown\n{REVIEW}"
    with opened(loose, tmp_path) as (browser, _):
        click(browser, button("keep"))
        press(browser, "r")
        wait(lambda: "raw" in browser.value(CELLS), 30, "r did nothing")
