"""One long table: the latest execution of each notebook, sorted, the same bytes every time."""

import pytest

from lib.study import results
from lib.study.errors import StudyError
from lib.study.paths import study_paths
from lib.study.results import COLUMNS, append_results, collect_results


@pytest.fixture
def paths(tmp_path):
    return study_paths("quick", str(tmp_path))


def row(**changes) -> dict:
    plain = {"study": "quick", "arm": "base", "classifier": "small", "seed": 0}
    return {**plain, "split": "test", "metric": "accuracy", "class": "", "value": 0.5, **changes}


def test_the_table_is_sorted_and_does_not_depend_on_the_order_of_writing(paths, monkeypatch):
    rows = [row(seed=seed, metric=metric) for seed in (1, 0) for metric in ("kappa", "accuracy")]
    append_results(paths, rows)
    first = collect_results(paths)
    bytes_before = (paths.tables / "results.parquet").read_bytes()
    monkeypatch.setattr(results, "_BATCH", "again")
    append_results(paths, rows[::-1])
    assert tuple(first.columns) == COLUMNS
    assert list(first.metric) == ["accuracy"] * 2 + ["kappa"] * 2 or list(first.seed) == [0, 0, 1, 1]
    assert collect_results(paths).equals(first)
    assert (paths.tables / "results.parquet").read_bytes() == bytes_before


def test_a_new_execution_replaces_the_old_one_and_spares_other_notebooks(paths, monkeypatch):
    monkeypatch.setenv("STUDY_STEP", "60_embedding")
    append_results(paths, [row(metric="separability")])
    monkeypatch.setenv("STUDY_STEP", "50_metrics")
    append_results(paths, [row(value=0.1), row(arm="gone")])
    monkeypatch.setattr(results, "_BATCH", "later")
    append_results(paths, [row(value=0.2)])
    append_results(paths, [row(value=0.3), row(seed=1)])
    table = collect_results(paths)
    assert list(table.value[table.metric == "accuracy"]) == [0.3, 0.5]
    assert "gone" not in set(table.arm) and "separability" in set(table.metric)
    assert len((paths.tables / "results" / "50_metrics.jsonl").read_text().splitlines()) == 5


def test_a_torn_last_line_is_skipped(paths):
    append_results(paths, [row()])
    file = next((paths.tables / "results").glob("*.jsonl"))
    with open(file, "a") as handle:
        handle.write('{"batch": "x", "stu')
    assert len(collect_results(paths)) == 1


def test_a_wrong_column_is_named(paths):
    with pytest.raises(StudyError, match="columns must be study, arm"):
        append_results(paths, [row() | {"sed": 1}])


def test_no_results_make_an_empty_table(paths):
    assert list(collect_results(paths).columns) == list(COLUMNS)
