"""Every suspect, switched on alone in drawn faces, is named; an honest pool is not accused."""

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import CLASSES, FaceSet
from lib.metrics.arms import ArmPredictions
from lib.metrics.causes import _wrong_labels, attribute, blind_spots, causes_of_pools, linear_probe, sentences
from lib.metrics.distances import covered, density_coverage
from lib.metrics.encoder import fit_encoder
from lib.metrics.spaces import pixel_space, remembering

N = 500


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    faces = drawn_study(1200, 0, 600, 0.0, 5)
    train, test = faces.split("train"), faces.split("test")
    features = remembering(fit_encoder(faces, tmp_path_factory.mktemp("encoder")).features)
    judge = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features(train.images[N:]), train.labels[N:])
    given = {
        "real": train.select(np.arange(N)),
        "test": test,
        "learn": linear_probe(features, test),
        "features": features,
        "n": 400,
        "seed": 0,
    }
    return given | {"judge": lambda images: judge.predict_proba(features(images))}


def pool_of(kind: str) -> FaceSet:
    labels = np.random.default_rng(3).integers(7, size=900)
    given = {"wrong labels": {"mislabelled_share": 0.6}, "poor coverage": {"identities": 3}}.get(kind, {})
    pool = draw_faces(labels, np.arange(900) + 40_000_000, **given)
    if kind == "copies":
        repeated = pool.table["class"].to_numpy()[np.arange(900) % 60]
        return FaceSet(pool.images[np.arange(900) % 60], pool.table.assign(**{"class": repeated, "true_class": repeated}))
    if kind == "domain shift":
        return FaceSet(np.stack([cv2.GaussianBlur(image, (0, 0), 2.0) // 2 for image in pool.images]), pool.table)
    return pool


@pytest.fixture(scope="module")
def found(world):
    kinds = ("honest", "wrong labels", "domain shift", "poor coverage", "copies")
    return {kind: attribute(pool=pool_of(kind), **world).set_index("cause") for kind in kinds}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wrong labels", "domain shift", "copies"])
def test_the_fault_that_was_put_in_is_named(found, kind):
    table = found[kind]
    assert table.loc["gap", "low"] > 0 and list(table.index[table["main"]]) == [kind], table[["lost", "low", "evidence"]]


@pytest.mark.slow
def test_taking_a_fault_away_gives_its_points_back(found):
    for kind in ("wrong labels", "domain shift"):
        assert found[kind].loc[kind, "regained_low"] > 0


@pytest.mark.slow
def test_few_people_show_as_poor_coverage_and_an_honest_pool_is_not_accused(found):
    narrow, honest = found["poor coverage"], found["honest"]
    assert narrow.loc["poor coverage", "lost"] > honest.loc["poor coverage", "lost"]
    assert not honest["main"].any() and honest.loc["gap", "lost"] < 0.06, honest


@pytest.mark.slow
def test_wrong_labels_are_estimated_where_nobody_knows(world):
    pool = pool_of("wrong labels")
    unknown = FaceSet(pool.images, pool.table.drop(columns="true_class"))
    table = causes_of_pools({"pool": unknown}, **{name: given for name, given in world.items() if name != "learn"})
    assert table.set_index("cause").loc["wrong labels", "main"]
    assert "suspect is wrong labels" in sentences(table)[0] and "judge that agrees" in sentences(table)[0]


def test_every_cause_has_its_evidence_and_an_interval():
    faces = drawn_study(200, 0, 150, 0.0, 5)
    train, test = faces.split("train"), faces.split("test")
    space = remembering(pixel_space(train.images, components=16))
    given = {"learn": linear_probe(space, test), "features": space, "judge": lambda images: np.eye(7)[np.arange(len(images)) % 7]}
    table = attribute(train, pool_of("copies"), test, n=150, seed=0, **given).set_index("cause")
    assert list(table.index) == ["gap", "wrong labels", "domain shift", "poor coverage", "copies"] and (table["low"] <= table["lost"]).all()
    assert table.loc["copies", "evidence"].startswith(("3", "4")) and table.loc["wrong labels", "evidence"].startswith("0% of labels")
    assert table["regained"].notna().tolist() == [False, True, True, False, False]


def test_a_class_drawn_once_is_learnt_from_in_silence(recwarn):
    faces = drawn_study(200, 0, 50, 0.0, 5)
    train, test = faces.split("train"), faces.split("test")
    learn = linear_probe(pixel_space(train.images, components=16), test)
    kept = (train.labels != 1) | (np.cumsum(train.labels == 1) == 1)
    assert set(learn(train.images[kept], train.labels[kept])) <= set(range(7)) and not recwarn.list


def test_covered_images_are_those_that_coverage_counts():
    rng = np.random.default_rng(0)
    real, synth = rng.normal(size=(200, 5)), rng.normal(size=(200, 5)) + 0.5
    assert covered(real, synth).mean() == density_coverage(real, synth)["coverage"]


def test_a_blind_spot_is_found_and_none_is_invented():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(1000, 4)).astype(np.float32)
    labels, pool = rng.integers(7, size=1000), real[real[:, 0] > 0] + 0.01
    runs = pd.DataFrame(
        {"pool": ["pool", "pool"], "kind": ["supplement", "synthetic"], "arm": ["s", "only"], "share": [0.5, 1.0], "failed": ""}
    )

    def says(right):  # predictions of 3 seeds that are right with the given chance, image by image
        wrong = (labels + 1) % 7
        return ArmPredictions((0, 1, 2), np.eye(7)[np.where(rng.random((3, 1000)) < right, labels, wrong)])

    blind = ~covered(real, pool)
    for chance, found in ((np.where(blind, 0.4, 0.7), True), (np.full(1000, 0.6), False)):
        arms = {("base", "small"): says(0.7), ("only", "small"): says(chance), ("s", "small"): says(0.7)}
        row = blind_spots({"real": (real, labels), "pool": (pool, None)}, arms, runs, labels, np.arange(1000)).iloc[0]
        assert row["arm"] == "only" and (row["low"] > 0) == found and row["low"] < row["extra"] < row["high"]
        assert row["extra"] == pytest.approx(row["drop_uncovered"] - row["drop_covered"])
    arms = {("base", "small"): says(0.7), ("most", "small"): says(0.5), ("least", "small"): says(0.7)}
    for kind, shares in (("replace", (0.1, 0.5)), ("scarce", (0.05, 0.25)), ("supplement", (0.5, 0.1)), ("synthetic", (2.0, 1.0))):
        runs = pd.DataFrame({"pool": "pool", "kind": kind, "arm": ["least", "most"], "share": shares[::-1], "failed": ""})
        assert blind_spots({"real": (real, labels), "pool": (pool, None)}, arms, runs, labels, np.arange(1000))["arm"].tolist() == ["most"]


def test_labels_that_say_nothing_are_wrong_in_six_of_seven_and_real_faces_get_as_many():
    rng = np.random.default_rng(0)
    images, labels = np.zeros((7000, 2, 2), np.uint8), np.arange(7000) % 7
    faces = FaceSet(
        images, pd.DataFrame({"id": np.arange(7000).astype(str), "class": np.array(CLASSES)[labels], "split": "train", "source": "x"})
    )
    for truth, wrong in (
        (rng.permutation(labels), 6 / 7),
        (labels, 0.0),
        (np.where(rng.random(7000) < 0.6, (labels + 1) % 7, labels), 0.6),
    ):
        fault = _wrong_labels(faces, faces, np.eye(7)[truth], 1.0, rng)
        assert (fault.spoiled[1] != labels).mean() == pytest.approx(wrong, abs=0.02)


def test_a_pool_that_loses_nothing_is_not_said_to_teach_less():
    rows = [("gap", -0.012, -0.030, 0.006), ("domain shift", 0.05, 0.03, 0.07)]
    table = pd.DataFrame(rows, columns=["cause", "lost", "low", "high"]).assign(pool="p", evidence="", main=False)
    assert "no gap to explain" in sentences(table)[0] and "teaches" not in sentences(table)[0]
