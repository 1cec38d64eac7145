"""How often verdicts were right where that can be known: the records of drawn and of real faces."""

from pathlib import Path

import pandas as pd

from lib.metrics.wording import points
from lib.verdict import known_truth, real_trials
from lib.verdict.measured import recorded
from lib.verdict.protocol import Protocol

# What stands beside the real images, in words.
POOLS = {
    "generated": "Schürmann's Stable Diffusion faces",
    "dcgan": "DCGAN that had seen all real images",
    "real": "further real images",
    "shuffled": "Schürmann's faces, labels shuffled",
}


def drawn_record(path: Path = known_truth.RECORD) -> pd.DataFrame:
    """Read the rates of verdicts on drawn faces (`known_truth.rates`); none where none is kept."""
    rows = recorded(path, known_truth.PROTOCOL)
    return known_truth.rates(rows, known_truth.PROTOCOL.margin) if len(rows) else pd.DataFrame()


def drawn_view(rates: pd.DataFrame) -> pd.DataFrame:
    """Lay the rates out for reading: one row a kind of pool and number of real images."""
    return pd.DataFrame(
        {
            "generated images": rates["kind"],
            "real images": rates["size"],
            "verdicts": rates["verdicts"],
            "true effect, points": [points(value) for value in rates["truth"]],
            "words": rates["words"],
            "wrong": rates["wrong"],
        }
    )


def real_view(path: Path = real_trials.RECORD) -> pd.DataFrame:
    """Lay the verdicts on real faces out beside what the study found: one row a verdict."""
    rows = recorded(path, Protocol())
    if not len(rows):
        return pd.DataFrame()
    found = real_trials.beside_study(rows, pd.read_csv(real_trials.STUDY))
    shown = []
    for row in found.to_dict("records"):
        study = ""
        if not pd.isna(row.get("study_difference")):
            study = f"{row['study_verdict']}, {_interval(row, 'study_')}"
        shown.append(
            {
                "generated images": POOLS[row["pool"]],
                "real images": row["size"],
                "verdict": row["word"],
                "change, points": _interval(row, ""),
                "on images that nobody had seen": points(row["truth"]),
                "the whole study": study,
            }
        )
    return pd.DataFrame(shown)


def _interval(row: dict, prefix: str) -> str:
    """Write a difference with its interval, in points."""
    if pd.isna(row.get(f"{prefix}difference")):
        return ""
    difference, low, high = (points(row[prefix + end]) for end in ("difference", "low", "high"))
    return f"{difference} ({low} to {high})"
