"""From the table of effects to findings: the effects for readers, the verdict on each pool, and the
known truth of drawn pools.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.faces.arms import ARM_FIELDS, Arm
from lib.metrics.arms import compare_arms
from lib.metrics.contrasts import BASE, Arms
from lib.metrics.evidence import of_first_classifier
from lib.metrics.questions import BY_KEY, QUESTIONS
from lib.metrics.statistics import HELPS, HURTS, UNDECIDED, VERDICTS, verdict
from lib.metrics.wording import effect_text, points
from lib.report.names import reference_text


@dataclass(frozen=True)
class KnownTruth:
    """What is true of a drawn pool by its making: how its largest supplement compares."""

    pool: str  # of the supplement
    truth: str  # in words
    reference_pool: str  # of the supplement that it is compared with; "" for base
    verdict: str  # the right one


# params/pools/drawn-*.yaml make these pools what they are.
KNOWN_TRUTHS = (
    KnownTruth("drawn-faithful", "as good as the real source", "", HELPS),
    KnownTruth(
        "drawn-narrow",
        "few identities: worse than the faithful pool",
        "drawn-faithful",
        HURTS,
    ),
    KnownTruth("drawn-mislabelled", "most labels wrong", "", HURTS),
)
# Columns of `truth_table` and of `pool_verdicts`.
TRUTH_COLUMNS = (
    "pool",
    "truth",
    "reference",
    "arm",
    "expected",
    "verdict",
    "difference",
    "low",
    "high",
    "correct",
)
NUMBERS = ("difference", "low", "high", "low_decided", "high_decided")
POOL_COLUMNS = (
    "arm",
    *ARM_FIELDS,
    *NUMBERS[:3],
    "verdict",
    "effect",
    "beyond_controls",
    "controls",
)
# What a table of effects for readers holds of each comparison: which, and the numbers.
SHOWN_EFFECTS = ("arm", *ARM_FIELDS, "difference", "low", "high")


def effect_table(effects: pd.DataFrame, *, margin: float) -> pd.DataFrame:
    """Choose what a reader needs of a table of effects, and what would decide the undecided ones.

    Args:
        effects: of `contrasts.effects`.
        margin: smallest effect of interest, 0 to 1.

    Returns:
        Columns arm, ARM_FIELDS, against (in words), seeds (only where arms differ in them),
        difference, low, high (and low_decided, high_decided where there are any), p_holm, verdict,
        minimum_detectable_effect, "to show <margin> points takes".
    """
    # Which comparison a row is, in words.
    columns = [*SHOWN_EFFECTS, "low_decided", "high_decided", "p_holm", "verdict"]
    table = effects[[name for name in columns if name in effects]].copy()
    against = [reference_text(kind) for kind in effects["reference_kind"]]
    table.insert(1, "against", against)
    if effects["n_seeds"].nunique() > 1:
        table.insert(2, "seeds", effects["n_seeds"])

    # What would decide an undecided one.
    table["minimum_detectable_effect"] = effects["minimum_detectable_effect"]
    table[f"to show {100 * margin:g} points takes"] = effects["sample_size"]
    return table.reset_index(drop=True)


def undecided_table(effects: pd.DataFrame, *, margin: float) -> pd.DataFrame:
    """Lay out the undecided effects alone, as `effect_table`, without their verdict and p-value."""
    # All of them say undecided, and no p-value decided that.
    table = effect_table(effects, margin=margin)
    return table[table["verdict"] == UNDECIDED].drop(columns=["verdict", "p_holm"])


def verdict_counts(effects: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts, a row for comparisons with base and one for those with controls."""
    # Verdicts that no comparison has are shown as 0.
    counts = pd.crosstab(effects["role"], effects["verdict"])
    return counts.reindex(columns=VERDICTS, fill_value=0).reset_index()


def pool_verdicts(effects: pd.DataFrame, pools: list[str]) -> pd.DataFrame:
    """Decide about each pool by its largest supplement, against base and every control of its size.

    Args:
        effects: of `contrasts.effects`; the study's first classifier decides.
        pools: names of the study's pools.

    Returns:
        One row a pool that was added to all real images: arm, ARM_FIELDS, verdict (against base),
        difference, low, high, effect (in words), beyond_controls ("yes" where the supplement helps
        against every control, "no", or "no control was run"), controls (the verdict against each).
    """
    # Plain supplements, of the classifier that decides.
    effects = of_first_classifier(effects)
    added = effects[(effects["kind"] == "supplement") & (effects["control_of"] == "")]
    rows = []
    for pool in pools:
        # Of each pool the largest; pools of other arms have none.
        of_pool = added[added["pool"] == pool]
        largest = of_pool[of_pool["share"] == of_pool["share"].max()]
        against_base = BY_KEY["added"].rows(largest).to_dict("records")
        if not against_base:
            continue

        # One row against base, and one against each control that was run.
        base = against_base[0]
        controls = largest[largest["role"] == "control"].to_dict("records")
        rows.append(
            {name: base[name] for name in ("arm", *ARM_FIELDS, *NUMBERS, "verdict") if name in base}
            | {
                "effect": effect_text(base),
                "beyond_controls": _beyond(controls),
                "controls": "; ".join(_control_text(row) for row in controls),
            }
        )
    # The interval that decides is there where it is another one.
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=POOL_COLUMNS)


def answer_effects(effects: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Take the comparisons that the answer's figure shows: each pool's largest supplement against
    base; where no supplement was trained, every arm that answers another question against base.

    Args:
        effects: of `contrasts.effects`; the study's first classifier answers.
        verdicts: of `pool_verdicts`, of the same effects.
    """
    # Every question about what synthetic faces do to all real ones.
    effects = of_first_classifier(effects)
    against_base = [question for question in QUESTIONS if question.reference_kind == "base"]
    rows = pd.concat([question.rows(effects) for question in against_base])
    if len(verdicts):
        return rows[rows["arm"].isin(verdicts["arm"])]
    return rows


def truth_table(
    arms: Arms, labels: np.ndarray, clusters: np.ndarray, *, margin: float
) -> pd.DataFrame:
    """Compare the study's verdicts with what is true of drawn pools by their making.

    Args:
        arms: of `contrasts.gather_arms` or `contrasts.over_generations`.
        labels, clusters: int64 (N,).
        margin: smallest effect of interest, 0 to 1.

    Returns:
        Columns TRUTH_COLUMNS; correct is "yes", "not seen" where the study is undecided, or "no".
        Without rows where the study has no drawn pool.
    """
    # Truths are about the largest supplements.
    drawn_pools = {known.pool for known in KNOWN_TRUTHS}
    shares = [arm.share for arm, _ in arms if arm.kind == "supplement" and arm.pool in drawn_pools]
    if not shares:
        return pd.DataFrame(columns=TRUTH_COLUMNS)

    rows = []
    for classifier in dict.fromkeys(classifier for _, classifier in arms):
        for known in KNOWN_TRUTHS:
            arm = Arm("supplement", known.pool, max(shares))

            # Compared with base, or with the supplement of another drawn pool.
            reference = BASE
            if known.reference_pool:
                reference = Arm("supplement", known.reference_pool, max(shares))

            # A study need not have all drawn pools.
            keys = (reference, classifier), (arm, classifier)
            if all(key in arms for key in keys):
                pair = [arms[key] for key in keys]
                effect = compare_arms(*pair, labels, clusters=clusters)
                rows.append(_truth_row(known, reference, arm, effect, verdict(effect, margin)))
    return pd.DataFrame(rows, columns=TRUTH_COLUMNS)


def truth_sentences(truth: pd.DataFrame) -> list[str]:
    """Write in one sentence how many known truths a study of drawn faces found; none where nothing
    is known.

    Args:
        truth: of `truth_table`.
    """
    if not len(truth):
        return []
    # Found, missed for want of power, and contradicted.
    counts = truth["correct"].value_counts()
    right, missed, wrong = (int(counts.get(word, 0)) for word in ("yes", "not seen", "no"))
    return [
        f"Of {len(truth)} known truths about the drawn pools the study found {right}, was too "
        f"small to see {missed}, and contradicted {wrong}."
    ]


def _beyond(controls: list[dict]) -> str:
    """Whether an arm helps against every control that was run."""
    if not controls:
        return "no control was run"
    return "yes" if all(row["verdict"] == HELPS for row in controls) else "no"


def _control_text(row: dict) -> str:
    """Write the verdict against one control."""
    against = reference_text(row["reference_kind"])
    return f"{points(row['difference'])} against {against} ({row['verdict']})"


def _truth_row(known: KnownTruth, reference: Arm, arm: Arm, effect, verdict: str) -> tuple:
    """Compare one verdict with the truth: a row of TRUTH_COLUMNS."""
    # An undecided study is too small, not wrong.
    correct = "yes" if verdict == known.verdict else "no"
    if verdict == UNDECIDED:
        correct = "not seen"
    names = known.pool, known.truth, reference.name, arm.name
    numbers = effect.difference, effect.low, effect.high
    return (*names, known.verdict, verdict, *numbers, correct)
