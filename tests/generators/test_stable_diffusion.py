"""Stable Diffusion through a tiny pipeline that has every real component, with random weights."""

import collections
import json
import shutil

import numpy as np
import pytest
import torch
from single_file import write_single_file

from lib.faces.classes import EMOTIONS
from lib.faces.faceset import load_faces
from lib.faces.prompts import prompt_of, read_prompts
from lib.generators.contract import make_generator
from lib.generators.pools import make_pool, plan_pool
from lib.generators.stable_diffusion import StableDiffusion, load_pipeline
from lib.study.errors import StudyError
from lib.study.params import load_params

DISGUST = EMOTIONS.index("disgust")


def write_tokenizer(folder):
    """Write a byte-level CLIP vocabulary without merges; return the tokenizer and its size."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    words = letters + [f"{letter}</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: i for i, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77), len(words)


def tiny_unet():
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=4,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )


def tiny_vae():
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
    )


def tiny_text_encoder(words):
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
    )
    return CLIPTextModel(config)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder that holds the tiny model."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer, words = write_tokenizer(folder / "words")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {
            "unet": tiny_unet(),
            "vae": tiny_vae(),
            "text_encoder": tiny_text_encoder(words),
        }
    pipeline = StableDiffusionPipeline(
        **parts,
        tokenizer=tokenizer,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "model", safe_serialization=True)
    return str(folder / "model")


def tiny(model, **changes):
    settings = {"classes": EMOTIONS, "px": 16, "steps": 2, "batch": 4, "per_prompt": 2}
    return StableDiffusion(model, **settings | changes)


def pool_params(model, **changes):
    chosen = {
        "generator": "stable",
        "pool": "stable",
        "sd_model": model,
        "sd_px": 16,
        "sd_steps": 1,
        "device": "cpu",
    }
    return load_params("quick") | chosen | changes


def test_an_image_is_the_same_whatever_its_batch(model):
    labels, seeds = np.arange(6), np.arange(6)
    images = tiny(model).sample(labels, seeds).images
    assert images.shape == (6, 16, 16) and len({image.tobytes() for image in images}) == 6
    assert np.array_equal(tiny(model).sample(labels[4:5], seeds[4:5]).images, images[4:5])
    assert np.array_equal(tiny(model).sample(labels[::-1], seeds[::-1]).images, images[::-1])

    # In batches of another size other kernels may round a level elsewhere.
    other_size = tiny(model, batch=2).sample(labels, seeds).images
    assert np.abs(other_size.astype(int) - images).max() <= 1


def test_prompts_are_s1s_to_the_letter():
    words = read_prompts()
    text = prompt_of(words, DISGUST, 3, balanced=False)
    assert text.startswith("disgusted ")
    assert text.endswith(", natural hair, sickend, nauseous feeling, grossed out look")
    assert "<" not in text
    assert {len(words[name]) for name in ("age", "ethnicity", "sex")} == {8, 10, 2}
    assert text == prompt_of(words, DISGUST, 3, balanced=False)


def test_balanced_prompts_use_every_combination_once_a_round():
    words = read_prompts()
    texts = [prompt_of(words, 0, number, balanced=True) for number in range(320)]
    assert set(collections.Counter(texts).values()) == {2} and len(set(texts)) == 160
    assert len({prompt_of(words, 0, number, balanced=False) for number in range(160)}) < 160


def test_a_pool_of_some_emotions_has_their_prompts(model):
    classes = ("disgust", "happy")
    some, every = tiny(model, classes=classes), tiny(model)
    prompts = some.prompts(np.array([0, 1]), np.array([6, 7]))
    assert prompts == every.prompts(np.array([DISGUST, EMOTIONS.index("happy")]), np.array([6, 7]))
    assert some.sample(np.array([1]), np.array([7])).classes == classes


def test_classes_without_words_are_named_with_those_that_have_some(model):
    with pytest.raises(StudyError, match="no words for the class 0; it has words for .*surprise"):
        make_generator(pool_params(model), ("0", "1"))


def test_a_pool_keeps_eight_images_a_prompt_and_says_so(model, tmp_path):
    params = pool_params(model, pool_images=20)
    labels, seeds = plan_pool(params, EMOTIONS)
    assert (labels[:8] == labels[0]).all() and seeds[0] % 8 == 0
    make_pool(make_generator(params, EMOTIONS), params, tmp_path)
    table = load_faces(tmp_path).table
    assert table["prompt"].value_counts().tolist() == [8, 8, 4]
    assert {"seed", "steps", "guidance", "model", "generator"} <= set(table)
    assert "prompt" in (tmp_path / "metadata.csv").read_text().splitlines()[0]


def test_a_killed_pool_goes_on_in_full_batches_of_mixed_prompts(model, tmp_path, monkeypatch):
    params = pool_params(model, pool_images=160, sd_batch=12, sd_per_prompt=8)
    generator = make_generator(params, EMOTIONS)
    whole = make_pool(generator, params, tmp_path / "whole")
    batches, draw = [], StableDiffusion._draw

    def dying(self, labels, seeds):
        batches.append(len(set(zip(labels, seeds))))
        if len(batches) == 9:
            raise KeyboardInterrupt
        return draw(self, labels, seeds)

    monkeypatch.setattr(StableDiffusion, "_draw", dying)
    with pytest.raises(KeyboardInterrupt):
        make_pool(generator, params, tmp_path / "broken")
    resumed = make_pool(generator, params, tmp_path / "broken")
    assert resumed.table["seed"].is_unique and resumed.digest() == whole.digest()
    assert resumed.table["prompt"].tolist() == whole.table["prompt"].tolist()

    # Six batches were kept, the two after them are made again; all are full of different images
    # but the last, where four are left.
    assert batches == [12] * 16 + [4] and generator.shard == 72

    # A finished pool is kept; three batches of probes show that it is the same.
    kept = make_pool(generator, params, tmp_path / "broken")
    assert kept.digest() == whole.digest() and len(batches) == 17 + 3


def test_image_to_image_follows_the_face_more_the_less_strength_it_has(model):
    faces = np.random.default_rng(0).integers(0, 256, (2, 16, 16)).astype(np.uint8)
    generator, labels, seeds = tiny(model, steps=10), np.array([1, 3]), np.array([5, 6])

    def edited(images, strength, rows=slice(None)):
        edited = generator.edit(images[rows], labels[rows], seeds[rows], strength=strength)
        return edited.images.astype(float)

    def difference(strength):
        """Measure how far the edits of two opposite faces are apart, grey levels."""
        return np.abs(edited(faces, strength) - edited(255 - faces, strength)).mean()

    assert difference(0.2) > difference(1.0)
    second = slice(1, 2)
    assert np.array_equal(edited(faces, 0.5, second), edited(faces, 0.5)[second])
    with pytest.raises(StudyError, match="strength is 0"):
        generator.edit(faces, labels, seeds, strength=0)


def test_red_and_blue_exchanged_darken_skin():
    skin = torch.tensor([0.8, 0.6, 0.5]).view(1, 3, 1, 1)
    right = StableDiffusion("", EMOTIONS)._grey(skin)
    swapped = StableDiffusion("", EMOTIONS, swapped=True)._grey(skin)
    assert 0.07 < 1 - ((swapped + 1) / (right + 1)).item() < 0.15


def test_one_file_in_the_original_layout_makes_the_same_images_as_the_folder(model, tmp_path):
    path = write_single_file(load_pipeline(model, "cpu"), tmp_path / "tiny.safetensors")

    # The configuration, beside the file and of its name.
    shutil.copytree(model, tmp_path / "tiny")
    for weights in (tmp_path / "tiny").rglob("*.safetensors"):
        weights.unlink()
    labels, seeds = np.arange(4), np.arange(4)
    images = tiny(str(path)).sample(labels, seeds).images
    assert np.array_equal(images, tiny(model).sample(labels, seeds).images)


def test_what_cannot_be_loaded_is_named(model, tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "model.ckpt")
    with pytest.raises(StudyError, match="pickled checkpoint"):
        load_pipeline(str(tmp_path / "model.ckpt"), "cpu")
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(StudyError, match="broken.safetensors' cannot be loaded"):
        load_pipeline(str(tmp_path / "broken.safetensors"), "cpu")
    with pytest.raises(StudyError, match="sd_model is empty"):
        load_pipeline("", "cpu")
    with pytest.raises(StudyError, match="cannot be loaded"):
        load_pipeline(str(tmp_path / "nowhere"), "cpu")
