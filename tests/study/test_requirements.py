"""What is imported is declared, what is declared is locked, and all of it exactly."""

import ast
import json
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from lib.study.environment import LOCK, TEST_LOCK, locked_names, missing_packages, requirements
from lib.study.machine import PACKAGES, package_versions
from lib.study.paths import ROOT
from lib.study.requirements_lock import entries

# Packages whose module has another name.
MODULES = {
    "scikit-learn": "sklearn",
    "umap-learn": "umap",
    "opencv-python": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "ipython": "IPython",
    "websocket-client": "websocket",
}
# Started as programs of their own (python -m), or needed by what is imported.
NOT_IMPORTED = {
    "jupyterlab": "opened by people",
    "ipykernel": "the kernel of the notebooks",
    "nbstripout": "git's filter",
    "onnxscript": "torch.onnx writes with it",
    "setuptools": "builds the editable install",
    "ruff": "started by test_layout",
    "pytest-xdist": "run_all.py --test starts pytest with it",
}


def imported(source: str) -> set[str]:
    """Name the top packages that a module imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
            names.add(node.args[0].value.split(".")[0])
    return names


def imports_of(folder: str) -> set[str]:
    """Name all foreign packages that a folder's modules and notebooks import."""
    sources = [path.read_text() for path in (ROOT / folder).rglob("*.py")]
    for path in (ROOT / folder).rglob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        sources += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    # Tests import the helpers beside them by their own names.
    helpers = {path.stem for path in (ROOT / "tests").rglob("*.py")} if folder == "tests" else set()
    own = helpers | {"lib", "tests"}
    return set().union(*map(imported, sources)) - own - set(sys.stdlib_module_names)


def modules_of(packages) -> set[str]:
    """Name the modules of some packages."""
    return {MODULES.get(name, name.replace("-", "_")) for name in packages}


@pytest.mark.parametrize("folder", ["lib", "notebooks"])
def test_what_is_imported_is_declared(folder):
    assert imports_of(folder) - modules_of(requirements()) == set()


def test_what_the_tests_import_is_declared_too():
    assert imports_of("tests") - modules_of(requirements(test=True)) == set()


def test_run_all_imports_nothing_else():
    used = imported((ROOT / "run_all.py").read_text()) - {"lib"}
    assert used <= set(sys.stdlib_module_names)


def test_what_is_declared_is_used():
    declared = requirements()
    unused = modules_of(set(declared) - set(NOT_IMPORTED)) - imports_of("lib")
    assert unused == set()
    for_tests = set(requirements(test=True)) - set(declared) - set(NOT_IMPORTED)
    assert modules_of(for_tests) - imports_of("tests") == set()


def test_the_regular_expression_reads_what_pyproject_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(line.split("==") for line in project["dependencies"])
    assert requirements() == pins
    pins |= dict(line.split("==") for line in project["optional-dependencies"]["test"])
    assert requirements(test=True) == pins


def test_conda_gets_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = environment["dependencies"][-1]["pip"]
    assert [line for line in listed if "==" not in line] == ["-e ."]
    assert dict(line.split("==") for line in listed if "==" in line) == requirements()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("test", [False, True])
def test_what_is_declared_is_locked_in_that_version(test):
    files = [LOCK, TEST_LOCK] if test else [LOCK]
    text = "".join(open(file, encoding="utf-8").read() for file in files)
    locked = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, flags=re.MULTILINE))
    locked = {normal(name): version for name, version in locked.items()}
    pins = {normal(name): version for name, version in requirements(test).items()}
    assert {name: locked.get(name) for name in pins} == pins


@pytest.mark.parametrize("lock", [LOCK, TEST_LOCK], ids=["study", "test"])
def test_every_locked_package_is_exact_has_digests_and_names_no_index(lock):
    text = open(lock, encoding="utf-8").read()
    lines = [line for line in text.splitlines() if not line.startswith((" ", "#"))]
    assert len(entries(text)) == len(lines) == len(locked_names(lock))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries(text))
    assert "://" not in text


def test_the_packages_of_the_tests_lie_in_the_lock_of_the_tests_alone():
    both = set(entries(open(LOCK).read())) & set(entries(open(TEST_LOCK).read()))
    assert both == set()
    assert "pytest" in locked_names(TEST_LOCK) and "pytest" not in locked_names(LOCK)


def test_this_interpreter_has_what_is_declared():
    absent, _ = missing_packages(requirements(test=True))
    assert absent == []


def test_the_lock_is_made_by_uv_which_is_asked_for(monkeypatch):
    command = [sys.executable, "-m", "lib.study.requirements_lock"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={"PATH": "/nowhere"}
    )
    assert done.returncode == 1 and "pip install uv" in done.stderr


# What executes notebooks, writes pages and shares work out: no number comes from these.
TOOLS = {
    "jupyterlab",
    "ipykernel",
    "ipython",
    "ipywidgets",
    "papermill",
    "nbformat",
    "nbconvert",
    "nbstripout",
    "traitlets",
    "jinja2",
    "pyyaml",
    "psutil",
    "threadpoolctl",
    "dask",
    "distributed",
    "dask-jobqueue",
    "setuptools",
}


def test_a_changed_package_repeats_what_it_can_change():
    """Whatever is declared is a tool, or part of the key of an execution."""
    assert set(requirements()) - set(PACKAGES) == TOOLS
    assert "absent" not in package_versions().values()
