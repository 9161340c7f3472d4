"""A step of training, and the minibatches and noise that it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from math import isfinite
from threading import Lock
from typing import Any, Protocol, TypeVar

import numpy as np

from ..data.dataset import Dataset, minibatches
from ..errors import LossNotFiniteError
from ..flat import FlatArrays
from ..functional import Array
from ..model import VAE, Loss
from ..optim import Adam
from ..threads import sharing
from .chance import Stream
from .config import Config
from .kernels import blas_threads, numpy_kernels
from .run import Run

LIMITED = Lock()  # how many threads a product has is one number for all trainings in this process
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
    an epoch's steps, to bring the run up to date. All this goes on ``in_threads``.
    """

    def computes_with(self) -> str: ...

    def in_threads(self) -> AbstractContextManager[object]: ...

    def train(self, x: Array, eps: Array, beta: float) -> Loss: ...

    def measure(self, x: Array, eps: Array, beta: float) -> tuple[Loss, Array, Array]: ...

    def store(self) -> None: ...


class Rows(Protocol):
    """An array or a tensor."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Any: ...


R = TypeVar("R", bound=Rows)


class NumpyStepper:
    """Steps with the hand-written backward pass and Adam.

    ``in_threads``, a large minibatch is shared out: each thread takes some images forward and
    backward, through a model of its own with the same parameters, and the gradients, which are sums
    over images, add up. A small one stays whole, and its matrix products are shared out.
    """

    def __init__(self, vae: VAE, adam: Adam) -> None:
        self.adam, self._models = adam, [vae]

    def computes_with(self) -> str:
        return numpy_kernels()

    @contextmanager
    def in_threads(self) -> Iterator[None]:
        from threadpoolctl import ThreadpoolController

        n, vae = blas_threads(), self._models[0]
        self._blas = ThreadpoolController()
        with self.adam.threads(n), sharing(n) as self._share:
            self._models += [vae.beside() for _ in range(n - 1)]
            try:
                yield
            finally:
                del self._models[1:]

    def train(self, x: Array, eps: Array, beta: float) -> Loss:
        loss, gradients = self.gradients(x, eps, beta)
        self.adam.step(gradients)
        return loss

    def gradients(self, x: Array, eps: Array, beta: float) -> tuple[Loss, FlatArrays]:
        """The loss and its gradients, as of ``VAE.forward`` and ``VAE.backward``."""

        def there_and_back(model: VAE, x: Array, eps: Array) -> tuple[Loss, FlatArrays]:
            return model.forward(x, eps, beta), model.backward()

        losses, (gradients, *others) = zip(*self._shared(there_and_back, x, eps), strict=True)
        for theirs in others:
            gradients.flat += theirs.flat
        return total(losses), gradients

    def measure(self, x: Array, eps: Array, beta: float) -> tuple[Loss, Array, Array]:
        def there(model: VAE, x: Array, eps: Array) -> tuple[Loss, Array, Array]:
            loss = model.forward(x, eps, beta)
            return loss, model.activations["mean"], model.activations["log_var"]

        losses, means, log_vars = zip(*self._shared(there, x, eps), strict=True)
        return total(losses), np.concatenate(means), np.concatenate(log_vars)

    def _shared(self, work: Callable[..., Any], x: Array, eps: Array) -> list[Any]:
        """What ``work`` returns for all images, or for each thread's share of them."""
        n, vae = len(self._models), self._models[0]
        if n == 1 or len(x) < n or len(eps) < n * vae.network.rows_per_thread:
            return [work(vae, x, eps)]
        jobs = [partial(work, m, *share_of(i, n, x, eps)) for i, m in enumerate(self._models)]
        with LIMITED, self._blas.limit(limits=1, user_api="blas"):
            return self._share(jobs)

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
        with self.stepper.in_threads():
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
        with self.stepper.in_threads():
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


def share_of(rank: int, size: int, *arrays: R) -> tuple[R, ...]:
    """One of ``size`` shares of a minibatch, as views: none where there are fewer images.

    The first array has a row per image, the others one or more, an image's in succession.
    """
    images = len(arrays[0])
    first, end = (images * number // size for number in (rank, rank + 1))
    return tuple(a[first * len(a) // images : end * len(a) // images] for a in arrays)


def total(losses: Iterable[Loss]) -> Loss:
    """The loss of all shares."""
    return Loss(*map(sum, zip(*losses, strict=True)))


def averages(sums: Sequence[float] | Array, images: int) -> dict[str, float]:
    """Sums over so many images, as averages with the names that ``Trainer`` gives them."""
    names = ("loss", "reconstruction", "kl", "mean_of_means", "mean_of_log_vars")
    return {name: float(value) / images for name, value in zip(names, sums, strict=False)}
