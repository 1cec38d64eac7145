"""The chain: order, decisions of a person, crops, tables."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lib.curation import progress
from lib.curation import steps as steps_module
from lib.curation.chain import curate, judge_alone
from lib.curation.intervals import wilson
from lib.curation.progress import watched
from lib.curation.steps import Evidence
from lib.curation.summary import class_shift, rejected_sample, step_summary
from lib.curation.verdicts import verdict_table
from lib.faces.drawn import draw_faces
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.pool import decide
from lib.generators.folder import read_folder
from lib.study.errors import StudyError
from lib.study.params import CHOICES, load_params

PARAMS = load_params("quick")


@pytest.fixture
def pool():
    """Ten textures; 0 and 5 are blank and equal, 7 is a copy of 3."""
    images = np.random.default_rng(0).integers(20, 230, (10, 48, 48), dtype=np.uint8)
    images[[0, 5]] = 90
    images[7] = images[3]
    table = pd.DataFrame({"id": [f"p{k}" for k in range(10)], "class": ["happy"] * 6 + ["sad"] * 4, "split": "train", "source": "test"})
    return FaceSet(images, table)


def rejected(curation, step):
    part = curation.verdicts[curation.verdicts["step"] == step]
    return part.loc[~part["keep"], "id"].tolist()


def test_each_step_judges_what_the_former_kept(pool):
    curation = curate(pool, ["blank", "exact_copy"], PARAMS)
    assert rejected(curation, "blank") == ["p0", "p5"]
    assert rejected(curation, "exact_copy") == ["p7"]
    assert (curation.verdicts["step"] == "exact_copy").sum() == 8
    other = curate(pool, ["exact_copy", "blank"], PARAMS)
    assert rejected(other, "exact_copy") == ["p5", "p7"] and rejected(other, "blank") == ["p0"]
    assert other.faces.table["id"].tolist() == curation.faces.table["id"].tolist() == ["p1", "p2", "p3", "p4", "p6", "p8", "p9"]


def test_a_person_overrules_both_ways_and_relabels(pool):
    review = pd.DataFrame(
        {"id": ["p0", "p1", "p2"], "keep": [True, False, True], "score": np.nan, "reason": ["", "odd", ""], "relabel": ["", "", "fear"]}
    )
    curation = curate(pool, ["blank"], PARAMS, review=review)
    kept = curation.faces.table.set_index("id")["class"]
    assert "p0" in kept.index and "p1" not in kept.index and "p5" not in kept.index
    assert kept["p2"] == "fear"
    assert decide(curation.verdicts, pool.table["id"].tolist()).set_index("id")["reason"]["p1"] == "review: odd"


def test_crops_replace_the_images_and_overruled_ones_are_resized(pool, monkeypatch):
    def face(faces, params, evidence):
        verdicts = verdict_table(faces, np.arange(len(faces)) < 3, np.ones(len(faces)), "no face found")
        return verdicts, FaceSet(np.full((len(faces), 16, 16), 7, np.uint8), faces.table)

    monkeypatch.setitem(steps_module.STEPS, "face", face)
    person = pd.DataFrame({"id": ["p0"], "keep": [True], "score": np.nan, "reason": "", "relabel": ""})
    curation = curate(pool, ["blank", "face"], PARAMS, review=person)
    assert curation.faces.table["id"].tolist() == ["p0", "p1", "p2", "p3"]
    assert curation.faces.images.shape == (4, 16, 16)
    assert (curation.faces.images[1:] == 7).all() and (curation.faces.images[0] == 90).all()  # p0 never reached the crop


def test_names_are_checked_before_anything_runs(pool):
    with pytest.raises(StudyError, match="'haar' is no step.*blank"):
        curate(pool, ["blank", "haar"], PARAMS)
    with pytest.raises(StudyError, match="'blank' is named twice"):
        curate(pool, ["blank", "blank"], PARAMS)
    with pytest.raises(StudyError, match="'label' needs the judge"):
        curate(pool, ["label"], PARAMS)


def test_no_steps_keep_everything_and_an_empty_pool_stays_empty(pool):
    assert len(curate(pool, [], PARAMS).faces) == 10
    empty = curate(pool.select([]), ["blank", "blur", "exposure", "exact_copy", "near_copy"], PARAMS)
    assert len(empty.faces) == 0 and empty.verdicts.empty


def test_every_step_runs_on_the_same_pool(pool):
    said = pd.DataFrame(np.eye(7)[pool.labels], index=pool.table["id"], columns=list(CLASSES))
    features = lambda images: images.reshape(len(images), -1).astype(np.float32)  # noqa: E731
    evidence = Evidence(train=pool, held_out=pool.select([0]), features=features, probabilities=said)
    for name in steps_module.STEPS:
        curation = curate(pool, [name], PARAMS, evidence)
        assert len(curation.verdicts) == 10, name
        assert (curation.verdicts.loc[~curation.verdicts["keep"], "reason"] != "").all(), name


def test_tables_count_right(pool):
    curation = curate(pool, ["blank", "exact_copy"], PARAMS)
    summary = step_summary(pool, curation.verdicts).set_index("step")
    assert summary["judged"].to_dict() == {"blank": 10, "exact_copy": 8, "all": 10}
    assert summary["rejected"].to_dict() == {"blank": 2, "exact_copy": 1, "all": 3}
    shift = class_shift(pool, curation.verdicts).set_index("class")
    assert shift.loc["happy", "before"] == 0.6 and np.isclose(shift.loc["happy", "after"], 4 / 7)
    assert shift.loc["sad", "low"] < 0.75 < shift.loc["sad", "high"]
    assert rejected_sample(pool, curation.verdicts, n=2)["step"].tolist() == ["blank", "exact_copy"]


def test_wilson_interval_of_a_known_case():
    share, low, high = wilson(8, 10)
    assert share == 0.8 and np.allclose([low, high], [0.4902, 0.9433], atol=1e-4)  # Newcombe 1998's formula by hand
    assert np.isnan(wilson(0, 0)).all()


def test_alone_each_step_judges_the_whole_pool(pool):
    alone = judge_alone(pool, ["exact_copy", "blank"], PARAMS)
    assert alone.groupby("step").size().to_dict() == {"blank": 10, "exact_copy": 10}
    gone = alone[~alone["keep"]].groupby("step")["id"].agg(list).to_dict()
    assert gone == {"blank": ["p0", "p5"], "exact_copy": ["p5", "p7"]}
    assert judge_alone(pool, [], PARAMS).empty


def test_every_step_can_be_asked_for_and_no_other():
    assert tuple(steps_module.STEPS) == CHOICES["curation_steps"] == CHOICES["filter_arms"]


@pytest.mark.parametrize(("text", "message"), [("label_action=delete", "choices: drop, relabel"), ("balance_to=even",
"choices: equal, real"),
                                               ("judge_folds=1", "must lie in 2 to"), ("curation_steps=blur,haar",
                                               "'haar'.*choices: blank")])  # fmt: skip
def test_parameters_are_checked_before_a_notebook_starts(text, message):
    with pytest.raises(StudyError, match=message):
        load_params("quick", (text,))


def test_a_line_is_shown_after_each_step_and_in_long_ones(pool, capsys):
    lines = []
    curate(pool, ["blank", "exact_copy"], PARAMS, progress=lines.append)
    assert lines[0].startswith("blank: 10 images judged, 2 rejected, ") and lines[1].startswith("exact_copy: 8 images judged, 1 rejected, ")
    parts = [[1, 2], [3], [4, 5]]
    assert list(watched(parts, 5, "faces", every_s=0)) == parts
    assert capsys.readouterr().out == "faces: 2 of 5 images, 0 s left\nfaces: 3 of 5 images, 0 s left\n"
    assert list(watched(parts, 5, "faces")) == parts and capsys.readouterr().out == ""


def test_where_a_person_looks_on_a_bar_moves_and_goes(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LIVE_EVERY_S", 0)
    assert list(watched([[1, 2], [3], [4, 5]], 5, "faces", live=True)) == [[1, 2], [3], [4, 5]]
    first, second, wiped, end = capsys.readouterr().out.split("\r")
    assert first == "faces [#########...............] 2 of 5 images, 0 s left" and second.count("#") == 14
    assert wiped == " " * len(second) and end == ""


def test_ready_made_pictures_of_any_kind_go_through_the_chain(tmp_path):
    drawing = draw_faces([3], [5]).images[0]
    (tmp_path / "happy").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    alpha = Image.merge("LA", (Image.fromarray(drawing), Image.new("L", (48, 48), 255)))
    kinds = {"1.png": Image.fromarray(drawing), "2.png": Image.fromarray(drawing.astype(np.uint16) * 257), "3.png": alpha.convert("RGBA"),
             "4.png": Image.fromarray(np.rot90(drawing).copy()), "5.png": Image.merge("RGB", [Image.fromarray(drawing)] * 3).resize((96,
             96))}  # fmt: skip
    for name, picture in kinds.items():
        picture.save(tmp_path / "happy" / name, **({"exif": exif} if name == "4.png" else {}))
    pool = read_folder(str(tmp_path)).faces
    assert pool.images.shape[0] == 5 and pool.images.shape[1] == pool.images.shape[2]
    curation = curate(pool, ["blank", "exact_copy", "near_copy", "face"], PARAMS)
    assert len(curation.faces) == 1  # they all show one drawing
    (tmp_path / "happy" / "6.png").write_bytes(b"no picture")
    with pytest.raises(StudyError, match="6.png: not a picture"):
        read_folder(str(tmp_path))
