"""The panel that runs the classifier on a camera or a file inside a notebook."""

import threading
from collections.abc import Callable

from lib.application.drawing import annotate
from lib.application.network import Network
from lib.application.sources import open_source
from lib.application.stream import Pipeline, recognise
from lib.compute.progress import is_interactive
from lib.study.errors import StudyError


def live_panel(network: Network, *, source: str):
    """Show a panel with a source, start and stop, and the annotated picture.

    Args:
        network: from open_network.
        source: camera number or path that stands in the field at first.

    Returns:
        The widget; None in a batch, where a line says what would be here.
    """
    if not is_interactive():
        print("a live panel: open this notebook in JupyterLab and run it to see the classifier on")
        print("a camera (source 0) or a file")
        return None
    import ipywidgets as widgets

    # Build the panel.
    field = widgets.Text(value=source, description="source", placeholder="0, or a path")
    switch = widgets.ToggleButton(value=False, description="start", icon="play")
    picture = widgets.Image(format="jpeg", width=640, layout={"display": "none"})
    status = widgets.Label("camera number or path, then start")
    running = {"stop": threading.Event()}

    def show(image: bytes, text: str) -> None:
        picture.value = image
        picture.layout.display = None  # an image without a picture would look broken
        status.value = text

    def work(stop: threading.Event) -> None:
        message = play(network, field.value.strip(), show, stop)
        # Unless the panel has been started anew meanwhile.
        if stop is running["stop"]:
            status.value = message
            switch.value = False

    def on_switch(change) -> None:
        # Show the new state.
        started = change["new"]
        switch.description = "stop" if started else "start"
        switch.icon = "stop" if started else "play"

        # End the pipeline that ran, start another.
        running["stop"].set()
        if started:
            running["stop"] = threading.Event()
            threading.Thread(target=work, args=(running["stop"],), daemon=True).start()

    switch.observe(on_switch, names="value")
    return widgets.VBox([widgets.HBox([field, switch]), picture, status])


def play(
    network: Network, source: str, show: Callable[[bytes, str], None], stop: threading.Event
) -> str:
    """Run the pipeline until the source ends or `stop` is set.

    Args:
        network: from open_network.
        source: camera number or path.
        show: called with each annotated frame as JPEG and a line of text.
        stop: ends the pipeline after the frame under way.

    Returns:
        A closing message; a source or model that does not work is one, not an exception.
    """
    import cv2

    try:
        # Process the newest frame each time.
        opened = open_source(source, live=True)
        frames = opened.frames()
        for result in recognise(frames, network, Pipeline()):
            if stop.is_set():
                frames.close()  # releases the camera
                return "stopped"

            # Hand the annotated frame over as JPEG.
            image = annotate(result.frame.image.copy(), result.faces, network.classes)
            jpeg = cv2.imencode(".jpg", image)[1].tobytes()
            milliseconds = sum(result.milliseconds.values())
            dropped = f"{opened.dropped[0]} frames dropped"
            show(jpeg, f"frame {result.frame.number}, {milliseconds:.0f} ms, {dropped}")
    except StudyError as error:
        return str(error)
    return "; ".join(opened.problems) or "the source has ended"
