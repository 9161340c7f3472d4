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
from pathlib import Path

from ..data.dataset import Dataset
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
from .checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from .config import Config
from .pictures import sample_latents, samples_path
from .run import COLUMNS, Run

CONFIG, HISTORY = "config.json", "history.csv"  # their names in a run folder
BEST = "best.npz"  # the checkpoint of the epoch with the lowest validation loss
RUN_FILES = (
    *(CHECKPOINT, BEST, CONFIG, HISTORY, "loss.png", "reconstructions.png"),
    *("evolution.png", "evolution.gif"),
)


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
