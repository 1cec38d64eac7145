"""The index of a study: the answer first, then what was run, then the evidence; and the index over all studies."""

import csv
import json
import re
from pathlib import Path

from lib.report.executions import Execution, executions, first_error, read_cells, step_record
from lib.report.shell import meta, stamp, write_page
from lib.study.params import read_yaml, size_of
from lib.study.paths import ROOT, StudyPaths
from lib.study.records import atomic_write

NOT_SHOWN = ("study", "output", "pool", "workers")  # where and which, not what
ORDER = ("schuermann", "comp7055", "internship", "full")  # studies on real faces, as the overview lists them
LARGEST_CLASSIFIER = 10_000_000  # bytes
TABLES = {  # they travel with the pages
    "effects.csv": "every comparison: difference, interval, verdict, seeds, images",
    "levels.csv": "every arm by itself",
}
FIGURE = re.compile(r'<figure class="plot">.*?</figure>', re.S)


def render_index(paths: StudyPaths) -> Path:
    """Write reports/<study>/index.html from what the notebooks left behind.

    Returns:
        Its path.
    """
    found = executions(paths)
    records = {e.name: step_record(paths, e.name) for e in found}
    sentences = answer(paths)
    return write_page(
        paths.reports / "index.html", "index.html.j2", study=paths.root.name, title="Does AI-generated data help an emotion classifier?",
        description=sentences[0]["text"] if sentences else "No answer yet.", mark=stamp(paths.root.name), sentences=sentences,
        figure=answer_figure(found), drawn=drawn(paths), size=size_of(paths.root.name), classifier=keep_classifier(paths),
        tables=keep_tables(paths),
        failed=[failure(e) for e in found if e.status == "failed"],
        facts=machine(records), differing=differing(records), stages=stages(found, records), about=about(paths.root.name),
    )  # fmt: skip


def render_top(reports: Path) -> Path:
    """Write reports/index.html: every study with the first sentence of its answer.

    Args:
        reports: folder that holds one folder a study.
    """
    studies = [{"name": p.parent.name, "answer": meta(p, "description"), "about": about(p.parent.name), "size": size_of(p.parent.name),
                "drawn": 'class="banner drawn"' in p.read_text(encoding="utf-8")}
                for p in sorted(reports.glob("*/index.html"))]  # fmt: skip
    studies.sort(
        key=lambda study: (study["drawn"], ORDER.index(study["name"].split("-")[0]) if study["name"].split("-")[0] in ORDER else len(ORDER))
    )
    return write_page(
        reports / "index.html", "top.html.j2", title="Synthetic faces: the studies", description="All studies", mark="", studies=studies
    )


def keep_classifier(paths: StudyPaths) -> dict:
    """Put the study's exported classifier beside its pages, in floats or, where those are too large to travel, in 8 bit.

    Returns:
        file, kilobytes, accuracy; {} where there is none of at most 10 MB.
    """
    tested = {row["network"]: float(row["accuracy"]) for row in _csv(paths.tables / "application_networks.csv")}
    for network, name in (("floats", "classifier.onnx"), ("8 bit", "classifier-int8.onnx")):
        source = paths.application / name
        if network in tested and source.exists() and source.stat().st_size <= LARGEST_CLASSIFIER:
            with atomic_write(paths.reports / name) as file:
                file.write(source.read_bytes())
            return {"file": name, "kilobytes": source.stat().st_size / 1000, "accuracy": tested[network]}
    return {}


def keep_tables(paths: StudyPaths) -> list[dict]:
    """Put the study's figures beside its pages as tables: runs/ is not published, and the answer over all studies is made from these.

    Returns:
        file and what it holds, of each that is there.
    """
    for name in TABLES:
        if (source := paths.tables / name).exists():
            with atomic_write(paths.reports / name) as file:
                file.write(source.read_bytes())
    return [{"file": name, "holds": holds} for name, holds in TABLES.items() if (paths.reports / name).exists()]


def answer(paths: StudyPaths) -> list[dict]:
    """List the sentences of the answer; one that is about a pool comes with the pool's verdict."""
    file = paths.tables / "answer.json"
    if not file.exists():
        return []
    verdicts = {row["pool"]: row["verdict"] for row in _csv(paths.tables / "pool_verdicts.csv")}
    sentences = json.loads(file.read_text(encoding="utf-8"))["sentences"]
    return [{"text": text, "pool": (pool := text.split(" ")[0]), "verdict": verdicts.get(pool, "")} for text in sentences]


def answer_figure(found: list[Execution]) -> str:
    """Take the first figure of the findings, which stands beside the answer."""
    findings = [e for e in found if e.stage == 80 and e.status == "done"]
    outputs = [output for e in findings for cell in read_cells(e.ipynb) for output in cell.get("outputs", [])]
    shown = ("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    return next((figure[0] for text in shown if (figure := FIGURE.search(text))), "")


def drawn(paths: StudyPaths) -> bool:
    """Tell whether the study's real faces are drawings."""
    return step_record(paths, "10_data").get("parameters", {}).get("data") == "drawn"


def failure(execution: Execution) -> dict:
    """Say how an execution failed."""
    error = first_error(read_cells(execution.ipynb)) or {"ename": "failed", "evalue": "no error was recorded"}
    return {"name": execution.name, "page": execution.page, "kind": error["ename"], "message": " ".join(error["evalue"].split())[:400]}


def machine(records: dict[str, dict]) -> dict:
    """Gather commit, machine and times over all executions that finished, {} where none did."""
    known = [record for record in records.values() if record.get("facts")]
    if not known:
        return {}
    facts = [record["facts"] for record in known]
    return {
        "commits": list(dict.fromkeys(f["commit"] for f in sorted(facts, key=lambda f: f["date"]))),
        "dirty": any(f["dirty"] for f in facts),
        "machines": sorted(
            {
                f"{f['cpu']}, {f['cores']} core{'s' * (f['cores'] != 1)}" + (f", {f['device']}" if f["device"] != "cpu" else ", no GPU")
                for f in facts
            }
        ),
        "first": min(f["date"] for f in facts),
        "last": max(f["date"] for f in facts),
        "seconds": sum(record["seconds"] for record in known),
        "python": sorted({f["python"] for f in facts}),
        "versions": facts[-1]["versions"],
    }


def differing(records: dict[str, dict]) -> list[dict]:
    """List parameters that the notebooks ran with and that differ from params/base.yaml; those of one pool stand on its pages."""
    base, rows = read_yaml(ROOT / "params" / "base.yaml"), {}
    for name, record in records.items():
        for key, value in record.get("parameters", {}).items() if "-" not in name else ():
            if key not in NOT_SHOWN and base.get(key) != value:
                rows[key] = {"name": key, "value": _shown(value), "base": _shown(base.get(key))}
    return [rows[key] for key in sorted(rows)]


def stages(found: list[Execution], records: dict[str, dict]) -> list[dict]:
    """Group the executions by notebook, with status and time of each."""
    grouped = {}
    for e in found:
        stage = grouped.setdefault(e.stage, {"number": e.stage, "title": e.title or e.stage_name, "question": e.question, "pages": []})
        seconds = records[e.name].get("seconds")
        stage["pages"].append({"name": e.pool, "page": e.page, "status": e.status, "seconds": seconds})
    return list(grouped.values())


def about(study: str) -> str:
    """Read the first comment of a study's parameter file: what it is, in a sentence."""
    file = ROOT / "params" / f"{study}.yaml"
    first = file.read_text(encoding="utf-8").partition("\n")[0] if file.exists() else ""
    return first.lstrip("# ").strip() if first.startswith("#") else ""


def _csv(file: Path) -> list[dict]:
    if not file.exists():
        return []
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _shown(value) -> str:
    """Write a parameter's value; of a path only the name, since reports travel."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, str) and "/" in value:
        return f"…/{Path(value).name}"
    return str(value) if value != "" else "empty"
