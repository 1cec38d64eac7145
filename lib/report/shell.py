"""The frame around every page: templates, styles, and what is known of a study's pages."""

import csv
import datetime
import functools
import hashlib
import html
import re
from pathlib import Path

from lib.report.names import in_words
from lib.study.records import atomic_write, read_json, write_json

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"  # Jinja2, the style sheet, and the script of the pages
HEADING = re.compile(r'<h([23]) id="([^"]+)"[^>]*>(.*?)</h\1>', re.DOTALL)
BARE_HEADING = re.compile(r"<h([23])>(.*?)</h\1>", re.DOTALL)
SUMMARY = "study.json"  # beside the pages of a study

# What stands on every page of a study whose faces are the project's own.
BANNERS = {
    "drawn": {
        "title": "Drawings.",
        "text": "Numbers on this page are about drawn faces, not about photographs of people.",
    },
    "digits": {
        "title": "Digits.",
        "text": "Numbers on this page are about handwritten digits, not about faces.",
    },
}


def write_page(path: Path, template: str, **values) -> Path:
    """Fill a template and write the page.

    Args:
        path: of the page, .html.
        template: file in templates/ that extends page.html.j2.
        values: what the template names.
    """
    # Everything is inside the page: it opens from a disk, without a network.
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    text = environment().get_template(template).render(css=css, script=script, **values)
    with atomic_write(path, "w") as file:
        file.write(text)
    return path


def contents_of(body: str) -> list[dict]:
    """List the sections of a page: anchor, text and level of each heading below the first.

    Args:
        body: HTML, whose headings carry an id.
    """
    entries = []
    for level, anchor, inner in HEADING.findall(body):
        words = html.unescape(re.sub(r"<[^>]+>", "", inner)).strip()
        entries.append({"anchor": anchor, "text": words, "level": int(level)})
    return entries


def with_anchors(body: str) -> str:
    """Give every section of a page an anchor, made from its heading.

    Args:
        body: HTML, whose headings carry no id.
    """
    seen = {}

    def anchored(match: re.Match) -> str:
        level, inner = match.groups()
        words = re.findall(r"[a-z0-9]+", html.unescape(re.sub(r"<[^>]+>", "", inner)).lower())
        slug = "-".join(words) or "section"

        # Two sections may be called alike.
        seen[slug] = seen.get(slug, 0) + 1
        anchor = slug if seen[slug] == 1 else f"{slug}-{seen[slug]}"
        return f'<h{level} id="{anchor}">{inner}</h{level}>'

    return BARE_HEADING.sub(anchored, body)


def stamp(*parts: bytes | str) -> str:
    """Hash what a page is made from: the parts given, and this package's own files."""
    # What is no part of a page, such as the time of rendering, is not in it either.
    digest = hashlib.sha256(_own_digest().encode())
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
    return digest.hexdigest()[:32]


def read_summary(folder: Path) -> dict:
    """Read what is known of the pages in a study's folder.

    Returns:
        answer (a sentence, "" for none), data (a key of BANNERS, "" for the user's own faces),
        pages (file: stamp of what it was made from).
    """
    # A report of before this file was written has none.
    summary = {"answer": "", "data": "", "pages": {}}
    file = folder / SUMMARY
    return summary | (read_json(file) if file.exists() else {})


def write_summary(folder: Path, **changes) -> None:
    """Write what is known of the pages in a study's folder; what is not given stays."""
    # The index and the pages know different parts of it.
    write_json(folder / SUMMARY, read_summary(folder) | changes)


def duration(seconds: float) -> str:
    """Write a time span: 42 s, 3 min 10 s, 2 h 5 min."""
    # Two units are enough.
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def ended(record: dict) -> str:
    """Tell when an execution ended, as an ISO time; its facts were gathered when it began.

    Args:
        record: facts and seconds, of `step.finish`.
    """
    began = datetime.datetime.fromisoformat(record["facts"]["date"])
    return (began + datetime.timedelta(seconds=record["seconds"])).isoformat()


def moment(text: str) -> str:
    """Shorten an ISO time to day and minute."""
    return text[:16].replace("T", " ")


@functools.cache
def environment():
    """Set up the templates; a name that a template misspells is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    # {{ record.seconds | duration }}
    templates.filters |= {
        "duration": duration,
        "moment": moment,
        "ended": ended,
        "in_words": in_words,
    }
    return templates


@functools.cache
def _own_digest() -> str:
    """Hash this package's files: another template makes another page."""
    files = sorted(p for p in HERE.rglob("*") if p.suffix in (".py", ".j2", ".css", ".js"))
    return hashlib.sha256(b"\0".join(p.read_bytes() for p in files)).hexdigest()


def read_rows(file: Path) -> list[dict]:
    """Read a CSV table as rows of text, none where there is no file."""
    if not file.exists():
        return []
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
