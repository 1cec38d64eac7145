"""The answer of a study in sentences, printed from its tables alone."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import pandas as pd

from lib.faces.arms import arm_of
from lib.metrics.amount_sentences import BOUND
from lib.metrics.amount_words import KNOWLEDGE
from lib.metrics.evidence import of_first_classifier
from lib.metrics.questions import BY_KEY, QUESTIONS, Question
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.metrics.usefulness import setting_text
from lib.metrics.wording import (
    VERBS,
    counts_text,
    interval_text,
    points,
    power_text,
    seeds_text,
    tally,
)
from lib.report.names import arm_text, pool_text
from lib.study.answer import Sentence

# What the images of an embedded source of data are.
EMBEDDED_FACES = {
    "drawn": "drawn faces (drawings, not photographs)",
    "digits": "handwritten digits (no faces)",
}
# A verdict in what it means for accuracy, in the sentence about a pool.
MEANINGS = {
    HELPS: "accuracy rises",
    HURTS: "accuracy falls",
    EQUIVALENT: "no difference that matters",
    UNDECIDED: "undecided",
}
# The answer in a word, by the verdicts that occur: the first line that fits.
WORDS = (
    ({HELPS}, "It helps", HELPS),
    ({HURTS}, "It hurts", HURTS),
    ({EQUIVALENT}, "No difference", EQUIVALENT),
    ({UNDECIDED}, "Undecided", UNDECIDED),
)
MIXED, NO_GAIN = "It depends", "No gain"
# Whether a pool that helps does more than its controls; keys as in `findings.pool_verdicts`.
BEYOND_CONTROLS = {
    "yes": " It beats every control of its size.",
    "no": " It does not beat every control of its size.",
    "no control was run": " No control of its size was run.",
}


def study_answer(
    verdicts: pd.DataFrame,
    effects: pd.DataFrame,
    *,
    data: str,
    amounts: Sequence[Sentence] = (),
    knowledge: Mapping[str, str] = MappingProxyType({}),
) -> list[Sentence]:
    """Answer a study's questions: first what adding synthetic faces does, then all others.

    Args:
        verdicts: of `findings.pool_verdicts`.
        effects: of `contrasts.effects`; the study's first classifier answers.
        data: the study's parameter: a path, or the name of an embedded source.
        amounts: of `amount_sentences.amount_sentences`: they come first.
        knowledge: what each pool's generator knew, by pool (`evidence.knowledge_of_pools`).
    """
    # Questions beside what adding does.
    effects = of_first_classifier(effects)
    others = [Sentence(text) for text in question_sentences(effects)]

    # From how many real images on is the leading question, where it was asked.
    if amounts:
        added = supplement_sentences(verdicts, data=data) if len(verdicts) else []
        return [*amounts, *added, *others]

    # Pools beside some of the real images alone.
    if not len(verdicts) and (beside := number_sentences(effects, knowledge)):
        return [*beside, *others]

    # A study without supplements has another question; without any there is nothing to answer.
    if others and not len(verdicts):
        return [_in_short(overall_sentence(effects), _against_base(effects)), *others]
    return [*supplement_sentences(verdicts, data=data), *others]


def supplement_sentences(verdicts: pd.DataFrame, *, data: str) -> list[Sentence]:
    """Write whether synthetic faces help when added to all real images: overall, then by pool.

    Args:
        verdicts: of `findings.pool_verdicts`.
        data: the study's parameter: a path, or the name of an embedded source.
    """
    about = EMBEDDED_FACES.get(data, "real faces")
    if not len(verdicts):
        nothing = f"No supplement was trained on {about}"
        return [Sentence(f"{nothing}: this study does not say whether synthetic faces help.")]

    # In short, with the best pool as the one number.
    helping = verdicts[verdicts["verdict"] == HELPS]
    names = ", ".join(pool_text(row["pool"]) for row in helping.to_dict("records"))
    kinds = f"{len(helping)} of {len(verdicts)} kinds of generated images help"
    short = f"On {about}, {kinds} when added to all real images{f': {names}' if names else ''}."
    sentences = [_in_short(short, verdicts)]

    # Pool by pool, in the order of the study.
    for row in verdicts.to_dict("records"):
        beyond = BEYOND_CONTROLS[row["beyond_controls"]] if row["verdict"] == HELPS else ""
        text = f"{arm_text(arm_of(row))}: {row['effect']}: {MEANINGS[row['verdict']]}.{beyond}"
        sentences.append(Sentence(text, row["pool"], row["verdict"]))
    return sentences


def number_sentences(effects: pd.DataFrame, knowledge: Mapping[str, str]) -> list[Sentence]:
    """Write what pools do beside some of the real images, one sentence a number of these.

    Args:
        effects: of `contrasts.effects`.
        knowledge: as in `study_answer`.
    """
    # Against the same real images alone; shuffled labels are a control.
    plain = (effects["kind"] == "supplement") & (effects["role"] == "base")
    rows = effects[plain & (effects["real"] > 0)].sort_values("real", kind="stable")
    sentences = []
    for _, own in rows.groupby(["real", "added"], sort=False):
        amount = setting_text(arm_of(own.iloc[0].to_dict()))
        seeds = seeds_text(own["n_seeds"])
        text = f"{amount}: {tally(own['verdict'])} ({len(own)} pools, {seeds})."
        sentences.append(Sentence(text))

    # The first one is the answer in short.
    if sentences:
        bounds = {pool for pool, known in knowledge.items() if known == BOUND}
        sentences[0] = _in_short(sentences[0].text, rows, bounds)
    return sentences


def _in_short(text: str, verdicts: pd.DataFrame, bounds: Collection[str] = ()) -> Sentence:
    """Make the first sentence: the answer in a word, and the number of the best pool.

    Args:
        text: the sentence.
        verdicts: of `findings.pool_verdicts`, or rows of `contrasts.effects`.
        bounds: pools that no one has who has so few real images, for their generators knew more.
    """
    if not len(verdicts):
        return Sentence(text)
    # One verdict for all, or none that helps, or some of each.
    found = set(verdicts["verdict"])
    word, verdict = (MIXED, "") if HELPS in found else (NO_GAIN, "")
    for kinds, name, meaning in WORDS:
        if found == kinds:
            word, verdict = name, meaning

    best = verdicts.loc[verdicts["difference"].idxmax()].to_dict()
    several = " (the best)" if len(verdicts) > 1 else ""
    about = f"of accuracy with {arm_text(arm_of(best))}{several}, {interval_text(best)}"
    about += f"; {KNOWLEDGE[BOUND]}" if best["pool"] in bounds else ""
    number = f"{points(best['difference'])} points"
    return Sentence(text, "", verdict, word, number, about)


def question_sentences(effects: pd.DataFrame) -> list[str]:
    """Answer each question in one sentence an amount of synthetic faces.

    Pools added to all real images, against these, are left to `supplement_sentences`.
    """
    sentences = []
    for question in QUESTIONS:
        if question is BY_KEY["added"]:
            continue
        # Of each amount the best pool, and the verdicts of all.
        for _, rows in question.rows(effects).groupby("share", sort=True):
            sentences.append(question_sentence(question, rows, with_power=True))
    return sentences


def question_sentence(question: Question, rows: pd.DataFrame, *, with_power: bool) -> str:
    """Answer a question: the best arm's effect with its interval and n, and all verdicts.

    Args:
        question: that is answered.
        rows: its comparisons, of one amount or several.
        with_power: whether an undecided effect says what would decide it.
    """
    # What was asked, and the best that was found.
    best = rows.loc[rows["difference"].idxmax()].to_dict()
    asked = f"{question.sentence} ({question.amount(best['share'])})"
    lead = "at best " if len(rows) > 1 else ""
    effect = f"{points(best['difference'])} points of accuracy ({interval_text(best)})"
    text = f"{asked}: {lead}{effect} against {question.against}"

    # Which images did it, on how many seeds and test images.
    text += f", with {_images(best)} ({counts_text(best)})"

    # What would decide it, then how many do likewise.
    if with_power and power_text(best):
        text += f"; {power_text(best)}"
    if len(rows) == 1:
        return f"{text}: {best['verdict']}."
    return f"{text}; {_verdict_counts(question, rows)}."


def overall_sentence(effects: pd.DataFrame) -> str:
    """Count how the arms with synthetic faces do against the real faces alone, each arm once."""
    counts = tally(_against_base(effects)["verdict"])
    return f"Against all real faces alone, of the training sets with synthetic faces {counts}."


def _against_base(effects: pd.DataFrame) -> pd.DataFrame:
    """Take the comparisons of arms with synthetic faces and base, each arm once."""
    # An arm that answers two questions counts once.
    against_base = [question for question in QUESTIONS if question.reference_kind == "base"]
    rows = pd.concat([question.rows(effects) for question in against_base])
    return rows.drop_duplicates("arm")


def _images(row: dict) -> str:
    """Name the synthetic images of an arm: their pool, and the curation step that chose them."""
    # A filtered pool is named with its filter; a headline's rows bring the name of their study's.
    pool = row.get("name") or pool_text(row["pool"])
    return f"{pool} filtered by {row['only']}" if row["only"] else pool


def _verdict_counts(question: Question, rows: pd.DataFrame) -> str:
    """Count the verdicts of one question, by amount where the arms differ in it."""
    # Verdicts by amount, in order of appearance.
    by_amount = list(rows.groupby(rows["share"].map(question.amount), sort=False)["verdict"])
    if len(by_amount) == 1:
        return tally(rows["verdict"])

    parts = []
    for amount, verdicts in by_amount:
        # Of a single arm "1 of 1" would say no more than "1".
        count = f"1 {VERBS[verdicts.iloc[0]][0]}" if len(verdicts) == 1 else tally(verdicts)
        parts.append(f"{count} with {amount}")
    return "; ".join(parts)
