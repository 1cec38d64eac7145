"""Each candidate cause, injected alone into drawn faces, is named; an honest pool is not."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import FaceSet
from lib.metrics.causes import (
    _wrong_labels,
    cause_sentences,
    causes_of_gap,
    causes_of_pools,
    linear_probe,
)
from lib.metrics.encoder import fit_encoder
from lib.metrics.spaces import pixel_space, remembering

TRAIN = 500
CAUSES = ["gap", "wrong labels", "domain shift", "poor coverage", "copies"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Faces, features and classifier: what `causes_of_pools` takes beside the pools."""
    faces = drawn_study(1200, 0, 600, 0.0, 5)
    train, test = faces.split("train"), faces.split("test")
    features = remembering(fit_encoder(faces, tmp_path_factory.mktemp("encoder")).features)
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    classifier.fit(features(train.images[TRAIN:]), train.labels[TRAIN:])
    return {
        "real": train.select(np.arange(TRAIN)),
        "test": test,
        "features": features,
        "classify": lambda images: classifier.predict_proba(features(images)),
        "n": 400,
        "seed": 0,
    }


def pool_with(fault: str) -> FaceSet:
    """Draw a pool that has one fault."""
    labels = np.random.default_rng(3).integers(7, size=900)
    seeds = np.arange(900) + 40_000_000
    if fault == "wrong labels":
        return draw_faces(labels, seeds, mislabelled_share=0.6)
    if fault == "poor coverage":
        return draw_faces(labels, seeds, identities=3)

    pool = draw_faces(labels, seeds)
    if fault == "copies":
        rows = np.arange(900) % 60
        names = pool.table["class"].to_numpy()[rows]
        table = pool.table.assign(**{"class": names, "true_class": names})
        return replace(pool, images=pool.images[rows], table=table)
    if fault == "domain shift":
        darker = [cv2.GaussianBlur(image, (0, 0), 2.0) // 2 for image in pool.images]
        return replace(pool, images=np.stack(darker))
    return pool


@pytest.fixture(scope="module")
def tables(world):
    learn = linear_probe(world["features"], world["test"])
    by_fault = {}
    for fault in ("none", *CAUSES[1:]):
        table = causes_of_gap(pool=pool_with(fault), learn=learn, **world)
        by_fault[fault] = table.set_index("cause")
    return by_fault


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["wrong labels", "domain shift", "copies"])
def test_the_injected_fault_is_named(tables, fault):
    table = tables[fault]
    assert table.loc["gap", "low"] > 0
    assert list(table.index[table["main"]]) == [fault], table[["lost", "low", "evidence"]]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["wrong labels", "domain shift"])
def test_repairing_a_fault_regains_accuracy(tables, fault):
    assert tables[fault].loc[fault, "regained_low"] > 0


@pytest.mark.slow
def test_few_people_show_as_poor_coverage(tables):
    narrow, honest = tables["poor coverage"], tables["none"]
    assert narrow.loc["poor coverage", "lost"] > honest.loc["poor coverage", "lost"]


@pytest.mark.slow
def test_an_honest_pool_is_not_accused(tables):
    honest = tables["none"]
    assert not honest["main"].any()
    assert honest.loc["gap", "lost"] < 0.06, honest


@pytest.mark.slow
def test_wrong_labels_are_estimated_where_nobody_knows(world):
    pool = pool_with("wrong labels")
    unknown = replace(pool, table=pool.table.drop(columns="true_class"))
    table = causes_of_pools({"pool": unknown}, **world)
    assert table.set_index("cause").loc["wrong labels", "main"]
    (sentence,) = cause_sentences(table)
    assert "candidate cause is wrong labels" in sentence
    assert "classifier that agrees" in sentence


def test_every_cause_has_its_evidence_and_an_interval():
    faces = drawn_study(200, 0, 150, 0.0, 5)
    train, test = faces.split("train"), faces.split("test")
    space = remembering(pixel_space(train.images, components=16))
    table = causes_of_gap(
        train,
        pool_with("copies"),
        test,
        learn=linear_probe(space, test),
        features=space,
        classify=lambda images: np.eye(7)[np.arange(len(images)) % 7],
        n=150,
        seed=0,
    ).set_index("cause")
    assert list(table.index) == CAUSES
    assert (table["low"] <= table["lost"]).all()
    assert table.loc["copies", "evidence"].startswith(("3", "4"))
    assert table.loc["wrong labels", "evidence"].startswith("0% of labels")
    assert table["regained"].notna().tolist() == [False, True, True, False, False]


def test_a_class_drawn_once_is_learnt_from_without_a_warning(recwarn):
    faces = drawn_study(200, 0, 50, 0.0, 5)
    train, test = faces.split("train"), faces.split("test")
    learn = linear_probe(pixel_space(train.images, components=16), test)
    disgust = train.labels == 1
    kept = ~disgust | (np.cumsum(disgust) == 1)
    assert set(learn(train.images[kept], train.labels[kept])) <= set(range(7))
    assert not recwarn.list


@pytest.mark.parametrize("classes", [EMOTIONS, tuple("0123456789")], ids=["seven", "ten"])
@pytest.mark.parametrize("wrong", ["all say nothing", "none", "60%"])
def test_the_share_of_wrong_labels_is_estimated_and_injected(classes, wrong):
    k, n = len(classes), 1000 * len(classes)
    rng = np.random.default_rng(0)
    labels = np.arange(n) % k
    columns = {"id": np.arange(n).astype(str), "class": np.array(classes)[labels]}
    table = pd.DataFrame(columns | {"split": "train", "source": "x"})
    faces = FaceSet(np.zeros((n, 2, 2), np.uint8), table, classes)

    # Of labels that say nothing one in k is right.
    shifted = np.where(rng.random(n) < 0.6, (labels + 1) % k, labels)
    truth, share = {
        "all say nothing": (rng.permutation(labels), 1 - 1 / k),
        "none": (labels, 0.0),
        "60%": (shifted, 0.6),
    }[wrong]
    cause = _wrong_labels(faces, faces, truth, 1.0, rng)
    assert (cause.injected[1] != labels).mean() == pytest.approx(share, abs=0.02)


def test_a_pool_that_loses_nothing_does_not_teach_less():
    rows = [("gap", -0.012, -0.030, 0.006), ("domain shift", 0.05, 0.03, 0.07)]
    table = pd.DataFrame(rows, columns=["cause", "lost", "low", "high"])
    (sentence,) = cause_sentences(table.assign(pool="drawn-faithful", evidence="", main=False))
    assert sentence == (
        "faithful drawings: +1.2 points against as many real faces (\u22120.6 to +3.0); there is "
        "no gap to explain."
    )


def test_a_gap_without_a_sure_cause_is_stated_as_one():
    rows = [("gap", 0.05, 0.03, 0.07), ("copies", 0.01, -0.01, 0.03)]
    table = pd.DataFrame(rows, columns=["cause", "lost", "low", "high"])
    (sentence,) = cause_sentences(table.assign(pool="p", evidence="", main=False))
    assert sentence.endswith("the cost of no candidate cause is beyond doubt.")


def test_a_pool_that_is_near_no_real_face_is_measured_for_all_other_causes():
    real = draw_faces(np.arange(70) % 7, np.arange(70))
    test = draw_faces(np.arange(70) % 7, np.arange(100, 170))
    # White squares, which the features set far apart from every face.
    pool = replace(real, images=np.full_like(real.images, 255))

    def features(images):
        blank = images.std((1, 2)) < 1
        return images.reshape(len(images), -1) + 1e6 * blank[:, None]

    table = causes_of_gap(
        real,
        pool,
        test,
        learn=lambda images, labels: np.zeros(70, int),
        features=features,
        classify=lambda images: np.tile(np.eye(7)[0], (len(images), 1)),
        n=70,
        seed=0,
    ).set_index("cause")
    assert list(table.index) == CAUSES
    assert table.loc["poor coverage", "evidence"].endswith("too few to train on")
    assert np.isnan(table.loc["poor coverage", "lost"]) and not table["main"].any()
