"""The length of an arm's training is chosen on val, and nothing else changes."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import ARM_FIELDS, Arm
from lib.metrics.amount_words import edge_sentences
from lib.metrics.contrasts import BASE
from lib.metrics.lengths import (
    best_lengths,
    choice_sentences,
    chosen_runs,
    length_choice,
    length_curve,
    with_training_accuracy,
)
from lib.study.errors import StudyError

SUBSET = Arm("subset", real=287)
# Accuracy on val by length, of each arm.
VAL = {BASE: {1.0: 0.5, 2.0: 0.6, 4.0: 0.7}, SUBSET: {1.0: 0.4, 2.0: 0.45, 4.0: 0.43}}


def made_runs(val: dict = VAL, seeds: tuple = (0, 1, 2), **columns) -> pd.DataFrame:
    """Runs whose accuracy on val is known, and on test 0.1 lower."""
    rows = []
    for seed in seeds:
        for arm, by_length in val.items():
            for length, accuracy in by_length.items():
                own = accuracy + 0.01 * seed
                row = {"arm": arm.name, **asdict(arm), "classifier": "small", "seed": seed}
                row |= {"length": length, "steps": int(100 * length), "failed": ""}
                row |= {"accuracy_train": own + 0.05 * length - 0.15}
                rows.append(row | {"accuracy_val": own, "accuracy_test": own - 0.1})
    return pd.DataFrame(rows).assign(**columns)


def test_each_arm_has_the_length_of_the_highest_mean_accuracy_on_val():
    best = best_lengths(made_runs())
    assert best == {(BASE.name, "small"): 4.0, (SUBSET.name, "small"): 2.0}
    runs = chosen_runs(made_runs())
    assert runs.groupby("arm")["length"].unique().map(list).to_dict() == {
        BASE.name: [4.0],
        SUBSET.name: [2.0],
    }
    assert sorted(runs["seed"]) == [0, 0, 1, 1, 2, 2]


def test_test_images_have_no_part_in_the_choice():
    misleading = made_runs()
    misleading["accuracy_test"] = -misleading["accuracy_val"]
    assert best_lengths(misleading) == best_lengths(made_runs())


def test_of_two_equally_good_lengths_the_shorter_one_is_taken():
    assert best_lengths(made_runs({BASE: {4.0: 0.5, 1.0: 0.4, 2.0: 0.5}})) == {
        (BASE.name, "small"): 2.0
    }


def test_networks_choose_for_themselves():
    short = made_runs({BASE: {1.0: 0.5, 2.0: 0.4}}, classifier="fast")
    runs = pd.concat([made_runs(), short], ignore_index=True)
    assert best_lengths(runs)[BASE.name, "fast"] == 1.0
    assert best_lengths(runs)[BASE.name, "small"] == 4.0


def test_lengths_are_compared_on_the_seeds_that_all_of_them_have():
    # The best draw alone was trained long: that says nothing about the length.
    runs = made_runs({BASE: {1.0: 0.5, 2.0: 0.49}}, seeds=(0, 1, 20))
    uneven = runs[(runs["length"] == 1) | (runs["seed"] == 20)]
    assert best_lengths(uneven)[BASE.name, "small"] == 1.0


def test_failed_runs_do_not_choose_and_stay_in_the_list():
    runs = made_runs()
    longest = (runs["arm"] == BASE.name) & (runs["length"] == 4)
    runs.loc[longest & (runs["seed"] == 0), ["failed", "accuracy_val"]] = ["diverged", np.nan]
    chosen = chosen_runs(runs)
    assert chosen.loc[chosen["arm"] == BASE.name, "length"].eq(4).all()
    assert (chosen["failed"] != "").sum() == 1
    # An arm of failed runs alone is listed, not dropped.
    runs.loc[runs["arm"] == BASE.name, "failed"] = "diverged"
    assert (chosen_runs(runs)["arm"] == BASE.name).sum() == 9


def test_with_one_length_nothing_changes():
    for runs in (
        made_runs({BASE: {1.0: 0.5}}),
        made_runs({BASE: {1.0: 0.5}}).drop(columns="length"),
    ):
        assert chosen_runs(runs) is runs
        assert length_choice(runs)[["length", "edge", "lengths"]].to_numpy().tolist() == [
            [1, "", 1]
        ]
        assert "nothing was chosen" in choice_sentences(length_choice(runs))[0]


def test_without_val_there_is_nothing_to_choose_by():
    runs = made_runs(accuracy_val=np.nan)
    with pytest.raises(StudyError, match="train_lengths: .*set val_share"):
        best_lengths(runs)
    assert best_lengths(runs[runs["length"] == 2]) == dict.fromkeys(best_lengths(made_runs()), 2.0)


def test_a_choice_at_the_end_of_the_grid_is_said_so():
    choice = length_choice(made_runs()).set_index("arm")
    assert choice["edge"].to_dict() == {BASE.name: "longest", SUBSET.name: ""}
    assert choice["steps"].to_dict() == {BASE.name: 400, SUBSET.name: 200}
    sentences = choice_sentences(choice.reset_index())
    assert "optimistic there, never on test" in sentences[0]
    assert sentences[1].startswith("At its length 1 of 2 arms fit their training batches")
    (longest,) = edge_sentences(choice.reset_index())
    assert longest.startswith("The longest training tried is best for 1 of 2 arms")
    assert longest.endswith("more steps might be better: all real images.")


def test_whether_the_training_images_are_learnt_better_than_val_is_said():
    choice = length_choice(made_runs()).set_index("arm")
    assert choice["fitted"].to_dict() == {BASE.name: True, SUBSET.name: False}
    assert choice.loc[BASE.name, "accuracy_test"] == pytest.approx(0.61)


def test_the_curve_has_every_length_and_no_test_accuracy():
    curve = length_curve(made_runs())
    assert curve["length"].tolist() == [1, 2, 4, 1, 2, 4]
    assert curve["chosen"].tolist() == [False, False, True, False, True, False]
    assert curve["accuracy_val"].tolist() == pytest.approx([0.51, 0.61, 0.71, 0.41, 0.46, 0.44])
    assert {*ARM_FIELDS} <= set(curve) and "accuracy_test" not in curve


def test_training_accuracy_comes_from_the_learning_curves(tmp_path):
    runs = made_runs({BASE: {1.0: 0.5}}, seeds=(0, 1)).drop(columns="accuracy_train")
    runs["folder"] = [tmp_path / "0", tmp_path / "1"]
    runs.loc[1, "failed"] = "diverged"
    (tmp_path / "0").mkdir()
    pd.DataFrame({"step": [1, 2, 3], "accuracy": [0.2, 0.8, 0.7]}).to_csv(
        tmp_path / "0" / "history.csv"
    )
    fitted = with_training_accuracy(runs)["accuracy_train"]
    assert fitted.iloc[0] == 0.8 and np.isnan(fitted.iloc[1])


def test_many_arms_at_the_edge_are_counted_and_few_are_named():
    rows = pd.DataFrame([asdict(Arm("subset", real=size)) for size in (10, 20, 30, 40)])
    (few,) = edge_sentences(rows.assign(edge=["longest", "", "", ""]))
    assert "best for 1 of 4 arms" in few and "10 real images alone" in few
    (many,) = edge_sentences(rows.assign(edge="shortest"))
    assert many.endswith("fewer steps might be better: the table of lengths marks them.")
