"""Which arm is read against which, and the tables that come of it: scores per arm, differences with intervals and verdicts."""

import re

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES
from lib.metrics.arms import ArmPredictions, compare_arms, level
from lib.metrics.planner import advice
from lib.metrics.scores import class_scores, scores
from lib.metrics.statistics import holm, verdict
from lib.study.errors import StudyError
from lib.study.generations import first_generation, generation_number

# an arm's name -> the arms of its size that it is read against, by the first pattern that fits; {} are the groups of the pattern
CONTROLS = (
    (r"supplement-([\d.]+)-(.+)-only_(?!none$).+", ("supplement-{0}-{1}-only_none",)),
    (r"supplement-[\d.]+-.+-only_none", ()),
    (r"supplement-([\d.]+)-(.+)", ("duplicate-{0}", "fewer-{0}", "extra-{0}", "shuffled-{0}-{1}")),
    (r"replace-([\d.]+)-(.+)", ("subset-{0}",)),
    (r"synthetic-([\d.]+x)-(.+)", ("synthetic-{0}-{1}-shuffled",)),
    (r"scarce-([\d.]+)-(.+)", ("scarce-{0}",)),
    (r"(?:staged|reversed|splitnorm)-([\d.]+)-(.+)", ("supplement-{0}-{1}", "duplicate-{0}", "{arm}-shuffled")),
    (r"weighted-([\d.]+)-at-[\d.]+-(.+)", ("supplement-{0}-{1}", "duplicate-{0}", "{arm}-shuffled")),
    (r"balance-(.+)", ("duplicate-balance", "{arm}-shuffled")),
)


def contrasts(arms: list[str]) -> list[tuple[str, str, str]]:
    """List the comparisons that a study's arms allow: every arm against base, every synthetic arm against its controls.

    Returns:
        (reference, arm, role) with role "base" or "control", only of arms that exist.
    """
    found = [("base", arm, "base") for arm in arms if arm != "base" and "base" in arms]
    for arm in [arm for arm in arms if not arm.endswith("-shuffled")]:
        matches = ((re.fullmatch(pattern, arm), controls) for pattern, controls in CONTROLS)
        names = next(([control.format(*match.groups(), arm=arm) for control in controls] for match, controls in matches if match), [])
        found += [(name, arm, "control") for name in names if name in arms]
    return found


def design(arm: str) -> str:
    """Name an arm without its pool: supplement-0.5-dcgan is supplement-0.5, supplement-0.5-dcgan-only_blur is supplement-0.5-only_blur."""
    shares = r"(?:supplement|shuffled|replace|synthetic|scarce|staged|reversed|splitnorm)-[\d.]+x?|weighted-[\d.]+-at-[\d.]+|balance"
    match = re.fullmatch(rf"({shares})-.+?(-shuffled|-only_\w+)?", arm)
    return match.group(1) + (match.group(2) or "") if match else arm


def gather_arms(runs: pd.DataFrame, predictions: list[np.ndarray]) -> dict[tuple[str, str], ArmPredictions]:
    """Stack the runs of each arm and classifier.

    Args:
        runs: columns arm, classifier, seed; one row a run.
        predictions: float32 (N, 7) per row of runs, of the same images.
    Returns:
        By (arm, classifier), in order of appearance.
    Raises:
        StudyError: where a run predicts another number of images, or a seed occurs twice.
    """
    if not len(runs):
        raise StudyError("no finished run: execute 40_training first")
    if len({len(p) for p in predictions}) > 1:
        raise StudyError(f"runs predict different numbers of images ({sorted({len(p) for p in predictions})}): execute 40_training again")
    runs = runs.reset_index(drop=True)
    arms = {}
    for key, rows in runs.groupby(["arm", "classifier"], sort=False):
        rows = rows.sort_values("seed")
        if rows["seed"].duplicated().any():
            raise StudyError(f"arm {key[0]} with classifier {key[1]} has two runs of one seed: execute 40_training again")
        arms[key] = ArmPredictions(tuple(int(s) for s in rows["seed"]), np.stack([predictions[i] for i in rows.index]))
    return arms


def over_generations(arms: dict[tuple[str, str], ArmPredictions]) -> dict[tuple[str, str], ArmPredictions]:
    """Join the arms of all generations of a pool into one arm, on the seeds that all have, under the name of the first.

    Args:
        arms: by (arm, classifier), those of later generations under names of their own (`lib.study.generations`).
    """
    groups = {}
    for arm, classifier in sorted(arms, key=lambda key: generation_number(key[0])):
        groups.setdefault((first_generation(arm), classifier), []).append(arms[arm, classifier])
    joined = {}
    for key in dict.fromkeys((first_generation(arm), classifier) for arm, classifier in arms):  # in the order of the arms
        seeds = sorted(set.intersection(*(set(found.seeds) for found in groups[key])))
        first, *others = (found.of_seeds(seeds) for found in groups[key])
        joined[key] = ArmPredictions(first.seeds, first.probabilities, tuple(other.probabilities for other in others))
    return joined


def scorings(table: pd.DataFrame, split: str = "test") -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name the ways to score one split: all images or those without a copy in training; the set's own label or FER+'s.

    Args:
        table: of the split's face set; columns class, and where known leaked (bool) and plus_class (a class, or missing).
    Returns:
        (mask bool (N,), labels int64 (N,), -1 where there is none) by name: test, test-leakfree, test-plus, test-leakfree-plus.
    """
    index = {name: i for i, name in enumerate(CLASSES)}
    own = table["class"].map(index).to_numpy(np.int64)
    found = {split: (np.ones(len(table), bool), own)}
    if "plus_class" in table and table["plus_class"].isin(CLASSES).any():
        plus = table["plus_class"].map(index).fillna(-1).to_numpy(np.int64)
        found[f"{split}-plus"] = (plus >= 0, plus)
    if "leaked" in table and table["leaked"].any():
        clean = ~table["leaked"].to_numpy(bool)
        found |= {name.replace(split, f"{split}-leakfree", 1): (mask & clean, labels) for name, (mask, labels) in list(found.items())}
    return found


def result_rows(arms: dict, scoring: dict, *, study: str) -> list[dict]:
    """Score every run on every scoring, as rows of the results table."""
    rows = []
    for (arm, classifier), found in arms.items():
        for split, (mask, labels) in scoring.items():
            for seed, probabilities in zip(found.seeds, found.probabilities[:, mask]):
                fixed = {"study": study, "arm": arm, "classifier": classifier, "seed": seed, "split": split}
                whole = scores(probabilities, labels[mask])
                rows += [fixed | {"metric": name, "class": "", "value": value} for name, value in whole.items()]
                rows += [fixed | row for row in class_scores(probabilities, labels[mask]).to_dict("records")]
    return rows


def levels(arms: dict, labels: np.ndarray, clusters: np.ndarray, *, metric: str = "accuracy") -> pd.DataFrame:
    """Give each arm's own mean with its interval: columns arm, classifier, value, low, high, n_seeds, n_images."""
    rows = []
    for (arm, classifier), found in arms.items():
        effect = level(found, labels, clusters=clusters, metric=metric)
        rows.append((arm, classifier, effect.difference, effect.low, effect.high, effect.n_seeds, effect.n_images))
    return pd.DataFrame(rows, columns=["arm", "classifier", "value", "low", "high", "n_seeds", "n_images"])


def effects(
    arms: dict, labels: np.ndarray, clusters: np.ndarray, *, margin: float, metric: str = "accuracy", class_name: str = "",
    seconds_per_run: float = 0.0, planned_seeds: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Judge every contrast of a study on one metric.

    Args:
        arms: of `gather_arms`, restricted to the images of labels and clusters; of `over_generations`, where the interval is to hold for
            other generations of a pool too.
        labels: int64 (N,).
        clusters: int64 (N,), equal for copies.
        margin: smallest effect of interest.
        planned_seeds: of the pilot; where a comparison has more, it was looked at twice, and its p-values count double (Bonferroni).
            0: all seeds were planned at once.
    Returns:
        Columns reference, arm, role, classifier, metric, class, difference, low, high, p, p_holm, verdict, n_images, n_clusters, n_seeds,
        generations, smallest_visible, looks, advice. Holm's family is one question asked of all pools: contrasts whose arms and references
        differ in the pool alone (against base, also in the filter), of one classifier.
    """
    rows = []
    for classifier in dict.fromkeys(name for _, name in arms):
        for reference, arm, role in contrasts([name for name, own in arms if own == classifier]):
            pair = arms[reference, classifier], arms[arm, classifier]
            effect = compare_arms(*pair, labels, clusters=clusters, metric=metric, class_name=class_name)
            fixed = {"reference": reference, "arm": arm, "role": role, "classifier": classifier, "metric": metric, "class": class_name}
            rows.append(fixed | {"effect": effect})
    table = pd.DataFrame(rows, columns=["reference", "arm", "role", "classifier", "metric", "class", "effect"])
    return _judged(table, margin, seconds_per_run, planned_seeds)


def generation_range(arms: dict, joined: dict, judged: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    """Set beside each effect over generations how far single generations lie apart.

    Args:
        arms: of `gather_arms`; joined: the same by `over_generations`.
        judged: of `effects` on the joined arms.
    Returns:
        Columns arm, classifier, generations, n_seeds, difference, low, high, verdict (against base), lowest, highest (difference of a
        single generation); without rows where every pool was made once.
    """
    rows = judged[(judged["role"] == "base") & (judged["generations"] > 1)].drop(columns=["metric", "class"])
    single = []
    for arm, classifier in zip(rows["arm"], rows["classifier"]):
        own, base = joined[arm, classifier], arms["base", classifier].of_seeds(list(joined[arm, classifier].seeds))
        right = [(said.argmax(2) == labels).mean() for said in (own.probabilities, *own.again)]
        single.append(np.array(right) - (base.probabilities.argmax(2) == labels).mean())
    told = ["arm", "classifier", "generations", "n_seeds", "difference", "low", "high", "verdict"]
    return rows[told].assign(lowest=[own.min() for own in single], highest=[own.max() for own in single]).reset_index(drop=True)


def _judged(table: pd.DataFrame, margin: float, seconds_per_run: float, planned_seeds: int) -> pd.DataFrame:
    kept = ("difference", "low", "high", "p", "n_images", "n_clusters", "n_seeds", "generations", "smallest_visible")
    for name in kept:
        table[name] = [getattr(effect, name) for effect in table["effect"]]
    # against base a filtered supplement asks what its plain one asks: the same runs under two names must get one word
    asked = table["arm"].where(table["role"] != "base", table["arm"].str.replace(r"-only_\w+$", "", regex=True))
    family = [table["reference"].map(design), asked.map(design), table["classifier"]]
    table["looks"] = 1 + ((table["n_seeds"] > planned_seeds) & (planned_seeds > 0))
    once = (table["p"] * table["looks"]).clip(upper=1.0)
    table["p_holm"] = once.groupby(family).transform(lambda p: holm(list(p))) if len(table) else []
    judged = zip(table["effect"], table["p_holm"], table["looks"])
    table["verdict"] = [verdict(effect, margin, p=p, looks=looks) for effect, p, looks in judged]
    told = zip(table["effect"], table["verdict"])
    table["advice"] = [advice(effect, margin, seconds_per_run=seconds_per_run) if word == "undecided" else "" for effect, word in told]
    return table.drop(columns="effect")
