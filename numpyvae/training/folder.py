"""The run folder: checkpoint, settings, history and pictures of a run, kept after every epoch."""

import csv
import io
import json
from dataclasses import asdict
from itertools import count
from pathlib import Path

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..data.files import StrPath, make_folder, write_text
from ..errors import InputError
from ..functional import Array, reparameterize
from .chance import Stream
from .checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from .config import Config
from .run import COLUMNS, Run

SAMPLES = 64  # images in the grid that is drawn after every epoch


def new_folder(dataset: str) -> Path:
    """The first of ``runs/digits-1``, ``runs/digits-2``, ... that does not exist."""
    name = Path(dataset).stem
    return next(path for n in count(1) if not (path := Path("runs") / f"{name}-{n}").exists())


def begin_run(run: Run, folder: Path) -> None:
    """Makes the folder of a run before its first epoch.

    Raises:
        InputError: it holds a run already, or cannot be made.
    """
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


def resume_run(folder: Path, config: Config, data: Dataset) -> Run:
    """The run in ``folder``, with the settings ``config``, which may give it more epochs.

    Raises:
        InputError: there is none, or it contradicts ``config`` or ``data``.
    """
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


def keep_run(run: Run, folder: Path) -> None:
    """Writes what the epoch just finished leaves in the run folder."""
    from ..figures.images import image_grid

    samples = run.vae.decode(sample_latents(run.config))
    image_grid(samples, run.image_shape, samples_path(folder, len(run.history)))
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


def sample_latents(config: Config, n: int = SAMPLES) -> Array:
    """The latent vectors (n, z_dim) behind the sample pictures: the same in every epoch."""
    return Stream.PICTURES.generator(config.seed).standard_normal((n, config.z_dim), np.float32)


def draw_pictures(run: Run, data: Dataset, folder: StrPath) -> None:
    """Draws what a finished or interrupted run has to show into its folder.

    ``loss.png``, ``evolution.png`` (from the grids in ``samples/``) and ``reconstructions.png``.
    Before the first epoch there is nothing to show, and nothing is drawn.
    """
    from ..figures.curves import loss_curves
    from ..figures.images import evolution

    folder = Path(folder)
    if not run.history:
        return
    loss_curves(run.history, folder / "loss.png")
    grids = {epoch: samples_path(folder, epoch) for epoch in range(1, len(run.history) + 1)}
    evolution(grids, run.image_shape, folder / "evolution.png")
    draw_reconstructions(
        run, data.test_images[:10], sample_latents(run.config), folder / "reconstructions.png"
    )


def draw_reconstructions(run: Run, images: Array, z: Array, path: StrPath) -> None:
    """Draws ``images`` above their reconstructions, and as many samples decoded from ``z``.

    As in training, an image is decoded from a sample of its q(z|x), or without noise from the mean.
    """
    from ..figures.images import reconstructions

    x = as_floats(images, run.vae.dtype)
    code, log_var = run.vae.encode(x)
    if run.config.noise:
        rng = Stream.RECONSTRUCTIONS.generator(run.config.seed)
        code = reparameterize(code, log_var, rng.standard_normal(code.shape, code.dtype))
    reconstructions(x, run.vae.decode(code), run.vae.decode(z[: len(x)]), run.image_shape, path)


def samples_path(folder: Path, epoch: int) -> Path:
    return folder / "samples" / f"epoch-{epoch:04d}.png"
