"""The training loop: epochs, validation, history, checkpoints and pictures in a run folder."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import count
from math import ceil, cos, isfinite, pi
from pathlib import Path
from typing import Protocol

import numpy as np

from .checkpoint import CHECKPOINT, COLUMNS, Run, load_checkpoint, save_checkpoint
from .config import Config
from .data import Dataset, as_floats, minibatches
from .errors import InputError
from .files import StrPath, make_folder, write_text
from .functional import Array
from .progress import Progress

SAMPLES = 64  # images in the grid that is drawn after every epoch


class LossNotFiniteError(ArithmeticError):
    """The loss became infinite or not a number, so training stopped."""


OnStep = Callable[[float | None], None]  # is given a step's loss per image, where that is known


class Trainer(Protocol):
    """What the loop needs: an epoch of training and one of validation.

    ``train_epoch`` calls ``on_step`` after every step. Both return averages per
    image, ``loss``, ``reconstruction`` and ``kl``; ``validate`` also ``mean_of_means`` and
    ``mean_of_log_vars``, over all test images. Between epochs the run holds the current state.
    """

    def train_epoch(self, on_step: OnStep) -> dict[str, float]: ...

    def validate(self) -> dict[str, float]: ...


class NumpyTrainer:
    """Trains ``run.vae`` with the hand-written backward pass and Adam."""

    def __init__(self, run: Run, data: Dataset) -> None:
        self.run, self.data = run, data

    def train_epoch(self, on_step: OnStep) -> dict[str, float]:
        run, images = self.run, self.data.train_images
        sums = np.zeros(3)
        for step, (x, eps) in enumerate(visits(images, run.config, run.rng, shuffled=True), 1):
            loss = run.vae.forward(x, eps, run.config.beta)
            if not isfinite(loss.total):
                raise LossNotFiniteError(f"the loss is {loss.total} in step {step}")
            run.adam.step(run.vae.backward())
            sums += loss
            on_step(loss.total / len(x))
        return averages(sums, len(images))

    def validate(self) -> dict[str, float]:
        run, images = self.run, self.data.test_images
        sums = np.zeros(5)
        for x, eps in visits(images, run.config, validation_rng(run.config)):
            loss = run.vae.forward(x, eps, run.config.beta)
            mean, log_var = run.vae.activations["mean"], run.vae.activations["log_var"]
            sums += (*loss, mean.mean(1).sum(), log_var.mean(1).sum())
        return averages(sums, len(images))


def visits(
    images: Array, config: Config, rng: np.random.Generator, shuffled: bool = False
) -> Iterator[tuple[Array, Array]]:
    """Minibatches x (B, x_dim), as ``config`` binarizes them, each with its noise eps (B, z_dim).

    Both lie in buffers that the next minibatch overwrites. All chance comes from ``rng``.
    """
    noise = np.zeros((config.batch_size, config.z_dim), np.float32)
    for x in minibatches(images, config.batch_size, np.float32, rng if shuffled else None):
        if config.binarize:
            np.less(rng.random(x.shape, np.float32), x, out=x)
        eps = noise[: len(x)]
        if config.noise:
            rng.standard_normal(dtype=np.float32, out=eps)
        yield x, eps


def averages(sums: Sequence[float] | Array, images: int) -> dict[str, float]:
    """Sums over so many images, as averages with the names that ``Trainer`` gives them."""
    names = ("loss", "reconstruction", "kl", "mean_of_means", "mean_of_log_vars")
    return {name: float(value) / images for name, value in zip(names, sums, strict=False)}


def learning_rate(config: Config, epoch: int) -> float:
    """The step size in ``epoch``, counted from 1: constant, or falling towards 0 as a cosine."""
    if config.lr_schedule == "constant":
        return config.lr
    return config.lr * 0.5 * (1 + cos(pi * (epoch - 1) / config.epochs))


def validation_rng(config: Config) -> np.random.Generator:
    """The noise of validation: the same in every epoch, so that epochs can be compared."""
    return np.random.default_rng([config.seed, 2])


def sample_latents(config: Config, n: int = SAMPLES) -> Array:
    """The latent vectors (n, z_dim) behind the sample pictures: the same in every epoch."""
    return np.random.default_rng([config.seed, 3]).standard_normal((n, config.z_dim), np.float32)


def train(
    config: Config,
    data: Dataset,
    out: StrPath | None = None,
    resume: bool = False,
    progress: bool = False,
    make_trainer: Callable[[Run, Dataset], Trainer] = NumpyTrainer,
) -> Run:
    """Trains a VAE, and keeps it after every epoch in the run folder ``out``.

    Args:
        config: the settings.
        data: the images, as ``load_dataset`` returns them.
        out: the folder for checkpoint, history and pictures; None keeps nothing.
        resume: go on with the run in ``out``; ``config`` may differ from that run's in ``epochs``.
        progress: print a line per epoch, and on a terminal a live bar.
        make_trainer: who trains: this package, or ``reference_torch``.

    Returns:
        The finished run; its ``vae`` is the trained model.

    Raises:
        InputError: ``out`` cannot be written, holds a run already (or none, with ``resume``), or
            that run contradicts ``config`` or ``data``.
        LossNotFiniteError: training broke down; ``out`` keeps the last good epoch.
        KeyboardInterrupt: with a message that says how to go on; ``out`` keeps the last epoch.
    """
    folder = None if out is None else Path(out)
    if folder is not None and resume:
        run = _resume(folder, config, data)
    else:
        run = Run.start(config, data.image_shape)
        if folder is not None:
            _start(run, folder)
    trainer = make_trainer(run, data)
    steps = ceil(len(data.train_images) / config.batch_size)
    try:
        with Progress(run, steps, progress) as shown:
            while len(run.history) < config.epochs:
                run.history.append(_epoch(run, trainer, shown))
                if folder is not None:
                    _keep(run, folder)
                shown.epoch()
    except (KeyboardInterrupt, LossNotFiniteError) as stop:
        if folder is None:
            raise
        kept = load_checkpoint(folder)
        draw_pictures(kept, data, folder)
        epochs = len(kept.history)
        raise type(stop)(
            f"{str(stop) or 'interrupted'} in epoch {epochs + 1}; {folder} keeps the run as it was "
            f"after epoch {epochs}"
        ) from None
    if folder is not None:
        draw_pictures(run, data, folder)
    return run


def _epoch(run: Run, trainer: Trainer, shown: Progress) -> dict[str, float]:
    """Trains for one epoch; returns its row of the history."""
    epoch = len(run.history) + 1
    run.adam.lr = learning_rate(run.config, epoch)
    start = time.perf_counter()
    with np.errstate(over="ignore", invalid="ignore"):  # every loss is checked instead
        train_averages = trainer.train_epoch(shown.step)
        val_averages = trainer.validate()
    if not all(map(isfinite, val_averages.values())):
        raise LossNotFiniteError("the validation loss is not finite")
    row = {
        "epoch": epoch,
        **{f"train_{name}": value for name, value in train_averages.items()},
        **{f"val_{name}": val_averages[name] for name in train_averages},
        "mean_of_means": val_averages["mean_of_means"],
        "mean_of_log_vars": val_averages["mean_of_log_vars"],
        "seconds": time.perf_counter() - start,
    }
    return {column: float(row[column]) for column in COLUMNS}


# The run folder


def new_folder(dataset: str) -> Path:
    """The first of ``runs/digits-1``, ``runs/digits-2``, ... that does not exist."""
    name = Path(dataset).stem
    return next(path for n in count(1) if not (path := Path("runs") / f"{name}-{n}").exists())


def _start(run: Run, folder: Path) -> None:
    if (folder / CHECKPOINT).exists():
        raise InputError(f"{folder} holds a run already: --resume goes on with it, or give another")
    make_folder(folder / "samples")
    save_checkpoint(folder / CHECKPOINT, run)
    _write_texts(run, folder)


def open_run(folder: StrPath) -> Run:
    """The run in ``folder``, to go on with.

    Raises:
        InputError: there is none, or its checkpoint cannot be used.
    """
    if not (Path(folder) / CHECKPOINT).exists():
        raise InputError(f"there is no run in {folder} to resume: it has no {CHECKPOINT}")
    return load_checkpoint(folder)


def _resume(folder: Path, config: Config, data: Dataset) -> Run:
    run = open_run(folder)
    old, new = asdict(run.config), asdict(config)
    if config.lr_schedule == "constant":  # then a run's epochs do not depend on their number
        new["epochs"] = old["epochs"]
    changed = [f"{name} {old[name]}, not {new[name]}" for name in old if old[name] != new[name]]
    if changed:
        raise InputError(f"the run in {folder} has {'; '.join(changed)}")
    if config.epochs < len(run.history):
        raise InputError(f"the run in {folder} has finished epoch {len(run.history)} already")
    if data.image_shape != run.image_shape:
        raise InputError(
            f"the run in {folder} has images of {run.image_shape}, {data.name} {data.image_shape}"
        )
    run.config = config
    make_folder(folder / "samples")
    _write_texts(run, folder)
    return run


def _keep(run: Run, folder: Path) -> None:
    """Writes what the epoch just finished leaves in the run folder."""
    from . import figures

    samples = run.vae.decode(sample_latents(run.config))
    figures.image_grid(samples, run.image_shape, _samples_path(folder, len(run.history)))
    save_checkpoint(folder / CHECKPOINT, run)
    _write_texts(run, folder)


def _write_texts(run: Run, folder: Path) -> None:
    """Writes what the checkpoint holds of settings and history again, for people to read."""
    write_text(folder / "config.json", json.dumps(asdict(run.config), indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(run.history)
    write_text(folder / "history.csv", text.getvalue())


def draw_pictures(run: Run, data: Dataset, folder: StrPath) -> None:
    """Draws what a finished or interrupted run has to show into its folder.

    ``loss.png``, ``evolution.png`` (from the grids in ``samples/``) and ``reconstructions.png``.
    Before the first epoch there is nothing to show, and nothing is drawn.
    """
    from . import figures

    folder = Path(folder)
    if not run.history:
        return
    figures.loss_curves(run.history, folder / "loss.png")
    grids = {epoch: _samples_path(folder, epoch) for epoch in range(1, len(run.history) + 1)}
    figures.evolution(grids, run.image_shape, folder / "evolution.png")
    draw_reconstructions(
        run, data.test_images[:10], sample_latents(run.config), folder / "reconstructions.png"
    )


def draw_reconstructions(run: Run, images: Array, z: Array, path: StrPath) -> None:
    """Draws ``images`` above their reconstructions from the mean of q(z|x), and as many samples."""
    from . import figures

    x = as_floats(images, run.vae.dtype)
    mean, _ = run.vae.encode(x)
    figures.reconstructions(
        x, run.vae.decode(mean), run.vae.decode(z[: len(x)]), run.image_shape, path
    )


def _samples_path(folder: Path, epoch: int) -> Path:
    return folder / "samples" / f"epoch-{epoch:04d}.png"
