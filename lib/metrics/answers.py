"""The answer of a study in sentences, each question that its arms ask: added, in place of, instead of, scarce, balanced, curated."""

import re

import pandas as pd

from lib.metrics.findings import answer, effect_text

# what is asked, the arms that answer it, what they are read against; {} are the groups of the pattern
QUESTIONS = (
    ("Synthetic faces instead of real ones ({0} times as many)", r"synthetic-([\d.]+)x-(.+)(?<!-shuffled)", "base"),
    ("Synthetic faces in place of real ones (a real share of {0})", r"replace-([\d.]+)-(.+)", "base"),
    (
        "Synthetic faces in place of real ones, against the real ones left alone (a real share of {0})",
        r"replace-([\d.]+)-(.+)",
        "subset-{0}",
    ),
    ("Synthetic faces where a share of {0} of the real ones is left", r"scarce-([\d.]+)-(.+)", "scarce-{0}"),
    ("Synthetic faces that make all classes equally large", r"(balance)-(.+)(?<!-shuffled)", "base"),
    ("One step of curation before adding (a synthetic share of {0})", r"supplement-([\d.]+)-(.+-only_(?!none$).+)", None),
)


def answers(verdicts: pd.DataFrame, effects: pd.DataFrame, *, drawn: bool) -> list[str]:
    """Say what a study found, printed from its tables: first what adding does, then every other question that it asks.

    Args:
        verdicts: of `findings.pool_verdicts`.
        effects: of `contrasts.effects`.
        drawn: the faces are drawings.
    """
    told = other_answers(effects)
    return told if told and not len(verdicts) else answer(verdicts, drawn=drawn) + told


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
            counts = part["verdict"].value_counts()
            words = ", ".join(f"{counts[word]} {word}" for word in ("helps", "equivalent", "undecided", "hurts") if word in counts)
            sentences.append(
                f"{asked.format(share)}: at best {best['what']} {best['verdict']}, {effect_text(best)}; of {len(part)} {words}."
            )
    return sentences
