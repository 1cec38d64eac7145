"""Every file that the project keeps, damaged in every way: its reader returns what was written or
raises a StudyError, and nothing else ever.

FUZZ=100000 python -m pytest tests/test_kept_files.py tries so many damages in place of 2,000.
"""

import json
import os
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from damage import DAMAGES
from tiny_onnx import tiny_network

from lib.application.network import open_network
from lib.classifiers.models import build_classifier, load_model, save_model
from lib.classifiers.runs import load_history, load_predictions, read_result
from lib.compute.checkpoints import load_facts, load_tensors, save_tensors
from lib.compute.onnx_files import write_onnx
from lib.curation.review import _read_rows
from lib.curation.rounds import SHARES, load_round, save_round
from lib.curation.spotcheck import read_answers
from lib.faces.faceset import FaceSet, load_faces, save_faces
from lib.faces.pool import GENERATOR, generator_facts, load_verdicts, save_verdicts
from lib.metrics.pages import read_csv
from lib.metrics.predictions import (
    RUN_TEXTS,
    RUNS,
    Predictions,
    read_predictions,
    write_predictions,
)
from lib.report.executions import executions, parameters, read_cells
from lib.report.shell import SUMMARY, read_summary
from lib.study import environment
from lib.study.answer import Sentence, read_answer, write_answer
from lib.study.errors import StudyError
from lib.study.kept import read_record, write_sealed
from lib.study.lock import _holder
from lib.study.parameter_cells import declared_parameters
from lib.study.paths import ROOT, StudyPaths
from lib.study.records import append_jsonl
from lib.study.results import collect_results, result_lines
from lib.verdict.leaderboard import COLUMNS, _known_rows
from lib.verdict.trainings import Laboratory

TRIES = int(os.environ.get("FUZZ", "2000"))
CLASSES = ("happy", "sad")


@dataclass(frozen=True)
class Kept:
    """A kind of file that is kept."""

    write: Callable[[Path], list[Path]]  # into a folder; returns the files to damage
    read: Callable[[Path], object]  # from the folder; something that == compares
    has_digest: bool = True  # whether any change is noticed; else it only has to read or not


def faces() -> FaceSet:
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16)).astype(np.uint8)
    table = pd.DataFrame({"id": list("abcd"), "class": ["happy", "sad"] * 2, "split": "train"})
    return FaceSet(images, table.assign(source="made", prompt=["a face"] * 4), CLASSES)


def read_faces(folder: Path):
    read = load_faces(folder)
    return read.images.tobytes(), read.table.to_csv(), read.classes


def write_model(folder: Path) -> list[Path]:
    torch.manual_seed(0)
    model = build_classifier("small", classes=2, image_px=16)
    return [save_model(model, folder / "m", classifier="small", image_px=16, classes=CLASSES)]


def read_model(folder: Path):
    return [tensor.numpy().tobytes() for tensor in load_model(folder / "m").state_dict().values()]


def write_tensors(folder: Path) -> list[Path]:
    tensors = {"a": torch.arange(40.0), "b": torch.ones(3, 2, dtype=torch.bfloat16)}
    tensors["steps"] = torch.tensor(3)
    facts = {"step": 30, "key": "abc", "history": [{"loss": 0.25}], "schedule": {"steps": 60}}
    return [save_tensors(folder / "t.safetensors", tensors, facts)]


def read_tensors(folder: Path):
    tensors, facts = load_tensors(folder / "t.safetensors")
    return {name: tensor.tolist() for name, tensor in tensors.items()}, facts


def read_facts(folder: Path):
    facts = load_facts(folder / "t.safetensors")
    if facts == {"step": 0}:  # how it says that there are none
        raise StudyError("no facts")
    return facts


def write_run(folder: Path) -> list[Path]:
    np.savez(folder / "predictions.npz", classes=np.array(CLASSES), test=np.eye(2, dtype=float))
    (folder / "history.csv").write_text("step,loss\n1,0.5\n2,0.25\n")
    fields = {"kind": "base", "pool": "", "share": 0.0, "control_of": "", "weight": 1.0}
    arm = fields | {"only": "", "generation": 1}
    write_sealed(folder / "result.json", {"arm": arm, "seed": 0, "failed": "", "accuracy_test": 1})
    return [folder / name for name in ("predictions.npz", "result.json")]


def read_run(folder: Path):
    predictions = {name: p.tolist() for name, p in load_predictions(folder).items()}
    return predictions, read_result(folder)


def write_history(folder: Path) -> list[Path]:
    write_run(folder)
    return [folder / "history.csv"]


def paths_of(folder: Path) -> StudyPaths:
    return StudyPaths(folder, folder)


def write_record(folder: Path) -> list[Path]:
    known = {"size": 1, "mtime_ns": 2, "sha256": "0" * 64}
    write_sealed(folder / "state" / "10_data.json", {"outputs": {"a.csv": known}, "facts": {}})
    return [folder / "state" / "10_data.json"]


def read_record_of(folder: Path):
    record = read_record(paths_of(folder), "10_data")
    if record is None:
        raise StudyError("no record")
    return record


def write_answer_of(folder: Path) -> list[Path]:
    return [write_answer(paths_of(folder), [Sentence("It helps.", "dcgan", "helps"), "Or not."])]


def write_results(folder: Path) -> list[Path]:
    row = {"study": "quick", "arm": "", "classifier": "", "seed": 0, "split": "test"}
    row |= {"metric": "fd", "class": "", "value": 0.5}
    for batch in ("1", "2"):
        lines = result_lines([row, row | {"seed": 1}], batch)
        append_jsonl(folder / "tables" / "results" / "50_metrics.jsonl", lines)
    return [folder / "tables" / "results" / "50_metrics.jsonl"]


def read_results(folder: Path):
    table = collect_results(paths_of(folder))
    if len(table) < 2:  # cut off: its notebook did not finish, and runs again
        raise StudyError("too short")
    return table.to_csv()


def write_round(folder: Path) -> list[Path]:
    measures = pd.DataFrame([{"class": "happy"} | dict.fromkeys(SHARES, 0.5)])
    return [save_round(folder / "pool", measures)]


def write_verdicts(folder: Path) -> list[Path]:
    row = {"id": "a", "step": "blur", "keep": True, "score": 0.5, "reason": "", "relabel": ""}
    return [save_verdicts(folder / "pool", pd.DataFrame([row, row | {"id": "b"}]))]


def read_verdicts(folder: Path):
    verdicts = load_verdicts(folder / "pool")
    if not len(verdicts):  # how it says that there are none
        raise StudyError("no verdicts")
    return verdicts.to_csv()


def write_notebook(folder: Path) -> list[Path]:
    book = nbformat.read(ROOT / "notebooks" / "10_data.ipynb", as_version=4)
    book.cells = book.cells[:4]
    error = nbformat.v4.new_output("error", ename="E", evalue="no", traceback=["a", "b"])
    shown = nbformat.v4.new_output("display_data", {"text/plain": "1"})
    book.cells[1].outputs = [error, shown, nbformat.v4.new_output("stream", text="x\n")]
    for name in ("10_data.ipynb", "20_generation-dcgan.failed.ipynb"):
        (folder / "notebooks").mkdir(exist_ok=True)
        nbformat.write(book, folder / "notebooks" / name)
    return list((folder / "notebooks").iterdir())


def read_notebooks(folder: Path):
    listed = executions(paths_of(folder), folder / "nowhere")
    for execution in listed:
        parameters(read_cells(execution.ipynb))
    for name in ("10_data.ipynb", "20_generation-dcgan.failed.ipynb"):
        declared_parameters(folder / "notebooks" / name)


def write_network(folder: Path) -> list[Path]:
    return [write_onnx(folder / "a.onnx", tiny_network(CLASSES))]


def read_network(folder: Path):
    network = open_network(folder / "a.onnx")
    noise = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    return network.classify(noise).tobytes(), network.classes, network.facts


def write_trained(folder: Path) -> list[Path]:
    halves = {"probabilities": np.eye(2, dtype=np.float16), "beyond": np.eye(2, dtype=np.float16)}
    np.savez(folder / "a.npz", rows=np.arange(2), seconds=[1.0, 2.0], **halves)
    return [folder / "a.npz"]


def read_trained(folder: Path):
    trained = Laboratory.load(SimpleNamespace(result=lambda _: folder / "a.npz"), None)
    if trained is None:  # how it says that it has to be done
        raise StudyError("not trained")
    return [np.asarray(value).tolist() for value in vars(trained).values()]


def write_published(folder: Path) -> list[Path]:
    texts = dict.fromkeys(RUN_TEXTS, "")
    runs = pd.DataFrame([texts | {"seed": seed, "fold": 0} for seed in (0, 1)])
    runs = runs.assign(accuracy_test=[1.0, 0.5])
    images = pd.DataFrame({"class": ["happy", "sad"], "cluster": [0, 1], "fold": 0})
    predicted = {"test": np.array([[0, 1], [0, 0]], np.uint8)}
    published = Predictions(runs, CLASSES, predicted, {"test": images}, {"study": "quick"})
    return write_predictions(published, folder)[:1]


def read_published(folder: Path):
    read = read_predictions(folder)
    facts = read.runs.to_csv(), read.images["test"].to_csv(), read.classes, read.facts
    return read.predicted["test"].tolist(), *facts


def write_published_runs(folder: Path) -> list[Path]:
    write_published(folder)
    return [folder / RUNS]


def write_generator(folder: Path) -> list[Path]:
    write_sealed(folder / GENERATOR, {"knowledge": "same images", "training": {"steps": 30}})
    return [folder / GENERATOR]


def read_generator(folder: Path):
    facts = generator_facts(folder)
    if not facts:  # how it says that there are none
        raise StudyError("no facts")
    return facts


def table_of(name: str, text: str, read: Callable) -> Kept:
    """A table as text, which has no digest of its own."""

    def write(folder: Path) -> list[Path]:
        (folder / name).write_text(text)
        return [folder / name]

    return Kept(write, lambda folder: read(folder / name), has_digest=False)


def read_state(path: Path):
    environment._marker = lambda: str(path)
    return environment._state().get("installed")


SAVED = {"answer": "It helps.", "data": "drawn", "pages": {"10_data.html": "ab"}}
KINDS = {
    "faces": Kept(lambda folder: save_faces(faces(), folder), read_faces),
    "model": Kept(write_model, read_model),
    "tensors": Kept(write_tensors, read_tensors),
    "facts": Kept(write_tensors, read_facts),
    "run": Kept(write_run, read_run),
    "history": Kept(write_history, lambda folder: load_history(folder), has_digest=False),
    "record": Kept(write_record, read_record_of),
    "answer": Kept(write_answer_of, lambda folder: read_answer(paths_of(folder))),
    "results": Kept(write_results, read_results),
    "round": Kept(write_round, lambda folder: load_round(folder / "pool").to_csv()),
    "verdicts": Kept(write_verdicts, read_verdicts),
    "generator": Kept(write_generator, read_generator),
    "network": Kept(write_network, read_network),
    "trained": Kept(write_trained, read_trained),
    "published": Kept(write_published, read_published),
    "published runs": Kept(write_published_runs, read_published, has_digest=False),
    "leaderboard": table_of(
        "leaderboard.csv", f"{','.join(COLUMNS)}\na{',1' * 15}\n", lambda path: _known_rows(path)
    ),
    "notebooks": Kept(write_notebook, read_notebooks, has_digest=False),
    "summary": table_of(SUMMARY, json.dumps(SAVED), lambda path: read_summary(path.parent)),
    "table": table_of("effects.csv", "arm,pool,value\nbase,,0.5\na,dcgan,0.25\n", read_csv),
    "spot check": table_of("a.csv", "id,pool,class,answer\na,b,happy,sad\n", read_answers),
    "review": table_of("review.csv", "id,decision,class,note\na,keep,,\n", _read_rows),
    "lock": table_of("quick.lock", '{"pid": 12, "host": "a", "since": "b"}', _holder),
    "set-up": table_of("set-up.json", '{"installed": ["abc"], "project": "/a"}', read_state),
}


# What nobody needs to read: another start writes it anew.
NEVER_AN_ERROR = ("lock", "set-up", "leaderboard")


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_reads_as_it_was_or_raises_a_study_error(name, tmp_path, monkeypatch):
    kept, rng = KINDS[name], random.Random(name)
    monkeypatch.setattr(environment, "_marker", environment._marker)
    files = kept.write(tmp_path)
    contents, whole = [path.read_bytes() for path in files], kept.read(tmp_path)
    believed = 0
    for number in range(TRIES // len(KINDS)):
        path, damage = files[number % len(files)], DAMAGES[number // len(files) % len(DAMAGES)]
        damage(path, rng)
        damaged = path.read_bytes() if path.exists() else None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read = kept.read(tmp_path)
        except StudyError as error:
            assert str(error)
        except Exception as error:
            raise AssertionError(f"{damage.__name__}: {damaged!r}") from error
        else:
            believed += 1
            is_known = kept.has_digest and damaged is not None
            assert not is_known or read == whole, (damage.__name__, damaged)
        for aside in tmp_path.rglob("*.damaged"):
            aside.unlink()
        for file, content in zip(files, contents):
            file.write_bytes(content)
    assert believed < TRIES // len(KINDS) or name in NEVER_AN_ERROR
