"""Pools: which labels and seeds, order of generation, resume after a kill."""

import numpy as np
import pytest

from lib.faces.faceset import CLASSES, FaceSet, load_faces
from lib.generators import pools
from lib.generators.contract import NETWORKS, make_generator
from lib.generators.pools import make_pool, plan_pool
from lib.study.errors import StudyError
from lib.study.params import load_params

SMALL = {"generator": "dcgan", "gan_px": 16, "gan_width": 4, "pool": "dcgan", "pool_images": 20, "device": "cpu"}


def test_a_longer_pool_begins_with_the_shorter_one():
    for counts in ("balanced", "real"):
        params = load_params("quick") | {"pool_images": 50, "pool_class_counts": counts}
        labels, seeds = plan_pool(params, counts=np.arange(1, 8))
        longer = plan_pool(params | {"pool_images": 80}, counts=np.arange(1, 8))
        assert np.array_equal(longer[0][:50], labels) and np.array_equal(longer[1][:50], seeds)
        assert len(set(longer[1])) == 80


def test_balanced_labels_are_even_in_every_round():
    labels, _ = plan_pool(load_params("quick") | {"pool_images": 70})
    assert np.array_equal(np.sort(labels.reshape(-1, 7), axis=1), np.tile(np.arange(7), (10, 1)))


def test_real_labels_follow_the_real_shares():
    params = load_params("quick") | {"pool_images": 20_000, "pool_class_counts": "real"}
    shares = np.bincount(plan_pool(params, counts=np.array([3, 0, 1, 1, 1, 1, 3]))[0], minlength=7) / 20_000
    assert np.allclose(shares, np.array([3, 0, 1, 1, 1, 1, 3]) / 10, atol=1 / 20_000)


def test_pools_do_not_share_seeds():
    params = load_params("quick")
    assert not set(plan_pool(params | {"pool": "a"})[1]) & set(plan_pool(params | {"pool": "b"})[1])


@pytest.mark.parametrize("name", ["drawn", *NETWORKS])
def test_a_killed_pool_goes_on(name, tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "SHARD", 8)
    params = load_params("quick") | SMALL | {"generator": name, "gan_width": 8, "diffusion_sample_steps": 2}
    generator = make_generator(params)
    whole = make_pool(generator, params, tmp_path / "whole")
    asked = []

    class Dying:
        name, facts = generator.name, generator.facts

        def sample(self, labels, seeds):
            asked.append(len(labels))
            if len(asked) == 2:
                raise KeyboardInterrupt
            return generator.sample(labels, seeds)

    with pytest.raises(KeyboardInterrupt):
        make_pool(Dying(), params, tmp_path / "broken")
    resumed = make_pool(Dying(), params, tmp_path / "broken")
    assert asked == [8, 8, 8, 4] and resumed.digest() == whole.digest()
    assert load_faces(tmp_path / "broken").digest() == whole.digest()
    assert not list((tmp_path / "broken").glob("shards*"))
    assert sorted(p.name for p in (tmp_path / "whole").iterdir() if p.is_dir()) == list(CLASSES)


def test_a_finished_pool_is_kept_until_its_images_would_be_others(tmp_path, monkeypatch):
    params = load_params("quick") | SMALL
    generator, asked = make_generator(params), []
    first = make_pool(generator, params, tmp_path)
    (tmp_path / "shards-of-another-set-up").mkdir()
    monkeypatch.setattr(pools, "sample_pool", lambda *words: asked.append(words) or first)
    assert make_pool(generator, params, tmp_path).digest() == first.digest() and not asked
    assert not list(tmp_path.glob("shards*"))
    for other in ({"seed": 1}, {"pool_images": 21}, {"gan_width": 8}):  # other weights and seeds, another number, another network
        make_pool(make_generator(params | other), params | other, tmp_path)
    assert len(asked) == 3


@pytest.mark.parametrize(("device", "off", "kept"), [("cuda", 1, True), ("cuda", 3, False), ("cpu", 0, True), ("cpu", 1, False)])
def test_a_pool_drawn_on_another_gpu_is_kept_for_all_its_rounding(device, off, kept, tmp_path):
    params = load_params("quick") | SMALL
    generator = make_generator(params)
    pool = make_pool(generator, params, tmp_path)
    labels, seeds = pool.labels, pool.table["seed"].to_numpy()

    class Rounding:
        name, facts = generator.name, generator.facts

        def sample(self, labels, seeds):
            faces = generator.sample(labels, seeds)
            return FaceSet(np.where(faces.images < 128, faces.images + off, faces.images - off).astype(np.uint8), faces.table)

    Rounding.device = device
    assert (pools.finished_pool(Rounding(), tmp_path, labels, seeds) is not None) == kept


def test_an_unknown_generator_and_an_empty_pool_are_named():
    with pytest.raises(StudyError, match="generator is 'gan'.*dcgan"):
        make_generator(load_params("quick") | {"generator": "gan"})
    with pytest.raises(StudyError, match="pool_images is 0"):
        plan_pool(load_params("quick") | {"pool_images": 0})
