"""The answer of a study as data: sentences with what each is about, and where its figure stands.

Notebook 80 or 90 writes tables/answer.json; the command line and the index of the reports read it.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from lib.study.kept import read_sealed, write_sealed
from lib.study.paths import StudyPaths
from lib.study.records import parsing


@dataclass(frozen=True)
class Sentence:
    """One sentence of the answer."""

    text: str
    pool: str = ""  # the pool that it is about, "" for none
    verdict: str = ""  # helps, hurts, equivalent or undecided; "" where it says none
    # Of the first sentence: the answer in a word, one number with its unit, and what that is.
    word: str = ""
    number: str = ""
    about: str = ""

    @property
    def short(self) -> str:
        """The answer in short: word, number and what it is, where it has them; else its text."""
        return f"{self.word}: {self.number} {self.about}." if self.word else self.text


def write_answer(paths: StudyPaths, sentences: list[Sentence | str]) -> Path:
    """Write the answer and return its path.

    Args:
        sentences: the first one is the answer in short; plain texts are about no pool.
    """
    given = [Sentence(each) if isinstance(each, str) else each for each in sentences]
    write_sealed(answer_path(paths), {"sentences": [asdict(sentence) for sentence in given]})
    return answer_path(paths)


def read_answer(paths: StudyPaths) -> list[Sentence]:
    """Read the answer; empty where there is none."""
    # There is none before its notebook has run under the present settings.
    return read_answer_file(answer_path(paths))


def read_answer_file(path: Path) -> list[Sentence]:
    """Read an answer wherever it lies; empty where there is none."""
    if not path.exists():
        return []
    with parsing(path, "run the notebook that writes it again"):
        return [Sentence(**row) for row in read_sealed(path)["sentences"]]


def answer_path(paths: StudyPaths) -> Path:
    """Name the file of the answer."""
    return paths.tables / "answer.json"
