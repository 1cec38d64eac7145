"""Where everything lies: every folder of a study, resolved from this file's own place."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class StudyPaths:
    """Folders of one study. Nothing is created by asking for a path."""

    root: Path  # runs/<study>: what a run makes
    reports: Path  # reports/<study>: what people read

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def instrument(self) -> Path:
        return self.root / "instrument"

    @property
    def pools(self) -> Path:
        return self.root / "pools"

    def pool(self, name: str) -> Path:
        return self.pools / name

    @property
    def generators(self) -> Path:
        """Trained generators by the key of their training, which studies of the same real faces share."""
        return self.root.parent / "generators"

    def review(self, pool: str) -> Path:
        """A person's decisions about a pool: read by notebook 30, written by its panel, never by a run."""
        return self.pools / "curation" / pool / "review.csv"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def application(self) -> Path:
        return self.root / "application"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def state(self) -> Path:
        return self.root / "state"


def study_paths(study: str, output: str = "") -> StudyPaths:
    """Locate the folders of a study.

    Args:
        study: name of the study, as in params/<study>.yaml.
        output: folder that receives runs/ and reports/; empty for the project's own.
    """
    base = Path(output).expanduser().resolve() if output else ROOT
    return StudyPaths(root=base / "runs" / study, reports=base / "reports" / study)
