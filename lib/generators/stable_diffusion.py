"""S1's generator: Stable Diffusion through diffusers, from a folder, a hub name or one safetensors file; never from a pickle.

Every batch is full: images of different prompts share it, each with its own noise, so the size of a prompt's group costs nothing.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.faces.faceset import FaceSet
from lib.generators.checkpoints import refuse_pickle
from lib.generators.hardware import has_bf16
from lib.generators.prompts import prompt_of, read_prompts
from lib.generators.sampling import sample_rows, seed_noise
from lib.generators.training_loop import face_set
from lib.study.errors import StudyError
from lib.study.records import write_json

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, of red, green and blue
LOST = 64  # images that a kill can cost, about


@dataclass(frozen=True)
class StableDiffusion:
    """A pretrained generator that is told what to make in words.

    Args:
        model: folder, hub name or .safetensors file.
        px: side of the images, a multiple of 8.
        steps: denoising steps.
        guidance: weight of the prompt.
        batch: images at once.
        per_prompt: images of one prompt: consecutive seeds from a multiple of it.
        balanced: attributes balanced instead of random.
        swapped: grey made with red and blue exchanged, as S1's code did.
        device: "cpu" or "cuda".
        compiled: compile the denoiser; pays from some hundred images on.
    """

    model: str
    px: int = 256
    steps: int = 25
    guidance: float = 7.0
    batch: int = 8
    per_prompt: int = 8
    balanced: bool = False
    swapped: bool = False
    device: str = "cpu"
    compiled: bool = False
    words: dict = field(default_factory=read_prompts)
    name: str = "stable"

    @property
    def shard(self) -> int:
        """Images that a kill can cost: whole batches, so that none goes out half empty."""
        return self.batch * -(-LOST // self.batch)

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None) -> pd.DataFrame:
        """Learn nothing: it comes pretrained; the log is empty."""
        return pd.DataFrame({"step": []})

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Make one image per (label, seed), int64 (N,) each; the table keeps prompt and settings of each image."""
        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
        images = sample_rows(self._draw, labels, seeds, batch=self.batch)
        return self._told(face_set(images, labels, seeds, self.name), labels, seeds)

    def edit(self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, *, strength: float) -> FaceSet:
        """Give faces another expression (image to image).

        Args:
            images: uint8 (N, H, W), any size.
            labels, seeds: int64 (N,): wanted classes, seeds of the noise.
            strength: share of the denoising that is done anew, above 0 (hardly a change) to 1 (another image).
        """
        from lib.faces.faceset import resize

        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
        if not 0 < strength <= 1:
            raise StudyError(f"strength is {strength}; image-to-image needs one above 0, up to 1")
        sources = torch.from_numpy(resize(images, self.px)).float()[:, None].repeat(1, 3, 1, 1) / 255
        draw = functools.partial(self._edit, labels, seeds, sources, strength)
        return self._told(
            face_set(sample_rows(draw, labels, np.arange(len(labels)), batch=self.batch), labels, seeds, self.name), labels, seeds
        )

    def save(self, folder: Path) -> Path:
        """Write generator.json; the weights stay where they are."""
        write_json(Path(folder) / "generator.json", self.facts())
        return Path(folder) / "generator.json"

    def load(self, folder: Path) -> "StableDiffusion":
        """Return itself: its weights are the model's own."""
        return self

    def facts(self) -> dict:
        """What the model card says."""
        names = ("model", "steps", "guidance", "per_prompt", "balanced", "swapped")
        settings = {name: getattr(self, name) for name in names} | {"prompt": self.words["prompt"], "negative": self.words["negative"]}
        settings["expressions"] = "; ".join(self.words["emotion"].values())
        return {"generator": self.name, "px": self.px, "settings": settings, "training": {}, "parameters": {}}

    def prompts(self, labels, seeds) -> list[str]:
        """Write the prompt of each (label, seed)."""
        return [
            prompt_of(self.words, int(label), int(seed) // self.per_prompt, balanced=self.balanced) for label, seed in zip(labels, seeds)
        ]

    def _draw(self, labels, seeds) -> torch.Tensor:
        pipeline = load_pipeline(self.model, self.device, self.compiled)
        latents = seed_noise(
            seeds, (pipeline.unet.config.in_channels, self.px // pipeline.vae_scale_factor, self.px // pipeline.vae_scale_factor)
        )
        made = pipeline(**self._words_of(pipeline, labels, seeds), latents=latents.to(self.device, pipeline.unet.dtype), height=self.px,
                        width=self.px, num_inference_steps=self.steps, guidance_scale=self.guidance, output_type="pt").images  # fmt: skip
        return self._grey(made)

    def _edit(self, labels, seeds, sources, strength, _, rows) -> torch.Tensor:
        pipeline = load_pipeline(self.model, self.device, self.compiled, editing=True)
        noise = [torch.Generator().manual_seed(int(seed)) for seed in seeds[rows]]
        made = pipeline(**self._words_of(pipeline, labels[rows], seeds[rows]), image=sources[rows].to(self.device, pipeline.unet.dtype),
                        strength=strength,
                        generator=noise, num_inference_steps=self.steps, guidance_scale=self.guidance, output_type="pt").images  # fmt: skip
        return self._grey(made)

    def _words_of(self, pipeline, labels, seeds) -> dict:
        """Encode each different prompt once, by itself, so that it does not depend on its neighbours."""
        encoded = {text: encode(pipeline, text, self.device) for text in {*self.prompts(labels, seeds), self.words["negative"]}}
        told = torch.cat([encoded[text] for text in self.prompts(labels, seeds)])
        return {"prompt_embeds": told, "negative_prompt_embeds": encoded[self.words["negative"]].expand(len(told), -1, -1)}

    def _grey(self, images: torch.Tensor) -> torch.Tensor:
        """Turn float (N, 3, px, px) in [0, 1] into grey (N, 1, px, px) in [-1, 1]."""
        weights = torch.tensor(LUMA[::-1] if self.swapped else LUMA, device=images.device).view(1, 3, 1, 1)
        return (images.float() * weights).sum(1, keepdim=True) * 2 - 1

    def _told(self, faces: FaceSet, labels, seeds) -> FaceSet:
        """Put prompt and settings into the table."""
        return FaceSet(
            faces.images, faces.table.assign(prompt=self.prompts(labels, seeds), steps=self.steps, guidance=self.guidance, model=self.model)
        )


@functools.lru_cache(64)
def encode(pipeline, text: str, device: str) -> torch.Tensor:
    """Encode one prompt: (1, tokens, size); kept for the batches that follow, which share most prompts and the negative one."""
    return pipeline.encode_prompt(text, device, 1, False)[0]


def precision(device: str) -> torch.dtype:
    """Choose the precision of a pipeline: half on a GPU, bfloat16 where it has that; float32 on a CPU."""
    if device == "cpu":
        return torch.float32
    return torch.bfloat16 if has_bf16(device) else torch.float16


@functools.lru_cache(2)
def load_pipeline(model: str, device: str, compiled: bool = False, editing: bool = False):
    """Load a pipeline with the DPM-Solver multistep sampler; half precision on a GPU.

    Raises:
        StudyError: no model named, not found, no network, a pickled checkpoint, or no Stable Diffusion model.
    """
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

    if not model:
        raise StudyError("sd_model is empty; name a folder, a hub model or a .safetensors file of Stable Diffusion")
    path, kind = Path(model).expanduser(), StableDiffusionImg2ImgPipeline if editing else StableDiffusionPipeline
    settings = {
        "torch_dtype": precision(device),
        "safety_checker": None,
        "requires_safety_checker": False,
    }
    try:
        if path.is_file():
            refuse_pickle(path)
            config = path.with_suffix("")  # a folder of the same name may hold the configuration, for work without a network
            pipeline = kind.from_single_file(str(path), **settings, **({"config": str(config)} if config.is_dir() else {}))
        else:
            pipeline = kind.from_pretrained(model, use_safetensors=True, **settings)
    except StudyError:
        raise
    except Exception as error:  # diffusers, transformers and the hub each raise kinds of their own
        message = " ".join(str(error).split())[:300]
        raise StudyError(
            f"sd_model {model!r} cannot be loaded ({message}); it must be a folder, hub name or file with safetensors weights"
        ) from None
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    if device == "cuda":
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
    if compiled:
        pipeline.unet = torch.compile(pipeline.unet)
    return pipeline
