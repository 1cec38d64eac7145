"""What a parameter's value may be: type, range, choices, and the names that parameters had before.

base.yaml declares each key with its type. What a type does not say stands in the tables here.
"""

import difflib
import math

from lib.study.errors import StudyError

# Old name: new name.
RENAMED = {
    "instrument_steps": "reference_steps",
    "judge_folds": "label_classifier_folds",
    "judge_steps": "label_classifier_steps",
    "split_norm_shares": "auxiliary_norm_shares",
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
    "seeds": (1, 1000),
    "more_seeds": (0, 1000),
    "folds": (0, 100),
    "train_lengths": (0.01, 1000),  # times train_steps
    "n_boot": (100, 10**6),  # draws; fewer make no 95 % interval
    "tsne_perplexity": (1, 1000),  # neighbours
    "umap_neighbors": (2, 200),
    "map_seeds": (1, 20),
}

# Names of lib.curation.steps.STEPS, which this room may not import; a test compares them.
CURATION_STEPS = (
    "blank",
    "blur",
    "exposure",
    "exact_copy",
    "near_copy",
    "leak",
    "face",
    "memorised",
    "label",
    "balance",
    "diverse",
)
# The words that a text, or each text of a list, may be.
CHOICES = {
    "device": ("auto", "cpu", "cuda"),
    "labels": ("own", "ferplus"),
    "pool_class_counts": ("balanced", "real"),
    "diffusion_precision": ("auto", "fp32"),
    "curation_steps": CURATION_STEPS,
    "filter_arms": CURATION_STEPS,
    "balance_to": ("equal", "real"),
    "face_choice": ("first", "largest"),
    "label_action": ("drop", "relabel"),
    "controls": ("duplicate", "shuffled", "subset", "extra", "fewer_steps"),
    "added_class_shares": ("real", "pool"),
    "added_uses": ("mixed", "staged", "reversed", "weighted", "auxiliary_norm"),
    "class_weights": ("none", "inverse", "effective"),
    "sampling": ("shuffled", "balanced"),
}

# What stands in the lists that are empty in base.yaml, where the type cannot be seen.
ELEMENTS = {
    "classes": str,
    "sd_emphasised": str,
    "filter_arms": str,
    "scarce_shares": float,
    "real_counts": int,
    "train_passes": float,
    "added_counts": int,
    "staged_shares": float,
    "reversed_shares": float,
    "weighted_shares": float,
    "auxiliary_norm_shares": float,
    "arm_pools": str,
    "only_arms": str,
    "more_seeds_arms": str,
}

# Sources of real faces that need no path.
EMBEDDED_DATA = ("drawn", "digits")


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


def check_together(values: dict) -> None:
    """Check what no single parameter shows.

    Args:
        values: all parameters, resolved.

    Raises:
        StudyError: one class alone or a class named twice; FER+'s labels for other images.
    """
    # Two classes at least, for there is nothing to tell apart in one.
    classes = values.get("classes", [])
    if classes and (len(classes) < 2 or len(set(classes)) < len(classes)):
        raise StudyError(f"classes: {', '.join(classes)}; name two or more, each once, or none")

    # Ten people labelled each image of FER2013 anew (Barsoum et al. 2016), and no others.
    if values.get("labels") == "ferplus" and values["data"] in EMBEDDED_DATA:
        found = f"labels: ferplus are votes on FER2013's images, and data is {values['data']!r}"
        raise StudyError(f"{found}; give --data PATH of FER2013, or labels: own")


def element_type(key: str, declared: list) -> type | None:
    """Tell the type of a list's elements; None where nothing says it."""
    return type(declared[0]) if declared else ELEMENTS.get(key)


def nearest(word: str, valid) -> str:
    """Ask for the valid word that is spelt most like another one; empty where none is near."""
    close = difflib.get_close_matches(str(word), list(valid), n=1, cutoff=0.5)
    return f", did you mean '{close[0]}'?" if close else ""


def _check_value(key: str, value, base: dict, where: str):
    """Return one value, scalar or list, as its declared type."""
    if key in RENAMED:
        raise StudyError(f"{where}: key '{key}' is now called '{RENAMED[key]}'; rename it")

    # base.yaml is the one place that declares a key.
    if key not in base:
        found = f"{where}: unknown key '{key}' (value {value!r}){nearest(key, base)}"
        raise StudyError(f"{found}; every key is declared in params/base.yaml")

    declared = base[key]
    if not isinstance(declared, list):
        return _check_scalar(key, value, type(declared), where)
    if not isinstance(value, list):
        raise StudyError(f"{where}: key '{key}' is a list, found {value!r}; write [{value}]")

    # A list is checked element by element; where its type cannot be known, each has its own.
    kind = element_type(key, declared)
    return [_check_scalar(key, item, kind or type(item), where) for item in value]


def _check_scalar(key: str, value, kind: type, where: str):
    """Return one scalar as its declared type, within its range and among its choices."""
    found = f"{where}: key '{key}' is {value!r}"
    value = _converted(value, kind, found)
    if type(value) is not kind:
        must = f"of type {type(value).__name__}; it must be {kind.__name__}"
        raise StudyError(f"{found}, {must}{_yaml_hint(value, kind)}")
    if kind in (int, float):
        _check_range(key, value, found)
    if kind is str:
        _check_choice(key, value, found)
    return value


def _converted(value, kind: type, found: str):
    """Make a float of what YAML read as something else: 1e-3 is text, 1 a whole number."""
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
        raise StudyError(f"{found}; it must lie in {low} to {high}")


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
