"""``numpyvae sample``, ``reconstruct``, ``interpolate`` and ``traverse``: a picture each."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.dataset import Dataset
from ..data.loading import load_dataset
from ..errors import InputError
from ..evaluation.latent import draw_interpolation, draw_traversal
from ..training.chance import Stream
from ..training.checkpoint import load_checkpoint
from ..training.folder import draw_reconstructions
from ..training.run import Run
from .arguments import (
    add_checkpoint_argument,
    add_data_arguments,
    add_picture_argument,
    add_seed_argument,
    check_fit,
    check_seed,
    picture_path,
)

MOST_IMAGES = 10_000  # in one picture
MOST_ROWS = 100


class Picture(NamedTuple):
    """A command that draws ``n`` of something from a run, and most of them from its test images.

    ``seed`` says what is random, if anything is. ``draw`` is given the run, the data (None where
    ``needs_data`` is False), n, the seed, and the path of the picture.
    """

    name: str
    HELP: str
    DESCRIPTION: str
    counted: str
    default: int
    most: int
    seed: str | None
    draw: Callable[[Run, Dataset, int, int, Path], None]
    needs_data: bool = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_checkpoint_argument(parser)
        help = f"{self.counted} (default {self.default})"
        parser.add_argument("--n", type=int, default=self.default, metavar="N", help=help)
        if self.needs_data:
            add_data_arguments(parser)
        if self.seed:
            add_seed_argument(parser, self.seed)
        add_picture_argument(parser, f"{self.name}.png")

    def run(
        self,
        checkpoint: Path,
        n: int,
        out: Path | None,
        seed: int = 0,
        dataset: str | None = None,
        data_dir: str | None = None,
    ) -> None:
        if not 1 <= n <= self.most:
            raise InputError(f"--n must be from 1 to {self.most}, got {n}")
        check_seed(seed)
        run, data = load_checkpoint(checkpoint), None
        if self.needs_data:
            data = load_dataset(dataset or run.config.dataset, data_dir)
            check_fit(run, checkpoint, data)
        path = picture_path(out, checkpoint, f"{self.name}.png")
        self.draw(run, data, n, seed, path)  # type: ignore[arg-type]  # None where not needed
        print(path)


def draw_samples(run: Run, _: Dataset, n: int, seed: int, path: Path) -> None:
    from ..figures.images import image_grid

    image_grid(run.vae.sample(n, Stream.NEW_IMAGES.generator(seed)), run.image_shape, path)


def draw_test_images(run: Run, data: Dataset, n: int, seed: int, path: Path) -> None:
    rng = Stream.NEW_IMAGES.generator(seed)
    z = rng.standard_normal((n, run.config.z_dim), np.float32)
    draw_reconstructions(run, data.test_images[:n], z, path)


SAMPLE = Picture(
    "sample",
    "draw new images from a checkpoint",
    "Draw latent vectors from the prior N(0, I), decode them, and save a picture.",
    *("images", 64, MOST_IMAGES),
    seed="the latent vectors",
    draw=draw_samples,
    needs_data=False,
)
RECONSTRUCT = Picture(
    "reconstruct",
    "draw test images, their reconstructions, and new samples",
    "Save a picture of test images above their reconstructions (decoded from a sample of\n"
    "q(z|x), as in training), and of as many new samples.",
    *("images", 10, MOST_IMAGES),
    seed="the latent vectors",
    draw=draw_test_images,
)
INTERPOLATE = Picture(
    "interpolate",
    "draw paths through the latent space between test images",
    "Draw, for pairs of test images, the images decoded on the straight line between their\n"
    "posterior means.",
    *("pairs", 8, MOST_ROWS),
    seed="the choice of the pairs",
    draw=draw_interpolation,
)
TRAVERSE = Picture(
    "traverse",
    "draw what the most active latent units do",
    "Draw images decoded with one latent unit moved from -3 to 3: the most active units, those\n"
    "whose posterior means vary most over the test images, one per row. The others stay at 0, or\n"
    "at one draw from the prior where they are not in use.",
    *("units", 10, MOST_ROWS),
    seed=None,
    draw=lambda run, data, n, _, path: draw_traversal(run, data, n, path),
)
