"""The three studies' claims, stated in params/claims.yaml, and what a study's data decide about
each, where it spent enough to decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.arms import Arm, controls
from lib.faces.classes import EMOTIONS
from lib.metrics.arms import METRICS, compare_arms, image_scores, level
from lib.metrics.claim_verdicts import (
    ARM_TESTS,
    PAIR_TESTS,
    POOL_TESTS,
    SHOWN,
    SIDES,
    TESTS,
    Comparison,
    decided_families,
    p_values,
)
from lib.metrics.contrasts import Arms
from lib.metrics.generations import distance_effect
from lib.metrics.pools import GROUPS
from lib.metrics.preregistration import CLAIMS, RIGHT, amended_claims, load_log
from lib.metrics.statistics import Effect, compare
from lib.metrics.three_studies import (
    arm_of_pool,
    check_arm,
    check_pools,
    check_word,
    why_not_applicable,
)
from lib.report.claims import NOT_APPLICABLE, NOT_DECIDABLE
from lib.study.errors import StudyError
from lib.study.generations import first_generation
from lib.study.params import read_entries
from lib.study.records import parsing

POOL_METRICS = ("fd", "kd", "precision", "recall", "density", "coverage", "vendi")
SPACES = ("classifier", "encoder", "pixels")  # feature spaces that every study has

LEAST_BUDGET = 0.5  # share of the claim's own budget under which a study does not decide it
EPOCHS, STEPS = "epochs", "steps"  # what both arms have alike, by the claim's protocol
READINGS = {EPOCHS: "equal real passes", STEPS: "equal steps"}
SAME = 0.02  # relative difference under which two trainings were equally long
BUDGET = ("generator_images", "passes", "protocol")
REQUIRED = ("id", "study", "family", "sentence", "metric", "test", "margin", "needs")
OPTIONAL = ("comparisons", "pools", "class", "value", "space", "budget", "generations")


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
    budget: Mapping = field(default_factory=dict)  # keys of BUDGET
    generations: int = 1  # trainings of each generator that it needs
    amended: str = ""  # dates of changes after results

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
        generator_images: images that each pool's generator was trained on, repetitions counted
            (`evidence.generator_images`); a pool that is missing is not known.
    """

    arms: Arms
    labels: np.ndarray
    clusters: np.ndarray
    pools: pd.DataFrame
    classes: tuple[str, ...]
    data: str
    generator_images: Mapping[str, float] = field(default_factory=dict)

    @property
    def why_not(self) -> str:
        """Why these data say nothing about the three studies; "" where they do."""
        return why_not_applicable(self.classes, self.data)


def load_claims(path: Path = CLAIMS) -> list[Claim]:
    """Read and check the claims.

    Raises:
        StudyError: naming the file, the claim, the key and the nearest valid one.
    """
    path = Path(path)
    claims, amended = [], amended_claims(load_log(path))
    for entry in read_entries(path, "claims"):
        where = f"{path}: claim {entry.get('id', '?')}"
        with parsing(where, RIGHT):
            _check(entry, where)
            known = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
            known["class_name"] = known.pop("class", "")
            claims.append(Claim(**known, amended=amended.get(entry["id"], "")))
    return claims


def decide_claims(claims: list[Claim], measurements: Measurements) -> pd.DataFrame:
    """Decide every claim.

    Returns:
        One row a claim: id, study, sentence, metric, space, verdict, basis (the comparisons that
        decided, or what is missing), reading (by the claim's protocol), missing (of its budget and
        generations; where anything is, the verdict is NOT_AT_THIS_SIZE), at_this_size (what these
        runs alone would say), SHOWN, low_decided and high_decided (the interval that decides, at
        the levels of Holm's procedure), margin, amended (dates of changes after results); of
        several comparisons the one nearest to contradicting the claim is shown.
    """
    # Each claim by its own comparisons.
    why_not = measurements.why_not
    rows, effects = [], []
    for claim in claims:
        found = [] if why_not else _comparisons(claim, measurements)
        row, effect = _row(claim, found) if found else _open_row(claim, why_not or claim.needs)
        rows.append(row)
        effects.append(effect)

    # Words for p-values that are adjusted for the families, and intervals that say the same.
    undecidable = NOT_APPLICABLE if why_not else NOT_DECIDABLE
    return decided_families(pd.DataFrame(rows), claims, effects, undecidable)


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

    # The budget is in words that count.
    budget = entry.get("budget", {})
    for key in budget:
        check_word(key, BUDGET, where, "budget")
    check_word(budget.get("protocol", EPOCHS), tuple(READINGS), where, "budget.protocol")

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


def _comparisons(claim: Claim, measurements: Measurements) -> list[Comparison]:
    """The comparisons that decide a claim; none where the study lacks the arms or pools."""
    if claim.test in POOL_TESTS:
        return _pool_comparisons(claim, measurements)

    # Of arms: one difference a comparison.
    found, arms = [], measurements.arms
    for reference, arm in claim.pairs(arms):
        name, reading, missing = arm[0].name, "", []
        if reference != arm:
            reference, missing = _at_protocol(claim, reference, arm, arms)
            name += f" against {reference[0].name}"
            reading = READINGS.get(claim.budget.get("protocol"), "")

        # What the arms and their generators were trained for.
        pair = arms[reference], arms[arm]
        effect = _arm_effect(claim, reference, arm, measurements)
        missing += _missing_passes(claim, min(one.epochs for one in pair))
        pools = {key[0].pool for key in (reference, arm)} - {""}
        missing += _missing_of_generators(claim, pools, effect.generations, measurements)
        analyses = min(one.analyses for one in pair)
        found.append(Comparison(name, effect, analyses, reading, tuple(missing)))
    return found


def _pool_comparisons(claim: Claim, measurements: Measurements) -> list[Comparison]:
    """Of each pool its distance, less that of real images, over the pool's generations."""
    table = measurements.pools
    chosen = (table["metric"] == claim.metric) & (table["space"] == claim.space)
    rows = table[chosen & table["pool"].map(first_generation).isin(claim.pools)]
    found = []
    for pool, of_pool in rows.groupby(rows["pool"].map(first_generation), sort=False):
        effect = distance_effect(of_pool, GROUPS)
        missing = _missing_of_generators(claim, {pool}, effect.generations, measurements)
        found.append(Comparison(pool, effect, missing=tuple(missing)))
    return found


def _at_protocol(claim: Claim, reference: tuple, arm: tuple, arms: Arms) -> tuple[tuple, list[str]]:
    """Choose the reference that was trained as long as the claim's protocol asks: the one that the
    claim names, or the arm's control fewer_steps; and what is missing where neither was.
    """
    protocol = claim.budget.get("protocol")
    if not protocol:
        return reference, []

    # As many passes over their own images, or as many steps.
    others = [(control, arm[1]) for control in controls(arm[0]) if control.kind == "fewer_steps"]
    for candidate in (reference, *others):
        if candidate in arms and _trained_alike(arms[candidate], arms[arm], protocol):
            return candidate, []
    wanted = " or ".join(["equal " + protocol, *(f"the arm {other[0].name}" for other in others)])
    return reference, [wanted]


def _trained_alike(reference, arm, protocol: str) -> bool:
    """Whether two arms were trained equally long."""
    lengths = (reference.epochs, arm.epochs)
    if protocol == STEPS:
        lengths = (reference.steps, arm.steps)
    return max(lengths) - min(lengths) <= SAME * max(lengths)


def _missing_passes(claim: Claim, passes: float) -> list[str]:
    """Name what classifiers lack of the claim's budget."""
    # A last pass that is not quite whole counts.
    wanted = claim.budget.get("passes", 0)
    if passes >= (1 - SAME) * LEAST_BUDGET * wanted:
        return []
    return [f"{passes:.3g} of {wanted:g} passes over the images"]


def _missing_of_generators(
    claim: Claim, pools: set[str], generations: int, measurements: Measurements
) -> list[str]:
    """Name what the pools' generators lack of the claim's budget and trainings."""
    missing, wanted = [], claim.budget.get("generator_images", 0)
    for pool in sorted(pools):
        images = measurements.generator_images.get(pool, 0)
        if images < LEAST_BUDGET * wanted:
            missing.append(f"{pool} was trained on {images:,.0f} of {wanted:,.0f} images")
    if pools and generations < claim.generations:
        missing.append(f"{generations} of {claim.generations} trainings of each generator")
    return missing


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


def _row(claim: Claim, comparisons: list[Comparison]) -> tuple[dict, Effect]:
    """A claim's p-values, and the comparison that lies nearest to contradicting it."""
    # The comparison with the weakest support stands for the claim.
    found = [p_values(claim.test, claim.margin, comparison) for comparison in comparisons]
    worst = int(np.argmax([support for support, _ in found]))
    shown = comparisons[worst]

    # What the verdict rests on, in words, and what any comparison lacks.
    basis = shown.name
    if len(comparisons) > 1:
        basis += f" and {len(comparisons) - 1} more"
    missing = dict.fromkeys(text for one in comparisons for text in one.missing)

    # Supported by all comparisons, contradicted by any of them.
    contradict = min(1.0, len(comparisons) * min(against for _, against in found))
    row = _about(claim) | {"basis": basis, "reading": shown.reading, "missing": "; ".join(missing)}
    row |= {"p_support": found[worst][0], "p_contradict": contradict}
    counts = shown.analyses, shown.analyses * len(comparisons)
    row |= {f"counts_{side}": count for side, count in zip(SIDES, counts, strict=True)}
    row |= {key: getattr(shown.effect, key) for key in SHOWN}
    if claim.test in POOL_TESTS:
        row["n_seeds"] = np.nan  # no classifier was trained
    return row | {"margin": claim.margin, "amended": claim.amended}, shown.effect


def _open_row(claim: Claim, basis: str) -> tuple[dict, None]:
    """The row of a claim that these data do not decide."""
    row = _about(claim) | {"basis": basis, "reading": "", "missing": ""}
    row |= {f"{name}_{side}": np.nan for name in ("p", "counts") for side in SIDES}
    row |= dict.fromkeys(SHOWN, np.nan)
    return row | {"margin": claim.margin, "amended": claim.amended}, None


def _about(claim: Claim) -> dict:
    """The columns that say which claim a row is about."""
    names = ("id", "study", "family", "sentence", "metric", "space")
    return {name: getattr(claim, name) for name in names}
