"""Every table about accuracy of a study, from the predictions that are published with its pages.

    python -m lib.metrics.published reports/amounts-cpu

makes the tables anew, without an image and without training, and says whether they are those that
stand there, byte for byte; one that differs or is missing is written. With --check nothing is
written, and a difference is an error.
"""

import argparse
import io
import sys
from pathlib import Path

import pandas as pd

from lib.metrics.amount_headline import HEADLINE, headline_bytes, headline_of
from lib.metrics.amount_predictions import decided_predictions
from lib.metrics.amount_sentences import SENTENCES, amount_sentences, sentences_bytes
from lib.metrics.amount_views import advice_table
from lib.metrics.amount_words import edge_sentences
from lib.metrics.amounts import amounts_of
from lib.metrics.contrasts import effects, levels, over_generations
from lib.metrics.crossing import crossing_table
from lib.metrics.gains import gain_table
from lib.metrics.lengths import length_choice, length_curve
from lib.metrics.memorised import not_leaked
from lib.metrics.predictions import Predictions, read_predictions
from lib.metrics.recovered import recovered_table
from lib.metrics.uses import chosen_arms, gains_by_use, use_sentences
from lib.report.names import name_ready_made
from lib.study.answer import Sentence
from lib.study.errors import StudyError
from lib.study.records import atomic_write

AMOUNTS_PAGE = "55_amounts.html"
DIFFERS, MISTAKE = 1, 2  # exit statuses


def amount_tables(predictions: Predictions) -> dict[str, pd.DataFrame]:
    """Make the tables of notebook 55.

    Returns:
        lengths, length_curve, gains, recovered, crossings, advice, preregistered; uses, where the
        same images are used in several ways.
    """
    # What the study calls its images stands in the words of these tables.
    name_ready_made(predictions.facts.get("synthetic_name", ""))

    # Gains first: what is shown of them decides which crossings are stated.
    amounts = amounts_of(predictions)
    gains = gain_table(amounts, predictions)
    recovered = recovered_table(amounts, predictions)
    crossings = crossing_table(amounts, predictions, gains)

    # Predictions are about some data alone.
    why_not = predictions.facts.get("why_not", "")
    uses = gains_by_use(gains, predictions.runs)
    tables = {
        "lengths": length_choice(predictions.runs),
        "length_curve": length_curve(predictions.runs),
        "gains": gains,
        "recovered": recovered,
        "crossings": crossings,
        "advice": advice_table(gains, chosen_arms(uses)),
        "preregistered": decided_predictions(gains, recovered, crossings, why_not=why_not),
    }
    return tables | ({"uses": uses} if len(uses) else {})


def said_of(tables: dict[str, pd.DataFrame], facts: dict) -> list[Sentence]:
    """Print the sentences of notebook 55 from its tables.

    Args:
        tables: of `amount_tables`.
        facts: of the predictions: draws, whether each seed drew its own images.
    """
    name_ready_made(facts.get("synthetic_name", ""))
    found, unit = (tables["gains"], tables["recovered"], tables["crossings"]), _unit(facts)
    sentences = amount_sentences(*found, unit=unit)
    if not sentences:
        return []

    # A study of several ways to use the images answers that first; last, at which lengths more or
    # fewer steps might say something else.
    uses = use_sentences(tables["uses"], unit=unit) if "uses" in tables else []
    edges = map(Sentence, edge_sentences(tables["lengths"]))
    return [*uses, *sentences, *edges]


def headline(tables: dict[str, pd.DataFrame], facts: dict) -> dict:
    """Gather what the overview and the README say of a study, as `amount_headline.headline_of`.

    Args:
        tables: of `amount_tables`.
        facts: as in `said_of`.
    """
    # In the words of the study.
    name_ready_made(facts.get("synthetic_name", ""))
    return headline_of(tables, facts, _unit(facts))


def score_tables(predictions: Predictions) -> dict[str, pd.DataFrame]:
    """Make the tables of notebook 50 that are published.

    Returns:
        levels, effects.
    """
    # As in notebook 50: the runs of the chosen lengths, test images without a copy in training.
    kept = not_leaked(predictions.images["test"])
    arms = {key: one.images(kept) for key, one in predictions.arms().items()}
    scored = predictions.labels[kept], predictions.clusters[kept]
    differences = effects(
        over_generations(arms),
        *scored,
        margin=predictions.facts["margin"],
        planned_seeds=predictions.facts["seeds"],
    )
    return {"levels": levels(arms, *scored), "effects": differences}


def rebuilt_tables(folder: Path) -> dict[str, bytes]:
    """Make all tables of a report anew, from the predictions in its folder.

    Returns:
        The bytes of each file, by its name.
    """
    # Nothing but the two published files is read.
    predictions = read_predictions(folder)
    files = {f"{name}.csv": _csv_bytes(table) for name, table in score_tables(predictions).items()}
    if not (Path(folder) / AMOUNTS_PAGE).exists():
        return files

    # Those of notebook 55, where the report has its page.
    amounts = amount_tables(predictions)
    files |= {f"{name}.csv": _csv_bytes(table) for name, table in amounts.items()}
    files[SENTENCES] = sentences_bytes(said_of(amounts, predictions.facts))

    # What the README prints, where the study asks for numbers of images.
    found = headline(amounts, predictions.facts)
    return files | ({HEADLINE: headline_bytes(found)} if found else {})


def differing_tables(folder: Path, tables: dict[str, bytes]) -> list[str]:
    """Name the files of a report that are missing or not what was made anew.

    Args:
        tables: of `rebuilt_tables`.
    """
    # Compared byte for byte.
    folder = Path(folder)
    present = {name: folder / name for name in tables if (folder / name).exists()}
    same = {name for name, file in present.items() if file.read_bytes() == tables[name]}
    return [name for name in tables if name not in same]


def main(words: list[str] | None = None) -> int:
    """Rebuild the tables of the reports that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="makes a report's tables anew from its published predictions"
    )
    parser.add_argument("reports", type=Path, nargs="+", metavar="FOLDER", help="reports/<study>")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    options = parser.parse_args(words)

    # A mistake of the user's is a sentence, a difference an exit status.
    try:
        differing = [_rebuild(folder, write=not options.check) for folder in options.reports]
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return MISTAKE
    return DIFFERS if options.check and any(differing) else 0


def _rebuild(folder: Path, *, write: bool) -> list[str]:
    """Make the tables of one report anew, and say of each whether it is the same.

    Args:
        write: write those that differ.

    Returns:
        The names of those that differed.
    """
    # All of them are named, so that a reader sees what was compared.
    tables = rebuilt_tables(folder)
    differing = differing_tables(folder, tables)
    for name, data in tables.items():
        said = "same bytes"
        if name in differing:
            said = "written" if write else "differs"
        # The file is whole or as it was.
        if name in differing and write:
            with atomic_write(folder / name) as file:
                file.write(data)
        print(f"{folder / name}: {said}")
    return differing


def _unit(facts: dict) -> str:
    """Name the repetitions: draws change subset, seed and generator, seeds the training alone."""
    return "draws" if facts.get("draws") else "seeds"


def _csv_bytes(table: pd.DataFrame) -> bytes:
    """Write a table as `pages.write_table` does."""
    # Lines end alike on every system.
    text = io.StringIO(newline="")
    table.to_csv(text, index=False)
    return text.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main())
