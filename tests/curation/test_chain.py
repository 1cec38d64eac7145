"""The chain: the order of steps, decisions of a person, crops, tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lib.curation import steps as steps_module
from lib.curation.bias import bias_table, detector_bias
from lib.curation.card import detector_biases
from lib.curation.chain import curate, verdicts_alone
from lib.curation.injected_faults import step_quality
from lib.curation.intervals import wilson
from lib.curation.steps import StepInputs, inputs_of
from lib.curation.summary import (
    NOT_APPLICABLE,
    class_shift,
    findings,
    rejected_sample,
    step_summary,
)
from lib.curation.verdicts import verdict_table
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.faces.pool import decide
from lib.generators.folder import read_folder
from lib.study.errors import StudyError
from lib.study.parameter_rules import CHOICES
from lib.study.params import load_params

PARAMS = load_params("quick")


@pytest.fixture
def pool():
    """Ten textures; 0 and 5 are blank and equal, 7 is a copy of 3."""
    images = np.random.default_rng(0).integers(20, 230, (10, 48, 48), dtype=np.uint8)
    images[[0, 5]] = 90
    images[7] = images[3]
    columns = {
        "id": [f"p{k}" for k in range(10)],
        "class": ["happy"] * 6 + ["sad"] * 4,
        "split": "train",
        "source": "test",
    }
    return FaceSet(images, pd.DataFrame(columns))


@pytest.fixture
def digits(pool):
    """The same textures, of classes that are no emotions."""
    names = ["one"] * 6 + ["zero"] * 4
    return FaceSet(pool.images, pool.table.assign(**{"class": names}), ("one", "two", "zero"))


def rejected(curation, step):
    part = curation.verdicts[curation.verdicts["step"] == step]
    return part.loc[~part["keep"], "id"].tolist()


def decision(image_id, keep, reason="", relabel=""):
    return {"id": image_id, "keep": keep, "score": np.nan, "reason": reason, "relabel": relabel}


def test_each_step_examines_what_the_former_kept(pool):
    curation = curate(pool, ["blank", "exact_copy"], PARAMS)
    assert rejected(curation, "blank") == ["p0", "p5"]
    assert rejected(curation, "exact_copy") == ["p7"]
    assert (curation.verdicts["step"] == "exact_copy").sum() == 8


def test_the_order_of_steps_changes_who_rejects_and_not_what_stays(pool):
    first = curate(pool, ["blank", "exact_copy"], PARAMS)
    second = curate(pool, ["exact_copy", "blank"], PARAMS)
    assert rejected(second, "exact_copy") == ["p5", "p7"]
    assert rejected(second, "blank") == ["p0"]
    kept = ["p1", "p2", "p3", "p4", "p6", "p8", "p9"]
    assert first.faces.table["id"].tolist() == kept
    assert second.faces.table["id"].tolist() == kept


def test_a_person_overrules_both_ways_and_relabels(pool):
    decisions = [
        decision("p0", True),
        decision("p1", False, "odd"),
        decision("p2", True, relabel="fear"),
    ]
    curation = curate(pool, ["blank"], PARAMS, review=pd.DataFrame(decisions))
    kept = curation.faces.table.set_index("id")["class"]
    assert "p0" in kept.index and "p1" not in kept.index and "p5" not in kept.index
    assert kept["p2"] == "fear"
    decided = decide(curation.verdicts, pool.table["id"].tolist()).set_index("id")
    assert decided["reason"]["p1"] == "review: odd"


def test_crops_replace_the_images_and_overruled_ones_are_resized(pool, monkeypatch):
    def face(faces, params, inputs):
        keep = np.arange(len(faces)) < 3
        verdicts = verdict_table(faces, keep, np.ones(len(faces)), "no face found")
        return verdicts, replace(faces, images=np.full((len(faces), 16, 16), 7, np.uint8))

    monkeypatch.setitem(steps_module.STEPS, "face", face)
    person = pd.DataFrame([decision("p0", True)])
    curation = curate(pool, ["blank", "face"], PARAMS, review=person)
    assert curation.faces.table["id"].tolist() == ["p0", "p1", "p2", "p3"]
    assert curation.faces.images.shape == (4, 16, 16)
    assert (curation.faces.images[1:] == 7).all()
    # p0 never reached the crop.
    assert (curation.faces.images[0] == 90).all()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["blank", "haar"], "'haar' is no step.*blank"),
        (["blank", "blank"], "'blank' is named twice"),
    ],
)
def test_steps_that_cannot_run_are_named(pool, steps, message):
    with pytest.raises(StudyError, match=message):
        curate(pool, steps, PARAMS)


def test_no_steps_keep_everything_and_an_empty_pool_stays_empty(pool):
    assert len(curate(pool, [], PARAMS).faces) == 10
    steps = ["blank", "blur", "exposure", "exact_copy", "near_copy"]
    empty = curate(pool.select([]), steps, PARAMS)
    assert len(empty.faces) == 0 and empty.verdicts.empty


@pytest.mark.parametrize("step", steps_module.STEPS)
@pytest.mark.parametrize("images", ["pool", "digits"])
def test_every_step_runs_on_faces_and_on_other_classes(request, images, step):
    images = request.getfixturevalue(images)
    certain = np.eye(len(images.classes))[images.labels]
    inputs = StepInputs(
        train=images,
        held_out=images.select([0]),
        features=lambda x: x.reshape(len(x), -1).astype(np.float32),
        probabilities=pd.DataFrame(certain, images.table["id"], columns=list(images.classes)),
        are_faces="happy" in images.classes,
    )
    curation = curate(images, [step], PARAMS, inputs)
    assert len(curation.verdicts) == 10
    assert (curation.verdicts.loc[~curation.verdicts["keep"], "reason"] != "").all()
    assert curation.faces.classes == images.classes


def test_what_is_no_face_passes_the_search_for_a_face_and_the_page_says_so(digits):
    others = StepInputs(are_faces=False)
    cropped = PARAMS | {"face_crop": True}
    curation = curate(digits, ["blank", "face"], cropped, others)
    assert rejected(curation, "face") == []
    assert curation.faces.images.shape == (8, 48, 48)
    summary = step_summary(digits, curation.verdicts).set_index("step")
    assert summary.loc["face", "reason"] == NOT_APPLICABLE
    assert (
        "face"
        not in step_quality(digits.with_columns(injected=""), ["blank", "face"], PARAMS, others)[
            "step"
        ].tolist()
    )

    biases = detector_bias(digits, curation.verdicts)
    assert biases.empty and "No face detector" in detector_biases(biases)
    shift = class_shift(digits, curation.verdicts)
    quality = step_quality(digits.with_columns(injected=""), ["blank"], PARAMS, others)
    sentences = findings("digits", digits, curation.verdicts, shift, biases, quality)
    assert f"the step “no face” {NOT_APPLICABLE}" in sentences


def test_steps_learn_from_training_images_and_compare_with_held_out_ones(pool):
    splits = ["train"] * 5 + ["val"] * 2 + ["test"] * 2 + ["extra"]
    real = pool.with_columns(split=splits)
    inputs = inputs_of(real, pool, features=len, probabilities=np.eye(7)[pool.labels])
    assert inputs.train.table["id"].tolist() == ["p0", "p1", "p2", "p3", "p4"]
    assert inputs.held_out.table["id"].tolist() == ["p5", "p6", "p7", "p8"]
    assert inputs.probabilities.loc["p9", "sad"] == 1
    assert inputs.are_faces
    digits = real.with_columns(subject="digits")
    assert not inputs_of(digits, pool, features=len, probabilities=np.eye(7)[pool.labels]).are_faces


def test_what_is_a_face_does_not_pass_unseen(pool):
    curation = curate(pool, ["face"], PARAMS)
    assert len(curation.faces) == 0
    assert detector_bias(pool, curation.verdicts).equals(bias_table(pool, np.zeros(10, bool)))


def test_tables_count_right(pool):
    curation = curate(pool, ["blank", "exact_copy"], PARAMS)
    summary = step_summary(pool, curation.verdicts).set_index("step")
    assert summary["examined"].to_dict() == {"blank": 10, "exact_copy": 8, "all": 10}
    assert summary["rejected"].to_dict() == {"blank": 2, "exact_copy": 1, "all": 3}
    shift = class_shift(pool, curation.verdicts).set_index("class")
    assert shift.loc["happy", "before"] == 0.6
    assert np.isclose(shift.loc["happy", "after"], 4 / 7)
    assert shift.loc["sad", "low"] < 0.75 < shift.loc["sad", "high"]
    sample = rejected_sample(pool, curation.verdicts, n=2)
    assert sample["step"].tolist() == ["blank", "exact_copy"]


def test_wilson_interval_of_a_known_case():
    share, low, high = wilson(8, 10)
    # Newcombe 1998's formula by hand.
    assert share == 0.8 and np.allclose([low, high], [0.4902, 0.9433], atol=1e-4)
    assert np.isnan(wilson(0, 0)).all()


def test_alone_each_step_examines_the_whole_pool(pool):
    alone = verdicts_alone(pool, ["exact_copy", "blank"], PARAMS)
    assert alone.groupby("step").size().to_dict() == {"blank": 10, "exact_copy": 10}
    ids = alone[~alone["keep"]].groupby("step")["id"].agg(list).to_dict()
    assert ids == {"blank": ["p0", "p5"], "exact_copy": ["p5", "p7"]}
    assert verdicts_alone(pool, [], PARAMS).empty


def test_every_step_can_be_asked_for_and_no_other():
    assert tuple(steps_module.STEPS) == CHOICES["curation_steps"] == CHOICES["filter_arms"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label_action=delete", "choices: drop, relabel"),
        ("balance_to=even", "choices: equal, real"),
        ("label_classifier_folds=1", "must lie in 2 to"),
        ("curation_steps=blur,haar", "'haar'.*choices: blank"),
    ],
)
def test_parameters_are_checked_before_a_notebook_starts(text, message):
    with pytest.raises(StudyError, match=message):
        load_params("quick", (text,))


def test_a_line_is_shown_after_each_step(pool):
    lines = []
    curate(pool, ["blank", "exact_copy"], PARAMS, progress=lines.append)
    assert lines[0].startswith("blank: 10 images examined, 2 rejected, ")
    assert lines[1].startswith("exact copy: 8 images examined, 1 rejected, ")


def test_ready_made_pictures_of_any_kind_go_through_the_chain(tmp_path):
    drawing = draw_faces([3], [5]).images[0]
    grey = Image.fromarray(drawing)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    alpha = Image.merge("LA", (grey, Image.new("L", (48, 48), 255)))
    pictures = {
        "1.png": grey,
        "2.png": Image.fromarray(drawing.astype(np.uint16) * 257),
        "3.png": alpha.convert("RGBA"),
        "5.png": Image.merge("RGB", [grey] * 3).resize((96, 96)),
    }
    folder = tmp_path / "happy"
    folder.mkdir()
    for name, picture in pictures.items():
        picture.save(folder / name)
    Image.fromarray(np.rot90(drawing).copy()).save(folder / "4.png", exif=exif)

    pool = read_folder(str(tmp_path), EMOTIONS).faces
    assert pool.images.shape[0] == 5 and pool.images.shape[1] == pool.images.shape[2]
    curation = curate(pool, ["blank", "exact_copy", "near_copy", "face"], PARAMS)
    assert len(curation.faces) == 1  # they all show one drawing

    (folder / "6.png").write_bytes(b"no picture")
    with pytest.raises(StudyError, match="6.png: not a picture"):
        read_folder(str(tmp_path), EMOTIONS)
