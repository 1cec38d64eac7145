"""The claims of the three earlier studies as pages show them: in everyday units, and on the
overview with what the published studies say of each.
"""

import math
from collections.abc import Mapping
from pathlib import Path

from lib.report.names import METRICS
from lib.report.shell import read_rows

TABLE = "claims.csv"  # beside a study's pages, of lib.metrics.claims.decide_claims
# Words on a claim, the most telling first; the two others say that a study cannot tell.
TELLING = ("supported", "contradicted", "undecided", "not decidable at this size")
NOT_DECIDABLE = "not decidable from this study"
NOT_APPLICABLE = "does not apply"
OPEN = "not decided by a published study"
SHARES = ("precision", "recall", "coverage")  # metrics of pools whose differences are in points
MINUS = "\N{MINUS SIGN}"
NUMBERS = ["difference", "low", "high", "low_decided", "high_decided", "margin"]
NUMBERS += ["minimum_detectable_effect"]


def claims_view(decided):
    """Lay out decided claims for a page, those that the study can tell first: a difference in the
    unit of its own metric, in words.

    Args:
        decided: DataFrame of `decide_claims`.

    Returns:
        A DataFrame with as many rows.
    """
    # A Vendi score is no share, so that one column of points cannot hold all differences.
    texts = [effect_text(row) for row in decided.to_dict("records")]
    shown = decided.drop(columns=["study", "metric", "space", *NUMBERS], errors="ignore")
    place = list(shown).index("basis") + 1
    shown.insert(place, "difference (interval that decides)", texts)

    # What these runs alone would say is news only where it is not the verdict.
    shown["at_this_size"] = shown["at_this_size"].mask(
        shown["at_this_size"] == shown["verdict"], ""
    )
    is_told = shown["verdict"].isin(TELLING)
    return shown.loc[is_told.sort_values(ascending=False, kind="stable").index]


def count_told(decided) -> int:
    """Count the claims that a study can tell, of a DataFrame of `decide_claims`; at least 1."""
    return max(1, int(decided["verdict"].isin(TELLING).sum()))


def effect_text(row: Mapping) -> str:
    """Write a claim's difference with the interval that decides, in points or as the metric counts,
    and the margin beyond which (for no change, within which) it counts.

    Args:
        row: metric, space, difference, low, high, and where they are known low_decided,
            high_decided and margin; NaN or "" where nothing was measured.
    """
    # Tables of before the intervals that decide have the plain ones alone.
    names = ["low_decided", "high_decided"] if row.get("low_decided", "") != "" else ["low", "high"]
    values = [float(row[name] or "nan") for name in ("difference", *names)]
    if any(math.isnan(value) for value in values):
        return ""

    # Arms are scored in shares; pools also in numbers of other kinds.
    is_share = not row["space"] or row["metric"] in SHARES
    scale, unit = (100, " points") if is_share else (1, "")
    middle, low, high = (f"{scale * value:+.1f}".replace("-", MINUS) for value in values)
    name = METRICS.get(row["metric"], row["metric"])
    margin = float(row.get("margin", "") or 0)
    counts = f"; margin {scale * margin:g}{unit}" if margin else ""
    return f"{name} {middle}{unit} ({low} to {high}{counts})"


def published_claims(reports: Path, studies: list[str]) -> dict[str, list[dict]]:
    """Gather what the published studies say of each claim.

    Args:
        reports: folder that holds one folder a study.
        studies: that are published.

    Returns:
        By earlier study, one row a claim: sentence, word, effect, study ("" where none says
        anything), and why (what is missing where the word is no verdict).
    """
    # Every study's table of claims, where it has one about photographs.
    found: dict[str, list[dict]] = {}
    for study in studies:
        for row in read_rows(reports / study / TABLE):
            found.setdefault(row["id"], []).append(row | {"by": study})

    # Of each claim the most telling word.
    claims: dict[str, list[dict]] = {}
    for rows in found.values():
        best = min(rows, key=_how_telling)
        is_told = best["verdict"] in TELLING
        shown = {
            "sentence": best["sentence"],
            "word": best["verdict"] if is_told else OPEN,
            "effect": effect_text(best) if is_told else "",
            "study": best["by"] if is_told else "",
            "why": best["missing"] if is_told else f"needs {best['basis']}",
        }
        claims.setdefault(best["study"], []).append(shown)
    return claims


def _how_telling(row: dict) -> int:
    """Order words on a claim, the most telling first."""
    return TELLING.index(row["verdict"]) if row["verdict"] in TELLING else len(TELLING)
