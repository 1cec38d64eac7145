"""Tables: one unit and as many decimals a column, words for machine names, numbers for the CSV."""

import re

import numpy as np
import pandas as pd
import pytest

from lib import plots
from lib.faces.arms import Arm, arm_table
from lib.plots.tables import number_text, table, table_html
from lib.report.names import name_study


def cells(page: str) -> list[list[str]]:
    """The texts of a table, row by row."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL)
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in found]


def column(page: str, place: int) -> list[str]:
    return [row[place] for row in cells(page)]


def test_shares_are_percent_and_differences_points_each_with_one_decimal():
    data = pd.DataFrame(
        {"pool": ["a", "b"], "accuracy": [0.5675, 1.0], "difference": [-0.011, 0.2]}
    )
    page = table_html(data, "c")
    assert column(page, 1) == ["accuracy, %", "56.8", "100.0"]
    assert column(page, 2) == ["difference, points", "−1.1", "+20.0"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([28709.0, 5.0], ["28,709", "5"]),  # counts that became floats
        ([0.123456, 2.5], ["0.123", "2.500"]),
        ([1234.5, 0.25], ["1234", "0"]),
        ([123.45, 0.25], ["123.5", "0.2"]),
        ([2.4e-5, 1e-6], ["0.000024", "0.000001"]),
        ([np.nan, 0.5], ["–", "0.500"]),
        ([np.inf, -0.5], ["∞", "−0.500"]),
        ([-0.0001, 0.5], ["0.000", "0.500"]),
    ],
)
def test_all_numbers_of_a_column_have_as_many_decimals(values, shown):
    page = table_html(pd.DataFrame({"pool": ["a", "b"], "something": values}))
    assert column(page, 1)[1:] == shown


def test_small_p_values_are_named_by_their_bound():
    page = table_html(pd.DataFrame({"pool": ["a", "b"], "p": [2.4e-5, 0.0312]}))
    assert column(page, 1) == ["p", "&lt;0.001", "0.031"]


def test_a_number_and_its_interval_stand_in_one_cell_and_go_apart_into_the_csv():
    data = pd.DataFrame({"pool": ["a"], "difference": [0.05], "low": [0.01], "high": [0.09]})
    page = table_html(data)
    assert column(page, 1) == ["difference, points (95% interval)", "5.0 (1.0 to 9.0)"]
    assert 'data-k="difference|low|high"' in page and 'data-v="0.05|0.01|0.09"' in page


def test_the_interval_beside_a_verdict_is_the_one_that_decides_it():
    """−0.5 (−1.0 to −0.1) is never called undecided."""
    numbers = {"difference": [-0.005, 0.02], "low": [-0.01, 0.01], "high": [-0.001, 0.03]}
    decided = {"low_decided": [-0.012, np.nan], "high_decided": [0.002, np.nan]}
    data = pd.DataFrame({"pool": ["a", "b"]} | numbers | decided)
    page = table_html(data.assign(verdict=["undecided", "helps"]))
    head, first, second = column(page, 1)
    assert head == "difference, points (deciding interval)"
    assert first == "−0.5 (−1.2 to +0.2)"
    assert second == "+2.0 (+1.0 to +3.0)"
    assert len(cells(page)[0]) == 3


def test_other_intervals_are_columns_of_their_own():
    data = pd.DataFrame({"pool": ["a"], "value": [2.5], "low": [1.0], "high": [3.0]})
    page = table_html(data.assign(null_low=2.0, null_high=2.9))
    assert cells(page)[0][2] == "other real images"
    assert column(page, 2)[1] == "2.000 to 2.900"


def test_machine_names_become_words_and_stay_in_the_tooltip():
    data = arm_table([Arm("supplement", "dcgan", 0.1178), Arm("base")]).assign(accuracy=0.5)
    page = table_html(data)
    assert cells(page)[0] == ["training images", "accuracy, %"]
    assert column(page, 0)[1:] == ["DCGAN, 12% of the training images", "all real images"]
    assert 'title="supplement-0.1178-dcgan"' in page


def test_an_arm_that_a_table_holds_by_its_name_alone_is_found_among_those_of_the_study():
    data = pd.DataFrame({"arm": ["replace-0.5-dcgan", "unknown"], "accuracy": 0.5})
    assert column(table_html(data), 0)[1:] == ["replace-0.5-dcgan", "unknown"]
    name_study({}, [Arm("replace", "dcgan", 0.5)])
    words = "DCGAN in place of 50% of the real images"
    assert column(table_html(data), 0)[1:] == [words, "unknown"]


def test_a_study_of_one_network_does_not_name_it_in_every_row():
    data = pd.DataFrame({"classifier": "small", "arm": ["base", "x"], "accuracy": 0.5})
    assert cells(table_html(data))[0] == ["training images", "accuracy, %"]
    several = data.assign(classifier=["small", "large"])
    assert cells(table_html(several))[0] == ["training images", "network", "accuracy, %"]


def test_long_tables_are_folded_after_their_first_rows_and_say_so_to_a_printer():
    data = pd.DataFrame({"pool": list("abcdefgh"), "n": range(8)})
    page = table_html(data, "long", first=5)
    assert page.count('<tr class="more">') == 3 and 'data-more="3"' in page
    assert '<tr class="more">' not in table_html(data, first=6)
    assert "<details><summary>long <small>(8 rows)" in table_html(data, "long", folded=True)


def test_a_folded_table_without_rows_is_not_shown(capsys):
    nothing = pd.DataFrame({"pool": [], "n": []})
    table(nothing, "long", folded=True)
    assert capsys.readouterr().out == ""
    table(nothing, "long")
    assert capsys.readouterr().out


def test_texts_are_escaped_and_verdicts_have_their_colour():
    data = pd.DataFrame({"pool": ["<b>", "x&y"], "verdict": ["helps", "<i>"]})
    page = table_html(data, 'a "caption" <u>')
    assert "<b>" not in page and "<i>" not in page and "<u>" not in page
    assert '<span class="pill helps">helps</span>' in page
    assert 'aria-label="a &quot;caption&quot; &lt;u&gt;"' in page


def test_every_head_says_that_it_is_one_and_the_first_cell_names_its_row():
    page = table_html(pd.DataFrame({"pool": ["a"], "n": [3]}))
    assert page.count('scope="col"') == 2 and page.count('scope="row"') == 1


def test_a_number_that_names_its_row_stands_under_the_head_of_its_column():
    page = table_html(pd.DataFrame({"n_images": [1000, 20], "same_class": [1.0, 0.5]}))
    assert page.count('<th scope="row" class="n"') == page.count("<tr>") - 1 == 2
    assert '<th scope="col" class="n" data-k="n_images">' in page


def test_the_same_caption_makes_the_same_anchor():
    data = pd.DataFrame({"pool": ["a"]})
    assert 'id="table-what-was-found-in-the"' in table_html(data, "What was found, in the end")
    assert re.search(r'id="table-[0-9a-f]{8}"', table_html(data))


def test_a_named_index_is_a_column_and_numbers_of_rows_are_none():
    data = pd.DataFrame({"pool": ["a"], "n": [3]}, index=[7])
    assert len(cells(table_html(data))[0]) == 2
    assert cells(table_html(data.set_index("pool")))[0][0] == "pool"


def test_numbers_that_nobody_described_take_the_unit_that_is_asked_for():
    data = pd.DataFrame({"pool": ["a"], "happy": [0.5], "n": [3]})
    assert cells(table_html(data, kinds={"": "share"}))[1] == ["a", "50.0", "3"]


def test_a_table_is_displayed(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda item: shown.append(item.data))
    plots.table(pd.DataFrame({"pool": ["a"]}), "caption")
    assert '<figure class="table"' in shown[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (None, "–"), (3, "3"), (-3, "−3"), (0.25, "0.250"), ("x-y", "x-y")],
)
def test_single_values_among_texts(value, text):
    assert number_text(value) == text


def test_a_column_without_a_word_is_left_out():
    data = pd.DataFrame({"pool": ["dcgan", "cgan"], "left out": ["", ""], "reason": ["", "small"]})
    heads = re.findall(r"data-k=\"([^\"]+)\"", table_html(data))
    assert heads == ["pool", "reason"]
