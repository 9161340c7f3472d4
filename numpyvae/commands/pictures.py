"""``numpyvae reconstruct``, ``interpolate`` and ``traverse``: a picture of test images each."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.dataset import Dataset, as_floats
from ..data.pictures import read_pictures
from ..data.pixels import has_colour
from ..errors import InputError, say
from ..evaluation.latent import draw_interpolation, draw_traversal
from ..training.chance import Stream
from ..training.checkpoint import load_checkpoint
from ..training.pictures import draw_reconstructions
from ..training.run import Run
from .arguments import (
    add_checkpoint_argument,
    add_picture_argument,
    add_run_data_arguments,
    add_seed_argument,
    check_number,
    check_seed,
    load_data,
    picture_path,
)

MOST_ROWS = 100  # or columns


class Picture(NamedTuple):
    """A command that draws ``n`` of something from a run and its test images.

    ``seed`` says what is random, if anything is. ``draw`` is given the run, the data, n, the seed
    and the path of the picture. ``own`` commands also take pictures in the place of test images.
    """

    name: str
    DESCRIPTION: str
    counted: str
    default: int
    most: int
    seed: str | None
    draw: Callable[[Run, Dataset, int, int, Path], object]
    own: bool = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_checkpoint_argument(parser)
        help = f"{self.counted} (default {self.default}{', or all pictures' if self.own else ''})"
        parser.add_argument("--n", type=int, metavar="N", help=help)
        if self.own:
            help = "pictures of your own, scaled to the run's size, in the place of test images"
            parser.add_argument("--pictures", type=Path, nargs="+", metavar="FILE", help=help)
        add_run_data_arguments(parser)
        if self.seed:
            add_seed_argument(parser, self.seed)
        add_picture_argument(parser, f"{self.name} beside CHECKPOINT")

    def run(
        self,
        checkpoint: Path,
        n: int | None,
        dataset: str | None,
        data_dir: str | None,
        out: Path | None,
        seed: int = 0,
        pictures: Sequence[Path] | None = None,
    ) -> None:
        if n is None:
            n = len(pictures) if pictures else self.default
        check_number(n, self.most)
        check_seed(seed)
        if pictures and (dataset or data_dir):
            raise InputError("give --pictures, or --dataset and --data-dir, not both")
        run = load_checkpoint(checkpoint)
        data = own_pictures(run, pictures) if pictures else load_data(run, dataset, data_dir)
        path = picture_path(out, checkpoint, self.name)
        self.draw(run, data, n, seed, path)
        print(path)


def own_pictures(run: Run, files: Sequence[Path]) -> Dataset:
    """Pictures in files as images of the run's size."""
    pictures, _ = read_pictures(files, run.image_shape[:2], has_colour(run.image_shape))
    if pictures.shape[1:] != run.image_shape:
        raise InputError("the run is for colour images, and no picture has any colour")
    rows = pictures.reshape(len(pictures), -1)
    light = as_floats(rows).mean(axis=1) > 0.5
    own_light = run.vae.sample(64, Stream.NEW_IMAGES.generator(0)).mean() > 0.5
    if other := int(np.sum(light != own_light)):
        kind, own = ("dark", "light") if own_light else ("light", "dark")
        say(
            f"{other} of {len(rows)} pictures are mostly {kind}, what the run draws is mostly "
            f"{own}: perhaps they are to be inverted"
        )
    return Dataset("Your pictures", rows, None, rows, None, run.image_shape)


RECONSTRUCT = Picture(
    "reconstruct.png",
    "Save a picture of test images above their reconstructions (decoded from a sample of\n"
    "q(z|x), as in training), and of as many new samples.",
    *("images", 10, MOST_ROWS),
    seed="the latent vectors",
    draw=draw_reconstructions,
    own=True,
)
INTERPOLATE = Picture(
    "interpolate.png",
    "Draw, for pairs of test images, the images decoded on the straight line between their\n"
    "posterior means.",
    *("pairs", 8, MOST_ROWS),
    seed="the choice of the pairs",
    draw=draw_interpolation,
)
TRAVERSE = Picture(
    "traverse.png",
    "Draw images decoded with one latent unit moved from -3 to 3: the most active units, those\n"
    "whose posterior means vary most over the test images, one per row. The others stay at 0, or\n"
    "at one draw from the prior where they are not in use.",
    *("units", 10, MOST_ROWS),
    seed=None,
    draw=lambda run, data, n, _, path: draw_traversal(run, data, n, path),
)
