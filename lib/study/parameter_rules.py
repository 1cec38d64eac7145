"""What a parameter's value may be: type, range, choices, and the names that parameters had before.

base.yaml declares each key with its type. What a type does not say stands in the tables here.
"""

import difflib
import math

from lib.study.errors import StudyError, shortened
from lib.study.names import (
    CLASSIFIERS,
    CLUSTERS,
    CURATION_STEPS,
    EMBEDDED_DATA,
    GAN_AUGMENTATIONS,
    GAN_CONDITIONS,
    GENERATORS,
    REAL_WAYS,
    RECIPES,
    VARIANT_KINDS,
    can_be_class,
)
from lib.study.stages import UPSTREAM, VERDICT

LARGEST = 2**63 - 1  # of whole numbers

# Old name: new name.
RENAMED = {
    "instrument_steps": "reference_steps",
    "judge_folds": "label_classifier_folds",
    "judge_steps": "label_classifier_steps",
    "split_norm_shares": "auxiliary_norm_shares",
    "diffusion_precision": "gan_precision",
}
# Key: old value: new value.
RENAMED_VALUES = {"controls": {"fewer": "fewer_steps"}}

# Lowest and highest value. Other numbers are 0 or more, other shares 0 to 1.
RANGES = {
    "image_px": (16, 512),  # pixels
    "val_share": (0, 0.5),
    "drawn_label_noise": (0, 0.5),  # at one half labels say nothing
    "generations": (1, 100),
    "gan_px": (16, 512),  # pixels
    "diffusion_channels": (8, 1024),
    "diffusion_blocks": (1, 16),
    "diffusion_patch": (1, 8),  # pixels
    "diffusion_dropout": (0, 0.9),
    "diffusion_sample_steps": (2, 1000),
    "edit_strength": (0, 1),  # share of the noise levels
    "near_copy_likeness": (0.5, 1),  # correlation
    "face_scale_factor": (1.01, 2.0),  # at 1 the cascade would never end
    "label_classifier_folds": (2, 100),
    "margin": (0, 0.5),
    "seeds": (1, 1000),
    "real_count_seeds": (1, 1000),
    "more_seeds": (0, 1000),
    "folds": (0, 100),
    "train_lengths": (0.01, 1000),  # times train_steps
    "verdict_minutes": (2, 1440),
    "n_boot": (100, 10**6),  # draws; fewer make no 95% interval
    "tsne_perplexity": (1, 1000),  # neighbours
    "umap_neighbors": (2, 200),
    "map_seeds": (1, 20),
}

VERDICT_PX = (48, 96)  # sides that a verdict compares faces at, pixels
# What a person who wrote a number out of range may have meant.
HINTS = {"margin": "it is a share, not points: 0.005 is half a point"}

# Spellings of true and false, in small letters: papermill passes what it does not know as text.
BOOLEANS = {word: True for word in ("true", "yes", "on", "1")}
BOOLEANS |= {word: False for word in ("false", "no", "off", "0")}

# The words that a text, or each text of a list, may be.
CHOICES = {
    "device": ("auto", "cpu", "cuda"),
    "labels": ("own", "ferplus"),
    "generator": GENERATORS,
    "gan_condition": GAN_CONDITIONS,
    "gan_augment": GAN_AUGMENTATIONS,
    "pool_class_counts": ("balanced", "real"),
    "gan_precision": ("auto", "fp32"),
    "diffusion_soft_labels": ("votes", "predicted"),
    "sd_prompts": ("schuermann", "expressive"),
    "curation_steps": CURATION_STEPS,
    "filter_arms": CURATION_STEPS,
    "balance_to": ("equal", "real"),
    "face_choice": ("first", "largest"),
    "label_action": ("drop", "relabel"),
    "controls": ("duplicate", "shuffled", "subset", "extra", "fewer_steps"),
    "added_class_shares": ("real", "pool"),
    "added_uses": ("mixed", *VARIANT_KINDS),
    "real_ways": REAL_WAYS,
    "classifiers": CLASSIFIERS,
    "recipes": RECIPES,
    "class_weights": ("none", "inverse", "effective"),
    "sampling": ("shuffled", "balanced"),
}

# What stands in the lists that are empty in base.yaml, where the type cannot be seen.
ELEMENTS = {
    "classes": str,
    "stages": int,
    "more_synthetic": str,
    "sd_emphasised": str,
    "filter_arms": str,
    "scarce_shares": float,
    "real_counts": int,
    "real_count_seeds": int,
    "train_passes": float,
    "added_counts": int,
    "real_ways": str,
    "staged_shares": float,
    "reversed_shares": float,
    "weighted_shares": float,
    "auxiliary_norm_shares": float,
    "arm_pools": str,
    "only_arms": str,
    "more_seeds_arms": str,
}


def check_values(values: dict, base: dict, where: str) -> dict:
    """Check an overlay against base.yaml.

    Args:
        values: keys with their values, as read.
        base: all keys of base.yaml with their defaults.
        where: what to name in a message, such as a file.

    Returns:
        The values with their declared types.

    Raises:
        StudyError: an unknown or renamed key, a wrong type, a value out of range.
    """
    return {key: _check_value(key, value, base, where) for key, value in values.items()}


def check_verdict_px(px: int) -> None:
    """Stop at sizes that a verdict does not compare faces at: small ones say little, large ones
    take longer than it has.
    """
    low, high = VERDICT_PX
    if not low <= px <= high:
        raise StudyError(f"image_px: {px}; a verdict compares faces at {low} to {high} pixels")


def check_together(values: dict) -> None:
    """Check what no single parameter shows.

    Args:
        values: all parameters, resolved, or those that a notebook declares.

    Raises:
        StudyError: one class alone or a class named twice; FER+'s labels for other images; a list
            of recipes of another length than that of the classifiers; likewise of
            real_count_seeds.
    """
    # Two classes at least, for there is nothing to tell apart in one.
    classes = [name.strip() for name in values.get("classes", [])]
    different = {name.lower() for name in classes}
    if classes and (len(classes) < 2 or len(different) < len(classes)):
        raise StudyError(f"classes: {', '.join(classes)}; name two or more, each once, or none")
    for name in classes:
        if not can_be_class(name):
            raise StudyError(f"classes: {shortened(repr(name))} cannot be the name of a folder")

    # Of one fold everything would be held out.
    if values.get("folds") == 1:
        raise StudyError("folds: 1 leaves nothing to train on; give 0 (the data's own test) or 2")

    # Stages are numbers of notebooks.
    unknown = [stage for stage in values.get("stages", []) if stage not in UPSTREAM]
    if unknown:
        known = ", ".join(map(str, UPSTREAM))
        raise StudyError(f"stages: there is no notebook {unknown[0]}; there are {known}")

    if VERDICT in values.get("stages", []) and "image_px" in values:
        check_verdict_px(values["image_px"])

    # Ten people labelled each image of FER2013 anew (Barsoum et al. 2016), and no others.
    if values.get("labels") == "ferplus" and values.get("data") in EMBEDDED_DATA:
        found = f"labels: ferplus are votes on FER2013's images, and data is {values['data']!r}"
        raise StudyError(f"{found}; give --data PATH of FER2013, or labels: own")

    # Each classifier has its recipe.
    classifiers, recipes = (values.get(key, []) for key in ("classifiers", "recipes"))
    if len(set(classifiers)) < len(classifiers):
        raise StudyError(f"classifiers: each may be named once; found {', '.join(classifiers)}")
    if len(recipes) not in (1, len(classifiers)):
        found = f"recipes: {len(recipes)} for {len(classifiers)} classifiers"
        raise StudyError(f"{found}; give one for all, or one for each")

    # Each number of real images has its number of runs, or all have one.
    counts, seeds = (values.get(key, []) for key in ("real_counts", "real_count_seeds"))
    if seeds and len(seeds) != len(counts):
        found = f"real_count_seeds: {len(seeds)} for {len(counts)} real_counts"
        raise StudyError(f"{found}; give one for each, or none")


def element_type(key: str, declared: list) -> type:
    """Tell the type of a list's elements."""
    return type(declared[0]) if declared else ELEMENTS[key]


def nearest(word: str, valid) -> str:
    """Write what was perhaps meant: ", did you mean 'x'?", x spelt most alike; "" for none."""
    close = difflib.get_close_matches(str(word), list(valid), n=1, cutoff=0.5)
    return f", did you mean '{close[0]}'?" if close else ""


def _check_value(key: str, value, base: dict, where: str):
    """Return one value, scalar or list, as its declared type."""
    if key in RENAMED:
        raise StudyError(f"{where}: key '{key}' is now called '{RENAMED[key]}'; rename it")

    # base.yaml is the one place that declares a key.
    if key not in base:
        found = f"{where}: unknown key '{key}' (value {_shown(value)}){nearest(key, base)}"
        raise StudyError(f"{found}; every key is declared in params/base.yaml")

    declared = base[key]
    if not isinstance(declared, list):
        return _check_scalar(key, value, type(declared), where)
    if isinstance(value, tuple):
        value = list(value)
    if not isinstance(value, list):
        found = f"{where}: key '{key}' is a list, found {_shown(value)}"
        raise StudyError(f"{found}; {_list_hint(value)}")

    # A list is checked element by element.
    kind = element_type(key, declared)
    return [_check_scalar(key, item, kind, where) for item in value]


def _check_scalar(key: str, value, kind: type, where: str):
    """Return one scalar as its declared type, within its range and among its choices."""
    found = f"{where}: key '{key}' is {_shown(value)}"
    value = _converted(value, kind, found)
    if type(value) is not kind:
        must = f"of type {type(value).__name__}; it must be {kind.__name__}"
        raise StudyError(f"{found}, {must}{_yaml_hint(value, kind)}")
    if kind in (int, float):
        _check_range(key, value, found)
    if kind is str:
        _check_choice(key, value, found)
    if key == "cluster":
        _check_cluster(value, found)
    return value


def _converted(value, kind: type, found: str):
    """Make a float or a boolean of what was read as something else.

    YAML takes 1e-3 for text and 1 for a whole number; papermill passes false as text, which would
    count as true.
    """
    if kind is bool:
        return BOOLEANS.get(str(value).strip().lower(), value)
    if type(value) is int and abs(value) > LARGEST:
        raise StudyError(f"{found}, which is too large a number")
    if kind is not float:
        return value
    if type(value) is int:  # not a bool, which is an int too
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise StudyError(f"{found}, which is text; it must be a number such as 0.001") from None
    return value


def _list_hint(value) -> str:
    """Say how a list is written, in a file and for papermill, whose -p takes no lists."""
    # A list in brackets was text all the same.
    inside = shortened(value).strip("[] ")
    return f"write [{inside}], and for papermill -y in place of -p"


def _shown(value) -> str:
    """Show a value as it is written in Python, its end left out where it is long."""
    return shortened(repr(value) if isinstance(value, str) else value)


def _yaml_hint(value, kind: type) -> str:
    """Explain what YAML makes of yes and no, and how it wants true and false."""
    if kind is bool:
        return " (write true or false)"
    if isinstance(value, bool):
        return " (YAML reads yes, no, on and off as true and false: quote them)"
    return ""


def _check_range(key: str, value: float, found: str) -> None:
    """Raise StudyError where a number is out of range, infinite or not a number."""
    # The name tells a share: synthetic_share, scarce_shares.
    is_share = key.endswith(("share", "shares"))
    low, high = RANGES.get(key, (0, 1) if is_share else (0, math.inf))
    if not low <= value <= high or not math.isfinite(value):
        hint = f"; {HINTS[key]}" if key in HINTS else ""
        raise StudyError(f"{found}; it must lie in {low} to {high}{hint}")


def _check_cluster(value: str, found: str) -> None:
    """Raise StudyError where a cluster is neither a known word nor an address."""
    # Whether anything answers at an address is seen when it is used.
    if value and value not in CLUSTERS and ":" not in value:
        known = ", ".join(CLUSTERS)
        raise StudyError(
            f"{found}{nearest(value, CLUSTERS)}; it is an address such as tcp://host:8786, or one "
            f"of {known}"
        )


def _check_choice(key: str, value: str, found: str) -> None:
    """Raise StudyError where a text is none of the words that its key may be."""
    # A key without choices takes any text.
    choices = CHOICES.get(key, (value,))
    if value in choices:
        return

    # An old word is answered with the new one, a wrong one with the nearest.
    renamed = RENAMED_VALUES.get(key, {}).get(value)
    if renamed:
        raise StudyError(f"{found}; '{value}' is now called '{renamed}': rename it")
    listed = ", ".join(choices)
    raise StudyError(f"{found}{nearest(value, choices)}; choices: {listed}")
