"""What every notebook promises: a readable question, checked parameters, short cells, nothing that belongs in lib."""

import ast
import importlib.util
import json
import re
import statistics

import pytest

from lib.study.params import PARAMS, load_params, read_yaml
from lib.study.paths import ROOT
from lib.study.stages import PER_POOL, UPSTREAM, stage_of

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
BANNED_NODES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try, ast.While, ast.Global)
BANNED_NAMES = {"exit", "quit", "exec", "eval", "get_ipython", "input", "open"}


def cells_of(path, kind=None) -> list[dict]:
    cells = json.loads(path.read_text())["cells"]
    return [cell | {"text": "".join(cell["source"])} for cell in cells if kind in (None, cell["cell_type"])]


def code_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_the_notebooks_are_the_stages_in_order():
    assert {stage_of(path.stem) for path in NOTEBOOKS} <= set(UPSTREAM)
    assert len({stage_of(path.stem) for path in NOTEBOOKS}) == len(NOTEBOOKS)


@every_notebook
def test_it_opens_with_a_question_and_what_it_reads_and_writes(path):
    first = cells_of(path)[0]
    assert first["cell_type"] == "markdown" and first["text"].startswith("# ")
    assert "?" in first["text"]
    assert [word for word in ("reads", "writes", "takes") if word not in first["text"].lower()] == []


@every_notebook
def test_the_first_code_cell_alone_holds_the_parameters(path):
    tagged = [number for number, cell in enumerate(cells_of(path, "code")) if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == [0]


@every_notebook
def test_each_parameter_is_one_literal_with_one_equals_sign_and_a_comment(path):
    for line in code_lines(cells_of(path, "code")[0]["text"]):
        assert re.fullmatch(r"\w+: [\w\[\]]+ = .+  # .+", line), line
        assert line.count("=") == 1, line


@every_notebook
def test_papermill_sees_every_parameter(path):
    from papermill import inspect_notebook

    names = [line.split(":")[0] for line in code_lines(cells_of(path, "code")[0]["text"])]
    assert list(inspect_notebook(str(path))) == names
    assert {"study", "output"} <= set(names)
    assert set(names) <= set(read_yaml(PARAMS / "base.yaml"))


@every_notebook
def test_its_defaults_are_the_quick_study(path):
    from lib.study.params import declared_parameters

    pool = "drawn-faithful" if stage_of(path.stem) in PER_POOL else None
    values = load_params("quick", pool=pool)
    declared = declared_parameters(path)
    assert {key: value for key, value in declared.items() if value != values[key] or type(value) is not type(values[key])} == {}


@every_notebook
def test_its_code_only_asks_calls_and_shows(path):
    for cell in cells_of(path, "code"):
        tree = ast.parse(cell["text"])  # fails on !shell and %magic lines
        for node in ast.walk(tree):
            assert not isinstance(node, BANNED_NODES), f"{type(node).__name__} in {cell['text']!r}"
            if isinstance(node, ast.ImportFrom):
                assert not any(alias.name == "*" for alias in node.names), cell["text"]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in BANNED_NAMES, cell["text"]
        assert not re.search(r"sys\.(path|exit)|os\.(chdir|system)|subprocess|\.seed\(|manual_seed|pip install", cell["text"]), cell["text"]


@every_notebook
def test_it_holds_no_paths_of_its_own(path):
    for cell in cells_of(path, "code"):
        texts = [node.value for node in ast.walk(ast.parse(cell["text"])) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        assert [text for text in texts if re.match(r"(~|\.{0,2}/|[A-Z]:\\|runs/|reports/)", text)] == [], cell["text"]


@every_notebook
def test_lib_is_imported_by_explicit_name_in_one_cell(path):
    texts = [cell["text"] for cell in cells_of(path, "code")]
    with_imports = [number for number, text in enumerate(texts) if re.search(r"^(import|from) ", text, re.MULTILINE)]
    assert with_imports == [1]


@every_notebook
def test_every_name_that_it_imports_from_lib_exists(path):
    for cell in cells_of(path, "code"):
        for node in ast.walk(ast.parse(cell["text"])):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "lib":
                module = importlib.import_module(node.module)
                names = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert [name for name in names if not importlib.util.find_spec(f"{node.module}.{name}")] == [], node.module


@every_notebook
def test_it_begins_and_finishes_its_record(path):
    cells = cells_of(path, "code")
    given = ["study", "output"] + ["pool"] * (stage_of(path.stem) in PER_POOL)
    words = ", ".join(f"{name}={name}" for name in given)
    assert f'step = begin("{path.stem}", {words})' in cells[1]["text"] + cells[2]["text"]
    assert re.search(r"^step\.finish\(\[", cells[-1]["text"], re.MULTILINE)


@every_notebook
def test_it_stays_short(path):
    cells = [code_lines(cell["text"]) for cell in cells_of(path, "code")]
    body = cells[1:]
    assert len(cells) <= 25
    assert sum(map(len, body)) <= 120
    assert max(map(len, body)) <= 15, max(body, key=len)
    assert statistics.median(map(len, body)) <= 5
    assert len(cells_of(path, "markdown")) >= len(body) / 2


@every_notebook
def test_it_is_committed_clean(path):
    book = json.loads(path.read_text())
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    assert path.read_text() == json.dumps(book, indent=1, ensure_ascii=False) + "\n"
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    assert all(re.fullmatch(r"cell-\d+", cell["id"]) for cell in book["cells"])
    for cell in cells_of(path, "code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None
