"""The answer of a study in sentences, each question that its arms ask: added, in place of, instead of, scarce, balanced, curated."""

import re

import pandas as pd

from lib.metrics.evidence import of_first_classifier
from lib.metrics.findings import answer, effect_text

# what is asked, the arms that answer it, what they are read against; {} are the groups of the pattern
QUESTIONS = (
    (
        "Synthetic faces added, against real ones alone for the steps that those have beside them (a synthetic share of {0})",
        r"supplement-([\d.]+)-((?!.*-only_).+)",
        "fewer-{0}",
    ),
    ("Synthetic faces instead of real ones ({0} times as many)", r"synthetic-([\d.]+)x-(.+)(?<!-shuffled)", "base"),
    ("Synthetic faces in place of real ones (a real share of {0})", r"replace-([\d.]+)-(.+)", "base"),
    (
        "Synthetic faces in place of real ones, against the real ones left alone (a real share of {0})",
        r"replace-([\d.]+)-(.+)",
        "subset-{0}",
    ),
    ("Synthetic faces where a share of {0} of the real ones is left, against those alone", r"scarce-([\d.]+)-(.+)", "scarce-{0}"),
    ("Synthetic faces that make all classes equally large", r"(balance)-(.+)(?<!-shuffled)", "base"),
    (
        "One step of curation before adding, against the same pool unfiltered (a synthetic share of {0})",
        r"supplement-([\d.]+)-(.+-only_(?!none$).+)",
        None,
    ),
)
# a verdict as a verb: of one, of several
VERDICTS = {"helps": ("helps", "help"), "equivalent": ("is equivalent", "are equivalent"), "undecided": ("is undecided", "are undecided"),
            "hurts": ("hurts", "hurt")}  # fmt: skip


def answers(verdicts: pd.DataFrame, effects: pd.DataFrame, *, drawn: bool) -> list[str]:
    """Say what a study found, printed from its tables: first what adding does, then every other question that it asks.

    Args:
        verdicts: of `findings.pool_verdicts`.
        effects: of `contrasts.effects`; the study's first classifier answers.
        drawn: the faces are drawings.
    """
    effects = of_first_classifier(effects)
    told = other_answers(effects)
    return [tally_of_all(effects), *told] if told and not len(verdicts) else answer(verdicts, drawn=drawn) + told


def other_answers(effects: pd.DataFrame) -> list[str]:
    """Answer each question besides the plain supplement in one sentence a share: the best arm with its effect, and how many do likewise."""
    sentences = []
    for asked, pattern, reference in QUESTIONS:
        fits = effects["arm"].map(lambda arm, pattern=pattern: re.fullmatch(pattern, arm))
        own = effects[fits.notna()].assign(share=[m[1] for m in fits.dropna()], what=[m[2] for m in fits.dropna()])
        wanted = own["role"] == "control" if reference is None else own["reference"] == [reference.format(share) for share in own["share"]]
        own = own[wanted]
        for share, part in own.groupby("share", sort=True):
            best = part.loc[part["difference"].idxmax()].to_dict()
            first = f"{'at best ' * (len(part) > 1)}{best['what']} {VERDICTS[best['verdict']][0]}, {effect_text(best)}"
            sentences.append(f"{asked.format(share)}: {'; '.join([first, *[tally(part['verdict'])] * (len(part) > 1)])}.")
    return sentences


def tally_of_all(effects: pd.DataFrame) -> str:
    """Say first how every arm with synthetic faces does against the real faces alone, where none is a plain supplement."""
    found = pd.concat([effects[effects["arm"].map(lambda arm, p=p: bool(re.fullmatch(p, arm))) & effects["reference"].eq("base")]
                       for _, p, reference in QUESTIONS if reference == "base"]).drop_duplicates("arm")  # fmt: skip
    return f"Against all real faces alone, of the arms with synthetic faces {tally(found['verdict'])}."


def tally(verdicts: pd.Series) -> str:
    """Count verdicts in words: `all 3 hurt`, `both hurt`, or `1 of 3 helps, 2 are undecided`."""
    counts = verdicts.value_counts()
    if len(counts) == 1 and len(verdicts) > 1:
        return f"{'both' if len(verdicts) == 2 else f'all {len(verdicts)}'} {VERDICTS[counts.index[0]][1]}"
    words = [f"{counts[word]} {VERDICTS[word][int(counts[word] > 1)]}" for word in VERDICTS if word in counts]
    return ", ".join([words[0].replace(" ", f" of {len(verdicts)} ", 1), *words[1:]])
