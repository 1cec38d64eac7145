"""The house: what stands at the top, which way imports point, and that tests mirror what they test."""

import ast
import re
import subprocess
import sys

import pytest

from lib.study.paths import ROOT

FILES = {".gitignore", "LICENSE", "README.md", "environment.yml", "pyproject.toml", "run_all.py"}
TOP = FILES | {".ci", "lib", "notebooks", "params", "reports", "tests"}
FLOORS = ("study", "faces", "generators", "curation", "classifiers", "metrics", ("embedding", "application"), ("plots", "report"))
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in ([names] if isinstance(names, str) else names)}
MODULES = sorted((ROOT / "lib").rglob("*.py"))


def imported(path) -> set[str]:
    """Names of all modules that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names if node.module == "lib")
    return names


def part_of(path) -> str:
    return path.relative_to(ROOT / "lib").parts[0].removesuffix(".py")


def test_the_top_level_holds_what_it_should_and_nothing_else():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert found <= TOP, f"not expected: {found - TOP}"
    assert TOP - {"reports", "notebooks"} <= found, f"missing: {TOP - found}"


def test_what_a_run_makes_is_ignored_and_lib_is_not():
    asked = ["runs/quick/x", ".venv", "lib/study/paths.py"]
    ignored = subprocess.run(["git", "check-ignore", *asked], cwd=ROOT, capture_output=True, text=True)
    if ignored.returncode == 128:
        pytest.skip("not a git checkout")
    assert ignored.stdout.split() == asked[:2]


@pytest.mark.parametrize("words", [["check"], ["format", "--check"]], ids=" ".join)
def test_code_is_clean(words):
    done = subprocess.run([sys.executable, "-m", "ruff", *words, "--no-cache", "."], cwd=ROOT, capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr


def test_every_part_of_lib_has_its_place():
    assert {part_of(path) for path in MODULES} - {"__init__"} <= set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    own = LEVEL.get(part_of(path), 0)
    others = {name.split(".")[1] for name in imported(path) if name.startswith("lib.")} - {part_of(path)}
    assert {name for name in others if LEVEL[name] >= own} == set()


@pytest.mark.parametrize("path", [p for p in MODULES if part_of(p) in ("study", "faces")], ids=lambda path: str(path.relative_to(ROOT)))
def test_the_ground_floor_knows_no_torch(path):
    assert {name.split(".")[0] for name in imported(path)} & {"torch", "torchvision", "diffusers", "transformers"} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_a_purpose_and_a_readable_length(path):
    text = path.read_text()
    if path.name != "__init__.py" or text.strip():
        assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= 260


def test_lines_are_short_enough_to_read():
    files = [path for folder in ("lib", "tests") for path in (ROOT / folder).rglob("*.py")] + [ROOT / "run_all.py"]
    lines = [(path, number, line) for path in files for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)]
    assert [f"{path.relative_to(ROOT)}:{number}" for path, number, line in lines if len(line) > 140] == []


def test_run_all_stays_thin():
    assert len((ROOT / "run_all.py").read_text().splitlines()) <= 200


@pytest.mark.parametrize("part", sorted({part_of(path) for path in MODULES} - {"__init__"}))
def test_every_part_of_lib_has_tests(part):
    names = [*(ROOT / "tests" / part).glob("test_*.py"), *(ROOT / "tests").glob(f"test_{part}*.py")]
    assert names, f"no tests/{part}/ and no tests/test_{part}.py"


def test_test_folders_are_no_packages():
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_the_readme_gives_only_options_that_exist():
    readme = (ROOT / "README.md").read_text()
    shown = subprocess.run([sys.executable, str(ROOT / "run_all.py"), "--help"], capture_output=True, text=True, check=True).stdout
    used = {word for line in re.findall(r"run_all\.py[^\n`]*", readme) for word in re.findall(r"--[a-z-]+", line)}
    assert used and {option for option in used if option not in shown} == set()


def test_the_readme_names_only_files_that_exist():
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`((?:notebooks|params|lib|tests)/[\w./-]+)`", readme))
    assert named and {name for name in named if not (ROOT / name).exists()} == set()
