"""Class-conditional diffusion: a small UNet, classifier-free guidance, weight averaging, few-step sampling, and relabelling of real faces.

Source: Ho et al. 2020, arXiv 2006.11239; Nichol and Dhariwal 2021, arXiv 2102.09672 (cosine schedule); Salimans and Ho 2022,
arXiv 2202.00512 (v-prediction); Ho and Salimans 2022, arXiv 2207.12598 (guidance); Lu et al. 2022, arXiv 2211.01095 (DPM-Solver++);
Meng et al. 2022, arXiv 2108.01073 (SDEdit, for relabelling); Hoogeboom et al. 2023, arXiv 2301.11093 (patches as channels).
"""

import copy
import functools

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss, pixel_shuffle, pixel_unshuffle

from lib.faces.faceset import CLASSES
from lib.generators.processes import descend, half
from lib.generators.sampling import from_grey, sample_rows, seed_noise
from lib.study.errors import StudyError

TIMES = 1000  # noise levels in training
UNLABELLED = len(CLASSES)  # class that stands for "no label"
DROPPED_SHARE = 0.1  # of labels in training, so that guidance has an unconditional prediction
EMA_DECAY = 0.999


class Diffusion(nn.Module):
    """A denoiser and its running average, which draws.

    Args:
        px: side of the images, a multiple of 8.
        width: channels at full resolution, a multiple of 8.
        lr: AdamW's learning rate.
        guidance: weight of the conditional prediction, 1: no guidance.
        sample_steps: network evaluations per image.
        patch: side of the squares whose pixels become channels, 1: none; 2 makes a step about twice as fast.
    """

    classes_in_turn = False

    def __init__(self, *, px: int, width: int, lr: float, guidance: float, sample_steps: int, patch: int = 1):
        super().__init__()
        if px % (4 * patch) or width % 8:
            raise StudyError(f"gan_px is {px} and gan_width {width}; the diffusion model needs multiples of {4 * patch} and 8")
        self.settings = {"px": px, "width": width, "lr": lr, "guidance": guidance, "sample_steps": sample_steps, "patch": patch}
        self.model = unet(px // patch, width, patch**2)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.to(memory_format=torch.channels_last)

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make AdamW for the denoiser."""
        return {"model": torch.optim.AdamW(self.model.parameters(), self.settings["lr"], weight_decay=0.0)}

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of denoising; float (N, 1, px, px) in [-1, 1], mirrored at random, and int64 (N,)."""
        device, schedule = images.device, noising()
        images = torch.where(torch.rand(len(images), 1, 1, 1, device=device) < 0.5, images, images.flip(3))
        labels = torch.where(torch.rand(len(labels), device=device) < DROPPED_SHARE, UNLABELLED, labels)
        times, noise = torch.randint(TIMES, labels.shape, device=device), torch.randn_like(images)
        with half(images):
            predicted = self.velocity(self.model, schedule.add_noise(images, noise, times), times, labels)
        loss = mse_loss(predicted, schedule.get_velocity(images, noise, times))
        descend(optimisers["model"], loss, longest=1.0)
        decay = min(EMA_DECAY, (1 + step) / (10 + step))  # short memory at first
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)
        return {"loss": loss.detach()}

    def velocity(self, model, images, times, labels) -> torch.Tensor:
        """Predict v of noisy images (N, 1, px, px)."""
        patch = self.settings["patch"]
        return pixel_shuffle(model(pixel_unshuffle(images, patch), times, class_labels=labels).sample, patch).float()

    def draw(self, labels, seeds) -> torch.Tensor:
        """Make images of labels and seeds, int64 (N,) arrays; float (N, 1, px, px) in [-1, 1]."""
        px = self.settings["px"]
        schedule = sampler(self.settings["sample_steps"])
        noise = seed_noise(seeds, (1, px, px)).to(self.device_of())
        return self.denoise(schedule, schedule.timesteps, noise * schedule.init_noise_sigma, labels)

    def relabel(self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, *, strength: float) -> np.ndarray:
        """Give faces another expression: noise them part of the way, denoise them to another class.

        Args:
            images: uint8 (N, px, px).
            labels, seeds: int64 (N,): wanted classes, and seeds of the noise.
            strength: share of the way, 0 (the image itself) to 1 (an image made from noise).

        Returns:
            uint8 (N, px, px); image i depends on its own image, label and seed alone.
        """
        px = self.settings["px"]
        if images.shape[1:] != (px, px) or not 0 <= strength <= 1:
            raise StudyError(
                f"relabel: images of {images.shape[1:]} and strength {strength}; the model takes {px} x {px} and a strength of 0 to 1"
            )
        rows = torch.from_numpy(images)
        schedule = sampler(self.settings["sample_steps"])
        times = schedule.timesteps[len(schedule.timesteps) - round(strength * len(schedule.timesteps)) :]
        if not len(times):
            return images.copy()

        def draw(chosen, places):
            clean, noise = from_grey(rows[places]).to(self.device_of()), seed_noise(seeds[places], (1, px, px)).to(self.device_of())
            schedule = sampler(self.settings["sample_steps"])
            schedule.set_begin_index(len(schedule.timesteps) - len(times))
            noised = schedule.add_noise(clean, noise, times[:1].repeat(len(places)).to(clean.device))
            return self.denoise(schedule, times, noised, chosen)

        return sample_rows(draw, np.asarray(labels), np.arange(len(images)))

    @torch.no_grad()
    def denoise(self, schedule, times, images: torch.Tensor, labels) -> torch.Tensor:
        """Run the sampler from noisy images to clean ones, guided towards the labels."""
        labels, guidance = torch.as_tensor(labels, device=images.device), self.settings["guidance"]
        self.average.eval()
        for time in times:
            with half(images):
                told = self.velocity(self.average, images, time, labels)
                if guidance != 1:
                    untold = self.velocity(self.average, images, time, torch.full_like(labels, UNLABELLED))
                    told = untold + guidance * (told - untold)
            images = schedule.step(told, time, images).prev_sample
        return images

    def device_of(self) -> torch.device:
        """Name the device of the weights."""
        return next(self.parameters()).device


def unet(px: int, width: int, channels: int):
    """Make the denoiser of (N, channels, px, px): three resolutions, self-attention at the lowest."""
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=px, in_channels=channels, out_channels=channels, block_out_channels=(width, 2 * width, 2 * width), layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8, attention_head_dim=8, num_class_embeds=len(CLASSES) + 1)  # fmt: skip


@functools.cache
def noising():
    """Make the schedule of training."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(TIMES, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")


def sampler(steps: int):
    """Make a DPM-Solver++ sampler of second order with so many steps."""
    from diffusers import DPMSolverMultistepScheduler

    schedule = DPMSolverMultistepScheduler(TIMES, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    schedule.set_timesteps(steps)
    return schedule
