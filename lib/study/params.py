"""Parameters: load, compose in one order, check by name, type and range before any kernel starts.

base.yaml declares every key with its type; a study's files, a pool's files and key=value strings
only override. A study of reduced size lies over the full one: amounts-cpu.yaml over
amounts.yaml. A pool's sizes for it stand in pools/<pool>-cpu.yaml, over pools/<pool>.yaml; those
for one study alone in pools/<pool>-<study>.yaml.
dcgan~gan_steps=500 is the pool dcgan with another setting, a pool of its own.
"""

import re
from pathlib import Path

import yaml

from lib.study.cells import settings_of, study_of
from lib.study.errors import StudyError, shortened
from lib.study.generations import all_generations, family_of, first_generation, of_generation
from lib.study.parameter_rules import (
    check_together,
    check_values,
    element_type,
    nearest,
)
from lib.study.paths import ROOT

PARAMS = ROOT / "params"  # base.yaml, one file a study, and pools/
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with it


def read_yaml(path: Path) -> dict:
    """Read one flat parameter file.

    Raises:
        StudyError: file missing, not UTF-8, not YAML, not a mapping, or a key that stands in it
            twice.
    """
    name, text = shown(path), _text_of(Path(path))
    try:
        values = parsed_yaml(text) or {}
    except yaml.YAMLError as error:
        raise StudyError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):  # a list, or one word
        raise StudyError(f"{name}: expected lines 'key: value', found {type(values).__name__}")

    # YAML takes the last of two equal keys without a word.
    keys = re.findall(r"^['\"]?([A-Za-z_]\w*)['\"]?\s*:", text, flags=re.MULTILINE)
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise StudyError(f"{name}: key '{twice[0]}' stands in it twice; keep one of the two lines")
    return values


def read_entries(path: Path, key: str) -> list[dict]:
    """Read a parameter file that lists entries, each with keys of its own, under one key.

    Raises:
        StudyError: as of `read_yaml`; no list of entries under the key.
    """
    entries = read_yaml(path).get(key, [])
    is_list = isinstance(entries, list)
    if not is_list or not all(isinstance(entry, dict) for entry in entries):
        raise StudyError(f"{shown(path)}: under '{key}' entries are expected: '- name: value'")
    return entries


def parsed_yaml(text: str):
    """Parse YAML to plain values alone: a text cannot run code.

    Raises:
        yaml.YAMLError: whatever is wrong with it.
    """
    try:
        return yaml.load(text, Loader=SAFE_LOADER)
    except yaml.YAMLError:
        raise
    except Exception as error:  # a date that is none, a number of thousands of digits
        raise yaml.YAMLError(str(error)) from None


def studies(folder: Path = PARAMS) -> list[str]:
    """List the names of the studies: the parameter files that set `study`, but for base.yaml."""
    files = [path for path in folder.glob("*.yaml") if path.stem != "base"]

    # claims.yaml, reported.yaml and prompts.yaml lie here too, and are no studies.
    return sorted(path.stem for path in files if _sets(path, "study"))


def size_of(study: str) -> str:
    """Say at which size a study runs: "reduced size" where its file lies over a full one's, "sized
    for two cores" where there is no other size.
    """
    full, _, size = study_of(study).rpartition("-")  # amounts of amounts-cpu
    if full in studies():
        return "reduced size"
    return "sized for two cores" if size == "cpu" else "full size"


def summary(study: str, folder: Path = PARAMS) -> str:
    """Read what a study is from the first comment of its file, up to the command that runs it."""
    file = folder / f"{study_of(study)}.yaml"
    lines = _text_of(file).splitlines() if file.exists() else []
    texts = []

    # Comment lines, until the command, an empty comment or the first key.
    for line in lines:
        text = line.lstrip("# ").strip()
        if not line.startswith("#") or not text or text.startswith("run_all.py"):
            break
        texts.append(text)
    return " ".join(texts)


def known_pools(folder: Path = PARAMS) -> list[str]:
    """List the names of the pools: the files in pools/ that set `pool`; others hold sizes alone."""
    return sorted(path.stem for path in (folder / "pools").glob("*.yaml") if _sets(path, "pool"))


def layers(study: str, pool: str | None = None, folder: Path = PARAMS) -> list[Path]:
    """List the files that lie over base.yaml, in order: the study's, then the pool's.

    Args:
        study: such as quick, amounts, or amounts-cpu, which lies over amounts; a cell of
            a grid of settings has those of its study.
        pool: such as dcgan, whose sizes for quick stand in pools/dcgan-quick.yaml and for
            amounts-cpu in pools/dcgan-cpu.yaml, for this study alone in
            pools/dcgan-amounts-cpu.yaml; with other settings it has the same files.
        folder: where the files lie.

    Raises:
        StudyError: no such study or pool.
    """
    known, study = studies(folder), study_of(study)
    if study not in known:
        found = f"no study '{study}' in {shown(folder)}{nearest(study, known)}"
        raise StudyError(f"{found}; studies: {', '.join(known)}")

    # The full study, and the reduced one over it.
    full, _, size = study.rpartition("-")
    files = [folder / f"{name}.yaml" for name in (full, study) if name in known]
    if pool is None:
        return files

    # The pool, its sizes for studies of this size, and for this very study.
    known, pool = known_pools(folder), study_of(pool)
    if pool not in known:
        raise _unknown_pool(pool, known, folder)
    files.append(folder / "pools" / f"{pool}.yaml")
    sizes = [folder / "pools" / f"{pool}-{name}.yaml" for name in (size, study)]
    return [*files, *(file for file in sizes if file.exists())]


def load_params(
    study: str, sets: tuple = (), pool: str | None = None, *, folder: Path = PARAMS
) -> dict:
    """Compose the parameters of a study.

    Args:
        study: name of params/<study>.yaml, or of a cell, whose settings win over everything.
        sets: strings "key=value" that override everything else; lists as "a,b" or "[a, b]".
        pool: name of params/pools/<pool>.yaml, composed after the study's file; <pool>~key=value
            has this setting besides, <pool>-generation2 is the same from another seed.
        folder: where the files lie.

    Returns:
        All keys of base.yaml with their resolved values; the pools in all their generations.

    Raises:
        StudyError: unknown study, pool or key, wrong type, value out of range; names file, key,
            value and the nearest valid one.
    """
    # Later files win, and the command line over all of them.
    base = read_yaml(folder / "base.yaml")
    values, first = dict(base), first_generation(pool or "")
    for path in layers(study, first or None, folder):
        found = check_values(read_yaml(path), base, shown(path))
        # The generations of a pool are its own: those of the study's other pools stay.
        if path.parent.name == "pools":
            found.pop("generations", None)
        values.update(found)
    values.update(check_values(_parsed(sets, base), base, "--set"))

    # What a name says is true of what it names.
    values.update(check_values(_parsed(settings_of(study), base), base, f"study {study}"))
    values.update(check_values(_parsed(settings_of(first), base), base, f"pool {first}"))
    if first:
        values["pool"] = first

    # Paths and keys go by this name: another one inside the file would mix two studies up.
    own = study_of(study)
    if values["study"] != own:
        found = f"{shown(folder / own)}.yaml: key 'study' is '{values['study']}'"
        raise StudyError(f"{found}, but a study is named after its file: write study: {own}")
    values["study"] = study
    check_together(values)

    # A pool stands for all its generations; a later one differs in name, seed and round before.
    named = dict.fromkeys([*values["pools"], *values["arm_pools"]])
    own_counts = _own_generations(study, list(named), base, folder)
    for key in ("pools", "arm_pools"):
        values[key] = all_generations(values[key], values["generations"], own_counts)
    values = of_generation(values, pool or "")
    check_pools(values, folder)
    return values


def check_pools(values: dict, folder: Path = PARAMS) -> None:
    """Check the names of pools among some parameters.

    Raises:
        StudyError: a pool without a file, or arms of a pool that the study does not have.
    """
    known = known_pools(folder)
    for key in ("pool", "pools", "arm_pools", "round_of"):
        # One name, or several.
        given = values.get(key, [])
        for name in [given] if isinstance(given, str) else given:
            if name and family_of(name) not in known:
                raise _unknown_pool(name, known, folder, f"{key}: ")

    # Arms are made of the study's pools alone.
    if "pools" in values:
        for name in values.get("arm_pools", []):
            if name not in values["pools"]:
                found = f"arm_pools: {name!r} is none of the pools of the study"
                raise StudyError(f"{found}: {', '.join(values['pools'])}")


def check_generator(values: dict, folder: Path = PARAMS) -> None:
    """Check that a pool is made by its own generator and settings: its name would say what it is
    not.

    Args:
        values: parameters of a notebook; without pool or generator nothing is checked.

    Raises:
        StudyError: the generator is not that of the pool's file, or a setting not that of its name.
    """
    if not {"pool", "generator"} <= values.keys():
        return
    first = first_generation(values["pool"])
    file = folder / "pools" / f"{family_of(first)}.yaml"
    way_out = f"take it from the study: run_all.py --open 20-{values['pool']}"
    own = read_yaml(file).get("generator", values["generator"])
    if own != values["generator"]:
        raise StudyError(
            f"generator: {values['generator']!r} makes no pool {values['pool']!r}, which "
            f"{shown(file)} makes by {own!r}: set all that stands there, or {way_out}"
        )

    # The name of a pool with other settings says them.
    base = read_yaml(folder / "base.yaml")
    for key, value in check_values(_parsed(settings_of(first), base), base, first).items():
        if key in values and values[key] != value:
            raise StudyError(
                f"{key}: the pool {values['pool']!r} is made with {value}, not {values[key]}: set "
                f"it so, or {way_out}"
            )


def shown(path: Path) -> str:
    """Name a path from the project's root where it lies in it."""
    # Messages are shorter this way, and the same on every machine.
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _unknown_pool(name: str, known: list[str], folder: Path, where: str = "") -> StudyError:
    """Make the error about a pool without a file."""
    found = f"{where}no pool '{name}' in {shown(folder / 'pools')}{nearest(name, known)}"
    return StudyError(f"{found}; pools: {', '.join(known)}")


def _sets(path: Path, key: str) -> bool:
    """Tell whether a parameter file sets a key, without parsing it."""
    return bool(re.search(rf"^{key}:", _text_of(path), re.MULTILINE))


def _text_of(path: Path) -> str:
    """Read a parameter file as text."""
    if not path.is_file():
        raise StudyError(f"{shown(path)}: no such file")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise StudyError(f"{shown(path)}: not text in UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise StudyError(f"{shown(path)}: cannot be read ({error.strerror})") from None


def _own_generations(study: str, pools: list[str], base: dict, folder: Path) -> dict[str, int]:
    """Give the number of generations of the pools whose files say it, that of the size included.

    Images that are ready-made, by the generator `folder`, cannot be made again.
    """
    counts, known = {}, known_pools(folder)
    for name in pools:
        # A pool that is not known is named later.
        family, found = family_of(name), {}
        files = layers(study, family, folder) if family in known else []
        for file in files:
            if file.parent.name == "pools":
                found |= check_values(read_yaml(file), base, shown(file))
        if found.get("generator") == "folder":
            counts[name] = 1
        elif "generations" in found:
            counts[name] = found["generations"]
    return counts


def setting_values(key: str, texts: list[str], base: dict) -> list:
    """Read several values of one parameter, as `--set key=text` would read each.

    Args:
        base: all keys of base.yaml with their defaults.

    Raises:
        StudyError: an unknown key, a wrong type, a value out of range.
    """
    parsed = [_parsed((f"{key}={text}",), base) for text in texts]
    return [check_values(values, base, "--vary")[key] for values in parsed]


def _parsed(sets: tuple, base: dict) -> dict:
    """Turn "key=value" strings into values of the declared types."""
    values = {}
    for text in sets:
        key, equals, value = text.partition("=")  # the value may hold further equals signs
        if not equals:
            raise StudyError(f"--set {text}: write --set key=value")
        key = key.strip()
        values[key] = _parse_value(key, value, base.get(key), text)
    return values


def _parse_value(key: str, value: str, declared, text: str):
    """Read one value: text as it stands, a list with or without brackets, the rest as YAML."""
    if isinstance(declared, str):
        return value  # also what YAML would read as a number or a truth value
    if not isinstance(declared, list) or value.strip().startswith("["):
        return _read(value, text)

    # A list without brackets, whose words need no quotation marks: *-0.5 is no YAML.
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if element_type(key, declared) is str:
        return parts
    return [_read(part, text) for part in parts]


def _read(value: str, text: str):
    """Read one value as YAML; `text` is the whole setting, for the message."""
    try:
        return parsed_yaml(value)
    except yaml.YAMLError:
        found = f"--set {shortened(text)}: {shortened(repr(value.strip()))} cannot be read"
        raise StudyError(
            f"{found}; quote words with signs such as * in them, or leave the brackets out"
        ) from None
