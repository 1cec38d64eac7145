"""What counts as a change of code."""

import pytest

from lib.study.errors import StudyError
from lib.study.fingerprints import _lib_imports, _module_digest, code_digest, imported_modules, notebook_modules

MODULE = '"""Doc."""\n\nfrom lib.low import g\n\n\ndef f(x):\n    """Doc."""\n    return g(x)  # why\n'


@pytest.fixture
def root(tmp_path):
    (tmp_path / "lib" / "pack").mkdir(parents=True)
    low = "def g(x):\n    return x\n"
    for name, text in {"__init__": "", "high": MODULE, "low": low, "pack/__init__": "", "pack/part": "import lib.low\n"}.items():
        (tmp_path / "lib" / f"{name}.py").write_text(text)
    return tmp_path


def digest(root, *names):
    _module_digest.cache_clear()
    _lib_imports.cache_clear()
    return code_digest(*names, root=root)


def test_comments_docstrings_and_layout_do_not_count(root):
    before = digest(root, "lib.high")
    (root / "lib" / "high.py").write_text('from lib.low import (\n    g,\n)\ndef f( x ):\n  "Other."\n  return g(x)\n')
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
    assert imported_modules("lib.high", without=("lib.low",), root=root) == {"lib", "lib.high"}
    assert imported_modules("lib.high", without=("lib.pack",), root=root) == {"lib", "lib.high", "lib.low"}


def test_imports_are_found_in_every_spelling(root):
    (root / "lib" / "high.py").write_text("def f():\n    from lib.pack import part\n")
    assert imported_modules("lib.high", root=root) == {"lib", "lib.high", "lib.pack", "lib.pack.part", "lib.low"}
    assert notebook_modules("import numpy\nfrom lib.pack.part import x", root) == ["lib.pack.part"]


def test_an_unknown_module_is_named(root):
    with pytest.raises(StudyError, match="no module lib.nowhere"):
        code_digest("lib.nowhere", root=root)
