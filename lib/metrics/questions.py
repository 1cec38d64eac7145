"""The questions that a study's arms answer: one table for the pages, the headline figure and the
README.

A question names the kind of arm that answers it and the kind of reference that the arm is compared
with; its rows are found in a table of effects by these columns.

What synthetic faces cost or bring is read twice where they take the place of something: compared
with all real images, and with the real images that stand beside them, alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd


def _percent_synthetic(share: float) -> str:
    return f"{100 * share:.0f}% of the training images"


def _percent_replaced(real_share: float) -> str:
    return _percent_synthetic(1 - real_share)


def _percent_kept(real_share: float) -> str:
    return f"{100 * real_share:.0f}% of the real faces kept"


def _multiple(multiple: float) -> str:
    if multiple == 1:
        return "as many as real ones"
    return f"{multiple:g} times as many as real ones"


def _rare_classes(_share: float) -> str:
    return "rare classes filled up"


@dataclass(frozen=True)
class Question:
    """One question about synthetic faces."""

    key: str  # short name, unique
    sentence: str  # how a sentence on a page begins
    label: str  # the same in a few words, for the figure
    against: str  # what the reference is
    kind: str  # of the arms that answer it
    reference_kind: str  # of the arms that they are compared with
    amount: Callable[[float], str]  # writes an arm's share as the amount of synthetic faces
    # Which of a pool's amounts the headline shows: "largest", "smallest", or one share; None for a
    # question that only the study's own page answers.
    headline: str | float | None
    # Whether the headline's first sentence counts its verdicts: an arm counts once.
    counted: bool = True

    def rows(self, effects: pd.DataFrame) -> pd.DataFrame:
        """Find the comparisons that answer the question.

        Args:
            effects: of `contrasts.effects`.
        """
        # Controls answer no question themselves; numbers of images have a page of their own.
        arm = (effects["kind"] == self.kind) & (effects["control_of"] == "")
        arm &= effects["added"] == 0
        return effects[arm & (effects["reference_kind"] == self.reference_kind)]

    def at_headline(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Keep of each pool the amount that the headline shows.

        Args:
            rows: of `rows`, of one study.
        """
        # A question of the study's own page.
        if self.headline is None:
            return rows[:0]
        # Pools differ in the amounts that were trained.
        if self.headline == "largest":
            return rows[rows["share"] == rows.groupby("pool")["share"].transform("max")]
        if self.headline == "smallest":
            return rows[rows["share"] == rows.groupby("pool")["share"].transform("min")]
        # One amount for all pools.
        return rows[rows["share"] == self.headline]


QUESTIONS = (
    # Beside all real images.
    Question(
        key="added",
        sentence="Synthetic faces added to all real faces",
        label="added to all real faces",
        against="real faces alone",
        kind="supplement",
        reference_kind="base",
        amount=_percent_synthetic,
        headline="largest",
    ),
    Question(
        key="added_at_equal_real_steps",
        sentence="Synthetic faces added, at equal steps on real faces",
        label="added, at equal steps on real faces",
        against="the same real images, trained for as many steps, without synthetic ones",
        kind="supplement",
        reference_kind="fewer_steps",
        amount=_percent_synthetic,
        headline="largest",
        counted=False,
    ),
    # In place of real images, at a constant total.
    Question(
        key="in_place",
        sentence="Synthetic faces in place of real faces",
        label="in place of half of the real faces",
        against="all real faces alone",
        kind="replace",
        reference_kind="base",
        amount=_percent_replaced,
        headline=0.5,
    ),
    Question(
        key="beside_kept",
        sentence="Synthetic faces beside the real faces that were kept",
        label="beside the half of the real faces that was kept",
        against="these real faces alone",
        kind="replace",
        reference_kind="subset",
        amount=_percent_replaced,
        headline=0.5,
        counted=False,
    ),
    # Without real images.
    Question(
        key="alone",
        sentence="Synthetic faces instead of real faces",
        label="instead of real faces",
        against="real faces alone",
        kind="synthetic",
        reference_kind="base",
        amount=_multiple,
        headline=1.0,
    ),
    # Beside a small part of the real images.
    Question(
        key="scarce",
        sentence="Synthetic faces where few real faces are left",
        label="where few real faces are left",
        against="the same few real faces alone",
        kind="scarce",
        reference_kind="subset",
        amount=_percent_kept,
        headline="smallest",
    ),
    # Beside the rare classes.
    Question(
        key="balance",
        sentence="Synthetic faces to make all classes equally large",
        label="to make all classes equally large",
        against="real faces alone",
        kind="balance",
        reference_kind="base",
        amount=_rare_classes,
        headline="largest",
    ),
    # Chosen by one step of curation.
    Question(
        key="filtered",
        sentence="One step of curation before adding synthetic faces",
        label="filtered by one step of curation",
        against="the same pool, unfiltered",
        kind="filtered",
        reference_kind="filtered",
        amount=_percent_synthetic,
        headline=None,
    ),
)
BY_KEY = {question.key: question for question in QUESTIONS}
