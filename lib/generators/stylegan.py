"""Class-conditional StyleGAN2-ADA (S2): its losses, regularisers, weight averaging and sampling.

Source: Karras et al. 2020, arXiv 1912.04958 (path length, lazy regularisation); Karras et al. 2020b, arXiv 2006.06676 (ADA);
Mescheder et al. 2018, arXiv 1801.04406 (R1); Karras et al. 2019, arXiv 1812.04948 (style mixing, truncation).
Differs: R1 is taken at the augmented image, the judge's own input, because PyTorch cannot differentiate grid_sample twice.
"""

import copy
import math

import torch
from torch import nn
from torch.nn.functional import softplus

from lib.faces.faceset import CLASSES
from lib.generators.processes import descend, half, processes, together
from lib.generators.sampling import seed_noise
from lib.generators.stylegan_augmentation import adapted, augment
from lib.generators.stylegan_networks import Discriminator, Generator, condition
from lib.study.errors import StudyError

R1_EVERY, PATH_EVERY, ADA_EVERY = 16, 4, 4  # steps between regularisations and between looks at overfitting
PATH_WEIGHT, PATH_DECAY, MIXED_SHARE = 2.0, 0.01, 0.9
AVERAGED_IMAGES = 10_000  # half-life of the averaged weights


class StyleGAN(nn.Module):
    """Both networks, the averaged generator that draws, and the augmentation's probability.

    Args:
        px: side of the images: 3 or 4 times a power of two, such as 32, 48 or 64.
        width: channels at full resolution.
        lr: Adam's learning rate.
        condition: "one-hot", or "number" for S2's class id as one real number.
        augment: "adaptive", "fixed" or "none".
        share: probability when fixed.
        r1: weight of the gradient penalty.
        truncation: of samples, 1 for none.
    """

    classes_in_turn = False

    def __init__(self, *, px: int, width: int, lr: float, condition: str, augment: str, share: float, r1: float, truncation: float):
        super().__init__()
        for key, value, known in (
            ("gan_condition", condition, ("one-hot", "number")),
            ("gan_augment", augment, ("adaptive", "fixed", "none")),
        ):
            if value not in known:
                raise StudyError(f"{key} is {value!r}; choices: {', '.join(known)}")
        self.settings = {
            "px": px,
            "width": width,
            "lr": lr,
            "condition": condition,
            "augment": augment,
            "share": share,
            "r1": r1,
            "truncation": truncation,
        }
        conditions, size = len(CLASSES) if condition == "one-hot" else 1, 8 * width
        self.maker, self.judge = Generator(px, width, conditions, size), Discriminator(px, width, conditions, size)
        self.average = copy.deepcopy(self.maker).requires_grad_(False)
        self.register_buffer("p", torch.tensor(share if augment == "fixed" else 0.0))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("path_mean", torch.zeros(()))
        self.to(memory_format=torch.channels_last)

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side, corrected for lazy regularisation as in Karras et al. 2020, appendix B."""
        made = {}
        for name, network, every in (("maker", self.maker, PATH_EVERY), ("judge", self.judge, R1_EVERY)):
            ratio = every / (every + 1)
            made[name] = torch.optim.Adam(network.parameters(), self.settings["lr"] * ratio, (0.0, 0.99**ratio), eps=1e-8)
        return made

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of each network; regularise when it is due."""
        images = torch.where(torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5, images, images.flip(3))
        c, batch = condition(labels, self.settings["condition"]), len(images) * processes(images.device.type).num_processes
        losses = self.maker_step(c[torch.randperm(len(c), device=c.device)], step, optimisers["maker"])
        losses |= self.judge_step(images, c, step, optimisers["judge"])
        if self.settings["augment"] == "adaptive" and step % ADA_EVERY == ADA_EVERY - 1:
            self.p.copy_(adapted(self.p, together(self.signs) / ADA_EVERY, ADA_EVERY * batch))
            self.signs.zero_()
        memory = min(AVERAGED_IMAGES, (step + 1) * batch * 0.05)  # short at first
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.maker.parameters()), 1 - 0.5 ** (batch / memory))
            self.average.mapping.mean.copy_(self.maker.mapping.mean)
        return losses | {"augmentation": self.p.clone()}

    def maker_step(self, c, step: int, optimiser) -> dict[str, torch.Tensor]:
        """Make the judge take images for real; every PATH_EVERY steps keep path lengths even."""
        self.judge.requires_grad_(False)
        with half(c):
            loss = softplus(-self.judge(self.seen(self.make(self.random_styles(c))), c)).mean()
        descend(optimiser, loss)
        losses = {"loss_generator": loss.detach()}
        if step % PATH_EVERY == 0:
            penalty, lengths = path_length(self.maker.synthesis, self.random_styles(c[: max(1, len(c) // 2)]), self.path_mean)
            self.path_mean.lerp_(lengths.detach().mean(), PATH_DECAY)
            descend(optimiser, PATH_EVERY * PATH_WEIGHT * penalty)
        self.judge.requires_grad_(True)
        return losses

    def judge_step(self, images, c, step: int, optimiser) -> dict[str, torch.Tensor]:
        """Tell real images from made ones; every R1_EVERY steps keep the judge's slope at real images small."""
        with torch.no_grad(), half(c):
            made = self.make(self.random_styles(c))
        with half(c):
            real, fake = self.judge(self.seen(images), c), self.judge(self.seen(made), c)
        loss = softplus(-real).mean() + softplus(fake).mean()
        descend(optimiser, loss)
        self.signs += real.detach().sign().mean()
        if step % R1_EVERY == 0:
            descend(optimiser, R1_EVERY * self.settings["r1"] / 2 * slope(self.judge, self.seen(images), c))
        return {"loss_discriminator": loss.detach()}

    def random_styles(self, c) -> torch.Tensor:
        """Styles of random noise; most images take their later layers' style from a second one."""
        first, second = (self.maker.styles(torch.randn(len(c), self.maker.size, device=c.device), c) for _ in range(2))
        layers = first.shape[1]
        cut = torch.where(torch.rand(len(c), device=c.device) < MIXED_SHARE, torch.randint(1, layers, (len(c),), device=c.device), layers)
        return torch.where((torch.arange(layers, device=c.device) < cut[:, None])[:, :, None], first, second)

    def make(self, styles) -> torch.Tensor:
        """Images of styles with fresh noise."""
        return self.maker.synthesis(styles, torch.randn(len(styles), self.maker.synthesis.noise_size(), device=styles.device))

    def seen(self, images) -> torch.Tensor:
        """Images as the judge sees them; where each of their pixels goes is computed in float32."""
        if self.settings["augment"] == "none":
            return images
        with torch.autocast(images.device.type, enabled=False):
            return augment(images.float(), self.p)

    def draw(self, labels, seeds) -> torch.Tensor:
        """Make images of labels and seeds, int64 (N,) arrays, with the averaged weights; float (N, 1, px, px) in [-1, 1]."""
        device, size = self.p.device, self.average.size
        numbers = seed_noise(seeds, (size + self.average.synthesis.noise_size(),)).to(device)
        c = condition(torch.as_tensor(labels, device=device), self.settings["condition"])
        return self.average.synthesis(self.average.styles(numbers[:, :size], c, self.settings["truncation"]), numbers[:, size:])


def slope(judge, images: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """Average the squared norm of the judge's gradient at images (R1), scalar."""
    images = images.detach().requires_grad_(True)
    gradient = torch.autograd.grad(judge(images, c).sum(), images, create_graph=True)[0]
    return gradient.square().sum((1, 2, 3)).mean()


def path_length(synthesis, styles: torch.Tensor, mean: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how far a random image direction moves the styles, and how uneven that is.

    Returns:
        penalty (scalar): mean squared deviation of the lengths from their running mean; lengths (N,).

    Source: Karras et al. 2020, eq. 4.
    """
    images = synthesis(styles, torch.randn(len(styles), synthesis.noise_size(), device=styles.device))
    direction = torch.randn_like(images) / math.sqrt(images[0, 0].numel())
    gradient = torch.autograd.grad((images * direction).sum(), styles, create_graph=True)[0]
    lengths = gradient.square().sum(2).mean(1).sqrt()
    target = mean.lerp(lengths.detach().mean(), PATH_DECAY)
    return (lengths - target).square().mean(), lengths
