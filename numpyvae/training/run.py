"""A training run: everything that training changes, and the settings it goes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from ..data.dataset import Dataset
from ..data.files import StrPath
from ..data.pixels import ImageShape, has_colour, in_words
from ..errors import InputError, LossNotFiniteError
from ..functional import Array, reparameterize
from ..importance import IWAE
from ..model import VAE
from ..network import Network
from ..networks import NETWORKS
from ..optim import Adam
from .chance import Stream
from .config import Config

VECTORS = ("parameters", "gradient_sum", "square_sum")  # as a checkpoint names them
COLUMNS = (
    "epoch",
    *("train_loss", "train_reconstruction", "train_kl"),
    *("val_loss", "val_reconstruction", "val_kl"),
    *("mean_of_means", "mean_of_log_vars", "lr", "seconds"),
)
MAY_CHANGE = ("epochs", "patience", "lr", "lr_schedule")  # settings of a run that goes on


LARGEST_LOSS = 1e100  # number in a history: no loss of finite numbers can be larger


def new_model(config: Config, image_shape: ImageShape, dtype: DTypeLike = np.float32) -> VAE:
    """The model that ``config`` asks for, with initial weights, for images of that shape.

    Raises:
        InputError: the network takes no images of that shape.
    """
    kind: Callable[..., Network] = NETWORKS[config.network]
    sizes = NETWORKS[config.network].sizes_for(image_shape, config.hidden, config.z_dim)
    network = kind(*sizes, dtype=dtype, seed=config.seed)
    if config.importance_samples == 1:
        return VAE(network, config.reconstruction)
    samples, bound = config.importance_samples, config.bound
    return IWAE(network, config.reconstruction, samples=samples, bound=bound)


@dataclass(repr=False)
class Run:
    """Everything that training changes, and the settings it goes by: what a checkpoint holds.

    ``history`` has a row per finished epoch, from ``COLUMNS`` to numbers; losses are per image.
    ``data_dir`` is the folder where the data set's files lay, if there were any, and ``images`` the
    ``Dataset.identity`` of what it was trained on: None before training, and in old checkpoints.
    ``label_names`` are those of its labels, from 0 on, if these have names. ``trained_with`` says
    what computed it, the last at the end: see ``Trainer.computes_with``.
    """

    config: Config
    image_shape: ImageShape
    vae: VAE
    adam: Adam
    rng: np.random.Generator
    history: list[dict[str, float]]
    data_dir: str | None = None
    label_names: tuple[str, ...] | None = None
    images: str | None = None
    trained_with: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        epochs = f"{len(self.history)} of {self.config.epochs} epochs"
        loss = f", validation loss {self.history[-1]['val_loss']:.3f}" if self.history else ""
        return f"<Run on {self.config.dataset}: {epochs}{loss}, {self.vae}>"

    @classmethod
    def start(cls, config: Config, image_shape: ImageShape) -> Run:
        """A run before its first epoch."""
        vae = new_model(config, image_shape)
        adam = Adam(vae.parameters, lr=config.lr, weight_decay=config.weight_decay)
        return cls(config, image_shape, vae, adam, Stream.TRAINING.generator(config.seed), [])

    def best_epoch(self) -> int:
        """The first epoch with the lowest validation loss; 0 before there is one."""
        losses = [row["val_loss"] for row in self.history]
        return 1 + losses.index(min(losses)) if losses else 0

    def finished(self) -> bool:
        """Whether the run has all its epochs, or has been without a better one for too long."""
        done, patience = len(self.history), self.config.patience
        return done >= self.config.epochs or done - self.best_epoch() >= (patience or done + 1)

    def posterior_sample(self, mean: Array, log_var: Array, rng: np.random.Generator) -> Array:
        """A sample of every q(z|x), (N, z_dim); of an autoencoder, which has none, the means."""
        eps = rng.standard_normal(mean.shape, mean.dtype)
        return reparameterize(mean, log_var, eps) if self.config.noise else mean

    def save(self, path: StrPath) -> None:
        """Writes the run to ``path``, as ``save_checkpoint`` does; ``load_checkpoint`` reads it."""
        from .checkpoint import save_checkpoint

        save_checkpoint(path, self)

    def vectors(self) -> dict[str, Array]:
        """The arrays that a training step changes: the parameters and Adam's sums, each flat."""
        values = (self.vae.parameters.flat, self.adam.gradient_sum, self.adam.square_sum)
        return dict(zip(VECTORS, values, strict=True))

    def check_finite(self) -> None:
        """Raises LossNotFiniteError where the run has broken down.

        Adam's sum of squares can overflow while the loss is still finite: its steps are 0 then.
        """
        for name, vector in self.vectors().items():
            if not np.isfinite(vector).all():
                reason = "a gradient's square overflowed: " if name == "square_sum" else ""
                raise LossNotFiniteError(f"{reason}{name} is not finite")
        if any(not abs(value) <= LARGEST_LOSS for row in self.history for value in row.values()):
            raise LossNotFiniteError("the history is not finite")

    def beta(self) -> float:
        """The weight of the KL divergence in the next epoch's training."""
        done, warmup = len(self.history), self.config.beta_warmup
        return self.config.beta * (done / warmup if done < warmup else 1)

    def go_on_with(self, config: Config, may_change: Sequence[str] = MAY_CHANGE) -> None:
        """Gives a run, before it goes on, the settings ``config``; only some may be new.

        Raises:
            InputError: other settings differ, or the run has more epochs already.
        """
        old, new = asdict(self.config), asdict(config)
        if Path(config.dataset).name == Path(self.config.dataset).name:  # files may move
            new["dataset"] = old["dataset"]
        changed = [name for name in old if old[name] != new[name] and name not in may_change]
        if changed:
            shown = "; ".join(f"{name} {old[name]}, not {new[name]}" for name in changed)
            raise InputError(f"the run has {shown}")
        if config.epochs < len(self.history):
            raise InputError(f"the run has finished epoch {len(self.history)} already")
        self.config = config

    def check_fit(self, data: Dataset) -> None:
        """Raises InputError where the data have images of another size, or the one has colour."""
        ours, theirs = self.image_shape, data.image_shape
        if ours[:2] != theirs[:2]:
            raise InputError(
                f"the run is for images of {in_words(ours)}, {data.name} has {in_words(theirs)}"
            )
        if ours != theirs:
            kinds = ["colour" if has_colour(shape) else "grey" for shape in (ours, theirs)]
            raise InputError(f"the run is for {kinds[0]} images, {data.name} has {kinds[1]} ones")

    def check_same_images(self, data: Dataset) -> None:
        """Raises InputError where the data are not those that the run was trained on.

        Only the images count: their files may have moved.
        """
        self.check_fit(data)
        if self.images is not None and self.images != (found := data.identity()):
            raise InputError(
                f"the run was trained on {self.images}, but {data.name} now means {found}: these "
                "are other data, for another run"
            )
