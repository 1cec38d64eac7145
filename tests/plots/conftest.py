"""Makes the helpers beside these tests importable, and lets no test name a study for the next."""

import sys
from pathlib import Path

import pytest

from lib.report.names import name_study

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def unnamed():
    """Forget what a test called its pools and arms."""
    name_study({})
    yield
    name_study({})
