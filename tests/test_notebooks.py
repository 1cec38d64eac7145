"""What every notebook promises: a readable question, checked parameters, short cells, nothing that
belongs in lib.
"""

import ast
import importlib
import importlib.util
import json
import re
import statistics

import nbformat
import pytest
from papermill import inspect_notebook

from lib.study.parameter_cells import (
    METADATA,
    cell_source,
    comments_of,
    declared_parameters,
    opened_values,
    read_base,
)
from lib.study.params import PARAMS, read_yaml
from lib.study.paths import ROOT
from lib.study.stages import FINDINGS, UPSTREAM, stage_of

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

BANNED_NODES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try, ast.While, ast.Global)
BANNED_NAMES = {"exit", "quit", "exec", "eval", "get_ipython", "input", "open"}
BANNED_TEXT = re.compile(
    r"sys\.(path|exit|_getframe)|os\.(chdir|system|environ)|subprocess"
    r"|\.seed\(|manual_seed|pip install"
)
# Done for what they do, an expression of these hides it.
NO_STATEMENTS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.IfExp)
# Ways to take a text apart; an arm is asked for its fields.
TEXT_METHODS = {"split", "rsplit", "partition", "rpartition", "startswith", "endswith"}
TEXT_METHODS |= {"removeprefix", "removesuffix", "fullmatch", "match", "extract", "contains"}
# Without a table whose rows a changed parameter would move: a pool's images, a verdict's trial.
NOTHING_MOVES = {"90_verdict"}
PATH_OF_ITS_OWN = re.compile(r"(~|\.{0,2}/|[A-Z]:\\|runs/|reports/)")


def cells_of(path, kind=None) -> list[dict]:
    """Read the cells of a notebook, all or those of one kind, with their text."""
    cells = json.loads(path.read_text())["cells"]
    wanted = [cell for cell in cells if kind in (None, cell["cell_type"])]
    return [cell | {"text": "".join(cell["source"])} for cell in wanted]


def trees_of(path) -> list[ast.Module]:
    """Parse the code cells; fails on !shell and %magic lines."""
    return [ast.parse(cell["text"]) for cell in cells_of(path, "code")]


def code_lines(text: str) -> list[str]:
    """List the lines of code, without blank ones and comments."""
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_the_notebooks_are_the_stages_in_order():
    assert [stage_of(path.stem) for path in NOTEBOOKS] == list(UPSTREAM)


@every_notebook
def test_it_opens_with_a_question_and_what_it_reads_and_writes(path):
    first = cells_of(path)[0]
    assert first["cell_type"] == "markdown" and first["text"].startswith("# ")
    assert "?" in first["text"]
    text = first["text"].lower()
    assert [word for word in ("reads", "writes", "takes") if word not in text] == []


@every_notebook
def test_the_first_code_cell_alone_holds_the_parameters(path):
    tags = [cell["metadata"].get("tags", []) for cell in cells_of(path, "code")]
    assert [number for number, own in enumerate(tags) if "parameters" in own] == [0]


@every_notebook
def test_the_parameters_cell_is_written_from_the_parameter_files(path):
    """Names are the notebook's choice; headings, order, comments and values are not."""
    wanted = cell_source(opened_values(path), read_base())
    hint = "write it anew: python -m lib.study.parameter_cells"
    assert cells_of(path, "code")[0]["text"] == wanted, hint


@every_notebook
def test_each_parameter_is_one_literal_with_one_equals_sign_and_a_comment(path):
    text = cells_of(path, "code")[0]["text"]
    for line in code_lines(text):
        assert re.fullmatch(r"\w+: [\w\[\]]+ = .+", line), line
        assert line.count("=") == 1, line
    comments = comments_of(text)
    assert list(comments) == list(declared_parameters(path)) and all(comments.values())


@every_notebook
def test_papermill_sees_every_parameter(path):
    names = list(declared_parameters(path))
    assert list(inspect_notebook(str(path))) == names
    assert {"study", "output", "write"} <= set(names) <= set(read_yaml(PARAMS / "base.yaml"))


@every_notebook
def test_its_code_only_asks_calls_and_shows(path):
    for cell in cells_of(path, "code"):
        for node in ast.walk(ast.parse(cell["text"])):
            assert not isinstance(node, BANNED_NODES), f"{type(node).__name__} in {cell['text']!r}"
            if isinstance(node, ast.ImportFrom):
                assert not any(alias.name == "*" for alias in node.names), cell["text"]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in BANNED_NAMES, cell["text"]
        assert not BANNED_TEXT.search(cell["text"]), cell["text"]


@every_notebook
def test_no_statement_is_a_comprehension_or_a_conditional(path):
    statements = [node for tree in trees_of(path) for node in ast.walk(tree)]
    values = [node.value for node in statements if isinstance(node, ast.Expr)]
    found = [ast.unparse(value) for value in values if isinstance(value, NO_STATEMENTS)]
    assert found == [], "write an if, a loop, or a function of lib"


@every_notebook
def test_the_name_of_an_arm_is_never_taken_apart(path):
    """What an arm is stands in its fields; its name is for people."""
    found = []
    for tree in trees_of(path):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                about = ast.unparse(node)
                if node.func.attr in TEXT_METHODS and re.search(r"\barm|reference\b", about):
                    found.append(about)
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                modules = [alias.name for alias in node.names]
                found += [name for name in modules if name in ("re", "fnmatch")]
    assert found == []


@every_notebook
def test_it_holds_no_paths_of_its_own(path):
    nodes = [node for tree in trees_of(path) for node in ast.walk(tree)]
    constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
    texts = [value for value in constants if isinstance(value, str)]
    assert [text for text in texts if PATH_OF_ITS_OWN.match(text)] == []


@every_notebook
def test_lib_is_imported_by_explicit_name_in_one_cell(path):
    texts = [cell["text"] for cell in cells_of(path, "code")]
    is_import = re.compile(r"^(import|from) ", re.MULTILINE)
    assert [number for number, text in enumerate(texts) if is_import.search(text)] == [1]


@every_notebook
def test_every_name_that_it_imports_from_lib_exists(path):
    nodes = [node for tree in trees_of(path) for node in ast.walk(tree)]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "lib":
            module = importlib.import_module(node.module)
            names = [alias.name for alias in node.names if not hasattr(module, alias.name)]
            specs = {name: importlib.util.find_spec(f"{node.module}.{name}") for name in names}
            assert [name for name, spec in specs.items() if spec is None] == [], node.module


@every_notebook
def test_it_begins_and_finishes_its_record(path):
    cells = cells_of(path, "code")
    assert f'step = begin("{path.stem}", globals())' in cells[1]["text"] + cells[2]["text"]
    assert re.search(r"^step\.finish\(", cells[-1]["text"], re.MULTILINE)


@every_notebook
def test_after_a_changed_parameter_it_says_what_moved(path):
    called = any("say_what_moved(step, tables)" in cell["text"] for cell in cells_of(path, "code"))
    assert called is (path.stem not in NOTHING_MOVES)


def test_the_figure_of_the_answer_is_marked_for_the_index():
    path = next(path for path in NOTEBOOKS if stage_of(path.stem) == FINDINGS)
    tags = [cell["metadata"].get("tags", []) for cell in cells_of(path, "code")]
    assert sum("answer-figure" in own for own in tags) == 2  # of two kinds of studies


@every_notebook
def test_it_stays_short(path):
    """Parameters and imports are lists, whose length tells nothing."""
    cells = [code_lines(cell["text"]) for cell in cells_of(path, "code")]
    body = cells[2:]
    assert len(cells) <= 25
    assert sum(map(len, body)) <= 120
    assert max(map(len, body)) <= 15, max(body, key=len)
    assert statistics.median(map(len, body)) <= 6  # lines of 100 columns
    assert len(cells_of(path, "markdown")) >= len(body) / 2


@every_notebook
def test_no_line_of_code_is_wider_than_a_hundred_columns(path):
    lines = [line for cell in cells_of(path, "code") for line in cell["text"].splitlines()]
    assert [line for line in lines if len(line) > 100] == []


@every_notebook
def test_it_is_committed_clean_and_in_nbformat_s_own_form(path):
    book = nbformat.read(path, as_version=4)
    assert (book.nbformat, book.nbformat_minor) == (4, 5)
    assert book.metadata == METADATA
    assert path.read_text(encoding="utf-8") == nbformat.writes(book) + "\n"
    ids = [cell.id for cell in book.cells]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"cell-\d+", own) for own in ids)
    for cell in cells_of(path, "code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None
