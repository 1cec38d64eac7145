"""Class-conditional StyleGAN2-ADA (S2): its augmentation, sampling and choices.

Source: Karras et al. 2020, arXiv 1912.04958 (StyleGAN2); Karras et al. 2020b, arXiv 2006.06676
(ADA); Karras et al. 2019, arXiv 1812.04948 (truncation).
Differs: no style mixing and no path length, which the paper's settings for small images leave out
too (2006.06676, appendix D); R1 is taken at the augmented image, the discriminator's own input,
because PyTorch cannot differentiate grid_sample twice.

What each part brings to it stands in lib.generators.adversarial.
"""

import numpy as np
import torch
from torch import Tensor

from lib.compute.processes import all_reduce_mean, process_state
from lib.generators.adversarial import Projected
from lib.generators.sampling import seed_noise
from lib.generators.stylegan_augmentation import adapted, augment
from lib.generators.stylegan_networks import PATCH, StyleDiscriminator, StyleGenerator
from lib.study.errors import StudyError

CONDITIONS = ("one-hot", "number")
AUGMENTATIONS = ("adaptive", "fixed", "none")
ADA_EVERY = 4  # steps between adaptations of the augmentation


class StyleGAN(Projected):
    """The networks of StyleGAN2, and the augmentation's state.

    Raises:
        StudyError: an unknown condition or augmentation, or an odd size.
    """

    sampling_settings = ("truncation",)
    betas = (0.0, 0.99)  # of Adam

    def __init__(
        self,
        *,
        px: int,  # side of the images: 6 or 8 times a power of two, such as 32, 48 or 64
        width: int,  # channels at full resolution
        lr: float,  # Adam's learning rate
        r1: float,  # weight of the gradient penalty
        precision: str,  # of training: auto or fp32
        n_classes: int,
        condition: str,  # "one-hot", or "number" for S2's class id as one real number
        augment: str,  # "adaptive", "fixed" or "none"
        share: float,  # probability of augmentations when fixed
        truncation: float,  # of samples, 1 for none
    ):
        settings = {"px": px, "width": width, "lr": lr, "r1": r1, "precision": precision}
        settings |= {"n_classes": n_classes, "condition": condition}
        settings |= {"augment": augment, "share": share, "truncation": truncation}
        _check_choice("gan_condition", condition, CONDITIONS)
        _check_choice("gan_augment", augment, AUGMENTATIONS)
        if px % PATCH:
            raise StudyError(f"gan_px is {px}; StyleGAN's images have an even side, such as 48")
        classes = {"n_classes": n_classes, "condition": condition}
        generator = StyleGenerator(px, width, **classes)
        super().__init__(settings, generator, StyleDiscriminator(px, width, **classes))

        # State of training beside the weights, all scalars.
        initial = share if augment == "fixed" else 0.0
        self.register_buffer("p", torch.tensor(initial))  # probability of augmentations
        self.register_buffer("signs", torch.zeros(()))  # of real logits since the last adaptation

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, Tensor]:
        """Take one step of each network; adapt the augmentation when it is due."""
        losses = super().update(images, labels, step, optimisers)
        if self.settings["augment"] == "adaptive" and step % ADA_EVERY == ADA_EVERY - 1:
            batch = len(images) * process_state(images.device.type).num_processes
            sign = all_reduce_mean(self.signs) / ADA_EVERY
            self.p.copy_(adapted(self.p, sign, ADA_EVERY * batch))
            self.signs.zero_()
        return losses | {"augmentation": self.p.clone()}

    def discriminator_losses(self, images, fakes, labels) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the losses, and note how sure the discriminator is of real images."""
        real, losses = super().discriminator_losses(images, fakes, labels)
        self.signs += real.detach().sign().mean()
        return real, losses

    def seen(self, images: Tensor) -> Tensor:
        """Augment images for the discriminator.

        Where each of their pixels goes is computed in float32.
        """
        if self.settings["augment"] == "none":
            return images
        with torch.autocast(images.device.type, enabled=False):
            return augment(images.float(), self.p)

    def draw(self, labels: np.ndarray, seeds: np.ndarray) -> Tensor:
        """Make images of labels and seeds with the averaged weights; see Network.draw."""
        noise = seed_noise(seeds, (self.average.noise_size,)).to(self.p.device)
        wanted = torch.as_tensor(labels, device=self.p.device)
        return self.average(noise, wanted, self.settings["truncation"])


def _check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Stop at a value that is none of a parameter's choices."""
    if value not in choices:
        raise StudyError(f"{key} is {value!r}; choices: {', '.join(choices)}")
