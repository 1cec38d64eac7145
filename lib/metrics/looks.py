"""How often the test images were looked at before a study was published, as params/claims.yaml
lists it.

A look that may have changed what was done next spends a part of the error, whether or not it did:
comparisons that were looked at before count as analysed once more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lib.metrics.preregistration import CLAIMS
from lib.metrics.three_studies import check_word
from lib.study.errors import StudyError
from lib.study.params import read_entries

KEYS = ("date", "study", "real", "runs", "own", "what")
TIMES = {1: "once", 2: "twice"}


@dataclass(frozen=True)
class Look:
    """One look; params/claims.yaml says what the keys mean."""

    date: str
    study: str
    real: tuple[int, ...]  # numbers of real images beside which it was looked
    runs: int  # that were scored
    own: bool  # whether the study's comparisons were decided then, on fewer runs than now
    what: str


def load_looks(study: str, *, why_not: str = "", path: Path = CLAIMS) -> list[dict]:
    """Read the looks at a study's test images before it was published, oldest first.

    Args:
        study: its name.
        why_not: of `three_studies.why_not_applicable`: on other data nothing was looked at.

    Returns:
        The fields of each Look, as plain data: facts that travel with the predictions.

    Raises:
        StudyError: naming the file, the look and the key.
    """
    # Each entry is complete, whichever study it is of.
    found = []
    for place, entry in enumerate(read_entries(Path(path), "looks"), 1):
        where = f"{path}: look {place}"
        for key in entry:
            check_word(key, KEYS, where, "key")
        missing = [key for key in KEYS if key not in entry]
        if missing:
            raise StudyError(f"{where}: key {missing[0]!r} is missing")
        look = Look(**entry | {"date": str(entry["date"])})
        if look.study == study and not why_not:
            found.append(asdict(look))
    return sorted(found, key=lambda look: look["date"])


def looks_beside(looks: Sequence[Mapping], size: int) -> int:
    """Count the earlier looks at a study's own runs beside one number of real images.

    Args:
        looks: of `load_looks`.
        size: number of real images.
    """
    # Other runs on the same images are named, and cost nothing.
    return sum(look["own"] and size in look["real"] for look in looks)


def looks_sentences(looks: Sequence[Mapping]) -> list[str]:
    """Count the looks at the test images in words: this page's is the last.

    Args:
        looks: of `load_looks`.
    """
    # The last look is that of the page itself.
    own = [look for look in looks if look["own"]]
    others = [look for look in looks if not look["own"]]
    times = TIMES.get(len(own) + 1, f"{len(own) + 1} times")
    sentences = [
        f"The test images were looked at {times} with these runs, the last time for this page."
    ]

    # What was seen before, and what it costs.
    for look in own:
        sizes = ", ".join(f"{size:,}" for size in look["real"])
        earlier = f"Earlier, {look['date']}: {look['runs']} runs beside {sizes} real images"
        counted = "Comparisons beside this number count as analysed once more"
        sentences.append(f"{earlier}, {look['what']}. {counted}.")
    for look in others:
        sentences.append(f"Besides, {look['date']}: {look['runs']} runs, {look['what']}.")
    return sentences
