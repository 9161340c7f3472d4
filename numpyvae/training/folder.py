"""The run folder: checkpoint, settings, history and pictures of a run, kept after every epoch."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from fnmatch import fnmatch
from itertools import count
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..data.files import (
    StrPath,
    check_free,
    locked,
    make_folder,
    make_subfolder,
    reading,
    replacing,
    uninterrupted,
    write_text,
)
from ..errors import InputError
from ..functional import Array, reparameterize
from .chance import Stream
from .checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from .config import Config
from .run import COLUMNS, Run

if TYPE_CHECKING:  # drawing is loaded when something is drawn
    from matplotlib.figure import Figure
    from PIL.Image import Image

CONFIG, HISTORY = "config.json", "history.csv"  # their names in a run folder
BEST = "best.npz"  # the checkpoint of the epoch with the lowest validation loss
RUN_FILES = (
    *(CHECKPOINT, BEST, CONFIG, HISTORY, "loss.png", "reconstructions.png"),
    *("evolution.png", "evolution.gif"),
)
SAMPLES = 64  # images in the grid that is drawn after every epoch


@contextmanager
def new_folder(dataset: str) -> Iterator[Path]:
    """Makes the first of ``runs/digits-1``, ``runs/digits-2``, ... that does not exist.

    What the block leaves empty is removed again.
    """
    made = not Path("runs").exists()
    runs, name = make_folder("runs"), Path(dataset).stem
    for n in count(1):
        path = runs / f"{name}-{n}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(f"cannot make the folder {path}: {error.strerror}") from error
        break
    try:
        yield path
    finally:
        with suppress(OSError):
            path.rmdir()
            if made:
                runs.rmdir()


def is_of_run(path: Path) -> bool:
    """Whether a run keeps this file, or will: nobody else writes it."""
    folder, name = path.parent, path.name.lower()
    if folder.name == "samples" and fnmatch(name, "epoch-*.png"):
        return (folder.parent / CHECKPOINT).exists()
    return name in RUN_FILES and (folder / CHECKPOINT).exists()


@contextmanager
def begin_run(run: Run, folder: Path) -> Iterator[Run]:
    """Makes the folder of ``run`` before its first epoch, and keeps it locked in the block.

    Raises:
        InputError: it holds a run already, or files with the names of a run's; another process
            writes to it, or it cannot be made.
    """
    _check_pictures(run)
    with locked(make_folder(folder)):
        if (folder / CHECKPOINT).exists():
            raise InputError(
                f"{folder} holds a run already: --resume goes on with it, or give another"
            )
        samples = [f"samples/{path.name}" for path in folder.glob("samples/epoch-*.png")]
        check_free(folder, [*RUN_FILES, *samples], CHECKPOINT)
        make_subfolder(folder, "samples")
        _write_state(run, folder)
        yield run


def open_run(folder: StrPath) -> Run:
    """The run in ``folder``, to go on with.

    Raises:
        InputError: there is none, or its checkpoint cannot be used.
    """
    _check_begun(folder)
    return load_checkpoint(folder)


def _check_begun(folder: StrPath) -> None:
    if not (Path(folder) / CHECKPOINT).exists():
        raise InputError(f"there is no run in {folder} to resume: it has no {CHECKPOINT}")


def _check_pictures(run: Run) -> None:
    """Raises InputError where the images are too large for the pictures of a run.

    It also imports what draws them, so that after Ctrl-C nothing half-imported is in the way.
    """
    from ..figures import curves  # noqa: F401
    from ..figures.images import check_grid

    check_grid(100, run.image_shape, columns=10)  # no picture shows more rows or columns


@contextmanager
def resume_run(folder: Path, config: Config, data: Dataset) -> Iterator[Run]:
    """The run in ``folder``, locked in the block, to go on with the settings ``config``.

    Raises:
        InputError: there is none, it contradicts ``config`` or ``data``, or another process
            writes to it.
    """
    _check_begun(folder)
    with locked(make_folder(folder)):
        run = open_run(folder)
        run.go_on_with(config)
        run.check_same_images(data)
        _check_pictures(run)
        make_subfolder(folder, "samples")
        _write_state(run, folder)
        yield run


def keep_run(run: Run, folder: Path) -> None:
    """Writes what the epoch just finished leaves in the run folder."""
    from ..figures.images import image_grid

    samples = run.vae.decode(sample_latents(run.config))
    image_grid(samples, run.image_shape, samples_path(folder, len(run.history)))
    _write_state(run, folder)


def _write_state(run: Run, folder: Path) -> None:
    """Writes the checkpoint, and for people to read what it holds of settings and history.

    A kill can leave the others a step behind the checkpoint; ``resume_run`` writes them again.
    """
    with uninterrupted():
        save_checkpoint(folder / CHECKPOINT, run)
        if 0 < run.best_epoch() == len(run.history):
            with reading(folder / CHECKPOINT) as content, replacing(folder / BEST) as stream:
                shutil.copyfileobj(content, stream)
        _write_texts(run, folder)


def _write_texts(run: Run, folder: Path) -> None:
    write_text(folder / CONFIG, json.dumps(asdict(run.config), indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(run.history)
    write_text(folder / HISTORY, text.getvalue())


def sample_latents(config: Config, n: int = SAMPLES) -> Array:
    """The latent vectors (n, z_dim) behind the sample pictures: the same in every epoch."""
    return Stream.PICTURES.generator(config.seed).standard_normal((n, config.z_dim), np.float32)


def draw_pictures(run: Run, data: Dataset, folder: StrPath) -> None:
    """Draws what a finished or interrupted run has to show into its folder.

    ``loss.png``, ``evolution.png`` and ``evolution.gif`` (from the grids in ``samples/``), and
    ``reconstructions.png``.
    Before the first epoch there is nothing to show, and nothing is drawn.
    """
    from ..figures.images import evolution, evolution_gif

    folder = Path(folder)
    if not run.history:
        return
    draw_loss(run, folder / "loss.png")
    grids = {epoch: samples_path(folder, epoch) for epoch in range(1, len(run.history) + 1)}
    evolution(grids, run.image_shape, folder / "evolution.png")
    evolution_gif(grids, run.image_shape, folder / "evolution.gif")
    draw_reconstructions(run, data, path=folder / "reconstructions.png")


def draw_loss(run: Run, path: StrPath | None = None) -> Figure:
    """Draws the loss, its two terms and the article's health monitors, epoch by epoch.

    Like all pictures, it is written to ``path`` where that is given, and returned, so that a
    notebook shows it.
    """
    from ..figures.curves import loss_curves

    if not run.history:
        raise InputError("the run has no epoch yet, so there is no loss to draw")
    return loss_curves(run.history, path)


def draw_samples(run: Run, n: int = 64, seed: int = 0, path: StrPath | None = None) -> Image:
    """Draws new images: latent vectors from the prior N(0, I), decoded."""
    return draw_images(run, run.vae.sample(n, Stream.NEW_IMAGES.generator(seed)), path)


def draw_images(run: Run, images: Array, path: StrPath | None = None) -> Image:
    """Draws images (N, x_dim) of a run's size as a grid, as square as their number allows."""
    from ..figures.images import image_grid

    return image_grid(images, run.image_shape, path, columns=ceil(sqrt(len(images))))


def draw_reconstructions(
    run: Run, data: Dataset, n: int = 10, seed: int = 0, path: StrPath | None = None
) -> Figure:
    """Draws test images above their reconstructions, and new images.

    As in training, an image is decoded from a sample of its q(z|x), or without noise from the mean.
    """
    from ..figures.images import reconstructions

    x = as_floats(data.test_images[:n], run.vae.dtype)
    code, log_var = run.vae.encode(x)
    if run.config.noise:
        rng = Stream.RECONSTRUCTIONS.generator(run.config.seed)
        code = reparameterize(code, log_var, rng.standard_normal(code.shape, code.dtype))
    samples = run.vae.sample(len(x), Stream.NEW_IMAGES.generator(seed))
    return reconstructions(x, run.vae.decode(code), samples, run.image_shape, path)


def samples_path(folder: Path, epoch: int) -> Path:
    return folder / "samples" / f"epoch-{epoch:04d}.png"
