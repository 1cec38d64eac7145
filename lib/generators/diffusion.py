"""Class-conditional diffusion of faces: an EDM denoiser on pixels, trained with Muon.

Source: Karras et al. 2022, arXiv 2206.00364 (EDM); Karras et al. 2023, arXiv 2312.02696 (averages
of weights of a chosen length); Meng et al. 2022, arXiv 2108.01073 (SDEdit, image to image). What
the parts are made after stands in their modules: edm, diffusion_networks, muon, averages.

Measured on FER2013 at 48 px, one core of a shared AMD EPYC (Zen 4) with avx512_bf16, one seed;
label agreement by a classifier that is right on 66% of real faces, Frechet distance (FD) in its
features, n 600 to 1,000. The first five lines are those of a pilot of the same design.

    what                                   this                      instead of
    training, 296 s (this: 210 to 420)     28 to 45%, FD 1.3 - 0.7   31%, FD 1.5: DDPM, Adam
    the same after 1,200 s                 62%, FD 0.23
    guidance 3                             59%, FD 0.25              1: 36%, 0.55; 2: 48%, 0.34;
                                                                     4: 63%, 0.26
    12 steps of the sampler                58%, FD 0.25              20 steps: 57%, FD 0.27
    Muon, loss after 75 s                  0.476                     Adam: 0.546
    bfloat16, training 4.1 M weights       86 - 102 images/s         float32: 54 - 63
    bfloat16, training 1.6 M weights       127 images/s              float32: 97
    bfloat16, sampling 4.1 M, n 128        14.7 - 15.4 images/s      float32: 9.4 - 10.0
    bfloat16, sampling 1.6 M, n 128        24.4 - 28.2 images/s      float32: 15.9 - 17.9

On one NVIDIA H200 a network of 4.4 M weights saw 3.5 million images in six minutes beside four
other trainings (reports/weights/diffusion-long.md): 66% and FD 0.08 at guidance 1.5, n 28,709, by a
classifier that is right on 61% of real faces.
Guided at 1.5 by a weaker network instead (diffusion.safetensors, 460,000 images seen) its images
lie nearer to real ones and show their class less: FD 0.54 instead of 0.71, agreement 51 instead of
60% (n 2,000, another classifier, right on 54%; 2,000 real training images 0.20).

So 28,709 images take 17 to 20 minutes with 1.6 M weights and 31 to 33 with 4.1 M; batches of 64 or
128 are no faster than 32. bfloat16 pays on CPUs that have avx512_bf16; others compute in float32.
Images in bfloat16 differ from those in float32 by 0.44 grey levels on average and 4 at most; in
float32 the kernels of another CPU (avx2) changed one pixel of 74,000 by one grey level (n 32). Who
needs the same bytes on any CPU, as nearly as there are, sets gan_precision to fp32.
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.functional import one_hot

from lib.compute.devices import precision_on
from lib.compute.processes import backward_and_step
from lib.faces.faceset import FaceSet, resize
from lib.generators.averages import LONGEST, update_average
from lib.generators.diffusion_augmentation import AUGMENTATIONS, augment, mirror
from lib.generators.diffusion_networks import UNet
from lib.generators.edm import SIGMA_MAX, Sampler, training_loss
from lib.generators.muon import MuonAdam
from lib.generators.network import PRECISIONS, Network, autocast_like, check_precision
from lib.generators.sampling import from_grey, sample_rows, seed_noise
from lib.study.errors import StudyError

LENGTHS = (0.05, 0.1, 0.2)  # of the averages of weights, shares of the training so far
# Soft labels: name, and beginning of the columns that hold them, one a class.
SOFT_LABELS = {"votes": "votes_", "predicted": "probability_"}

# Beginnings of the names of weights that Adam trains: the ends of the network.
OUTER_WEIGHTS = (
    "conv_in",
    "conv_out",
    "noise_embedding",
    "label_embedding",
    "augmentation_embedding",
)


class Diffusion(Network):
    """A denoiser, and running averages of its weights, one of which draws.

    Raises:
        StudyError: sizes, an average or an interval that do not fit.
    """

    warm_up_steps = 50
    sampling_settings = ("guidance", "interval", "sample_steps", "average", "guide")
    shared_settings = ("precision",)
    weight_settings = ("average",)
    added_settings = {"soft_labels": "votes"}
    exact_weights = ("noise_features",)  # frequencies, which float16 rounds too coarsely
    can_edit = True

    def __init__(
        self,
        *,
        px: int,  # side of the images, a multiple of patch * 2 ** (levels - 1)
        n_classes: int,
        lr: float,  # MuonAdam's learning rate
        channels: list[int],  # of each level, finest first; multiples of 16 are fastest
        blocks: list[int],  # residual blocks of each level
        patch: int = 2,  # side of the squares whose pixels become channels
        dropout: float = 0.0,  # inside the blocks
        augment_share: float = 0.0,  # probability of each of EDM's augmentations, 0: mirror alone
        votes_share: float = 0.0,  # of soft labels in the label vector, 0: own labels alone
        soft_labels: str = "votes",  # which: FER+'s votes, or predicted by label classifiers
        precision: str = "auto",  # auto: bfloat16 where the device multiplies it; or fp32
        guidance: float = 3.0,  # weight of the labelled prediction, 1: no guidance
        interval: list[float] = (0.15, 10.0),  # noise levels between which guidance holds
        sample_steps: int = 12,  # noise levels of the sampler
        average: float = 0.1,  # length of the average that draws
        guide: str = "",  # weights file of a weaker network to guide by; "": the same, unlabelled
    ):
        super().__init__(
            {
                "px": px,
                "n_classes": n_classes,
                "lr": lr,
                "channels": list(channels),
                "blocks": list(blocks),
                "patch": patch,
                "dropout": dropout,
                "augment_share": augment_share,
                "votes_share": votes_share,
                "soft_labels": soft_labels,
                "precision": precision,
                "guidance": guidance,
                "interval": list(interval),
                "sample_steps": sample_steps,
                "average": average,
                "guide": guide,
            }
        )
        _check_sampling(precision, interval, sample_steps, average)
        if soft_labels not in SOFT_LABELS:
            choices = ", ".join(SOFT_LABELS)
            raise StudyError(f"diffusion_soft_labels is {soft_labels!r}; choices: {choices}")
        self.precision = PRECISIONS[precision]

        # Networks.
        self.model = UNet(
            px=px,
            n_classes=n_classes,
            channels=tuple(channels),
            blocks=tuple(blocks),
            patch=patch,
            augmentation=AUGMENTATIONS if augment_share else 0,
            dropout=dropout,
        )
        # An average of another length than the usual ones is the only one.
        self.lengths = LENGTHS if average in LENGTHS else (average,)
        copies = [copy.deepcopy(self.model) for _ in self.lengths]
        self.averages = nn.ModuleList(copies).requires_grad_(False)

        # The guide is no part of this network: it is neither trained nor saved with it.
        self.guides = [load_guide(guide, px, n_classes)] if guide else []

    # ----------------------------------------------------------------------------------------------
    # Training.

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make MuonAdam for the denoiser."""
        sixteen_bits = precision_on(self.device().type, self.precision) == "bf16"
        lr = self.settings["lr"]
        optimiser = MuonAdam(self.model, lr, outer=OUTER_WEIGHTS, sixteen_bits=sixteen_bits)
        return {"model": optimiser}

    def targets(self, faces: FaceSet) -> np.ndarray:
        """Choose the labels to learn: those of the face set, or soft labels mixed with them.

        Returns:
            int64 (N,), the labels of the face set, if the setting votes_share is 0; else float32
            (N, C), the one-hot labels averaged with the soft ones, weighted by votes_share.

        Raises:
            StudyError: votes_share is above 0, but the face set has no such soft labels.
        """
        share, kind = self.settings["votes_share"], self.settings["soft_labels"]
        if not share:
            return faces.labels
        columns = [f"{SOFT_LABELS[kind]}{name}" for name in faces.classes]
        missing = [column for column in columns if column not in faces.table]
        if missing:
            raise StudyError(
                f"diffusion_votes_share is {share}, but the faces have no column {missing[0]!r}: "
                "give FER+'s votes (ferplus), choose diffusion_soft_labels: predicted, or set it "
                "to 0"
            )

        # An image without votes on these classes keeps its own label.
        own = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
        votes = faces.table[columns].to_numpy(np.float32, na_value=0)
        totals = votes.sum(1, keepdims=True)
        shares = np.where(totals > 0, votes / np.maximum(totals, 1), own)
        return ((1 - share) * own + share * shares).astype(np.float32)

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of denoising images that are mirrored, and augmented, at random."""
        # Augment.
        images, augmentation = mirror(images), None
        if self.settings["augment_share"]:
            images, augmentation = augment(images, self.settings["augment_share"])

        # Update the weights.
        with autocast_like(images, self.precision):
            loss = training_loss(self.model, images, self.label_vectors(labels), augmentation)
        backward_and_step(optimisers["model"], loss)

        # Average.
        for length, average in zip(self.lengths, self.averages):
            update_average(average, self.model, step + 1, length)
        return {"loss": loss.detach()}

    # ----------------------------------------------------------------------------------------------
    # Sampling.

    def draw(self, labels: np.ndarray, seeds: np.ndarray) -> torch.Tensor:
        """Make images of labels and seeds; see Network.draw."""
        px = self.settings["px"]
        noise = seed_noise(seeds, (1, px, px)).to(self.device())
        return self.sample_from(noise * SIGMA_MAX, labels)

    def edit(
        self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, *, strength: float
    ) -> np.ndarray:
        """Give faces another class: noise them part of the way, denoise them to the class.

        Args:
            images: uint8 (N, H, W).
            labels: int64 (N,), wanted classes.
            seeds: int64 (N,), of the noise.
            strength: share of the sampler's steps, 0 (the image itself) to 1 (an image made from
                noise).

        Returns:
            uint8 (N, px, px); image i depends on its own image, label and seed alone.

        Raises:
            StudyError: a strength below 0 or above 1.
        """
        if not 0 <= strength <= 1:
            raise StudyError(f"strength is {strength}; editing needs one of 0 to 1")

        # Find the part of the sampler's way that is done anew.
        px = self.settings["px"]
        images = resize(images, px)
        sigmas = self.sampler().sigmas()
        first = len(sigmas) - round(strength * len(sigmas))
        if first == len(sigmas):
            return images.copy()

        # Noise each face to the beginning of that part, and denoise it.
        clean = torch.from_numpy(images)

        def draw(labels: np.ndarray, rows: np.ndarray) -> torch.Tensor:
            noise = seed_noise(seeds[rows], (1, px, px)).to(self.device())
            sources = from_grey(clean[rows]).to(self.device())
            return self.sample_from(sources + sigmas[first] * noise, labels, first=first)

        return sample_rows(draw, np.asarray(labels), np.arange(len(images)))

    def sample_from(self, noisy: torch.Tensor, labels, *, first: int = 0) -> torch.Tensor:
        """Run the sampler from images with the noise of its level `first` to clean ones.

        Args:
            noisy: float (N, 1, px, px).
            labels: int64 (N,), wanted classes.
            first: number of the noise level, 0 for the largest.
        """
        wanted = self.label_vectors(torch.as_tensor(labels, device=noisy.device))
        with autocast_like(noisy, self.precision):
            return self.sampler().run(self.drawing_average(), noisy, wanted, first=first)

    def sampler(self) -> Sampler:
        """Make the sampler of the settings."""
        guides = [guide.to(self.device()) for guide in self.guides]
        return Sampler(
            steps=self.settings["sample_steps"],
            guidance=self.settings["guidance"],
            interval=tuple(self.settings["interval"]),
            guide=guides[0] if guides else None,
        )

    # ----------------------------------------------------------------------------------------------
    # Weights and labels.

    def drawing_average(self) -> UNet:
        """Return the average that draws."""
        return self.averages[self.lengths.index(self.settings["average"])]

    def drawing_weights(self) -> dict[str, torch.Tensor]:
        """Collect the weights of the average that draws, named as in UNet."""
        return self.drawing_average().state_dict()

    @property
    def weight_choices(self) -> tuple[dict, ...]:
        """The averages that could draw; see Network."""
        return tuple({"average": length} for length in self.lengths)

    def load_drawing_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """Load the average that draws; see Network.load_drawing_weights."""
        self.drawing_average().load_state_dict(weights)

    def label_vectors(self, labels: torch.Tensor) -> torch.Tensor:
        """Turn labels, int64 (N,), into float32 (N, classes); vectors stay as they are."""
        if labels.ndim == 2:
            return labels
        return one_hot(labels, self.settings["n_classes"]).float()

    def device(self) -> torch.device:
        """Name the device of the weights."""
        return next(self.parameters()).device


def load_guide(path: str, px: int, n_classes: int) -> UNet:
    """Read the network that a diffusion model is guided by from a weights file.

    Args:
        path: of the file; a weaker network: smaller, or trained on fewer images.
        px: side of the images that it must draw.
        n_classes: number of classes that it must know.

    Raises:
        StudyError: no such file, or of another kind of generator, size or number of classes.
    """
    from lib.generators.weights import read_generator

    guide = read_generator(path)
    if not isinstance(guide.network, Diffusion):
        raise StudyError(f"{path}: weights of {guide.name}; diffusion is guided by diffusion")
    if (guide.px, len(guide.classes)) != (px, n_classes):
        raise StudyError(
            f"{path}: draws {len(guide.classes)} classes at {guide.px} px; a guide must draw "
            f"{n_classes} classes at {px} px"
        )
    return guide.network.drawing_average().eval()


def _check_sampling(precision: str, interval, sample_steps: int, average: float) -> None:
    """Stop at settings of which no sampler can be made."""
    check_precision(precision)
    if len(interval) != 2 or interval[0] > interval[1]:
        raise StudyError(
            f"diffusion_interval is {list(interval)}; it needs two noise levels, the lower first"
        )
    if sample_steps < 2:
        raise StudyError(f"diffusion_sample_steps is {sample_steps}; the sampler needs 2 or more")
    if not 0 < average < LONGEST:
        raise StudyError(
            f"diffusion_average is {average}; an average has a length above 0 and below {LONGEST}"
        )
