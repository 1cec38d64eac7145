"""Class-conditional StyleGAN2-ADA (S2): its losses, regularisers, weight averaging and sampling.

Source: Karras et al. 2020, arXiv 1912.04958 (path length, lazy regularisation); Karras et al.
2020b, arXiv 2006.06676 (ADA); Mescheder et al. 2018, arXiv 1801.04406 (R1); Karras et al. 2019,
arXiv 1812.04948 (style mixing, truncation).
Differs: R1 is taken at the augmented image, the discriminator's own input, because PyTorch cannot
differentiate grid_sample twice.
"""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from lib.compute.processes import all_reduce_mean, backward_and_step, process_state
from lib.generators.network import Network, autocast_like
from lib.generators.sampling import seed_noise
from lib.generators.stylegan_augmentation import adapted, augment
from lib.generators.stylegan_networks import (
    StyleDiscriminator,
    StyleGenerator,
    class_condition,
)
from lib.study.errors import StudyError

CONDITIONS = ("one-hot", "number")
AUGMENTATIONS = ("adaptive", "fixed", "none")

# Steps between regularisations, and between adaptations of the augmentation.
R1_EVERY = 16
PATH_EVERY = 4
ADA_EVERY = 4
PATH_WEIGHT = 2.0
PATH_DECAY = 0.01  # of the running mean path length
MIXED_SHARE = 0.9  # of images whose later layers take a second style
AVERAGED_IMAGES = 10_000  # half-life of the averaged weights
AVERAGED_SHARE = 0.05  # the same at first, as a share of the images seen


class StyleGAN(Network):
    """Generator, discriminator, the averaged generator that draws, and the augmentation's state.

    Raises:
        StudyError: an unknown condition or augmentation.
    """

    sampling_settings = ("truncation",)
    drawing_parts = ("average",)

    def __init__(
        self,
        *,
        px: int,  # side of the images: 3 or 4 times a power of two, such as 32, 48 or 64
        width: int,  # channels at full resolution
        lr: float,  # Adam's learning rate
        n_classes: int,
        condition: str,  # "one-hot", or "number" for S2's class id as one real number
        augment: str,  # "adaptive", "fixed" or "none"
        share: float,  # probability of augmentations when fixed
        r1: float,  # weight of the gradient penalty
        truncation: float,  # of samples, 1 for none
    ):
        super().__init__(
            {
                "px": px,
                "width": width,
                "lr": lr,
                "n_classes": n_classes,
                "condition": condition,
                "augment": augment,
                "share": share,
                "r1": r1,
                "truncation": truncation,
            }
        )
        _check_choice("gan_condition", condition, CONDITIONS)
        _check_choice("gan_augment", augment, AUGMENTATIONS)

        # Networks.
        size = 8 * width  # components of noise and style
        conditions = n_classes if condition == "one-hot" else 1
        self.generator = StyleGenerator(px, width, conditions, size)
        self.discriminator = StyleDiscriminator(px, width, conditions, size)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)

        # State of training beside the weights, all scalars.
        initial = share if augment == "fixed" else 0.0
        self.register_buffer("p", torch.tensor(initial))  # probability of augmentations
        self.register_buffer("signs", torch.zeros(()))  # of real logits since the last adaptation
        self.register_buffer("path_mean", torch.zeros(()))  # running mean path length
        self.to(memory_format=torch.channels_last)

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side, corrected for lazy regularisation.

        Source: Karras et al. 2020, appendix B.
        """
        return {
            "generator": self.lazy_adam(self.generator, PATH_EVERY),
            "discriminator": self.lazy_adam(self.discriminator, R1_EVERY),
        }

    def lazy_adam(self, network: nn.Module, every: int) -> torch.optim.Optimizer:
        """Make Adam for a network that takes one step more every so many steps."""
        ratio = every / (every + 1)
        betas = (0.0, 0.99**ratio)
        return torch.optim.Adam(network.parameters(), self.settings["lr"] * ratio, betas, eps=1e-8)

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of each network; regularise and adapt when it is due."""
        # Mirror half of the images.
        mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        images = torch.where(mirrored, images, images.flip(3))
        c = self.condition(labels)
        batch = len(images) * process_state(images.device.type).num_processes

        # Train both networks; the generated images have the batch's classes in another order.
        shuffled = c[torch.randperm(len(c), device=c.device)]
        losses = self.generator_step(shuffled, step, optimisers["generator"])
        losses |= self.discriminator_step(images, c, step, optimisers["discriminator"])

        # Adapt the augmentation.
        if self.settings["augment"] == "adaptive" and step % ADA_EVERY == ADA_EVERY - 1:
            sign = all_reduce_mean(self.signs) / ADA_EVERY
            self.p.copy_(adapted(self.p, sign, ADA_EVERY * batch))
            self.signs.zero_()

        # Average.
        self.update_average(step, batch)
        return losses | {"augmentation": self.p.clone()}

    def generator_step(self, c, step: int, optimiser) -> dict[str, torch.Tensor]:
        """Make the discriminator take images for real; keep path lengths even when it is due."""
        # Adversarial loss, through the discriminator as it is.
        self.discriminator.requires_grad_(False)
        with autocast_like(c):
            fakes = self.augmented(self.generate(self.random_styles(c)))
            loss = softplus(-self.discriminator(fakes, c)).mean()
        backward_and_step(optimiser, loss)

        # Path length, on half of the batch.
        if step % PATH_EVERY == 0:
            styles = self.random_styles(c[: max(1, len(c) // 2)])
            penalty, lengths = path_length(self.generator.synthesis, styles, self.path_mean)
            self.path_mean.lerp_(lengths.detach().mean(), PATH_DECAY)
            backward_and_step(optimiser, PATH_EVERY * PATH_WEIGHT * penalty)
        self.discriminator.requires_grad_(True)
        return {"loss_generator": loss.detach()}

    def discriminator_step(self, images, c, step: int, optimiser) -> dict[str, torch.Tensor]:
        """Tell real images from generated ones; penalise gradients at real ones when it is due."""
        # Adversarial loss.
        with torch.no_grad(), autocast_like(c):
            fakes = self.generate(self.random_styles(c))
        with autocast_like(c):
            real = self.discriminator(self.augmented(images), c)
            fake = self.discriminator(self.augmented(fakes), c)
        loss = softplus(-real).mean() + softplus(fake).mean()
        backward_and_step(optimiser, loss)

        # Note how sure it is of real images, and penalise its gradient at them.
        self.signs += real.detach().sign().mean()
        if step % R1_EVERY == 0:
            penalty = gradient_penalty(self.discriminator, self.augmented(images), c)
            backward_and_step(optimiser, R1_EVERY * self.settings["r1"] / 2 * penalty)
        return {"loss_discriminator": loss.detach()}

    @torch.no_grad()
    def update_average(self, step: int, batch: int) -> None:
        """Move the averaged generator towards the trained one; its memory is short at first."""
        # The half-life is counted in images, so that it does not depend on the batch.
        half_life = min(AVERAGED_IMAGES, (step + 1) * batch * AVERAGED_SHARE)
        share = 1 - 0.5 ** (batch / half_life)
        averaged, trained = list(self.average.parameters()), list(self.generator.parameters())
        torch._foreach_lerp_(averaged, trained, share)
        self.average.mapping.mean.copy_(self.generator.mapping.mean)

    def random_styles(self, c: torch.Tensor) -> torch.Tensor:
        """Draw styles (N, styles, size); most images take later layers' from a second noise."""
        # Two styles an image.
        n, device = len(c), c.device
        first, second = (
            self.generator.styles(torch.randn(n, self.generator.size, device=device), c)
            for _ in range(2)
        )

        # Choose the layer from which the second style holds, past the last one for none.
        layers = first.shape[1]
        mixed = torch.rand(n, device=device) < MIXED_SHARE
        cut = torch.where(mixed, torch.randint(1, layers, (n,), device=device), layers)
        from_first = torch.arange(layers, device=device) < cut[:, None]
        return torch.where(from_first[:, :, None], first, second)

    def generate(self, styles: torch.Tensor) -> torch.Tensor:
        """Make images of styles (N, styles, size) with fresh noise."""
        synthesis = self.generator.synthesis
        return synthesis(styles, fresh_noise(synthesis, styles))

    def augmented(self, images: torch.Tensor) -> torch.Tensor:
        """Augment images for the discriminator.

        Where each of their pixels goes is computed in float32.
        """
        if self.settings["augment"] == "none":
            return images
        with torch.autocast(images.device.type, enabled=False):
            return augment(images.float(), self.p)

    def condition(self, labels: torch.Tensor) -> torch.Tensor:
        """Turn labels (N,) into the networks' condition."""
        return class_condition(labels, self.settings["condition"], self.settings["n_classes"])

    def draw(self, labels: np.ndarray, seeds: np.ndarray) -> torch.Tensor:
        """Make images of labels and seeds with the averaged weights; see Network.draw."""
        # One stream of noise an image: the first part for its style, the rest for its noise maps.
        device, size = self.p.device, self.average.size
        synthesis = self.average.synthesis
        noise = seed_noise(seeds, (size + synthesis.noise_size(),)).to(device)

        # Synthesise.
        c = self.condition(torch.as_tensor(labels, device=device))
        styles = self.average.styles(noise[:, :size], c, self.settings["truncation"])
        return synthesis(styles, noise[:, size:])


def gradient_penalty(
    discriminator: nn.Module, images: torch.Tensor, c: torch.Tensor
) -> torch.Tensor:
    """Average the squared norm of the discriminator's gradient at images (R1), scalar."""
    images = images.detach().requires_grad_(True)
    logits = discriminator(images, c).sum()
    gradient = torch.autograd.grad(logits, images, create_graph=True)[0]
    return gradient.square().sum((1, 2, 3)).mean()


def path_length(
    synthesis: nn.Module,  # styles and noise to images
    styles: torch.Tensor,  # float (N, styles, size), with a gradient
    mean: torch.Tensor,  # running mean of the lengths, scalar
) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how far a random image direction moves the styles, and how uneven that is.

    Returns:
        penalty (scalar): mean squared deviation of the lengths from their running mean; lengths
        (N,).

    Source: Karras et al. 2020, eq. 4.
    """
    # Length of the gradient along a random direction of the image.
    images = synthesis(styles, fresh_noise(synthesis, styles))
    direction = torch.randn_like(images) / math.sqrt(images[0, 0].numel())
    along = (images * direction).sum()
    gradient = torch.autograd.grad(along, styles, create_graph=True)[0]
    lengths = gradient.square().sum(2).mean(1).sqrt()

    # Compare with the running mean, this batch included.
    target = mean.lerp(lengths.detach().mean(), PATH_DECAY)
    return (lengths - target).square().mean(), lengths


def fresh_noise(synthesis: nn.Module, styles: torch.Tensor) -> torch.Tensor:
    """Draw the noise maps of images, (N, noise_size())."""
    return torch.randn(len(styles), synthesis.noise_size(), device=styles.device)


def _check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Stop at a value that is none of a parameter's choices."""
    if value not in choices:
        raise StudyError(f"{key} is {value!r}; choices: {', '.join(choices)}")
