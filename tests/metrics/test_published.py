"""What was paid for is kept: from the published predictions every table follows byte for byte."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm, controls
from lib.faces.drawn import drawn_study
from lib.faces.faceset import FaceSet, save_faces
from lib.metrics.amount_sentences import read_sentences, write_sentences
from lib.metrics.contrasts import effects, levels, over_generations
from lib.metrics.evidence import (
    load_arms,
    load_evaluation,
    recorded_runs,
    runs_of_every_length,
    without_leaks,
)
from lib.metrics.pages import read_csv, write_table
from lib.metrics.predictions import (
    PREDICTIONS,
    RUNS,
    gather_predictions,
    read_predictions,
    study_predictions,
    write_predictions,
)
from lib.metrics.published import (
    AMOUNTS_PAGE,
    amount_tables,
    differing_tables,
    headline,
    main,
    rebuilt_tables,
    said_of,
    score_tables,
)
from lib.plots.amounts import write_headline
from lib.report.names import name_study
from lib.study.errors import StudyError
from lib.study.paths import ROOT, StudyPaths, study_paths
from lib.study.records import write_json

BASE, SHARES = Arm("base"), Arm("supplement", "x", 0.5)
FEW, MANY = (Arm("supplement", "x", real=real, added=30) for real in (20, 40))
ARMS = {BASE: 0.6, SHARES: 0.5, Arm("supplement", "x", 0.5, generation=2): 0.55}
ARMS |= {Arm("subset", real=20): 0.3, FEW: 0.5, Arm("subset", real=40): 0.4, MANY: 0.4}
ARMS |= {control: 0.45 for control in controls(FEW)}
MARGIN, SEEDS = 0.005, 3


def faces_of_study() -> FaceSet:
    """Drawn faces of which some test images have copies in training, and FER+ labels."""
    faces = drawn_study(60, 30, 90, 0.1, 5)
    copied = np.arange(len(faces)) % 11 == 0
    held = faces.table["split"].isin(["val", "test"]).to_numpy()
    plus = faces.table["class"].where(np.arange(len(faces)) % 5 > 0, "contempt")
    return faces.with_columns(
        cluster=np.where(copied, 1000, np.arange(len(faces))),
        leaked=copied & held,
        plus_class=plus.where(np.arange(len(faces)) % 7 > 0, None),
    )


def add_run(paths: StudyPaths, faces: FaceSet, arm: Arm, seed: int, length: float, **more) -> str:
    """Write the folder of one run, and return its result's name in the study."""
    folder = paths.runs / f"{arm.name}-seed{seed}-length{length:g}"
    about = {"arm": asdict(arm), "classifier": "small", "recipe": "quick", "seed": seed}
    about |= {"length": length, "steps": int(20 * length), "seconds": 1.0 + seed / 3, "failed": ""}
    about |= {"images": (arm.real or 60) + arm.added, "classes": list(faces.classes)} | more
    folder.mkdir(parents=True)
    if not about["failed"]:
        rng = np.random.default_rng([seed, int(length), *arm.name.encode()])
        predicted = {}
        for split in ("val", "test"):
            labels = faces.split(split).labels
            skill = ARMS[arm] + 0.05 * (length == 2)
            logits = rng.normal(size=(len(labels), 7))
            logits[np.arange(len(labels)), labels] += 4 * (rng.random(len(labels)) < skill)
            chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            predicted[split] = chances.astype(np.float32)
            right = predicted[split].argmax(1) == labels
            about[f"accuracy_{split}"] = float(right.mean())
        np.savez(folder / "predictions.npz", classes=np.array(faces.classes), **predicted)
        history = {"step": [10, 20], "accuracy": [0.3, 0.4 + 0.1 * length]}
        pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    write_json(folder / "result.json", about)
    return str((folder / "result.json").relative_to(paths.root))


@pytest.fixture(autouse=True)
def unnamed():
    """Leave no study's names to the next test."""
    yield
    name_study({})


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> StudyPaths:
    """A finished study with every run at two lengths, one of them failed."""
    paths = study_paths("quick", str(tmp_path_factory.mktemp("study")))
    faces = faces_of_study()
    save_faces(faces, paths.data)
    names = []
    for arm in ARMS:
        for seed in range(SEEDS):
            names += [add_run(paths, faces, arm, seed, length) for length in (1.0, 2.0)]
    names.append(add_run(paths, faces, BASE, 3, 1.0, failed="diverged, at step 7"))
    state = {"parameters": {"classifiers": ["small"]}, "outputs": dict.fromkeys(names, {})}
    write_json(paths.state / "40_training.json", state)
    write_json(paths.pool("x") / "generator.json", {"knowledge": "external"})
    return paths


PUBLISHED = sorted(file.parent for file in (ROOT / "reports").glob(f"*/{PREDICTIONS}"))


@pytest.mark.skipif(not PUBLISHED, reason="no predictions are published yet")
@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_the_tables_of_every_published_study_follow_from_its_predictions(folder):
    assert differing_tables(folder, rebuilt_tables(folder)) == []


def gathered(paths: StudyPaths):
    """Read predictions as notebook 50 does."""
    facts = {"study": "quick", "margin": MARGIN, "seeds": SEEDS, "draws": True}
    facts |= {"seed": 0, "folds": 0, "synthetic_name": "", "pools": ["x", "absent"]}
    return study_predictions(paths, facts)


@pytest.fixture(scope="module")
def report(paths):
    """A report as notebooks 50 and 55 and the pages leave it."""
    predictions = gathered(paths)
    write_predictions(predictions, paths.reports)
    (paths.reports / AMOUNTS_PAGE).touch()
    tables = amount_tables(predictions)
    for name, table in tables.items():
        table.to_csv(paths.reports / f"{name}.csv", index=False)
    write_sentences(paths.reports, said_of(tables, predictions.facts))
    words = headline(tables, predictions.facts)
    write_headline(paths.reports, words, tables["gains"], tables["recovered"])

    # Notebook 50 reads the probabilities of the runs.
    runs = recorded_runs(paths)
    _, tested, _ = load_evaluation(paths, 0, 0)
    arms, tested = without_leaks(load_arms(runs, classes=tested.classes), tested)
    scored = tested.labels, tested.clusters
    settings = {"margin": MARGIN, "planned_seeds": SEEDS}
    tables = {"levels": levels(arms, *scored)}
    tables["effects"] = effects(over_generations(arms), *scored, **settings)
    for name, table in tables.items():
        write_table(paths, name, table)
        (paths.reports / f"{name}.csv").write_bytes((paths.tables / f"{name}.csv").read_bytes())
    return paths.reports


def test_all_tables_are_rebuilt_byte_for_byte_without_images_and_runs(report, tmp_path):
    tables = rebuilt_tables(report)
    assert differing_tables(report, tables) == []
    assert {"levels.csv", "effects.csv", "gains.csv", "amounts.json"} <= set(tables)
    sentences = read_sentences(report)
    assert any(sentence.text.startswith("These are accuracies") for sentence in sentences)
    assert sentences[0].pool == "x" and sentences[0].word and "points" in sentences[0].number
    assert len(read_csv(report / "gains.csv")) > 20


def test_tables_are_the_same_however_long_the_runs_took(report):
    # With this margin more seeds would decide.
    predictions = read_predictions(report)
    predictions = replace(predictions, facts=predictions.facts | {"margin": 0.15})
    slower = predictions.runs.assign(seconds=predictions.runs["seconds"] * 1e6)
    tables, again = score_tables(predictions), score_tables(replace(predictions, runs=slower))
    assert tables["effects"]["sample_size"].str.contains("more runs").any()
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])


def test_tables_of_amounts_are_rebuilt_where_the_report_has_their_page(report, tmp_path):
    for name in (PREDICTIONS, RUNS):
        (tmp_path / name).write_bytes((report / name).read_bytes())
    assert set(rebuilt_tables(tmp_path)) == {"levels.csv", "effects.csv"}


def test_the_command_says_so_and_mends_what_differs(report, tmp_path, capsys):
    folder = tmp_path / "report"
    folder.mkdir()
    for file in report.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    assert main([str(folder), "--check"]) == 0
    assert "gains.csv: same bytes" in capsys.readouterr().out
    wanted = (folder / "gains.csv").read_bytes()
    (folder / "gains.csv").write_bytes(wanted + b"\n")
    (folder / "levels.csv").unlink()
    assert main([str(folder), "--check"]) == 1
    assert "gains.csv: differs" in capsys.readouterr().out
    assert main([str(folder)]) == 0
    assert (folder / "gains.csv").read_bytes() == wanted
    assert main([str(folder), "--check"]) == 0


def test_predictions_come_back_as_they_were(paths, report):
    before, after = gathered(paths), read_predictions(report)
    assert after.classes == before.classes and after.facts == before.facts
    assert list(after.scorings()) == list(before.scorings())
    assert list(after.scorings())[0] == "test-leakfree"
    for name, (mask, labels) in before.scorings().items():
        assert (after.scorings()[name][0] == mask).all()
        assert (after.scorings()[name][1][mask] == labels[mask]).all()
    for split in ("val", "test"):
        assert (after.predicted[split] == before.predicted[split]).all()
    pd.testing.assert_frame_equal(
        after.runs, before.runs.reset_index(drop=True), check_dtype=False, check_exact=True
    )


def test_the_files_have_the_same_bytes_each_time_and_are_small(paths, report, tmp_path):
    write_predictions(gathered(paths), tmp_path)
    for name in (PREDICTIONS, RUNS):
        assert (tmp_path / name).read_bytes() == (report / name).read_bytes()
    good = read_predictions(report).good
    bytes_a_prediction = (report / PREDICTIONS).stat().st_size / (len(good) * 120)
    assert bytes_a_prediction < 1


def test_every_run_is_kept_the_failed_and_the_unchosen_ones_too(report):
    predictions = read_predictions(report)
    assert len(predictions.runs) == len(ARMS) * SEEDS * 2 + 1
    assert (predictions.runs["failed"] != "").sum() == 1
    assert sorted(predictions.runs["length"].unique()) == [1, 2]
    assert len(predictions.predicted["test"]) == len(ARMS) * SEEDS * 2


def test_every_notebook_reads_the_chosen_runs_alone(paths):
    runs = recorded_runs(paths)
    good = runs[runs["failed"] == ""]
    assert good.groupby(["arm", "seed"]).size().eq(1).all()
    assert len(runs_of_every_length(paths)) > len(runs)


def test_with_folds_each_run_has_the_images_of_its_own(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    faces = faces_of_study()
    save_faces(faces, paths.data)
    _, tested, fold = load_evaluation(paths, 2, 0)
    names = []
    for arm in (BASE, SHARES):
        for seed in (0, 1):
            for number in (1, 2):
                folder = paths.runs / f"{arm.name}-{seed}-{number}"
                rng = np.random.default_rng([seed, number, len(arm.name)])
                own = fold == number
                chances = rng.random((own.sum(), 7)).astype(np.float32)
                right = (chances.argmax(1) == tested.labels[own]).mean()
                about = {"arm": asdict(arm), "classifier": "small", "seed": seed, "fold": number}
                about |= {"recipe": "quick", "steps": 9, "seconds": 1.0, "failed": "", "images": 9}
                about |= {"length": 1.0, "accuracy_test": float(right), "accuracy_val": 0.1}
                write_json(folder / "result.json", about | {"classes": list(faces.classes)})
                val = rng.random((len(faces.split("val")), 7)).astype(np.float32)
                np.savez(folder / "predictions.npz", val=val, test=chances)
                names.append(str((folder / "result.json").relative_to(paths.root)))
    write_json(paths.state / "40_training.json", {"outputs": dict.fromkeys(names, {})})

    facts = {"margin": MARGIN, "seeds": 2, "knowledge": {}}
    predictions = gather_predictions(runs_of_every_length(paths), faces, tested, fold, facts)
    write_predictions(predictions, tmp_path / "report")
    rebuilt = read_predictions(tmp_path / "report").arms()
    original = load_arms(recorded_runs(paths), fold=fold)
    assert rebuilt.keys() == original.keys()
    for key, predicted in original.items():
        chosen = predicted.probabilities.argmax(2)
        assert (rebuilt[key].probabilities.argmax(2) == chosen).all()


def test_predictions_of_another_study_are_refused(report, tmp_path):
    with pytest.raises(StudyError, match="predictions.npz: not there; .* notebook 50"):
        read_predictions(tmp_path)
    (tmp_path / PREDICTIONS).write_bytes((report / PREDICTIONS).read_bytes())
    runs = pd.read_csv(report / RUNS)
    runs[:-3].to_csv(tmp_path / RUNS, index=False)
    with pytest.raises(StudyError, match="take both files from the same study"):
        read_predictions(tmp_path)
    runs.assign(accuracy_test=0.5).to_csv(tmp_path / RUNS, index=False)
    with pytest.raises(StudyError, match="is right on .* says 50.0000%"):
        read_predictions(tmp_path)
    (tmp_path / PREDICTIONS).write_bytes(b"PK nothing")
    assert main([str(tmp_path)]) == 2
