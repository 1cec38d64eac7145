"""Opens pages in headless Chromium over its debugging protocol, and notes what they ask for and
complain about. Not a test module.
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
DOMAINS = ("Page", "Runtime", "Log", "Network")  # of the protocol, whose events are wanted
START_S = 60  # seconds that the browser has to start
LARGEST_PICTURE_PX = 12_000
# Where npm puts axe-core: beside the project, or for all users.
AXE_FOLDERS = ("/usr/local/lib/node_modules", "/usr/lib/node_modules")
AXE_RUN = """axe.run(document, {resultTypes: ["violations"]}).then((result) =>
  result.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}`)))"""
WIDTH = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"


def find_chromium() -> str:
    """Find the browser, empty where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


def find_axe() -> str:
    """Find axe-core's script, empty where there is none: what AXE_CORE names, else npm's."""
    named = os.environ.get("AXE_CORE", "")
    files = [Path(folder) / "axe-core" / "axe.min.js" for folder in AXE_FOLDERS]
    files = [Path(named)] if named else files
    return next((str(file) for file in files if file.is_file()), "")


@dataclass
class Visit:
    """What a page did when it was opened."""

    complaints: list = field(default_factory=list)  # console errors, exceptions, blocked loads
    requests: list = field(default_factory=list)  # addresses asked for
    page_width: int = 0  # of the whole document
    view_width: int = 0  # of the window


class Browser:
    """One tab of a headless Chromium."""

    def __init__(self, socket):
        self.socket, self.numbers, self.visit = socket, itertools.count(1), Visit()

    def call(self, method: str, **params) -> dict:
        """Send a command and wait for its answer; events on the way are noted."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def value(self, expression: str):
        """Evaluate JavaScript in the page."""
        options = {"returnByValue": True, "awaitPromise": True}
        return self.call("Runtime.evaluate", expression=expression, **options)["result"].get(
            "value"
        )

    def open(self, address: str, *, width: int, height: int = 900, dark: bool = False) -> Visit:
        """Open a page in a window of some width, and let it come to rest."""
        self.visit = Visit()
        for domain in DOMAINS:
            self.call(f"{domain}.enable")
        self._set_window(width, height, dark)
        self.call("Page.navigate", url=address)
        while not self._is_loaded():
            time.sleep(0.02)
        self.value("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
        self.visit.view_width = self.value("window.innerWidth")
        self.visit.page_width = self.value(WIDTH)
        return self.visit

    def unfold(self) -> int:
        """Open every fold and measure the page again."""
        unfold = "document.querySelectorAll('details').forEach(fold => fold.open = true)"
        return self.value(f"{unfold}; {WIDTH}")

    def violations(self) -> list[str]:
        """List what axe-core finds on the page: a rule and an element each."""
        self.value(Path(find_axe()).read_text(encoding="utf-8"))
        return self.value(AXE_RUN)

    def picture(self, file: Path) -> None:
        """Save the whole page as a PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        height = min(size["height"], LARGEST_PICTURE_PX)
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
        taken = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(taken["data"]))

    def sheets(self) -> int:
        """Count the sheets of A4 that the page prints to."""
        printed = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(printed["data"]).count(b"/Type /Page\n")

    def _set_window(self, width: int, height: int, dark: bool) -> None:
        sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **sizes)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def _is_loaded(self) -> bool:
        is_complete = self.value("document.readyState") == "complete"
        return is_complete and self.value("location.href") != "about:blank"

    def _note(self, message: dict) -> None:
        """Note a request, or something that the page complains about."""
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.visit.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.visit.complaints.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.visit.complaints.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled":
            if params["type"] in ("error", "warning", "assert"):
                self.visit.complaints.append(str(params["args"]))


@contextlib.contextmanager
def chromium(profile: Path):
    """Run a browser with a profile of its own and hand out its tab."""
    import urllib.request

    import websocket

    process = subprocess.Popen(
        [find_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _port(process, profile / "DevToolsActivePort")
        listed = urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30)
        tab = next(tab for tab in json.load(listed) if tab["type"] == "page")
        socket = websocket.create_connection(tab["webSocketDebuggerUrl"], timeout=60)
        yield Browser(socket)
        socket.close()
    finally:
        process.terminate()
        process.wait(20)


def _port(process: subprocess.Popen, file: Path) -> str:
    """Wait for the browser to write which port it listens on."""
    deadline = time.monotonic() + START_S
    while not file.exists() or not file.read_text().strip():
        is_alive = process.poll() is None
        assert time.monotonic() < deadline and is_alive, "the browser did not start"
        time.sleep(0.05)
    return file.read_text().split()[0]
