"""The set-up: told apart are nothing there, half there, all there and not ours."""

import ast
import json
import os
import sys

import pytest

from lib.study import environment
from lib.study.paths import ROOT

PINS = {"numpy": "9.9", "no-such-package": "1.0"}


class Gone(Exception):
    """Stands for the process that exec replaces."""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A project without environment, a pip that only notes what it was asked, an interpreter that lacks a package."""
    asked = []

    def execv(path, argv):
        raise Gone(path)

    def make(command):
        os.makedirs(os.path.join(command[-1], "bin"))
        open(os.path.join(command[-1], "bin", "python"), "w").close()

    monkeypatch.setattr(environment, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(environment, "requirements", lambda: PINS)
    monkeypatch.setattr(environment, "_pip", lambda python, words: asked.append(words))
    monkeypatch.setattr(environment.os, "execv", execv)
    monkeypatch.setattr(environment.subprocess, "check_call", make)
    monkeypatch.setenv("STUDY_BOOTSTRAP", "")
    return asked


def test_the_pins_are_exact_and_read_without_yaml():
    pins = environment.requirements()
    assert pins["torch"] == "2.15.0" and pins["opencv-python"].startswith("4.")
    lines = [line for line in (ROOT / "environment.yml").read_text().split("- pip:")[1].splitlines() if line.strip().startswith("- ")]
    assert len([line for line in lines if line.strip() != "- -e ."]) == len(pins)


@pytest.mark.parametrize("file", ["run_all.py", "lib/study/environment.py", "lib/__init__.py", "lib/study/__init__.py"])
def test_an_old_python_can_read_what_tells_it_off(file):
    ast.parse((ROOT / file).read_text(), feature_version=(3, 6))


def test_only_the_standard_library_is_needed_before_the_set_up():
    for file in ("run_all.py", "lib/study/environment.py"):
        tree = ast.parse((ROOT / file).read_text())
        tops = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {alias.name if isinstance(node, ast.Import) else node.module for node in tops for alias in node.names}
        assert names <= set(sys.stdlib_module_names), file


def test_absent_and_other_versions_are_told_apart():
    absent, other = environment.missing_packages({"pytest": "0.1", "no-such-package": "1.0"})
    assert absent == ["no-such-package"]
    assert other == [f"pytest {pytest.__version__}, pinned 0.1"]


def test_an_interpreter_that_has_everything_is_used_as_it_is(bare, monkeypatch, capsys):
    monkeypatch.setattr(environment, "requirements", lambda: {"pytest": "0.1"})
    environment.ensure([])
    assert bare == [] and not os.path.exists(environment.VENV)
    assert "versions differ" in capsys.readouterr().out


def test_what_is_missing_is_set_up_once(bare):
    for _ in range(2):
        with pytest.raises(Gone, match="bin/python"):
            environment.ensure(["run_all.py"])
    assert [words[1] for words in bare] == ["-r", "--no-index"]
    assert open(os.path.join(environment.VENV, "requirements.txt")).read() == "numpy==9.9\nno-such-package==1.0\n"


def test_an_interrupted_set_up_is_not_believed(bare, monkeypatch):
    def killed(python, words):
        open(os.path.join(environment.VENV, "half-installed"), "w").close()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(environment, "_pip", killed)
        environment.ensure([])
    with pytest.raises(Gone):
        environment.ensure([])
    assert not os.path.exists(os.path.join(environment.VENV, "half-installed"))
    assert json.load(open(os.path.join(environment.VENV, "set-up.json")))["complete"]


def test_changed_pins_are_installed_over_the_old_ones(bare, monkeypatch):
    with pytest.raises(Gone):
        environment.ensure([])
    monkeypatch.setattr(environment, "requirements", lambda: {"no-such-package": "2.0"})
    with pytest.raises(Gone):
        environment.ensure([])
    assert [words[1] for words in bare] == ["-r", "--no-index", "-r", "--no-index"]


def test_a_venv_of_someone_else_is_never_cleared(bare, monkeypatch):
    os.makedirs(os.path.join(environment.VENV, "bin"))
    os.symlink(sys.executable, os.path.join(environment.VENV, "bin", "python"))
    with pytest.raises(SystemExit, match="not made by run_all.py and lacks packages"):
        monkeypatch.setattr(environment.subprocess, "call", lambda *a, **k: 1)
        environment.ensure([])
    assert os.path.exists(os.path.join(environment.VENV, "bin", "python")) and bare == []


def test_an_unsupported_python_is_told_what_to_install(bare, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"needs Python 3.11 to 3.13 and this is 3.10: "):
        environment.ensure([])
    assert bare == []


def test_a_missing_venv_module_is_told_what_to_install(bare, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match=r"venv module is missing: install it .*apt install python3\.\d+-venv"):
        environment.ensure([])


def test_the_environment_may_lie_elsewhere_behind_a_link(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".venv").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(environment, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(environment, "_pip", lambda python, words: None)
    environment._set_up({}, str(tmp_path / ".venv" / "bin" / "python"))
    assert (tmp_path / "elsewhere" / "bin" / "python").exists() and (tmp_path / ".venv").is_symlink()
