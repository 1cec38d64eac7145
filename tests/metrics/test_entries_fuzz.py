"""What people write into params/ by hand, changed at random: read, or refused with a sentence."""

import copy
import random

import pytest
import yaml

from lib.metrics.claims import load_claims
from lib.metrics.looks import load_looks
from lib.metrics.preregistration import load_log, load_predictions
from lib.metrics.reported import load_reported
from lib.study.errors import StudyError
from lib.study.params import PARAMS

TRIES = 40  # of each reader
VALUES = (None, 3, -1.5, "x", [], ["a", 3], {}, {"a": 1}, True, float("nan"), "2024-13-01")


def looks_of_full(path):
    return load_looks("full", path=path)


READERS = {
    "claims.yaml": (load_claims, load_log, load_predictions, looks_of_full),
    "reported.yaml": (load_reported,),
}


def places(node, path=()):
    """Yield where something stands in nested lists and dictionaries."""
    yield path
    items = node.items() if isinstance(node, dict) else ()
    for key, value in enumerate(node) if isinstance(node, list) else items:
        yield from places(value, (*path, key))


@pytest.mark.parametrize("name", READERS)
def test_a_changed_entry_is_read_or_named_with_its_file(tmp_path, name):
    rng, file = random.Random(name), tmp_path / name
    whole = yaml.safe_load((PARAMS / name).read_text(encoding="utf-8"))
    spots = [path for path in places(whole) if path]
    for _ in range(TRIES):
        changed, (*above, last) = copy.deepcopy(whole), rng.choice(spots)
        node = changed
        for key in above:
            node = node[key]
        if rng.random() < 0.3:
            del node[last]
        else:
            node[last] = rng.choice(VALUES)
        file.write_text(yaml.safe_dump(changed), encoding="utf-8")
        for read in READERS[name]:
            try:
                read(file)
            except StudyError as error:
                assert name in str(error)
            except Exception as error:
                raise AssertionError(f"{read.__name__}: {(*above, last)}") from error
