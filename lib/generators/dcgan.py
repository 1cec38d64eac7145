"""S3's DCGAN: dense and transposed convolutions against convolutions with dropout; conditional on the class, or one GAN a class.

Source: Radford et al. 2016, arXiv 1511.06434; S3 (internship report 2024): LeakyReLU in both networks, dense head, Adam.
Differs: the class enters through an embedding beside the noise, and the discriminator by
projection (Miyato and Koyama 2018, arXiv 1802.05637,
eq. 3): as a channel of its input the class is ignored in short trainings, and the generator's classes come out permuted. The discriminator
also learns to turn down real images under a wrong class (Reed et al. 2016, arXiv 1605.05396, algorithm 1), or it hardly looks at the class.
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lib.faces.faceset import CLASSES
from lib.generators.processes import descend, half
from lib.generators.sampling import seed_noise
from lib.study.errors import StudyError

NOISE, LABEL = 100, 10  # components of the noise and of a class: as many of both, and each class collapses to one image
BETAS = (0.5, 0.999)


class Maker(nn.Module):
    """Noise and label to an image in [-1, 1]: dense, batch norm, LeakyReLU, three transposed convolutions."""

    def __init__(self, px: int, width: int, conditional: bool):
        super().__init__()
        self.embedding = nn.Embedding(len(CLASSES), LABEL) if conditional else None
        self.start = (4 * width, px // 8, px // 8)
        self.dense = nn.Sequential(
            nn.Linear(NOISE + LABEL * conditional, 4 * width * (px // 8) ** 2, bias=False),
            nn.BatchNorm1d(4 * width * (px // 8) ** 2),
            nn.LeakyReLU(0.2),
        )
        layers = []
        for inner, outer in ((4 * width, 2 * width), (2 * width, width)):
            layers += [nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh())

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.embedding is not None:
            noise = torch.cat([noise, self.embedding(labels)], 1)
        return self.layers(self.dense(noise).view(-1, *self.start))


class Judge(nn.Module):
    """Image and label to logits, positive for real: three convolutions with LeakyReLU and dropout, then dense.

    Returns float (N,), or (N, outputs) where there are several.
    """

    def __init__(self, px: int, width: int, conditional: bool, outputs: int = 1):
        super().__init__()
        self.layers = nn.Sequential()
        for inner, outer in ((1, width), (width, 2 * width), (2 * width, 4 * width)):
            self.layers.extend([nn.Conv2d(inner, outer, 4, 2, 1), nn.LeakyReLU(0.2), Dropout(0.3)])
        flat = 4 * width * (px // 8) ** 2
        self.dense = nn.Linear(flat, outputs)
        self.embedding = nn.Embedding(len(CLASSES), flat) if conditional else None
        if conditional:
            nn.init.normal_(self.embedding.weight, 0.0, 0.02)

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.judged(self.seen(images), labels)

    def seen(self, images: torch.Tensor) -> torch.Tensor:
        """Features of images, (N, flat)."""
        return self.layers(images).flatten(1)

    def judged(self, features: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """Logits of features under labels."""
        logits = self.dense(features)
        if self.embedding is not None:
            logits = logits + (self.embedding(labels) * features).sum(1, keepdim=True)
        return logits[:, 0] if logits.shape[1] == 1 else logits


class Dropout(nn.Module):
    """Dropout from random bytes: torch's own takes half of a step's time on a CPU. The share is rounded to 1/256."""

    def __init__(self, share: float):
        super().__init__()
        self.dropped = round(share * 256)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)  # all 64 bits
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.dropped
        return x * (kept.to(x.dtype) * (256 / (256 - self.dropped)))


class DCGAN(nn.Module):
    """Both networks and their rules of training.

    Args:
        px: side of the images, a multiple of 8.
        width: channels of the layers of highest resolution.
        lr: Adam's learning rate of both networks.
        conditional: the class enters both networks; otherwise each class has a pair of networks of its own, trained in turn.
    """

    def __init__(self, *, px: int, width: int, lr: float, conditional: bool):
        super().__init__()
        if px % 8:
            raise StudyError(f"gan_px is {px}; a DCGAN doubles its image three times, so it must be a multiple of 8, such as 48 or 64")
        self.settings = {"px": px, "width": width, "lr": lr, "conditional": conditional}
        self.classes_in_turn = not conditional
        pairs = 1 if conditional else len(CLASSES)
        self.makers = nn.ModuleList([Maker(px, width, conditional) for _ in range(pairs)])
        self.judges = nn.ModuleList([Judge(px, width, conditional) for _ in range(pairs)])
        for layer in self.makers.modules():
            if isinstance(layer, (nn.ConvTranspose2d, nn.Linear)):
                nn.init.normal_(layer.weight, 0.0, 0.02)  # the judge has no batch norm: weights as small would leave it without a gradient
        self.to(memory_format=torch.channels_last)  # a quarter faster on a CPU

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side."""
        lr = self.settings["lr"]
        return {
            "makers": torch.optim.Adam(self.makers.parameters(), lr, BETAS),
            "judges": torch.optim.Adam(self.judges.parameters(), lr, BETAS),
        }

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of the judge, then one of the maker; float (N, 1, px, px) in [-1, 1] and int64 (N,)."""
        pair = int(labels[0]) if self.classes_in_turn else 0
        maker, judge = self.makers[pair], self.judges[pair]
        with half(images):
            made = maker(torch.randn(len(images), NOISE, device=images.device), labels)
            features, fake = judge.seen(images), judge(made.detach(), labels)
            real = judge.judged(features, labels)
            loss_judge = bce(real, 1.0) + bce(fake, 0.0)
            if judge.embedding is not None:  # a real image of another class than stated
                others = (labels + torch.randint_like(labels, 1, len(CLASSES))) % len(CLASSES)
                loss_judge = bce(real, 1.0) + (bce(fake, 0.0) + bce(judge.judged(features, others), 0.0)) / 2
        descend(optimisers["judges"], loss_judge)
        judge.requires_grad_(False)
        with half(images):
            loss_maker = bce(judge(made, labels), 1.0)
        descend(optimisers["makers"], loss_maker)
        judge.requires_grad_(True)
        return {"loss_generator": loss_maker.detach(), "loss_discriminator": loss_judge.detach()}

    def draw(self, labels, seeds) -> torch.Tensor:
        """Make images of labels and seeds, int64 (N,) arrays; float (N, 1, px, px) in [-1, 1]."""
        device = next(self.parameters()).device
        noise, kinds = seed_noise(seeds, (NOISE,)).to(device), torch.as_tensor(labels, device=device)
        if not self.classes_in_turn:
            return self.makers[0](noise, kinds)
        # each pair sees the whole batch, so that shapes never depend on how many rows are of its class
        every = torch.stack([maker(noise, kinds) for maker in self.makers])
        return every[kinds, torch.arange(len(kinds), device=device)]


def bce(logits: torch.Tensor, target: float) -> torch.Tensor:
    """Average the binary cross-entropy of logits against one target."""
    return binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits, target, dtype=torch.float32))
