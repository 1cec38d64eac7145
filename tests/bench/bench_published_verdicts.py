"""Which verdicts of the first published studies the corrected statistics would have changed.

    python tests/bench/bench_published_verdicts.py

reads reports/*/effects.csv as they stood at commit 70ad838 and writes
tests/metrics/published_verdicts.csv in about a minute. These tables hold the difference, its 95%
interval and a p-value, by Student's t with Satterthwaite's degrees of freedom. Interval and p-value
together give the standard error and the degrees of freedom, and these the variance along the seeds
and that of the images. full-cpu has them in full precision. The other studies round to a tenth of a
point and show p-values after Holm alone: every variance that agrees with what is printed is tried,
and a verdict that some of them change and others do not cannot be recomputed.

What the tables do not tell: which variance of seeds is noise of single predictions; comparisons
that were tested at a full 5% in a first analysis that was not yet called one; other metrics and
scorings.
"""

import io
import itertools
import subprocess

import numpy as np
import pandas as pd
from scipy import optimize, stats

from lib.faces.arms import UNFILTERED, Arm
from lib.metrics.error_variance import ALPHA, ErrorVariance
from lib.metrics.statistics import UNDECIDED, Effect, decide, equivalence_p, holm
from lib.study.params import load_params
from lib.study.paths import ROOT
from lib.study.records import atomic_write

COMMIT = "70ad838"
# The studies with their pools at that time.
STUDIES = {
    "full-cpu": ("folder", "dcgan", "dcgan-long", "stylegan64", "diffusion"),
    "schuermann-cpu": ("folder",),
    "comp7055-cpu": tuple(load_params("comp7055")["pools"]),
    "internship-cpu": ("dcgan", "dcgan-round2", "diffusion-edited"),
}
RECORD = ROOT / "tests" / "metrics" / "published_verdicts.csv"
COLUMNS = (
    "study",
    "reference",
    "arm",
    "seeds",
    "difference",
    "p_holm_published",
    "p_holm_corrected",
    "low_decided",
    "high_decided",
    "published",
    "corrected",
    "changed",
)
MARGIN = 0.005
MANY_DF = 4000.0  # no design had more
ROUNDED = 0.0005  # half of the last printed digit of a share
DFS = 300  # degrees of freedom that are tried


def published(study: str) -> pd.DataFrame:
    """Read a study's table of effects, with its arms as data."""
    path = f"reports/{study}/effects.csv"
    command = ["git", "show", f"{COMMIT}:{path}"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    table = pd.read_csv(io.StringIO(text)).rename(columns={"looks": "analyses"})
    arms = arms_by_old_name(study)
    families = []
    for row in table.to_dict("records"):
        reference, arm = arms[row["reference"]], arms[row["arm"]]
        # Against base a filtered supplement asked what a plain one asks.
        design = arm.design
        if row["role"] == "base" and arm.kind == "filtered":
            design = Arm("supplement", share=arm.share).design
        families.append((reference.design, design))
    if "analyses" not in table:
        table["analyses"] = 1 + (table["n_seeds"] > 5).astype(int)
    if "n_clusters" not in table:
        table["n_clusters"] = table["n_images"]
    return table.assign(family=families)


def arms_by_old_name(study: str) -> dict[str, Arm]:
    """The arms of the published studies by the names that they had then."""
    arms = {"base": Arm("base"), "duplicate-balance": Arm("duplicate", control_of="balance")}
    shares = (0.0712, 0.1178, 0.15025, 0.1, 0.3, 0.5)
    for pool, share in itertools.product(STUDIES[study], shares):
        amount = f"{share:.4g}"
        supplement = Arm("supplement", pool, share)
        arms |= {
            f"balance-{pool}": Arm("balance", pool),
            f"supplement-{amount}-{pool}": supplement,
            f"replace-{amount}-{pool}": Arm("replace", pool, share),
            f"scarce-{amount}-{pool}": Arm("scarce", pool, share),
            f"shuffled-{amount}-{pool}": Arm("shuffled", pool, share, "supplement"),
            f"duplicate-{amount}": Arm("duplicate", share=share, control_of="supplement"),
            f"fewer-{amount}": Arm("fewer_steps", share=share, control_of="supplement"),
            f"subset-{amount}": Arm("subset", share=share, control_of="replace"),
            f"scarce-{amount}": Arm("subset", share=share, control_of="scarce"),
        }
        for only in (UNFILTERED, "face", "label"):
            name = f"supplement-{amount}-{pool}-only_{only}"
            arms[name] = Arm("filtered", pool, share, only=only)
        for multiple in (1, 2):
            arms[f"synthetic-{multiple}x-{pool}"] = Arm("synthetic", pool, float(multiple))
    return arms


def effect_of_row(row: dict, difference: float, se: float, df: float) -> Effect:
    """Split a published variance into that along the seeds and that of the images."""
    seed_df, image_df, total = row["n_seeds"] - 1, row["n_clusters"] - 1, se**2
    # Satterthwaite's formula, solved for the share of the seeds.
    quadratic = 1 / seed_df + 1 / image_df, -2 / image_df, 1 / image_df - 1 / df
    share = float(np.clip(np.roots(quadratic).real.max(), 0, 1))
    components = ((share * total, seed_df), ((1 - share) * total, image_df))
    counts = row["n_images"], row["n_clusters"], row["n_seeds"]
    return Effect(difference, ErrorVariance(components), *counts, 0.0, 0.0, 0.0)


def exact_effect(row: dict) -> Effect:
    """The effect behind a row in full precision."""
    half = (row["high"] - row["low"]) / 2

    # With these degrees of freedom interval and p-value agree.
    def excess(log_df: float) -> float:
        df = np.exp(log_df)
        distance = abs(row["difference"]) / half * stats.t.isf(ALPHA / 2, df)
        return stats.t.logsf(distance, df) - np.log(row["p"] / 2)

    ends = np.log(row["n_seeds"] - 1 - 1e-6), np.log(MANY_DF)
    df = float(np.exp(optimize.brentq(excess, *ends)))
    return effect_of_row(row, row["difference"], half / stats.t.isf(ALPHA / 2, df), df)


def possible_effects(row: dict, times: float) -> list[Effect]:
    """The most and the least certain effects that agree with a rounded row.

    Args:
        times: by how much Holm and the analyses multiplied the p-value; NaN where a larger one of
            the family stands in its place.
    """
    # Three digits of a p-value, or two of a small one.
    error = ROUNDED if row["p_holm"] >= 0.001 else 0.05 * row["p_holm"]
    p_values = np.clip([row["p_holm"] - error, row["p_holm"], row["p_holm"] + error], 0, 1) / times
    size, half = abs(row["difference"]), (row["high"] - row["low"]) / 2
    effects = []
    for df in np.geomspace(row["n_seeds"] - 1, MANY_DF, DFS):
        reach = stats.t.isf(ALPHA / 2, df)
        for p in p_values:
            # What the difference may be for the least and the most half width that is printed so.
            ends = [(half + e, size + f) for e in (-ROUNDED, ROUNDED) for f in (-ROUNDED, ROUNDED)]
            if not np.isnan(p):
                ends = _agreeing_ends(size, half, stats.t.isf(p / 2, df) / reach)
            for width, difference in ends:
                signed = np.copysign(difference, row["difference"])
                effects.append(effect_of_row(row, signed, width / reach, df))
    assert effects, f"no variance agrees with {row}"

    # Verdicts follow the two p-values: their extremes stand for all.
    measures = (lambda effect: effect.p), (lambda effect: equivalence_p(effect, MARGIN))
    return [choose(effects, key=measure) for measure in measures for choose in (min, max)]


def _agreeing_ends(size: float, half: float, ratio: float) -> list[tuple[float, float]]:
    """The ends of all (half width, difference) that are printed so and have this ratio."""
    low = max(half - ROUNDED, (size - ROUNDED) / ratio)
    high = min(half + ROUNDED, (size + ROUNDED) / ratio)
    return [(low, low * ratio), (high, high * ratio)] if low <= high else []


def corrected(study: str) -> list[tuple]:
    """Decide a study's comparisons anew: rows of COLUMNS."""
    table, rows = published(study), []
    for _, family in table.groupby("family", sort=False):
        records = family.to_dict("records")
        options = options_of(records)
        for place, row in enumerate(records):
            found = decisions_of(records, options, place)
            words = sorted({decision.verdict for decision in found})
            exact = found[0] if len(found) == 1 else None
            numbers = [np.nan] * 3
            if exact:
                numbers = [exact.p, exact.low, exact.high]
            changed = "yes" if row["verdict"] not in words else "no"
            if len(words) > 1:
                changed = "cannot be recomputed"
            about = study, row["reference"], row["arm"], row["n_seeds"]
            shown = row["difference"], row["p_holm"], *numbers
            rows.append((*about, *shown, row["verdict"], " or ".join(words), changed))
    return rows


def options_of(records: list[dict]) -> list[list[Effect]]:
    """The possible effects of each comparison of a family."""
    if "p" in records[0]:
        return [[exact_effect(row)] for row in records]

    # The smallest p-value was multiplied by the size of the family, the next by one less; a tie
    # says that the one before it stands in its place.
    order = np.argsort([row["p_holm"] for row in records], kind="stable")
    options, before = [[]] * len(records), -1.0
    for step, place in enumerate(order):
        row = records[place]
        times = (len(records) - step) * row["analyses"]
        options[place] = possible_effects(row, np.nan if row["p_holm"] == before else times)
        before = row["p_holm"]
    return options


def decisions_of(records: list[dict], options: list[list[Effect]], place: int) -> list:
    """Decide one comparison of a family, for every effect that it may be.

    Of the others the ones that are decided most and least surely stand for all.
    """
    analyses = [row["analyses"] for row in records]
    if all(len(effects) == 1 for effects in options):
        effects = [effects[0] for effects in options]
        return [decide(effects, MARGIN, analyses=analyses)[place]]

    # Every possible effect beside the extremes of the rest.
    found = []
    for choose in (min, max):
        others = [choose(effects, key=lambda effect: effect.p) for effects in options]
        for effect in options[place]:
            family = [*others[:place], effect, *others[place + 1 :]]
            found.append(decide(family, MARGIN, analyses=analyses)[place])
    return found


def check(study: str) -> None:
    """The published p-values follow from the effects that were recovered."""
    table = published(study)
    if "p" not in table:
        return
    for _, family in table.groupby("family", sort=False):
        counted = (family["p"] * family["analyses"]).clip(upper=1)
        assert np.allclose(holm(list(counted)), family["p_holm"]), family


def main() -> None:
    """Decide all studies anew, and record."""
    rows = []
    for study in STUDIES:
        check(study)
        rows += corrected(study)
    table = pd.DataFrame(rows, columns=COLUMNS)
    with atomic_write(RECORD, "w") as file:
        table.to_csv(file, index=False, float_format="%.4g")
    print(table.to_string())
    print(table.groupby(["study", "changed"]).size())
    print(f"{(table['published'] == UNDECIDED).sum()} were undecided")


if __name__ == "__main__":
    main()
