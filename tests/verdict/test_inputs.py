"""Folders of other people become the images of a verdict, or a sentence that says what is wrong."""

import shutil

import cv2
import numpy as np
import pytest

from lib.faces.drawn import draw_faces
from lib.faces.sources import tells_splits
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.verdict.inputs import beside_real, pool_names, read_inputs

CLASSES = ("happy", "sad")
FIRST_GENERATED = 900_000  # seed: no generated face is a real one


def folder(path, per_class, first=0, classes=CLASSES, names=None):
    """Write drawn faces into class folders."""
    for label, name in enumerate(classes):
        labels = np.full(per_class, label)
        faces = draw_faces(labels, first + 1000 * label + np.arange(per_class), classes=classes)
        target = path / (names or {}).get(name, name)
        target.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(faces.images):
            cv2.imwrite(str(target / f"{number}.png"), image)
    return path


def inputs_of(data, *synthetic, **values):
    """Read inputs with the verdict's parameters."""
    params = load_params("verdict") | {"data": str(data)} | values
    first, *more = map(str, synthetic)
    return read_inputs(params | {"synthetic": first, "more_synthetic": more})


@pytest.fixture
def folders(tmp_path):
    return folder(tmp_path / "mine", 40), folder(tmp_path / "made", 25, FIRST_GENERATED)


def test_two_folders_sorted_by_class_are_enough(folders):
    inputs = inputs_of(*folders)
    assert len(inputs.real) == 80 and not inputs.has_test
    assert inputs.real.classes == CLASSES and inputs.pools[0].name == "made"
    assert len(inputs.pools[0].faces) == 50 and inputs.notes == ()
    assert (inputs.scored_rows == inputs.train_rows).all()


def test_classes_are_read_from_the_folders_whatever_they_are(tmp_path):
    names = {"happy": "cat", "sad": "dog"}
    real = folder(tmp_path / "mine", 30, names=names)
    inputs = inputs_of(real, folder(tmp_path / "made", 5, FIRST_GENERATED, names=names))
    assert inputs.real.classes == ("cat", "dog")


def test_a_test_split_is_what_is_predicted(tmp_path, folders):
    whole = tmp_path / "split"
    folder(whole / "train", 30)
    folder(whole / "test", 10, 500)
    inputs = inputs_of(whole, folders[1])
    assert inputs.has_test and len(inputs.scored_rows) == 20 and len(inputs.train_rows) == 60


@pytest.mark.parametrize("packed", [False, True])
def test_splits_are_told_by_folders_in_a_zip_too(tmp_path, folders, packed):
    split = folder(tmp_path / "split" / "train", 2).parent
    for path, told in ((folders[0], False), (split, True)):
        source = shutil.make_archive(str(path), "zip", path) if packed else path
        assert tells_splits(source) is told


def test_what_is_cut_down_is_said(folders):
    inputs = inputs_of(*folders, train_limit=70, pool_images=20)
    assert len(inputs.real) == 70 and len(inputs.pools[0].faces) == 20
    notes = " ".join(inputs.notes)
    assert "Of the 80 real images 70 are used" in notes
    assert "Of the 50 images of made 20 are used" in notes


def test_several_pools_have_names_of_their_own(tmp_path, folders):
    second = folder(tmp_path / "other" / "made", 3, 2 * FIRST_GENERATED)
    inputs = inputs_of(*folders, second)
    names = [pool.name for pool in inputs.pools]
    assert len(set(names)) == 2 and all(name.endswith("made") for name in names)
    assert pool_names(["a/x.zip", "b/y z"]) == ["x", "y_z"]


def test_copies_of_real_images_are_known_and_left_out_where_these_are_predicted(folders):
    inputs = inputs_of(*folders)
    real, pool = inputs.real, inputs.pools[0]
    copied = beside_real("p", pool.faces.select(np.arange(5)), real, 6.0)
    images = np.concatenate([real.images[:3], pool.faces.images[3:5]])
    copied = beside_real("p", _with_images(copied.faces, images), real, 6.0)
    assert copied.of_real.tolist() == [True, True, True, False, False]
    assert len(copied.without_copies_of(np.array([0, 2]))) == 3


def _with_images(faces, images):
    from dataclasses import replace

    return replace(faces, images=images)


def test_a_class_that_is_rare_is_noted_and_two_with_enough_are_needed(tmp_path, folders):
    data = folder(tmp_path / "three", 30, classes=("fear", *CLASSES))
    for number in range(25):
        (data / "fear" / f"{number}.png").unlink()
    notes = inputs_of(data, folders[1]).notes
    assert any("fear 5" in note for note in notes)
    for number in range(10):
        (data / "sad" / f"{number}.png").unlink()
    message = "two classes with 30 real training images each; found fear 5, sad 20: collect 25 of f"
    with pytest.raises(StudyError, match=message):
        inputs_of(data, folders[1])


def test_one_class_alone_is_refused(tmp_path, folders):
    data = tmp_path / "one"
    shutil.copytree(folders[0] / "happy", data / "happy")
    with pytest.raises(StudyError, match="at least 2 classes"):
        inputs_of(data, folders[1])


def test_the_same_folder_twice_is_refused(folders):
    with pytest.raises(StudyError, match="is the folder of the real images"):
        inputs_of(folders[0], folders[0])
    with pytest.raises(StudyError, match="is given twice"):
        inputs_of(folders[0], folders[1], folders[1])


@pytest.mark.parametrize(("part", "words"), [("train", "training images"), ("test", "test images")])
def test_generated_images_that_are_the_real_ones_are_refused(tmp_path, part, words):
    data = tmp_path / "split"
    folder(data / "train", 30)
    folder(data / "test", 10, 500)
    made = tmp_path / "made"
    shutil.copytree(data / part, made)
    with pytest.raises(StudyError, match=f"100% of the images of made are your own {words}"):
        inputs_of(data, made)


def test_a_copy_of_the_real_folder_is_refused_though_limits_keep_other_images_of_it(tmp_path):
    data, made = folder(tmp_path / "real", 120), tmp_path / "made"
    shutil.copytree(data, made)
    few = {"train_limit": 70, "pool_images": 70, "seed": 3}
    with pytest.raises(StudyError, match="100% of the images of made are your own training images"):
        read_inputs(load_params("verdict") | few | {"data": str(data), "synthetic": str(made)})


def test_a_folder_that_stands_for_no_class_is_named_with_the_nearest(tmp_path, folders):
    made = folder(tmp_path / "wrong", 3, FIRST_GENERATED, names={"happy": "hapy"})
    with pytest.raises(StudyError, match="unknown class 'hapy'; did you mean 'happy'"):
        inputs_of(folders[0], made)


def test_sizes_are_those_that_networks_of_faces_take(folders):
    with pytest.raises(StudyError, match="image_px: 32; .* 48 to 96"):
        inputs_of(*folders, image_px=32)
    assert inputs_of(*folders, image_px=96).real.images.shape[1:] == (96, 96)


def test_drawn_faces_bring_a_pool_along():
    params = load_params("quick") | {"drawn_train": 260, "drawn_test": 40, "pool_images": 30}
    inputs = read_inputs(params)
    assert [pool.name for pool in inputs.pools] == ["drawn-faithful"]
    assert inputs.has_test and len(inputs.pools[0].faces) == 30
