"""Trains NumPy and PyTorch side by side: the same weights, minibatches and noise."""

import argparse
import time
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import DTypeLike

from numpyvae import VAE, Adam, Config, Dataset, InputError, load_dataset
from numpyvae.cli import add_data_arguments
from numpyvae.files import make_folder
from numpyvae.functional import Array
from numpyvae.training import visits

from .parity import to_numpy, to_torch

DESCRIPTION = """\
Train the hand-written NumPy model and its PyTorch twin side by side, from the same weights, with
the same minibatches and the same noise, and show how far apart they are after every step.

In float64 the losses stay together to rounding for a whole run. In float32 every operation rounds
half a billion times as coarsely, the two sides add up in different orders, and training lets the
difference grow: both train equally well, but along paths that part.
"""


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

    vae = VAE(
        data.train_images.shape[1], *config.hidden, config.z_dim, config.reconstruction, dtype,
        config.seed,
    )  # fmt: skip
    adam = Adam(vae.parameters, lr=config.lr, weight_decay=config.weight_decay)
    twin = to_torch(vae)
    adamw = torch.optim.AdamW(
        twin.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )
    rng = np.random.default_rng([config.seed, 1])
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
                numpy_loss = vae.forward(x, eps, config.beta).total
                adam.step(vae.backward())
                middle = time.perf_counter()
                loss = twin(torch.from_numpy(x), torch.from_numpy(eps), config.beta).total
                adamw.zero_grad()
                loss.backward()
                adamw.step()
                torch_loss = loss.item()
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
    twin_parameters = to_numpy(twin).parameters.flat
    both.parameter_difference = float(np.abs(vae.parameters.flat - twin_parameters).max())
    return both


# The command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_data_arguments(parser)
    add("--epochs", type=int, metavar="N", help="passes over the images (default 10; digits 60)")
    add("--batch-size", type=int, default=64, metavar="N", help="images per step (default 64)")
    add(
        "--reconstruction",
        choices=["mse", "bce"],
        default="mse",
        help="squared error (default), or Bernoulli cross-entropy",
    )
    add("--beta", type=float, default=1.0, metavar="X", help="weight of the KL (default 1)")
    add(
        "--dtype",
        choices=["float64", "float32"],
        default="float64",
        help="float64 (default) shows agreement, float32 how rounding grows",
    )
    add("--seed", type=int, default=0, metavar="N", help="of weights, order and noise (default 0)")
    add(
        "--out",
        type=Path,
        default=Path("compare.png"),
        metavar="FILE",
        help="the picture of both loss curves and their difference (default compare.png)",
    )


def run(
    dataset: str | None, data_dir: str | None, dtype: str, out: Path, **settings: object
) -> None:
    """Trains both and prints, at the end, a table; draws the picture."""
    from numpyvae import figures

    config = Config(dataset=dataset or "digits", **settings)  # type: ignore[arg-type]
    data = load_dataset(config.dataset, data_dir)
    if out.is_dir():
        raise InputError(f"--out {out} is a folder: give the name of a picture")
    make_folder(out.parent)
    both = train_side_by_side(config, data, dtype, shown=True)
    figures.side_by_side(both.numpy_losses, both.torch_losses, f"{data.name}, {dtype}", out)
    print(table(both))
    print(out)


def table(both: SideBySide) -> str:
    """The outcome: losses, differences and time per step of the two."""
    steps = len(both.numpy_losses)
    last = slice(-max(1, steps // 20), None)
    numpy_ms, torch_ms = (
        1e3 * float(np.median(seconds)) for seconds in (both.numpy_seconds, both.torch_seconds)
    )
    means = [float(np.mean(losses[last])) for losses in (both.numpy_losses, both.torch_losses)]
    rows = [
        (f"after {steps} steps", "NumPy", "PyTorch", "difference"),
        (
            "loss per image, last twentieth",
            *(f"{mean:.6f}" for mean in means),
            f"{abs(means[0] - means[1]):.1e}",
        ),
        ("largest difference of a loss", "", "", f"{both.loss_differences.max():.1e}"),
        ("largest difference of a parameter", "", "", f"{both.parameter_difference:.1e}"),
        ("ms per step, median", f"{numpy_ms:.2f}", f"{torch_ms:.2f}", ""),
    ]
    return "\n".join("{:<34}{:>14}{:>14}{:>14}".format(*row) for row in rows)
