"""The settings of a training run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from math import ceil
from typing import Any, Literal, get_args

import numpy as np

from ..errors import InputError
from ..importance import Bound
from ..networks import NETWORKS, NetworkName
from ..reconstruction import RECONSTRUCTIONS, Reconstruction

MOST, LARGEST = 10**6, 1e30  # of anything: beyond these, numbers overflow rather than mean much
STEPS = 2500  # of training, at least, where nobody says how many epochs
LrSchedule = Literal["constant", "cosine"]
ARTICLE: dict[str, Any] = {"epochs": 10, "beta": 1.0, "z_dim": 50}
DEFAULTS = {"digits": {"epochs": 120, "beta": 0.5, "z_dim": 20}}  # found for them: docs/start.md
NEWER = {  # settings that older checkpoints lack
    "network": "fully-connected",
    "importance_samples": 1,
    "bound": "importance",
    "patience": None,
    "beta_warmup": 0,
}


@dataclass(frozen=True)
class Config:
    """Everything that decides how a run goes; the defaults are the article's, but for ``DEFAULTS``.

    Args:
        dataset: a name or a path, as ``load_dataset`` takes it.
        epochs: passes over the training images.
        patience: end the run early after so many epochs without a lower validation loss; None
            never does.
        batch_size: images per step.
        lr, weight_decay: step size and decoupled weight decay of Adam.
        lr_schedule: ``"constant"``, or ``"cosine"``: lr falls from epoch to epoch towards 0.
        beta: weight of the KL divergence.
        beta_warmup: epochs in which the weight rises to beta, from 0 in the first; the validation
            loss has beta from the beginning.
        network: ``"fully-connected"``; ``"conv"``: convolutions, for images of at least 8 x 8; or
            ``"conv-autoencoder"``, the article's autoencoder, for sides of 16, 28, 40, ... pixels.
        z_dim: size of the latent space. ``"conv-autoencoder"`` has 256 latent units for images of
            28 x 28, and says how many for others.
        hidden: sizes of the two hidden layers, in units, by default 512 and 256, or with
            convolutions in channels, by default 32 and 64.
        reconstruction: ``"mse"`` or ``"bce"``.
        importance_samples: latent vectors per image; with 1 the model is a plain VAE.
        bound: what more of them are for: ``"importance"``, a tighter bound; ``"dreg"``, the same
            with a less noisy gradient; or ``"elbo"``, the mean of their ELBOs. With one sample they
            are the same, and its KL divergence is exact.
        noise: False trains with eps = 0; with beta 0 that is a plain autoencoder, as
            ``"conv-autoencoder"`` always is.
        binarize: draw every pixel anew as 0 or 1 at each visit, with the pixel's value as its
            probability; needs ``"bce"``.
        seed: of the initial weights, the order of the images and the noise.

    Raises:
        InputError: a setting has the wrong type or is out of range, or two contradict each other.
    """

    dataset: str = "digits"
    epochs: int = None  # type: ignore[assignment]  # becomes that of DEFAULTS
    patience: int | None = None
    batch_size: int = 64
    lr: float = 1e-3
    lr_schedule: LrSchedule = "constant"
    weight_decay: float = 0.01
    beta: float = None  # type: ignore[assignment]
    beta_warmup: int = 0
    network: NetworkName = "fully-connected"
    z_dim: int = None  # type: ignore[assignment]
    hidden: tuple[int, int] = None  # type: ignore[assignment]  # so does this
    reconstruction: Reconstruction = "mse"
    importance_samples: int = 1
    bound: Bound = "importance"
    noise: bool = None  # type: ignore[assignment]
    binarize: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, str | os.PathLike):
            raise InputError(f"dataset must be a name or a path, got {self.dataset!r}")
        self._set("dataset", os.fspath(self.dataset))
        if re.search("[\0\ud800-\udc7f\udd00-\udfff]", self.dataset):  # no system has such names
            raise InputError(f"dataset must be a name or a path, got {self.dataset!r}")
        choices_of = {
            "network": NetworkName,
            "reconstruction": Reconstruction,
            "lr_schedule": LrSchedule,
            "bound": Bound,
        }
        for name, kind in choices_of.items():
            if getattr(self, name) not in get_args(kind):
                choices = " or ".join(get_args(kind))
                raise InputError(f"{name} must be {choices}, got {getattr(self, name)!r}")
        of_network = NETWORKS[self.network]
        defaults = {**DEFAULTS.get(self.dataset, ARTICLE), "noise": True, **of_network.defaults}
        for name, value in defaults.items():
            if getattr(self, name) is None:
                tight = name == "beta" and self.importance_samples != 1 and self.bound != "elbo"
                self._set(name, 1.0 if tight else value)
        for name in ("epochs", "batch_size", "z_dim", "importance_samples"):
            self._set(name, whole_number(name, getattr(self, name)))
        if self.patience is not None:
            self._set("patience", whole_number("patience", self.patience))
        self._set("seed", whole_number("seed", self.seed, at_least=0, at_most=2**63 - 1))
        self._set("beta_warmup", whole_number("beta_warmup", self.beta_warmup, at_least=0))
        for name in ("lr", "weight_decay", "beta"):
            self._set(name, real_number(name, getattr(self, name)))
        if not isinstance(self.hidden, Sequence | np.ndarray) or len(self.hidden) != 2:
            raise InputError(f"hidden must be two sizes, got {self.hidden!r}")
        self._set("hidden", tuple(whole_number("hidden", size) for size in self.hidden))
        for name in ("noise", "binarize"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise InputError(f"{name} must be true or false, got {getattr(self, name)!r}")
            self._set(name, bool(getattr(self, name)))
        if self.binarize and not RECONSTRUCTIONS[self.reconstruction].binary:
            raise InputError("binarize needs reconstruction bce, the likelihood of binary pixels")
        if not of_network.stochastic and (self.noise or self.beta):
            raise InputError(
                f"the network {self.network} is an autoencoder, whose codes are points: it needs "
                f"noise False and beta 0, got {self.noise} and {self.beta:g}"
            )
        if self.importance_samples > 1 and not self.noise:
            raise InputError("importance_samples needs noise: without it all samples are the same")
        if self.importance_samples > 1 and self.bound != "elbo" and self.beta != 1:
            raise InputError(f"the importance-weighted bound needs beta 1, got {self.beta}")
        if self.importance_samples > 1 and self.bound != "elbo" and self.beta_warmup:
            raise InputError("the importance-weighted bound needs beta 1: leave out beta_warmup")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Config:
        """The configuration that ``dataclasses.asdict`` turned into ``settings``, through JSON.

        Raises:
            InputError: a setting is missing, unknown or invalid.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(settings, Mapping) or {*NEWER, *settings} != names:
            raise InputError(f"a configuration has the settings {', '.join(sorted(names))}")
        return cls(**{**NEWER, **settings})


def default_epochs(images: int, batch_size: int = Config.batch_size) -> int:
    """Ten, the article's, or as many as make ``STEPS`` steps where there are few images."""
    return max(10, ceil(STEPS / ceil(images / batch_size)))


def whole_number(name: str, value: object, at_least: int = 1, at_most: int = MOST) -> int:
    """Python's or NumPy's whole number as Python's.

    Raises:
        InputError: it is none, or too small or too large.
    """
    number = None if isinstance(value, bool) else value  # True is an int
    if not isinstance(number, int | np.integer) or not at_least <= number <= at_most:
        raise InputError(
            f"{name} must be a whole number from {at_least} to {at_most}, got {value!r}"
        )
    return int(number)


def real_number(name: str, value: object) -> float:
    """Python's or NumPy's number as Python's float.

    Raises:
        InputError: it is none, not finite or below 0.
    """
    kinds = int | float | np.integer | np.floating
    if isinstance(value, kinds) and not isinstance(value, bool):
        with suppress(OverflowError):  # a whole number may be too large for a float
            if 0 <= float(value) <= LARGEST:
                return float(value)
    raise InputError(f"{name} must be a number from 0 to {LARGEST:g}, got {value!r}")
