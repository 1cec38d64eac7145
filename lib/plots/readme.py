"""The answer on the README's first screen, between two marks that nothing else writes to."""

import html
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.records import atomic_write

# Marks in the README, between which the answer stands.
BEGIN, END = "<!-- answer:", "<!-- /answer -->"
COLUMNS = 100  # of a line of text
OVERVIEW = "all reports: [overview](reports/index.html); words: [glossary](reports/glossary.html)"


def gain_lines(headline: Mapping, uses: Sequence[Mapping] = ()) -> list[str]:
    """Write the answer of the study of numbers of real images, as lines of Markdown.

    Args:
        headline: of `lib.report.leading.leading_words`.
        uses: of `lib.report.leading.answers_on_uses`.
    """
    # The answer in a word and a number, over the figure.
    short = f"**{headline['word']}: {headline['number']}** {headline['about']}."
    for said in headline["beyond"]:
        short += f" {said['text']} ({_link(said['study'])})"
    lines = [*_wrapped(short), "", *picture_lines("gain", headline["alt"]), ""]

    # What was found, what to do, and where the rest stands.
    for sentence in headline["first_screen"]:
        lines += _bullet(sentence)
    lines += ["", "What to do with images such as these:", ""]
    for sentence in headline["advice"]:
        lines += _bullet(sentence)
    # What stands with the answer is not said again.
    told = [said["study"] for said in headline["beyond"]]
    for found in [found for found in uses if found["study"] not in told]:
        lines += _bullet(f"{found['question']} {found['answer']} ({_link(found['study'])})")
    source = f"From {_link(headline['study'])}; {OVERVIEW}."
    return [*lines, "", *_wrapped(f"{headline['caption']} {source}")]


def picture_lines(name: str, alt: str) -> list[str]:
    """Show reports/<name>.svg, on dark pages reports/<name>-dark.svg.

    Args:
        alt: what the figure shows.
    """
    # GitHub chooses by the reader's own setting.
    dark = f'<source media="(prefers-color-scheme: dark)" srcset="reports/{name}-dark.svg">'
    light = f'<img alt="{html.escape(alt, quote=True)}" src="reports/{name}.svg">'
    return ["<picture>", f"  {dark}", f"  {light}", "</picture>"]


def write_between(readme: Path, lines: list[str]) -> None:
    """Put lines between the README's marks, in place of what stands there.

    Args:
        readme: with a line that begins with BEGIN, and END after it.

    Raises:
        StudyError: the marks are not there.
    """
    # Everything between the marks is written anew.
    text = readme.read_text(encoding="utf-8")
    begin, end = _marks(text, readme)
    with atomic_write(readme, "w") as file:
        file.write(text[:begin] + "\n".join(["", *lines, "", ""]) + text[end:])


def between(readme: Path) -> list[str]:
    """Read the lines between the README's marks, as `write_between` takes them."""
    # Without the empty lines beside the marks.
    text = readme.read_text(encoding="utf-8")
    begin, end = _marks(text, readme)
    return text[begin:end].split("\n")[1:-2]


def _marks(text: str, readme: Path) -> tuple[int, int]:
    """Find the places behind the first mark's line and before the second mark."""
    begin, end = text.find(BEGIN), text.find(END)
    if not 0 <= begin < end:
        raise StudyError(f"{readme.name}: no '{BEGIN} ... -->' and '{END}' to write between")
    return text.index("\n", begin) + 1, end


def _link(study: str) -> str:
    """Link a study's page."""
    return f"[{study}](reports/{study}/index.html)"


def _bullet(text: str) -> list[str]:
    """Write an entry of a list."""
    return _wrapped(f"- {text}", indent="  ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Break a text into lines; never within a word or a link's address."""
    return textwrap.wrap(
        text, COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
