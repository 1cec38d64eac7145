"""Parameters: load, compose in one order, check by name, type and range before any kernel starts.

base.yaml declares every key with its type; a study's files, a pool's files and key=value strings only override. A study of reduced size
lies over the full one: schuermann-cpu.yaml over schuermann.yaml; a pool's sizes for it stand in pools/<pool>-cpu.yaml, over
pools/<pool>.yaml.
"""

import ast
import difflib
import json
import math
import re
from pathlib import Path

import yaml

from lib.study.errors import StudyError
from lib.study.generations import all_generations, first_generation, of_generation
from lib.study.paths import ROOT

PARAMS = ROOT / "params"
NOT_STUDIES = ("base", "claims", "reported")

# Numbers are 0 or more, shares 0 to 1; what differs stands here.
RANGES = {"val_share": (0, 0.5), "drawn_label_noise": (0, 0.5), "image_px": (16, 512), "gan_px": (16, 512), "diffusion_patch": (1, 8),
          "edit_strength": (0, 1), "seeds": (1, 1000), "more_seeds": (0, 1000), "generations": (1, 100), "folds": (0, 100),
          "judge_folds": (2, 100), "n_boot": (100, 10**6),
          "near_copy_likeness": (0.5, 1), "face_scale_factor": (1.01, 2.0),
          "tsne_perplexity": (1, 1000), "umap_neighbors": (2, 200), "map_seeds": (1, 20)}  # fmt: skip
ARM_SHARES = ("scarce_shares", "staged_shares", "reversed_shares", "weighted_shares", "split_norm_shares")
STEPS = ("blank", "blur", "exposure", "exact_copy", "near_copy", "leak", "face", "memorised", "label", "balance", "diverse")
CHOICES = {"device": ("auto", "cpu", "cuda"), "pool_class_counts": ("balanced", "real"), "face_choice": ("first", "largest"),
           "label_action": ("drop", "relabel"), "balance_to": ("equal", "real"), "curation_steps": STEPS, "filter_arms": STEPS,
           "class_weights": ("none", "inverse", "effective"), "sampling": ("shuffled", "balanced"),
           "controls": ("duplicate", "shuffled", "subset", "extra", "fewer")}  # fmt: skip
# What stands in the lists that are empty in base.yaml.
WORDS = ("arm_pools", "only_arms", "more_seeds_arms", "filter_arms", "sd_emphasised")
ELEMENTS = {**dict.fromkeys(ARM_SHARES, float), **dict.fromkeys(WORDS, str)}


def read_yaml(path: Path) -> dict:
    """Read one flat parameter file.

    Raises:
        StudyError: file missing, not YAML, not a mapping, or a key that stands in it twice.
    """
    name = _shown(path)
    if not path.is_file():
        raise StudyError(f"{name}: no such file")
    text = path.read_text(encoding="utf-8")
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise StudyError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise StudyError(f"{name}: expected lines 'key: value', found {type(values).__name__}")
    keys = re.findall(r"^([A-Za-z_]\w*)\s*:", text, flags=re.MULTILINE)
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise StudyError(f"{name}: key '{twice[0]}' stands in it twice; keep one of the two lines")
    return values


def studies(folder: Path = PARAMS) -> list[str]:
    """List the names of the studies: the parameter files that set `study`."""
    files = [path for path in folder.glob("*.yaml") if path.stem not in NOT_STUDIES]
    return sorted(path.stem for path in files if re.search(r"^study:", path.read_text(encoding="utf-8"), re.MULTILINE))


def size_of(study: str, folder: Path = PARAMS) -> str:
    """Say at which size a study runs: "reduced size" where its file lies over that of a full one, else "full size"."""
    return "reduced size" if study.rpartition("-")[0] in studies(folder) else "full size"


def known_pools(folder: Path = PARAMS) -> list[str]:
    """List the names of the pools: the files in pools/ that set `pool`; others hold a pool's sizes for some studies."""
    files = (folder / "pools").glob("*.yaml")
    return sorted(path.stem for path in files if re.search(r"^pool:", path.read_text(encoding="utf-8"), re.MULTILINE))


def layers(study: str, pool: str | None = None, folder: Path = PARAMS) -> list[Path]:
    """List the files that lie over base.yaml, in order: the study's, and those of a pool with its sizes for studies of this last name.

    Args:
        study: such as schuermann, quick, or schuermann-cpu, which lies over schuermann.
        pool: such as dcgan, whose sizes for quick stand in pools/dcgan-quick.yaml and for schuermann-cpu in pools/dcgan-cpu.yaml.
        folder: where the files lie.

    Raises:
        StudyError: no such study or pool.
    """
    if study not in studies(folder):
        raise StudyError(f"no study '{study}' in {_shown(folder)}{_nearest(study, studies(folder))}; studies: {', '.join(studies(folder))}")
    full, _, size = study.rpartition("-")
    files = [folder / f"{full}.yaml"] * (full in studies(folder)) + [folder / f"{study}.yaml"]
    if pool is None:
        return files
    known = known_pools(folder)
    if pool not in known:
        raise StudyError(f"no pool '{pool}' in {_shown(folder / 'pools')}{_nearest(pool, known)}; pools: {', '.join(known)}")
    sizes = folder / "pools" / f"{pool}-{size}.yaml"
    return [*files, folder / "pools" / f"{pool}.yaml"] + [sizes] * sizes.exists()


def load_params(study: str, sets: tuple = (), pool: str | None = None, *, folder: Path = PARAMS) -> dict:
    """Compose the parameters of a study.

    Args:
        study: name of params/<study>.yaml.
        sets: strings "key=value" that override everything else; lists as "a,b" or "[a, b]".
        pool: name of params/pools/<pool>.yaml, composed after the study's file; <pool>-generation2 is the same from another seed.
        folder: where the files lie.

    Returns:
        All keys of base.yaml with their resolved values; the pools in all their generations.

    Raises:
        StudyError: unknown study, pool or key, wrong type, value out of range; names file, key, value and the nearest valid one.
    """
    values = read_yaml(folder / "base.yaml")
    base = dict(values)
    for path in layers(study, pool and first_generation(pool), folder):
        values.update(_checked(read_yaml(path), base, _shown(path)))
    values.update(_checked(_parsed(sets, base), base, "--set"))
    if values["study"] != study:
        found = f"{_shown(folder / study)}.yaml: key 'study' is '{values['study']}'"
        raise StudyError(f"{found}, but a study is named after its file: write study: {study}")
    # asked of every pool's file, so only where there is more than one generation to name
    several = known_pools(folder) if values["generations"] > 1 else []
    ready_made = tuple(name for name in several if read_yaml(folder / "pools" / f"{name}.yaml").get("generator") == "folder")
    for key in ("pools", "arm_pools"):
        values[key] = all_generations(values[key], values["generations"], ready_made)
    return of_generation(values, pool or "")


def declared_parameters(notebook_path: Path) -> dict:
    """Read the literal defaults of a notebook's tagged parameters cell, without running anything.

    Raises:
        StudyError: no cell, or several, tagged `parameters`; a line that is no literal assignment.
    """
    name = _shown(notebook_path)
    try:
        cells = json.loads(notebook_path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError) as error:
        raise StudyError(f"{name}: cannot be read as a notebook ({type(error).__name__})") from None
    tagged = [c for c in cells if c["cell_type"] == "code" and "parameters" in c["metadata"].get("tags", [])]
    if len(tagged) != 1:
        found = f"{name}: {len(tagged)} code cells are tagged 'parameters', one must be"
        raise StudyError(f"{found}; without the tag its own defaults would win silently")
    declared = {}
    for node in ast.parse("".join(tagged[0]["source"])).body:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
        try:
            declared[target.id] = ast.literal_eval(node.value)
        except (AttributeError, ValueError):
            raise StudyError(f"{name}: line {node.lineno} of the parameters cell is not 'name: type = literal'") from None
    return declared


def check_notebook(notebook_path: Path, base: dict) -> dict:
    """Read a notebook's declared parameters and check names and types against base.yaml's.

    Raises:
        StudyError: a name that base.yaml does not declare, or a default of another type.
    """
    declared = declared_parameters(notebook_path)
    _checked(declared, base, _shown(notebook_path))
    return declared


def _parsed(sets: tuple, base: dict) -> dict:
    """Turn "key=value" strings into values of the declared types."""
    values = {}
    for text in sets:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise StudyError(f"--set {text}: write --set key=value")
        declared = base.get(key)
        if isinstance(declared, str):
            values[key] = value
        elif isinstance(declared, list) and not value.strip().startswith("["):
            words = _element(key, declared) is str
            values[key] = [part.strip() if words else _read(part, text) for part in value.split(",") if part.strip()]
        else:
            values[key] = _read(value, text)
    return values


def _read(value: str, text: str):
    """Read one value as YAML; `text` is the whole setting, for the message."""
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise StudyError(
            f"--set {text}: {value.strip()!r} cannot be read; quote words with signs such as * in them, or leave the brackets out"
        ) from None


def _element(key: str, declared: list) -> type | None:
    """Tell the type of a list's elements; None where nothing says it."""
    return type(declared[0]) if declared else ELEMENTS.get(key)


def _checked(values: dict, base: dict, where: str) -> dict:
    """Check an overlay against base.yaml and return it with declared types."""
    checked = {}
    for key, value in values.items():
        if key not in base:
            found = f"{where}: unknown key '{key}' (value {value!r})"
            raise StudyError(f"{found}{_nearest(key, base)}; every key is declared in params/base.yaml")
        declared = base[key]
        if isinstance(declared, list):
            if not isinstance(value, list):
                raise StudyError(f"{where}: key '{key}' is a list, found {value!r}; write [{value}]")
            checked[key] = [_typed(key, item, _element(key, declared) or type(item), where) for item in value]
        else:
            checked[key] = _typed(key, value, type(declared), where)
    return checked


def _typed(key: str, value, kind: type, where: str):
    """Return one scalar as its declared type, within its range."""
    found = f"{where}: key '{key}' is {value!r}"
    if kind is float and isinstance(value, str):
        try:
            value = float(value)  # YAML reads 1e-3 as text; 1.0e-3 is a number
        except ValueError:
            raise StudyError(f"{found}, which is text; it must be a number such as 0.001") from None
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        hint = " (YAML reads yes, no, on and off as true and false: quote them)" if isinstance(value, bool) else ""
        hint = " (write true or false)" if kind is bool else hint
        raise StudyError(f"{found}, of type {type(value).__name__}; it must be {kind.__name__}{hint}")
    if kind in (int, float):
        low, high = RANGES.get(key, (0, 1) if key.endswith(("share", "shares")) else (0, math.inf))
        if not low <= value <= high or not math.isfinite(value):
            raise StudyError(f"{found}; it must lie in {low} to {high}")
    if kind is str and value not in CHOICES.get(key, (value,)):
        raise StudyError(f"{found}{_nearest(value, CHOICES[key])}; choices: {', '.join(CHOICES[key])}")
    return value


def _nearest(word: str, valid) -> str:
    close = difflib.get_close_matches(str(word), list(valid), n=1, cutoff=0.5)
    return f", did you mean '{close[0]}'?" if close else ""


def _shown(path: Path) -> str:
    """Name a path from the project's root where it lies in it."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
