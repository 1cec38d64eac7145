"""`run_all.py --vary`: which studies a grid of settings has."""

import math
from itertools import product

from lib.study.cells import MARK, cell_name, study_of
from lib.study.errors import StudyError
from lib.study.params import PARAMS, load_params, read_yaml, setting_values

MOST_CELLS = 36  # of a grid
# Where and how fast a study runs, and what each execution has of its own.
NOT_VARIED = ("study", "output", "write", "workers", "cluster", "pool", "stages", "device")


def cells_of(study: str, vary: list[str], sets: tuple[str, ...]) -> list[str]:
    """Name the cells of a grid, each a study with the value of every parameter that is varied.

    Args:
        study: whose other parameters hold in all cells.
        vary: "key=a,b" strings; a list stands in brackets where it has several elements.
        sets: "key=value" strings of the command line, which hold in all cells.

    Raises:
        StudyError: a text that varies nothing, or too much; an unknown key, a wrong value.
    """
    if MARK in study:
        raise StudyError(
            f"--vary: {study} is a cell of a grid itself; give --study {study_of(study)}"
        )
    load_params(study, sets)  # stops at a mistake in these
    base, given = read_yaml(PARAMS / "base.yaml"), {text.partition("=")[0] for text in sets}

    # The values of each parameter.
    varied = {}
    for text in vary:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals:
            raise StudyError(f"--vary {text}: write --vary key=a,b")
        if key in varied:
            raise StudyError(f"--vary {text}: {key} is varied twice; write all values once")
        varied[key] = _values(key, values, base)
        _check_varied(key, varied[key], given)

    # In the order of base.yaml, so that a cell has one name however it was asked for.
    count = math.prod(map(len, varied.values()))
    if count > MOST_CELLS:
        raise StudyError(f"--vary: {count} studies, at most {MOST_CELLS}; vary fewer values")
    keys = [key for key in base if key in varied]
    combinations = product(*(varied[key] for key in keys))
    return [cell_name(study, dict(zip(keys, values, strict=True))) for values in combinations]


def _values(key: str, text: str, base: dict) -> list:
    """Read the values of one parameter, each once, in the order given."""
    values = []
    for value in setting_values(key, _parts(text), base):
        if value not in values:
            values.append(value)
    return values


def _check_varied(key: str, values: list, given: set[str]) -> None:
    """Stop at a parameter that cannot be varied, or is not."""
    if key in NOT_VARIED:
        raise StudyError(f"--vary {key}: it says where or how a study runs, not what it computes")
    if key in given:
        raise StudyError(f"--vary {key}: --set gives it a value too; leave one of them out")
    if len(values) < 2:
        shown = values[0] if values else "none"
        raise StudyError(f"--vary {key}: one value ({shown}); give two, as {key}=a,b, or use --set")


def _parts(text: str) -> list[str]:
    """Part values at commas, but for those in brackets: 1,[2,3] is 1 and [2,3]."""
    parts, depth = [""], 0
    for sign in text:
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]
