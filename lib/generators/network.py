"""What the training loop needs of a network, and how networks run in mixed precision."""

import copy

import numpy as np
import torch
from torch import nn

from lib.compute.devices import autocast, precision_on
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError

# Setting of a trained generator: precision of `precision_on`.
PRECISIONS = {"auto": "bf16", "fp32": "fp32"}


class Network(nn.Module):
    """A network, or a generator and its discriminator, with its rules of training and sampling.

    All randomness of `update` comes from torch's global generator, which the loop seeds at each
    step; a resumed training then draws what an unbroken one would have drawn.

    Args:
        settings: all that the network was made with, by the names of its arguments; JSON.
    """

    # True: all images of a batch are of one class, and the classes take turns.
    one_class_per_batch = False
    # Steps in which the learning rate rises from almost 0 to what it is set to.
    warm_up_steps = 0
    # Settings that only sampling depends on; trainings that differ in nothing else are the same.
    sampling_settings: tuple[str, ...] = ()
    # Settings that came later, with the values at which a training is what it was without them.
    added_settings: dict = {}
    # Settings of training that sampling may choose anew.
    shared_settings: tuple[str, ...] = ()
    # Settings of sampling that choose which weights draw; a weights file holds these alone.
    weight_settings: tuple[str, ...] = ()
    # Changes of these settings, one for each set of weights that could draw.
    weight_choices: tuple[dict, ...] = ({},)
    # Beginnings of the names of weights that a weights file holds in float32 instead of float16.
    exact_weights: tuple[str, ...] = ()
    # Parts that draw images; the others are needed in training alone.
    drawing_parts: tuple[str, ...] = ()
    # Whether `edit` works.
    can_edit = False

    def __init__(self, settings: dict):
        super().__init__()
        self.settings = settings

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make a new optimiser for each part that is trained by its own loss, by name."""
        raise NotImplementedError

    def targets(self, faces: FaceSet) -> np.ndarray:
        """Choose the labels that `update` gets, a row an image; those of the face set by default.

        Returns:
            int64 (N,), or float32 (N, classes) for a network that learns from soft labels.
        """
        return faces.labels

    def update(
        self,
        images: torch.Tensor,  # float32 (N, 1, px, px) in [-1, 1]
        labels: torch.Tensor,  # rows of what `targets` gave, int64 (N,) by default
        step: int,  # from 0
        optimisers: dict,  # as `optimisers` made them
    ) -> dict[str, torch.Tensor]:
        """Take one step of training.

        Returns:
            Losses and other scalars to log, without gradient; names of losses begin with loss.
        """
        raise NotImplementedError

    def draw(self, labels: np.ndarray, seeds: np.ndarray) -> torch.Tensor:
        """Make images of labels and seeds, int64 (N,) each; float (N, 1, px, px) in [-1, 1]."""
        raise NotImplementedError

    def edit(
        self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, *, strength: float
    ) -> np.ndarray:
        """Give images, uint8 (N, H, W), the classes `labels`: uint8 (N, px, px).

        See Generator.edit.
        """
        raise NotImplementedError

    def drawing_weights(self) -> dict[str, torch.Tensor]:
        """Collect the weights that draw, by name: what a weights file holds."""
        state = self.state_dict()
        return {name: state[name] for name in state if name.split(".")[0] in self.drawing_parts}

    def with_settings(self, changes: dict) -> "Network":
        """Give a view of the network with settings of sampling changed; the weights are shared."""
        view = copy.copy(self)
        view.settings = self.settings | changes
        return view

    def load_drawing_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """Load in place what drawing_weights collected; such a network draws, and is not trained.

        Args:
            weights: of the names and shapes of drawing_weights, any precision.
        """
        self.load_state_dict(self.state_dict() | weights)


def autocast_like(images: torch.Tensor, wanted: str = "mixed") -> torch.autocast:
    """Let operations run in bfloat16 where the images' device multiplies it fast.

    Args:
        images: on the device.
        wanted: a precision of `precision_on`; by default bfloat16 on recent GPUs alone. Where it is
            missing all is float32, for float16 would need its losses scaled.
    """
    device = images.device.type
    return autocast(device, precision_on(device, wanted))


def check_precision(precision: str) -> None:
    """Stop at a precision that is none.

    Raises:
        StudyError: see above.
    """
    if precision not in PRECISIONS:
        raise StudyError(f"gan_precision is {precision!r}; choices: {', '.join(PRECISIONS)}")
