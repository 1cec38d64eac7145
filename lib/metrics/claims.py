"""The three studies' claims, stated in params/claims.yaml before a run, and what this study's data say to each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lib.metrics.arms import compare_arms, image_scores, level
from lib.metrics.pools import GROUPS
from lib.metrics.statistics import ALPHA, Effect, compare, effect_of, equivalence_p, holm, one_sided_p
from lib.study.errors import StudyError
from lib.study.paths import ROOT
from lib.study.records import content_hash

SHOWN = ("difference", "low", "high", "n_images", "n_seeds", "smallest_visible")  # of an effect, in the table of claims
SUPPORTED, CONTRADICTED, UNDECIDED, NOT_DECIDABLE = "supported", "contradicted", "undecided", "not decidable from this study"
ARM_TESTS = ("equivalent", "greater", "smaller", "above", "class_below")
LEAST_SEEDS = 5  # fewer decide no claim
POOL_TESTS = ("pool_below", "pool_near")
KEYS = {"id", "study", "family", "sentence", "pairs", "pools", "metric", "test", "margin", "needs"}
OPTIONAL = {"class", "value", "space", "compares"}


@dataclass(frozen=True)
class Evidence:
    """What a study's claims are decided from.

    Args:
        arms: predictions on the test split by (arm, classifier), of one classifier.
        labels, clusters: int64 (N,), of the test images.
        pools: table of `measure_spaces`.
    """

    arms: dict
    labels: np.ndarray
    clusters: np.ndarray
    pools: pd.DataFrame


def load_claims(path: Path = ROOT / "params" / "claims.yaml") -> list[dict]:
    """Read and check the claims.

    Raises:
        StudyError: naming the file, the claim and the key.
    """
    claims = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["claims"]
    for claim in claims:
        odd = (KEYS - set(claim)) | (set(claim) - KEYS - OPTIONAL)
        if odd:
            who, key = claim.get("id", "?"), sorted(odd)[0]
            raise StudyError(f"{path}: claim {who} lacks or does not know the key {key!r}; keys are {sorted(KEYS)}")
        known = (*ARM_TESTS, *POOL_TESTS, "none")
        if claim["test"] not in known:
            raise StudyError(f"{path}: claim {claim['id']} has the unknown test {claim['test']!r}; take one of {known}")
    return claims


def claims_hash(claims: list[dict]) -> str:
    """Hash what was stated beforehand, 12 hex digits, for the report."""
    return content_hash(claims)[:12]


def decide_claims(claims: list[dict], evidence: Evidence) -> pd.DataFrame:
    """Decide every claim.

    Returns:
        One row a claim: id, study, sentence, verdict, said (pairs that decided, and what is missing), difference, low, high, n_images,
        n_seeds, smallest_visible; of several pairs the one nearest to contradicting the claim is shown.
    """
    judged = [(claim, _effects(claim, evidence)) for claim in claims]
    table = pd.DataFrame([_row(claim, effects) for claim, effects in judged])
    for side in ("p_support", "p_contradict"):
        known = table[side].notna()
        table.loc[known, side] = table[known].groupby("family")[side].transform(lambda p: holm(list(p)))
    table["verdict"] = [_verdict(row) for row in table.to_dict("records")]
    return table.drop(columns=["p_support", "p_contradict", "family"])


def _effects(claim: dict, evidence: Evidence) -> list[tuple[str, Effect]]:
    """The effects that decide a claim, with the name of each comparison; empty where the study lacks the arms or pools."""
    if claim["test"] in POOL_TESTS:
        table = evidence.pools
        rows = table[(table["metric"] == claim["metric"]) & (table["space"] == claim["space"]) & table["pool"].isin(claim["pools"])]
        return [(row["pool"], _pool_effect(row)) for row in rows.to_dict("records")]
    pairs = claim_pairs(claim, evidence.arms)
    return [(f"{arm[0]} against {reference[0]}", _arm_effect(claim, reference, arm, evidence)) for reference, arm in pairs]


def claim_pairs(claim: dict, arms: dict) -> list[tuple[tuple, tuple]]:
    """List the pairs ((reference, classifier), (arm, classifier)) of a claim that a study has, of the pools for which it has all."""
    classifier = next((own for _, own in arms), "")
    found = []
    for pool in claim["pools"] or [""]:
        pairs = [tuple((name.replace("*", pool), classifier) for name in pair) for pair in claim["pairs"]]
        found += pairs if all(key in arms for pair in pairs for key in pair) else []
    return found


def _arm_effect(claim: dict, reference: tuple, arm: tuple, evidence: Evidence) -> Effect:
    labels, clusters, own = evidence.labels, evidence.clusters, evidence.arms[arm]
    if claim["test"] == "above":
        return level(own, labels, clusters=clusters, metric=claim["metric"], above=claim["value"])
    if claim["test"] == "class_below":
        whole = image_scores(own, labels, "balanced_accuracy")
        return compare(whole, image_scores(own, labels, claim["metric"], claim["class"]), clusters=clusters)
    return compare_arms(evidence.arms[reference], own, labels, clusters=clusters, metric=claim["metric"])


def _pool_effect(row: dict) -> Effect:
    """A pool's distance less that of real images; the jackknife's groups give the degrees of freedom."""
    variance = row["se"] ** 2 + row["baseline_se"] ** 2
    return effect_of(row["value"] - row["baseline"], variance, 0.0, 0.0, GROUPS, int(row["n"]), n_images=int(row["n"]))


def _p_values(claim: dict, effect: Effect) -> tuple[float, float]:
    """Evidence for and against a claim, by one comparison; a direction is decided where the 95 % interval lies beyond the margin."""
    if effect.n_seeds < LEAST_SEEDS or _single_draws(claim, effect):
        return 1.0, 1.0
    margin, test = claim["margin"], claim["test"]
    if test == "equivalent":
        return equivalence_p(effect, margin), effect.p
    bound = {"greater": margin, "above": 0.0, "pool_near": -margin}.get(test)
    above = one_sided_p(effect, -margin if bound is None else bound)
    sides = min(2 * above, 1.0), min(2 * (1 - above), 1.0)  # either side may be found, so both share the 5 %
    return sides if bound is not None else sides[::-1]  # smaller, class_below, pool_below: the difference lies under -margin


def _single_draws(claim: dict, effect: Effect) -> bool:
    """A claim that compares generators needs several trainings of each: two of one generator may differ by as much as two generators do."""
    return claim.get("compares") == "generators" and effect.generations < 2


def _row(claim: dict, effects: list[tuple[str, Effect]]) -> dict:
    row = {name: claim[name] for name in ("id", "study", "family", "sentence")}
    if not effects:
        return row | {"said": claim["needs"], "p_support": np.nan, "p_contradict": np.nan} | dict.fromkeys(SHOWN, np.nan)
    both = [_p_values(claim, effect) for _, effect in effects]
    worst = int(np.argmax([support for support, _ in both]))
    name, effect = effects[worst]
    shown = {key: getattr(effect, key) for key in SHOWN}
    if claim["test"] in POOL_TESTS:
        shown["n_seeds"] = np.nan  # no classifier was trained
    others = f" and {len(effects) - 1} more" if len(effects) > 1 else ""
    others += "; each generator was trained once (`generations`)" if _single_draws(claim, effect) else ""
    against = min(1.0, len(effects) * min(p for _, p in both))
    return row | {"said": name + others, "p_support": both[worst][0], "p_contradict": against} | shown


def _verdict(row: dict) -> str:
    if np.isnan(row["p_support"]):
        return NOT_DECIDABLE
    if row["p_support"] < ALPHA:
        return SUPPORTED
    return CONTRADICTED if row["p_contradict"] < ALPHA else UNDECIDED
