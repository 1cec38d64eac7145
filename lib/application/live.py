"""The panel that runs the classifier on a camera or a file inside a notebook."""

import threading
from collections.abc import Callable

from lib.application.drawing import annotate
from lib.application.network import Network
from lib.application.sources import open_source
from lib.application.stream import Options, recognise
from lib.curation.progress import someone_is_there
from lib.study.errors import StudyError


def live_panel(network: Network, *, source: str = "0", interactive: bool | None = None):
    """Show a panel with a source, start and stop, and the annotated picture; in a batch, say what would be here.

    Args:
        network: from open_network.
        source: camera number or path that stands in the field at first.
        interactive: True or False instead of finding out.

    Returns:
        The widget, or None in a batch.
    """
    if not (someone_is_there() if interactive is None else interactive):
        print("a live panel: open this notebook in JupyterLab and run it to see the classifier on a camera (source 0) or a file")
        return None
    import ipywidgets as widgets

    where = widgets.Text(value=source, description="source", placeholder="0, or a path")
    switch = widgets.ToggleButton(value=False, description="start", icon="play")
    picture, said = widgets.Image(format="jpeg", width=640, layout={"display": "none"}), widgets.Label("camera number or path, then start")
    running = {"stop": threading.Event()}

    def show(image: bytes, text: str) -> None:
        picture.value, said.value = image, text
        picture.layout.display = None  # an image without a picture is a broken one

    def work(stop: threading.Event) -> None:
        told = play(network, where.value.strip(), show, stop)
        if stop is running["stop"]:  # else the panel has been started anew meanwhile
            said.value, switch.value = told, False

    def turned(change) -> None:
        switch.description, switch.icon = ("stop", "stop") if change["new"] else ("start", "play")
        running["stop"].set()
        if change["new"]:
            running["stop"] = threading.Event()
            threading.Thread(target=work, args=(running["stop"],), daemon=True).start()

    switch.observe(turned, names="value")
    return widgets.VBox([widgets.HBox([where, switch]), picture, said])


def play(network: Network, source: str, show: Callable[[bytes, str], None], stop: threading.Event) -> str:
    """Run the pipeline until the source ends or `stop` is set, handing each annotated frame over as JPEG with a line of text.

    Returns:
        What there is to say at the end; never raises for a source or model that does not work.
    """
    import cv2

    try:
        opened = open_source(source, live=True)
        frames = opened.frames()
        for item in recognise(frames, network, Options()):
            if stop.is_set():
                frames.close()  # lets the camera go
                return "stopped"
            jpeg = cv2.imencode(".jpg", annotate(item.frame.image.copy(), item.faces, network.classes))[1].tobytes()
            show(jpeg, f"frame {item.frame.number}, {sum(item.milliseconds.values()):.0f} ms, {opened.dropped[0]} frames dropped")
    except StudyError as error:
        return str(error)
    return "; ".join(opened.problems) or "the source has ended"
