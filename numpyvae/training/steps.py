"""A step of training, and the minibatches and noise that it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Protocol

import numpy as np

from ..data.dataset import Dataset, minibatches
from ..errors import LossNotFiniteError
from ..functional import Array
from ..model import VAE, Loss
from ..optim import Adam
from .chance import Stream
from .config import Config
from .kernels import numpy_kernels
from .run import Run

OnStep = Callable[[float | None], None]  # is given a step's loss per image, where that is known


class Trainer(Protocol):
    """What the loop needs: an epoch of training and one of validation.

    ``computes_with`` says what decides how sums are rounded: libraries, the processor's kernels,
    threads. ``train_epoch`` calls ``on_step`` after every step. It and ``validate`` return averages
    per image, ``loss``, ``reconstruction`` and ``kl``; ``validate`` also ``mean_of_means`` and
    ``mean_of_log_vars``, over all test images. Between epochs the run holds the current state.
    """

    def computes_with(self) -> str: ...

    def train_epoch(self, on_step: OnStep) -> dict[str, float]: ...

    def validate(self) -> dict[str, float]: ...


class Stepper(Protocol):
    """What an epoch needs: a step of training, and the same without learning.

    Both are given images x and noise eps, as ``visits`` yields them; ``measure`` also returns mean
    and log_var (B, z_dim). ``computes_with`` is as of ``Trainer``. ``store`` is called after
    an epoch's steps, to bring the run up to date.
    """

    def computes_with(self) -> str: ...

    def train(self, x: Array, eps: Array, beta: float) -> Loss: ...

    def measure(self, x: Array, eps: Array, beta: float) -> tuple[Loss, Array, Array]: ...

    def store(self) -> None: ...


class NumpyStepper:
    """Steps with the hand-written backward pass and Adam."""

    def __init__(self, vae: VAE, adam: Adam) -> None:
        self.vae, self.adam = vae, adam

    def computes_with(self) -> str:
        return numpy_kernels()

    def train(self, x: Array, eps: Array, beta: float) -> Loss:
        loss = self.vae.forward(x, eps, beta)
        self.adam.step(self.vae.backward())
        return loss

    def measure(self, x: Array, eps: Array, beta: float) -> tuple[Loss, Array, Array]:
        loss = self.vae.forward(x, eps, beta)
        return loss, self.vae.activations["mean"], self.vae.activations["log_var"]

    def store(self) -> None:
        """The run's own model and Adam took the steps."""


class StepwiseTrainer:
    """Trains and validates one minibatch at a time."""

    def __init__(self, run: Run, data: Dataset, stepper: Stepper) -> None:
        self.run, self.data, self.stepper = run, data, stepper

    def computes_with(self) -> str:
        return self.stepper.computes_with()

    def train_epoch(self, on_step: OnStep) -> dict[str, float]:
        run, images = self.run, self.data.train_images
        beta, sums = run.beta(), np.zeros(3)
        for step, (x, eps) in enumerate(visits(images, run.config, run.rng, shuffled=True), 1):
            loss = self.stepper.train(x, eps, beta)
            if not isfinite(loss.total):
                raise LossNotFiniteError(f"the loss is {loss.total} in step {step}")
            sums += loss
            on_step(loss.total / len(x))
        self.stepper.store()
        return averages(sums, len(images))

    def validate(self) -> dict[str, float]:
        config, images = self.run.config, self.data.test_images
        sums = np.zeros(5)
        for x, eps in visits(images, config, Stream.VALIDATION.generator(config.seed)):
            loss, mean, log_var = self.stepper.measure(x, eps, config.beta)
            sums += (*loss, mean.mean(1).sum(), log_var.mean(1).sum())
        return averages(sums, len(images))


def numpy_trainer(run: Run, data: Dataset) -> Trainer:
    """Trains ``run.vae`` with NumPy: what ``train`` uses where nothing else is asked for."""
    return StepwiseTrainer(run, data, NumpyStepper(run.vae, run.adam))


def visits(
    images: Array, config: Config, rng: np.random.Generator, shuffled: bool = False
) -> Iterator[tuple[Array, Array]]:
    """Minibatches x (B, x_dim), as ``config`` binarizes them, each with its noise eps (B K, z_dim)
    for K importance samples of each image.

    Both lie in buffers that the next minibatch overwrites. All chance comes from ``rng``, which
    draws as much without noise: an autoencoder sees the images in the order that a VAE does.
    """
    rows = min(config.batch_size, len(images)) * config.importance_samples
    noise = np.empty((rows, config.z_dim), np.float32)
    for x in minibatches(images, config.batch_size, np.float32, rng if shuffled else None):
        if config.binarize:
            np.less(rng.random(x.shape, np.float32), x, out=x)
        eps = noise[: len(x) * config.importance_samples]
        rng.standard_normal(dtype=np.float32, out=eps)
        if not config.noise:
            eps.fill(0)
        yield x, eps


def averages(sums: Sequence[float] | Array, images: int) -> dict[str, float]:
    """Sums over so many images, as averages with the names that ``Trainer`` gives them."""
    names = ("loss", "reconstruction", "kl", "mean_of_means", "mean_of_log_vars")
    return {name: float(value) / images for name, value in zip(names, sums, strict=False)}
