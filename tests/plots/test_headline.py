"""The answer over all studies: rows and sentences come from results alone."""

import pandas as pd
import pytest

from lib.plots.headline import answer_figure, answer_rows, answer_sentences, main, write_answer
from lib.study.errors import StudyError
from lib.study.paths import ROOT


def effect(reference, arm, difference, verdict="undecided"):
    return {"reference": reference, "arm": arm, "role": "base", "metric": "accuracy", "difference": difference, "low": difference - 0.01,
            "high": difference + 0.01, "n_images": 7066, "n_seeds": 5, "verdict": verdict}  # fmt: skip


TABLES = {
    "schuermann-cpu": pd.DataFrame([
        effect("base", "supplement-0.0712-folder", 0.02), effect("base", "supplement-0.1502-folder", 0.002), effect("base",
        "shuffled-0.1502-folder", -0.03),
        effect("duplicate-0.1502", "supplement-0.1502-folder", 0.004), effect("base", "supplement-0.1502-folder-only_face", 0.05),
    ]),
    "full-cpu": pd.DataFrame([
        effect("base", "supplement-0.1178-diffusion", 0.012, "helps"), effect("base", "synthetic-1x-diffusion", -0.2, "hurts"),
        effect("scarce-0.05", "scarce-0.05-diffusion", 0.06, "helps"), effect("base", "scarce-0.05-diffusion", -0.1, "hurts"),
        effect("scarce-0.25", "scarce-0.25-diffusion", 0.07), effect("base", "synthetic-1x-diffusion-shuffled", -0.4, "hurts"),
    ]),
}  # fmt: skip


def test_each_question_takes_the_arm_with_most_synthetic_faces_of_each_pool():
    rows = answer_rows(TABLES)
    assert list(zip(rows["question"], rows["reference"], rows["arm"])) == [
        ("added", "base", "supplement-0.1178-diffusion"), ("added", "base", "supplement-0.1502-folder"),
        ("alone", "base", "synthetic-1x-diffusion"), ("scarce", "scarce-0.05", "scarce-0.05-diffusion"),
    ]  # fmt: skip


def test_added_faces_are_told_against_as_many_steps_on_real_faces_too_and_counted_once():
    found = [effect("base", "supplement-0.5-a", -0.02, "hurts"), effect("fewer-0.5", "supplement-0.5-a", 0.0)]
    rows = answer_rows({"full-cpu": pd.DataFrame([*found, effect("base", "fewer-0.5", -0.02, "hurts")])})
    assert list(zip(rows["question"], rows["reference"])) == [("added", "base"), ("beside", "fewer-0.5")]
    first, _, beside = answer_sentences(rows)
    assert "1 of 1 hurts" in first and "for the steps that they have beside the others" in beside


def test_the_full_size_of_a_study_takes_the_place_of_its_reduced_one():
    full = pd.DataFrame([effect("base", "supplement-0.1502-folder", 0.003, "equivalent")])
    rows = answer_rows(TABLES | {"schuermann": full})
    assert rows[rows["pool"] == "folder"]["study"].tolist() == ["schuermann"]


def test_sentences_hold_effect_interval_n_and_all_verdicts():
    _, added, alone, scarce = answer_sentences(answer_rows(TABLES))
    parts = [
        "+1.2 points",
        "+0.2 to +2.2",
        "with diffusion",
        "5 seeds, 7,066 test images",
        "1 helps with 12 % of the training images; 1 is undecided with 15 %",
    ]
    assert [part for part in parts if part not in added] == [], added
    assert "\u221220.0 points" in alone and "5 % of the real faces kept" in scarce and "the same few real faces" in scarce


def test_the_figure_is_drawn_and_nothing_is_said_without_results(tmp_path):
    path = answer_figure(answer_rows(TABLES), tmp_path / "answer.svg", margin=0.005)
    assert "<svg" in path.read_text() and path.stat().st_size < 200_000
    assert path.read_bytes() == answer_figure(answer_rows(TABLES), tmp_path / "again.svg", margin=0.005).read_bytes()
    assert answer_sentences(answer_rows({})) == []
    with pytest.raises(StudyError, match="no study on real faces has results yet"):
        main(str(tmp_path))


def test_the_answer_stands_on_the_readme_once_however_often_it_is_written(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Title\n\n<!-- answer: by a command -->\n<!-- /answer -->\n\nThe rest.\n")
    old, new = answer_rows({"comp7055-cpu": TABLES["full-cpu"]}), answer_rows({"schuermann-cpu": TABLES["schuermann-cpu"]})
    for rows in (old, new):
        write_answer(readme, rows)
    text = readme.read_text()
    assert (
        text.count("S1's Stable Diffusion") == 1 and "comp7055" not in text and text.startswith("# Title") and text.endswith("The rest.\n")
    )
    assert "The figure shows" not in text  # it shows all
    assert "(reports/answer.svg)" in text and "(reports/schuermann-cpu/index.html)" in text
    readme.write_text("# Title\n")
    with pytest.raises(StudyError, match="README.md: no '<!-- answer"):
        write_answer(readme, new)


def test_published_tables_are_enough_for_the_answer(tmp_path, capsys):
    (folder := tmp_path / "reports" / "full-cpu").mkdir(parents=True)
    TABLES["full-cpu"].assign(**{"class": None}).to_csv(folder / "effects.csv", index=False)
    assert main(str(tmp_path)) == 0 and "with diffusion" in capsys.readouterr().out
    assert (tmp_path / "reports" / "answer.svg").exists()


def test_the_readme_has_a_place_for_the_answer():
    assert "<!-- answer: written by python -m lib.plots.headline -->" in (ROOT / "README.md").read_text()
