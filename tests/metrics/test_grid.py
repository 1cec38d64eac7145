"""The cells of a grid decide together, and their page says what moved."""

import re

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm
from lib.metrics import grid_page
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import BASE, effects, estimated
from lib.metrics.grid import Estimates, grid_effects, moved, read_estimates
from lib.metrics.grid_page import lead_sentence, render_grid
from lib.study.paths import study_paths

N, MARGIN = 600, 0.005
LABELS = np.random.default_rng(0).choice(3, N)
X = Arm("supplement", "x", 0.5)
CELLS = ["quick~seeds=4", "quick~seeds=8"]


def made_arm(skill: float, seed: int, n_seeds: int = 4) -> ArmPredictions:
    """Runs of a classifier that knows the labels in part; images are hard for all runs alike."""
    rng, hard = np.random.default_rng(seed), np.random.default_rng(99)
    logits = rng.normal(size=(n_seeds, N, 3)) + skill * np.eye(3)[LABELS]
    chances = np.exp(logits + hard.normal(size=(1, N, 3)))
    return ArmPredictions(tuple(range(n_seeds)), chances / chances.sum(2, keepdims=True))


def arms_of(skill: float, seed: int) -> dict:
    """Base, and an arm that is better by as much skill."""
    return {(BASE, "small"): made_arm(1.0, seed), (X, "small"): made_arm(1.0 + skill, seed + 1)}


def cell(skill: float, seed: int, margin: float = MARGIN) -> Estimates:
    return Estimates(*estimated(arms_of(skill, seed), LABELS, np.arange(N)), margin)


def test_a_grid_of_one_study_says_what_the_study_says():
    (row,) = grid_effects({"a": cell(0.2, 1)}).to_dict("records")
    (own,) = effects(arms_of(0.2, 1), LABELS, np.arange(N), margin=MARGIN).to_dict("records")
    assert {name: row[name] for name in own} == own
    assert row["verdict_alone"] == own["verdict"]


def test_a_question_that_is_asked_in_every_cell_is_one_family_of_holm_s():
    cells = {"a": cell(0.0, 1), "b": cell(0.15, 3), "c": cell(0.0, 5)}
    table = grid_effects(cells).set_index("cell")
    alone = pd.concat([grid_effects({name: each}) for name, each in cells.items()])
    own = alone.set_index("cell")["p_holm"]
    smallest = table["p"].idxmin()
    assert np.isclose(table.loc[smallest, "p_holm"], min(3 * own[smallest], 1))
    assert (table["p_holm"] >= own).all()
    width = (table["high_decided"] - table["low_decided"])[smallest]
    assert width > (table["high"] - table["low"])[smallest]


def test_who_searches_a_grid_for_an_arm_that_helps_has_looked_that_often():
    """A p-value of 0.027 is help where one study was made, and chance where twelve were."""
    cells = {"found": cell(0.15, 1)} | {str(seed): cell(0.0, 10 * seed) for seed in range(1, 12)}
    row = grid_effects(cells).set_index("cell").loc["found"]
    assert (row["verdict_alone"], row["verdict"]) == ("helps", "undecided")
    assert row["low"] > 0 > row["low_decided"]


def test_each_cell_is_decided_by_its_own_margin():
    cells = {"narrow": cell(0.0, 1, 0.001), "wide": cell(0.0, 1, 0.2)}
    verdicts = grid_effects(cells).set_index("cell")["verdict"]
    assert verdicts["narrow"] != "equivalent" and verdicts["wide"] == "equivalent"


def test_what_moved_is_what_has_another_verdict_somewhere():
    table = grid_effects({"a": cell(0.8, 1), "b": cell(-1.0, 3)})
    assert set(moved(table)["verdict"]) == {"helps", "hurts"}
    same = grid_effects({"a": cell(0.8, 1), "b": cell(0.8, 3)})
    assert not len(moved(same))
    assert "Each of 1 comparisons has the same verdict in all 2" in lead_sentence(
        same, moved(same), 2
    )


def test_a_study_without_metrics_has_no_estimates(tmp_path):
    assert read_estimates(study_paths("quick", str(tmp_path))) is None


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page of a grid in which two studies have finished, and one has not."""
    found = dict(zip(CELLS, (cell(0.8, 1), cell(-1.0, 3)), strict=True))
    monkeypatch.setattr(grid_page, "read_estimates", lambda paths: found.get(paths.root.name))
    cells = {name: study_paths(name, str(tmp_path)) for name in [*CELLS, "quick~seeds=16"]}
    return render_grid("quick", cells)


def test_the_page_shows_how_each_verdict_moved_with_the_interval_that_decides(page):
    text = page.read_text()
    assert page.parent.name == "quick~vary" and "What changes with seeds?" in text
    assert "1 of 1 comparisons have another verdict" in text and "2 of 3 studies" in text
    rows = re.findall(r'<td><span class="pill (\w+)">.*?<br>(\S+) <small>\((.*?)\)', text)
    assert [verdict for verdict, _, _ in rows] == ["helps", "hurts"]
    table = pd.read_csv(page.parent / "grid.csv")
    low, high = (100 * table[name][0] for name in ("low_decided", "high_decided"))
    assert rows[0][2] == f"{low:+.1f} to {high:+.1f}".replace("-", "\u2212")
    assert "No verdict moved" not in text


def test_the_page_links_to_every_study_and_is_listed_among_the_local_ones(page):
    text = page.read_text()
    linked = re.findall(r'href="\.\./(quick~[^"/]+)/index.html">([^<]+)<', text)
    assert linked == [(name, name.replace("quick~", "").replace("=", " ")) for name in CELLS] + [
        ("quick~seeds=16", "seeds 16")
    ]
    assert text.count("No answer yet.") == 3
    local, published = (page.parents[1] / name for name in ("local.html", "index.html"))
    assert "quick~vary/index.html" in local.read_text()
    assert "quick~vary" not in published.read_text()
