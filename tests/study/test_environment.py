"""The set-up: nothing there, half there, all there, and not ours."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lib.study import environment
from lib.study.paths import ROOT

PINS = {"numpy": "9.9", "no-such-package": "1.0"}
TEST_PINS = {"another-package": "1.0"}


class Replaced(Exception):
    """Stands for the process that exec replaces."""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A project without environment, an installer that only notes what it was asked, and an
    interpreter that lacks a package.
    """
    commands = []

    def execv(path, argv):
        raise Replaced(path)

    def make(command):
        os.makedirs(os.path.join(command[-1], "bin"))
        Path(command[-1], "bin", "python").touch()

    def requirements(test=False):
        return PINS | TEST_PINS if test else PINS

    for name in ("LOCK", "TEST_LOCK"):
        lock = tmp_path / f"{name}.lock"
        lock.write_text(f"# {name}\nnumpy==9.9 \\\n    --hash=sha256:00\n")
        monkeypatch.setattr(environment, name, str(lock))
    monkeypatch.setattr(environment, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(environment, "requirements", requirements)
    monkeypatch.setattr(environment, "register_filter", lambda python: None)
    monkeypatch.setattr(environment, "_logged", lambda words, *rest: commands.append(words))
    monkeypatch.setattr(environment.os, "execv", execv)
    monkeypatch.setattr(environment.subprocess, "check_call", make)
    return commands


def set_up(**more) -> None:
    with pytest.raises(Replaced, match="bin/python"):
        environment.ensure(["run_all.py"], **more)


def locks_of(command: list[str]) -> list[str]:
    """Name the lock files that an installer was given."""
    return [Path(word).stem for word in command if word.endswith(".lock")]


def test_the_pins_are_exact_and_read_without_a_package():
    pins = environment.requirements()
    assert pins["torch"] == "2.15.0" and pins["opencv-python"].startswith("4.")
    assert "pytest" not in pins and "pytest" in environment.requirements(test=True)


@pytest.mark.parametrize(
    "file", ["run_all.py", "lib/study/environment.py", "lib/__init__.py", "lib/study/__init__.py"]
)
def test_an_old_python_can_read_what_tells_it_what_to_install(file):
    ast.parse((ROOT / file).read_text(), feature_version=(3, 6))


def old_interpreters() -> dict[str, str]:
    """Find Pythons that are too old for the study, by version."""
    found = {}
    for path in [shutil.which("python2.7"), *Path.home().glob(".pyenv/versions/*/bin/python")]:
        command = [str(path), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        asked = path and subprocess.run(command, capture_output=True, text=True)
        version = asked.stdout.strip() if asked and not asked.returncode else "3.11"
        if tuple(map(int, version.split("."))) < environment.OLDEST:
            found[version] = str(path)
    return found


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10"])
def test_an_old_python_gets_the_sentence_and_nothing_else(tmp_path, version):
    python = old_interpreters().get(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    for name in ("run_all.py", "pyproject.toml", "lib/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "lib" / "study", tmp_path / "lib" / "study")
    done = subprocess.run([python, tmp_path / "run_all.py"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert f"needs Python 3.11 to 3.13 and this is {version}: " in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("file", ["run_all.py", "lib/study/environment.py"])
def test_only_the_standard_library_is_needed_before_the_set_up(file):
    names = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert names <= set(sys.stdlib_module_names)


def test_absent_packages_and_other_versions_are_told_apart():
    absent, other = environment.missing_packages({"pytest": "0.1", "no-such-package": "1.0"})
    assert absent == ["no-such-package"]
    assert other == [f"pytest {pytest.__version__}, pinned 0.1"]


def test_an_interpreter_that_has_everything_is_used_as_it_is(bare, monkeypatch, capsys):
    monkeypatch.setattr(environment, "requirements", lambda test: {"pytest": "0.1"})
    environment.ensure([])
    assert bare == [] and not os.path.exists(environment.VENV)
    assert "versions differ" in capsys.readouterr().out


def test_what_is_missing_is_set_up_once(bare):
    set_up()
    set_up()
    first, project = bare
    assert locks_of(first) == ["LOCK"] and "--require-hashes" in first
    assert project[-2:] == ["-e", environment.ROOT] and "--no-deps" in project


def test_the_packages_of_the_tests_are_installed_for_the_tests_alone(bare):
    set_up()
    set_up(test=True)
    set_up(test=True)
    set_up()
    assert [locks_of(command) for command in bare if locks_of(command)] == [
        ["LOCK"],
        ["LOCK", "TEST_LOCK"],
    ]


@pytest.mark.parametrize(("uv", "installer"), [("/bin/uv", ["/bin/uv", "pip"]), (None, ["pip"])])
def test_uv_installs_where_it_is_there_and_pip_elsewhere(bare, monkeypatch, uv, installer):
    monkeypatch.setattr(environment.shutil, "which", lambda name: uv if name == "uv" else None)
    set_up()
    assert [word for word in bare[0] if word in ("/bin/uv", "pip")] == installer


def test_an_interrupted_set_up_is_not_believed(bare, monkeypatch):
    leftover = Path(environment.VENV, "half-installed")

    def interrupted(*command):
        leftover.touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(environment, "_logged", interrupted)
        environment.ensure([])
    set_up()
    assert not leftover.exists()
    assert json.loads(Path(environment.VENV, "set-up.json").read_text())["installed"]


def test_a_changed_lock_is_installed_over_the_old_one(bare):
    set_up()
    kept = Path(environment.VENV, "lib")
    kept.mkdir()
    Path(environment.LOCK).write_text("numpy==10 \\\n    --hash=sha256:11\n")
    set_up()
    assert [locks_of(command) for command in bare] == [["LOCK"], [], ["LOCK"], []]
    assert kept.exists()


def test_a_venv_that_lacks_what_it_was_given_is_reported(bare, monkeypatch):
    set_up()
    monkeypatch.setattr(environment.sys, "prefix", environment.VENV)
    with pytest.raises(SystemExit, match="lacks no-such-package: remove the folder"):
        environment.ensure([])


def test_a_venv_of_someone_else_is_never_cleared(bare, monkeypatch):
    python = Path(environment.VENV, "bin", "python")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(environment.subprocess, "call", lambda *a, **k: 1)
    with pytest.raises(SystemExit, match="not made by run_all.py and lacks packages"):
        environment.ensure([])
    assert python.exists() and bare == []


def test_an_unsupported_python_is_told_what_to_install(bare, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"needs Python 3.11 to 3.13 and this is 3.10: "):
        environment.ensure([])
    assert bare == []


def test_a_missing_venv_module_is_told_what_to_install(bare, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    message = r"venv module is missing: install it .*apt install python3\.\d+-venv"
    with pytest.raises(SystemExit, match=message):
        environment.ensure([])


def test_the_environment_may_lie_elsewhere_behind_a_link(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".venv").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(environment, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(environment, "_logged", lambda *command: None)
    environment._set_up(str(tmp_path / ".venv" / "bin" / "python"), test=False)
    assert (tmp_path / "elsewhere" / "bin" / "python").exists()
    assert (tmp_path / ".venv").is_symlink()


def test_progress_names_the_package_and_counts_those_in_place(tmp_path):
    lock, log = tmp_path / "a.lock", tmp_path / "log"
    lock.write_text(
        "numpy==1 \\\n    --hash=x\nJinja2==3 ; python_version > '3' \\\n    --hash=y\n"
    )
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    python = str(tmp_path / "bin" / "python")

    log.write_text("Collecting numpy==1\n  Downloading https://host/a/numpy-1.whl (9 MB)\n")
    shown = environment._progress(str(log), python, [str(lock)])
    assert shown == "downloading, package 1 of 2: numpy-1.whl (9 MB)"

    # uv downloads several at once.
    log.write_text("Resolved 2 packages in 3ms\n Downloading numpy (9.0MiB)\n")
    shown = environment._progress(str(log), python, [str(lock)])
    assert shown == "downloading 2 packages: numpy (9.0MiB)"

    # pip says nothing more until the end; a package is in place when its RECORD is.
    (site / "jinja2-3.dist-info").mkdir(parents=True)
    (site / "jinja2-3.dist-info" / "RECORD").touch()
    (site / "numpy-1.dist-info").mkdir()
    text = "Installing collected packages: Jinja2, numpy\n  Uninstalling setuptools-65:\n"
    log.write_text(text)
    shown = environment._progress(str(log), python, [str(lock)])
    assert shown == "installing, 1 of 2 done: numpy"


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_notebooks_are_read_without_the_grammar_that_takes_longest_to_load():
    code = """
import sys
from lib.study.notebooks import SLOW, quick_imports
with quick_imports():
    import nbconvert, papermill
assert SLOW not in sys.modules and "jsonschema" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_what_a_notebook_holds_after_a_session_is_no_change_for_git(tmp_path, monkeypatch):
    def git(*words):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=b", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    # A checkout with one of our notebooks, and the filter that the set-up registers.
    git("init", "-q")
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    environment.register_filter(sys.executable)
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    path = tmp_path / "notebook.ipynb"
    shutil.copy(ROOT / "notebooks" / "10_data.ipynb", path)
    git("add", ".")
    git("commit", "-qm", "a notebook")

    # What Run All and Save leave in it.
    book = nbformat.read(path, as_version=4)
    book.metadata.language_info |= {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": "3.11.7",
    }
    for number, cell in enumerate(cell for cell in book.cells if cell.cell_type == "code"):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("stream", text="drawings\n")]
        cell.metadata |= {"editable": True, "slideshow": {"slide_type": ""}, "scrolled": True}
    nbformat.write(book, path)
    assert git("diff") == "" == git("diff", "--name-only", "HEAD")

    # An edit shows, and the tag that papermill needs stays.
    path.write_text(path.read_text().replace("seed: int = 0", "seed: int = 7"))
    assert "seed: int = 7" in git("diff")
    git("add", ".")
    assert '"parameters"' in git("show", ":notebook.ipynb")
