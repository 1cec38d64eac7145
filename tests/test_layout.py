"""The house: what stands at the top, which way imports point, that tests mirror what they test, and
how the text is written.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize

import pytest

from lib.study.paths import ROOT

FILES = {".gitattributes", ".gitignore", "LICENSE", "README.md"}
FILES |= {"environment.yml", "pyproject.toml", "run_all.py"}
TOP = FILES | {".ci", ".github", "lib", "notebooks", "params", "reports", "tests"}
# From the ground up; the parts of one floor do not import each other.
FLOORS = (
    ("study",),
    ("faces", "compute", "report"),
    ("curation", "classifiers", "generators"),
    ("metrics",),
    ("application", "plots", "embedding", "verdict"),
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
TORCH = {"torch", "torchvision", "diffusers", "transformers"}
MODULES = sorted((ROOT / "lib").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
every_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(ROOT))
)

WIDTH = 100  # columns
LEAST_COMMENTS = 8  # a hundred lines of lib; docstrings do not count
MOST_TABLES = 10  # tables of data that the formatter leaves alone (fmt: skip)
LONGEST_MODULE = 400  # lines
# Words of a private language, for which the field has others (house.md, section 5).
PRIVATE_WORDS = (
    "yardstick",
    "shelf",
    "pulse",
    "rivals",
    "put_aside",
    "bring_back",
    "hire",
    "dismiss",
    "crew",
    "smallest_visible",
    "splitnorm",
    "taught_share",
    "flip_average",
    "average_share",
    "rehearsal",
    "rehearsals",
    "suspects",
    "spoiled",
    "mended",
    "planted",
)
# Kinds of arms, and what stands in a pool's name: none is looked for in a text.
ARM_WORDS = "supplement|scarce|replace|synthetic|duplicate|subset|fewer|shuffled|only_|balance"
ARM_PATTERN = re.compile(rf'\br"[^"\n]*\b(?:{ARM_WORDS})[^"\n]*"')
ARM_TEST = re.compile(
    rf'(?:startswith|endswith|contains|partition|split)\(\s*"-?(?:{ARM_WORDS})[\w-]*"'
)


def imported(path) -> set[str]:
    """Name all modules that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names.add(node.module)
            if node.module == "lib":
                names.update(f"lib.{alias.name}" for alias in node.names)
    return names


def part_of(path) -> str:
    """Name the part of lib that a module belongs to."""
    return path.relative_to(ROOT / "lib").parts[0].removesuffix(".py")


def git(*words) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)


def lines_of(paths) -> list[tuple[str, str]]:
    """List the lines of some files, each with where it stands."""
    found = []
    for path in paths:
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        found += [(f"{path.relative_to(ROOT)}:{number}", line) for number, line in lines]
    return found


def comments_of(path) -> int:
    """Count the comments of a module; what speaks to the formatter is none."""
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return sum("fmt:" not in comment and not comment.startswith("#!") for comment in comments)


def test_the_top_level_holds_what_it_should_and_nothing_else():
    listed = git("ls-files", "--cached", "--others", "--exclude-standard")
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert found <= TOP, f"not expected: {found - TOP}"
    assert TOP - {"reports", "notebooks"} <= found, f"missing: {TOP - found}"


def test_what_a_run_makes_is_ignored_and_lib_is_not():
    asked = ["runs/quick/x", ".venv", "reports/amounts-cpu~seeds=5/x", "reports/amounts-cpu/x"]
    asked += ["lib/study/paths.py"]
    ignored = git("check-ignore", *asked)
    if ignored.returncode == 128:
        pytest.skip("not a git checkout")
    assert ignored.stdout.split() == asked[:3]


@pytest.mark.parametrize("words", [["check"], ["format", "--check"]], ids=" ".join)
def test_code_is_clean(words):
    command = [sys.executable, "-m", "ruff", *words, "--no-cache", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr


def test_every_part_of_lib_has_its_place():
    assert {part_of(path) for path in MODULES} - {"__init__"} <= set(LEVEL)


@every_module
def test_imports_point_down(path):
    own = part_of(path)
    parts = {name.split(".")[1] for name in imported(path) if name.startswith("lib.")}
    assert {part for part in parts - {own} if LEVEL[part] >= LEVEL.get(own, 0)} == set()


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if part_of(path) in ("study", "faces")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_study_and_faces_know_no_torch(path):
    assert {name.split(".")[0] for name in imported(path)} & TORCH == set()


@every_module
def test_a_module_has_a_purpose_and_a_readable_length(path):
    text = path.read_text()
    is_empty = path.name == "__init__.py" and not text.strip()
    assert is_empty or ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= LONGEST_MODULE


def test_no_line_is_wider_than_a_hundred_columns():
    """Of code; those of notebooks and parameter files are held by the tests of these."""
    lines = lines_of([*MODULES, *TESTS, ROOT / "run_all.py"])
    assert [place for place, line in lines if len(line) > WIDTH] == []


def test_lib_is_explained_paragraph_by_paragraph():
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES)
    comments = sum(map(comments_of, MODULES))
    assert 100 * comments / lines >= LEAST_COMMENTS


def test_the_formatter_is_switched_off_for_few_tables_of_data():
    switched_off = "fmt: " + "skip"
    places = [place for place, line in lines_of([*MODULES, *TESTS]) if switched_off in line]
    assert len(places) <= MOST_TABLES, places


@pytest.mark.parametrize("word", PRIVATE_WORDS)
def test_the_field_s_word_stands_in_place_of_a_private_one(word):
    whole = re.compile(rf"(?<![a-z]){word}(?![a-z])", re.IGNORECASE)
    files = [*MODULES, *(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "params").rglob("*.yaml")]
    assert [place for place, line in lines_of(files) if whole.search(line)] == []


def test_what_an_arm_is_stands_in_its_fields_and_is_read_off_no_name():
    lines = lines_of([*MODULES, *(ROOT / "notebooks").glob("*.ipynb")])
    # The text of a notebook's line stands in quotation marks of its own.
    plain = [(place, line.replace('\\"', '"')) for place, line in lines]
    found = [place for place, line in plain if ARM_PATTERN.search(line) or ARM_TEST.search(line)]
    assert found == []


def test_classes_are_data_that_travel_with_the_faces():
    outside = [path for path in MODULES if part_of(path) != "faces"]
    constant = re.compile(r"\bCLASSES\b")
    lines = lines_of([*outside, *(ROOT / "notebooks").glob("*.ipynb")])
    assert [place for place, line in lines if constant.search(line)] == []


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
    command = [sys.executable, str(ROOT / "run_all.py"), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    calls = re.findall(r"run_all\.py[^\n`]*", readme)
    used = {option for call in calls for option in re.findall(r"--[a-z-]+", call)}
    assert used and {option for option in used if option not in shown} == set()


def test_the_readme_names_only_files_that_exist():
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`((?:notebooks|params|lib|tests)/[\w./-]+)`", readme))
    assert named and {name for name in named if not (ROOT / name).exists()} == set()


def test_the_readme_is_read_in_minutes():
    text = (ROOT / "README.md").read_text()
    opening, rest = text.split("<!-- answer", 1)
    assert len(opening.split()) <= 60 and len(text.split()) <= 900
