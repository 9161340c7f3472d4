"""The settings of a training run."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from .errors import InputError
from .model import Reconstruction


@dataclass(frozen=True)
class Config:
    """Everything that decides how a run goes; the defaults are the article's.

    Args:
        dataset: a name or a path, as ``load_dataset`` takes it.
        epochs: passes over the training images; by default 10, and 60 for the small ``"digits"``.
        batch_size: images per step.
        lr, weight_decay: of AdamW.
        beta: weight of the KL divergence.
        z_dim, hidden: sizes of the latent space and of the two hidden layers.
        reconstruction: ``"mse"`` or ``"bce"``.
        noise: False trains with eps = 0; with beta 0 that is a plain autoencoder.
        binarize: draw every pixel anew as 0 or 1 at each visit, with the pixel's value as its
            probability; needs ``"bce"``.
        seed: of the initial weights, the order of the images and the noise.

    Raises:
        InputError: a setting is out of range or two contradict each other.
    """

    dataset: str = "digits"
    epochs: int = None  # type: ignore[assignment]  # depends on dataset: see __post_init__
    batch_size: int = 64
    lr: float = 1e-3
    weight_decay: float = 0.01
    beta: float = 1.0
    z_dim: int = 50
    hidden: tuple[int, int] = (512, 256)
    reconstruction: Reconstruction = "mse"
    noise: bool = True
    binarize: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs is None:
            object.__setattr__(self, "epochs", 60 if self.dataset == "digits" else 10)
        counts = {"epochs": self.epochs, "batch_size": self.batch_size, "z_dim": self.z_dim}
        for name, count in {**counts, "hidden": min(self.hidden)}.items():
            if count < 1:
                raise InputError(f"{name} must be at least 1, got {count}")
        for name in ("lr", "weight_decay", "beta", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} must be finite and not negative, got {getattr(self, name)}")
        if self.reconstruction not in get_args(Reconstruction):
            raise InputError(f"reconstruction must be mse or bce, got {self.reconstruction!r}")
        if self.binarize and self.reconstruction != "bce":
            raise InputError("binarize needs reconstruction bce: its likelihood is Bernoulli")

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Config":
        """The inverse of ``dataclasses.asdict``, for settings that come from a file.

        Raises:
            InputError: names or types are not those of a configuration.
        """
        defaults = asdict(cls())
        if settings.keys() != defaults.keys():
            raise InputError(f"settings must be exactly {', '.join(defaults)}")
        for name, default in defaults.items():
            ...
        return cls(**{**settings, "hidden": tuple(settings["hidden"])})
