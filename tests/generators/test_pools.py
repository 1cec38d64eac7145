"""Pools: which labels and seeds, order of generation, resume after a kill."""

import random
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from damage import DAMAGES, turn_a_bit
from small_generators import noise_faces, small_generator

from lib.faces.classes import EMOTIONS
from lib.faces.faceset import load_faces
from lib.generators import pools
from lib.generators.contract import NETWORKS, Generator, make_generator
from lib.generators.pools import make_pool, plan_pool
from lib.study.errors import StudyError
from lib.study.params import load_params

QUICK = load_params("quick")
POOL = QUICK | {"generator": "dcgan", "pool": "dcgan", "pool_images": 20}
COUNTS = np.array([3, 0, 1, 1, 1, 1, 3])


@dataclass
class Wrapped(Generator):
    """A generator around another one, to change what it does."""

    inner: Generator
    device: str = "cpu"
    asked: list = field(default_factory=list)  # rows of each call of sample

    def __post_init__(self):
        self.name, self.classes = self.inner.name, self.inner.classes

    def facts(self):
        return self.inner.facts()

    def sample(self, labels, seeds):
        self.asked.append(len(labels))
        return self.inner.sample(labels, seeds)


class Dying(Wrapped):
    """Is killed in the second call of sample."""

    shard = 8

    def sample(self, labels, seeds):
        faces = super().sample(labels, seeds)
        if len(self.asked) == 2:
            raise KeyboardInterrupt
        return faces


@dataclass
class Rounding(Wrapped):
    """Makes images whose pixels are all off by some grey levels, as another GPU may."""

    off: int = 0

    def sample(self, labels, seeds):
        faces = super().sample(labels, seeds)
        darker = faces.images < 128
        images = np.where(darker, faces.images + self.off, faces.images - self.off)
        return replace(faces, images=images.astype(np.uint8))


@pytest.mark.parametrize("class_counts", ["balanced", "real"])
def test_a_longer_pool_begins_with_the_shorter_one(class_counts):
    params = QUICK | {"pool_images": 50, "pool_class_counts": class_counts}
    labels, seeds = plan_pool(params, EMOTIONS, counts=np.arange(1, 8))
    longer = plan_pool(params | {"pool_images": 80}, EMOTIONS, counts=np.arange(1, 8))
    assert np.array_equal(longer[0][:50], labels)
    assert np.array_equal(longer[1][:50], seeds)
    assert len(set(longer[1])) == 80


@pytest.mark.parametrize("classes", [EMOTIONS, tuple("0123456789")], ids=len)
def test_balanced_labels_are_even_in_every_round(classes):
    n = len(classes)
    labels, _ = plan_pool(QUICK | {"pool_images": 10 * n}, classes)
    rounds = np.sort(labels.reshape(-1, n), axis=1)
    assert np.array_equal(rounds, np.tile(np.arange(n), (10, 1)))


def test_real_labels_follow_the_real_shares():
    params = QUICK | {"pool_images": 20_000, "pool_class_counts": "real"}
    labels, _ = plan_pool(params, EMOTIONS, counts=COUNTS)
    shares = np.bincount(labels, minlength=7) / 20_000
    assert np.allclose(shares, COUNTS / COUNTS.sum(), atol=1 / 20_000)


def test_pools_do_not_share_seeds():
    _, first = plan_pool(QUICK | {"pool": "a"}, EMOTIONS)
    _, second = plan_pool(QUICK | {"pool": "b"}, EMOTIONS)
    assert not set(first) & set(second)


@pytest.mark.parametrize("name", ["drawn", *NETWORKS])
def test_a_killed_pool_goes_on(name, tmp_path):
    params = POOL | {"generator": name}
    generator = small_generator(name, diffusion_sample_steps=2)
    whole = make_pool(generator, params, tmp_path / "whole")
    dying = Dying(generator)
    with pytest.raises(KeyboardInterrupt):
        make_pool(dying, params, tmp_path / "broken")
    resumed = make_pool(dying, params, tmp_path / "broken")

    # The shard that was lost is sampled again, the one before it is not.
    assert dying.asked == [8, 8, 8, 4]
    assert resumed.digest() == whole.digest()
    assert load_faces(tmp_path / "broken").digest() == whole.digest()
    assert not list((tmp_path / "broken").glob("shards*"))
    folders = [path.name for path in (tmp_path / "whole").iterdir() if path.is_dir()]
    assert sorted(folders) == list(EMOTIONS)


@pytest.mark.parametrize("name", ["drawn", "cgan"])
def test_a_pool_of_other_classes_keeps_its_list(name, tmp_path):
    classes = ("fear", "sad", "surprise")
    generator = small_generator(name, classes=classes)
    make_pool(generator, POOL | {"generator": name}, tmp_path)
    pool = load_faces(tmp_path)
    assert pool.classes == classes
    assert sorted(pool.counts()) == [6, 7, 7]


def test_a_finished_pool_is_kept_until_its_images_would_be_others(tmp_path, monkeypatch):
    generator, sampled = small_generator(), []
    first = make_pool(generator, POOL, tmp_path)
    (tmp_path / "shards-of-another-set-up").mkdir()

    def noted(*arguments):
        sampled.append(arguments)
        return first

    monkeypatch.setattr(pools, "sample_pool", noted)
    assert make_pool(generator, POOL, tmp_path).digest() == first.digest()
    assert not sampled
    assert not list(tmp_path.glob("shards*"))

    # Other weights and seeds, another number, another network, other classes.
    make_pool(small_generator(seed=1), POOL | {"seed": 1}, tmp_path)
    make_pool(generator, POOL | {"pool_images": 21}, tmp_path)
    make_pool(small_generator(gan_width=12), POOL, tmp_path)
    make_pool(small_generator(classes=tuple("abcdefg")), POOL, tmp_path)
    assert len(sampled) == 4


@pytest.mark.parametrize("file", [*pools.POOL_FILES[:3], "happy"])
def test_a_damaged_pool_is_made_anew(file, tmp_path):
    generator, rng = small_generator(), random.Random(0)
    whole = make_pool(generator, POOL, tmp_path)
    path = tmp_path / file
    path = min(path.iterdir()) if path.is_dir() else path
    content = path.read_bytes()
    for damage in DAMAGES:
        damage(path, rng)
        again = make_pool(generator, POOL, tmp_path)
        assert load_faces(tmp_path).digest() == again.digest() == whole.digest()

        # A bit that no reader looks at may stay in a zip file.
        is_whole = path.read_bytes() == content
        assert is_whole or damage is turn_a_bit and file == "faces.npz", damage.__name__
        path.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_shard_is_sampled_again(damage, tmp_path):
    generator, rng = small_generator(), random.Random(1)
    whole = make_pool(generator, POOL, tmp_path / "whole")
    dying = Dying(generator)
    with pytest.raises(KeyboardInterrupt):
        make_pool(dying, POOL, tmp_path / "broken")
    for path in (tmp_path / "broken").glob("shards-*/*/*"):
        damage(path, rng)
    assert make_pool(dying, POOL, tmp_path / "broken").digest() == whole.digest()


@pytest.mark.parametrize(
    ("device", "off", "kept"),
    [("cuda", 1, True), ("cuda", 3, False), ("cpu", 0, True), ("cpu", 1, False)],
)
def test_a_pool_sampled_on_another_gpu_is_kept_for_all_its_rounding(device, off, kept, tmp_path):
    generator = small_generator()
    pool = make_pool(generator, POOL, tmp_path)
    labels, seeds = pool.labels, pool.table["seed"].to_numpy()
    rounding = Rounding(generator, device=device, off=off)
    found = pools.finished_pool(rounding, tmp_path, labels, seeds)
    assert (found is not None) == kept


def test_a_training_on_other_classes_than_the_generator_s_is_named(tmp_path):
    generator = small_generator(classes=("fear", "happy"))
    with pytest.raises(StudyError, match="classes fear, happy, but .* are of angry, .*surprise"):
        generator.fit(noise_faces(), folder=tmp_path)


def test_an_unknown_generator_and_an_empty_pool_are_named():
    with pytest.raises(StudyError, match="generator is 'gan'.*dcgan"):
        make_generator(QUICK | {"generator": "gan"}, EMOTIONS)
    with pytest.raises(StudyError, match="pool_images is 0"):
        plan_pool(QUICK | {"pool_images": 0}, EMOTIONS)
    with pytest.raises(StudyError, match="no real counts are at hand"):
        plan_pool(QUICK | {"pool_class_counts": "real"}, EMOTIONS)
