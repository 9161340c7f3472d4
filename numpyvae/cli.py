"""The command ``numpyvae``: arguments in, calls out."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .checkpoint import Run, load_checkpoint
from .config import Config
from .data import Dataset, load_dataset
from .errors import InputError
from .files import make_folder
from .training import (
    LossNotFiniteError,
    NumpyTrainer,
    Trainer,
    draw_reconstructions,
    new_folder,
    open_run,
    train,
)

MOST_IMAGES = 10_000  # in one picture


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = Parser(
        prog="numpyvae",
        description="A variational autoencoder in NumPy, its backward pass derived by hand.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = commands.add_parser(
        "train",
        help="train a VAE and keep it, its history and pictures in a run folder",
        description="Train a VAE. Every epoch is kept: checkpoint, history and pictures. Without "
        "arguments it trains on the embedded handwritten digits, in about ten seconds.",
        argument_default=argparse.SUPPRESS,
    )
    add_train_arguments(command)
    command.set_defaults(run=run_train, prog=command.prog)

    command = commands.add_parser(
        "sample",
        help="draw new images from a checkpoint",
        description="Draw latent vectors from the prior N(0, I), decode them, and save a picture.",
    )
    add_checkpoint_argument(command)
    command.add_argument("--n", type=int, default=64, metavar="N", help="images (default 64)")
    add_picture_arguments(command, "sample.png")
    command.set_defaults(run=run_sample)

    command = commands.add_parser(
        "reconstruct",
        help="draw test images, their reconstructions, and new samples",
        description="Save a picture of test images above their reconstructions (decoded from the "
        "mean of q(z|x)), and of as many new samples.",
    )
    add_checkpoint_argument(command)
    command.add_argument("--n", type=int, default=10, metavar="N", help="images (default 10)")
    add_data_arguments(command)
    add_picture_arguments(command, "reconstruct.png")
    command.set_defaults(run=run_reconstruct)

    return execute(parser, arguments)


def execute(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Calls the chosen command's ``run``; a user's mistake becomes one line and status 2."""
    given = vars(parser.parse_args(arguments))
    run = given.pop("run")
    try:
        return run(**given) or 0
    except (InputError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print(f"{parser.prog}: not enough memory for models or images this large", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130


# Arguments


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """The settings of a run, which ``python -m reference_torch train`` takes too.

    Made for a parser that leaves out what the user did not give: the rest is up to ``Config``, or
    to the run that is resumed.
    """
    default = Config()
    add = parser.add_argument
    add_data_arguments(parser)
    add("--epochs", type=int, metavar="N", help="passes over the images (default 10; digits 60)")
    add("--batch-size", type=int, metavar="N", help=f"default {default.batch_size}")
    add("--lr", type=float, metavar="X", help=f"Adam's step size (default {default.lr:g})")
    add(
        "--lr-schedule",
        choices=["constant", "cosine"],
        help="constant (default), or falling towards 0 as a cosine over the epochs",
    )
    add(
        "--weight-decay",
        type=float,
        metavar="X",
        help=f"decoupled from the gradient, as in AdamW (default {default.weight_decay:g})",
    )
    add("--beta", type=float, metavar="X", help="weight of the KL divergence (default 1)")
    add("--z-dim", type=int, metavar="N", help=f"latent units (default {default.z_dim})")
    add(
        "--hidden",
        type=int,
        nargs=2,
        metavar=("H1", "H2"),
        help="units of the two hidden layers (default {} {})".format(*default.hidden),
    )
    add(
        "--reconstruction",
        choices=["mse", "bce"],
        help="squared error (default), or Bernoulli cross-entropy",
    )
    add(
        "--binarize",
        action="store_true",
        help="draw every pixel anew as 0 or 1 at each visit; needs --reconstruction bce",
    )
    add("--autoencoder", action="store_true", help="a plain autoencoder instead: no noise, beta 0")
    add("--seed", type=int, metavar="N", help="of weights, order and noise (default 0)")
    add("--out", type=Path, metavar="DIR", help="the run folder (default: a new one in runs/)")
    add("--resume", action="store_true", help="go on with the run in --out, its settings kept")


def add_checkpoint_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="a run folder or its checkpoint.npz"
    )


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="digits (embedded), mnist, fashion-mnist, or a path to your own .npy or .npz images",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where the files of mnist or fashion-mnist lie (default: $NUMPYVAE_DATA, else they "
        "are downloaded once)",
    )


def add_picture_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the latent vectors (default 0)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"the picture (default: {name} beside CHECKPOINT)"
    )


# Commands


def run_train(
    prog: str,
    make_trainer: Callable[[Run, Dataset], Trainer] = NumpyTrainer,
    data_dir: str | None = None,
    out: Path | None = None,
    resume: bool = False,
    autoencoder: bool = False,
    **settings: Any,
) -> int:
    if autoencoder:
        if settings.get("beta"):
            raise InputError("--autoencoder means beta 0: leave out --beta")
        settings |= {"noise": False, "beta": 0.0}
    if "hidden" in settings:
        settings["hidden"] = tuple(settings["hidden"])
    if resume:
        if out is None:
            raise InputError("--resume needs --out DIR, the folder of the run to go on with")
        config = replace(open_run(out).config, **settings)
    else:
        config = Config(**settings)
    data = load_dataset(config.dataset, data_dir)
    out = out or new_folder(config.dataset)
    try:
        train(config, data, out, resume, progress=True, make_trainer=make_trainer)
    except LossNotFiniteError as stop:
        print(f"{prog}: {stop}; a smaller --lr may help", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        again = [*prog.split(), "--out", str(out), "--resume"]
        again += ["--data-dir", data_dir] if data_dir else []
        print(f"{prog}: {stop}; go on with: {shlex.join(again)}", file=sys.stderr)
        return 130
    print(f"The run is in {out}: checkpoint.npz, history.csv, config.json, loss.png,")
    print("evolution.png, reconstructions.png, and a picture per epoch in samples.")
    return 0


def run_sample(checkpoint: Path, n: int, seed: int, out: Path | None) -> None:
    from . import figures

    check_count(n)
    run = load_checkpoint(checkpoint)
    path = picture_path(out, checkpoint, "sample.png")
    figures.image_grid(run.vae.sample(n, generator(seed)), run.image_shape, path)
    print(path)


def run_reconstruct(
    checkpoint: Path,
    n: int,
    seed: int,
    dataset: str | None,
    data_dir: str | None,
    out: Path | None,
) -> None:
    check_count(n)
    run = load_checkpoint(checkpoint)
    data = load_dataset(dataset or run.config.dataset, data_dir)
    if data.image_shape != run.image_shape:
        raise InputError(
            f"{checkpoint} is for images of {run.image_shape}, {data.name} has {data.image_shape}"
        )
    z = generator(seed).standard_normal((n, run.config.z_dim), np.float32)
    path = picture_path(out, checkpoint, "reconstruct.png")
    draw_reconstructions(run, data.test_images[:n], z, path)
    print(path)


def check_count(n: int) -> None:
    if not 1 <= n <= MOST_IMAGES:
        raise InputError(f"--n must be from 1 to {MOST_IMAGES}, got {n}")


def generator(seed: int) -> np.random.Generator:
    if seed < 0:
        raise InputError(f"--seed must be at least 0, got {seed}")
    return np.random.default_rng(seed)


def picture_path(out: Path | None, checkpoint: Path, name: str) -> Path:
    """``out``, or a picture of that name in the folder of the checkpoint."""
    path = out or (checkpoint if checkpoint.is_dir() else checkpoint.parent) / name
    make_folder(path.parent)
    return path
