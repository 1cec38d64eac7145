"""Every look at the test images is listed, counted on the page and counted in the error."""

import pytest
import yaml

from lib.metrics.looks import load_looks, looks_beside, looks_sentences
from lib.metrics.preregistration import CLAIMS
from lib.study.errors import StudyError

LOOK = {"date": "2026-11-26", "study": "amounts-cpu", "real": [287], "runs": 95, "own": True}
LOOK |= {"what": "a trial"}


def test_the_interim_look_at_privatetest_is_listed():
    looks = load_looks("amounts-cpu")
    (interim,) = [look for look in looks if look["own"]]
    assert (interim["date"], interim["runs"], interim["real"]) == ("2026-11-26", 95, [287])
    assert load_looks("quick") == []


def test_on_other_data_nothing_was_looked_at():
    assert load_looks("amounts-cpu", why_not="drawings") == []


def test_looks_at_own_runs_count_beside_the_numbers_that_were_looked_at():
    other = LOOK | {"own": False}
    assert looks_beside([LOOK, other], 287) == 1
    assert looks_beside([LOOK, other], 718) == 0


def test_the_page_counts_how_often_it_was_looked():
    assert looks_sentences([])[0].startswith("The test images were looked at once with these runs")
    counted, earlier, other = looks_sentences([LOOK, LOOK | {"own": False, "runs": 180}])
    assert counted.startswith("The test images were looked at twice with these runs")
    assert "2026-11-26: 95 runs beside 287 real images, a trial" in earlier
    assert "180" in other


def test_a_look_that_lacks_a_key_is_refused(tmp_path):
    file = yaml.safe_load(CLAIMS.read_text())
    lacking = {key: value for key, value in LOOK.items() if key != "own"}
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(file | {"looks": [lacking]}))
    with pytest.raises(StudyError, match="look 1: key 'own' is missing"):
        load_looks("amounts-cpu", path=tmp_path / "claims.yaml")
