"""Weights files: what they hold, and that they alone make the images; the command line."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file
from small_generators import TRAINED, disturbed, enlarged, noise_faces, small_generator

from lib.faces.classes import EMOTIONS
from lib.faces.faceset import load_faces, save_faces
from lib.generators import weights as weights_module
from lib.generators.__main__ import main
from lib.generators.card import model_card
from lib.generators.editing import with_editing
from lib.generators.export import export_weights
from lib.generators.pools import make_pool
from lib.generators.weights import load_trained, read_generator
from lib.generators.weights_card import NOT_MEASURED, write_card
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.records import file_digest

LABELS, SEEDS = np.arange(7), np.arange(7)
FEW = ("fear", "happy", "sad")
each = pytest.mark.parametrize(
    "chosen", TRAINED, ids=lambda chosen: "-".join(map(str, chosen.values()))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds a diffusion model of three classes, trained for six steps on uneven counts."""
    path = tmp_path_factory.mktemp("training")
    faces = noise_faces(30, classes=FEW).select(np.r_[0:30:3, 1:30:3, 2:8:3])  # 10, 10, 2
    generator = small_generator("diffusion", classes=FEW)
    generator.fit(faces, folder=path)
    disturbed(generator.network)
    generator.save(path)
    return path


@pytest.fixture(scope="module")
def file(folder):
    """A weights file of it."""
    return export_weights(load_trained(folder), folder / "tiny.safetensors")


def header(path) -> dict:
    with safe_open(path, framework="pt") as opened:
        return json.loads(opened.metadata()["facts"])


@each
def test_a_weights_file_alone_makes_the_images(chosen, tmp_path):
    generator = enlarged(small_generator(**chosen))
    path = export_weights(generator, tmp_path / "weights.safetensors")
    given = read_generator(path)
    images = given.sample(LABELS, SEEDS).images

    # But for the rounding of the weights they are those of the generator.
    expected = generator.sample(LABELS, SEEDS).images.astype(float)
    assert np.abs(images - expected).mean() < 2
    assert given.classes == EMOTIONS and given.settings == generator.settings

    # The same weights give the same bytes, and a copy of the file the same images.
    again = export_weights(given, tmp_path / "again.safetensors")
    assert again.read_bytes() == path.read_bytes()
    assert np.array_equal(read_generator(again).sample(LABELS, SEEDS).images, images)


def test_the_header_says_what_the_generator_is_and_what_it_learnt_from(folder, file):
    facts = header(file)
    assert facts["generator"] == "diffusion" and facts["version"] == 2
    assert facts["classes"] == list(FEW)
    assert facts["settings"]["channels"] == [16, 32]
    assert facts["training"] == {"steps": 6, "batch": 8, "seed": 0, "decay_share": 0.0}
    learnt_from = json.loads((folder / "generator.json").read_text())["learnt_from"]
    assert facts["learnt_from"] == learnt_from
    assert learnt_from["class_counts"] == [10, 10, 2] and learnt_from["images"] == 22
    given = read_generator(file)
    assert given.learnt_from.class_counts == (10, 10, 2)
    assert given.facts()["weights"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_weights_are_float16_but_for_those_that_need_more(file):
    with safe_open(file, framework="pt") as opened:
        kinds = {name: opened.get_tensor(name).dtype for name in opened.keys()}
    exact = [name for name, kind in kinds.items() if kind == torch.float32]
    assert exact == ["noise_features.frequencies", "noise_features.phases"]
    assert set(kinds.values()) == {torch.float16, torch.float32}
    assert not any(name.startswith(("model", "averages")) for name in kinds)


def test_a_file_that_is_too_large_is_refused(folder, tmp_path):
    with pytest.raises(StudyError, match="weights of 0.3 MB, more than 0.1"):
        export_weights(load_trained(folder), tmp_path / "large.safetensors", most_mb=0.1)


def test_the_average_is_chosen_when_weights_are_written(folder, tmp_path):
    images = []
    for length in (0.05, 0.2):
        trained = load_trained(folder, {"average": length})
        path = export_weights(trained, tmp_path / f"{length}.safetensors")
        images.append(read_generator(path).sample(LABELS[:3], SEEDS[:3]).images)
    assert not np.array_equal(*images)
    with pytest.raises(StudyError, match="'average' is no setting of sampling"):
        read_generator(path, sampling={"average": 0.05})
    with pytest.raises(StudyError, match="'lr' is no setting of sampling"):
        load_trained(folder, {"lr": 1.0})


def test_how_it_samples_is_free(file):
    images = [
        read_generator(file, sampling=sampling).sample(LABELS[:3], SEEDS[:3]).images
        for sampling in (None, {"guidance": 1.0}, {"sample_steps": 8}, {"interval": [1, 2]})
    ]
    for other in images[1:]:
        assert not np.array_equal(other, images[0])


def test_other_files_are_refused(folder, file, tmp_path, monkeypatch):
    with pytest.raises(StudyError, match="no weights file of a generator"):
        read_generator(folder / "generator.safetensors")
    with pytest.raises(StudyError, match="nowhere.safetensors: no such"):
        read_generator(tmp_path / "nowhere.safetensors")
    monkeypatch.setitem(weights_module.GENERATOR_VERSION, "diffusion", 1)
    with pytest.raises(StudyError, match="version 2; this code knows version 1"):
        read_generator(file)


# --------------------------------------------------------------------------------------------------
# A pool from weights.


def given(path, *, classes=FEW, **changes):
    return small_generator("diffusion", classes=classes, generator_weights=str(path), **changes)


def test_a_pool_is_made_from_weights_without_training(file, tmp_path):
    generator = given(file, diffusion_guidance=1.5)
    faces, pool = noise_faces(classes=FEW), tmp_path / "pool"
    assert not generator.is_trained
    assert generator.training_folder(faces, tmp_path / "trainings", pool) == pool
    log = generator.fit(faces, folder=pool)
    assert not len(log) and not pool.exists()
    assert generator.settings["guidance"] == 1.5 and generator.settings["sample_steps"] == 3

    # The pool holds the weights, and is made again by them alone.
    generator.save(pool)
    params = load_params("quick") | {"generator": "diffusion", "pool": "given", "pool_images": 12}
    made = make_pool(generator, params, pool)
    rows = made.labels, made.table["seed"].to_numpy()
    again = read_generator(pool / "generator.safetensors")
    assert np.array_equal(again.sample(*rows).images, made.images)

    # The card says what it learnt from.
    measures = dict.fromkeys(("distance", "distance_real", "agreement", "agreement_real"), 0.0)
    card = model_card("given", made, generator.facts(), log, faces, measures).set_index("what")
    assert card["value"]["trained on"] == "22 real images, in tiny.safetensors"
    assert "training, s" not in card.index, "nothing was trained here"


def test_weights_can_edit_and_what_they_learnt_from_stays_known(file):
    real = noise_faces(classes=FEW)
    editor = with_editing(given(file), real, 0.5)
    assert editor.sample(np.arange(3), np.arange(3)).images.shape == (3, 16, 16)
    assert editor.learnt_from.images == 22


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": "dcgan"}, "of the generator diffusion, not dcgan"),
        ({"classes": ("fear", "sad")}, "of the classes fear, happy, sad, not fear, sad"),
        ({"generator": "stable"}, "stable reads no weights file"),
    ],
)
def test_weights_of_another_generator_are_refused(file, changes, message):
    asked = {"generator": "diffusion", "classes": FEW, "generator_weights": str(file)} | changes
    with pytest.raises(StudyError, match=message):
        small_generator(**asked)


# --------------------------------------------------------------------------------------------------
# The command line.


def sampled(file, out, *words: str) -> pd.DataFrame:
    """Call the command, and read the table that it wrote."""
    main(["sample", "--weights", str(file), "--out", str(out), *words])
    table = pd.read_csv(out / "metadata.csv")
    assert all((out / name).exists() for name in table["file_name"])
    return table


def test_images_of_one_class_are_written_with_their_metadata(file, tmp_path):
    table = sampled(file, tmp_path, "--class", "happy", "--count", "5")
    assert table["class"].tolist() == ["happy"] * 5
    assert table["seed"].tolist() == [0, 1, 2, 3, 4]
    assert table["file_name"][0] == "happy/tiny-000000.png"
    assert json.loads((tmp_path / "generator.json").read_text())["classes"] == list(FEW)
    assert not list(tmp_path.glob("shards-*"))

    # Each is the image of its label and seed.
    images = load_faces(tmp_path).images
    expected = read_generator(file).sample(np.full(5, 1), np.arange(5)).images
    assert np.array_equal(images, expected)


def test_all_classes_come_in_the_shares_of_what_was_learnt(file, tmp_path):
    table = sampled(file, tmp_path, "--count", "22", "--seed", "7", "--name", "mine")
    assert table["class"].value_counts().to_dict() == {"fear": 10, "happy": 10, "sad": 2}
    assert table["seed"].tolist() == list(range(7, 29))
    assert table["id"][0] == "mine-000000"


def test_counts_by_class_and_settings_are_given(file, tmp_path):
    words = ["--counts", "sad=2,fear=1", "--set", "guidance=1", "--set", "sample_steps=2"]
    assert sampled(file, tmp_path, *words)["class"].tolist() == ["fear", "sad", "sad"]
    facts = json.loads((tmp_path / "generator.json").read_text())
    assert (facts["settings"]["guidance"], facts["settings"]["sample_steps"]) == (1, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--class", "happi", "--count", "1"], "no class is called 'happi'; there are fear, happy"),
        (["--counts", "happy=many"], "write whole numbers"),
        (["--counts", "happy"], "write it as KEY=VALUE"),
        ([], "how many images"),
        (["--count", "1", "--set", "lr=1"], "'lr' is no setting of sampling"),
    ],
)
def test_what_cannot_be_made_is_named(words, message, file, tmp_path):
    with pytest.raises(StudyError, match=message):
        main(["sample", "--weights", str(file), "--out", str(tmp_path), *words])


def test_a_training_is_exported(folder, file, tmp_path, capsys):
    main(["export", str(folder), "--out", str(tmp_path / "a.safetensors")])
    assert (tmp_path / "a.safetensors").read_bytes() == file.read_bytes()
    assert "a.safetensors: 0.3 MB" in capsys.readouterr().out
    words = ["export", str(folder), "--out", str(tmp_path / "b.safetensors")]
    main([*words, "--set", "average=0.2", "--set", "guidance=2"])
    settings = header(tmp_path / "b.safetensors")["settings"]
    assert (settings["average"], settings["guidance"]) == (0.2, 2)


# --------------------------------------------------------------------------------------------------
# Snapshots of the stand-alone training.


def write_snapshot(path, network, faces, *, prefix: str = "", **facts) -> None:
    """Write weights as the stand-alone training writes them."""
    labels = np.eye(7, dtype=np.float32)[faces.labels]
    digest = hashlib.sha256(faces.images.tobytes() + labels.tobytes()).hexdigest()[:16]
    levels = {"channels": [16, 32], "blocks": [1, 1]}
    about = {
        "network": {
            "px": 16,
            "classes": 7,
            **levels,
            "attention": [False, True],
            "patch": 2,
            "condition": 128,
            "augmentation": 0,
            "dropout": 0.0,
        },
        "settings": {
            "seed": 0,
            "batch": 128,
            "lr": 0.003,
            "precision": "fp32",
            **levels,
            "dropout": 0.0,
            "augment": 0.0,
            "clock": "images",
            "total": 3000,
            "decay_from": 1800,
            "log_every": 64,
        },
        "data": digest,
        "step": 12,
        "images": 1536,
        "cpu_seconds": 9.5,
    }
    tensors = {}
    for name, tensor in network.state_dict().items():
        exact = prefix or name.startswith("noise_features")
        tensors[f"{prefix}{name}"] = (tensor if exact else tensor.half()).contiguous()
    save_file(tensors, path, {"facts": json.dumps(about | facts)})


def snapshot_faces():
    """Make faces whose files are numbered in another order than theirs."""
    faces = noise_faces()
    numbers = np.random.default_rng(1).permutation(len(faces))
    files = [f"train/Training_{number}.jpg" for number in numbers]
    return faces.with_columns(file=files), np.argsort(numbers)


@pytest.mark.parametrize("kind", ["snapshot", "checkpoint"])
def test_a_snapshot_of_the_stand_alone_training_becomes_a_weights_file(kind, tmp_path):
    faces, order = snapshot_faces()
    network = enlarged(small_generator("diffusion")).network
    path, out = tmp_path / "source.safetensors", tmp_path / "out.safetensors"
    save_faces(faces, tmp_path / "data")
    if kind == "snapshot":
        average = network.averages[0]
        write_snapshot(path, average, faces.select(order), average=0.05)
        words = []
    else:
        average = network.averages[1]
        write_snapshot(path, average, faces.select(order), prefix="average-0.1/")
        words = ["--average", "0.1"]
    main(["convert", str(path), "--faces", str(tmp_path / "data"), "--out", str(out), *words])

    # It draws with these very weights.
    generator = read_generator(out)
    for name, tensor in generator.network.drawing_weights().items():
        assert torch.allclose(tensor, average.state_dict()[name], rtol=1e-3, atol=1e-6)
    assert generator.settings["average"] == (0.05 if kind == "snapshot" else 0.1)
    training = {"steps": 12, "batch": 128, "seed": 0, "decay_share": pytest.approx(0.4)}
    assert generator.facts()["training"] == training
    assert generator.learnt_from.digest == faces.digest()
    assert generator.sample(LABELS, SEEDS).images.shape == (7, 16, 16)


def test_a_snapshot_of_other_faces_is_refused(tmp_path):
    faces, order = snapshot_faces()
    network = small_generator("diffusion").network
    write_snapshot(tmp_path / "a.safetensors", network.model, faces.select(order), average=0.1)
    save_faces(faces.select(np.arange(20)), tmp_path / "data")
    words = ["--faces", str(tmp_path / "data"), "--out", str(tmp_path / "b.safetensors")]
    with pytest.raises(StudyError, match="trained on other images than these 20"):
        main(["convert", str(tmp_path / "a.safetensors"), *words])


# --------------------------------------------------------------------------------------------------
# The card of a weights file.


def test_the_card_states_what_is_in_the_file_and_nothing_that_was_not_measured(folder, tmp_path):
    out = tmp_path / "tiny.safetensors"
    main(["export", str(folder), "--out", str(out)])
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---")[1])
    assert head["license"] == "unknown" and head["library_name"] == "safetensors"

    # The file's own digest, and what it learnt.
    given = read_generator(out)
    assert file_digest(out) in card and "22 real images (10 " in card
    assert f"{given.steps:,} steps of {given.batch} images" in card
    assert "`guidance=3.0`" in card and NOT_MEASURED in card
    assert "{" not in card


def test_the_card_carries_licence_and_measures(folder, tmp_path):
    out = tmp_path / "tiny.safetensors"
    words = ["--licence", "cc-by-4.0", "--measured", "label agreement 60% (n 1,000)"]
    main(["export", str(folder), "--out", str(out), *words])
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    assert "license: cc-by-4.0" in card and "- label agreement 60% (n 1,000)\n" in card
    assert NOT_MEASURED not in card


def test_a_card_needs_its_file(folder, tmp_path):
    with pytest.raises(StudyError, match="no such weights file"):
        write_card(load_trained(folder), tmp_path / "missing.safetensors")
