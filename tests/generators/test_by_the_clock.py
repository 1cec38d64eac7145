"""The session of a lent GPU, walked through on the CPU at tiny size."""

import json
import time

import numpy as np
import pytest
import torch
from small_generators import noise_faces, small_generator

from lib.compute.checkpoints import load_tensors
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import save_pictures
from lib.generators import by_the_clock
from lib.generators.by_the_clock import MOST_FILES, Session, main, train, write_sheet, write_weights
from lib.generators.captured import CapturedSteps
from lib.generators.diffusion import Diffusion
from lib.generators.folder import read_folder
from lib.generators.packed_sheets import encoded_sheet, pack, unpack
from lib.generators.sampling import generated_faces
from lib.study.errors import StudyError

TINY = {
    "gan_px": 16,
    "gan_batch": 8,
    "diffusion_channels": "16,32",
    "diffusion_blocks": "1,1",
    "diffusion_sample_steps": 2,
    "gan_precision": "fp32",
    "device": "cpu",
}


@pytest.fixture(scope="module")
def session_folder(tmp_path_factory):
    """Run the whole session in seconds, and fetch what it wrote."""
    folder = tmp_path_factory.mktemp("session")
    pictures = folder / "faces" / "train"
    save_pictures(noise_faces(70), pictures)
    (pictures / "metadata.csv").unlink()
    words = ["--data", str(pictures.parent), "--out", str(folder / "out"), "--seconds", "5"]
    words += ["--count", "40", "--subset", "20"]
    for key, value in TINY.items():
        words += ["--set", f"{key}={value}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_the_clock, "PRINT_SECONDS", 0.2)
        patch.setattr(by_the_clock, "SHEET_IMAGES", 16)
        # Other work on the machine does not count.
        main(words, clock=time.process_time)
    return folder / "out"


def lines_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_session_ends_in_time_with_files_that_come_back(session_folder):
    assert lines_of(session_folder)[-1]["phase"] == "end"
    assert lines_of(session_folder)[-1]["seconds"] < 12
    files = sorted(path.name for path in session_folder.iterdir())
    assert len(files) <= MOST_FILES and "images.json" in files and "sheet-0.webp" in files


def test_it_says_speed_work_and_loss_as_it_goes(session_folder):
    lines = [line for line in lines_of(session_folder) if line["phase"] == "training all"]
    assert lines and all(line["images_per_s"] > 0 and line["teraflops"] >= 0 for line in lines)
    assert all(np.isfinite(line["loss"]) for line in lines)
    phases = [line["phase"] for line in lines_of(session_folder)]
    assert phases.index("trained all") < phases.index("trained subset")


def test_its_images_come_as_folders_that_a_study_reads(session_folder, tmp_path):
    main(["--unpack", str(session_folder), "--out", str(tmp_path)])
    pool = read_folder(str(tmp_path / "all"), EMOTIONS)
    assert np.bincount(pool.ready_made_labels).tolist() == [6, 6, 6, 6, 6, 5, 5]
    snapshots = sorted(path.name for path in tmp_path.glob("all-*-of-*"))
    assert snapshots == [f"all-{number}-of-8" for number in range(1, 8)]
    assert len(read_folder(str(tmp_path / "subset"), EMOTIONS).ready_made_labels) == 40

    # The same seeds at two snapshots give two images.
    early, late = (read_folder(str(tmp_path / f"all-{number}-of-8"), EMOTIONS) for number in (1, 7))
    labels, rows = early.ready_made_labels, np.arange(40)
    assert np.array_equal(labels, late.ready_made_labels)
    images, others = (pool.sample(labels, rows).images for pool in (early, late))
    assert not np.array_equal(images, others)


def test_a_session_that_is_cut_off_leaves_its_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(by_the_clock, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(by_the_clock, "FILE_BYTES", 100_000)
    generator = small_generator("diffusion")
    session = Session(tmp_path, seconds=100.0)
    steps = []

    def killed(captured, rate, count):
        steps.append(rate)
        if len(steps) > 30:
            raise KeyboardInterrupt
        return step(captured, rate, count)

    step = CapturedSteps.step
    monkeypatch.setattr(CapturedSteps, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        train(generator, noise_faces(), session, 90.0, "all")
    parts = sorted(tmp_path.glob("weights-all-*.safetensors"))
    names = [set(load_tensors(path)[0]) for path in parts]
    assert len(parts) > 1 and set.union(*names) == set(generator.network.drawing_weights())


@pytest.mark.parametrize("kind", ["stylegan", "dcgan"])
def test_a_gan_is_trained_by_the_clock_as_its_own_updates_would(kind, tmp_path):
    generator, session = small_generator(kind), Session(tmp_path, seconds=4.0)
    before = {name: w.clone() for name, w in generator.network.drawing_weights().items()}
    snapshots = train(generator, noise_faces(), session, 3.0, "all", held_out=noise_faces(20))
    assert len(snapshots) == 8 and generator.steps > 1
    after = generator.network.drawing_weights()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    (line,) = [line for line in lines_of(tmp_path) if line["phase"] == "trained all"]
    assert line["images"] == generator.steps * generator.batch


def test_the_loss_on_held_out_images_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(by_the_clock, "SAVE_SECONDS", 0.0)
    generator, session = small_generator("diffusion"), Session(tmp_path, seconds=2.0)
    train(generator, noise_faces(), session, 1.0, "all", held_out=noise_faces(20))
    said = [line for line in lines_of(tmp_path) if line["phase"] == "held out all"]
    assert said[0]["images"] == 20 and said[0]["average_0.1"] > 0

    # The same noise at every call: the last two lines are of the same weights.
    assert said[-1] == said[-2] | {"seconds": said[-1]["seconds"]} or len(said) == 1


def test_images_take_the_place_of_weights_where_both_do_not_fit(tmp_path, monkeypatch):
    generator, session = small_generator("diffusion"), Session(tmp_path, seconds=10.0)
    write_weights(generator, session, "all")
    assert list(tmp_path.glob("weights-*"))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    faces = generated_faces(
        noise_faces(20).images, np.arange(20) % 7, np.arange(20), "all", "abcdefg"
    )
    monkeypatch.setattr(by_the_clock, "MOST_BYTES", size + 100)
    write_sheet(session, {"all": faces})
    assert not list(tmp_path.glob("weights-*")) and list(tmp_path.glob("sheet-*"))

    # Weights do not come back in their place.
    monkeypatch.setattr(by_the_clock, "MOST_BYTES", 10_000)
    write_weights(generator, session, "subset")
    assert not list(tmp_path.glob("weights-*"))


def test_the_learning_rate_falls_to_zero_by_the_clock(tmp_path, monkeypatch):
    clock = iter(np.linspace(0, 10, 100))
    session = Session(tmp_path, seconds=10.0)
    monkeypatch.setattr(Session, "elapsed", lambda self: next(clock))
    monkeypatch.setattr(Diffusion, "warm_up_steps", 10)
    generator, rates = small_generator("diffusion"), []
    step = CapturedSteps.step

    def noted(captured, rate, count):
        rates.append(rate)
        return step(captured, rate, count)

    monkeypatch.setattr(CapturedSteps, "step", noted)
    train(generator, noise_faces(), session, 8.0, "all")
    full = generator.network.settings["lr"]
    assert max(rates) == full and rates[-1] < 0.05 * full
    assert rates[0] == pytest.approx(full / 10)


def test_a_loss_that_is_no_number_ends_the_session(tmp_path, monkeypatch):
    monkeypatch.setattr(by_the_clock, "PRINT_SECONDS", 0.0)
    generator = small_generator("diffusion")
    monkeypatch.setattr(CapturedSteps, "step", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(StudyError, match="the loss is nan at step 1; lower gan_lr"):
        train(generator, noise_faces(), Session(tmp_path, seconds=5.0), 4.0, "all")


def test_packed_images_come_back_to_the_bit(tmp_path):
    classes = ("happy", "sad")
    sets = {}
    for number, count in enumerate((300, 7)):
        images = noise_faces(count).images
        seeds = np.arange(count) + 1000 * number
        sets[f"set{number}"] = generated_faces(images, np.arange(count) % 2, seeds, "x", classes)
    pack(tmp_path, "sheet-0.webp", encoded_sheet(sets), sets)
    pack(tmp_path, "sheet-1.webp", encoded_sheet({"set0": sets["set0"]}), {"set0": sets["set0"]})
    found = unpack(tmp_path, tmp_path / "out")
    twice = np.concatenate([sets["set0"].images] * 2)
    assert np.array_equal(found["set0"].images, twice)
    assert np.array_equal(found["set1"].images, sets["set1"].images)
    assert found["set1"].table["seed"].tolist() == list(range(1000, 1007))

    # A sheet that did not come back is named.
    (tmp_path / "sheet-1.webp").unlink()
    with pytest.raises(StudyError, match="sheet-1.webp: no sheet of images"):
        unpack(tmp_path, tmp_path / "again")
