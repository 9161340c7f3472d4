"""``numpyvae train``, and the arguments of ``python -m reference_torch train``."""

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Any

from ..convolutional import ConvolutionalAutoencoder
from ..data.dataset import Dataset
from ..errors import InputError, LossNotFiniteError, ProcessLostError
from ..training.config import Config, default_epochs
from ..training.folder import BEST, new_folder, open_run
from ..training.loop import train
from ..training.run import Run
from ..training.steps import Trainer, numpy_trainer
from .arguments import (
    SETTINGS,
    add_data_arguments,
    add_image_size_argument,
    add_quiet_argument,
    add_settings,
    add_threads_argument,
    limited,
    load_data,
    load_new_data,
)

COLLAPSED = 0.5  # nats per image: a code that tells two kinds of images apart has more
FEW_STEPS = 200

DESCRIPTION = """\
Train a VAE. Every epoch is kept: checkpoint, history and pictures. Without arguments it trains on
the embedded handwritten digits, in about fifteen seconds.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_data_arguments(parser)
    add_image_size_argument(parser)
    add_settings(parser, *SETTINGS)
    add("--autoencoder", action="store_true", help="a plain autoencoder instead: no noise, beta 0")
    add("--out", type=Path, metavar="DIR", help="the run folder (default: a new one in runs/)")
    add(
        "--resume",
        action="store_true",
        help="go on with the run in --out, its settings kept, but for more --epochs, another --lr",
    )
    add_threads_argument(parser)
    add_quiet_argument(parser, "the run folder")
    parser.set_defaults(command=parser.prog)


def run(
    command: str,
    dataset: str | None,
    data_dir: str | None,
    image_size: Sequence[int] | None,
    autoencoder: bool,
    out: Path | None,
    resume: bool,
    threads: int | None,
    quiet: bool,
    make_trainer: Callable[[Run, Dataset], Trainer] = numpy_trainer,
    **settings: Any,
) -> None:
    if dataset is not None:
        settings["dataset"] = dataset
    if autoencoder:
        if settings.get("beta"):
            raise InputError("--autoencoder means beta 0: leave out --beta")
        settings |= {"noise": False, "beta": 0.0}
    if resume:
        if out is None:
            raise InputError("--resume needs --out DIR, the folder of the run to go on with")
        old = open_run(out)
        config = replace(old.config, **settings)
        _check_goes_on(old, config, settings)
        old.go_on_with(config)
        data = load_data(old, dataset, data_dir)
        done = len(old.history)
        if config.epochs == done and not quiet:
            print(f"The run has all its {done} epochs; --epochs {2 * done} would go on with it.")
        elif old.finished() and config.patience and not quiet:
            more = 2 * config.patience
            print(f"The run has ended early; --patience {more} would go on with it.")
    else:
        config = Config(**settings)
        data = load_new_data(config, data_dir, image_size)
        if "epochs" not in settings and config.dataset != "digits":
            epochs = default_epochs(len(data.train_images), config.batch_size)
            config = replace(config, epochs=epochs)
        if "z_dim" not in settings and config.network == "conv-autoencoder":
            z_dim = ConvolutionalAutoencoder.code_size(data.image_shape, config.hidden)
            config = replace(config, z_dim=z_dim)
    try:
        with limited(threads), nullcontext(out) if out else new_folder(config.dataset) as out:
            kept = train(config, data, out, resume, progress=not quiet, make_trainer=make_trainer)
    except LossNotFiniteError as stop:
        raise LossNotFiniteError(f"{stop}; a smaller --lr may help") from None
    except (KeyboardInterrupt, ProcessLostError) as stop:
        if not str(stop):  # so nothing is there to go on with
            raise
        again = [*command.split(), "--out", str(out), "--resume"]
        again += ["--data-dir", data_dir] if data_dir else []
        raise type(stop)(f"{stop}; go on with: {shlex.join(again)}") from None
    if quiet:
        print(out)
    else:
        if len(kept.history) < config.epochs:
            print(f"Ended early: no validation loss was below that of epoch {kept.best_epoch()}.")
        best = f"best.npz (epoch {kept.best_epoch()}), " if (out / BEST).exists() else ""
        text = (
            f"The run is in {out}: checkpoint.npz, {best}history.csv, config.json, loss.png, "
            "reconstructions.png, evolution.png and .gif, and a picture per epoch in samples."
        )
        print(fill(text, 79, break_on_hyphens=False, break_long_words=False))
        if remark := _remark(kept):
            print(fill(remark, 79, break_on_hyphens=False))


def _remark(run: Run) -> str:
    """What is wrong with a run that will disappoint, and the cure; nothing of others."""
    config, kl = run.config, run.history[-1]["val_kl"]
    if run.adam.steps < FEW_STEPS:
        return (
            f"These were {run.adam.steps} training steps in all, which is few: try more --epochs."
        )
    if run.beta() < config.beta:
        return (
            f"The weight of the KL divergence has risen to {run.beta():.2g} only, not to "
            f"{config.beta:g}: --resume with more --epochs goes on."
        )
    if config.noise and config.beta and kl < COLLAPSED:
        return (
            f"The KL divergence is {kl:.2f} nats per image: the codes say next to nothing, and all "
            "samples will be much the same. A smaller --beta helps, or --beta-warmup EPOCHS."
        )
    return ""


def _check_goes_on(run: Run, config: Config, settings: Mapping[str, Any]) -> None:
    """Refuses to guess what a cosine over the old number of epochs becomes with a new one."""
    more = config.epochs != run.config.epochs
    if more and config.lr_schedule == "cosine" and "lr_schedule" not in settings:
        raise InputError(
            f"the run has lowered lr as a cosine over {run.config.epochs} epochs: to go on, give "
            "--lr-schedule, cosine (over the new number) or constant"
        )
