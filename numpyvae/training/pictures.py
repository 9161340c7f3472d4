"""What a run has to show of itself, as pictures."""

from __future__ import annotations

from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..data.files import StrPath
from ..errors import InputError, one_line
from ..functional import Array
from .chance import Stream
from .config import Config
from .run import Run

if TYPE_CHECKING:  # drawing is loaded when something is drawn
    from matplotlib.figure import Figure
    from PIL.Image import Image

SAMPLES = 64  # images in the grid that is drawn after every epoch


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
    """Draws the first ``n`` test images above their reconstructions, and as many new images.

    As in training, an image is decoded from a sample of its q(z|x), or without noise from the mean.
    """
    from ..figures.images import reconstructions

    x = as_floats(data.test_images[:n], run.vae.dtype)
    rng = Stream.RECONSTRUCTIONS.generator(run.config.seed)
    code = run.posterior_sample(*run.vae.encode(x), rng)
    samples = run.vae.sample(len(x), Stream.NEW_IMAGES.generator(seed))
    what = "Test images" if data.name == run.config.dataset else one_line(data.name)
    return reconstructions(x, run.vae.decode(code), samples, run.image_shape, path, what)


def samples_path(folder: Path, epoch: int) -> Path:
    return folder / "samples" / f"epoch-{epoch:04d}.png"
