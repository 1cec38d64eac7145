"""One long table: the last execution of each notebook, sorted, the same bytes every time."""

import pytest

from lib.faces.arms import ARM_FIELDS, Arm, arm_table
from lib.study.errors import StudyError
from lib.study.results import ARM_DEFAULTS, COLUMNS, collect_results
from lib.study.step import begin


@pytest.fixture
def start(tmp_path):
    """Begin an execution of a notebook."""
    return lambda notebook: begin(notebook, {"study": "quick", "output": str(tmp_path)})


def row(**changes) -> dict:
    plain = {"study": "quick", "arm": "base", "classifier": "small", "seed": 0}
    return {**plain, "split": "test", "metric": "accuracy", "class": "", "value": 0.5, **changes}


def test_the_table_is_sorted_and_does_not_depend_on_the_order_of_writing(start):
    rows = [row(seed=seed, metric=metric) for seed in (1, 0) for metric in ("kappa", "accuracy")]
    step = start("50_metrics")
    step.append_results(rows)
    first = collect_results(step.paths)
    written = (step.paths.tables / "results.parquet").read_bytes()
    start("50_metrics").append_results(rows[::-1])
    assert tuple(first.columns) == COLUMNS
    assert list(first["seed"]) == [0, 0, 1, 1]
    assert collect_results(step.paths).equals(first)
    assert (step.paths.tables / "results.parquet").read_bytes() == written


def test_a_new_execution_replaces_the_old_one_and_spares_other_notebooks(start):
    start("60_embedding").append_results([row(metric="separability")])
    start("50_metrics").append_results([row(value=0.1), row(arm="gone")])
    step = start("50_metrics")
    step.append_results([row(value=0.2)])
    step.append_results([row(value=0.3), row(seed=1)])
    table = collect_results(step.paths)
    assert list(table["value"][table["metric"] == "accuracy"]) == [0.3, 0.5]
    assert "gone" not in set(table["arm"]) and "separability" in set(table["metric"])
    assert len((step.paths.tables / "results" / "50_metrics.jsonl").read_text().splitlines()) == 5


def test_rows_carry_what_describes_their_arm(start):
    arm = Arm("supplement", "dcgan", 0.5)
    fields = arm_table([arm]).to_dict("records")[0]
    step = start("50_metrics")
    step.append_results([row(**fields, steps=160), row(arm="dcgan", metric="fd")])
    table = collect_results(step.paths).set_index("metric")
    assert (table.loc["accuracy", "kind"], table.loc["accuracy", "steps"]) == ("supplement", 160)
    assert table.loc["fd", list(ARM_DEFAULTS)].to_dict() == ARM_DEFAULTS


def test_the_columns_of_an_arm_are_its_fields():
    assert tuple(ARM_DEFAULTS) == (*ARM_FIELDS, "steps")


def test_a_torn_last_line_is_skipped(start):
    step = start("50_metrics")
    step.append_results([row()])
    file = next((step.paths.tables / "results").glob("*.jsonl"))
    with open(file, "a") as handle:
        handle.write('{"batch": "x", "stu')
    assert len(collect_results(step.paths)) == 1


@pytest.mark.parametrize("change", [{"sed": 1}, {"kind": "supplement"}])
def test_a_wrong_or_a_missing_column_is_named(start, change):
    with pytest.raises(StudyError, match="columns must be study, arm"):
        start("50_metrics").append_results([row() | change])


def test_no_results_make_an_empty_table(start):
    assert list(collect_results(start("50_metrics").paths).columns) == list(COLUMNS)
