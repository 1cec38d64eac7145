"""Fingerprints of code, and the version numbers of arithmetic.

A fingerprint changes with code, not with comments, docstrings or layout; a notebook whose code
changed writes its page anew. What takes hours (a generator's training, a classifier's run) is keyed
by what it computes and by a version that is raised by hand when its arithmetic changes
(`TRAINING_VERSION` in lib/classifiers/versions.py, `GENERATOR_VERSION` in
lib/generators/versions.py), so that moves and renames repeat nothing.
"""

import ast
import functools
import hashlib
import json
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.paths import ROOT

VERSIONS = "versions"  # last name of the modules that hold such numbers, and nothing else


def code_digest(*modules: str, without: tuple[str, ...] = (), root: Path = ROOT) -> str:
    """Hash lib modules and every lib module that they import, directly or not.

    Args:
        modules: dotted names such as "lib.classifiers.training"; a package stands for its
            __init__ alone.
        without: modules, or packages with all they hold, that are not followed: those that cannot
            change what is hashed, or that the caller accounts for otherwise.
        root: folder that holds lib/.

    Returns:
        Hex digest that changes with the code, not with comments, docstrings or formatting.
    """
    names = imported_modules(*modules, without=without, root=root)

    # Names count too: a module that is moved is another one.
    parts = {name: module_digest(name, root) for name in sorted(names)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def module_digest(name: str, root: Path = ROOT) -> str:
    """Hash one lib module alone."""
    return _file_digest(_module_file(name, root))


def imported_modules(*modules: str, without: tuple[str, ...] = (), root: Path = ROOT) -> set[str]:
    """Follow imports from some lib modules to all that they reach.

    Args:
        modules, without, root: as in `code_digest`.

    Returns:
        Dotted names, the modules themselves and their packages among them.

    Raises:
        StudyError: a module that is not there.
    """
    # A walk over the graph of imports.
    reached, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        left_out = any(name == other or name.startswith(f"{other}.") for other in without)
        if name in reached or left_out:
            continue  # imports may go round in circles
        file = _module_file(name, root)
        if file is None:
            raise StudyError(f"no module {name} under {root}")
        reached.add(name)

        # Python runs a package's __init__ before its modules.
        if "." in name:
            waiting.append(name.rsplit(".", 1)[0])
        waiting += _lib_imports(file, root)
    return reached


def notebook_modules(source: str, root: Path = ROOT) -> list[str]:
    """List the lib modules that a notebook's code imports."""
    return _imports_of(ast.parse(source), root)


def is_versions_module(name: str) -> bool:
    """Tell whether a module holds the versions of some arithmetic: lib.classifiers.versions."""
    return name.rpartition(".")[2] == VERSIONS


def arithmetic_versions(modules: set[str], root: Path = ROOT) -> dict[str, int]:
    """Read the version numbers in the versions modules among some, without importing them.

    Args:
        modules: dotted names, as of `imported_modules`.

    Returns:
        {"TRAINING_VERSION": 1, "GENERATOR_VERSION of dcgan": 1, ...}: whole numbers, and those of
        dictionaries, that are assigned at the top of the modules.
    """
    versions = {}
    for name in sorted(filter(is_versions_module, modules)):
        for node in ast.parse(_module_file(name, root).read_text(encoding="utf-8")).body:
            # Constants alone stand in these modules.
            if isinstance(node, ast.Assign):
                versions |= _numbers(node.targets[0].id, ast.literal_eval(node.value))
    return versions


def _numbers(name: str, value: int | dict) -> dict[str, int]:
    """Name one version, or each of several."""
    if not isinstance(value, dict):
        return {name: value}
    return {f"{name} of {key}": number for key, number in value.items()}


def _module_file(name: str, root: Path) -> Path | None:
    # A package is its __init__, a module its own file.
    path = root.joinpath(*name.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


@functools.cache
def _lib_imports(file: Path, root: Path) -> list[str]:
    return _imports_of(ast.parse(file.read_text(encoding="utf-8")), root)


def _imports_of(tree: ast.AST, root: Path) -> list[str]:
    """Name the lib modules in import statements, also those inside functions."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:  # not relative
            # What is imported from a package may be a module of it.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == "lib" and _module_file(name, root)]


@functools.cache
def _file_digest(file: Path) -> str:
    """Hash a module's syntax tree without its docstrings; comments are not in it."""
    # The tree holds neither comments nor layout.
    tree = ast.parse(file.read_text(encoding="utf-8"))

    # Docstrings are statements of the tree: they are taken out.
    for node in ast.walk(tree):
        if _has_docstring(node):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _has_docstring(node: ast.AST) -> bool:
    """Tell whether a module, class or function begins with a text."""
    # A lambda has a body too, which is no list.
    body = getattr(node, "body", None)
    if not isinstance(body, list) or not body or not isinstance(body[0], ast.Expr):
        return False
    return isinstance(getattr(body[0].value, "value", None), str)
