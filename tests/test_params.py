"""The parameter files, and what a message says about a wrong one."""

import re
import shutil

import pytest

from lib.study.errors import StudyError
from lib.study.generations import family_of, first_generations
from lib.study.parameter_cells import declared_parameters, read_base
from lib.study.parameter_rules import CHOICES, ELEMENTS, RANGES, RENAMED, RENAMED_VALUES
from lib.study.params import (
    PARAMS,
    check_generator,
    known_pools,
    layers,
    load_params,
    read_entries,
    read_yaml,
    studies,
    summary,
)
from lib.study.paths import ROOT

BASE = read_yaml(PARAMS / "base.yaml")
POOLS = known_pools()
SIZED = [path.stem for path in sorted((PARAMS / "pools").glob("*.yaml")) if path.stem not in POOLS]
# What run_all.py reads itself, for no notebook to declare.
OF_THE_PLAN = {"workers", "pools", "generations", "stages"}


@pytest.fixture
def folder(tmp_path):
    """A copy of the parameter files that a test may break."""
    shutil.copytree(PARAMS, tmp_path / "params")
    return tmp_path / "params"


def message(*sets, study="quick", **more) -> str:
    with pytest.raises(StudyError) as caught:
        load_params(study, sets, **more)
    return str(caught.value)


@pytest.mark.parametrize("study", studies())
def test_every_study_composes_and_says_what_it_is(study):
    assert load_params(study)["study"] == study
    assert summary(study).endswith((".", "?"))


@pytest.mark.parametrize("pool", POOLS)
def test_every_pool_composes_and_is_named_after_its_file(pool):
    assert load_params("quick", pool=pool)["pool"] == pool


@pytest.mark.parametrize("study", studies())
def test_every_pool_of_a_study_has_a_file_and_composes(study):
    pools = load_params(study)["pools"]
    assert {family_of(pool) for pool in pools} <= set(POOLS)
    assert [load_params(study, pool=pool)["pool"] for pool in pools] == pools


@pytest.mark.parametrize("name", SIZED)
def test_a_file_of_sizes_belongs_to_a_pool_and_a_study(name):
    ends = {*studies(), *(study.rpartition("-")[2] for study in studies())}
    assert any(name == f"{pool}-{end}" for pool in POOLS for end in ends)
    assert "pool" not in read_yaml(PARAMS / "pools" / f"{name}.yaml")


def test_later_generations_read_weights_files_of_their_own():
    read = [
        load_params("internship-cpu", (), pool)["generator_weights"]
        for pool in ("dcgan", "dcgan-generation2")
    ]
    first = "reports/weights/dcgan-long"
    assert read == [f"{first}.safetensors", f"{first}-generation2.safetensors"]


def test_generations_are_pools_of_their_own_from_other_seeds():
    pools = "pools=drawn-faithful,folder,dcgan-round2,dcgan"
    sets = (pools, "generations=2", "seed=7", "gan_steps=9")
    assert load_params("quick", sets)["pools"] == [
        "drawn-faithful",
        "drawn-faithful-generation2",
        "folder",
        "dcgan-round2",
        "dcgan-round2-generation2",
        "dcgan",
        "dcgan-generation2",
    ]
    first = load_params("quick", sets, "dcgan-round2")
    second = load_params("quick", sets, "dcgan-round2-generation2")
    assert {key: second[key] for key in first if first[key] != second[key]} == {
        "pool": "dcgan-round2-generation2",
        "seed": 8,
        "round_of": "dcgan-generation2",
    }
    assert "ready-made" in message(pool="folder-generation2")


def test_the_first_generations_of_pools_are_taken_in_their_order():
    pools = ["dcgan", "dcgan-generation2", "cgan~gan_steps=9-generation3", "folder"]
    assert first_generations(pools, 1) == ["dcgan", "folder"]
    assert first_generations(pools, 2) == ["dcgan", "dcgan-generation2", "folder"]


def test_a_pool_can_have_more_generations_than_the_others(folder):
    file = folder / "pools" / "dcgan.yaml"
    file.write_text(file.read_text() + "generations: 3\n")
    study = load_params("quick", ("pools=folder,dcgan",), folder=folder)
    three = ["dcgan", "dcgan-generation2", "dcgan-generation3"]
    assert study["pools"] == ["folder", *three]

    # Seen from the pool's own notebook the study is the same one.
    last = load_params("quick", ("pools=folder,dcgan",), three[-1], folder=folder)
    assert (last["pools"], last["generations"]) == (study["pools"], study["generations"])
    assert last["seed"] == study["seed"] + 2
    file.write_text(file.read_text().replace("generations: 3", "generations: 0"))
    assert "generations" in message("pools=folder,dcgan", folder=folder)


def test_a_pool_with_another_setting_is_a_pool_of_its_own_that_its_name_describes(folder):
    few = "dcgan~gan_steps=250,gan_lr=0.002"
    sets = ("gan_steps=9", f"pools=[dcgan, '{few}', dcgan~gan_width=16]", "generations=2")
    values = load_params("quick", sets, few)
    assert (values["gan_steps"], values["gan_lr"]) == (250, 0.002)
    assert (values["pool"], values["generator"]) == (few, "dcgan")
    assert values["pools"][2:4] == [few, f"{few}-generation2"]

    # A later generation has the settings too, and another seed.
    later = load_params("quick", sets, f"{few}-generation2")
    assert (later["gan_steps"], later["seed"]) == (250, values["seed"] + 1)
    assert later["pool"] == f"{few}-generation2"


@pytest.mark.parametrize("name", ["dcgan~gan_steps", "dcgan~gan_source=a/b", "dcgan~"])
def test_a_pool_whose_settings_no_folder_could_be_named_after_is_refused(name):
    assert "no setting" in message(pool=name)


def test_a_setting_in_a_pools_name_is_checked_like_any_other():
    assert "gan_steps" in message(pool="dcgan~gan_steps=many")
    assert "did you mean 'gan_steps'" in message(pool="dcgan~gan_step=3")
    assert "no pool 'dcgn'" in message(pool="dcgn~gan_steps=3")


def test_a_pool_named_after_a_setting_is_made_with_it():
    values = {"pool": "dcgan~gan_steps=250", "generator": "dcgan", "gan_steps": 250}
    check_generator(values)
    with pytest.raises(StudyError, match="gan_steps: the pool .* is made with 250, not 600"):
        check_generator(values | {"gan_steps": 600})


def test_a_reduced_size_lies_over_the_full_study_and_its_pools(folder):
    (folder / "big.yaml").write_text("study: big\nseeds: 17\ngan_steps: 1\n")
    (folder / "big-cpu.yaml").write_text("study: big-cpu\nseeds: 6\n")
    (folder / "pools" / "dcgan.yaml").write_text("pool: dcgan\ngan_steps: 8\n")
    (folder / "pools" / "dcgan-cpu.yaml").write_text("gan_steps: 3\ngenerations: 2\n")
    names = [str(path.relative_to(folder)) for path in layers("big-cpu", "dcgan", folder)]
    assert names == ["big.yaml", "big-cpu.yaml", "pools/dcgan.yaml", "pools/dcgan-cpu.yaml"]
    full = load_params("big", pool="dcgan", folder=folder)
    reduced = load_params("big-cpu", pool="dcgan", folder=folder)
    assert (full["study"], full["seeds"], full["gan_steps"]) == ("big", 17, 8)
    assert (reduced["study"], reduced["seeds"], reduced["gan_steps"]) == ("big-cpu", 6, 3)
    assert "dcgan-generation2" in reduced["pools"]
    assert "dcgan-generation2" not in full["pools"]

    # One study may have sizes of its own.
    (folder / "pools" / "dcgan-big-cpu.yaml").write_text("gan_steps: 5\n")
    own = load_params("big-cpu", pool="dcgan", folder=folder)
    assert (own["gan_steps"], "dcgan-generation2" in own["pools"]) == (5, True)
    assert load_params("big", pool="dcgan", folder=folder)["gan_steps"] == 8
    assert "no pool 'dcgan-cpu'" in message(pool="dcgan-cpu", folder=folder)


def test_a_summary_is_the_first_comment_up_to_the_command(folder):
    text = "# One sentence\n# in two lines.\n# run_all.py --study big\n# More.\nstudy: big\n"
    (folder / "big.yaml").write_text(text)
    assert summary("big", folder) == "One sentence in two lines."
    assert summary("nowhere", folder) == ""


def test_every_key_is_flat_and_explained_once_under_a_heading():
    declared = read_base()
    assert [parameter.name for parameter in declared] == list(BASE)
    assert [p.name for p in declared if not p.comment or not p.group] == []
    assert not any(isinstance(value, dict) for value in BASE.values())


def test_comments_have_no_equals_sign_which_papermill_would_take_for_an_assignment():
    assert [parameter.name for parameter in read_base() if "=" in parameter.comment] == []


def test_rules_name_only_keys_that_exist():
    assert set(RANGES) | set(CHOICES) | set(ELEMENTS) | set(RENAMED_VALUES) <= set(BASE)
    assert {key for key, value in BASE.items() if value == []} == set(ELEMENTS)


def test_later_files_win(folder):
    (folder / "quick.yaml").write_text("study: quick\ngan_steps: 7\npool_images: 5\n")
    (folder / "pools" / "acgan.yaml").write_text("pool: acgan\ngan_steps: 8\n")
    assert load_params("quick", folder=folder)["gan_steps"] == 7
    assert load_params("quick", pool="acgan", folder=folder)["gan_steps"] == 8
    values = load_params("quick", ("gan_steps=9",), pool="acgan", folder=folder)
    assert (values["gan_steps"], values["pool_images"]) == (9, 5)


def test_a_small_number_that_yaml_reads_as_text_is_a_number(folder):
    (folder / "quick.yaml").write_text("study: quick\ngan_lr: 1e-3\n")
    assert load_params("quick", folder=folder)["gan_lr"] == 0.001
    assert load_params("quick", ("gan_lr=2e-4",))["gan_lr"] == 0.0002


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("scarce_shares=0.1, 0.5", "scarce_shares", [0.1, 0.5]),
        ("scarce_shares=[1]", "scarce_shares", [1.0]),
        ("controls=", "controls", []),
        ("only_arms=*-0.5, base", "only_arms", ["*-0.5", "base"]),
        ('only_arms=["*-0.5"]', "only_arms", ["*-0.5"]),
        ("classes=happy,sad", "classes", ["happy", "sad"]),
    ],
)
def test_lists_are_written_with_or_without_brackets(text, key, value):
    assert load_params("quick", (text,))[key] == value


def test_text_is_taken_as_it_stands():
    assert load_params("quick", ("data=/some=where/yes: no",))["data"] == "/some=where/yes: no"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("train_step=5", ["--set", "'train_step'", "5", "did you mean 'train_steps'"]),
        ("gan_lr=fast", ["'gan_lr'", "'fast'", "0.001"]),
        ("seeds=2.5", ["'seeds'", "2.5", "float", "int"]),
        ("seeds=yes", ["'seeds'", "True", "quote"]),
        ("curated=maybe", ["'curated'", "'maybe'", "true or false"]),
        ("controls=shufled", ["'controls'", "did you mean 'shuffled'", "duplicate, shuffled"]),
        ("device=gpu", ["'device'", "did you mean 'cpu'", "auto, cpu, cuda"]),
        ("labels=votes", ["'labels'", "'votes'", "own, ferplus"]),
        ("val_share=0.7", ["'val_share'", "0.7", "0 to 0.5"]),
        ("supplement_shares=0.1,1.2", ["'supplement_shares'", "1.2", "0 to 1"]),
        ("train_limit=-1", ["'train_limit'", "-1", "0 to"]),
        ("margin=.nan", ["'margin'", "nan"]),
        ("seeds", ["write --set key=value"]),
        ("seeds=*x.", ["--set seeds=*x.", "cannot be read"]),
        ("only_arms=[*-a]", ["cannot be read", "quote"]),
        ("study=other", ["named after its file"]),
        ("classes=../x,y", ["classes", "'../x'", "name of a folder"]),
        ("classes=['a\\nb', c]", ["classes", "name of a folder"]),
        ("folds=1", ["folds", "nothing to train on", "0", "2"]),
        ("stages=99", ["stages", "no notebook 99", "there are 10, 20"]),
        (f"seed={'9' * 5000}", ["--set seed=999", "cannot be read"]),
        (f"seed={'9' * 400}", ["'seed'", "too large a number"]),
        (f"margin={'9' * 400}", ["'margin'", "too large a number"]),
        (f"seed=0x{'f' * 9000}", ["'seed'", "thousands of digits", "too large a number"]),
        ("seed=2024-13-45", ["--set seed=2024-13-45", "cannot be read"]),
        (f"device={'x' * 9000}", ["'device'", "xxx...", "auto, cpu, cuda"]),
    ],
)
def test_a_wrong_value_is_named_with_the_way_out(text, parts):
    shown = message(text)
    assert [part for part in parts if part not in shown] == [], shown
    assert len(shown) < 1000


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_is_answered_with_the_new_one(folder, old, new):
    assert new in BASE and old not in BASE
    wanted = f"key '{old}' is now called '{new}'"
    assert wanted in message(f"{old}=3")
    (folder / "quick.yaml").write_text(f"study: quick\n{old}: 3\n")
    assert wanted in message(folder=folder)


def test_an_old_word_of_a_list_is_answered_with_the_new_one():
    assert "'fewer' is now called 'fewer_steps'" in message("controls=duplicate,fewer")


@pytest.mark.parametrize(
    "classes", ["happy", "happy,sad,happy", "happy,Happy", "[happy, ' happy']"]
)
def test_classes_are_two_or_more_each_once(classes):
    assert "name two or more, each once" in message(f"classes={classes}")


@pytest.mark.parametrize("data", ["drawn", "digits"])
def test_ferplus_labels_are_of_fer2013_alone(data):
    assert "FER2013" in message(f"data={data}", "labels=ferplus")


def test_an_unknown_study_or_pool_gets_the_nearest_name():
    assert "did you mean 'quick'" in message(study="quik")
    assert "did you mean 'drawn-narrow'" in message(pool="drawn-narow")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("study: quick\nseeds: 5\nseeds: 6\n", ["quick.yaml", "'seeds'", "twice"]),
        ("study: quick\nseeds: [5\n", ["quick.yaml", "not valid YAML"]),
        ("study: quick\nseeds: [5]\n", ["quick.yaml", "'seeds'", "list"]),
        ("study: quick\ncontrols: duplicate\n", ["quick.yaml", "'controls'", "write [duplicate]"]),
        ("study: quick\ngenerator: off\n", ["quick.yaml", "'generator'", "quote"]),
        ("study: slow\n", ["named after its file"]),
        ("study: quick\n'seeds': 5\nseeds: 6\n", ["quick.yaml", "'seeds'", "twice"]),
        ("study: quick\nseed: 2024-13-45\n", ["quick.yaml", "not valid YAML"]),
        (f"study: quick\nseed: {'9' * 5000}\n", ["quick.yaml", "not valid YAML"]),
        ("study: quick\nseed: !!int x\n", ["quick.yaml", "not valid YAML"]),
        ("study: quick\nseed: !!timestamp x\n", ["quick.yaml", "not valid YAML"]),
        ("study: quick\nseed: &a [*a]\n", ["quick.yaml", "'seed'", "list"]),
        ("study: quick\nseed: \0\n", ["quick.yaml", "not valid YAML"]),
        ("study: quick # für\n".encode("latin-1"), ["quick.yaml", "not text in UTF-8"]),
        ("study: quick\n".encode("utf-16"), ["quick.yaml", "not text in UTF-8"]),
    ],
)
def test_a_wrong_file_is_named(folder, text, parts):
    (folder / "quick.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    shown = message(folder=folder)
    assert [part for part in parts if part not in shown] == [], shown


@pytest.mark.parametrize(
    "text", ["claims: 3", "claims: [3]", "claims: {a: b}", "- a", "claims: [", "\0"]
)
def test_a_file_of_entries_that_holds_none_is_named(tmp_path, text):
    (tmp_path / "claims.yaml").write_text(text)
    with pytest.raises(StudyError, match="claims.yaml"):
        read_entries(tmp_path / "claims.yaml", "claims")


def test_python_objects_in_yaml_are_refused(folder):
    (folder / "quick.yaml").write_text("study: quick\nrecipe: !!python/object/apply:os.getcwd []\n")
    assert "not valid YAML" in message(folder=folder)


def test_every_key_is_used():
    """A key that no notebook declares and no machinery reads would be a switch without a wire."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    declared = {key for path in notebooks for key in declared_parameters(path)}
    assert set(BASE) - declared - OF_THE_PLAN == set()


def test_no_line_of_a_parameter_file_is_wider_than_a_hundred_columns():
    wide = []
    for path in sorted(PARAMS.rglob("*.yaml")):
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        wide += [f"{path.relative_to(ROOT)}:{number}" for number, line in lines if len(line) > 100]
    assert wide == []


def test_the_old_names_are_nowhere_in_use():
    old = re.compile(rf"\b({'|'.join(RENAMED)})\b")
    files = [*PARAMS.rglob("*.yaml"), *(ROOT / "notebooks").glob("*.ipynb")]
    assert [file.name for file in files if old.search(file.read_text(encoding="utf-8"))] == []


def test_each_number_of_real_images_has_its_number_of_runs_or_none_has():
    with pytest.raises(StudyError, match="real_count_seeds: 2 for 3 real_counts"):
        load_params("amounts-cpu", ("real_counts=287,718,0", "real_count_seeds=10,6"))
    assert load_params("amounts-cpu", ("real_count_seeds=[]",))["real_count_seeds"] == []
