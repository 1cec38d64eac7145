"""What params/claims.yaml and params/reported.yaml may say, and whom it is about.

Both files speak of the three studies' arms by their fields (kind, pool, share, ...). A name that
nothing in params/ makes would match no arm and be noticed by nobody, so every field is checked
against params/ when a file is loaded.

The three studies trained on photographs of FER2013's seven emotions. What they claimed and reported
says nothing about drawn faces or other classes.
"""

from functools import cache

from lib.faces.arm_plan import plan_arms
from lib.faces.arms import ARM_FIELDS, KINDS, REAL_KINDS, Arm
from lib.faces.classes import EMOTIONS
from lib.report.executions import embedded_data
from lib.study.errors import StudyError
from lib.study.parameter_rules import EMBEDDED_DATA, nearest
from lib.study.params import known_pools, load_params, studies
from lib.study.paths import StudyPaths

ANY_SHARE = 0.0  # kinds without a share, such as base, have this one


def why_not_applicable(classes: tuple[str, ...], data: str) -> str:
    """Write why a study's data say nothing about the three studies; "" where they do.

    Args:
        classes: class list of the study's faces.
        data: the study's parameter: a path, or the name of an embedded source ("drawn").
    """
    # Drawings, or digits.
    if data in EMBEDDED_DATA:
        return f"does not apply: the three studies are about photographs, these data are {data}"
    # Photographs of other emotions, or of fewer.
    if tuple(classes) != EMOTIONS:
        seven = f"the three studies tell {', '.join(EMOTIONS)} apart"
        return f"does not apply: {seven}, these data {', '.join(classes)}"
    return ""


def why_not_of_study(paths: StudyPaths, classes: tuple[str, ...]) -> str:
    """Write why a study says nothing about the three studies, by the data that notebook 10 read.

    Args:
        classes: class list of the study's faces.
    """
    return why_not_applicable(classes, embedded_data(paths))


def check_word(word: str, valid, where: str, key: str) -> None:
    """Refuse a word that is not among the valid ones.

    Args:
        word: as written.
        valid: all that it may be.
        where: file and entry, for the message.
        key: the key that the word stands under.

    Raises:
        StudyError: naming file, entry, key, the word and the nearest valid one.
    """
    # A misspelt word would match nothing, silently.
    if word not in valid:
        choices = ", ".join(str(choice) for choice in valid)
        raise StudyError(
            f"{where}: {key} is {word!r}{nearest(word, map(str, valid))}; there are {choices}"
        )


def check_pools(pools: list[str], where: str, key: str = "pools") -> None:
    """Refuse a pool that no file in params/pools makes.

    Raises:
        StudyError: as `check_word`.
    """
    # Pools are named after their files.
    for pool in pools:
        check_word(pool, known_pools(), where, key)


def check_arm(fields: dict, pools: list[str], where: str, key: str) -> None:
    """Refuse the fields of an arm that no study can have.

    Args:
        fields: some of ARM_FIELDS with their values, kind among them.
        pools: those that stand in for a missing field `pool`.
        where: file and entry, for the message.
        key: the key that the fields stand under.

    Raises:
        StudyError: as `check_word`; an arm with synthetic images and no pool.
    """
    # Names of fields, and the kind, which the others hang on.
    for name in fields:
        check_word(name, ARM_FIELDS, where, key)
    check_word(fields.get("kind", ""), KINDS, where, f"{key}.kind")
    kind = fields["kind"]

    # Real images alone come from no pool; all others need one.
    if "pool" in fields:
        check_pools([fields["pool"]], where, f"{key}.pool")
    elif kind not in REAL_KINDS and not pools:
        raise StudyError(f"{where}: {key} is a {kind} of no pool; name it, or list pools")

    # An amount that no study trains can never be answered.
    shares = planned_shares().get(kind, (ANY_SHARE,))
    check_word(float(fields.get("share", ANY_SHARE)), shares, where, f"{key}.share")


def arm_of_pool(fields: dict, pool: str) -> Arm:
    """Make the arm of some fields, with the pool where they name none and need one."""
    # Real images alone, or a pool of the arm's own.
    if fields["kind"] in REAL_KINDS or "pool" in fields:
        return Arm(**fields)
    return Arm(**fields, pool=pool)


@cache
def planned_shares() -> dict[str, tuple[float, ...]]:
    """List the shares of each kind of arm that the studies in params/ plan, ascending."""
    shares = {}
    for study in studies():
        # All arms that follow from the amounts, whichever of them the study picks.
        params = load_params(study) | {"only_arms": []}
        for arm in plan_arms(params):
            shares.setdefault(arm.kind, set()).add(float(arm.share))
    return {kind: tuple(sorted(values)) for kind, values in shares.items()}
