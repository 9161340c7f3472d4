"""A training run: everything that training changes, and the settings it goes by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from ..functional import Array
from ..importance import IWAE
from ..model import VAE
from ..optim import Adam
from .chance import Stream
from .config import Config

VECTORS = ("parameters", "gradient_sum", "square_sum")  # as a checkpoint names them
COLUMNS = (
    "epoch",
    *("train_loss", "train_reconstruction", "train_kl"),
    *("val_loss", "val_reconstruction", "val_kl"),
    *("mean_of_means", "mean_of_log_vars", "seconds"),
)


def new_model(config: Config, x_dim: int, dtype: DTypeLike = np.float32) -> VAE:
    """The model that ``config`` asks for, with initial weights, for images of x_dim pixels."""
    sizes = (x_dim, *config.hidden, config.z_dim)
    if config.importance_samples == 1:
        return VAE(*sizes, config.reconstruction, dtype, config.seed)
    return IWAE(
        *sizes, config.reconstruction, dtype, config.seed,
        samples=config.importance_samples, bound=config.bound,
    )  # fmt: skip


@dataclass(repr=False)
class Run:
    """Everything that training changes, and the settings it goes by: what a checkpoint holds.

    ``history`` has a row per finished epoch, from ``COLUMNS`` to numbers; losses are per image.
    """

    config: Config
    image_shape: tuple[int, int]
    vae: VAE
    adam: Adam
    rng: np.random.Generator
    history: list[dict[str, float]]

    def __repr__(self) -> str:
        epochs = f"{len(self.history)} of {self.config.epochs} epochs"
        loss = f", validation loss {self.history[-1]['val_loss']:.3f}" if self.history else ""
        return f"<Run on {self.config.dataset}: {epochs}{loss}, {self.vae}>"

    @classmethod
    def start(cls, config: Config, image_shape: tuple[int, int]) -> "Run":
        """A run before its first epoch."""
        vae = new_model(config, image_shape[0] * image_shape[1])
        adam = Adam(vae.parameters, lr=config.lr, weight_decay=config.weight_decay)
        return cls(config, image_shape, vae, adam, Stream.TRAINING.generator(config.seed), [])

    def vectors(self) -> dict[str, Array]:
        """The arrays that a training step changes: the parameters and Adam's sums, each flat."""
        values = (self.vae.parameters.flat, self.adam.gradient_sum, self.adam.square_sum)
        return dict(zip(VECTORS, values, strict=True))
