"""Several generations of one pool: the same set-up, trained and sampled anew from other seeds.

The second and later ones are pools of their own, called `<pool>-generation2` and on; the first is
called as ever. Arms carry the generation as a field, see lib.faces.arms.
"""

from collections.abc import Iterable
from pathlib import PurePath

from lib.study.cells import study_of
from lib.study.errors import StudyError

MARK = "-generation"  # between a pool's name and the number


def generation_name(pool: str, number: int) -> str:
    """Name a generation of a pool: dcgan for the first, dcgan-generation2 for the second."""
    return pool if number == 1 else f"{pool}{MARK}{number}"


def first_generation(pool: str) -> str:
    """Name the first generation of a pool: dcgan-generation2 is dcgan, dcgan itself stays."""
    return _parted(pool)[0]


def family_of(pool: str) -> str:
    """Name the pool that has the file: all generations and settings of dcgan are of one family."""
    return study_of(first_generation(pool))


def generation_number(pool: str) -> int:
    """Tell which generation a pool is: 1 for the first."""
    return _parted(pool)[1]


def first_generations(pools: Iterable[str], count: int) -> list[str]:
    """List those of some pools that are among the first `count` generations."""
    return [pool for pool in pools if generation_number(pool) <= count]


def folded_generations(names: Iterable) -> list[str]:
    """Name each pool of a list once: "dcgan (3 generations)" for dcgan and its next two.

    Other names and numbers stay, as text.
    """
    # Later generations, by the name of their first.
    texts = [str(name) for name in names]
    later = [first_generation(text) for text in texts if generation_number(text) > 1]

    # Each counts where its first one is listed.
    folded = []
    for text in texts:
        if later.count(text):
            text = f"{text} ({1 + later.count(text)} generations)"
        elif first_generation(text) in texts and generation_number(text) > 1:
            continue
        folded.append(text)
    return folded


def all_generations(pools: list[str], count: int, own_counts: dict[str, int]) -> list[str]:
    """List every generation of some pools, each once.

    Args:
        pools: names; one that names a generation stands for itself.
        count: generations of each pool.
        own_counts: of those that have another number, by name.
    """
    names = []
    for pool in pools:
        # A named generation stands for itself.
        several = own_counts.get(pool, count) if pool == first_generation(pool) else 1
        names += [generation_name(pool, number) for number in range(1, several + 1)]

    # Each once, in order.
    return list(dict.fromkeys(names))


def of_generation(values: dict, pool: str) -> dict:
    """Change what a later generation of a pool has of its own: name, seed, the round before it, and
    the weights file where there is one: weights-generation2.safetensors beside weights.safetensors.

    Args:
        values: resolved parameters of the first generation.
        pool: name of the generation.

    Raises:
        StudyError: the pool's images are ready-made.
    """
    first, number = _parted(pool)
    if number == 1:
        return values  # the pool's file says it all
    if values["generator"] == "folder":
        raise StudyError(
            f"pool {pool}: {first} holds ready-made images, of which there is one generation; "
            "name it alone"
        )

    # Another seed, and a second round builds on the same generation of the first.
    before = values["round_of"] and generation_name(values["round_of"], number)
    own = {"pool": pool, "seed": values["seed"] + number - 1, "round_of": before}
    if file := values["generator_weights"]:
        path = PurePath(file)
        own["generator_weights"] = str(path.with_stem(generation_name(path.stem, number)))
    return values | own


def _parted(pool: str) -> tuple[str, int]:
    """Part a pool's name into its first generation's and the number."""
    # A pool may be called so without being one: dcgan-generation is a name like any other.
    first, mark, number = pool.rpartition(MARK)
    return (first, int(number)) if mark and number.isdigit() else (pool, 1)
