"""What claims.yaml and reported.yaml name must be something that params/ makes, and they apply to
photographs of the seven emotions alone.
"""

import pytest

from lib.faces.arms import Arm
from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.metrics.three_studies import (
    arm_of_pool,
    check_arm,
    check_pools,
    planned_shares,
    why_not_applicable,
)
from lib.study.errors import StudyError

SUPPLEMENT = {"kind": "supplement", "share": 0.0712}


@pytest.mark.parametrize(
    ("classes", "data", "reason"),
    [
        (EMOTIONS, "fer2013.csv", ""),
        (EMOTIONS, "drawn", "these data are drawn"),
        (EIGHT_EMOTIONS, "fer2013.csv", "contempt"),
        (("cat", "dog"), "pets/", "these data cat, dog"),
    ],
)
def test_the_three_studies_are_about_photographs_of_seven_emotions(classes, data, reason):
    found = why_not_applicable(classes, data)
    assert reason in found
    assert bool(found) == bool(reason)


def test_a_pool_that_nothing_makes_is_an_error_with_the_nearest_one():
    check_pools(["folder", "stable"], "claims.yaml: claim S1a")
    with pytest.raises(StudyError, match="claim S1a: pools is 'stabel', did you mean 'stable'"):
        check_pools(["folder", "stabel"], "claims.yaml: claim S1a")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "suplement"}, "arm.kind is 'suplement', did you mean 'supplement'"),
        ({"shares": 0.5}, "arm is 'shares', did you mean 'share'"),
        (SUPPLEMENT | {"share": 0.1502}, "arm.share is 0.1502, did you mean '0.15025'"),
        (SUPPLEMENT | {"pool": "stylegan65"}, "arm.pool is 'stylegan65', did you mean"),
    ],
)
def test_fields_that_no_arm_has_are_errors_with_the_nearest_ones(fields, message):
    with pytest.raises(StudyError, match=message):
        check_arm({"kind": "supplement"} | fields, ["dcgan"], "here", "arm")


def test_an_arm_of_synthetic_images_needs_a_pool():
    check_arm(SUPPLEMENT, ["dcgan"], "here", "arm")
    check_arm(SUPPLEMENT | {"pool": "dcgan"}, [], "here", "arm")
    check_arm({"kind": "base"}, [], "here", "arm")
    with pytest.raises(StudyError, match="a supplement of no pool"):
        check_arm(SUPPLEMENT, [], "here", "arm")


def test_the_pool_fills_the_arms_that_name_none():
    assert arm_of_pool(SUPPLEMENT, "dcgan") == Arm("supplement", "dcgan", 0.0712)
    assert arm_of_pool({"kind": "base"}, "dcgan") == Arm("base")
    named = {"kind": "synthetic", "pool": "stylegan64", "share": 1.0}
    assert arm_of_pool(named, "") == Arm("synthetic", "stylegan64", 1.0)


def test_shares_are_those_that_the_studies_plan():
    shares = planned_shares()
    assert {0.0712, 0.1178, 0.15025, 0.5} <= set(shares["supplement"])
    assert {1.0, 2.0} <= set(shares["synthetic"])
    assert shares["base"] == (0.0,)
