"""Make the locks anew: `python -m lib.study.requirements_lock`, after a change of pyproject.toml.

Needs uv (pip install uv). requirements.lock holds every package that pyproject.toml's dependencies
need, with the digests of its files, for Python 3.11 to 3.13 on Linux and macOS, chosen by
markers; requirements-test.lock holds what the extra `test` needs besides. Versions that a lock
holds already stay, unless pyproject.toml says otherwise.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lib.study.environment import LOCK, TEST_LOCK
from lib.study.paths import ROOT

HEADER = (
    "# Made by python -m lib.study.requirements_lock from pyproject.toml; not edited by hand.\n"
)
# No address of an index: whoever installs takes the one that is set up there.
OPTIONS = (
    "--universal",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-annotate",
    "--no-header",
)


def lock(kept: str, *words: str) -> str:
    """Resolve pyproject.toml.

    Args:
        kept: a lock whose versions stay where they fit.
        words: further options of uv pip compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        # uv keeps the versions that it finds in its output file.
        output = Path(folder) / "requirements.lock"
        output.write_text(kept, encoding="utf-8")
        # Standard output is the lock once more.
        command = ["uv", "pip", "compile", "pyproject.toml", *OPTIONS, *words, "-o", str(output)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return output.read_text(encoding="utf-8")


def entries(text: str) -> list[str]:
    """Split a lock into its packages, each with its digests."""
    # A line with name, version and markers, then one indented line for each file's digest.
    return re.findall(r"^[A-Za-z0-9_.-]+==.*\n(?:    .*\n)*", text, flags=re.MULTILINE)


def _main() -> None:
    if shutil.which("uv") is None:
        raise SystemExit("uv is not on the path: pip install uv")

    # The study's packages by themselves, then with those of the tests beside them.
    before, test_before = _read(LOCK), _read(TEST_LOCK)
    study = lock(before)
    whole = lock(study + test_before, "--extra", "test")

    # A package stands in one of the two files.
    besides = [entry for entry in entries(whole) if entry not in entries(study)]
    Path(LOCK).write_text(HEADER + study, encoding="utf-8")
    Path(TEST_LOCK).write_text(HEADER + "".join(besides), encoding="utf-8")
    print(f"{len(entries(study))} packages, {len(besides)} more for the tests")


def _read(path: str) -> str:
    file = Path(path)
    return file.read_text(encoding="utf-8") if file.exists() else ""


if __name__ == "__main__":
    _main()
