"""Several generations of one pool: the same set-up, trained and sampled anew from other seeds, under names of their own.

The second and later ones are called `<pool>-generation2` and on, wherever a pool or an arm has a name; the first is called as ever.
"""

import re

from lib.study.errors import StudyError

AGAIN = re.compile(r"-generation(\d+)(?=$|-shuffled$|-only_\w+$)")


def first_generation(name: str) -> str:
    """Name the first generation of a pool, or the arm that takes it: dcgan-generation2 is dcgan, dcgan itself stays."""
    return AGAIN.sub("", name)


def generation_number(name: str) -> int:
    """Tell which generation a pool, or an arm's pool, is: 1 for the first."""
    match = AGAIN.search(name)
    return int(match.group(1)) if match else 1


def all_generations(pools: list[str], count: int, ready_made: tuple[str, ...] = ()) -> list[str]:
    """List every generation of some pools, each once.

    Args:
        count: generations of each pool.
        ready_made: pools whose images are as they are: there is one generation of them.
    """
    names = []
    for pool in pools:
        several = count if pool == first_generation(pool) and pool not in ready_made else 1
        names += [pool, *(f"{pool}-generation{number}" for number in range(2, several + 1))]
    return list(dict.fromkeys(names))


def of_generation(values: dict, pool: str) -> dict:
    """Change what a later generation of a pool has of its own: its name, its seed, and the generation of the round before it.

    Args:
        values: resolved parameters of the first generation.
        pool: name of the generation.
    Raises:
        StudyError: the pool's images are ready-made.
    """
    number = generation_number(pool)
    if number == 1:
        return values
    if values["generator"] == "folder":
        raise StudyError(f"pool {pool}: {first_generation(pool)} holds ready-made images, of which there is one generation; name it alone")
    before = f"{values['round_of']}-generation{number}" if values["round_of"] else ""
    return values | {"pool": pool, "seed": values["seed"] + number - 1, "round_of": before}
