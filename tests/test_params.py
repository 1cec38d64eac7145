"""The parameter files, and what is said about a wrong one."""

import shutil

import pytest

from lib.study.errors import StudyError
from lib.study.params import CHOICES, ELEMENTS, PARAMS, RANGES, known_pools, layers, load_params, read_yaml, studies
from lib.study.paths import ROOT

BASE = read_yaml(PARAMS / "base.yaml")
POOLS = known_pools()
SIZED = [path.stem for path in sorted((PARAMS / "pools").glob("*.yaml")) if path.stem not in POOLS]


@pytest.fixture
def folder(tmp_path):
    """A copy of the parameter files that a test may spoil."""
    shutil.copytree(PARAMS, tmp_path / "params")
    return tmp_path / "params"


def message(*sets, study="quick", **more) -> str:
    with pytest.raises(StudyError) as caught:
        load_params(study, sets, **more)
    return str(caught.value)


@pytest.mark.parametrize("study", studies())
def test_every_study_composes(study):
    assert load_params(study)["study"] == study


@pytest.mark.parametrize("pool", POOLS)
def test_every_pool_composes_and_is_named_after_its_file(pool):
    assert load_params("quick", pool=pool)["pool"] == pool


@pytest.mark.parametrize("study", studies())
def test_a_study_uses_pools_that_have_a_file(study):
    assert set(load_params(study)["pools"]) <= set(POOLS)


@pytest.mark.parametrize("study", studies())
def test_every_pool_of_a_study_composes(study):
    assert [load_params(study, pool=pool)["pool"] for pool in load_params(study)["pools"]] == load_params(study)["pools"]


@pytest.mark.parametrize("name", SIZED)
def test_a_file_of_sizes_belongs_to_a_pool_and_a_study(name):
    pool, _, size = name.rpartition("-")
    assert pool in POOLS and any(study.rpartition("-")[2] == size for study in studies())
    assert "pool" not in read_yaml(PARAMS / "pools" / f"{name}.yaml")


def test_generations_are_pools_of_their_own_from_other_seeds():
    sets = ("pools=drawn-faithful,folder,dcgan-round2,dcgan", "generations=2", "seed=7", "gan_steps=9")
    pools = load_params("quick", sets)["pools"]
    assert pools == [
        "drawn-faithful", "drawn-faithful-generation2", "folder", "dcgan-round2", "dcgan-round2-generation2", "dcgan", "dcgan-generation2",
    ]  # fmt: skip
    first, second = (load_params("quick", sets, pool) for pool in ("dcgan-round2", "dcgan-round2-generation2"))
    differs = {key: second[key] for key in first if first[key] != second[key]}
    assert differs == {"pool": "dcgan-round2-generation2", "seed": 8, "round_of": "dcgan-generation2"}
    assert "ready-made" in message(pool="folder-generation2")


def test_a_reduced_size_lies_over_the_full_study_and_its_pools(folder):
    (folder / "big.yaml").write_text("study: big\nseeds: 17\ngan_steps: 1\n")
    (folder / "big-cpu.yaml").write_text("study: big-cpu\nseeds: 6\n")
    (folder / "pools" / "dcgan.yaml").write_text("pool: dcgan\ngan_steps: 8\n")
    (folder / "pools" / "dcgan-cpu.yaml").write_text("gan_steps: 3\n")
    names = [str(path.relative_to(folder)) for path in layers("big-cpu", "dcgan", folder)]
    assert names == ["big.yaml", "big-cpu.yaml", "pools/dcgan.yaml", "pools/dcgan-cpu.yaml"]
    values = {study: load_params(study, pool="dcgan", folder=folder) for study in ("big", "big-cpu")}
    assert [(v["study"], v["seeds"], v["gan_steps"]) for v in values.values()] == [("big", 17, 8), ("big-cpu", 6, 3)]
    assert "no pool 'dcgan-cpu'" in message(pool="dcgan-cpu", folder=folder)


def test_every_key_is_flat_and_explained_once():
    lines = [line for line in (PARAMS / "base.yaml").read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(BASE)
    assert [line for line in lines if "  # " not in line] == []
    assert not any(isinstance(value, dict) for value in BASE.values())


def test_rules_name_only_keys_that_exist():
    assert set(RANGES) | set(CHOICES) | set(ELEMENTS) <= set(BASE)
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


def test_lists_are_written_with_or_without_brackets():
    assert load_params("quick", ("scarce_shares=0.1, 0.5",))["scarce_shares"] == [0.1, 0.5]
    assert load_params("quick", ("scarce_shares=[1]",))["scarce_shares"] == [1.0]
    assert load_params("quick", ("controls=",))["controls"] == []
    assert load_params("quick", ("only_arms=*-0.5, base",))["only_arms"] == ["*-0.5", "base"]
    assert load_params("quick", ('only_arms=["*-0.5"]',))["only_arms"] == ["*-0.5"]


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
        ("val_share=0.7", ["'val_share'", "0.7", "0 to 0.5"]),
        ("supplement_shares=0.1,1.2", ["'supplement_shares'", "1.2", "0 to 1"]),
        ("train_limit=-1", ["'train_limit'", "-1", "0 to"]),
        ("margin=.nan", ["'margin'", "nan"]),
        ("seeds", ["write --set key=value"]),
        ("seeds=*x.", ["--set seeds=*x.", "cannot be read"]),
        ("only_arms=[*-a]", ["cannot be read", "quote"]),
        ("study=other", ["named after its file"]),
    ],
)
def test_a_wrong_value_is_named_with_the_way_out(text, parts):
    said = message(text)
    assert [part for part in parts if part not in said] == [], said


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
    ],
)
def test_a_wrong_file_is_named(folder, text, parts):
    (folder / "quick.yaml").write_text(text)
    said = message(folder=folder)
    assert [part for part in parts if part not in said] == [], said


def test_python_objects_in_yaml_are_refused(folder):
    (folder / "quick.yaml").write_text("study: quick\nrecipe: !!python/object/apply:os.getcwd []\n")
    assert "not valid YAML" in message(folder=folder)


def test_every_key_is_used():
    """A key that no notebook declares and no machinery reads would be a switch without a wire."""
    from lib.study.params import declared_parameters

    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    if len(notebooks) < 8:
        pytest.skip("not all notebooks are there yet")
    declared = {key for path in notebooks for key in declared_parameters(path)}
    assert set(BASE) - declared - {"workers", "pools", "generations"} == set()
