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
READY = "!!window.jupyterapp && !!document.querySelector('.jp-Notebook .jp-Cell')"
PANEL = "document.querySelector('.keeps-keys[data-lm-suppress-shortcuts]')"
CELLS = """(() => {
  const model = window.jupyterapp.shell.currentWidget.content.model;
  return [...model.cells].map((cell) => cell.type);
})()"""


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


def click(browser, words: str) -> None:
    """Click the middle of the panel's button of this name, as a mouse does."""
    place = browser.value(
        f"(() => {{ const box = [...{PANEL}.querySelectorAll('button')].find((one) => "
        f"one.textContent.trim() === {words!r}).getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
    browser.call("Input.dispatchMouseEvent", type="mousePressed", **where)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", **where)


@pytest.fixture(params=[REVIEW, CHECK], ids=["review", "check"])
def opened(request, tmp_path):
    """A notebook that shows a panel, run in JupyterLab: the browser, and its folder."""
    cells = [new_code_cell(MAKE.strip(), id="cell-1"), new_code_cell(request.param, id="cell-2")]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    work = tmp_path / "work"
    work.mkdir()
    nbformat.write(notebook, work / "panel.ipynb")
    with jupyterlab(work) as address, chromium(tmp_path / "profile") as browser:
        browser.open(f"{address}/lab/tree/panel.ipynb?reset", width=1400, height=1200)
        wait(lambda: browser.value(READY), 120, "the notebook did not open")
        browser.value("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        wait(lambda: browser.value(f"!!{PANEL}"), 120, "the panel did not appear")
        yield browser, work, request.param


def rows(file: Path, column: str) -> list[str]:
    return pd.read_csv(file, dtype=str)[column].tolist() if file.exists() else []


def test_after_a_click_every_documented_key_acts_on_the_panel_alone(opened):
    browser, work, shown = opened
    before = browser.value(CELLS)
    file, column = work / "review.csv", "decision"
    first, keys = "keep", "kr1234567sud"
    expected = ["keep", "keep", "reject", *["relabel"] * 6]
    if shown == CHECK:
        file, column = work / "answers.csv", "answer"
        first, keys, expected = "happy", "rdd1nu", ["happy", "angry"]

    # A click first: it leaves the notebook in command mode, where r is "change to raw".
    click(browser, first)
    for key in keys:
        press(browser, key)
    wait(lambda: rows(file, column) == expected, 30, f"{rows(file, column)}, not {expected}")
    assert browser.value(CELLS) == before
    browser.value("window.jupyterapp.commands.execute('docmanager:save')")


def test_the_notebook_keeps_its_own_keys_outside_of_the_panel(opened):
    browser, *_ = opened
    browser.value("document.querySelector('.jp-InputArea-prompt').click()")
    browser.value("window.jupyterapp.commands.execute('notebook:enter-command-mode')")
    press(browser, "m")
    wait(lambda: "markdown" in browser.value(CELLS), 20, "JupyterLab took no key of its own")
