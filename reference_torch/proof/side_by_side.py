"""Trains NumPy and PyTorch side by side: the same weights, minibatches and noise."""

import time
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import DTypeLike

from numpyvae import Adam, Config, Dataset
from numpyvae.functional import Array
from numpyvae.training.chance import Stream
from numpyvae.training.run import new_model
from numpyvae.training.steps import NumpyStepper, visits

from ..twin.carrying import to_numpy
from ..twin.training import TorchStepper


@dataclass
class SideBySide:
    """Two trainings; losses per image, one for each step."""

    numpy_losses: list[float] = field(default_factory=list)
    torch_losses: list[float] = field(default_factory=list)
    numpy_seconds: list[float] = field(default_factory=list)
    torch_seconds: list[float] = field(default_factory=list)
    parameter_difference: float = 0.0  # the largest between any two parameters, at the end

    @property
    def loss_differences(self) -> Array:
        return np.abs(np.subtract(self.numpy_losses, self.torch_losses))


def train_side_by_side(
    config: Config, data: Dataset, dtype: DTypeLike = np.float64, shown: bool = False
) -> SideBySide:
    """Trains both as ``config`` says, in ``dtype``; where ``shown``, with a line per epoch."""
    from tqdm import tqdm

    vae = new_model(config, data.image_shape, dtype)
    adam = Adam(vae.parameters, lr=config.lr, weight_decay=config.weight_decay)
    ours, theirs = NumpyStepper(vae, adam), TorchStepper(vae, adam)
    rng = Stream.TRAINING.generator(config.seed)
    both = SideBySide()
    steps = ceil(len(data.train_images) / config.batch_size)
    bar = tqdm(
        total=config.epochs * steps,
        unit="step",
        dynamic_ncols=True,
        leave=False,
        disable=None if shown else True,
    )
    if shown:
        bar.write("   epoch    NumPy loss    PyTorch loss    largest difference so far")
    with bar:
        for epoch in range(1, config.epochs + 1):
            for x, eps in visits(data.train_images, config, rng, shuffled=True):
                x, eps = x.astype(dtype), eps.astype(dtype)
                start = time.perf_counter()
                numpy_loss = ours.train(x, eps, config.beta).total
                middle = time.perf_counter()
                torch_loss = theirs.train(x, eps, config.beta).total
                end = time.perf_counter()
                both.numpy_losses.append(numpy_loss / len(x))
                both.torch_losses.append(torch_loss / len(x))
                both.numpy_seconds.append(middle - start)
                both.torch_seconds.append(end - middle)
                bar.set_postfix_str(
                    f"NumPy {both.numpy_losses[-1]:.4f}, PyTorch {both.torch_losses[-1]:.4f}, "
                    f"difference {abs(numpy_loss - torch_loss) / len(x):.1e}",
                    refresh=False,
                )
                bar.update()
            if shown:
                bar.write(
                    f"{epoch:>4d}/{config.epochs:<4d}"
                    f"{np.mean(both.numpy_losses[-steps:]):13.6f}"
                    f"{np.mean(both.torch_losses[-steps:]):16.6f}"
                    f"{both.loss_differences.max():21.1e}"
                )
    twin_parameters = to_numpy(theirs.model).parameters.flat
    both.parameter_difference = float(np.abs(vae.parameters.flat - twin_parameters).max())
    return both
