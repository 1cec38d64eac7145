"""A grid of settings: how its cells are called, what cannot be varied, what siblings share."""

import pytest

from lib.study.adoption import bring_runs, siblings
from lib.study.cells import settings_of, settings_text, study_of
from lib.study.errors import StudyError
from lib.study.params import load_params, size_of, summary
from lib.study.paths import study_paths
from lib.study.vary import cells_of


def test_every_combination_is_a_study_called_after_its_settings_in_one_order():
    wanted = ["pool_images=1600,seeds=5", "pool_images=1600,seeds=10"]
    wanted += ["pool_images=3200,seeds=5", "pool_images=3200,seeds=10"]
    for vary in (["seeds=5,10", "pool_images=1600,3200"], ["pool_images=1600,3200", "seeds=5,10"]):
        assert cells_of("quick", vary, ()) == [f"quick~{settings}" for settings in wanted]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seeds=5,10", [5, 10]),
        ("margin=0.005,1e-2", [0.005, 0.01]),
        ("show_photographs=true,no", [True, False]),
        ("class_weights=none,inverse", ["none", "inverse"]),
        ("curation_steps=blur,label", [["blur"], ["label"]]),
        ("supplement_shares=[],[0.1],[0.1, 0.2]", [[], [0.1], [0.1, 0.2]]),
        ("classifiers=resnet18-224,[small, s2]", [["resnet18-224"], ["small", "s2"]]),
    ],
)
def test_a_cell_has_the_values_that_its_name_says(text, values):
    key = text.partition("=")[0]
    recipe = ("recipes=quick",)
    cells = cells_of("quick", [text], recipe)
    assert [load_params(cell, recipe)[key] for cell in cells] == values
    assert [load_params(cell, recipe)["study"] for cell in cells] == cells
    assert load_params(cells[0], ("seed=3",))["seed"] == 3


def test_a_cell_is_of_its_study_s_size_and_what_that_is_about():
    cell = "amounts-cpu~classifiers=resnet18-224,seeds=5"
    assert study_of(cell) == "amounts-cpu" and settings_of("amounts-cpu") == ()
    assert summary(cell) == summary("amounts-cpu") and size_of(cell) == "reduced size"
    assert size_of("amounts") == "full size" and size_of("quality-cpu") == "sized for two cores"
    assert settings_text(cell) == "classifiers resnet18-224, seeds 5"


@pytest.mark.parametrize("cell", cells_of("quick", ["seeds=5,10", "curation_steps=[],blur"], ()))
def test_the_name_of_a_cell_is_one_on_every_file_system(cell):
    assert not set(cell) & set('<>:"/\\|?* \t') and cell[-1] not in ". "


@pytest.mark.parametrize(
    ("vary", "sets", "parts"),
    [
        (["seeds"], (), ["write --vary key=a,b"]),
        (["seeds=5"], (), ["one value (5)", "use --set"]),
        (["seeds=5,5"], (), ["one value (5)"]),
        (["seeds="], (), ["one value (none)"]),
        (["sed=5,10"], (), ["unknown key 'sed'", "did you mean 'seed'"]),
        (["seeds=5,many"], (), ["'seeds' is 'many'", "must be int"]),
        (["margin=0.005,5"], (), ["'margin' is 5", "it is a share, not points"]),
        (["seeds=5,10", "seeds=20,30"], (), ["seeds is varied twice"]),
        (["seeds=5,10"], ("seeds=7",), ["--set gives it a value too"]),
        (["output=a,b"], (), ["where or how a study runs"]),
        (["study=quick,full"], (), ["where or how a study runs"]),
        (["data=a/b.zip,drawn"], (), ["'a/b.zip' has no place in the name of a folder"]),
        (["only_arms=[base-*],[]"], (), ["'base-*' has no place"]),
        (["seeds=1,2,3,4,5,6,7", "n_boot=200,300,400,500,600,700"], (), ["42 studies, at most 36"]),
        (["classes=[a,b],[" + ",".join("c" * 20 for _ in range(9)) + "]"], (), ["is longer than"]),
    ],
)
def test_what_makes_no_grid_is_named_with_the_way_out(vary, sets, parts):
    with pytest.raises(StudyError) as caught:
        cells_of("quick", vary, sets)
    assert [part for part in parts if part not in str(caught.value)] == [], caught.value


def test_a_cell_is_not_varied_again_and_one_of_unknown_settings_is_none():
    with pytest.raises(StudyError, match="is a cell of a grid itself; give --study quick"):
        cells_of("quick~seeds=5", ["seed=1,2"], ())
    with pytest.raises(StudyError, match="study quick~sed=5: unknown key 'sed'"):
        load_params("quick~sed=5")
    with pytest.raises(StudyError, match="no study 'quik'"):
        load_params("quik~seeds=5")


def finished_run(folder, text: str) -> None:
    """A training run with its predictions and its result."""
    folder.mkdir(parents=True)
    (folder / "predictions.npz").write_text(text)
    (folder / "result.json").write_text(text)


def test_cells_share_finished_training_runs_and_no_others(tmp_path):
    quick, cell = (study_paths(name, str(tmp_path)) for name in ("quick", "quick~seeds=5"))
    for paths in (quick, cell, study_paths("quickly", str(tmp_path))):
        paths.state.mkdir(parents=True)
    assert [paths.root.name for paths in siblings(cell)] == ["quick"]
    assert [paths.root.name for paths in siblings(quick)] == ["quick~seeds=5"]

    finished_run(quick.runs / "base-seed0", "0")
    finished_run(quick.runs / "base-seed1", "1")
    finished_run(cell.runs / "base-seed1", "own")
    (quick.runs / "base-seed2").mkdir()
    (quick.runs / "base-seed2" / "predictions.npz").write_text("half")
    bring_runs(quick.runs, cell.runs)
    shared = [folder / "base-seed0" / "predictions.npz" for folder in (quick.runs, cell.runs)]
    assert shared[1].read_text() == "0" and shared[0].samefile(shared[1])
    assert (cell.runs / "base-seed1" / "result.json").read_text() == "own"
    assert not (cell.runs / "base-seed2").exists()
