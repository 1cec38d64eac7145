"""The frame around every page: templates, styles, and what a page is stamped with."""

import functools
import hashlib
import html
import re
from pathlib import Path

from lib.study.records import atomic_write

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"


def write_page(path: Path, template: str, **values) -> Path:
    """Fill a template and write the page.

    Args:
        path: of the page, .html.
        template: file in templates/ that extends page.html.j2.
        values: what the template names.
    """
    css, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    text = environment().get_template(template).render(css=css, script=script, **values)
    with atomic_write(path, "w") as file:
        file.write(text)
    return path


def stamp(*parts: bytes | str) -> str:
    """Hash what a page is made from: the parts given, and this package's own files."""
    digest = hashlib.sha256(_own_digest().encode())
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
    return digest.hexdigest()[:32]


def meta(page: Path, name: str) -> str:
    """Read a meta entry off the head of a rendered page, empty where there is none."""
    if not page.exists():
        return ""
    with open(page, encoding="utf-8") as file:
        found = re.search(rf'<meta name="{name}" content="([^"]*)"', file.read(4000))
    return html.unescape(found[1]) if found else ""


def duration(seconds: float) -> str:
    """Write a time span: 42 s, 3 min 10 s, 2 h 5 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def moment(text: str) -> str:
    """Shorten an ISO time to day and minute."""
    return text[:16].replace("T", " ")


@functools.cache
def environment():
    """Set up the templates; a name that a template misspells is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters |= {"duration": duration, "moment": moment}
    return templates


@functools.cache
def _own_digest() -> str:
    files = sorted(p for p in HERE.rglob("*") if p.suffix in (".py", ".j2", ".css", ".js"))
    return hashlib.sha256(b"\0".join(p.read_bytes() for p in files)).hexdigest()
