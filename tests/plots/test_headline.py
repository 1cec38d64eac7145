"""The answer over all studies: rows and sentences come from results alone."""

import html
import json
from dataclasses import asdict, replace

import pandas as pd
import pytest

from lib.faces.arms import Arm, arm_table
from lib.metrics.contrasts import BASE
from lib.plots.boards import ranked_gains, write_leaderboard
from lib.plots.colours import CLASS_COLOURS, POOL_COLOURS, REAL_ARM_COLOURS
from lib.plots.headline import (
    draw_headline,
    headline_rows,
    headline_sentences,
    leaderboard,
    main,
    write_readme,
)
from lib.plots.vector import DARK, GROUND, contrast, dark_beside, on_dark
from lib.study.errors import StudyError
from lib.study.paths import ROOT


def effect(reference: Arm, arm: Arm, difference: float, verdict: str = "undecided") -> dict:
    """A row of a published table of effects."""
    names = {"reference": reference.name, "arm": arm.name, "classifier": "small"}
    against = {"reference_kind": reference.kind, "reference_control_of": reference.control_of}
    numbers = {"low": difference - 0.01, "high": difference + 0.01, "difference": difference}
    counts = {"n_images": 7066, "n_seeds": 5, "generations": 1}
    counts |= {"steps": 560, "reference_steps": 560}
    measured = {"metric": "accuracy", "class": "", "verdict": verdict}
    return {**names, **asdict(arm), **against, **numbers, **counts, **measured}


SMALL, LARGE = (Arm("supplement", "folder", share) for share in (0.0712, 0.15025))
DIFFUSION = Arm("supplement", "diffusion", 0.1178)
ALONE = Arm("synthetic", "diffusion", 1.0)
FEW, SOME = (Arm("scarce", "diffusion", share) for share in (0.05, 0.25))
FEW_ALONE, SOME_ALONE = (Arm("subset", share=share, control_of="scarce") for share in (0.05, 0.25))
SCHUERMANN = [
    effect(BASE, SMALL, 0.02),
    effect(BASE, LARGE, 0.002),
    effect(BASE, replace(LARGE, kind="shuffled", control_of="supplement"), -0.03),
    effect(Arm("duplicate", share=0.15025, control_of="supplement"), LARGE, 0.004),
    effect(BASE, replace(LARGE, kind="filtered", only="face"), 0.05),
]
FULL = [
    effect(BASE, DIFFUSION, 0.012, "helps"),
    effect(BASE, ALONE, -0.2, "hurts"),
    effect(FEW_ALONE, FEW, 0.06, "helps"),
    effect(BASE, FEW, -0.1, "hurts"),
    effect(SOME_ALONE, SOME, 0.07),
    effect(BASE, replace(ALONE, kind="shuffled", control_of="synthetic"), -0.4, "hurts"),
]
TABLES = {"amounts-cpu": pd.DataFrame(SCHUERMANN), "internship-cpu": pd.DataFrame(FULL)}
LINE = "<!-- answer: written by python -m lib.plots.headline -->"


def test_each_question_takes_one_amount_of_each_pool():
    rows = headline_rows(TABLES)
    assert list(zip(rows["question"], rows["reference"], rows["arm"])) == [
        ("added", "base", DIFFUSION.name),
        ("added", "base", LARGE.name),
        ("alone", "base", ALONE.name),
        ("scarce", FEW_ALONE.name, FEW.name),
    ]


def test_added_faces_are_compared_at_equal_steps_too_and_counted_once():
    supplement = Arm("supplement", "a", 0.5)
    fewer = Arm("fewer_steps", share=0.5, control_of="supplement")
    table = pd.DataFrame(
        [
            effect(BASE, supplement, -0.02, "hurts"),
            effect(fewer, supplement, 0.0),
            effect(BASE, fewer, -0.02, "hurts"),
        ]
    )
    rows = headline_rows({"internship-cpu": table})
    assert rows["reference"].tolist() == ["base", fewer.name]
    first, _, at_equal_steps = headline_sentences(rows)
    assert "1 of 1 hurts" in first
    assert "the same real images, trained for as many steps" in at_equal_steps


def test_half_of_the_real_faces_are_replaced_or_left_out():
    half, most = (Arm("replace", "a", share) for share in (0.5, 0.1))
    kept = Arm("subset", share=0.5, control_of="replace")
    table = pd.DataFrame(
        [effect(BASE, half, -0.05), effect(kept, half, 0.01), effect(BASE, most, -0.2)]
    )
    rows = headline_rows({"comp7055-cpu": table})
    assert rows["reference"].tolist() == ["base", kept.name]
    first, in_place, beside_kept = headline_sentences(rows)
    assert "1 of 1 is undecided" in first
    assert "50% of the training images" in in_place
    assert "beside the real faces that were kept" in beside_kept


def test_the_full_size_of_a_study_takes_the_place_of_its_reduced_one():
    full = pd.DataFrame([effect(BASE, LARGE, 0.003, "equivalent")])
    rows = headline_rows(TABLES | {"amounts": full})
    assert rows[rows["pool"] == "folder"]["study"].tolist() == ["amounts"]


def test_a_question_is_answered_by_the_first_classifier():
    other = pd.DataFrame(FULL).assign(classifier="large", difference=0.9)
    both = pd.concat([TABLES["internship-cpu"], other])
    assert headline_rows({"internship-cpu": both})["classifier"].unique().tolist() == ["small"]


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return headline_sentences(headline_rows(TABLES))


@pytest.mark.parametrize(
    "part",
    [
        "+1.2 points",
        "+0.2 to +2.2",
        "with diffusion",
        "5 seeds, 7,066 test images",
        "1 helps with 12% of the training images; 1 is undecided with 15%",
    ],
)
def test_sentences_hold_effect_interval_n_and_all_verdicts(sentences, part):
    assert part in sentences[1]


@pytest.mark.parametrize(("base_steps", "named"), [(560, True), (500, False)])
def test_equal_steps_are_named_where_arms_have_them(base_steps, named):
    tables = {study: table.assign(reference_steps=base_steps) for study, table in TABLES.items()}
    first = headline_sentences(headline_rows(tables))[0]
    assert ("at equal steps" in first) == named


def test_every_question_has_its_own_sentence(sentences):
    _, _, alone, scarce = sentences
    assert "\u221220.0 points" in alone
    assert "5% of the real faces kept" in scarce
    assert "the same few real faces alone" in scarce


def test_the_same_rows_draw_the_same_bytes(tmp_path):
    rows = headline_rows(TABLES)
    first = draw_headline(rows, tmp_path / "answer.svg", margin=0.005)
    second = draw_headline(rows, tmp_path / "second.svg", margin=0.005)
    assert "<svg" in first.read_text()
    assert first.stat().st_size < 200_000
    assert first.read_bytes() == second.read_bytes()


def test_a_dark_page_has_a_figure_of_its_own(tmp_path):
    light = draw_headline(headline_rows(TABLES), tmp_path / "answer.svg", margin=0.005)
    dark = dark_beside(light).read_text()
    assert all(hue in dark for hue in DARK.values())
    assert not any(hue in dark for hue in DARK)


def test_every_hue_is_seen_on_a_dark_page_and_stays_if_it_was():
    hues = [*POOL_COLOURS.values(), *REAL_ARM_COLOURS.values(), *CLASS_COLOURS.values()]
    for hue in hues:
        shown = on_dark(hue)
        assert contrast(shown, GROUND) >= 3
        assert (shown == hue) == (contrast(hue, GROUND) >= 3) or hue in DARK
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_the_leaderboard_ranks_the_pools_that_were_added_with_the_interval_that_decides():
    wide = SCHUERMANN[1] | {"low_decided": -0.02, "high_decided": 0.03}
    tables = TABLES | {"amounts-cpu": pd.DataFrame([wide])}
    first, second = leaderboard(headline_rows(tables, {"amounts-cpu": "S1's faces"}))
    assert (first["name"], first["effect"], first["verdict"]) == (
        "diffusion",
        "+1.2 (+0.2 to +2.2)",
        "helps",
    )
    assert (second["name"], second["effect"]) == ("S1's faces", "+0.2 (\u22122.0 to +3.0)")


def number_effects(pools: list[str], real: int, added: int = 90) -> pd.DataFrame:
    """Effects of as many images of each pool beside some real ones, the later pool the better."""
    arms = [Arm("supplement", pool, real=real, added=added) for pool in pools]
    rows = arm_table(arms).to_dict("records")
    about = {"role": "base", "classifier": "small", "verdict": "helps", "n_seeds": 5}
    about |= {"n_images": 3179, "reference_kind": "subset"}
    for place, row in enumerate(rows):
        value = 0.01 * place
        row |= about | {"difference": value, "low": value - 0.02, "high": value + 0.02}
        row |= {"low_decided": value - 0.03, "high_decided": value + 0.03}
    return pd.DataFrame(rows)


def test_pools_beside_as_many_real_images_are_ranked_and_bounds_marked(tmp_path):
    pools = ["folder", "dcgan", "acgan", "cgan", "diffusion"]
    tables = {
        "quality-cpu": pd.concat([number_effects(pools, 2871), number_effects(pools, 718)]),
        "amounts-cpu": number_effects(pools[:4], 287),  # too few to rank
    }
    ranked = ranked_gains(
        tables, {"quality-cpu": "S1's faces"}, {"quality-cpu": {"diffusion": "all images"}}
    )
    assert ranked["name"].tolist()[::4][:1] == ["diffusion *"]
    assert ranked["name"].tolist()[4::5] == ["S1's faces"] * 2
    assert ranked["real"].tolist() == [718] * 5 + [2871] * 5

    # Files of the overview: figure for light and dark, words with both rankings.
    write_leaderboard(tmp_path, ranked, margin=0.005)
    words = json.loads((tmp_path / "leaderboard.json").read_text())
    assert [len(board["rows"]) for board in words["boards"]] == [5, 5]
    assert "an upper bound" in words["caption"] and "diffusion *" in words["alt"]
    assert words["boards"][1]["rows"][0]["effect"] == "+4.0 (+1.0 to +7.0)"
    assert (tmp_path / "leaderboard.svg").exists() and (tmp_path / "leaderboard-dark.svg").exists()


def test_nothing_is_said_without_results(tmp_path):
    assert headline_sentences(headline_rows({})) == []
    with pytest.raises(StudyError, match="--help/reports: no such folder"):
        main(str(tmp_path / "--help"))
    (tmp_path / "reports").mkdir()
    with pytest.raises(StudyError, match="no study on real faces has results yet"):
        main(str(tmp_path))


def test_the_answer_stands_on_the_readme_once_however_often_it_is_written(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{LINE}\n<!-- /answer -->\n\nThe rest.\n")
    old = headline_rows({"comp7055-cpu": TABLES["internship-cpu"]})
    names = {"amounts-cpu": "Schürmann's faces"}
    new = headline_rows({"amounts-cpu": TABLES["amounts-cpu"]}, names)
    for rows in (old, new):
        write_readme(readme, rows)
    text = readme.read_text()
    # Once in the figure's alternative text, once in a sentence.
    assert html.unescape(text).count("Schürmann's faces") == 2
    assert "comp7055" not in text
    assert text.startswith(f"# Title\n\n{LINE}\n")
    assert text.endswith("The rest.\n")
    assert 'src="reports/answer.svg"' in text
    assert 'media="(prefers-color-scheme: dark)" srcset="reports/answer-dark.svg"' in text
    assert "(reports/amounts-cpu/index.html)" in text
    # The figure shows all rows, and the note says nothing of others.
    assert "The figure shows" not in text


def test_a_readme_without_a_place_for_the_answer_is_refused(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Title\n")
    with pytest.raises(StudyError, match="README.md: no '<!-- answer"):
        write_readme(readme, headline_rows(TABLES))


def test_published_tables_are_enough_for_the_answer(tmp_path, capsys):
    folder = tmp_path / "reports" / "internship-cpu"
    folder.mkdir(parents=True)
    TABLES["internship-cpu"].to_csv(folder / "effects.csv", index=False)
    assert main(str(tmp_path)) == 0
    assert "with diffusion" in capsys.readouterr().out
    assert (tmp_path / "reports" / "answer.svg").exists()
    overview = (tmp_path / "reports" / "index.html").read_text()
    assert "with diffusion" in overview and "data:image/svg+xml;base64," in overview


def test_a_table_of_before_arms_were_columns_is_refused(tmp_path):
    folder = tmp_path / "reports" / "internship-cpu"
    folder.mkdir(parents=True)
    old = TABLES["internship-cpu"].drop(columns="reference_kind")
    old.to_csv(folder / "effects.csv", index=False)
    with pytest.raises(StudyError, match="effects.csv: column 'reference_kind' is missing"):
        main(str(tmp_path))


def test_the_readme_has_a_place_for_the_answer():
    assert LINE in (ROOT / "README.md").read_text()
