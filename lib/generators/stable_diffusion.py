"""S1's generator: Stable Diffusion through diffusers, never from a pickle.

Every batch is full: images of different prompts share it, each with its own noise, so the number
of images of one prompt costs nothing.

With a checkpoint at hand, S1's comparison and the one with prompts that show the expression are one
command (nothing is downloaded where MODEL is a file or a folder):

    python3 run_all.py --study schuermann --data dataset_base \\
        --set pools=stable,stable-expressive --set pool_images=5250 --set sd_model=MODEL

MODEL: a Stable Diffusion 1.5 model: a hub name, a folder in diffusers' layout, or one .safetensors
file in the original layout (2.1 GB in 16 bits, 4.3 GB in 32; S1's: epiCRealism pure Evolution V5).
Beside a file, a folder of its name without the ending holds the configuration: model_index.json,
scheduler/, tokenizer/ and the config.json of each part, a few MB; without it diffusers asks the
hub.

Time: S1's GTX 1070 made 0.25 images a second at 256 px, 25 steps, guidance 7: 5,250 images take 5.8
hours, 28,709 a day and a half; no other speed has been measured. A run that is stopped loses at
most 64 images. Disk: the model, and for each pool at most 0.14 MB an image (65,536 pixels, as PNG
and packed): 0.7 GB for 5,250, 3.8 GB for 28,709.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from lib.compute.checkpoints import refuse_pickle
from lib.compute.devices import has_bf16
from lib.faces.faceset import FaceSet, resize
from lib.faces.prompts import negative_of, prompt_of, read_prompts
from lib.generators.contract import Generator
from lib.generators.sampling import generated_faces, sample_rows, seed_noise
from lib.study.errors import StudyError

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue, ITU-R BT.601
SHARD_IMAGES = 64  # images that a killed sampling can cost, about
KEPT_PROMPTS = 64  # encoded prompts that stay in memory, negative ones among them
KEPT_PIPELINES = 2  # from noise, and image to image
ERROR_LENGTH = 300  # characters of another library's message that are shown


@dataclass(frozen=True)
class StableDiffusion(Generator):
    """A pretrained generator whose classes are words of a prompt."""

    model: str  # folder, hub name or .safetensors file
    classes: tuple[str, ...]  # what labels number; each needs words for its prompts
    px: int = 256  # side of the images, a multiple of 8
    steps: int = 25  # of denoising
    guidance: float = 7.0  # weight of the prompt (Ho and Salimans 2022, arXiv 2207.12598)
    batch: int = 8  # images at once
    per_prompt: int = 8  # images of one prompt: consecutive seeds from a multiple of it
    balanced: bool = False  # attributes balanced instead of random
    swapped: bool = False  # grey made with red and blue exchanged, as S1's code did
    device: str = "cpu"  # or "cuda"
    compiled: bool = False  # compile the denoiser; pays from some hundred images on
    words: dict = field(default_factory=read_prompts)  # of the prompts, see lib.faces.prompts

    name = "stable"
    can_edit = True

    @property
    def shard(self) -> int:
        """Images that a killed sampling can cost: whole batches, so that none is half empty."""
        return self.batch * -(-SHARD_IMAGES // self.batch)

    @property
    def settings(self) -> dict:
        return {
            "model": self.model,
            "steps": self.steps,
            "guidance": self.guidance,
            "per_prompt": self.per_prompt,
            "balanced": self.balanced,
            "swapped": self.swapped,
            "prompt": self.words["prompt"],
            "negative": self.words["negative"],
            "expressions": "; ".join(self.words["emotion"][name] for name in self.classes),
        }

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Make one image per (label, seed), int64 (N,) each; the table keeps the prompts."""
        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
        images = sample_rows(self._draw, labels, seeds, batch=self.batch)
        return self._faces(images, labels, seeds)

    def edit(
        self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, *, strength: float
    ) -> FaceSet:
        """Give faces the classes `labels`, image to image; see Generator.edit.

        Raises:
            StudyError: a strength of 0 or below, or above 1.
        """
        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
        if not 0 < strength <= 1:
            raise StudyError(f"strength is {strength}; image-to-image needs one above 0, up to 1")

        # The pipeline takes colour images of its own size, in [0, 1].
        grey = torch.from_numpy(resize(images, self.px)).float() / 255
        sources = grey[:, None].repeat(1, 3, 1, 1)

        def draw(labels: np.ndarray, rows: np.ndarray) -> torch.Tensor:
            return self._edit(sources[rows], labels, seeds[rows], strength)

        # Rows stand for the seeds here: a source goes with its row, its noise with its seed.
        rows = np.arange(len(labels))
        edited = sample_rows(draw, labels, rows, batch=self.batch)
        return self._faces(edited, labels, seeds)

    def prompts(self, labels: np.ndarray, seeds: np.ndarray) -> list[str]:
        """Write the prompt of each (label, seed)."""
        texts = []
        for label, seed in zip(labels, seeds):
            # Consecutive seeds share a prompt.
            number = int(seed) // self.per_prompt
            text = prompt_of(
                self.words, int(label), number, balanced=self.balanced, classes=self.classes
            )
            texts.append(text)
        return texts

    def _draw(self, labels: np.ndarray, seeds: np.ndarray) -> torch.Tensor:
        """Make one batch from noise: grey float (N, 1, px, px) in [-1, 1]."""
        pipeline = load_pipeline(self.model, self.device, self.compiled)

        # Start from noise of each image's own seed.
        side = self.px // pipeline.vae_scale_factor
        latents = seed_noise(seeds, (pipeline.unet.config.in_channels, side, side))
        made = pipeline(
            **self._encoded_prompts(pipeline, labels, seeds),
            latents=latents.to(self.device, pipeline.unet.dtype),
            height=self.px,
            width=self.px,
            num_inference_steps=self.steps,
            guidance_scale=self.guidance,
            output_type="pt",
        )
        return self._grey(made.images)

    def _edit(
        self, sources: torch.Tensor, labels: np.ndarray, seeds: np.ndarray, strength: float
    ) -> torch.Tensor:
        """Edit one batch of float (N, 3, px, px) in [0, 1]: grey (N, 1, px, px) in [-1, 1]."""
        pipeline = load_pipeline(self.model, self.device, self.compiled, editing=True)

        # Each image has a generator of its own, so that its noise depends on its seed alone.
        noise = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        made = pipeline(
            **self._encoded_prompts(pipeline, labels, seeds),
            image=sources.to(self.device, pipeline.unet.dtype),
            strength=strength,
            generator=noise,
            num_inference_steps=self.steps,
            guidance_scale=self.guidance,
            output_type="pt",
        )
        return self._grey(made.images)

    def _encoded_prompts(self, pipeline, labels: np.ndarray, seeds: np.ndarray) -> dict:
        """Encode each prompt by itself, so that it does not depend on its neighbours."""
        negatives = [negative_of(self.words, int(label), classes=self.classes) for label in labels]
        encoded = {}
        for name, texts in (
            ("prompt_embeds", self.prompts(labels, seeds)),
            ("negative_prompt_embeds", negatives),
        ):
            parts = [encode_prompt(pipeline, text, self.device) for text in texts]
            encoded[name] = torch.cat(parts)
        return encoded

    def _grey(self, images: torch.Tensor) -> torch.Tensor:
        """Turn float (N, 3, px, px) in [0, 1] into grey (N, 1, px, px) in [-1, 1]."""
        luma = LUMA[::-1] if self.swapped else LUMA
        weights = torch.tensor(luma, device=images.device).view(1, 3, 1, 1)
        return (images.float() * weights).sum(1, keepdim=True) * 2 - 1

    def _faces(self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Put images into a face set, with prompt and settings in the table."""
        faces = generated_faces(images, labels, seeds, self.name, self.classes)
        return faces.with_columns(
            prompt=self.prompts(labels, seeds),
            steps=self.steps,
            guidance=self.guidance,
            model=self.model,
        )


@functools.lru_cache(KEPT_PROMPTS)
def encode_prompt(pipeline, text: str, device: str) -> torch.Tensor:
    """Encode one prompt, (1, tokens, size); batches that follow share most of them."""
    return pipeline.encode_prompt(text, device, 1, False)[0]


def pipeline_precision(device: str) -> torch.dtype:
    """Choose a pipeline's precision: 16 bits on a GPU (bfloat16 where it has that), else 32."""
    if device == "cpu":
        return torch.float32
    return torch.bfloat16 if has_bf16(device) else torch.float16


@functools.lru_cache(KEPT_PIPELINES)
def load_pipeline(model: str, device: str, compiled: bool = False, editing: bool = False):
    """Load a pipeline with the DPM-Solver multistep sampler (Lu et al. 2022, arXiv 2211.01095).

    Args:
        model: folder, hub name or .safetensors file; a folder of the file's name beside it may
            hold the configuration, for work without a network.
        device: "cpu" or "cuda".
        compiled: compile the denoiser.
        editing: image to image instead of from noise.

    Raises:
        StudyError: no model named, not found, no network, a pickled checkpoint, or no Stable
            Diffusion model.
    """
    from diffusers import DPMSolverMultistepScheduler

    if not model:
        raise StudyError(
            "sd_model is empty; name a folder, a hub model or a .safetensors file of "
            "Stable Diffusion"
        )
    try:
        pipeline = _read_pipeline(model, device, editing)
    except StudyError:
        raise
    except Exception as error:  # diffusers, transformers and the hub each raise kinds of their own
        message = " ".join(str(error).split())[:ERROR_LENGTH]
        raise StudyError(
            f"sd_model {model!r} cannot be loaded ({message}); it must be a folder, hub name or "
            "file with safetensors weights"
        ) from None

    # Choose the sampler, and lay the weights out for the device.
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    if device == "cuda":
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
    if compiled:
        pipeline.unet = torch.compile(pipeline.unet)
    return pipeline


def _read_pipeline(model: str, device: str, editing: bool):
    """Read a pipeline from a file in the original layout, a folder or the hub."""
    from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

    kind = StableDiffusionImg2ImgPipeline if editing else StableDiffusionPipeline
    settings = {
        "torch_dtype": pipeline_precision(device),
        "safety_checker": None,  # it blackens images that it flags
        "requires_safety_checker": False,
    }
    path = Path(model).expanduser()
    if not path.is_file():
        return kind.from_pretrained(model, use_safetensors=True, **settings)

    # One file: its configuration may lie beside it.
    refuse_pickle(path)
    config = path.with_suffix("")
    if config.is_dir():
        settings["config"] = str(config)
    return kind.from_single_file(str(path), **settings)
