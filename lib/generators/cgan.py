"""S2's plain conditional GAN, of dense layers: noise times label embedding. And ACGAN, whose judge also names the class.

Source: Mirza and Osindero 2014, arXiv 1411.1784; Odena et al. 2017, arXiv 1610.09585.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lib.faces.faceset import CLASSES
from lib.generators.dcgan import BETAS, Judge, Maker, bce
from lib.generators.processes import descend, half
from lib.generators.sampling import seed_noise

NOISE = 100


class CGAN(nn.Module):
    """S2's conditional GAN: the noise is multiplied by the label's embedding, both networks are dense.

    Args:
        px: side of the images.
        width: sixteenth of the widest hidden layer's units.
        lr: Adam's learning rate.
    """

    classes_in_turn = False

    def __init__(self, *, px: int, width: int, lr: float):
        super().__init__()
        self.settings = {"px": px, "width": width, "lr": lr}
        small, large = 8 * width, 16 * width
        self.label = nn.Embedding(len(CLASSES), NOISE)
        self.maker = nn.Sequential(
            nn.Linear(NOISE, small), nn.LeakyReLU(0.2), nn.BatchNorm1d(small), nn.Linear(small, large), nn.LeakyReLU(0.2),
            nn.BatchNorm1d(large),
            nn.Linear(large, px * px), nn.Tanh())  # fmt: skip
        self.judge_label = nn.Embedding(len(CLASSES), px * px)
        self.judge = nn.Sequential(
            nn.Linear(2 * px * px, large), nn.LeakyReLU(0.2), nn.Linear(large, small), nn.LeakyReLU(0.2), nn.Linear(small, 1)
        )

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side."""
        makers, judges = [*self.label.parameters(), *self.maker.parameters()], [*self.judge_label.parameters(), *self.judge.parameters()]
        return {
            "maker": torch.optim.Adam(makers, self.settings["lr"], BETAS),
            "judge": torch.optim.Adam(judges, self.settings["lr"], BETAS),
        }

    def make(self, noise, labels) -> torch.Tensor:
        """Noise (N, NOISE) and labels (N,) to images (N, 1, px, px) in [-1, 1]."""
        px = self.settings["px"]
        return self.maker(noise * self.label(labels)).view(-1, 1, px, px)

    def judged(self, images, labels) -> torch.Tensor:
        """One logit an image, positive for real."""
        return self.judge(torch.cat([images.flatten(1), self.judge_label(labels)], 1))[:, 0]

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of the judge, then one of the maker; wanted classes are drawn at random."""
        wanted = torch.randint(len(CLASSES), labels.shape, device=labels.device)
        with half(images):
            made = self.make(torch.randn(len(labels), NOISE, device=labels.device), wanted)
            loss_judge = bce(self.judged(images, labels), 1.0) + bce(self.judged(made.detach(), wanted), 0.0)
        descend(optimisers["judge"], loss_judge)
        with half(images):
            loss_maker = bce(self.judged(made, wanted), 1.0)
        descend(optimisers["maker"], loss_maker)
        return {"loss_generator": loss_maker.detach(), "loss_discriminator": loss_judge.detach()}

    def draw(self, labels, seeds) -> torch.Tensor:
        """Make images of labels and seeds, int64 (N,) arrays; float (N, 1, px, px) in [-1, 1]."""
        device = self.label.weight.device
        return self.make(seed_noise(seeds, (NOISE,)).to(device), torch.as_tensor(labels, device=device))


class ACGAN(nn.Module):
    """ACGAN on DCGAN's layers: the judge sees no label, it names the class of real and made images alike.

    Args:
        px: side of the images, a multiple of 8.
        width: channels of the layers of highest resolution.
        lr: Adam's learning rate.
    """

    classes_in_turn = False

    def __init__(self, *, px: int, width: int, lr: float):
        super().__init__()
        self.settings = {"px": px, "width": width, "lr": lr}
        self.maker = Maker(px, width, conditional=True)
        self.judge = Judge(px, width, conditional=False, outputs=1 + len(CLASSES))
        self.to(memory_format=torch.channels_last)

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side."""
        return {name: torch.optim.Adam(getattr(self, name).parameters(), self.settings["lr"], BETAS) for name in ("maker", "judge")}

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of the judge (real or made, and which class), then one of the maker (to pass for real and of its class)."""
        wanted = torch.randint(len(CLASSES), labels.shape, device=labels.device)
        with half(images):
            made = self.maker(torch.randn(len(labels), NOISE, device=labels.device), wanted)
            real, fake = self.judge(images).float(), self.judge(made.detach()).float()
        named = cross_entropy(real[:, 1:], labels) + cross_entropy(fake[:, 1:], wanted)
        loss_judge = bce(real[:, 0], 1.0) + bce(fake[:, 0], 0.0) + named
        descend(optimisers["judge"], loss_judge)
        with half(images):
            fake = self.judge(made).float()
        loss_maker = bce(fake[:, 0], 1.0) + cross_entropy(fake[:, 1:], wanted)
        descend(optimisers["maker"], loss_maker)
        return {"loss_generator": loss_maker.detach(), "loss_discriminator": loss_judge.detach(), "loss_class": named.detach()}

    def draw(self, labels, seeds) -> torch.Tensor:
        """Make images of labels and seeds, int64 (N,) arrays; float (N, 1, px, px) in [-1, 1]."""
        device = self.maker.embedding.weight.device
        return self.maker(seed_noise(seeds, (NOISE,)).to(device), torch.as_tensor(labels, device=device))
