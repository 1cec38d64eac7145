"""The three studies' claims, stated in params/claims.yaml before a run, and what a study's data
decide about each.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lib.faces.arms import Arm
from lib.faces.classes import EMOTIONS
from lib.metrics.arms import METRICS, compare_arms, image_scores, level
from lib.metrics.contrasts import Arms
from lib.metrics.pools import GROUPS
from lib.metrics.statistics import (
    ALPHA,
    Effect,
    compare,
    effect_of,
    equivalence_p,
    holm,
    one_sided_p,
)
from lib.metrics.three_studies import (
    arm_of_pool,
    check_arm,
    check_pools,
    check_word,
    why_not_applicable,
)
from lib.study.errors import StudyError
from lib.study.paths import ROOT
from lib.study.records import content_hash

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
NOT_DECIDABLE = "not decidable from this study"
NOT_APPLICABLE = "does not apply"

PAIR_TESTS = ("equivalent", "greater", "smaller")  # of an arm against a reference
SINGLE_TESTS = ("above", "class_below")  # of an arm alone
ARM_TESTS = (*PAIR_TESTS, *SINGLE_TESTS)
POOL_TESTS = ("pool_below", "pool_near")
TESTS = (*ARM_TESTS, *POOL_TESTS, "none")
POOL_METRICS = ("fd", "kd", "precision", "recall", "density", "coverage", "vendi")
SPACES = ("classifier", "encoder", "pixels")  # feature spaces that every study has

LEAST_SEEDS = 5  # fewer decide no claim
REQUIRED = ("id", "study", "family", "sentence", "metric", "test", "margin", "needs")
OPTIONAL = ("comparisons", "pools", "class", "value", "space", "compares")
# Numbers of an effect that the table of claims shows.
SHOWN = ("difference", "low", "high", "n_images", "n_seeds", "minimum_detectable_effect")


@dataclass(frozen=True)
class Claim:
    """One claim of a study, and what decides it; params/claims.yaml says what the keys mean."""

    id: str  # S1a: the study, and a letter
    study: str  # S1, S2 or S3
    family: str  # of Holm's adjustment
    sentence: str  # the claim, as it is shown
    metric: str  # a name in METRICS, or in POOL_METRICS
    test: str  # a name in TESTS
    margin: float  # smallest difference that counts, in the metric's unit
    needs: str  # what would decide it, where a study cannot
    comparisons: tuple[dict, ...] = ()  # fields of an arm, and of its reference
    pools: tuple[str, ...] = ()  # whose arms the comparisons are of, or that are measured
    class_name: str = ""  # of the test class_below
    value: float = 0.0  # of the test above
    space: str = ""  # of the features behind a pool's metric
    compares: str = ""  # "generators": several trainings of each are needed

    def pairs(self, arms: Arms) -> list[tuple[tuple, tuple]]:
        """List the pairs ((reference, classifier), (arm, classifier)) that a study has, of the
        pools for which it has all; an arm without a reference is paired with itself.
        """
        # Of one classifier, the first.
        classifier = next((classifier for _, classifier in arms), "")
        complete = []
        for pool in self.pools or ("",):
            pairs = [_pair(comparison, pool, classifier) for comparison in self.comparisons]
            # A pool counts where the study has every arm of the claim.
            if all(key in arms for pair in pairs for key in pair):
                complete += pairs
        return complete


@dataclass(frozen=True)
class Measurements:
    """What a study measured: all that its claims are decided from.

    Attributes:
        arms: predictions on the test split; to decide claims, of one classifier.
        labels, clusters: int64 (N,), of the test images.
        pools: table of `pools.measure_spaces`.
        classes: the face set's class list.
        data: the study's parameter: a path, or the name of an embedded source such as "drawn".
    """

    arms: Arms
    labels: np.ndarray
    clusters: np.ndarray
    pools: pd.DataFrame
    classes: tuple[str, ...]
    data: str

    @property
    def why_not(self) -> str:
        """Why these data say nothing about the three studies; "" where they do."""
        return why_not_applicable(self.classes, self.data)


def load_claims(path: Path = ROOT / "params" / "claims.yaml") -> list[Claim]:
    """Read and check the claims.

    Raises:
        StudyError: naming the file, the claim, the key and the nearest valid one.
    """
    path = Path(path)
    claims = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["claims"]:
        _check(entry, f"{path}: claim {entry.get('id', '?')}")
        known = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
        known["class_name"] = known.pop("class", "")
        claims.append(Claim(**known))
    return claims


def claims_hash(claims: list[Claim]) -> str:
    """Hash what was stated beforehand, 12 hex digits, for the report."""
    return content_hash([vars(claim) for claim in claims])[:12]


def decide_claims(claims: list[Claim], measurements: Measurements) -> pd.DataFrame:
    """Decide every claim.

    Returns:
        One row a claim: id, study, sentence, verdict, basis (the comparisons that decided, or what
        is missing), SHOWN; of several comparisons the one nearest to contradicting the claim is
        shown.
    """
    # Each claim by its own comparisons.
    why_not = measurements.why_not
    rows = []
    for claim in claims:
        effects = [] if why_not else _effects(claim, measurements)
        rows.append(_row(claim, effects) if effects else _open_row(claim, why_not or claim.needs))
    table = pd.DataFrame(rows)

    # Either side of a claim is one family of its study.
    for side in ("p_support", "p_contradict"):
        known = table[side].notna()
        families = table[known].groupby("family")[side]
        table.loc[known, side] = families.transform(lambda p: holm(list(p)))

    # Words for the adjusted p-values.
    undecidable = NOT_APPLICABLE if why_not else NOT_DECIDABLE
    verdicts = [_verdict(row, undecidable) for row in table.to_dict("records")]
    table.insert(4, "verdict", verdicts)
    return table.drop(columns=["p_support", "p_contradict", "family"])


def _check(entry: dict, where: str) -> None:
    """Refuse an entry that nothing could ever decide as it is written."""
    # The keys are complete and known.
    for key in entry:
        check_word(key, (*REQUIRED, *OPTIONAL), where, "key")
    missing = [key for key in REQUIRED if key not in entry]
    if missing:
        raise StudyError(f"{where}: key {missing[0]!r} is missing")
    check_word(entry["test"], TESTS, where, "test")

    # The metric is of arms, or of pools in a feature space.
    if entry["test"] in ARM_TESTS:
        check_word(entry["metric"], METRICS, where, "metric")
    if entry["test"] == "class_below":
        check_word(entry.get("class", ""), EMOTIONS, where, "class")
    if entry["test"] in POOL_TESTS:
        check_word(entry["metric"], POOL_METRICS, where, "metric")
        check_word(entry.get("space", ""), SPACES, where, "space")

    # The arms are some that a study can have.
    pools = entry.get("pools", [])
    check_pools(pools, where)
    sides = {"reference", "arm"} if entry["test"] in PAIR_TESTS else {"arm"}
    for comparison in entry.get("comparisons", []):
        if set(comparison) != sides:
            raise StudyError(
                f"{where}: a comparison of the test {entry['test']} names {' and '.join(sides)}, "
                f"found {', '.join(comparison)}"
            )
        for side, fields in comparison.items():
            check_arm(fields, pools, where, side)


def _pair(comparison: dict, pool: str, classifier: str) -> tuple[tuple[Arm, str], tuple[Arm, str]]:
    """Keys of a comparison's reference and arm, of one pool."""
    # An arm that is tested alone is its own reference.
    arm = arm_of_pool(comparison["arm"], pool)
    reference = arm_of_pool(comparison.get("reference", comparison["arm"]), pool)
    return (reference, classifier), (arm, classifier)


def _effects(claim: Claim, measurements: Measurements) -> list[tuple[str, Effect]]:
    """The effects that decide a claim, with the name of each comparison; empty where the study
    lacks the arms or pools.
    """
    # Of pools: their distances, less those of real images.
    if claim.test in POOL_TESTS:
        table = measurements.pools
        chosen = (table["metric"] == claim.metric) & (table["space"] == claim.space)
        rows = table[chosen & table["pool"].isin(claim.pools)]
        return [(row["pool"], _pool_effect(row)) for row in rows.to_dict("records")]

    # Of arms: one difference a comparison.
    effects = []
    for reference, arm in claim.pairs(measurements.arms):
        name = arm[0].name
        if reference != arm:
            name += f" against {reference[0].name}"
        effects.append((name, _arm_effect(claim, reference, arm, measurements)))
    return effects


def _arm_effect(claim: Claim, reference: tuple, arm: tuple, measured: Measurements) -> Effect:
    """The difference that a claim about arms is tested by."""
    labels, clusters, after = measured.labels, measured.clusters, measured.arms[arm]
    if claim.test == "above":
        return level(after, labels, clusters=clusters, metric=claim.metric, above=claim.value)
    if claim.test == "class_below":
        label = measured.classes.index(claim.class_name)
        of_class = image_scores(after, labels, claim.metric, label)
        of_all = image_scores(after, labels, "balanced_accuracy")
        return compare(of_all, of_class, clusters=clusters)
    before = measured.arms[reference]
    return compare_arms(before, after, labels, clusters=clusters, metric=claim.metric)


def _pool_effect(row: dict) -> Effect:
    """A pool's distance less that of real images; the jackknife's groups give the degrees of
    freedom.
    """
    difference, n = row["value"] - row["baseline"], int(row["n"])
    variance = row["se"] ** 2 + row["baseline_se"] ** 2
    return effect_of(difference, variance, 0.0, 0.0, GROUPS, n, n_images=n)


def _p_values(claim: Claim, effect: Effect) -> tuple[float, float]:
    """P-values for and against a claim, by one comparison; a direction is decided where the 95 %
    interval lies beyond the margin.
    """
    # Too few runs, or too few trainings, are evidence for neither side.
    if effect.n_seeds < LEAST_SEEDS or _needs_more_generations(claim, effect):
        return 1.0, 1.0
    if claim.test == "equivalent":
        return equivalence_p(effect, claim.margin), effect.p

    # Either side may be found, so both share the 5 %.
    bounds = {"greater": claim.margin, "above": 0.0, "pool_near": -claim.margin}
    above = one_sided_p(effect, bounds.get(claim.test, -claim.margin))
    greater, smaller = min(2 * above, 1.0), min(2 * (1 - above), 1.0)

    # smaller, class_below and pool_below: the difference lies under -margin.
    return (greater, smaller) if claim.test in bounds else (smaller, greater)


def _needs_more_generations(claim: Claim, effect: Effect) -> bool:
    """Whether a claim that compares generators rests on one training of each: two of one generator
    may differ by as much as two generators do.
    """
    return claim.compares == "generators" and effect.generations < 2


def _row(claim: Claim, effects: list[tuple[str, Effect]]) -> dict:
    """A claim's p-values, and the comparison that lies nearest to contradicting it."""
    # The comparison with the weakest support stands for the claim.
    p_values = [_p_values(claim, effect) for _, effect in effects]
    worst = int(np.argmax([support for support, _ in p_values]))
    name, effect = effects[worst]

    # What the verdict rests on, in words.
    basis = f"{name} and {len(effects) - 1} more" if len(effects) > 1 else name
    if _needs_more_generations(claim, effect):
        basis += "; each generator was trained once (`generations`)"

    # Supported by all comparisons, contradicted by any of them.
    contradict = min(1.0, len(effects) * min(against for _, against in p_values))
    row = _about(claim) | {"basis": basis}
    row |= {"p_support": p_values[worst][0], "p_contradict": contradict}
    row |= {key: getattr(effect, key) for key in SHOWN}
    if claim.test in POOL_TESTS:
        row["n_seeds"] = np.nan  # no classifier was trained
    return row


def _open_row(claim: Claim, basis: str) -> dict:
    """The row of a claim that these data do not decide."""
    row = _about(claim) | {"basis": basis, "p_support": np.nan, "p_contradict": np.nan}
    return row | dict.fromkeys(SHOWN, np.nan)


def _about(claim: Claim) -> dict:
    """The columns that say which claim a row is about."""
    about = {"id": claim.id, "study": claim.study, "family": claim.family}
    return about | {"sentence": claim.sentence}


def _verdict(row: dict, undecidable: str) -> str:
    """The verdict on a claim from its adjusted p-values."""
    if np.isnan(row["p_support"]):
        return undecidable
    if row["p_support"] < ALPHA:
        return SUPPORTED
    return CONTRADICTED if row["p_contradict"] < ALPHA else UNDECIDED
