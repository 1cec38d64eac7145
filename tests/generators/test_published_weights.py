"""The weights that the repository holds: whole, small, carded, and the pools made of them."""

import numpy as np
import pandas as pd
import pytest

from lib.generators.weights import read_generator
from lib.study.generations import first_generation
from lib.study.params import known_pools, load_params, studies
from lib.study.paths import ROOT
from lib.study.records import file_digest

FOLDER = ROOT / "reports" / "weights"
MOST_BYTES = 10 * 2**20
PUBLISHED = sorted(FOLDER.glob("*.safetensors"))
each = pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)


@each
def test_published_weights_are_small_and_their_card_names_their_bytes(path):
    # One card for all generations.
    card = path.with_name(f"{first_generation(path.stem)}.md").read_text(encoding="utf-8")
    assert path.stat().st_size < MOST_BYTES and file_digest(path) in card


@each
def test_published_weights_make_faces_that_differ_by_class_and_seed(path):
    generator = read_generator(path)
    classes = np.arange(len(generator.classes))
    by_class = generator.sample(classes, np.zeros(len(classes), int)).images
    by_seed = generator.sample(np.zeros(3, int), np.arange(3)).images
    for images in (by_class, by_seed):
        assert len({image.tobytes() for image in images}) == len(images)
        assert images.std((1, 2)).min() > 10  # grey levels: none is blank


def test_pools_that_ask_for_weights_find_them_in_the_repository():
    # By its own file, or by that of a study, in all generations.
    pairs = [("quick", pool) for pool in known_pools()]
    pairs += [(study, pool) for study in studies() for pool in load_params(study)["pools"]]
    asked = {load_params(study, (), pool)["generator_weights"] for study, pool in pairs} - {""}
    assert asked == {str(path.relative_to(ROOT)) for path in PUBLISHED}


@pytest.mark.parametrize("name, generated", [("diffusion", 20), ("diffusion-long", 19)])
def test_the_blind_judgement_on_the_card_is_counted_from_its_answers(name, generated):
    answers = pd.read_csv(FOLDER / f"{name}-judged.csv")
    seen = answers.assign(seen=answers["label"] == answers["answer"]).groupby("source")["seen"]
    assert set(answers.groupby(["source", "label"]).size()) == {5}
    assert seen.sum().to_dict() == {"generated": generated, "real": 25}
    told = (answers["source"] == answers["guess"]).sum()
    card = (FOLDER / f"{name}.md").read_text()
    assert f"in {generated} of the generated ones" in card and "in 25 of the real ones" in card
    assert f"{told} of {len(answers)} were told apart" in card
