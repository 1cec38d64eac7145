"""Where everything lies: every folder of a study, resolved from this file's own place."""

from dataclasses import dataclass
from pathlib import Path

from lib.study.errors import StudyError

# The project: lib/study/paths.py is two folders below.
ROOT = Path(__file__).resolve().parents[2]

# How a copy of a notebook is called while it runs, and where it failed: <name>.failed.ipynb. A name
# may have dots of its own.
RUNNING = ".running.ipynb"
HALF_DONE = ".failed.ipynb"


@dataclass(frozen=True)
class StudyPaths:
    """Folders of one study. Nothing is created by asking for a path."""

    root: Path  # runs/<study>: what a run makes, which git ignores
    reports: Path  # reports/<study>: what people read
    # runs/<study> where the root is a place beside it for exploring (lib.study.explore), else None.
    explored: Path | None = None

    @property
    def study(self) -> str:
        """Its name, also while exploring."""
        return self._of_persons.name

    @property
    def data(self) -> Path:
        """The real faces."""
        return self.root / "data"

    @property
    def reference(self) -> Path:
        """The reference classifier and the encoder, whose features measure pools."""
        return self.root / "reference"

    @property
    def pools(self) -> Path:
        """Synthetic faces, one folder a pool."""
        return self.root / "pools"

    def pool(self, name: str) -> Path:
        """One pool's images, labels and verdicts."""
        return self.pools / name

    @property
    def generators(self) -> Path:
        """Trained generators by the key of their training, which studies of the same real faces
        share.
        """
        # Beside the studies, not in one; while exploring, where no study looks.
        return (self.root if self.explored else self.root.parent) / "generators"

    @property
    def _of_persons(self) -> Path:
        """The study's folder also while exploring: what a person decides is no result of a run."""
        return self.explored or self.root

    def review(self, pool: str) -> Path:
        """A person's decisions about a pool: read by notebook 30, written by its panel, never by a
        run.
        """
        return self._of_persons / "pools" / "curation" / pool / "review.csv"

    @property
    def spot_check(self) -> Path:
        """A person's answers to the spot check of notebook 50, which its panel writes."""
        return self._of_persons / "spot_check.csv"

    @property
    def runs(self) -> Path:
        """Trained classifiers with their predictions, one folder a run."""
        return self.root / "runs"

    @property
    def tables(self) -> Path:
        """Tables for people and for later notebooks."""
        return self.root / "tables"

    @property
    def application(self) -> Path:
        """Exported networks and the test video."""
        return self.root / "application"

    @property
    def notebooks(self) -> Path:
        """Executed copies of the notebooks."""
        return self.root / "notebooks"

    @property
    def state(self) -> Path:
        """Which executions are done, from what, and what they wrote."""
        return self.root / "state"


def study_paths(study: str, output: str = "") -> StudyPaths:
    """Locate the folders of a study.

    Args:
        study: name of the study, as in params/<study>.yaml.
        output: folder that receives runs/ and reports/; empty for the project's own.

    Raises:
        StudyError: an output that cannot be a folder.
    """
    # ~ is the user's home, and a relative path the caller's.
    try:
        base = Path(output).expanduser().resolve() if output else ROOT
    except (OSError, RuntimeError, ValueError) as error:  # a link in circles, no such user, a NUL
        raise StudyError(f"output: {output}: cannot be a folder ({error}); give another") from None
    return StudyPaths(root=base / "runs" / study, reports=base / "reports" / study)
