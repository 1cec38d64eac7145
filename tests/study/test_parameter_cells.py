"""The parameters cell of a notebook is written from base.yaml, and read back as papermill does."""

import nbformat
import pytest
from papermill import inspect_notebook

from lib.study.parameter_cells import (
    Declared,
    assignments,
    cell_source,
    comments_of,
    declared_parameters,
    read_base,
    rewrite,
)

BASE = """\
# What this file is.

# --- study ---
study: quick   # name of the study
# of whatever is drawn
seed: 0

# --- long ---
# a comment of two
# lines
words: [a]
plain: true    # false: not
"""


@pytest.fixture
def base(tmp_path) -> list[Declared]:
    (tmp_path / "base.yaml").write_text(BASE)
    return read_base(tmp_path)


def test_headings_and_comments_are_read_behind_and_above_a_key(base):
    assert base == [
        Declared("study", "study", "name of the study"),
        Declared("seed", "study", "of whatever is drawn"),
        Declared("words", "long", "a comment of two lines"),
        Declared("plain", "long", "false: not"),
    ]


def test_a_cell_has_the_order_headings_and_comments_of_the_base(base):
    values = {"plain": True, "seed": 3, "words": ["a", "b"]}
    assert cell_source(values, base).splitlines() == [
        "# --- study ---",
        "seed: int = 3  # of whatever is drawn",
        "",
        "# --- long ---",
        'words: list = ["a", "b"]  # a comment of two lines',
        "plain: bool = True  # false: not",
    ]


def test_a_comment_without_room_stands_above_its_parameter():
    comment = "a meaning of many words, each of which is needed " * 3
    cell = cell_source({"seed": 1}, [Declared("seed", "study", comment.strip())])
    lines = cell.splitlines()
    assert lines[-1] == "seed: int = 1" and max(map(len, lines)) <= 100
    assert comments_of(cell) == {"seed": comment.strip()}


def test_a_notebook_is_rewritten_once_and_keeps_which_parameters_it_declares(toy):
    path = toy.notebook("20_generation", "1", 'pool: str = ""\ngan_lr: float = 1.0\nseed: int = 9')
    assert rewrite(path) and not rewrite(path)
    declared = {"seed": 0, "pool": "drawn-faithful", "gan_lr": 0.001}
    assert declared_parameters(path) == declared
    assert list(inspect_notebook(str(path))) == list(declared)
    assert nbformat.writes(nbformat.read(path, as_version=4)) + "\n" == path.read_text()


@pytest.mark.parametrize("source", ["a: float } 1", "a = \0", "a = '''", "  a = 1", "a = \udcff"])
def test_a_cell_that_is_no_python_assigns_nothing(source):
    assert assignments(source) == {}
