"""From tables to words: the verdict on each pool, the answer in sentences, the reported
numbers beside ours, the known truth of drawings.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lib.metrics.arms import compare_arms
from lib.metrics.evidence import of_first_classifier
from lib.metrics.statistics import verdict
from lib.study.paths import ROOT

# What is true of drawn pools by their making: pool, what it is, reference, arm, the right verdict. {} is the supplement's synthetic share.
TRUTH = (
    ("drawn-faithful", "as good as the real source", "base", "supplement-{}-drawn-faithful", "helps"),
    ("drawn-narrow", "few identities: worse than the faithful pool", "supplement-{}-drawn-faithful", "supplement-{}-drawn-narrow", "hurts"),
    ("drawn-mislabelled", "most labels wrong", "base", "supplement-{}-drawn-mislabelled", "hurts"),
)


def points(value: float) -> str:
    """Write a difference of shares in percentage points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "\u2212")


def effect_text(row: dict) -> str:
    """Write an effect with its interval, n and, where it is undecided, what would decide it."""
    interval = f"95 % interval {points(row['low'])} to {points(row['high'])}"
    again = f"{row['generations']} generations, " if row.get("generations", 1) > 1 else ""
    text = f"{points(row['difference'])} points ({interval}; {again}{row['n_seeds']} seeds, {row['n_images']:,} images)"
    if row["verdict"] != "undecided":
        return text
    return f"{text}; this design sees {100 * row['smallest_visible']:.1f} points; to see the margin takes {row['advice']}"


def effect_table(effects: pd.DataFrame, *, margin: float) -> pd.DataFrame:
    """Set effects for reading: percentage points with the interval in one cell, and what would decide the undecided ones.

    Returns:
        Columns arm, against, "points (95 % interval)", "p (Holm)", verdict, "this design sees", "to see <margin> takes"; seeds where arms
        have more or fewer.
    """
    rows = effects.to_dict("records")
    table = effects[["arm", "reference"]].rename(columns={"reference": "against"}).reset_index(drop=True)
    table["points (95 % interval)"] = [f"{points(row['difference'])} ({points(row['low'])} to {points(row['high'])})" for row in rows]
    table["p (Holm)"] = effects["p_holm"].to_numpy()
    table["verdict"] = effects["verdict"].to_numpy()
    table["this design sees"] = [f"{100 * row['smallest_visible']:.1f}" for row in rows]
    table[f"to see {100 * margin:g} takes"] = effects["advice"].to_numpy()
    if effects["n_seeds"].nunique() > 1:
        table.insert(2, "seeds", effects["n_seeds"].to_numpy())
    return table


def seeds_text(seeds: pd.Series) -> str:
    """Say how many seeds there are: "5 seeds", or "5 to 17 seeds" where arms have more or fewer."""
    return f"{seeds.max()} seeds" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()} seeds"


def pool_verdicts(effects: pd.DataFrame, pools: list[str]) -> pd.DataFrame:
    """Judge each pool by its largest supplement, against base and against every control of the same size.

    Args:
        effects: table of `contrasts.effects`; the study's first classifier decides.
        pools: names of the study's pools.
    Returns:
        Columns pool, arm, verdict (against base), beyond_controls (does it beat every control), effect, and one text a control.
    """
    rows, effects = [], of_first_classifier(effects)
    for pool in pools:
        own = effects[effects["arm"].map(lambda arm, pool=pool: _share_of(arm, pool) is not None)]
        if not len(own):
            continue
        arm = max(own["arm"], key=lambda name: _share_of(name, pool))
        against = own[own["arm"] == arm].drop_duplicates(["reference", "arm"])
        base = against[against["reference"] == "base"].to_dict("records")[0]
        controls = against[against["role"] == "control"].to_dict("records")
        beyond = "yes" if controls and all(row["verdict"] == "helps" for row in controls) else "no" if controls else "no control was run"
        told = "; ".join(f"{row['reference']}: {row['verdict']} {points(row['difference'])}" for row in controls)
        rows.append(
            {"pool": pool, "arm": arm, "verdict": base["verdict"], "effect": effect_text(base), "beyond_controls": beyond, "controls": told}
        )
    return pd.DataFrame(rows, columns=["pool", "arm", "verdict", "effect", "beyond_controls", "controls"])


def answer(verdicts: pd.DataFrame, *, drawn: bool) -> list[str]:
    """Say in sentences whether synthetic faces help, printed from the table of pool verdicts."""
    about = "drawn faces (drawings, not photographs)" if drawn else "real faces"
    if not len(verdicts):
        return [f"No supplement was trained on {about}: this study does not say whether synthetic faces help."]
    helped = verdicts[verdicts["verdict"] == "helps"]["pool"].tolist()
    sentences = [
        f"On {about}, {len(helped)} of {len(verdicts)} synthetic pools help when added to all real images"
        + (f": {', '.join(helped)}." if helped else ".")
    ]
    words = {"helps": "helps", "hurts": "hurts", "equivalent": "makes no difference that matters", "undecided": "is undecided"}
    for row in verdicts.to_dict("records"):
        extra = ""
        if row["verdict"] == "helps":
            beaten = {"yes": " It beats every control of its size.", "no": " It does not beat every control of its size."}
            extra = beaten.get(row["beyond_controls"], " No control of its size was run.")
        sentences.append(f"{row['pool']} {words[row['verdict']]} ({row['arm']}): {row['effect']}.{extra}")
    return sentences


def truth_table(arms: dict, labels: np.ndarray, clusters: np.ndarray, *, margin: float) -> pd.DataFrame:
    """Compare the study's verdicts with what is true of drawn pools by their making.

    Returns:
        Columns pool, truth, reference, arm, expected, found, difference, low, high, right ("yes", "not seen" where undecided, "no").
    """
    rows = []
    for classifier in dict.fromkeys(own for _, own in arms):
        shares = sorted({m.group(1) for arm, _ in arms if (m := re.fullmatch(r"supplement-([\d.]+)-drawn-.+", arm))}, key=float)
        for pool, truth, reference, arm, expected in TRUTH:
            names = [name.format(shares[-1]) if shares else name for name in (reference, arm)]
            if any((name, classifier) not in arms for name in names):
                continue
            effect = compare_arms(*(arms[name, classifier] for name in names), labels, clusters=clusters)
            found = verdict(effect, margin)
            right = "yes" if found == expected else "not seen" if found == "undecided" else "no"
            rows.append((pool, truth, *names, expected, found, effect.difference, effect.low, effect.high, right))
    return pd.DataFrame(rows, columns=["pool", "truth", "reference", "arm", "expected", "found", "difference", "low", "high", "right"])


def sentences_printed(truth: pd.DataFrame) -> list[str]:
    """Say in one sentence whether a study of drawn faces found what is true of its pools; none where nothing is known."""
    if not len(truth):
        return []
    count = truth["right"].value_counts()
    right, missed, wrong = (int(count.get(word, 0)) for word in ("yes", "not seen", "no"))
    return [
        f"Of {len(truth)} known truths about the drawn pools the study found {right}, was too small to see {missed}, and told {wrong} "
        f"wrongly."
    ]


def load_reported(path: Path = ROOT / "params" / "reported.yaml") -> pd.DataFrame:
    """Read the numbers that the three studies reported: study, report, arm, ours, classifier, metric,
    value and, where given, of, true, predicted.
    """
    return pd.DataFrame(yaml.safe_load(Path(path).read_text(encoding="utf-8"))["numbers"])


def reported_beside_ours(reported: pd.DataFrame, results: pd.DataFrame, *, split: str = "test") -> pd.DataFrame:
    """Set the reported numbers side by side with our means over seeds.

    Args:
        reported: of `load_reported`.
        results: the results table.
    Returns:
        Columns study, arm, classifier, metric, reported, our_arm, our_classifier, ours, low, high (range over seeds), n_seeds; ours is
        missing where this study has no such arm. `*` in a reported arm matches any pool, `|` separates
        arms of which either corresponds.
    """
    own = results[(results["split"] == split) & (results["class"] == "")]
    rows = []
    for number in reported[reported["value"].notna() & reported["metric"].isin(own["metric"])].to_dict("records"):
        pattern = "|".join(re.escape(name).replace(r"\*", ".+") for name in number["ours"].split("|"))
        fits = own[own["arm"].str.fullmatch(pattern) & (own["metric"] == number["metric"])]
        fixed = {
            "study": number["study"],
            "arm": number["arm"],
            "classifier": number["classifier"],
            "metric": number["metric"],
            "reported": number["value"],
        }
        groups = list(fits.groupby(["arm", "classifier"])["value"])
        rows += [
            fixed | {"our_arm": a, "our_classifier": c, "ours": v.mean(), "low": v.min(), "high": v.max(), "n_seeds": len(v)}
            for (a, c), v in groups
        ]
        rows += [] if groups else [fixed]
    columns = ["study", "arm", "classifier", "metric", "reported", "our_arm", "our_classifier", "ours", "low", "high", "n_seeds"]
    return pd.DataFrame(rows, columns=columns)


def _share_of(arm: str, pool: str) -> float | None:
    match = re.fullmatch(r"supplement-([\d.]+)-" + re.escape(pool), arm)
    return float(match.group(1)) if match else None
