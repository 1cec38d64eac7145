"""The arms of a study: what each trains on, by rule, and the controls that it is read against."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from lib.study.errors import StudyError

UNCURATED = "none"  # the filter arm that takes the pool as it was generated


@dataclass(frozen=True)
class Arm:
    """One training set by rule.

    Attributes:
        name: a sentence, e.g. supplement-0.1502-dcgan; unique in a study.
        kind: base, supplement, filtered, staged, reversed, weighted, splitnorm, replace, synthetic, scarce, balance, or a control:
            duplicate, shuffled, subset, extra, fewer (base with as many steps as a supplement spends on its real images).
        pool: the pool whose images it takes, "" for real data alone.
        share: synthetic share of the total, real share (replace, subset, scarce), or multiple of the real amount (synthetic).
        control_of: for a control, the kind of arm that it controls; "" otherwise.
        weight: of a synthetic image in the loss, a real one's is 1.
        only: filtered: the curation step that alone chose the images; UNCURATED for no step at all.
    """

    name: str
    kind: str
    pool: str = ""
    share: float = 0.0
    control_of: str = ""
    weight: float = 1.0
    only: str = ""


def plan_arms(params: dict) -> list[Arm]:
    """List the arms that the flat parameters ask for: base first, each synthetic arm with its controls.

    Raises:
        StudyError: two shares so near that their arms would have one name; a pattern in `only_arms` that fits no arm.
    """
    pools, controls = params["arm_pools"] or params["pools"], set(params["controls"])
    arms = [Arm("base", "base"), *_supplements(params, pools, controls)]
    for variant in _variants(params, pools):
        arms += [variant, *_shuffled(variant, controls)]
    for share in params["replace_shares"]:
        text = f"{share:.4g}"
        arms += [Arm(f"subset-{text}", "subset", share=share, control_of="replace")] * ("subset" in controls and 0 < share < 1)
        arms += [Arm(f"replace-{text}-{pool}", "replace", pool, share) for pool in pools]
    for multiple in params["synthetic_multiples"]:
        for pool in pools:
            only = Arm(f"synthetic-{multiple:g}x-{pool}", "synthetic", pool, multiple)
            arms += [only, *_shuffled(only, controls)]
    for share in [share for share in params["scarce_shares"] if share < 1]:  # all of the real data is base
        arms.append(Arm(f"scarce-{share:.4g}", "subset", share=share, control_of="scarce"))
        arms += [Arm(f"scarce-{share:.4g}-{pool}", "scarce", pool, share) for pool in pools]
    arms += [Arm("duplicate-balance", "duplicate", control_of="balance")] * (params["balance"] and "duplicate" in controls)
    for balanced in [Arm(f"balance-{pool}", "balance", pool) for pool in pools if params["balance"]]:
        arms += [balanced, *_shuffled(balanced, controls)]
    return asked_for(_each_once(arms), params["only_arms"], "only_arms")


def filtered_pool(pool: str, step: str) -> str:
    """Name a pool as one curation step alone leaves it."""
    return f"{pool}-only_{step}"


def filters_of(steps: list[str]) -> list[str]:
    """List the filters that arms try: the steps, each alone, and no filter at all to read them against."""
    return [UNCURATED, *steps] if steps else []


def _supplements(params: dict, pools: list[str], controls: set) -> list[Arm]:
    """The plain supplements with their controls; a share that a variant asks for has them too, as what the variant is read against."""
    asked = ("supplement_shares", "staged_shares", "reversed_shares", "weighted_shares", "split_norm_shares")
    fewer, arms = "fewer" in controls and params["train_steps"] > 0, []  # with equal epochs base sees each real image as often
    for share in dict.fromkeys(share for key in asked for share in params[key]):
        text = f"{share:.4g}"
        arms += [Arm(f"duplicate-{text}", "duplicate", share=share, control_of="supplement")] * ("duplicate" in controls)
        arms += [Arm(f"fewer-{text}", "fewer", share=share, control_of="supplement")] * fewer
        arms += [Arm(f"extra-{text}", "extra", share=share, control_of="supplement")] * ("extra" in controls)
        for pool in pools:
            arms.append(Arm(f"supplement-{text}-{pool}", "supplement", pool, share))
            arms += [Arm(f"shuffled-{text}-{pool}", "shuffled", pool, share, "supplement")] * ("shuffled" in controls)
    filtered = [
        (share, pool, step) for share in params["supplement_shares"] for pool in pools for step in filters_of(params["filter_arms"])
    ]
    return arms + [Arm(f"supplement-{s:.4g}-{filtered_pool(pool, step)}", "filtered", pool, s, only=step) for s, pool, step in filtered]


def _variants(params: dict, pools: list[str]) -> list[Arm]:
    """The supplements that are trained on in another way than mixed."""
    found = []
    for kind in ("staged", "reversed"):
        found += [Arm(f"{kind}-{share:.4g}-{pool}", kind, pool, share) for share in params[f"{kind}_shares"] for pool in pools]
    weighted = [(share, weight, pool) for share in params["weighted_shares"] for weight in params["synthetic_weights"] for pool in pools]
    found += [Arm(f"weighted-{share:.4g}-at-{weight:g}-{pool}", "weighted", pool, share, weight=weight) for share, weight, pool in weighted]
    return found + [
        Arm(f"splitnorm-{share:.4g}-{pool}", "splitnorm", pool, share) for share in params["split_norm_shares"] for pool in pools
    ]


def _shuffled(arm: Arm, controls: set) -> list[Arm]:
    """The same arm with the labels of its synthetic images permuted, where such controls are asked for."""
    return [Arm(f"{arm.name}-shuffled", "shuffled", arm.pool, arm.share, arm.kind, arm.weight)] * ("shuffled" in controls)


def asked_for(arms: list[Arm], patterns: list[str], key: str) -> list[Arm]:
    """Keep the arms whose names fit a pattern, such as synthetic-1x-*, and base, which all are read against; no pattern keeps all.

    Raises:
        StudyError: a pattern that fits no arm; `key` is the parameter that the message names.
    """
    for pattern in patterns:
        if not any(fnmatchcase(arm.name, pattern) for arm in arms):
            raise StudyError(f"{key}: {pattern!r} fits none of the arms {', '.join(arm.name for arm in arms)}")
    return [arm for arm in arms if not patterns or arm.kind == "base" or any(fnmatchcase(arm.name, pattern) for pattern in patterns)]


def _each_once(arms: list[Arm]) -> list[Arm]:
    arms = list(dict.fromkeys(arms))
    names = [arm.name for arm in arms]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        shares = [arm.share for arm in arms if arm.name == twice[0]]
        raise StudyError(
            f"two arms would be called {twice[0]}: shares {shares[0]} and {shares[1]}; names have four digits, so write both the same"
        )
    return arms
