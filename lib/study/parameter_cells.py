"""The parameters cell of a notebook: read, check, and write it from params/.

`python -m lib.study.parameter_cells` gives every notebook's cell the headings, the order and the
comments of params/base.yaml, and the values of the quick study; which parameters a notebook
declares is the notebook's own choice. papermill reads the cell line by line: one literal
assignment a line, with no second = in its comment.
"""

import ast
import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.notebooks import quick_imports, read_notebook
from lib.study.parameter_rules import check_values
from lib.study.params import PARAMS, load_params, shown
from lib.study.paths import ROOT
from lib.study.stages import PER_POOL, stage_of

WIDTH = 100  # columns
# How base.yaml and the cells group parameters: # --- study ---
HEADING = re.compile(r"# --- (.+) ---$")
TAG, TAG_INJECTED = "parameters", "injected-parameters"  # papermill's
INJECTED = "# Parameters\n"  # how the cell begins that papermill adds
# As JupyterLab names the kernel of the environment that it runs in, so that saving changes nothing.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
DEFAULT_POOL = "drawn-faithful"  # the pool whose values stand in the cells of 20 and 30


@dataclass(frozen=True)
class Declared:
    """A parameter as base.yaml declares it."""

    name: str
    group: str  # the heading that it stands under
    comment: str  # what it means, with unit and range


def declared_parameters(notebook_path: Path) -> dict:
    """Read the literal defaults of a notebook's tagged parameters cell, without running anything.

    Raises:
        StudyError: no cell, or several, tagged `parameters`; a line that is no literal assignment.
    """
    name, cells = shown(notebook_path), read_notebook(notebook_path)["cells"]

    # papermill warns and goes on where the tag is missing; here it is an error.
    tagged = [cell for cell in cells if is_parameters_cell(cell)]
    if len(tagged) != 1:
        found = f"{name}: {len(tagged)} code cells are tagged 'parameters', one must be"
        raise StudyError(f"{found}; without the tag its own defaults would win silently")

    # Each line is one assignment of a literal, with or without a type.
    try:
        nodes = ast.parse(tagged[0]["source"]).body
    except SyntaxError as error:
        found = f"{name}: line {error.lineno} of the parameters cell"
        raise StudyError(f"{found} is no Python ({error.msg})") from None
    declared = {}
    for node in nodes:
        try:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            declared[target.id] = ast.literal_eval(node.value)
        except (AttributeError, ValueError):
            found = f"{name}: line {node.lineno} of the parameters cell"
            raise StudyError(f"{found} is not 'name: type = literal'") from None
    return declared


def check_notebook(notebook_path: Path, base: dict) -> dict:
    """Read a notebook's declared parameters and check names and types against base.yaml's.

    Args:
        base: all keys of base.yaml with their defaults.

    Raises:
        StudyError: a name that base.yaml does not declare, or a default of another type.
    """
    declared = declared_parameters(notebook_path)
    check_values(declared, base, shown(notebook_path))
    return declared


def is_parameters_cell(cell: dict) -> bool:
    """Tell whether a cell of a notebook's JSON is the one that papermill takes parameters from."""
    return cell["cell_type"] == "code" and has_tag(cell, TAG)


def has_tag(cell: dict, tag: str) -> bool:
    """Tell whether a cell carries a tag."""
    return tag in cell["metadata"].get("tags", [])


def read_base(folder: Path = PARAMS) -> list[Declared]:
    """Read names, headings and comments of base.yaml, in its order.

    A comment stands behind its key, or on the lines above it.
    """
    declared, group, above = [], "", []
    for line in (folder / "base.yaml").read_text(encoding="utf-8").splitlines():
        heading = HEADING.match(line)
        if heading:
            group, above = heading[1], []
        elif line.startswith("#"):
            above.append(line.lstrip("# "))
        elif not line:
            above = []  # a comment that belongs to no key
        else:
            behind = line.partition("  # ")[2].strip()
            name = line.partition(":")[0]
            declared.append(Declared(name, group, " ".join([*above, behind]).strip()))
            above = []
    return declared


def comments_of(source: str) -> dict[str, str]:
    """Read the comment of each parameter of a cell: behind its assignment, or above it."""
    comments, above = {}, []
    for line in source.splitlines():
        if HEADING.match(line) or not line.strip():
            above = []
        elif line.startswith("#"):
            above.append(line.lstrip("# "))
        else:
            # name: type = value  # comment, or the comment on the lines above.
            name = re.split(r"[:=]", line, maxsplit=1)[0].strip()
            behind = line.rpartition("  # ")[2] if "  # " in line else ""
            comments[name] = " ".join([*above, behind.strip()]).strip()
            above = []
    return comments


def assignments(source: str) -> dict:
    """Read assignments, `name = literal` or `name: type = literal`, without running them.

    What is no literal stays as it is written; a text that is no Python, such as that of a damaged
    copy, has none.
    """
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    values = {}
    for node in nodes:
        # The target of `name = value` or `name: type = value`.
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and node.value is not None:
            try:
                values[target.id] = ast.literal_eval(node.value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                values[target.id] = ast.unparse(node.value)
    return values


def cell_source(values: dict, base: list[Declared]) -> str:
    """Write a parameters cell.

    Args:
        values: the parameters that the notebook declares, with their defaults.
        base: all parameters, of `read_base`.

    Returns:
        Lines of at most WIDTH columns, grouped under base.yaml's headings.
    """
    lines, group = [], ""
    for declared in base:
        if declared.name not in values:
            continue

        # A heading where a new group begins.
        if declared.group != group:
            group = declared.group
            lines += [""] if lines else []
            lines.append(f"# --- {group} ---")
        lines += _assignment(declared, values[declared.name])
    return "\n".join(lines)


def opened_values(notebook_path: Path) -> dict:
    """Collect the values in a notebook's own cell: the quick study's, but it writes beside the
    study, for whoever opens it explores (`lib.study.explore`).
    """
    # Which parameters it declares is the notebook's choice.
    names = set(declared_parameters(notebook_path))
    pool = DEFAULT_POOL if stage_of(notebook_path.stem) in PER_POOL else None
    params = load_params("quick", pool=pool) | {"write": False}
    return {name: value for name, value in params.items() if name in names}


def rewrite(notebook_path: Path) -> bool:
    """Write a notebook's parameters cell anew, and the notebook in nbformat's canonical form; tells
    whether that changed anything.
    """
    with quick_imports():
        import nbformat

    # Only what changed is written, so that a file's time means something.
    book = nbformat.read(notebook_path, as_version=4)
    cell = next(cell for cell in book.cells if is_parameters_cell(cell))
    cell.source = cell_source(opened_values(notebook_path), read_base())
    book.metadata = nbformat.from_dict(METADATA)
    text = nbformat.writes(book) + "\n"
    changed = text != notebook_path.read_text(encoding="utf-8")
    if changed:
        notebook_path.write_text(text, encoding="utf-8")
    return changed


def _assignment(declared: Declared, value) -> list[str]:
    """Write one parameter: its comment behind it where there is room, else above it."""
    literal = json.dumps(value, ensure_ascii=False) if isinstance(value, (str, list)) else value
    line = f"{declared.name}: {type(value).__name__} = {literal}"

    # papermill's own help shows comments behind their parameters, so there if possible.
    whole = f"{line}  # {declared.comment}"
    if len(whole) <= WIDTH:
        return [whole]
    comment = textwrap.wrap(declared.comment, WIDTH - 2, break_on_hyphens=False)
    return [*(f"# {part}" for part in comment), line]


if __name__ == "__main__":
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        print(f"{path.stem}: {'rewritten' if rewrite(path) else 'as it should be'}")
