"""Claims are decided as their making demands, and the file that states them covers the three studies."""

import numpy as np
import pandas as pd
import pytest

from lib.metrics.arms import ArmPredictions
from lib.metrics.claims import Evidence, _p_values, claims_hash, decide_claims, load_claims
from lib.metrics.contrasts import effects, result_rows, scorings
from lib.metrics.findings import answer, load_reported, pool_verdicts, reported_beside_ours, truth_table
from lib.metrics.statistics import effect_of, verdict
from lib.study.errors import StudyError

N = 1500


def arm_of(accuracy: float, seed: int) -> ArmPredictions:
    """Five runs that are right on a known share of images; labels are angry, fear, ... in turn."""
    labels = np.arange(N) % 7
    rng = np.random.default_rng(seed)
    right = np.random.default_rng(0).random(N) + 0.005 * rng.normal(size=(5, N)) < accuracy  # the same images are easy for every arm
    said = np.where(right, labels, (labels + 1) % 7)
    return ArmPredictions((0, 1, 2, 3, 4), (0.1 + np.eye(7, dtype=np.float32)[said]) / 1.7)


def pools_table() -> pd.DataFrame:
    rows = [
        ("folder", "vendi", 5.0, 0.3, 300, 9.0, 0.3),
        ("dcgan", "coverage", 0.93, 0.01, 300, 0.95, 0.01),
        ("dcgan", "recall", 0.2, 0.02, 300, 0.8, 0.02),
    ]
    return pd.DataFrame(rows, columns=["pool", "metric", "value", "se", "n", "baseline", "baseline_se"]).assign(
        space=["pixels", "classifier", "classifier"]
    )


def study(accuracies: dict[str, float]) -> Evidence:
    arms = {(name, "small"): arm_of(value, i) for i, (name, value) in enumerate(accuracies.items())}
    return Evidence(arms, np.arange(N) % 7, np.arange(N), pools_table())


def verdict_of(table: pd.DataFrame, name: str) -> str:
    return table.set_index("id").loc[name, "verdict"]


def test_claims_are_decided():
    equal = {f"supplement-{share}-folder": 0.6 for share in ("0.0712", "0.1178", "0.1502")}
    table = decide_claims(
        load_claims(), study({"base": 0.6} | equal | {"synthetic-1x-dcgan": 0.2, "synthetic-2x-dcgan": 0.4, "supplement-0.5-dcgan": 0.7})
    )
    expected = {
        "S1a": "supported", "S1b": "not decidable from this study", "S1c": "undecided", "S1d": "supported", "S2a": "supported",
        "S2b": "not decidable from this study", "S2c": "contradicted", "S2d": "contradicted", "S2e": "supported", "S3a": "supported",
        "S3b": "supported",
    }  # fmt: skip
    assert {name: verdict_of(table, name) for name in expected} == expected
    assert "by hand" in table.set_index("id").loc["S1e", "said"]
    row = table.set_index("id").loc["S2a"]
    assert row["low"] < row["difference"] < row["high"] < -0.1 and row["n_images"] == N and row["n_seeds"] == 5


def test_one_arm_that_differs_contradicts_no_change():
    arms = {"base": 0.6, "supplement-0.0712-folder": 0.6, "supplement-0.1178-folder": 0.6, "supplement-0.1502-folder": 0.5}
    assert verdict_of(decide_claims(load_claims(), study(arms)), "S1a") == "contradicted"


def test_a_claim_of_no_change_and_the_verdict_on_its_arm_agree():
    claim, words = next(claim for claim in load_claims() if claim["id"] == "S1a"), {"equivalent": (True, False), "hurts": (False, True)}
    for difference, word in ((-0.001, "equivalent"), (-0.009, "hurts"), (-0.004, "hurts")):
        effect = effect_of(difference, 0.0012**2, 0.0, 0.0, 30, 5000, n_images=5000)
        supported, contradicted = (p < 0.05 for p in _p_values(claim, effect))
        assert verdict(effect, claim["margin"]) == word and (supported, contradicted and not supported) == words[word]


def test_fewer_than_five_seeds_decide_no_claim():
    seen = study({"base": 0.6, "synthetic-1x-dcgan": 0.2})
    few = {key: ArmPredictions(found.seeds[:4], found.probabilities[:4]) for key, found in seen.arms.items()}
    assert verdict_of(decide_claims(load_claims(), seen), "S2a") == "supported"
    assert verdict_of(decide_claims(load_claims(), Evidence(few, seen.labels, seen.clusters, seen.pools)), "S2a") == "undecided"


def test_single_trainings_of_two_generators_decide_nothing_about_generators():
    seen = study({"base": 0.6, "synthetic-1x-stylegan32": 0.3, "synthetic-1x-stylegan64": 0.5})
    table = decide_claims(load_claims(), seen).set_index("id")
    assert table.loc["S2b", "verdict"] == "undecided" and "trained once" in table.loc["S2b", "said"]
    rng = np.random.default_rng(1)
    again = {key: ArmPredictions(found.seeds, found.probabilities, tuple(found.probabilities[rng.permutation(5)] for _ in range(3)))
             for key, found in seen.arms.items() if "synthetic" in key[0]}  # fmt: skip
    several = Evidence(seen.arms | again, seen.labels, seen.clusters, seen.pools)
    assert verdict_of(decide_claims(load_claims(), several), "S2b") == "supported"


def test_a_missing_arm_leaves_a_claim_open():
    table = decide_claims(load_claims(), study({"base": 0.6, "supplement-0.0712-folder": 0.6}))
    assert verdict_of(table, "S1a") == "not decidable from this study"


def test_every_claim_of_the_studies_is_stated():
    claims = load_claims()
    assert [c["id"] for c in claims] == [f"S1{x}" for x in "abcde"] + [f"S2{x}" for x in "abcdef"] + ["S3a", "S3b"]
    assert claims_hash(claims) != claims_hash(claims[1:]) and len(claims_hash(claims)) == 12


def test_a_wrong_claim_is_refused(tmp_path):
    bad = tmp_path / "claims.yaml"
    bad.write_text("claims:\n  - {id: X1, study: S1}\n")
    with pytest.raises(StudyError, match="claim X1 lacks"):
        load_claims(bad)


def test_reported_numbers_are_those_of_the_studies():
    table = load_reported()
    s1 = table.query("study == 'S1' and metric == 'accuracy'")["value"]
    assert s1.tolist() == [0.5788, 0.5856, 0.5712, 0.5754] and s1.std() == pytest.approx(0.0061, abs=5e-5)
    assert len(table.query("report == 'proposal'")) == 30
    assert table.query("report == 'final report' and metric == 'f1_macro'")["value"].describe()[["count", "min", "max"]].tolist() == [
        21,
        0.1746,
        0.2533,
    ]


def supplements(faithful: float, narrow: float, mislabelled: float) -> dict:
    named = {"base": 0.6, "shuffled-0.5-drawn-faithful": 0.6, "duplicate-0.5": 0.6}
    named |= {f"supplement-0.5-drawn-{k}": v for k, v in {"faithful": faithful, "narrow": narrow, "mislabelled": mislabelled}.items()}
    return study(named).arms


def test_truth_table_says_whether_the_study_found_it():
    labels, clusters = np.arange(N) % 7, np.arange(N)
    found = truth_table(supplements(0.7, 0.62, 0.5), labels, clusters, margin=0.005)
    assert found["right"].tolist() == ["yes", "yes", "yes"]
    wrong = truth_table(supplements(0.5, 0.5, 0.6), labels, clusters, margin=0.005)
    assert wrong["right"].tolist() == ["no", "no", "no"]


def test_answer_is_printed_from_the_tables():
    labels, clusters = np.arange(N) % 7, np.arange(N)
    arms = supplements(0.7, 0.6, 0.5)
    verdicts = pool_verdicts(
        effects(arms, labels, clusters, margin=0.005), ["drawn-faithful", "drawn-narrow", "drawn-mislabelled", "dcgan"]
    )
    assert verdicts["verdict"].tolist() == ["helps", "equivalent", "hurts"]
    assert verdicts["beyond_controls"].tolist() == ["yes", "no", "no"]
    sentences = answer(verdicts, drawn=True)
    assert "1 of 3 synthetic pools help" in sentences[0] and "drawings" in sentences[0]
    assert "beats every control" in sentences[1] and "5 seeds, 1,500 images" in sentences[1] and "hurts" in sentences[3]
    assert "does not say" in answer(verdicts[:0], drawn=False)[0]


def test_reported_stands_beside_ours():
    arms = study({"base": 0.6, "supplement-0.0712-folder": 0.62}).arms
    rows = pd.DataFrame(
        result_rows(
            arms,
            scorings(
                pd.DataFrame(
                    {"class": ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"] * (N // 7) + ["angry", "disgust"]}
                )
            ),
            study="x",
        )
    )
    table = reported_beside_ours(load_reported(), rows).query("study == 'S1'").set_index(["arm", "metric"])
    assert table.loc[("+ 2,209", "accuracy"), "our_arm"] == "supplement-0.0712-folder"
    assert (
        table.loc[("+ 2,209", "accuracy"), "ours"] == pytest.approx(0.62, abs=0.03) and table.loc[("+ 2,209", "accuracy"), "n_seeds"] == 5
    )
    assert pd.isna(table.loc[("+ 5,096", "accuracy"), "ours"])


def test_a_study_that_can_decide_no_claim_still_lists_them_all():
    evidence = Evidence({("base", "small"): arm_of(0.6, 0)}, np.arange(N) % 7, np.arange(N), pools_table().iloc[:0])
    table = decide_claims([claim for claim in load_claims() if claim["id"] == "S1a"], evidence)
    assert list(table["verdict"]) == ["not decidable from this study"]
    assert {"difference", "low", "high", "n_images", "n_seeds", "smallest_visible"} <= set(table.columns)
