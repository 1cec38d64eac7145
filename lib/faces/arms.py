"""The arms of a study: what each classifier trains on, as data, and the controls of each.

An arm is the key of everything that follows from it, from the plan to the page: runs, predictions,
scores and differences carry its fields as columns (`ARM_FIELDS`), and a question about arms is a
query over these. Its name is made from the fields and is never read back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

import pandas as pd

from lib.study.errors import StudyError
from lib.study.generations import generation_name
from lib.study.names import VARIANT_KINDS, use_of

UNFILTERED = "none"  # `only` of the filtered arm that takes the pool as it was generated
REAL_SHARES = "real"  # `class_shares` of added images in the class shares of the real ones

# Kinds by what they hold. Real images alone:
REAL_KINDS = ("base", "subset", "duplicate", "extra", "fewer_steps", "improved")
# Real and synthetic images, mixed or trained on in another way than mixed:
MIXED_KINDS = ("supplement", "filtered", "replace", "scarce", "balance")
# Of these, images with a part of their own in training; the others have other images or labels.
OWN_PART_KINDS = ("staged", "reversed", "weighted", "auxiliary_norm")
KINDS = (*REAL_KINDS, *MIXED_KINDS, *VARIANT_KINDS, "synthetic", "shuffled")

# First word of an arm's name where it is not the kind.
STEMS = {"filtered": "supplement"}


@dataclass(frozen=True)
class Arm:
    """One training set by rule.

    Attributes:
        kind: one of KINDS.
            base: all real images. supplement: synthetic images beside them. filtered: a supplement
            of what one curation step keeps. staged, reversed, weighted, auxiliary_norm: a
            supplement trained on in another way than mixed. label_filtered: of each class the
            images whose label a classifier of the arm's real images is surest of. soft_labels: its
            probabilities as their labels. replace: synthetic images in place of real ones, at a
            constant total. scarce: a small real subset, filled up. balance: synthetic images fill
            the rare classes. synthetic: synthetic images alone. improved: the real images alone,
            trained in another way (`lib.classifiers.recipes.IMPROVEMENTS`).
            Controls: duplicate (real images once more), shuffled (the synthetic images' labels
            permuted), subset (the real images alone that another arm keeps), extra (held-back
            real images), fewer_steps (the real images alone, for the steps that a supplement takes
            on them).
        pool: name of the pool's first generation; "" for real images alone. A control of real
            images names the pool whose class counts it copies.
        share: synthetic share of the total (supplements and their controls), real share (replace,
            scarce, subset), multiple of the real amount (synthetic), or share of each class that is
            kept (label_filtered).
        control_of: for a control, the kind of the arm that it controls; "" otherwise.
        weight: of a synthetic image in the loss; a real one's is 1.
        only: filtered: the curation step that alone chose the images; UNFILTERED for none.
            improved: what is changed.
        generation: which making of the pool, from 1.
        real: number of real images, where numbers and not shares say what an arm holds; 0: all.
        added: number of images beside them; 0: `share` says how many.
        class_shares: class shares of the added images: REAL_SHARES, those of the arm's real
            images, or "", those of the pool.
    """

    kind: str
    pool: str = ""
    share: float = 0.0  # 0 to 1; more for multiples
    control_of: str = ""
    weight: float = 1.0  # relative to a real image's
    only: str = ""
    generation: int = 1  # numbered from 1
    real: int = 0  # images; 0: all
    added: int = 0  # images; 0: by share
    class_shares: str = ""  # of the added images: REAL_SHARES, or "" for the pool's own

    def __post_init__(self):
        if self.kind not in KINDS:
            raise StudyError(f"there is no kind of arm {self.kind!r}; kinds: {', '.join(KINDS)}")

    @property
    def name(self) -> str:
        """The arm in one word, unique in a study: supplement-0.5-dcgan-shuffled."""
        return self._words(generation_name(self.pool, self.generation))

    @property
    def design(self) -> str:
        """The name without the pool, the same for all pools of one question: supplement-0.5."""
        return self._words("")

    @property
    def source(self) -> str:
        """Name of the pool that the images come from, with its generation; "" for none."""
        return generation_name(self.pool, self.generation)

    @property
    def use(self) -> str:
        """The kind of what is done with its images, whatever their labels are."""
        return use_of(self.kind, self.control_of)

    @property
    def is_control(self) -> bool:
        """Whether the arm exists to be read against."""
        return self.control_of != ""

    @property
    def first_generation(self) -> "Arm":
        """The same arm of the pool's first generation."""
        return replace(self, generation=1)

    def _words(self, pool: str) -> str:
        """Join kind, amount, pool and what was done to the pool into one name."""
        shuffled, kind = self.kind == "shuffled", self.use
        stem = STEMS.get(kind, kind)

        # The real subset of a scarce arm is called after it: scarce-0.1 beside scarce-0.1-dcgan.
        if kind == "subset" and self.control_of == "scarce":
            stem = "scarce"

        # The amount is a share of four digits, with exceptions.
        amount = self._numbers() or f"{self.share:.4g}"
        if kind in ("base", "balance"):
            amount = ""
        elif kind == "synthetic":
            amount = f"{self.share:g}x"
        elif kind == "weighted":
            amount = f"{amount}-at-{self.weight:g}"
        elif kind == "label_filtered":
            amount = f"{amount}-keeping-{self.share:g}"
        elif kind == "duplicate" and self.control_of == "balance":
            amount = "balance"

        # What was done to the pool's images comes last.
        endings = [
            "real_shares" if self.pool and self.class_shares == REAL_SHARES else "",
            "shuffled" if shuffled else "",
            f"only_{self.only}" if self.only else "",
        ]
        return "-".join(word for word in (stem, amount, pool, *endings) if word)

    def _numbers(self) -> str:
        """The numbers of images that define the arm: 287+5096, 287, all+5096; "" for shares."""
        if not self.real and not self.added and self.kind != "improved":
            return ""
        # Improved real images may be all of them.
        real = str(self.real) if self.real else "all"
        return f"{real}+{self.added}" if self.added else real


# The columns that a table of arms carries beside the name, in this order.
ARM_FIELDS = tuple(Arm.__dataclass_fields__)


def controls(arm: Arm) -> list[Arm]:
    """List the arms that an arm is read against besides base, the most telling first.

    The planner adds those that a study asks for; the statistics pair those that were run.
    """
    if arm.is_control or arm.kind in REAL_KINDS:
        return []
    if arm.added:
        return _controls_at_numbers(arm)

    # What several kinds are read against.
    shuffled = replace(arm, kind="shuffled", control_of=arm.kind)
    plain = Arm("supplement", arm.pool, arm.share, generation=arm.generation)
    duplicate = Arm("duplicate", share=arm.share, control_of="supplement")

    # Supplements: against more of the same real images, fewer steps, other real images, and the
    # same synthetic images with shuffled labels.
    if arm.kind == "supplement":
        fewer_steps = Arm("fewer_steps", share=arm.share, control_of="supplement")
        extra = Arm("extra", share=arm.share, control_of="supplement")
        return [duplicate, fewer_steps, extra, shuffled]

    # Variants of a supplement: against what they vary.
    if arm.kind == "filtered":
        return [] if arm.only == UNFILTERED else [replace(arm, only=UNFILTERED)]
    if arm.kind in VARIANT_KINDS:
        return [plain, duplicate, shuffled]

    # Less real data: against that alone. A share of 0 or 1 leaves nothing, or everything.
    if arm.kind in ("replace", "scarce"):
        subset = Arm("subset", share=arm.share, control_of=arm.kind)
        return [subset] if 0 < arm.share < 1 else []

    # The rare classes filled up: against their own images repeated.
    if arm.kind == "balance":
        return [Arm("duplicate", control_of="balance"), shuffled]
    return [shuffled]


def real_alone(arm: Arm) -> Arm:
    """Return the arm of the same real images and nothing else: what an arm is compared with."""
    return Arm("subset", real=arm.real) if arm.real else Arm("base")


def _controls_at_numbers(arm: Arm) -> list[Arm]:
    """List the controls of a supplement that is defined by numbers of images."""
    plain = replace(arm, kind="supplement", weight=1.0, share=0.0)
    control = replace(plain, kind="duplicate", control_of="supplement")
    real_only = replace(control, pool="", generation=1)

    # Copies of real images in the class shares of the added ones.
    duplicate = real_only if arm.class_shares == REAL_SHARES else control

    # Another use of the same images is compared with the plain mixture too, and with the same use
    # of shuffled labels.
    shuffled = replace(arm, kind="shuffled", control_of=arm.kind)
    if arm.kind in OWN_PART_KINDS:
        return [plain, duplicate, shuffled]
    if arm.kind in VARIANT_KINDS:
        return [plain, duplicate]

    # The steps and the held-back real images are the same for every pool.
    fewer_steps = replace(real_only, kind="fewer_steps", class_shares="")
    extra = replace(real_only, kind="extra", class_shares="")
    return [duplicate, fewer_steps, extra, shuffled]


def arm_table(arms: Iterable[Arm]) -> pd.DataFrame:
    """Lay arms out as a table: arm (the name), then the columns ARM_FIELDS, one row an arm."""
    rows = [{"arm": arm.name, **asdict(arm)} for arm in arms]
    return pd.DataFrame(rows, columns=["arm", *ARM_FIELDS])


def arm_of(row: Mapping) -> Arm:
    """Read an arm back from a table's row, or any mapping, that has the columns ARM_FIELDS.

    Texts that a CSV file left empty (NaN) are "".
    """
    # Columns of a CSV file may have become floats, and empty texts NaN.
    texts = ("kind", "pool", "control_of", "only", "class_shares")
    fields = {key: "" if pd.isna(row[key]) else str(row[key]) for key in texts}
    fields |= {key: int(row[key]) for key in ("generation", "real", "added")}
    return Arm(**fields, share=float(row["share"]), weight=float(row["weight"]))


def filtered_pool(pool: str, step: str) -> str:
    """Name a pool as one curation step alone leaves it."""
    return f"{pool}-only_{step}"


def filters_of(steps: list[str]) -> list[str]:
    """List the filters that arms try: the steps, each alone, after no filter at all."""
    return [UNFILTERED, *steps] if steps else []
