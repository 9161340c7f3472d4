"""The training loop: epochs, validation, history."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from copy import deepcopy
from math import cos, isfinite, pi

import numpy as np

from ..data.dataset import Dataset
from ..data.files import StrPath, user_path
from ..errors import InputError, LossNotFiniteError, ProcessLostError, say
from .checkpoint import load_checkpoint
from .config import Config
from .folder import begin_run, keep_run, resume_run
from .pictures import draw_pictures
from .progress import Progress
from .run import COLUMNS, Run
from .steps import Trainer, numpy_trainer


def train(
    config: Config,
    data: Dataset,
    out: StrPath | None = None,
    resume: bool = False,
    run: Run | None = None,
    progress: bool = False,
    make_trainer: Callable[[Run, Dataset], Trainer] = numpy_trainer,
) -> Run:
    """Trains a VAE, and keeps it after every epoch in the run folder ``out``.

    Args:
        config: the settings.
        data: the images, as ``load_dataset`` returns them.
        out: the folder for checkpoint, history and pictures; None keeps nothing.
        resume: go on with the run in ``out``. ``config`` may differ from that run's in ``epochs``,
            ``patience``, ``lr`` and ``lr_schedule``.
        run: go on with a copy of this run, in the same way; it stays as it is.
        progress: print a line per epoch, and on a terminal a live bar.
        make_trainer: who trains: this package, or ``reference_torch``.

    Returns:
        The finished run; its ``vae`` is the trained model.

    Raises:
        InputError: ``config`` names another data set than ``data``; ``out`` cannot be written,
            holds a run already (or none, with ``resume``), or that run contradicts ``config`` or
            ``data``.
        LossNotFiniteError: training broke down; ``out`` keeps the last good epoch.
        KeyboardInterrupt: with a message that says how to go on; ``out`` keeps the last epoch.
    """
    if config.dataset != data.name:  # a run remembers only the name, and reads the images by it
        raise InputError(
            f"the settings name the data set {config.dataset}, the data {data.name}: "
            f"Config(dataset={data.name!r}) is for these"
        )
    folder = None if out is None else user_path(out)
    kept: AbstractContextManager[Run]
    if resume:
        if folder is None or run is not None:
            raise InputError("resume means the run in the folder out; run= is for one in memory")
        kept = resume_run(folder, config, data)
    else:
        if run is None:
            new = Run.start(config, data.image_shape)
        else:
            new = deepcopy(run)
            new.go_on_with(config)
            new.check_same_images(data)
        kept = nullcontext(new) if folder is None else begin_run(new, folder)
    with kept as run:
        run.data_dir, run.label_names = data.data_dir, data.label_names
        run.images = data.identity()
        trainer = make_trainer(run, data)
        _record(run, trainer.computes_with())
        try:
            with Progress(run, data, folder, progress and not run.finished()) as shown:
                while not run.finished():
                    run.history.append(_epoch(run, trainer, shown))
                    run.check_finite()
                    if folder is not None:
                        keep_run(run, folder)
                    shown.epoch()
            if folder is not None:
                draw_pictures(run, data, folder)
        except (KeyboardInterrupt, LossNotFiniteError, ProcessLostError) as stop:
            if folder is None:
                raise
            last = load_checkpoint(folder)
            epochs = len(last.history)
            where, epoch = ("after", epochs) if last.finished() else ("in", epochs + 1)
            with suppress(KeyboardInterrupt, ProcessLostError):  # again, now at the pictures
                draw_pictures(last, data, folder)
            raise type(stop)(
                f"{str(stop) or 'interrupted'} {where} epoch {epoch}; "
                f"{folder} keeps the run as it was after epoch {epochs}"
            ) from None
    return run


def _record(run: Run, computes_with: str) -> None:
    """Keeps what a run is trained with from here on, and says where that is new."""
    before = run.trained_with if run.history else []
    if before and before[-1] != computes_with:
        say(
            f"the run was trained with {before[-1]} and goes on with {computes_with}: not to the "
            "bit as it would have there"
        )
    run.trained_with = before + [computes_with] * (before[-1:] != [computes_with])


def _epoch(run: Run, trainer: Trainer, shown: Progress) -> dict[str, float]:
    """Trains for one epoch; returns its row of the history."""
    epoch = len(run.history) + 1
    run.adam.lr = learning_rate(run.config, epoch)
    start = time.perf_counter()
    quiet = np.errstate(over="ignore", invalid="ignore")  # every loss is checked instead
    with quiet:
        train_averages = trainer.train_epoch(shown.step)
        val_averages = trainer.validate()
    if not all(map(isfinite, val_averages.values())):
        raise LossNotFiniteError("the validation loss is not finite")
    row = {
        **{f"train_{name}": value for name, value in train_averages.items()},
        **{f"val_{name}": val_averages[name] for name in train_averages},
        "mean_of_means": val_averages["mean_of_means"],
        "mean_of_log_vars": val_averages["mean_of_log_vars"],
        "lr": run.adam.lr,
        "seconds": time.perf_counter() - start,
    }
    return {"epoch": epoch, **{column: float(row[column]) for column in COLUMNS[1:]}}


def learning_rate(config: Config, epoch: int) -> float:
    """The step size in ``epoch``, counted from 1: constant, or falling towards 0 as a cosine."""
    if config.lr_schedule == "constant":
        return config.lr
    return config.lr * 0.5 * (1 + cos(pi * (epoch - 1) / config.epochs))
