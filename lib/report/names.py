"""What pools, arms, metrics and feature spaces are called on pages, in one place.

Code, tables on disk and parameters use short machine names (`supplement-0.1178-folder`); people
read "Schürmann's Stable Diffusion faces, 12% of the training images". An arm's words are made from
its fields. A notebook says once whose names its tables may hold (`name_study`).
"""

from collections.abc import Iterable, Mapping

from lib.study.cells import settings_of
from lib.study.generations import family_of, first_generation, generation_number
from lib.study.names import use_of

READY_MADE = "folder"  # the pool of --synthetic, which each study may call its own name
REAL = "all real images"

POOLS = {
    "drawn-faithful": "faithful drawings",
    "drawn-narrow": "drawings of few people",
    "drawn-narrow-round2": "drawings of few people, second round",
    "drawn-mislabelled": "mislabelled drawings",
    "dcgan": "DCGAN",
    "dcgan-round2": "DCGAN, second round",
    "cgan": "conditional GAN",
    "acgan": "ACGAN",
    "stylegan32": "StyleGAN2, 32 px",
    "stylegan64": "StyleGAN2, 64 px",
    "stylegan64ada": "StyleGAN2-ADA",
    "stylegan64number": "StyleGAN2, class as a number",
    "stylegan64truncated": "StyleGAN2, truncated",
    "stylegan-s2": "StyleGAN2-ADA as in S2",
    "diffusion": "diffusion",
    "diffusion-edited": "diffusion from real faces",
    "diffusion-all": "diffusion, all faces",
    "diffusion-287": "diffusion, the same 287 faces",
    "diffusion-718": "diffusion, the same 718 faces",
    "diffusion-2871": "diffusion, the same 2,871 faces",
    "diffusion-long": "diffusion, longer training",
    "dcgan-long": "DCGAN, longer training",
    "stylegan-long": "StyleGAN2-ADA, longer training",
    "stable": "Stable Diffusion",
    "stable-expressive": "Stable Diffusion, expressive prompts",
    READY_MADE: "ready-made faces",
}
# Settings in which a pool differs from the one whose name it has.
SETTINGS = {
    "gan_steps": "{} training steps",
    "diffusion_guidance": "guidance {}",
    "diffusion_sample_steps": "{} sampling steps",
    "diffusion_dropout": "dropout {}",
    "pool_images": "{} generated",
}
METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
    "f1": "F1",
    "precision_macro": "macro precision",
    "recall_macro": "macro recall",
    "auroc_macro": "macro AUROC",
    "auroc": "AUROC",
    "kappa": "Cohen's kappa",
    "ece_15": "calibration error",
    "fd": "Fréchet distance",
    "kd": "kernel distance",
    "kd_class": "kernel distance by class",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "vendi": "Vendi score",
}
SPACES = {
    "classifier": "reference classifier",
    "encoder": "encoder",
    "pixels": "pixels",
    "pretrained": "pretrained network",
}
# Ways to score the test images: which of them count, and whose labels.
SCORINGS = {
    "test": "all test images",
    "test-plus": "all, FER+ labels",
    "test-leakfree": "without copies",
    "test-leakfree-plus": "without copies, FER+ labels",
}
MAPS = {"pca": "principal axes", "tsne": "t-SNE", "umap": "UMAP"}
# Steps of the curation, and attributes of drawn faces, whose names have underscores.
STEPS = {
    "exact_copy": "exact copy",
    "near_copy": "near-copy",
    "leak": "copy of a test image",
    "face": "no face",
    "age_lines": "age lines",
    "hidden": "part of the face hidden",
    "skin": "skin, grey level",
}
OTHERS = {
    "train": "training",
    "val": "validation",
    "real": "real images",
    "base": REAL,
    "accuracy on val": "accuracy on the validation images",
    "base, other seed": "all real images, another seed",
    "one annotator of FER+": "one human annotator",
}
KNOWN = METRICS | SPACES | MAPS | STEPS | OTHERS

# Kinds of arms with synthetic images: what the training set is, before its amount.
MIXED = {
    "supplement": "{pool}",
    "filtered": "{pool} filtered by {only}",
    "staged": "{pool} first, real images last",
    "reversed": "real images first, {pool} last",
    "weighted": "{pool} at weight {weight:g}",
    "auxiliary_norm": "{pool} with a batch norm of its own",
    "label_filtered": "{pool}, the surest {share} of each class",
    "soft_labels": "{pool} with predicted labels",
}
# The same as headings over several pools.
GROUPS = {
    "supplement": "Added to the real images",
    "filtered": "Added, filtered by {only}",
    "staged": "Synthetic first, real last",
    "reversed": "Real first, synthetic last",
    "weighted": "Added, at weight {weight:g}",
    "auxiliary_norm": "Added, with a batch norm of its own",
    "label_filtered": "Added, the surest {share} of each class",
    "soft_labels": "Added, with predicted labels",
    "replace": "In place of real images",
    "scarce": "Beside few real images",
    "balance": "Filling up rare classes",
    "synthetic": "Without real images",
    "shuffled": "With shuffled labels",
}
# Ways to use the same images, in the middle of a sentence.
USES = {
    "supplement": "mixed in",
    "staged": "generated images first, real ones last",
    "reversed": "real images first, generated ones last",
    "weighted": "mixed in at weight {weight:g}",
    "auxiliary_norm": "mixed in with a batch norm of their own",
    "label_filtered": "mixed in, the surest {share} of each class",
    "soft_labels": "mixed in with predicted labels",
}
# Other ways to train on the real images alone, in the middle of a sentence.
IMPROVEMENTS = {
    "mixup": "with MixUp",
    "cutout": "with squares cut out",
    "geometry": "turned and zoomed",
    "class_balance": "every class as often",
}
ALONE = "Real images alone"
# What an arm is compared with, in the middle of a sentence, by the reference's kind.
REFERENCES = {
    "base": REAL,
    "duplicate": "real images repeated",
    "shuffled": "the same with shuffled labels",
    "fewer_steps": "the real images alone, same steps on them",
    "extra": "as many more real images",
    "supplement": "the same images, mixed in",
    "filtered": "the same pool, unfiltered",
    "subset": "the same real images alone",
    "improved": "the same real images alone, trained in another way",
}
MULTIPLES = {0.5: "half as many as", 1.0: "as many as", 2.0: "twice as many as"}

# Machine names of the notebook's own study, by what people call them.
_named: dict[str, str] = {}


def name_study(parameters: Mapping, arms: Iterable = ()) -> None:
    """Say whose names figures and tables of this notebook may hold.

    Args:
        parameters: of the step; `synthetic_name` says what the ready-made images are.
        arms: of the study (`lib.faces.arms.Arm`), whose names tables hold without their fields.
    """
    # What one notebook named is no other's.
    _named.clear()
    name_ready_made(parameters.get("synthetic_name", ""))
    _named.update({arm.name: arm_text(arm) for arm in arms})


def name_ready_made(words: str) -> None:
    """Say what the ready-made images are called; "" for what they are called everywhere."""
    _named.pop(READY_MADE, None)
    if words:
        _named[READY_MADE] = words


def in_words(name: str) -> str:
    """Name a pool, arm, metric, feature space or split in words; anything else stays."""
    if name in _named:
        return _named[name]
    return KNOWN[name] if name in KNOWN else pool_text(name)


def _setting_text(key: str, value: str) -> str:
    """Write a setting in words: "500 training steps"."""
    number = f"{int(value):,}" if value.isdigit() else value
    return SETTINGS.get(key, key.replace("_", " ") + " {}").format(number)


def scoring_text(name: str) -> str:
    """Name a way to score the test images: "without copies, FER+ labels"."""
    return SCORINGS.get(name, name)


def pool_text(name: str) -> str:
    """Name a pool in words, with the settings in which it differs from the pool of its name, and
    its generation where it is not the first.
    """
    first, number, kind = first_generation(name), generation_number(name), family_of(name)
    words = [_named.get(kind) or POOLS.get(kind, kind)]
    words += [_setting_text(*setting.split("=")) for setting in settings_of(first)]
    if number > 1:
        words.append(f"generation {number}")
    return ", ".join(words)


def arm_text(arm) -> str:
    """Describe an arm: "DCGAN, 12% of the training images".

    Args:
        arm: a `lib.faces.arms.Arm`; its fields alone are read.
    """
    if _is_of_real_images(arm):
        return _real_text(arm)
    words = _synthetic_text(arm, _kind(arm))
    return f"{words}, labels shuffled" if arm.kind == "shuffled" else words


def group_text(arm) -> str:
    """Describe an arm without its pool, as a heading over pools: "Added: 12% of ..."."""
    if _is_of_real_images(arm):
        return ALONE
    heading, amount = _group_use(arm), _group_amount(arm)
    words = f"{heading}: {amount}" if amount else heading
    return f"{words}, labels shuffled" if arm.kind == "shuffled" else words


def row_text(arm) -> str:
    """Name an arm under the heading `group_text`: its pool, or what the real images are."""
    return _real_text(arm) if _is_of_real_images(arm) else pool_text(arm.source)


def listed(arms: Iterable) -> list[tuple[str, str]]:
    """Give the heading and the name of each row in a list of arms.

    Headings say what is done with the images, and rows whose images they are. Where all come from
    one pool, its name goes into headings of amounts or of uses, whichever are fewer.
    """
    arms = list(arms)
    by_use = [(group_text(arm), row_text(arm)) for arm in arms]
    if len({arm.source for arm in arms if not _is_of_real_images(arm)}) != 1:
        return by_use

    # One heading a row would say everything twice.
    of_pool = [[_under_pool(arm, by_amount=way) for arm in arms] for way in (True, False)]
    return min([by_use, *of_pool], key=lambda names: len({heading for heading, _ in names}))


def use_text(arm: Mapping) -> str:
    """Say how an arm uses its synthetic images: "mixed in at weight 0.25"; or how an improved one
    trains on real images alone.

    Args:
        arm: a row with the fields of an arm, of a kind in USES or improved.
    """
    if arm["kind"] == "improved":
        return IMPROVEMENTS[arm["only"]]
    if arm["kind"] == "duplicate":
        return "repeated"
    use = USES[use_of(arm["kind"], arm.get("control_of", ""))]
    words = use.format(weight=arm["weight"], share=percent(arm["share"]))
    return f"{words}, labels shuffled" if arm["kind"] == "shuffled" else words


def reference_text(kind: str) -> str:
    """Say what an arm is compared with, by the kind of the reference."""
    return REFERENCES.get(kind, kind)


def percent(share: float) -> str:
    """Write a share as percent with two digits: 12%, 7.1%, 100%."""
    # Two digits tell the amounts of one study apart.
    value = 100 * share
    return f"{value:.0f}%" if value >= 9.95 else f"{value:.2g}%"


def _is_of_real_images(arm) -> bool:
    """Tell whether an arm holds no synthetic images; copies may have a pool's class counts."""
    return not arm.pool or arm.kind == "duplicate"


def _synthetic_text(arm, kind: str) -> str:
    """Describe the training set of an arm with synthetic images."""
    pool = pool_text(arm.source)
    if kind in MIXED:
        share = percent(arm.share)
        words = MIXED[kind].format(pool=pool, only=arm.only, weight=arm.weight, share=share)
        if arm.only == "none":
            words = f"{pool} unfiltered"
        return f"{words}, {_mixed_amount(arm)}"
    if kind == "replace":
        return f"{pool} in place of {percent(1 - arm.share)} of the real images"
    if kind == "scarce":
        return f"{pool} beside {percent(arm.share)} of the real images"
    if kind == "synthetic":
        return f"{pool} alone, {_multiple(arm.share)} real images"
    return f"{pool} filling up rare classes"


def _real_text(arm) -> str:
    """Describe an arm of real images alone."""
    real, added = _counts(arm)
    amount = f"{real:,} real images" if real else REAL
    # Amounts in images, where the arm has them.
    if arm.kind == "subset":
        share = percent(arm.share)
        return f"{amount} alone" if real else f"{share} of the real images alone"
    if arm.kind == "extra":
        return f"{added:,} more real images beside {amount}" if added else "more real images"
    if arm.kind == "duplicate":
        if added:
            counts = f", class counts of {pool_text(arm.pool)}" if arm.pool else ""
            return f"{added:,} copies beside {amount}{counts}"
        share = f", {percent(arm.share)} of the training images" if arm.share else ""
        return f"real images repeated{share}"
    if arm.kind == "fewer_steps":
        share = "" if added else f", {percent(arm.share)} fewer steps"
        return f"{amount}{share or ', fewer steps'}"
    if arm.kind == "improved":
        return f"{amount} alone, {IMPROVEMENTS[arm.only]}"
    return amount


def _mixed_amount(arm) -> str:
    """Write how many synthetic images stand beside the real ones."""
    real, added = _counts(arm)
    if added:
        beside = f"{real:,} real images" if real else REAL
        return f"{added:,} images beside {beside}"
    return f"{percent(arm.share)} of the training images"


def _group_use(arm) -> str:
    """Write what is done with the images of a pool, without their amount."""
    share = percent(arm.share)
    return GROUPS[_kind(arm)].format(only=arm.only, weight=arm.weight, share=share)


def _under_pool(arm, *, by_amount: bool) -> tuple[str, str]:
    """Head an arm of a study's only pool by the pool and its amount, and name it by its use; or the
    other way round.
    """
    if _is_of_real_images(arm):
        return ALONE, _real_text(arm)
    # What has no amount stands under its pool alone.
    use, amount, pool = _group_use(arm), _group_amount(arm), pool_text(arm.source)
    shuffled = ", labels shuffled" if arm.kind == "shuffled" else ""
    if not amount:
        return pool, f"{use}{shuffled}"
    if by_amount:
        return f"{pool}: {amount}", f"{use}{shuffled}"
    return f"{pool}: {use[0].lower()}{use[1:]}{shuffled}", amount


def _kind(arm) -> str:
    """Tell what is done with an arm's images, whatever its labels are."""
    return use_of(arm.kind, getattr(arm, "control_of", ""))


def _group_amount(arm) -> str:
    """Write the amount of a heading over pools."""
    kind = _kind(arm)
    if kind in MIXED:
        return _mixed_amount(arm)
    if kind == "replace":
        return percent(1 - arm.share)
    if kind == "scarce":
        return f"{percent(arm.share)} of them"
    return f"{_multiple(arm.share)} real images" if kind == "synthetic" else ""


def _multiple(multiple: float) -> str:
    """Write a multiple: as many as, twice as many as, 4 times as many as."""
    return MULTIPLES.get(multiple, f"{multiple:g} times as many as")


def _counts(arm) -> tuple[int, int]:
    """Read the numbers of real and of added images; 0 where the arm is given by a share."""
    return getattr(arm, "real", 0), getattr(arm, "added", 0)
