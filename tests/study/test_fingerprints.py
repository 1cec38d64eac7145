"""What counts as a change of code, and which versions of arithmetic code can do."""

import pytest

from lib.study.errors import StudyError
from lib.study.fingerprints import (
    _file_digest,
    _lib_imports,
    arithmetic_versions,
    code_digest,
    imported_modules,
    is_versions_module,
    notebook_modules,
)

MODULE = '''"""Doc."""

from lib.low import g


def f(x):
    """Doc."""
    return g(x)  # why
'''
SAME_CODE = """from lib.low import (
    g,
)
def f( x ):
  "Other."
  return g(x)
"""


@pytest.fixture
def root(tmp_path):
    """A lib of four modules, of which high imports low."""
    (tmp_path / "lib" / "pack").mkdir(parents=True)
    modules = {
        "__init__": "",
        "high": MODULE,
        "low": "def g(x):\n    return x\n",
        "pack/__init__": "",
        "pack/part": "import lib.low\n",
    }
    for name, text in modules.items():
        (tmp_path / "lib" / f"{name}.py").write_text(text)
    return tmp_path


def digest(root, *names):
    _file_digest.cache_clear()
    _lib_imports.cache_clear()
    return code_digest(*names, root=root)


def test_comments_docstrings_and_layout_do_not_count(root):
    before = digest(root, "lib.high")
    (root / "lib" / "high.py").write_text(SAME_CODE)
    assert digest(root, "lib.high") == before


@pytest.mark.parametrize("changed", ["high", "low"])
def test_code_counts_also_behind_an_import(root, changed):
    before = digest(root, "lib.high")
    path = root / "lib" / f"{changed}.py"
    path.write_text(path.read_text().replace("return", "return 1 +"))
    assert digest(root, "lib.high") != before


def test_what_is_not_imported_does_not_count(root):
    before = digest(root, "lib.high")
    (root / "lib" / "pack" / "part.py").write_text("y = 2\n")
    assert digest(root, "lib.high") == before


def test_what_is_left_out_is_not_followed_either(root):
    (root / "lib" / "low.py").write_text("import lib.pack.part\n")
    without_low = imported_modules("lib.high", without=("lib.low",), root=root)
    assert without_low == {"lib", "lib.high"}
    without_pack = imported_modules("lib.high", without=("lib.pack",), root=root)
    assert without_pack == {"lib", "lib.high", "lib.low"}


def test_imports_are_found_in_every_spelling(root):
    (root / "lib" / "high.py").write_text("def f():\n    from lib.pack import part\n")
    reached = imported_modules("lib.high", root=root)
    assert reached == {"lib", "lib.high", "lib.pack", "lib.pack.part", "lib.low"}
    assert notebook_modules("import numpy\nfrom lib.pack.part import x", root) == ["lib.pack.part"]


def test_an_unknown_module_is_named(root):
    with pytest.raises(StudyError, match="no module lib.nowhere"):
        code_digest("lib.nowhere", root=root)


def test_versions_are_read_from_the_text_of_their_modules(root):
    text = 'raise ImportError\n"""Doc."""\nONE = 3\nMANY = {"a": 1, "b": 2}\n'
    (root / "lib" / "pack" / "versions.py").write_text(text)
    modules = {"lib.high", "lib.pack.versions"}
    assert [name for name in modules if is_versions_module(name)] == ["lib.pack.versions"]
    assert arithmetic_versions(modules, root) == {"ONE": 3, "MANY of a": 1, "MANY of b": 2}


def test_the_trainings_of_this_project_have_versions():
    modules = imported_modules("lib.classifiers.training", "lib.generators.training_loop")
    versions = arithmetic_versions(modules)
    assert "TRAINING_VERSION" in versions and "GENERATOR_VERSION of dcgan" in versions
    assert all(type(number) is int for number in versions.values())
