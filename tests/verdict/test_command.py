"""One command with one or several folders of generated images."""

import importlib.util
import json

import pytest

from lib.study.command import settings
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.paths import ROOT

SPEC = importlib.util.spec_from_file_location("run_all", ROOT / "run_all.py")
RUN_ALL = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(RUN_ALL)


def values(*words):
    """Resolve the parameters of a command line."""
    options = RUN_ALL.parse(list(words))
    return load_params(options.study, settings(options))


def test_the_first_pool_is_that_of_every_study_and_further_ones_are_beside_it(tmp_path):
    paths = [str(tmp_path / name) for name in ("one", "two", "with, comma")]
    given = [word for path in paths for word in ("--synthetic", path)]
    params = values("--study", "verdict", "--data", "drawn", *given)
    assert params["synthetic"] == paths[0] and params["more_synthetic"] == paths[1:]
    assert params["stages"] == [90] and params["pools"] == ["folder"]
    json.dumps(params)


def test_other_studies_take_one_pool():
    assert values("--synthetic", "here")["pools"][-1] == "folder"
    with pytest.raises(StudyError, match="study quick takes one folder .* --study verdict ranks"):
        values("--synthetic", "here", "--synthetic", "there")


def test_a_verdict_without_its_folders_says_what_to_give():
    from lib.study.plan import plan_tasks

    with pytest.raises(StudyError, match="study verdict needs real faces: give --data PATH"):
        plan_tasks("verdict")
    with pytest.raises(StudyError, match="give --synthetic PATH"):
        plan_tasks("verdict", ("data=drawn",))
