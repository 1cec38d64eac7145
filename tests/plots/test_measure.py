"""Every figure fills its panels, keeps its words on the canvas and apart, in type that can be read:
each kind of chart with awkward data, and every figure of every page that lies here.
"""

import html
import json
import re
import subprocess
from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lib import plots
from lib.faces.arms import Arm, arm_table, controls
from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.faces.faceset import FaceSet
from lib.plots.application import sweeps
from lib.plots.measure import measure
from lib.plots.rounds import round_against_round
from lib.study.generations import family_of
from lib.study.params import load_params
from lib.study.paths import ROOT

LEAST_SHARE, LEAST_POINTS = 0.5, 8.0  # of a panel that is drawn on; of type
POOLS = ["folder", "stylegan64truncated-generation12", "drawn-narrow-round2", "dcgan", "diffusion"]
TEN = tuple(f"a class of number {i}" for i in range(10))
rng = np.random.default_rng(0)


def every_arm() -> list[Arm]:
    """Arms of all kinds, of several pools, with their controls."""
    plain = [Arm(kind, pool, 0.5) for kind in ("supplement", "replace", "scarce") for pool in POOLS]
    more = [Arm("weighted", "dcgan", 0.1178, weight=0.5), Arm("balance", "dcgan")]
    more += [Arm("filtered", "dcgan", 0.1178, only="near_copy"), Arm("synthetic", "dcgan", 4.0)]
    more += [Arm("supplement", name, real=2871, added=5096, class_shares="") for name in POOLS[:2]]
    beside = [control for arm in plain[:6] + more[-2:] for control in controls(arm)]
    return list(dict.fromkeys([Arm("base"), *plain, *more, *beside]))


def effects(n: int = 99) -> pd.DataFrame:
    arms = every_arm()[1:][:n]
    values = rng.normal(0, 0.02, len(arms))
    table = arm_table(arms).assign(difference=values, low=values - 0.01, high=values + 0.01)
    kinds = np.resize(["base", "duplicate", "fewer_steps"], len(arms))
    return table.assign(verdict="undecided", reference_kind=kinds)


def recalls(classes=EMOTIONS, n: int = 99) -> pd.DataFrame:
    rows = [
        pd.DataFrame({"class": [name], "value": [rng.random()]}).merge(table, how="cross")
        for name in classes
        for table in [arm_table(every_arm()[:n])]
    ]
    return pd.concat(rows, ignore_index=True)


def at_numbers() -> list[Arm]:
    """Arms of one number of real images: alone, with two pools, and the controls of these."""
    supplements = [Arm("supplement", pool, real=2871, added=5096) for pool in POOLS[:2]]
    beside = [control for arm in supplements for control in controls(arm)]
    named = [arm for arm in beside if arm.kind != "shuffled"]
    return list(dict.fromkeys([Arm("subset", real=2871), *named, *supplements]))


def history(n: int = 8, arms: list[Arm] | None = None) -> pd.DataFrame:
    table = arm_table((arms or every_arm())[:n])
    parts = [
        table.assign(step=step, seed=seed, accuracy=rng.random(len(table)))
        for step, seed in product((10, 20, 30), (0, 1))
    ]
    return pd.concat(parts, ignore_index=True)


def faces(classes=EMOTIONS, n: int = 140) -> FaceSet:
    names = np.resize(classes, n)
    images = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    table = {"id": [f"i{i}" for i in range(n)], "class": names, "split": "train"}
    table |= {"source": "drawn", "true_class": names}
    return FaceSet(images, pd.DataFrame(table), classes)


def bins() -> pd.DataFrame:
    table = arm_table(every_arm()[:2])
    parts = [table.assign(confidence=c, accuracy=c, n=9) for c in (0.2, 0.5, 0.9)]
    return pd.concat(parts, ignore_index=True)


def swept() -> pd.DataFrame:
    rows = [
        (name, kind, amount, 0.5, 0.4, 0.6, 0.1, 0.05, 0.15)
        for name in ("base", "supplement-0.1178-stylegan64truncated")
        for kind in ("blur", "darkness", "rotation", "occlusion", "low_resolution")
        for amount in (0.0, 1.0)
    ]
    columns = ["model", "disturbance", "amount", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "ece_15", "ece_low", "ece_high"])


def rounds() -> pd.DataFrame:
    columns = {
        f"{name} {part}": rng.random(7) for name in ("consistency", "coverage") for part in "12"
    }
    return pd.DataFrame({"class": EMOTIONS} | columns)


def maps(names, n_maps: int, columns: int = 3) -> Figure:
    points = {f"t-SNE, perplexity {i}": rng.normal(size=(300, 2)) for i in range(n_maps)}
    colours = plots.palette(names) if names[0] == "real" else plots.class_palette(names)
    return plots.map_figure(points, np.resize(names, 300), colours, columns=columns)


def measured_pools(families=None) -> tuple[pd.DataFrame, list[dict]]:
    """Gains of many pools in two settings, and where they break even."""
    pools = [f"{pool}~gan_steps={n}" for pool in families or POOLS for n in (10, 20)]
    settings = [f"2,871 images beside {n} real ones" for n in ("718", "2,871")]
    rows = [
        {"pool": pool, "setting": setting, "measure": place, "gain": 0.01, "low": 0, "high": 0.02}
        for setting in settings
        for place, pool in enumerate(pools)
    ]
    ends = {"break_even": 4.0, "low": 3.0, "high": np.nan}
    return pd.DataFrame(rows), [{"setting": setting} | ends for setting in settings]


def many_sets() -> pd.DataFrame:
    """How the images of every pool of a study grow in number, and one set more."""
    sets = ["real", *load_params("quality-cpu")["pools"]]
    rows = [{"set": name, "n": n, "vendi": n / 10} for name in sets for n in (10, 100)]
    return pd.DataFrame(rows)


def doses() -> pd.DataFrame:
    table = arm_table([Arm("supplement", pool, share) for pool in POOLS for share in (0.07, 0.5)])
    return table.assign(difference=0.01, low=0.0, high=0.02)


MATRIX = rng.integers(0, 90, (10, 10))
QUALITY = list(dict.fromkeys(map(family_of, load_params("quality-cpu")["pools"])))
LONG_TITLES = ["2,871 real images alone", "StyleGAN2, 64 px, 600 training steps, 2,871 images"]
CHARTS = {
    "gain of all generators": lambda: plots.gain_against(
        *measured_pools(QUALITY), xlabel="label agreement, %"
    ),
    "confusion under long titles": lambda: plots.confusion_panels(
        MATRIX[:7, :7], MATRIX[:7, :7].T, EMOTIONS, LONG_TITLES
    ),
    "differences": lambda: plots.intervals(effects(), margin=0.005, xlabel="difference, points"),
    "one difference": lambda: plots.intervals(effects(1), margin=0.005, title="title", xlabel="x"),
    "levels": lambda: plots.intervals(effects(), value="difference", xlabel="accuracy, %"),
    "changes": lambda: plots.class_changes(recalls()),
    "changes of one arm": lambda: plots.class_changes(recalls(EIGHT_EMOTIONS, 2)),
    "points by class": lambda: plots.points_by_class(recalls(n=6), ylabel="recall"),
    "curves of many sets": lambda: plots.curves(many_sets(), y="vendi", x="n", by="set"),
    "curves": lambda: plots.curves(history(), y="accuracy"),
    "curve charts": lambda: plots.curve_charts({"a": history(), "b": history(2)}, y="accuracy"),
    "curve charts of two pools": lambda: plots.curve_charts(
        {name: history(arms=at_numbers()) for name in "abcd"}, y="accuracy"
    ),
    "counts": lambda: plots.counts(faces().table.assign(split=np.resize(["train", "test"], 140))),
    "two bars": lambda: plots.bars(pd.Series({"val": 0.5, "test": 0.6}), title="t", xlabel="x"),
    "bars": lambda: plots.bars(pd.Series({f"coverage (classifier) {i}": i for i in range(12)})),
    "histograms": lambda: plots.histograms(
        {"real": rng.random(9), "dcgan": rng.random(9)}, xlabel="x"
    ),
    "confusion": lambda: plots.confusion_panels(
        MATRIX[:7, :7],
        MATRIX[:7, :7] + 1,
        EMOTIONS,
        ["all real images", "Schürmann's Stable Diffusion faces"],
    ),
    "confusion of ten": lambda: plots.confusion_panels(MATRIX, MATRIX + 1, TEN, ["one", "other"]),
    "reliability": lambda: plots.reliability_diagram(bins()),
    "sweeps": lambda: sweeps(swept()),
    "rounds": lambda: round_against_round(rounds(), title="one and two"),
    "maps by class": lambda: maps(list(EMOTIONS), 3),
    "maps by source": lambda: maps(["real", *POOLS], 3),
    "maps of settings": lambda: maps(["real", *POOLS], 8, 2),
    "gallery": lambda: plots.pool_gallery(
        {"real": faces(), "dcgan": faces(), "folder": faces().resized(64)}, False
    ),
    "certainty": lambda: plots.certainty_sheet(faces(), rng.random(140), False),
    "faces": lambda: plots.faces_or_averages(faces(), False),
    "gain": lambda: plots.gain_against(*measured_pools(), xlabel="label agreement"),
    "dose": lambda: plots.dose_response(doses()),
}


def figure_of(drawn) -> Figure:
    return drawn if isinstance(drawn, Figure) else np.ravel(drawn)[0].get_figure()


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_fills_its_panels_and_keeps_its_words_apart_and_readable(name):
    measured = measure(figure_of(CHARTS[name]()))
    assert measured.faults == ()
    assert measured.share >= LEAST_SHARE
    assert measured.points >= LEAST_POINTS


def test_a_squeezed_panel_small_type_and_words_over_each_other_are_noticed():
    figure, ax = plots.panels(width=11)
    ax.set_position((0.4, 0.4, 0.2, 0.2))
    figure.set_layout_engine("none")
    ax.text(0.5, 0.5, "one word", fontsize=9)
    ax.text(0.52, 0.5, "another")
    ax.text(-3, 0.5, "far away")
    measured = measure(figure)
    assert measured.share == pytest.approx(0.04)
    assert measured.points == pytest.approx(9 * 8.25 / 11)
    assert any("one word" in fault and "another" in fault for fault in measured.faults)
    assert "off the canvas: “far away”" in measured.faults


def test_a_legend_that_leaves_the_canvas_is_noticed():
    figure, ax = plots.panels()
    ax.plot([0, 1], label="a line")
    ax.legend(loc="lower left", bbox_to_anchor=(1.5, 0))
    figure.set_layout_engine("none")
    assert "a legend off the canvas" in measure(figure).faults


def test_a_label_longer_than_its_axis_is_noticed():
    figure, axes = plots.panels(rows=2, height=1.2)
    axes[0].set_ylabel("accuracy on the validation images, %")
    assert "longer than its axis: “accuracy on the validati”" in measure(figure).faults


def test_slanted_words_beside_each_other_do_not_overlap():
    figure, ax = plots.panels()
    ax.set_xticks(range(7), EMOTIONS, rotation=40, ha="right", rotation_mode="anchor")
    assert measure(figure).faults == ()


def test_what_was_measured_stands_on_the_page(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda item: shown.append(item.data))
    plots.show(plots.bars(pd.Series({"base": 0.5})), alt="one bar", caption="a bar")
    about = dict(re.findall(r'data-(\w+)="([^"]*)"', shown[0]))
    assert float(about["axes"]) >= LEAST_SHARE and float(about["type"]) >= LEAST_POINTS
    assert about["faults"] == ""


# What executed notebooks and pages hold, of the version that measures its figures.
MEASURED = re.compile(r'<figure class="plot"([^>]*data-axes[^>]*)>')
BOOKS = sorted((ROOT / "runs").glob("*/notebooks/[0-9][0-9]_*.ipynb"))
PAGES = sorted((ROOT / "reports").glob("*/[0-9][0-9]_*.html"))
NEWEST = max(file.stat().st_mtime for file in (ROOT / "lib" / "plots").glob("*.py"))


def drawn_here(file) -> bool:
    """Whether a notebook or page was drawn by the charts as they are now, or is published."""
    is_whole = not file.stem.endswith((".running", ".failed"))
    command = ["git", "ls-files", "--error-unmatch", str(file)]
    is_kept = not subprocess.run(command, cwd=ROOT, capture_output=True).returncode
    return is_whole and (is_kept or file.stat().st_mtime > NEWEST)


DRAWN = [file for file in (*BOOKS, *PAGES) if drawn_here(file)]


def text_of(file) -> str:
    """The HTML of a page, or of all outputs of a notebook."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".html":
        return text
    outputs = [output for cell in json.loads(text)["cells"] for output in cell.get("outputs", [])]
    return "\n".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)


@pytest.mark.parametrize(
    "file",
    DRAWN or [pytest.param("", marks=pytest.mark.skip(reason="nothing was run here"))],
    ids=lambda file: "-".join(file.parts[-3:]) if file else "none",
)
def test_every_figure_of_a_page_fills_its_panels_and_can_be_read(file):
    for attributes in MEASURED.findall(text_of(file)):
        about = dict(re.findall(r'data-(\w+)="([^"]*)"', attributes))
        assert html.unescape(about["faults"]) == ""
        assert float(about["axes"]) >= LEAST_SHARE
        assert float(about["type"]) >= LEAST_POINTS
