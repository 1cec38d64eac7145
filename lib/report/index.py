"""The index of a study: the answer first, then what was run, then the evidence; and the index over
all studies.
"""

import datetime
from pathlib import Path

from lib.report.answer import answer_of
from lib.report.claims import NOT_APPLICABLE, published_claims
from lib.report.claims import TABLE as CLAIMS
from lib.report.executions import (
    DATA_NOTEBOOKS,
    Execution,
    executions,
    first_error,
    read_cells,
    ready_made_words,
    step_record,
)
from lib.report.glossary import PAGE as GLOSSARY
from lib.report.glossary import earlier_studies, render_glossary
from lib.report.leading import (
    LEADERBOARD,
    answers_on_uses,
    headline_figures,
    keep_headline,
    keep_leading,
    leading_words,
    read_figure,
)
from lib.report.listed import is_published, listed_studies
from lib.report.names import name_ready_made
from lib.report.notebook import short_paths, value_text
from lib.report.shell import (
    BANNERS,
    ended,
    read_rows,
    write_page,
    write_summary,
)
from lib.study.errors import FOR_USERS
from lib.study.parameter_rules import EMBEDDED_DATA
from lib.study.params import PARAMS, load_params, read_yaml, size_of, summary
from lib.study.params import studies as studies_of_params
from lib.study.paths import StudyPaths
from lib.study.records import copy_whole, parsing, read_json
from lib.study.stages import STANDALONE

QUESTION = "Does AI-generated data help an emotion classifier?"  # of all studies of many notebooks
NOT_SHOWN = ("study", "output", "write", "pool", "workers")  # where and which, not what
LARGEST_CLASSIFIER = 10_000_000  # bytes
CARD = "README.md"  # in the folder of the application, as the hub has it
LONGEST_MESSAGE = 400  # characters of an error
# Networks that may travel with the pages, the best first: name in the table, file.
NETWORKS = (("floats", "classifier.onnx"), ("8 bit", "classifier-int8.onnx"))
# Pages over all studies: over those that are published, and over others, which git ignores.
OVERVIEWS = {True: "index.html", False: "local.html"}
ANSWER = "answer.json"  # of lib.plots.headline
PARTS = {
    "answer": "The answer",
    "leaderboard": "Leaderboard",
    "studies": "Studies",
    "earlier": "The three earlier studies",
}
CONTENTS = [
    {"anchor": "answer", "text": "The answer", "level": 2},
    {"anchor": "run", "text": "What was run", "level": 2},
    {"anchor": "evidence", "text": "The evidence", "level": 2},
]
# Tables that travel with the pages.
TABLES = {
    "effects.csv": "every comparison: difference, interval, verdict, seeds, images",
    "levels.csv": "every arm by itself",
    "gains.csv": "images added to a number of real ones: gain, interval, verdict, reading",
    "recovered.csv": "what one added image is worth",
    "crossings.csv": "from how many real images on the gain is gone",
    "uses.csv": "ways to use the same images, and which is chosen on validation images",
    "advice.csv": "what to do with as many real images",
    "preregistered.csv": "what was predicted, and what was measured",
    "amounts.json": "the same in sentences",
    "lengths.csv": "the length of each arm's training, chosen on validation images",
    "length_curve.csv": "accuracy on validation images at every length",
    "usefulness.csv": "every measure of each pool, beside what its images bring",
    "foretold.csv": "what each measure foretells of generators that are left out",
    "break_even.csv": "from which label agreement on images help",
    "distances.csv": "distances of every pool to real images",
    CLAIMS: "the claims of the three earlier studies, and what these runs say of them",
    "runs.csv": "every run",
    "predictions.npz": "the class that every run predicts for every image",
    "verdict.csv": "every pool and metric: difference, interval, word",
    "leaderboard.csv": "pools of all verdicts, by protocol and real images, with their ranks",
}


def render_index(paths: StudyPaths) -> Path:
    """Write reports/<study>/index.html from what the notebooks left behind.

    Returns:
        Its path.
    """
    # What was executed, and what each execution recorded of itself.
    study = paths.root.name
    listed = executions(paths)
    records = {execution.name: step_record(paths, execution.name) for execution in listed}

    # The answer, also as data beside the page for the index over all studies.
    answer = answer_of(paths, listed, records)
    data = _data_of(study, answer.records)
    name_ready_made(ready_made_words(listed))
    keep_headline(paths)
    short_answer = answer.sentences[0].short if answer.sentences else ""
    write_summary(paths.reports, answer=short_answer, data=data)
    return write_page(
        paths.reports / "index.html",
        "index.html.j2",
        study=study,
        title=next((e.question for e in listed if e.stage in STANDALONE), QUESTION),
        description=short_answer or "No answer yet.",
        answer=answer,
        banner=BANNERS.get(data),
        size=size_of(study),
        classifier=keep_classifier(paths),
        tables=keep_tables(paths),
        failed=[failure(execution) for execution in listed if execution.status == "failed"],
        facts=machine(answer.records),
        differing=differing(listed, answer.records),
        stages=stages(listed, records),
        about=summary(study),
        overview=OVERVIEWS[is_published(study, data)],
        contents=CONTENTS if answer.sentences else [],
    )


def render_top(reports: Path) -> Path:
    """Write the pages over all studies: reports/index.html of those that are published, local.html
    of all others, and the glossary.

    Git keeps the first, so that trying the project out leaves it as it is.

    Args:
        reports: folder that holds one folder a study.

    Returns:
        Path of reports/index.html.
    """
    # What somebody runs for himself stands apart from what is published.
    render_glossary(reports)
    studies = listed_studies(reports)
    local = [study for study in studies if not study["is_published"]]
    if local:
        others = {"page": OVERVIEWS[True], "text": "Published studies"}
        _overview(reports / OVERVIEWS[False], local, others=others)
    published = [study for study in studies if study["is_published"]]
    answer = read_json(reports / ANSWER) if (reports / ANSWER).exists() else {}
    names = [study["name"] for study in published]
    keep_leading(reports, names)
    claims = published_claims(reports, names)
    earlier = [study | {"claims": claims.get(study["name"], [])} for study in earlier_studies()]
    return _overview(
        reports / OVERVIEWS[True],
        published,
        answer=answer,
        gain=leading_words(reports),
        uses=answers_on_uses(reports, names),
        figures=headline_figures(reports),
        ranking=read_figure(reports, LEADERBOARD),
        earlier=earlier,
    )


def _overview(page: Path, studies: list[dict], **values) -> Path:
    """Write a page over several studies.

    Args:
        page: the file.
        studies: name, answer, data, about and size of each.
        values: answer, gain, figures, ranking, earlier and others, where it has them.
    """
    # The contents list the parts that there are.
    empty = {
        "answer": {},
        "gain": {},
        "uses": [],
        "figures": [],
        "ranking": {},
        "earlier": [],
        "others": {},
    }
    values = empty | values
    board = values["answer"].get("leaderboard") or values["ranking"]
    parts = {"answer": values["figures"], "leaderboard": board}
    parts |= {"studies": studies, "earlier": values["earlier"]}
    shown = [name for name, part in parts.items() if part]
    return write_page(
        page,
        "top.html.j2",
        title="Synthetic faces: the studies",
        description="All studies",
        place="Synthetic faces",
        glossary=GLOSSARY,
        contents=[{"anchor": name, "text": PARTS[name], "level": 2} for name in shown],
        studies=studies,
        **values,
    )


def keep_classifier(paths: StudyPaths) -> dict:
    """Put the study's exported classifier beside its pages, in floats or, where those are too large
    to travel, in 8 bit.

    Returns:
        file, kilobytes, accuracy, card ("" for none); {} where there is none of at most
        LARGEST_CLASSIFIER bytes.
    """
    # Notebook 70 measured the accuracy of each network that it exported.
    table = paths.tables / "application_networks.csv"
    with parsing(table):
        accuracy = {row["network"]: float(row["accuracy"]) for row in read_rows(table)}
    for network, name in NETWORKS:
        source = paths.application / name
        if network not in accuracy or not source.exists():
            continue

        # Reports lie in a repository.
        size = source.stat().st_size
        if size <= LARGEST_CLASSIFIER:
            copy_whole(source, paths.reports / name)
            card = _keep_card(paths)
            facts = {"file": name, "kilobytes": size / 1000, "accuracy": accuracy[network]}
            return facts | {"card": card}
    return {}


def _keep_card(paths: StudyPaths) -> str:
    """Put the classifier's card beside it and name its file, "" where there is none."""
    source = paths.application / CARD
    if source.exists():
        copy_whole(source, paths.reports / "classifier.md")
        return "classifier.md"
    return ""


def keep_tables(paths: StudyPaths) -> list[dict]:
    """Put the study's figures beside its pages as tables.

    runs/ is not published, and the answer over all studies is made from these. A table whose run is
    gone stays.

    Returns:
        file and what it holds, of each that is there and not empty.
    """
    kept = []  # what the page links to
    for name, holds in TABLES.items():
        source, target = paths.tables / name, paths.reports / name
        if source.exists():
            copy_whole(source, target)
        if target.exists() and _holds_something(target):
            kept.append({"file": name, "holds": holds})
    return kept


def _holds_something(file: Path) -> bool:
    """Tell whether a table has a row: one about what the study does not ask has its head alone, or
    claims that do not apply.
    """
    if file.suffix == ".csv":
        return any(row.get("verdict") != NOT_APPLICABLE for row in read_rows(file))
    return file.suffix != ".json" or any(read_json(file).values())


def failure(execution: Execution) -> dict:
    """Describe how an execution failed: name, page, kind of error ("" where it is a sentence for
    users), message.
    """
    # A kernel that died leaves no error in the notebook.
    unknown = {"ename": "failed", "evalue": "no error was recorded"}
    error = first_error(read_cells(execution.ipynb)) or unknown
    message = short_paths(" ".join(error["evalue"].split()))[:LONGEST_MESSAGE]
    kind = "" if error["ename"] in FOR_USERS else error["ename"]  # a sentence says it all
    return {"name": execution.name, "page": execution.page, "kind": kind, "message": message}


def machine(records: dict[str, dict]) -> dict:
    """Gather commit, machine and times over all executions that finished, {} where none did.

    Args:
        records: of the executions, by name.
    """
    finished = [record for record in records.values() if record.get("facts")]
    if not finished:
        return {}

    # In order of time, so that the last one speaks for the versions.
    facts = sorted((record["facts"] for record in finished), key=lambda facts: facts["date"])
    return {
        "commits": list(dict.fromkeys(fact["commit"] for fact in facts)),
        "dirty": any(fact["dirty"] for fact in facts),
        "machines": sorted({_machine_text(fact) for fact in facts}),
        "finished": max(map(ended, finished), key=datetime.datetime.fromisoformat),
        "seconds": sum(record["seconds"] for record in finished),
        "python": sorted({fact["python"] for fact in facts}),
        "versions": facts[-1]["versions"],
    }


def differing(listed: list[Execution], records: dict[str, dict]) -> list[dict]:
    """List parameters that the notebooks ran with and that differ from params/base.yaml.

    Those of one pool stand on its pages.

    Returns:
        name, value and base of each, by name.
    """
    base, rows = read_yaml(PARAMS / "base.yaml"), {}  # rows by name: each once
    for execution in listed:
        if execution.pool:
            continue
        for key, value in records[execution.name].get("parameters", {}).items():
            if key not in NOT_SHOWN and base.get(key) != value:
                rows[key] = {
                    "name": key,
                    "value": value_text(value),
                    "base": value_text(base.get(key)),
                }
    return [rows[key] for key in sorted(rows)]


def stages(listed: list[Execution], records: dict[str, dict]) -> list[dict]:
    """Group the executions by notebook, with status and time of each.

    Returns:
        number, title, short (in a word), question and pages (name, page, status, seconds) of each
        stage.
    """
    grouped = {}
    for execution in listed:
        if execution.stage not in grouped:
            grouped[execution.stage] = {
                "number": execution.stage,
                "title": execution.title or execution.stage_name,
                "short": execution.stage_name,
                "question": execution.question,
                "pages": [],
            }
        # A stage has one page, or one a pool; the record of an earlier run is none of this one.
        seconds = records[execution.name].get("seconds")
        page = {
            "name": execution.pool,
            "page": execution.page,
            "status": execution.status,
            "seconds": None if execution.status == "not run" else seconds,
        }
        grouped[execution.stage]["pages"].append(page)
    return list(grouped.values())


def _data_of(study: str, records: dict[str, dict]) -> str:
    """Tell what data of the project's own a study is on: as a notebook that read it recorded, or by
    the study's file before one has run; "" for the user's.
    """
    data = load_params(study)["data"] if study in studies_of_params() else ""
    reading = [records[name] for name in DATA_NOTEBOOKS if records.get(name)]
    if reading:
        data = reading[0]["parameters"].get("data", "")
    return data if data in EMBEDDED_DATA else ""


def _machine_text(facts: dict) -> str:
    cores = f"{facts['cores']} core{'' if facts['cores'] == 1 else 's'}"
    gpu = "no GPU" if facts["device"] == "cpu" else facts["device"]
    return f"{facts['cpu']}, {cores}, {gpu}"
