"""``numpyvae train``, and the arguments of ``python -m reference_torch train``."""

import argparse
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..data.loading import load_dataset
from ..errors import InputError, LossNotFiniteError
from ..training.config import Config
from ..training.folder import new_folder, open_run
from ..training.loop import train
from ..training.run import Run
from ..training.steps import Trainer, numpy_trainer
from .arguments import SETTINGS, add_data_arguments, add_settings

HELP = "train a VAE and keep it, its history and pictures in a run folder"
DESCRIPTION = """\
Train a VAE. Every epoch is kept: checkpoint, history and pictures. Without arguments it trains on
the embedded handwritten digits, in about ten seconds.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_data_arguments(parser)
    add_settings(parser, *SETTINGS)
    add("--autoencoder", action="store_true", help="a plain autoencoder instead: no noise, beta 0")
    add("--out", type=Path, metavar="DIR", help="the run folder (default: a new one in runs/)")
    add("--resume", action="store_true", help="go on with the run in --out, its settings kept")
    parser.set_defaults(command=parser.prog)


def run(
    command: str,
    dataset: str | None,
    data_dir: str | None,
    autoencoder: bool,
    out: Path | None,
    resume: bool,
    make_trainer: Callable[[Run, Dataset], Trainer] = numpy_trainer,
    **settings: Any,
) -> None:
    if dataset is not None:
        settings["dataset"] = dataset
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
        raise LossNotFiniteError(f"{stop}; a smaller --lr may help") from None
    except KeyboardInterrupt as stop:
        if not str(stop):  # so nothing is there to go on with
            raise
        again = [*command.split(), "--out", str(out), "--resume"]
        again += ["--data-dir", data_dir] if data_dir else []
        raise KeyboardInterrupt(f"{stop}; go on with: {shlex.join(again)}") from None
    print(f"The run is in {out}: checkpoint.npz, history.csv, config.json, loss.png,")
    print("evolution.png, reconstructions.png, and a picture per epoch in samples.")
