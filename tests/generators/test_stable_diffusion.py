"""Stable Diffusion through a tiny pipeline that has every real component, with random weights."""

import collections
import json
import shutil

import numpy as np
import pytest
import torch
from single_file import write_single_file

from lib.faces.faceset import CLASSES, load_faces
from lib.generators.contract import make_generator
from lib.generators.pools import make_pool, plan_pool
from lib.generators.prompts import prompt_of, read_prompts
from lib.generators.stable_diffusion import StableDiffusion, load_pipeline
from lib.study.errors import StudyError
from lib.study.params import load_params


def tokenizer(folder):
    """Write a byte-level CLIP vocabulary without merges."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    words = letters + [letter + "</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77), len(words)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = tmp_path_factory.mktemp("tiny")
    words, count = tokenizer(folder / "words")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(sample_size=4, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
            norm_num_groups=4, cross_attention_dim=16,
            attention_head_dim=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D",
            "CrossAttnUpBlock2D"))  # fmt: skip
        kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
        vae = AutoencoderKL(in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(8, 16), norm_num_groups=4, **kinds)
        text = CLIPTextModel(CLIPTextConfig(vocab_size=count, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                                            num_attention_heads=2,
                                            bos_token_id=count - 2, eos_token_id=count - 1, pad_token_id=count - 1))  # fmt: skip
    parts = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = StableDiffusionPipeline(vae=vae, text_encoder=text, tokenizer=words, unet=unet, scheduler=DDIMScheduler(), **parts)
    pipeline.save_pretrained(folder / "model", safe_serialization=True)
    return str(folder / "model")


def tiny(model, **more):
    return StableDiffusion(model, **{"px": 16, "steps": 2, "batch": 4, "per_prompt": 2} | more)


def test_an_image_is_the_same_whatever_its_batch(model):
    labels, seeds = np.arange(6), np.arange(6)
    images = tiny(model).sample(labels, seeds).images
    assert images.shape == (6, 16, 16) and len({image.tobytes() for image in images}) == 6
    assert np.array_equal(tiny(model).sample(labels[4:5], seeds[4:5]).images, images[4:5])
    assert np.array_equal(tiny(model).sample(labels[::-1], seeds[::-1]).images, images[::-1])
    other_size = tiny(model, batch=2).sample(labels, seeds).images
    assert np.abs(other_size.astype(int) - images).max() <= 1  # other kernels may round a level elsewhere


def test_prompts_are_s1s_to_the_letter():
    words = read_prompts()
    text = prompt_of(words, CLASSES.index("disgust"), 3, balanced=False)
    assert (
        text.startswith("disgusted ") and text.endswith(", natural hair, sickend, nauseous feeling, grossed out look") and "<" not in text
    )
    assert {len(words[name]) for name in ("age", "ethnicity", "sex")} == {8, 10, 2}
    assert text == prompt_of(words, CLASSES.index("disgust"), 3, balanced=False)


def test_balanced_prompts_use_every_combination_once_a_round():
    words = read_prompts()
    texts = [prompt_of(words, 0, number, balanced=True) for number in range(320)]
    assert set(collections.Counter(texts).values()) == {2} and len(set(texts)) == 160
    assert len({prompt_of(words, 0, number, balanced=False) for number in range(160)}) < 160


def test_a_pool_keeps_eight_images_a_prompt_and_says_so(model, tmp_path):
    chosen = {"generator": "stable", "pool": "stable", "pool_images": 20, "sd_model": model, "sd_px": 16, "sd_steps": 1, "device": "cpu"}
    params = load_params("quick") | chosen
    labels, seeds = plan_pool(params)
    assert (labels[:8] == labels[0]).all() and seeds[0] % 8 == 0
    make_pool(make_generator(params), params, tmp_path)
    table = load_faces(tmp_path).table
    assert table["prompt"].value_counts().tolist() == [8, 8, 4]
    assert {"seed", "steps", "guidance", "model", "generator"} <= set(table) and "prompt" in (
        tmp_path / "metadata.csv"
    ).read_text().splitlines()[0]


def test_a_killed_pool_goes_on_in_full_batches_of_mixed_prompts(model, tmp_path, monkeypatch):
    chosen = {"generator": "stable", "pool": "stable", "pool_images": 160, "sd_model": model, "sd_px": 16, "sd_steps": 1, "sd_batch": 12,
              "sd_per_prompt": 8, "device": "cpu"}  # fmt: skip
    params = load_params("quick") | chosen
    generator = make_generator(params)
    whole, batches, draw = make_pool(generator, params, tmp_path / "whole"), [], StableDiffusion._draw

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
    # 6 batches were kept, the 2 after them are made again; all are full of different images but the last, where 4 are left
    assert batches == [12] * 16 + [4] and generator.shard == 72
    kept = make_pool(generator, params, tmp_path / "broken")
    assert kept.digest() == whole.digest() and len(batches) == 17 + 3, "three batches of probes"


def test_image_to_image_follows_the_face_more_the_less_strength_it_has(model):
    faces = np.random.default_rng(0).integers(0, 256, (2, 16, 16)).astype(np.uint8)
    generator, labels, seeds = tiny(model, steps=10), np.array([1, 3]), np.array([5, 6])

    def kept(strength):
        pairs = (generator.edit(images, labels, seeds, strength=strength).images.astype(float) for images in (faces, 255 - faces))
        return np.abs(next(pairs) - next(pairs)).mean()

    assert kept(0.2) > kept(1.0)
    assert np.array_equal(
        generator.edit(faces[1:], labels[1:], seeds[1:], strength=0.5).images, generator.edit(faces, labels, seeds, strength=0.5).images[1:]
    )
    with pytest.raises(StudyError, match="strength is 0"):
        generator.edit(faces, labels, seeds, strength=0)


def test_red_and_blue_exchanged_darken_skin():
    skin = torch.tensor([0.8, 0.6, 0.5]).view(1, 3, 1, 1)
    right, swapped = StableDiffusion("")._grey(skin), StableDiffusion("", swapped=True)._grey(skin)
    assert 0.07 < 1 - ((swapped + 1) / (right + 1)).item() < 0.15


def test_one_file_in_the_original_layout_makes_the_same_images_as_the_folder(model, tmp_path):
    path = write_single_file(load_pipeline(model, "cpu"), tmp_path / "tiny.safetensors")
    shutil.copytree(model, tmp_path / "tiny")  # the configuration, beside the file and of its name
    for weights in (tmp_path / "tiny").rglob("*.safetensors"):
        weights.unlink()
    labels, seeds = np.arange(4), np.arange(4)
    assert np.array_equal(tiny(str(path)).sample(labels, seeds).images, tiny(model).sample(labels, seeds).images)


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
