"""Names of what rooms above this one hold: networks, recipes, generators, batch systems.

This room may import none of them, and a mistyped name is to stop a study before any of them is
loaded. A test compares each list with what it names.
"""

LONGEST_CLASS = 200  # bytes of a class's name, of the 255 that file systems take

# lib.faces.sources: data that need no path.
EMBEDDED_DATA = ("drawn", "digits")

# lib.classifiers.models.NETWORKS: ours, then torchvision's in their variants.
OUR_NETWORKS = ("s1", "small", "fast", "deep", "s2", "resemotenet")
TORCHVISION_NETWORKS = (
    "resnet18",
    "resnet50",
    "mobilenetv3",
    "mobilenetv3-small",
    "efficientnet-b0",
    "shufflenetv2",
    "densenet121",
    "convnext-tiny",
)
VARIANTS = ("", "-224", "-imagenet", "-imagenet-frozen", "-imagenet-fixed")
CLASSIFIERS = (
    *OUR_NETWORKS,
    *(name + variant for name in TORCHVISION_NETWORKS for variant in VARIANTS),
)

RECIPES = ("schuermann", "quick", "fast", "best", "mixup")  # lib.classifiers.recipes.RECIPES
REAL_WAYS = ("mixup", "cutout", "geometry", "class_balance")  # lib.classifiers.recipes.IMPROVEMENTS
# Kinds of arms that train on real and synthetic images in another way than mixed, see
# lib.faces.arms.
VARIANT_KINDS = (
    "staged",
    "reversed",
    "weighted",
    "auxiliary_norm",
    "label_filtered",
    "soft_labels",
)
# lib.generators.contract: PRETRAINED and NETWORKS.
GENERATORS = ("drawn", "folder", "stable", "dcgan", "cgan", "acgan", "stylegan", "diffusion")
GAN_CONDITIONS = ("one-hot", "number")  # lib.generators.stylegan.CONDITIONS
GAN_AUGMENTATIONS = ("adaptive", "fixed", "none")  # lib.generators.stylegan.AUGMENTATIONS

# lib.compute.cluster: words for a cluster that is started; else it is an address.
CLUSTERS = ("local", "slurm", "pbs", "lsf")

# lib.curation.steps.STEPS.
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


def can_be_class(name: str) -> bool:
    """Tell whether a class can have a name: folders are named after it."""
    is_path = name.startswith(".") or "/" in name or "\\" in name
    return bool(name) and not is_path and name.isprintable() and len(name.encode()) <= LONGEST_CLASS


def use_of(kind: str, control_of: str) -> str:
    """Name the kind of what is done with an arm's images: those with shuffled labels are used as
    the arm that they control uses its own.
    """
    return control_of if kind == "shuffled" else kind
