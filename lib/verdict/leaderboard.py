"""The leaderboard: pools by what training on them brings, with an interval of the rank.

A row is comparable with rows of the same protocol and the same real images, and with no others.
"""

import hashlib
from pathlib import Path

import pandas as pd
from scipy import stats

from lib.faces.faceset import FaceSet
from lib.study.errors import DamagedFile
from lib.study.kept import set_aside
from lib.study.records import content_hash, parsing, write_csv
from lib.verdict.sentences import learnt_from, verdict_table
from lib.verdict.trial import Trial

COLUMNS = (
    "protocol",
    "data",
    "real",
    "pool",
    "images",
    "added",
    "difference",
    "low",
    "high",
    "word",
    "repetitions",
    "rank",
    "rank_low",
    "rank_high",
    "date",
    "commit",
)
KEYS = ["protocol", "data", "images"]  # what a row is about; a later verdict takes its place
FILE = "leaderboard.csv"


def rows_of(trial: Trial, facts: dict) -> pd.DataFrame:
    """Make the rows of a verdict.

    Args:
        trial: the comparisons.
        facts: date and commit.
    """
    laboratory, rows = trial.laboratory, []
    table = verdict_table(trial)
    if not len(table):
        return pd.DataFrame(columns=COLUMNS)

    # Accuracy decides, and ranks.
    for row in table[table["metric"] == "accuracy"].to_dict("records"):
        pool = next(p for p in laboratory.inputs.pools if p.name == row["pool"])
        rows.append(
            {
                "protocol": laboratory.protocol.digest(),
                "data": laboratory.inputs.digest[:12],
                "real": learnt_from(trial),
                "pool": row["pool"],
                "images": same_images(pool.faces)[:12],
                "added": row["added"],
                "difference": row["difference"],
                "low": row["low"],
                "high": row["high"],
                "word": row["word"],
                "repetitions": row["repetitions"],
                "date": facts["date"],
                "commit": facts["commit"],
            }
        )
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def same_images(faces: FaceSet) -> str:
    """Hash images and their classes, whatever they are called and in whatever order: sha256 hex."""
    pixels = [hashlib.sha256(image.tobytes()).hexdigest() for image in faces.images]
    return content_hash(sorted(zip(faces.labels.tolist(), pixels)))


def add_rows(file: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Add rows to the leaderboard's file, rank them anew, and return those that compare with them.

    Args:
        file: of all rows, of whatever protocol.
        rows: of `rows_of`.
    """
    # A pool that was judged before by the same rules takes its own place.
    known = _known_rows(file)
    both = pd.concat([known, rows], ignore_index=True) if len(known) else rows
    both = both.drop_duplicates(KEYS, keep="last")

    # Ranks within one protocol and one set of real images.
    ranked = [ranks(group) for _, group in both.groupby(KEYS[:2], sort=True)]
    table = pd.concat(ranked, ignore_index=True) if ranked else both
    write_csv(file, table)

    # What the caller's rows compare with.
    of_call = rows[KEYS[:2]].drop_duplicates()
    return table.merge(of_call, on=KEYS[:2])


def _known_rows(file: Path) -> pd.DataFrame:
    """Read the rows of earlier verdicts; a file that is damaged is set aside."""
    if not file.exists():
        return pd.DataFrame(columns=COLUMNS)
    try:
        with parsing(file):
            return pd.read_csv(file)[list(COLUMNS)]
    except DamagedFile:
        aside = set_aside(file).name
        print(f"note: {file} was damaged; it is set aside as {aside}, and a new one is begun")
        return pd.DataFrame(columns=COLUMNS)


def ranks(rows: pd.DataFrame) -> pd.DataFrame:
    """Rank comparable rows, 1 for the largest gain, with an interval of each rank.

    A pool's rank is at least one more than the number of pools whose intervals lie above its own,
    and at most the number of those whose intervals do not lie below. The intervals of one verdict
    hold together and whenever it stopped, and so do the ranks that are read off them.

    Args:
        rows: columns pool, difference, low and high.

    Source: ranks from simultaneous intervals, Al Mohamad, Goeman and van Zwet, "Simultaneous
        confidence intervals for ranks with application to ranking institutions".
    Differs: intervals that do not overlap, in place of Tukey's range of differences.
    """
    # Which intervals lie above which.
    low, high = rows["low"].to_numpy(float), rows["high"].to_numpy(float)
    above = low[None, :] > high[:, None]  # [i, j]: j is shown to be better than i
    order = stats.rankdata(-rows["difference"].to_numpy(float), method="min")
    table = rows.assign(
        rank=order.astype(int), rank_low=1 + above.sum(1), rank_high=len(rows) - above.sum(0)
    )
    return table.sort_values(["rank", "pool"])
