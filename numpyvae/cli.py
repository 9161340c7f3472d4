"""The command ``numpyvae``: arguments in, calls out."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from . import experiments, latent
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
MOST_ROWS = 100


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

    command = commands.add_parser(
        "evaluate",
        help="likelihood, active units and sample distance of a checkpoint",
        description="Print how good a model is on test images: ELBO, importance-sampled negative "
        "log-likelihood, active units, distance of its samples to the images.",
    )
    add_checkpoint_argument(command)
    add_data_arguments(command)
    command.add_argument(
        "--importance-samples",
        type=int,
        default=500,
        metavar="N",
        help="latent vectors per image (default 500)",
    )
    command.add_argument(
        "--images",
        type=int,
        default=1000,
        metavar="N",
        help="test images for the likelihoods (default 1000)",
    )
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of noise and samples (default 0)"
    )
    command.add_argument("--json", action="store_true", help="print JSON, for machines")
    command.set_defaults(run=run_evaluate)

    command = commands.add_parser(
        "experiment",
        help="redo the article's claims: train, measure, draw, and report what held",
        description="Train what a claim of the article is about, and leave pictures, results.csv "
        "and report.md. Runs in the folder are used or finished, not repeated.",
    )
    add_experiments(command)

    command = commands.add_parser(
        "latent",
        help="draw where the test images lie in the latent space",
        description="Draw the test images' posterior means, coloured by label, in their first two "
        "principal components, with the prior's circles; with two latent units, also what the "
        "decoder makes of the prior's quantiles. A second checkpoint is drawn beside the first.",
    )
    add_checkpoint_argument(command)
    command.add_argument(
        "other", type=Path, nargs="?", metavar="CHECKPOINT2", help="such as an autoencoder's"
    )
    add_data_arguments(command)
    add_out_argument(command, "latent.png")
    command.set_defaults(run=run_latent)

    command = commands.add_parser(
        "interpolate",
        help="draw paths through the latent space between test images",
        description="Draw, for pairs of test images, the images decoded on the straight line "
        "between their posterior means.",
    )
    add_checkpoint_argument(command)
    command.add_argument("--n", type=int, default=8, metavar="N", help="pairs (default 8)")
    add_data_arguments(command)
    add_picture_arguments(command, "interpolate.png", "choice of the pairs")
    command.set_defaults(run=run_interpolate)

    command = commands.add_parser(
        "traverse",
        help="draw what the most active latent units do",
        description="Draw images decoded from 0 with one latent unit moved from -3 to 3: the most "
        "active units, those whose posterior means vary most over the test images, one per row.",
    )
    add_checkpoint_argument(command)
    command.add_argument("--n", type=int, default=10, metavar="N", help="units (default 10)")
    add_data_arguments(command)
    add_out_argument(command, "traverse.png")
    command.set_defaults(run=run_traverse)

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


def add_experiments(parser: argparse.ArgumentParser) -> None:
    """The experiments, each a command of its own below ``experiment``."""
    add = parser.add_subparsers(title="experiments", metavar="EXPERIMENT", required=True).add_parser
    for name, experiment, text in (
        ("generation", experiments.generation, "an autoencoder's samples against a VAE's"),
        ("beta", experiments.beta, "the trade-off between quality and diversity"),
        ("latent-dim", experiments.latent_dim, "latent spaces of different sizes"),
    ):
        description = f"Train, measure and report: {text}."
        command = add(name, help=text, description=description, argument_default=argparse.SUPPRESS)
        if experiment is experiments.beta:
            add_values_argument(command, float, experiments.BETAS)
        if experiment is experiments.latent_dim:
            add_values_argument(command, int, experiments.LATENT_DIMS)
        add_data_arguments(command)
        command.add_argument("--epochs", type=int, metavar="N", help="default 10; digits 60")
        command.add_argument("--seed", type=int, metavar="N", help="default 0")
        command.add_argument(
            "--out", type=Path, metavar="DIR", help=f"default: runs/experiment-{name}-NAME"
        )
        command.set_defaults(run=run_experiment, experiment=experiment, prog=command.prog)


def add_values_argument(
    parser: argparse.ArgumentParser, kind: type, default: Sequence[float]
) -> None:
    shown = " ".join(f"{value:g}" for value in default)
    parser.add_argument("--values", type=kind, nargs="+", metavar="X", help=f"default {shown}")


def add_picture_arguments(
    parser: argparse.ArgumentParser, name: str, chance: str = "latent vectors"
) -> None:
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help=f"of the {chance} (default 0)"
    )
    add_out_argument(parser, name)


def add_out_argument(parser: argparse.ArgumentParser, name: str) -> None:
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
    data = load_data_for(run, checkpoint, dataset, data_dir)
    z = generator(seed).standard_normal((n, run.config.z_dim), np.float32)
    path = picture_path(out, checkpoint, "reconstruct.png")
    draw_reconstructions(run, data.test_images[:n], z, path)
    print(path)


def run_evaluate(
    checkpoint: Path,
    dataset: str | None,
    data_dir: str | None,
    importance_samples: int,
    images: int,
    seed: int,
    json: bool,
) -> None:
    from . import evaluation

    run = load_checkpoint(checkpoint)
    data = load_dataset(dataset or run.config.dataset, data_dir)
    result = evaluation.evaluate(run, data, importance_samples, images, seed, progress=True)
    print(evaluation.as_json(result) if json else evaluation.table(result))


def run_experiment(
    prog: str,
    experiment: Callable[..., Any],
    data_dir: str | None = None,
    out: Path | None = None,
    **settings: Any,
) -> int:
    values = {"values": settings.pop("values")} if "values" in settings else {}
    config = Config(**settings)
    data = load_dataset(config.dataset, data_dir)
    name = experiment.__name__.replace("_", "-")
    out = out or Path("runs") / f"experiment-{name}-{Path(config.dataset).stem}"
    try:
        experiment(config, data, out, progress=True, **values)
    except LossNotFiniteError as stop:
        print(f"{prog}: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        message = str(stop) or "interrupted"
        print(f"{prog}: {message}; the same command goes on from there", file=sys.stderr)
        return 130
    print(f"The report is {out / 'report.md'}.")
    return 0


def run_latent(
    checkpoint: Path,
    other: Path | None,
    dataset: str | None,
    data_dir: str | None,
    out: Path | None,
) -> None:
    checkpoints = [checkpoint, *([other] if other else [])]
    runs = [load_checkpoint(path) for path in checkpoints]
    data = load_dataset(dataset or runs[0].config.dataset, data_dir)
    for run, path in zip(runs, checkpoints, strict=True):
        check_fit(run, path, data)
    path = picture_path(out, checkpoint, "latent.png")
    latent.draw_latent_space(runs, data, path)
    print(path)
    flat = [run for run in runs if run.config.z_dim == 2]
    if flat:
        path = path.with_stem(f"{path.stem}-manifold")
        latent.draw_manifold(flat, path)
        print(path)


def run_interpolate(
    checkpoint: Path,
    n: int,
    seed: int,
    dataset: str | None,
    data_dir: str | None,
    out: Path | None,
) -> None:
    check_count(n, MOST_ROWS)
    check_seed(seed)
    run = load_checkpoint(checkpoint)
    data = load_data_for(run, checkpoint, dataset, data_dir)
    path = picture_path(out, checkpoint, "interpolate.png")
    latent.draw_interpolation(run, data, path, n, seed=seed)
    print(path)


def run_traverse(
    checkpoint: Path, n: int, dataset: str | None, data_dir: str | None, out: Path | None
) -> None:
    check_count(n, MOST_ROWS)
    run = load_checkpoint(checkpoint)
    data = load_data_for(run, checkpoint, dataset, data_dir)
    path = picture_path(out, checkpoint, "traverse.png")
    latent.draw_traversal(run, data, path, n)
    print(path)


def load_data_for(run: Run, checkpoint: Path, dataset: str | None, data_dir: str | None) -> Dataset:
    """The run's own data set, or the one that is asked for, if its images fit the run."""
    data = load_dataset(dataset or run.config.dataset, data_dir)
    check_fit(run, checkpoint, data)
    return data


def check_fit(run: Run, checkpoint: Path, data: Dataset) -> None:
    if data.image_shape != run.image_shape:
        raise InputError(
            f"{checkpoint} is for images of {run.image_shape}, {data.name} has {data.image_shape}"
        )


def check_count(n: int, most: int = MOST_IMAGES) -> None:
    if not 1 <= n <= most:
        raise InputError(f"--n must be from 1 to {most}, got {n}")


def generator(seed: int) -> np.random.Generator:
    check_seed(seed)
    return np.random.default_rng(seed)


def check_seed(seed: int) -> None:
    if seed < 0:
        raise InputError(f"--seed must be at least 0, got {seed}")


def picture_path(out: Path | None, checkpoint: Path, name: str) -> Path:
    """``out``, or a picture of that name in the folder of the checkpoint."""
    path = out or (checkpoint if checkpoint.is_dir() else checkpoint.parent) / name
    make_folder(path.parent)
    return path
