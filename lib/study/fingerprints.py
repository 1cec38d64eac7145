"""Fingerprints of code: what a result depends on, without comments, docstrings or layout."""

import ast
import functools
import hashlib
import json
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.paths import ROOT


def code_digest(*modules: str, without: tuple[str, ...] = (), root: Path = ROOT) -> str:
    """Hash lib modules and every lib module that they import, directly or not.

    Args:
        modules: dotted names such as "lib.classifiers.training"; a package stands for its __init__ alone.
        without: modules, or packages with all they hold, that are not followed: those that cannot change what is hashed, or that the caller
            accounts for otherwise.
        root: folder that holds lib/.

    Returns:
        Hex digest that changes with the code, not with comments, docstrings or formatting.
    """
    parts = {name: _module_digest(_module_file(name, root)) for name in sorted(imported_modules(*modules, without=without, root=root))}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def imported_modules(*modules: str, without: tuple[str, ...] = (), root: Path = ROOT) -> set[str]:
    """Follow imports from some lib modules to all lib modules they reach, themselves and their packages included."""
    found, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or any(name == left or name.startswith(f"{left}.") for left in without):
            continue
        file = _module_file(name, root)
        if file is None:
            raise StudyError(f"no module {name} under {root}")
        found.add(name)
        waiting += [name.rsplit(".", 1)[0]] if "." in name else []
        waiting += _lib_imports(file, root)
    return found


def notebook_modules(source: str, root: Path = ROOT) -> list[str]:
    """List the lib modules that a notebook's code imports."""
    return _imports_of(ast.parse(source), root)


def _module_file(name: str, root: Path) -> Path | None:
    path = root.joinpath(*name.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


@functools.cache
def _lib_imports(file: Path, root: Path) -> list[str]:
    return _imports_of(ast.parse(file.read_text(encoding="utf-8")), root)


def _imports_of(tree: ast.AST, root: Path) -> list[str]:
    """Name the lib modules in import statements, also those inside functions."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == "lib" and _module_file(name, root)]


@functools.cache
def _module_digest(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(getattr(body[0].value, "value", None), str):
            node.body = body[1:]  # the docstring
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
