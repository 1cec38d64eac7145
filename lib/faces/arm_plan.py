"""Which arms a study has: from its flat parameters to a list of arms, each with its controls."""

from fnmatch import fnmatchcase
from itertools import product

from lib.faces.arms import OWN_PART_KINDS, REAL_SHARES, Arm, controls, filters_of, real_alone
from lib.study.errors import StudyError
from lib.study.generations import first_generation, generation_number


def plan_arms(params: dict) -> list[Arm]:
    """List the arms that the flat parameters ask for: base first, then each with its controls.

    Args:
        params: pools, arm_pools, controls, train_steps, supplement_shares and the other keys of
            base.yaml's section on arms, only_arms.

    Raises:
        StudyError: two shares so near that their arms would have one name; a pattern in
            `only_arms` that fits no arm.
    """
    pools = params["arm_pools"] or params["pools"]
    wanted = set(params["controls"])

    # With equal epochs base sees each real image as often as a supplement does.
    if not params["train_steps"]:
        wanted.discard("fewer_steps")

    # Base, then synthetic ones beside them, mixed or in another way.
    arms = [Arm("base")]
    arms += _supplements(params, pools, wanted)
    arms += _with_controls(_variants(params, pools), wanted & {"shuffled"})

    # Synthetic images in place of real ones, and alone.
    replaced = _of_pools("replace", params["replace_shares"], pools)
    arms += _with_controls(replaced, wanted & {"subset"})
    alone = _of_pools("synthetic", params["synthetic_multiples"], pools)
    arms += _with_controls(alone, wanted & {"shuffled"})

    # Little real data. All of it is base; without a pool the subsets are a learning curve.
    for share in params["scarce_shares"]:
        if share < 1:
            arms.append(Arm("subset", share=share, control_of="scarce"))
            arms += _of_pools("scarce", [share], pools)

    # Numbers of real images, alone and with numbers of others beside them.
    arms += _at_numbers(params, pools, wanted)

    # Rare classes filled up.
    if params["balance"]:
        balanced = [_arm("balance", pool) for pool in pools]
        arms += _with_controls(balanced, wanted & {"duplicate", "shuffled"})
    return asked_for(_each_once(arms), params["only_arms"], "only_arms")


def asked_for(arms: list[Arm], patterns: list[str], key: str) -> list[Arm]:
    """Keep the arms whose names fit a pattern such as synthetic-1x-*, and base.

    Args:
        patterns: none keeps all.
        key: the parameter that a message names.

    Raises:
        StudyError: a pattern that fits no arm.
    """
    if not patterns:
        return arms

    # Base always runs, for all others are read against it.
    chosen = {arm for arm in arms if arm.kind == "base"}
    for pattern in patterns:
        fitting = {arm for arm in arms if fnmatchcase(arm.name, pattern)}
        if not fitting:
            names = ", ".join(arm.name for arm in arms)
            raise StudyError(f"{key}: {pattern!r} fits none of the arms {names}")
        chosen |= fitting
    return [arm for arm in arms if arm in chosen]


def _arm(kind: str, pool: str, share: float = 0.0, **fields) -> Arm:
    """Make the arm of a pool that is named with its generation."""
    number = generation_number(pool)
    return Arm(kind, first_generation(pool), share, generation=number, **fields)


def _of_pools(kind: str, shares: list[float], pools: list[str]) -> list[Arm]:
    """List one kind of arm at every share, of every pool."""
    return [_arm(kind, pool, share) for share in shares for pool in pools]


def _supplements(params: dict, pools: list[str], wanted: set[str]) -> list[Arm]:
    """List the plain supplements with their controls, then the filtered ones.

    A share that a variant asks for has plain supplements too, for the variant is read against them.
    """
    # Every share that some kind of supplement asks for, each once.
    keys = [f"{kind}_shares" for kind in ("supplement", *OWN_PART_KINDS)]
    shares = dict.fromkeys(share for key in keys for share in params[key])
    arms = _with_controls(_of_pools("supplement", list(shares), pools), wanted)

    # The same with what one curation step alone keeps.
    steps = filters_of(params["filter_arms"])
    for share in params["supplement_shares"]:
        for pool in pools:
            arms += [_arm("filtered", pool, share, only=step) for step in steps]
    return arms


def _at_numbers(params: dict, pools: list[str], wanted: set[str]) -> list[Arm]:
    """List the arms that numbers of real and of added images define, with their controls."""
    # With draws a run takes the generation of its own draw, so arms are of the first one.
    if params["draws"]:
        pools = list(dict.fromkeys(first_generation(pool) for pool in pools))

    arms = []
    for real in params["real_counts"]:
        arms.append(real_alone(Arm("subset", real=real)))
        arms += [Arm("improved", real=real, only=way) for way in params["real_ways"]]
        for added in params["added_counts"]:
            for shares in params["added_class_shares"]:
                class_shares = REAL_SHARES if shares == "real" else ""
                numbers = {"real": real, "added": added, "class_shares": class_shares}
                arms += _with_controls(_uses_at_numbers(params, pools, numbers), wanted)
    return arms


def _uses_at_numbers(params: dict, pools: list[str], numbers: dict) -> list[Arm]:
    """List the arms that use one number of added images in every way that is asked for."""
    arms = []
    for use, pool in product(params["added_uses"], pools):
        kind = "supplement" if use == "mixed" else use
        weights = params["synthetic_weights"] if kind == "weighted" else [1.0]
        shares = params["label_shares"] if kind == "label_filtered" else [0.0]
        arms += [
            _arm(kind, pool, share, **numbers, weight=weight)
            for share, weight in product(shares, weights)
        ]
    return arms


def _variants(params: dict, pools: list[str]) -> list[Arm]:
    """List the supplements that are trained on in another way than mixed."""
    # One kind of image after the other.
    arms = _of_pools("staged", params["staged_shares"], pools)
    arms += _of_pools("reversed", params["reversed_shares"], pools)

    # Another weight in the loss.
    for share in params["weighted_shares"]:
        for weight in params["synthetic_weights"]:
            arms += [_arm("weighted", pool, share, weight=weight) for pool in pools]

    # Batch statistics of their own.
    return arms + _of_pools("auxiliary_norm", params["auxiliary_norm_shares"], pools)


def _with_controls(arms: list[Arm], wanted: set[str]) -> list[Arm]:
    """Add each arm's controls of the wanted kinds: real images before the arm, others after it."""
    planned = []
    for arm in arms:
        chosen = [control for control in controls(arm) if control.kind in wanted]
        planned += [control for control in chosen if control.kind != "shuffled"]
        planned.append(arm)
        planned += [control for control in chosen if control.kind == "shuffled"]
    return planned


def _each_once(arms: list[Arm]) -> list[Arm]:
    """Drop repeated arms, and stop where two different ones would have one name."""
    arms = list(dict.fromkeys(arms))
    by_name = {}
    for arm in arms:
        if arm.name in by_name:
            shares = f"{by_name[arm.name].share} and {arm.share}"
            raise StudyError(
                f"two arms would be called {arm.name}: shares {shares}; names have four digits, "
                "so write both the same"
            )
        by_name[arm.name] = arm
    return arms
