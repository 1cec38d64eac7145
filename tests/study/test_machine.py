"""The machine: folders that can be written to, wherever the study runs."""

import os
from pathlib import Path

import pytest

from lib.study import machine


@pytest.fixture
def read_only(monkeypatch):
    """Folders that cannot be written to; as root every folder can."""
    refused = []

    def temporary(dir):
        if any(Path(dir).is_relative_to(folder) for folder in refused):
            raise OSError(30, "Read-only file system", str(dir))
        return os.fdopen(os.dup(0))

    monkeypatch.delenv(machine.NUMBA_CACHE, raising=False)
    monkeypatch.setattr(machine.tempfile, "TemporaryFile", temporary)
    return refused


def test_numba_keeps_its_place_where_it_has_one(read_only, tmp_path):
    assert machine.compiled_code_folder(tmp_path) == {}


def test_numba_gets_a_place_where_environment_and_home_are_read_only(read_only, tmp_path):
    read_only += [Path(os.path.abspath(machine.__file__)).anchor]
    assert machine.compiled_code_folder(tmp_path) == {"NUMBA_CACHE_DIR": str(tmp_path / "compiled")}


def test_the_user_s_own_choice_stands(read_only, tmp_path, monkeypatch):
    read_only += ["/"]
    monkeypatch.setenv(machine.NUMBA_CACHE, "/mine")
    assert machine.compiled_code_folder(tmp_path) == {}


def test_a_user_whom_the_system_does_not_know_has_no_home(read_only, tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os.path, "expanduser", lambda path: path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    read_only += ["/nowhere", "/"]
    assert machine.compiled_code_folder(tmp_path) == {"NUMBA_CACHE_DIR": str(tmp_path / "compiled")}
