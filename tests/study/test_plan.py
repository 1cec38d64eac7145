"""Which executions a study has, and in which order."""

import pytest

from lib.study import stages
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.plan import earlier_rounds, plan_tasks, select
from lib.study.stages import default_threads

ONCE = (
    "10_data",
    "40_training",
    "50_metrics",
    "55_amounts",
    "60_embedding",
    "70_application",
    "80_findings",
)
ONCE_A_POOL = ("20_generation", "30_curation")


@pytest.fixture
def tasks(toy):
    for name in ONCE:
        toy.stage(name)
    for name in ONCE_A_POOL:
        toy.stage(name, pool=True)
    sets = ("pools=dcgan,drawn-narrow", "seed=3")
    return plan_tasks("quick", sets, notebooks=toy.root / "notebooks")


def upstream(tasks, name) -> set:
    return set(next(task for task in tasks if task.name == name).upstream)


def test_every_notebook_once_and_every_pool_twice(tasks):
    assert [task.name for task in tasks] == [
        "10_data",
        "20_generation-dcgan",
        "20_generation-drawn-narrow",
        "30_curation-dcgan",
        "30_curation-drawn-narrow",
        "40_training",
        "50_metrics",
        "55_amounts",
        "60_embedding",
        "70_application",
        "80_findings",
    ]


def test_a_pool_waits_for_itself_and_the_training_for_all_pools(tasks):
    assert upstream(tasks, "30_curation-dcgan") == {"10_data", "20_generation-dcgan"}
    before = {task.name for task in tasks if task.stage < 40}
    assert upstream(tasks, "40_training") == before


@pytest.mark.parametrize("beside", ["55_amounts", "60_embedding", "70_application"])
def test_the_amounts_the_map_and_the_video_run_beside_the_metrics(tasks, beside):
    assert upstream(tasks, beside) == upstream(tasks, "50_metrics")


def test_the_findings_run_after_the_metrics(tasks):
    before = upstream(tasks, "50_metrics") | {"50_metrics", "55_amounts"}
    assert upstream(tasks, "80_findings") == before


def test_a_notebook_gets_what_it_declares_and_its_pools_values(tasks):
    by_name = {task.name: task.values for task in tasks}
    assert by_name["10_data"] == {"study": "quick", "output": "", "write": True, "seed": 3}
    assert by_name["20_generation-dcgan"]["pool"] == "dcgan"


@pytest.mark.parametrize(
    ("only", "number"), [("", 9), ("40,50", 2), ("40-60", 4), ("20", 1), ("10, 60-80", 4)]
)
def test_stages_are_picked_by_number_and_span(tasks, only, number):
    assert len({task.stage for task in select(tasks, only)}) == number


@pytest.mark.parametrize("only", ["x", "40-", "-40", "99", "60-50"])
def test_a_stage_that_is_none_is_named(tasks, only):
    with pytest.raises(StudyError, match=f"--only {only}: "):
        select(tasks, only)


@pytest.mark.parametrize(
    ("notebook", "cores", "workers", "threads"),
    [
        ("40_training", 4, 0, 4),
        ("20_generation", 4, 0, 1),
        ("20_generation", 16, 0, 4),
        ("20_generation", 4, 2, 2),
        ("50_metrics", 2, 0, 1),
        ("50_metrics", 12, 0, 3),
    ],
)
def test_cores_are_shared_among_the_notebooks_that_run_at_once(
    monkeypatch, notebook, cores, workers, threads
):
    monkeypatch.setattr(stages, "cores", lambda: cores)
    assert default_threads(notebook, load_params("quick") | {"workers": workers}) == threads


@pytest.fixture
def two_rounds(toy):
    """A study whose pool of a second round stands first, so that its order is the plan's work."""
    for name in ("10_data", "40_training"):
        toy.stage(name)
    for name in ONCE_A_POOL:
        toy.stage(name, pool=True)
    sets = ("pools=drawn-narrow-round2,dcgan,drawn-narrow",)
    return plan_tasks("quick", sets, notebooks=toy.root / "notebooks")


def test_a_second_round_waits_for_the_curation_of_the_first(two_rounds):
    first = {"10_data", "20_generation-drawn-narrow"}
    assert upstream(two_rounds, "30_curation-drawn-narrow") == first
    second = first | {"30_curation-drawn-narrow"}
    assert upstream(two_rounds, "20_generation-drawn-narrow-round2") == second
    second |= {"20_generation-drawn-narrow-round2"}
    assert upstream(two_rounds, "30_curation-drawn-narrow-round2") == second
    assert len(upstream(two_rounds, "40_training")) == 7


def test_whatever_a_task_waits_for_stands_before_it(two_rounds):
    names = [task.name for task in two_rounds]
    for task in two_rounds:
        assert set(task.upstream) <= set(names[: names.index(task.name)])


def test_rounds_are_chained():
    before = {"c": "b", "b": "a", "a": "", "x": ""}
    assert earlier_rounds(before) == {"c": ("b", "a"), "b": ("a",), "a": (), "x": ()}


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (
            {"b": "a"},
            "pool b: round_of is 'a', which is not among the study's pools; "
            "add it: --set pools=a,b",
        ),
        ({"a": "b", "b": "a"}, "pool b: round_of is 'a', which itself waits for b"),
    ],
)
def test_mistakes_in_rounds_are_explained(before, message):
    with pytest.raises(StudyError, match=message):
        earlier_rounds(before)


def test_a_verdict_is_one_notebook_and_no_other_study_has_it(tasks):
    sets = ("data=drawn", "synthetic=tests")
    assert [task.name for task in plan_tasks("verdict", sets)] == ["90_verdict"]
    assert "90_verdict" not in {task.name for task in tasks}
    assert plan_tasks("verdict", sets)[0].upstream == ()


def test_further_pools_have_to_be_there():
    with pytest.raises(StudyError, match="more_synthetic 1: nowhere: no such file or folder"):
        plan_tasks("verdict", ("data=drawn", "synthetic=tests", "more_synthetic=nowhere"))


def test_a_verdict_says_at_once_at_which_sizes_it_compares_faces():
    from lib.study.parameter_rules import VERDICT_PX
    from lib.verdict.inputs import LARGEST_PX, SMALLEST_PX

    assert VERDICT_PX == (SMALLEST_PX, LARGEST_PX)
    for px in (40, 112):
        with pytest.raises(StudyError, match=f"image_px: {px}; a verdict compares .* 48 to 96"):
            plan_tasks("verdict", ("data=drawn", "synthetic=tests", f"image_px={px}"))
    assert plan_tasks("quick", ("image_px=40",))


def test_a_verdict_stops_at_once_where_it_has_nothing_to_compare(tmp_path):
    for name in ("real", "made"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    real, made = str(tmp_path / "real"), str(tmp_path / "made")
    for pools, message in (
        ([f"synthetic={real}"], "is the folder of the real images"),
        ([f"synthetic={made}", f"more_synthetic=['{made}']"], "is given twice"),
    ):
        with pytest.raises(StudyError, match=message):
            plan_tasks("verdict", (f"data={real}", *pools))
