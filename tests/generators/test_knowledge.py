"""What a generator knows of the real images, and that it knows no more than it may."""

import pytest
from small_generators import noise_faces, small_generator

from lib.faces.arms import Arm
from lib.faces.mixing import build_arm
from lib.faces.pool import pool_knowledge
from lib.generators.contract import LearntFrom, knowledge, learnt_from_faces
from lib.generators.export import export_weights
from lib.generators.pools import save_generator
from lib.generators.source import own_faces
from lib.generators.weights import read_generator
from lib.study.errors import StudyError
from lib.study.generations import of_generation
from lib.study.params import load_params

REAL = noise_faces(60)
PARAMS = load_params("quick") | {"pool": "dcgan", "gan_real_count": 20, "seed": 7}


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_a_generator_learns_the_images_that_the_arm_of_its_draw_holds(generation):
    pool = "dcgan" if generation == 1 else f"dcgan-generation{generation}"
    params = of_generation(PARAMS | {"draws": True, "generator": "dcgan"}, pool)
    own = own_faces(REAL, params)
    arm = build_arm(Arm("subset", real=20), REAL, {}, seed=7, draw=generation - 1)
    assert own.digest() == arm.digest() and len(own) == 20


def test_without_draws_every_generation_learns_the_study_s_one_subset():
    arm = build_arm(Arm("subset", real=20), REAL, {}, seed=7)
    for pool in ("dcgan", "dcgan-generation2"):
        params = of_generation(PARAMS | {"draws": False, "generator": "dcgan"}, pool)
        assert own_faces(REAL, params).digest() == arm.digest()


def test_by_default_a_generator_learns_all_images():
    assert own_faces(REAL, PARAMS | {"gan_real_count": 0}) is REAL
    with pytest.raises(StudyError, match="61 real images are wanted, 60 are there"):
        own_faces(REAL, PARAMS | {"gan_real_count": 61})


def test_knowledge_is_named_by_what_was_learnt():
    own, others = own_faces(REAL, PARAMS), noise_faces(60, px=8)
    expected = {
        "external": LearntFrom(),
        "all images": learnt_from_faces(REAL),
        "same images": learnt_from_faces(own),
        "other images": learnt_from_faces(others),
    }
    for name, learnt_from in expected.items():
        assert knowledge(learnt_from, REAL, own) == name

    # A generator of all images stays one where the pool asks for all.
    assert knowledge(learnt_from_faces(REAL), REAL, REAL) == "all images"


def test_a_pool_s_record_says_what_its_generator_knows(tmp_path):
    own = own_faces(REAL, PARAMS)
    generator = small_generator("dcgan", gan_steps=1)
    generator.fit(own, folder=tmp_path / "training")
    save_generator(generator, tmp_path / "pool", REAL, own)
    assert pool_knowledge(tmp_path / "pool") == ("same images", 20)

    # So does that of a pool from the weights file.
    file = export_weights(generator, tmp_path / "weights.safetensors")
    save_generator(read_generator(file), tmp_path / "given", REAL, REAL)
    assert pool_knowledge(tmp_path / "given") == ("other images", 20)


def test_drawn_and_ready_made_pools_know_nothing_of_the_images(tmp_path):
    save_generator(small_generator("drawn"), tmp_path / "pool", REAL, REAL)
    assert pool_knowledge(tmp_path / "pool") == ("external", 0)
    assert pool_knowledge(tmp_path / "nothing here") == ("external", 0)


def test_a_smaller_subset_is_part_of_a_larger_one():
    few, many = (
        set(own_faces(REAL, PARAMS | {"gan_real_count": count}).table["id"]) for count in (10, 30)
    )
    assert few < many and len(few) == 10
