"""The arms of a study: what each classifier trains on, as data, and the controls of each.

An arm is the key of everything that follows from it, from the plan to the page: runs, predictions,
scores and differences carry its fields as columns (`ARM_FIELDS`), and a question about arms is a
query over these. Its name is made from the fields and is never read back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from itertools import product

import pandas as pd

from lib.study.errors import StudyError
from lib.study.generations import first_generation, generation_name, generation_number

UNFILTERED = "none"  # `only` of the filtered arm that takes the pool as it was generated
REAL_SHARES = "real"  # `class_shares` of added images in the class shares of the real ones

# Kinds by what they hold. Real images alone:
REAL_KINDS = ("base", "subset", "duplicate", "extra", "fewer_steps")
# Real and synthetic images, mixed or trained on in another way than mixed:
MIXED_KINDS = ("supplement", "filtered", "replace", "scarce", "balance")
VARIANT_KINDS = ("staged", "reversed", "weighted", "auxiliary_norm")
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
            supplement trained on in another way than mixed. replace: synthetic images in place of
            real ones, at a constant total. scarce: a small real subset, filled up. balance:
            synthetic images fill the rare classes. synthetic: synthetic images alone.
            Controls: duplicate (real images once more), shuffled (the synthetic images' labels
            permuted), subset (the real images alone that another arm keeps), extra (held-back
            real images), fewer_steps (the real images alone, for the steps that a supplement takes
            on them).
        pool: name of the pool's first generation; "" for real images alone. A control of real
            images names the pool whose class counts it copies.
        share: synthetic share of the total (supplements and their controls), real share (replace,
            scarce, subset), or multiple of the real amount (synthetic).
        control_of: for a control, the kind of the arm that it controls; "" otherwise.
        weight: of a synthetic image in the loss; a real one's is 1.
        only: filtered: the curation step that alone chose the images; UNFILTERED for none.
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
    def is_control(self) -> bool:
        """Whether the arm exists to be read against."""
        return self.control_of != ""

    @property
    def first_generation(self) -> "Arm":
        """The same arm of the pool's first generation."""
        return replace(self, generation=1)

    def _words(self, pool: str) -> str:
        """Join kind, amount, pool and what was done to the pool into one name."""
        shuffled = self.kind == "shuffled"
        kind = self.control_of if shuffled else self.kind
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
        if not self.real and not self.added:
            return ""
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
    control = replace(arm, kind="duplicate", control_of="supplement", weight=1.0)
    real_only = replace(control, pool="", generation=1)

    # Copies of real images in the class shares of the added ones.
    duplicate = real_only if arm.class_shares == REAL_SHARES else control

    # Another use of the same images is compared with the plain mixture too.
    if arm.kind in VARIANT_KINDS:
        return [replace(arm, kind="supplement", weight=1.0), duplicate]

    # The steps and the held-back real images are the same for every pool.
    fewer_steps = replace(real_only, kind="fewer_steps", class_shares="")
    extra = replace(real_only, kind="extra", class_shares="")
    shuffled = replace(arm, kind="shuffled", control_of="supplement")
    return [duplicate, fewer_steps, extra, shuffled]


def plan_arms(params: dict) -> list[Arm]:
    """List the arms that the flat parameters ask for: base first, then each with its controls.

    Args:
        params: pools, arm_pools, controls, train_steps, supplement_shares and the other keys of
            base.yaml's section on arms, only_arms.

    Raises:
        StudyError: two shares so near that their arms would have one name; a pattern in
            `only_arms` that fits no arm.
    """
    pools = params["arm_pools"] or params["pools"]
    wanted = set(params["controls"])

    # With equal epochs base sees each real image as often as a supplement does.
    if not params["train_steps"]:
        wanted.discard("fewer_steps")

    # Base, then synthetic ones beside them, mixed or in another way.
    arms = [Arm("base")]
    arms += _supplements(params, pools, wanted)
    arms += _with_controls(_variants(params, pools), wanted & {"shuffled"})

    # Synthetic images in place of real ones, and alone.
    replaced = _of_pools("replace", params["replace_shares"], pools)
    arms += _with_controls(replaced, wanted & {"subset"})
    alone = _of_pools("synthetic", params["synthetic_multiples"], pools)
    arms += _with_controls(alone, wanted & {"shuffled"})

    # Little real data. All of it is base; without a pool the subsets are a learning curve.
    for share in params["scarce_shares"]:
        if share < 1:
            arms.append(Arm("subset", share=share, control_of="scarce"))
            arms += _of_pools("scarce", [share], pools)

    # Numbers of real images, alone and with numbers of others beside them.
    arms += _at_numbers(params, pools, wanted)

    # Rare classes filled up.
    if params["balance"]:
        balanced = [_arm("balance", pool) for pool in pools]
        arms += _with_controls(balanced, wanted & {"duplicate", "shuffled"})
    return asked_for(_each_once(arms), params["only_arms"], "only_arms")


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


def asked_for(arms: list[Arm], patterns: list[str], key: str) -> list[Arm]:
    """Keep the arms whose names fit a pattern such as synthetic-1x-*, and base.

    Args:
        patterns: none keeps all.
        key: the parameter that a message names.

    Raises:
        StudyError: a pattern that fits no arm.
    """
    if not patterns:
        return arms

    # Base always runs, for all others are read against it.
    chosen = {arm for arm in arms if arm.kind == "base"}
    for pattern in patterns:
        fitting = {arm for arm in arms if fnmatchcase(arm.name, pattern)}
        if not fitting:
            names = ", ".join(arm.name for arm in arms)
            raise StudyError(f"{key}: {pattern!r} fits none of the arms {names}")
        chosen |= fitting
    return [arm for arm in arms if arm in chosen]


def _arm(kind: str, pool: str, share: float = 0.0, **fields) -> Arm:
    """Make the arm of a pool that is named with its generation."""
    number = generation_number(pool)
    return Arm(kind, first_generation(pool), share, generation=number, **fields)


def _of_pools(kind: str, shares: list[float], pools: list[str]) -> list[Arm]:
    """List one kind of arm at every share, of every pool."""
    return [_arm(kind, pool, share) for share in shares for pool in pools]


def _supplements(params: dict, pools: list[str], wanted: set[str]) -> list[Arm]:
    """List the plain supplements with their controls, then the filtered ones.

    A share that a variant asks for has plain supplements too, for the variant is read against them.
    """
    # Every share that some kind of supplement asks for, each once.
    keys = [f"{kind}_shares" for kind in ("supplement", *VARIANT_KINDS)]
    shares = dict.fromkeys(share for key in keys for share in params[key])
    arms = _with_controls(_of_pools("supplement", list(shares), pools), wanted)

    # The same with what one curation step alone keeps.
    steps = filters_of(params["filter_arms"])
    for share in params["supplement_shares"]:
        for pool in pools:
            arms += [_arm("filtered", pool, share, only=step) for step in steps]
    return arms


def _at_numbers(params: dict, pools: list[str], wanted: set[str]) -> list[Arm]:
    """List the arms that numbers of real and of added images define, with their controls."""
    # With draws a run takes the generation of its own draw, so arms are of the first one.
    if params["draws"]:
        pools = list(dict.fromkeys(first_generation(pool) for pool in pools))

    arms = []
    for real in params["real_counts"]:
        arms.append(real_alone(Arm("subset", real=real)))
        for added in params["added_counts"]:
            for shares in params["added_class_shares"]:
                class_shares = REAL_SHARES if shares == "real" else ""
                numbers = {"real": real, "added": added, "class_shares": class_shares}
                arms += _with_controls(_uses_at_numbers(params, pools, numbers), wanted)
    return arms


def _uses_at_numbers(params: dict, pools: list[str], numbers: dict) -> list[Arm]:
    """List the arms that use one number of added images in every way that is asked for."""
    arms = []
    for use, pool in product(params["added_uses"], pools):
        kind = "supplement" if use == "mixed" else use
        weights = params["synthetic_weights"] if kind == "weighted" else [1.0]
        arms += [_arm(kind, pool, **numbers, weight=weight) for weight in weights]
    return arms


def _variants(params: dict, pools: list[str]) -> list[Arm]:
    """List the supplements that are trained on in another way than mixed."""
    # One kind of image after the other.
    arms = _of_pools("staged", params["staged_shares"], pools)
    arms += _of_pools("reversed", params["reversed_shares"], pools)

    # Another weight in the loss.
    for share in params["weighted_shares"]:
        for weight in params["synthetic_weights"]:
            arms += [_arm("weighted", pool, share, weight=weight) for pool in pools]

    # Batch statistics of their own.
    return arms + _of_pools("auxiliary_norm", params["auxiliary_norm_shares"], pools)


def _with_controls(arms: list[Arm], wanted: set[str]) -> list[Arm]:
    """Add each arm's controls of the wanted kinds: real images before the arm, others after it."""
    planned = []
    for arm in arms:
        chosen = [control for control in controls(arm) if control.kind in wanted]
        planned += [control for control in chosen if control.kind != "shuffled"]
        planned.append(arm)
        planned += [control for control in chosen if control.kind == "shuffled"]
    return planned


def _each_once(arms: list[Arm]) -> list[Arm]:
    """Drop repeated arms, and stop where two different ones would have one name."""
    arms = list(dict.fromkeys(arms))
    by_name = {}
    for arm in arms:
        if arm.name in by_name:
            shares = f"{by_name[arm.name].share} and {arm.share}"
            raise StudyError(
                f"two arms would be called {arm.name}: shares {shares}; names have four digits, "
                "so write both the same"
            )
        by_name[arm.name] = arm
    return arms
