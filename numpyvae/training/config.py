"""The settings of a training run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ..errors import InputError
from ..importance import Bound
from ..model import Reconstruction

LrSchedule = Literal["constant", "cosine"]
NEWER = {"importance_samples": 1, "bound": "importance"}  # settings that older checkpoints lack


@dataclass(frozen=True)
class Config:
    """Everything that decides how a run goes; the defaults are the article's.

    Args:
        dataset: a name or a path, as ``load_dataset`` takes it.
        epochs: passes over the training images; by default 60 on ``"digits"``, 10 elsewhere.
        batch_size: images per step.
        lr, weight_decay: step size and decoupled weight decay of Adam.
        lr_schedule: ``"constant"``, or ``"cosine"``: lr falls from epoch to epoch towards 0.
        beta: weight of the KL divergence.
        z_dim, hidden: sizes of the latent space and of the two hidden layers.
        reconstruction: ``"mse"`` or ``"bce"``.
        importance_samples: latent vectors per image; with 1 the model is a plain VAE.
        bound: what more of them are for: ``"importance"``, a tighter bound, or ``"elbo"``, the mean
            of their ELBOs. With one sample they are the same, and its KL divergence is exact.
        noise: False trains with eps = 0; with beta 0 that is a plain autoencoder.
        binarize: draw every pixel anew as 0 or 1 at each visit, with the pixel's value as its
            probability; needs ``"bce"``.
        seed: of the initial weights, the order of the images and the noise.

    Raises:
        InputError: a setting has the wrong type or is out of range, or two contradict each other.
    """

    dataset: str = "digits"
    epochs: int = None  # type: ignore[assignment]  # becomes a number in __post_init__
    batch_size: int = 64
    lr: float = 1e-3
    lr_schedule: LrSchedule = "constant"
    weight_decay: float = 0.01
    beta: float = 1.0
    z_dim: int = 50
    hidden: tuple[int, int] = (512, 256)
    reconstruction: Reconstruction = "mse"
    importance_samples: int = 1
    bound: Bound = "importance"
    noise: bool = True
    binarize: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs is None:
            object.__setattr__(self, "epochs", 60 if self.dataset == "digits" else 10)
        if not isinstance(self.dataset, str):
            raise InputError(f"dataset must be a name or a path, got {self.dataset!r}")
        if not (isinstance(self.hidden, tuple) and len(self.hidden) == 2):
            raise InputError(f"hidden must be two sizes, got {self.hidden!r}")
        names = ("epochs", "batch_size", "z_dim", "importance_samples")
        sizes = [(name, getattr(self, name)) for name in names]
        for name, size in [*sizes, *(("hidden", size) for size in self.hidden)]:
            if type(size) is not int or size < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {size!r}")
        if type(self.seed) is not int or self.seed < 0:
            raise InputError(f"seed must be a whole number of at least 0, got {self.seed!r}")
        for name in ("lr", "weight_decay", "beta"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value < math.inf:
                raise InputError(f"{name} must be a finite number of at least 0, got {value!r}")
        choices_of = {"reconstruction": Reconstruction, "lr_schedule": LrSchedule, "bound": Bound}
        for name, kind in choices_of.items():
            if getattr(self, name) not in get_args(kind):
                choices = " or ".join(get_args(kind))
                raise InputError(f"{name} must be {choices}, got {getattr(self, name)!r}")
        for name in ("noise", "binarize"):
            if type(getattr(self, name)) is not bool:
                raise InputError(f"{name} must be true or false, got {getattr(self, name)!r}")
        if self.binarize and self.reconstruction != "bce":
            raise InputError("binarize needs reconstruction bce, the likelihood of binary pixels")
        if self.importance_samples > 1 and not self.noise:
            raise InputError("importance_samples needs noise: without it all samples are the same")
        if self.importance_samples > 1 and self.bound == "importance" and self.beta != 1:
            raise InputError(f"the importance-weighted bound needs beta 1, got {self.beta}")

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> "Config":
        """The configuration that ``dataclasses.asdict`` turned into ``settings``, through JSON.

        Raises:
            InputError: a setting is missing, unknown or invalid.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(settings, Mapping) or {*NEWER, *settings} != names:
            raise InputError(f"a configuration has the settings {', '.join(sorted(names))}")
        hidden = settings["hidden"]
        return cls(
            **{**NEWER, **settings, "hidden": tuple(hidden) if type(hidden) is list else hidden}
        )
